/* Looking at every domain. Power, persistence, autostart and managed-save images come from filtered
 * lists, whose number does not grow with the domains; per domain there is one definition to read if
 * it is off, two if it runs. Jobs (backup, migration) are in neither: those that a plan would stop
 * are asked for them with calls of their own, and once more when they are about to be stopped
 * (virt_ask.c). Most never are. */
#include "virt_private.h"

#include "cleanup.h"
#include "clock.h"
#include "domain.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* Whoever waits reads so many definitions while libvirtd is asked for the next. */
enum { TELL_EVERY = 16 };

enum filter { RUNNING, PAUSED, SHUTOFF, PERSISTENT, AUTOSTART, MANAGED_SAVE, FILTERS };

static const unsigned flags[FILTERS] = {
    [RUNNING] = VIR_CONNECT_LIST_DOMAINS_RUNNING,
    [PAUSED] = VIR_CONNECT_LIST_DOMAINS_PAUSED,
    [SHUTOFF] = VIR_CONNECT_LIST_DOMAINS_SHUTOFF,
    [PERSISTENT] = VIR_CONNECT_LIST_DOMAINS_PERSISTENT,
    [AUTOSTART] = VIR_CONNECT_LIST_DOMAINS_AUTOSTART,
    [MANAGED_SAVE] = VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE,
};

struct seen {
    unsigned char uuid[VIR_UUID_BUFLEN];
    virDomainPtr domain;
    unsigned in; /* bit 1 << enum filter */
    char *inactive, *live;
    bool job;
};

struct observe_job {
    struct gp_job job;
    struct seen *seen; /* by uuid */
    size_t count;
    unsigned long version;
    bool mock, jobs; /* jobs: asked for too, of those that run with a device of the host */
};

static void observe_free(struct gp_job *job)
{
    struct observe_job *observe = (struct observe_job *)job;

    for (size_t i = 0; i < observe->count; i++) {
        gp_virt_domain_free_p(&observe->seen[i].domain);
        free(observe->seen[i].inactive);
        free(observe->seen[i].live);
    }
    free(observe->seen);
    free(observe);
}

static int compare_seen(const void *a, const void *b)
{
    return memcmp(((const struct seen *)a)->uuid, ((const struct seen *)b)->uuid, VIR_UUID_BUFLEN);
}

static void free_list(virDomainPtr *domains, int count)
{
    for (int i = 0; i < count; i++)
        (void)virDomainFree(domains[i]);
    free(domains);
}

static struct gp_error *list_all(struct observe_job *observe)
{
    virDomainPtr *domains = NULL;
    int count = virConnectListAllDomains(observe->job.virt->conn, &domains, 0);

    if (count < 0)
        return gp_virt_error();
    observe->seen = calloc((size_t)count + 1, sizeof *observe->seen);
    if (!observe->seen)
        abort();
    observe->count = (size_t)count;
    for (size_t i = 0; i < observe->count; i++) {
        observe->seen[i].domain = domains[i];
        (void)virDomainGetUUID(domains[i], observe->seen[i].uuid);
    }
    free(domains);
    qsort(observe->seen, observe->count, sizeof *observe->seen, compare_seen);
    return NULL;
}

static struct gp_error *list_filtered(struct observe_job *observe, enum filter filter)
{
    virDomainPtr *domains = NULL;
    int count = virConnectListAllDomains(observe->job.virt->conn, &domains, flags[filter]);

    if (count < 0)
        return gp_virt_error();
    for (int i = 0; i < count; i++) {
        struct seen key, *found;

        (void)virDomainGetUUID(domains[i], key.uuid);
        found = bsearch(&key, observe->seen, observe->count, sizeof key, compare_seen);
        if (found)
            found->in |= 1u << filter;
    }
    free_list(domains, count);
    return NULL;
}

static bool is_in(const struct seen *seen, enum filter filter)
{
    return seen->in & 1u << filter;
}

bool gp_virt_has_job(virDomainPtr domain)
{
    virDomainJobInfo info;

    return virDomainGetJobInfo(domain, &info) == 0 &&
           (info.type == VIR_DOMAIN_JOB_BOUNDED || info.type == VIR_DOMAIN_JOB_UNBOUNDED);
}

/* False with no error: the domain is gone by now. */
static struct gp_error *read_xml(virDomainPtr domain, unsigned xml_flags, char **ret)
{
    *ret = virDomainGetXMLDesc(domain, xml_flags);
    if (*ret || virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
        return NULL;
    return gp_virt_error();
}

static struct gp_error *read_one(struct observe_job *observe, struct seen *seen)
{
    struct gp_error *err = NULL;

    if (!is_in(seen, SHUTOFF))
        err = read_xml(seen->domain, 0, &seen->live);
    if (!err && is_in(seen, PERSISTENT))
        err = read_xml(seen->domain, VIR_DOMAIN_XML_INACTIVE, &seen->inactive);
    if (!err && observe->jobs && is_in(seen, RUNNING) && seen->live && strstr(seen->live, "<hostdev "))
        seen->job = gp_virt_has_job(seen->domain);
    return err;
}

static void observe_run(struct gp_job *job)
{
    struct observe_job *observe = (struct observe_job *)job;
    virConnectPtr conn = job->virt->conn;
    const char *type = virConnectGetType(conn);

    if (!type || virConnectGetLibVersion(conn, &observe->version) < 0) {
        job->err = gp_virt_error();
        return;
    }
    observe->mock = strcasecmp(type, "test") == 0;
    job->err = list_all(observe);
    for (unsigned i = 0; i < FILTERS && !job->err; i++)
        job->err = list_filtered(observe, i);
    for (size_t i = 0; i < observe->count && !job->err && !atomic_load(&job->given_up); i++) {
        job->err = read_one(observe, &observe->seen[i]);
        if (!job->err && (i + 1) % TELL_EVERY == 0)
            gp_job_tell(job, i + 1);
    }
    if (!job->err)
        gp_job_tell(job, observe->count);
}

static enum gp_power power_of(const struct seen *seen)
{
    return is_in(seen, RUNNING)   ? GP_POWER_RUNNING
           : is_in(seen, PAUSED)  ? GP_POWER_PAUSED
           : is_in(seen, SHUTOFF) ? GP_POWER_OFF
                                  : GP_POWER_OTHER;
}

/* Adds the domain to @have, unless it is gone by now. */
static struct gp_error *take(struct gp_arena *mem, const struct seen *seen, struct gp_have *have)
{
    struct gp_virt_seen see = {
        .inactive = seen->inactive,
        .live = seen->live,
        .persistent = is_in(seen, PERSISTENT),
        .autostart = is_in(seen, AUTOSTART),
        .managed_save = is_in(seen, MANAGED_SAVE),
        .power = power_of(seen),
    };
    struct gp_error *err;
    struct gp_vm vm;

    if (!seen->inactive && !seen->live)
        return NULL;
    err = gp_virt_vm(mem, &see, have->machine_id, &vm);
    if (err && err->code == GP_E_GONE) {
        gp_error_free(err);
        return NULL;
    }
    if (err)
        return gp_error_wrap(err, "vm %s", virDomainGetName(seen->domain));
    *gp_push(mem, have->vms, have->vm_count) = vm;
    return NULL;
}

/* Takes each domain as soon as it was read; what the job has told of, it changes no more. */
static struct gp_error *take_all(struct gp_arena *mem, struct observe_job *observe, struct gp_have *have)
{
    const uint64_t deadline_ms = gp_monotonic_ms() + GP_VIRT_CALL_MS;
    size_t taken = 0, told;

    have->vms = NULL;
    have->vm_count = 0;
    for (;;) {
        if (!gp_job_wait_more(&observe->job, taken, deadline_ms, &told))
            return gp_job_timeout(observe->job.virt, GP_VIRT_CALL_MS, "looking at all domains");
        if (told == taken)
            break; /* it is done, and there is no more */
        while (taken < told) {
            struct gp_error *err = take(mem, &observe->seen[taken++], have);

            if (err)
                return err;
        }
    }
    have->libvirt_version = (uint32_t)observe->version;
    have->hypervisor_is_mock = observe->mock;
    gp_virt_sort(have);
    return gp_steal(observe->job.err);
}

static struct observe_job *observe_new(bool jobs)
{
    struct observe_job *observe = calloc(1, sizeof *observe);

    if (!observe)
        abort();
    observe->job.run = observe_run;
    observe->job.free = observe_free;
    observe->jobs = jobs;
    return observe;
}

struct gp_error *gp_virt_observe(struct gp_virt *virt, struct gp_arena *mem, struct gp_have *have)
{
    struct gp_error *err = gp_virt_usable(virt, false);
    struct observe_job *observe;

    if (err)
        return err;
    observe = observe_new(false);
    gp_job_start(&observe->job, virt);
    err = take_all(mem, observe, have);
    gp_job_put(&observe->job);
    return err ? gp_error_wrap(err, "the domains of %s could not be read", virt->uri) : NULL;
}

struct ask_job {
    struct gp_job job;
    char uuid[VIR_UUID_STRING_BUFLEN];
    bool found;
};

static void ask_run(struct gp_job *job)
{
    gp_cleanup(gp_virt_domain_free_p) virDomainPtr domain = NULL;
    struct ask_job *ask = (struct ask_job *)job;

    job->err = gp_virt_lookup(job->virt->conn, ask->uuid, &domain);
    if (!job->err && !atomic_load(&job->given_up))
        ask->found = gp_virt_has_job(domain);
}

struct gp_error *gp_virt_observe_job(struct gp_virt *virt, struct gp_vm *vm)
{
    struct gp_error *err = gp_virt_usable(virt, false);
    struct ask_job *ask;

    if (err)
        return err;
    ask = calloc(1, sizeof *ask);
    if (!ask)
        abort();
    ask->job = (struct gp_job){.run = ask_run, .free = gp_job_free};
    (void)snprintf(ask->uuid, sizeof ask->uuid, "%s", vm->uuid);
    if (gp_job_do(&ask->job, virt, GP_VIRT_CALL_MS, "whether a job runs on a vm", &err))
        err = gp_steal(ask->job.err);
    vm->job_known = !err;
    if (!err && ask->found && !vm->unstoppable)
        vm->unstoppable = gp_virt_job_reason;
    gp_job_put(&ask->job);
    if (err && err->code == GP_E_GONE) {
        gp_error_free(err);
        return NULL;
    }
    return err ? gp_error_wrap(err, "vm %s", vm->name) : NULL;
}

struct gp_error *gp_virt_definitions(struct gp_virt *virt, struct gp_arena *mem,
                                     struct gp_virt_texts *ret)
{
    struct gp_error *err = gp_virt_usable(virt, false);
    struct observe_job *observe;

    if (err)
        return err;
    observe = observe_new(true);
    if (gp_job_do(&observe->job, virt, GP_VIRT_CALL_MS, "reading all definitions", &err))
        err = gp_steal(observe->job.err);
    if (!err) {
        *ret = (struct gp_virt_texts){
            .libvirt_version = (uint32_t)observe->version,
            .mock = observe->mock,
            .items = gp_new_array(mem, struct gp_virt_text, observe->count + 1),
            .count = observe->count,
        };
        for (size_t i = 0; i < observe->count; i++)
            ret->items[i] = (struct gp_virt_text){
                .name = gp_strdup(mem, virDomainGetName(observe->seen[i].domain)),
                .inactive = gp_strdup(mem, observe->seen[i].inactive),
                .live = gp_strdup(mem, observe->seen[i].live),
                .autostart = is_in(&observe->seen[i], AUTOSTART),
                .managed_save = is_in(&observe->seen[i], MANAGED_SAVE),
                .job = observe->seen[i].job,
                .power = power_of(&observe->seen[i]),
            };
    }
    gp_job_put(&observe->job);
    return err ? gp_error_wrap(err, "the domains of %s could not be read", virt->uri) : NULL;
}
