#include "clock.h"
#include "virt_private.h"

#include "cleanup.h"
#include "text.h"

#include <libxml/parser.h>
#include <string.h>

/* Closing asks libvirtd once more; it is not waited for longer than this. */
#define CLOSE_MS 2000

static void print_nothing(void *data, virErrorPtr err)
{
    (void)data;
    (void)err;
}

static void init(void)
{
    xmlInitParser();
    (void)virInitialize();
    /* Errors are returned, and told once: libvirt's own habit is to print each to stderr as well.
     */
    virSetErrorFunc(NULL, print_nothing);
}

void gp_virt_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init);
}

/* ---- errors ---- */

/* Fact: include/libvirt/virterror.h of libvirt 9.0; a system error carries errno in int1
 * (src/util/virerror.c, virReportSystemErrorFull()). */
static enum gp_errc code_of(const virError *err)
{
    switch (err->code) {
    case VIR_ERR_NO_DOMAIN:
        return GP_E_GONE;
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_ARGUMENT_UNSUPPORTED:
    case VIR_ERR_CONFIG_UNSUPPORTED:
        return GP_E_UNSUPPORTED;
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_CANCELLED:
    case VIR_ERR_AUTH_UNAVAILABLE:
    case VIR_ERR_ACCESS_DENIED:
    case VIR_ERR_OPERATION_DENIED:
        return GP_E_PERM;
    case VIR_ERR_OPERATION_TIMEOUT:
    case VIR_ERR_AGENT_UNRESPONSIVE:
    case VIR_ERR_AGENT_UNSYNCED:
        return GP_E_TIMEOUT;
    case VIR_ERR_OPERATION_INVALID: /* "domain is not running", "PCI device … is in use by …" */
    case VIR_ERR_OPERATION_ABORTED:
    case VIR_ERR_RESOURCE_BUSY:
        return GP_E_BUSY;
    case VIR_ERR_HOOK_SCRIPT_FAILED:
        return GP_E_REFUSED;
    case VIR_ERR_INVALID_ARG:
    case VIR_ERR_XML_ERROR:
    case VIR_ERR_XML_DETAIL:
    case VIR_ERR_XML_INVALID_SCHEMA:
    case VIR_ERR_DOM_EXIST:
        return GP_E_INVALID;
    case VIR_ERR_SYSTEM_ERROR:
        return gp_errc_of_errno(err->int1);
    default:
        return GP_E_IO;
    }
}

struct gp_error *gp_virt_error(void)
{
    const virError *err = virGetLastError();

    if (!err || err->code == VIR_ERR_OK)
        return gp_error_new(GP_E_IO, "libvirt: failed without saying why");
    return gp_error_new(code_of(err), "libvirt: %s", err->message ? err->message : "unknown error");
}

bool gp_virt_unsupported(void)
{
    switch (virGetLastErrorCode()) {
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_ARGUMENT_UNSUPPORTED:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_INVALID_ARG: /* flags that the driver does not know: virCheckFlags() */
        return true;
    default:
        return false;
    }
}

/* ---- the connection ---- */

struct open_job {
    struct gp_job job;
    struct gp_virt *opened;
};

static void open_run(struct gp_job *job)
{
    struct gp_virt *virt = ((struct open_job *)job)->opened;

    virt->conn = virt->read_only ? virConnectOpenReadOnly(virt->uri) : virConnectOpen(virt->uri);
    if (!virt->conn)
        job->err = gp_virt_error();
}

static void open_free(struct gp_job *job)
{
    struct open_job *open = (struct open_job *)job;

    if (open->opened)
        gp_virt_unref(open->opened);
    free(open);
}

struct gp_error *gp_virt_open(const char *uri, bool read_only, uint32_t timeout_ms,
                              struct gp_virt **ret)
{
    struct open_job *open = calloc(1, sizeof *open);
    struct gp_virt *virt = calloc(1, sizeof *virt);
    struct gp_error *err = NULL;

    gp_virt_init();
    if (!open || !virt || !(virt->uri = strdup(uri)))
        abort();
    atomic_store(&virt->refs, 1);
    virt->read_only = read_only;
    open->job.run = open_run;
    open->job.free = open_free;
    open->opened = virt;
    if (gp_job_do(&open->job, NULL, timeout_ms, "connecting", &err)) {
        err = gp_steal(open->job.err);
        if (!err)
            *ret = gp_steal(open->opened);
    }
    gp_job_put(&open->job);
    if (!err)
        return NULL;
    /* No socket means no libvirtd, which comes back: not that some thing is gone for good. */
    if (err->code == GP_E_GONE)
        err->code = GP_E_IO;
    if (err->code == GP_E_INVALID) /* the URI, which is the host's own */
        err->code = GP_E_CONFIG;
    return gp_error_wrap(err, "no connection to %s", uri);
}

struct gp_virt *gp_virt_ref(struct gp_virt *virt)
{
    atomic_fetch_add(&virt->refs, 1);
    return virt;
}

static void destroy(struct gp_virt *virt)
{
    if (virt->conn)
        (void)virConnectClose(virt->conn);
    free(virt->uri);
    free(virt);
}

static bool is_last(struct gp_virt *virt)
{
    return atomic_fetch_sub(&virt->refs, 1) == 1;
}

void gp_virt_unref(struct gp_virt *virt)
{
    if (is_last(virt))
        destroy(virt);
}

/* Closing is a question to libvirtd, too: it gets a job, which owns what is closed. */
struct close_job {
    struct gp_job job;
    struct gp_virt *closing;
};

static void close_run(struct gp_job *job)
{
    destroy(((struct close_job *)job)->closing);
}

static void plain_free(struct gp_job *job)
{
    free(job);
}

void gp_virt_close(struct gp_virt *virt)
{
    struct close_job *job;
    uint64_t until_ms;

    if (!virt || !is_last(virt))
        return;
    until_ms = gp_monotonic_ms() + (atomic_load(&virt->hung) ? 0 : CLOSE_MS);
    job = calloc(1, sizeof *job);
    if (!job)
        abort();
    *job = (struct close_job){.job = {.run = close_run, .free = plain_free}, .closing = virt};
    gp_job_start(&job->job, NULL);
    (void)gp_job_wait(&job->job, until_ms);
    gp_job_put(&job->job);
}

void gp_virt_close_p(struct gp_virt **virt)
{
    gp_virt_close(*virt);
}

bool gp_virt_alive(struct gp_virt *virt)
{
    /* Answered by the client library from the state of its socket. */
    return !atomic_load(&virt->hung) && virConnectIsAlive(virt->conn) == 1;
}

struct gp_error *gp_virt_usable(struct gp_virt *virt, bool change)
{
    if (atomic_load(&virt->hung))
        return gp_error_new(GP_E_IO, "the connection to %s no longer answers", virt->uri);
    if (change && virt->read_only)
        return gp_error_new(GP_E_BUG, "a change is asked of a read-only connection to %s",
                            virt->uri);
    return NULL;
}

/* ---- one domain ---- */

void gp_virt_domain_free_p(virDomainPtr *domain)
{
    if (*domain)
        (void)virDomainFree(*domain);
}

struct gp_error *gp_virt_lookup(struct gp_virt *virt, const char *uuid, virDomainPtr *ret)
{
    *ret = virDomainLookupByUUIDString(virt->conn, uuid);
    return *ret ? NULL : gp_virt_error();
}

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
    power->job.err = gp_virt_lookup(power->job.virt, power->uuid, ret);
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
