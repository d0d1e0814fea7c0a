/* Whether one guest runs, and starting it. */
#include "virt_private.h"

#include "cleanup.h"

#include <string.h>

struct power_job {
    struct gp_job job;
    char *uuid, *name; /* name: NULL while unknown */
    bool running;
};

static void power_free(struct gp_job *job)
{
    struct power_job *power = (struct power_job *)job;

    free(power->uuid);
    free(power->name);
    free(job);
}

static struct power_job *power_new(const char *uuid, void (*run)(struct gp_job *job))
{
    struct power_job *job = calloc(1, sizeof *job);

    if (!job || !(job->uuid = strdup(uuid)))
        abort();
    job->job.run = run;
    job->job.free = power_free;
    return job;
}

/* As the user knows it, where libvirt said so in time. */
static const char *power_name(const struct power_job *power, bool done)
{
    return done && power->name ? power->name : power->uuid;
}

static void look_up(struct power_job *power, virDomainPtr *ret)
{
    power->job.err = gp_virt_lookup(power->job.virt->conn, power->uuid, ret);
    if (!power->job.err)
        power->name = strdup(virDomainGetName(*ret));
}

static void running_run(struct gp_job *job)
{
    gp_cleanup(gp_virt_domain_free_p) virDomainPtr domain = NULL;
    struct power_job *power = (struct power_job *)job;
    int active;

    look_up(power, &domain);
    if (job->err)
        return;
    active = virDomainIsActive(domain);
    if (active < 0)
        job->err = gp_virt_error();
    power->running = active == 1;
}

/* A libvirtd that dies while it starts a guest leaves it paused, with its devices, before its first instruction
 * (QEMU's -S; src/qemu/qemu_process.c, qemuProcessStart()). Fact, seen with libvirt 9.0: if it dies before there is a QEMU,
 * the next libvirtd reads pid 0 from the status file and takes the start to be under way for ever: resume and destroy wait
 * for it in vain for 30 s, and another restart does not help either. Whether somebody else's start is really under way
 * cannot be told apart, and the file is libvirt's: a person has to look. */
static struct gp_error *resume_if_paused(virDomainPtr domain)
{
    struct gp_error *err;
    int state, reason;

    if (virDomainGetState(domain, &state, &reason, 0) < 0)
        return gp_virt_error();
    if (state != VIR_DOMAIN_PAUSED || virDomainResume(domain) == 0)
        return NULL;
    err = gp_virt_error();
    if (err->code != GP_E_TIMEOUT || reason != VIR_DOMAIN_PAUSED_STARTING_UP)
        return err;
    return gp_error_wrap(err,
                         "libvirt has it paused as 'starting up' and does not go on. If no QEMU runs for it, its start was "
                         "broken off: stop libvirtd, remove /run/libvirt/qemu/%s.xml, start libvirtd",
                         virDomainGetName(domain));
}

static void start_run(struct gp_job *job)
{
    gp_cleanup(gp_virt_domain_free_p) virDomainPtr domain = NULL;
    struct power_job *power = (struct power_job *)job;

    look_up(power, &domain);
    if (job->err || atomic_load(&job->given_up))
        return;
    if (virDomainIsActive(domain) == 1) {
        job->err = resume_if_paused(domain);
        return;
    }
    if (virDomainCreateWithFlags(domain, 0) == 0)
        return;
    job->err = gp_virt_error();
    /* Somebody else, or libvirt's autostart, may have been quicker. */
    if (virDomainIsActive(domain) == 1) {
        gp_error_free(job->err);
        job->err = NULL;
    }
}

struct gp_error *gp_virt_running(struct gp_virt *virt, const char *uuid, bool *ret)
{
    struct gp_error *err = gp_virt_usable(virt, false);
    struct power_job *power;
    bool done;

    if (err)
        return err;
    power = power_new(uuid, running_run);
    done = gp_job_do(&power->job, virt, GP_VIRT_CALL_MS, "whether a vm runs", &err);
    if (done)
        err = gp_steal(power->job.err);
    if (err)
        err = gp_error_wrap(err, "vm %s", power_name(power, done));
    else
        *ret = power->running;
    gp_job_put(&power->job);
    return err;
}

struct gp_error *gp_virt_start(struct gp_virt *virt, const char *uuid, uint32_t timeout_ms)
{
    struct gp_error *err = gp_virt_usable(virt, true);
    struct power_job *power;
    bool done;

    if (err)
        return err;
    power = power_new(uuid, start_run);
    done = gp_job_do(&power->job, virt, timeout_ms, "starting a vm; it may still start", &err);
    if (done)
        err = gp_steal(power->job.err);
    if (err)
        err = gp_error_wrap(err, "vm %s was not started", power_name(power, done));
    gp_job_put(&power->job);
    return err;
}
