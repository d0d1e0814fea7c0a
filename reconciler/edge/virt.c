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

/* ---- the connection ---- */

struct open_job {
    struct gp_job job;
    struct gp_virt *opened;
};

struct gp_error *gp_virt_connect(const char *uri, bool read_only, virConnectPtr *ret)
{
    struct gp_error *err;

    *ret = read_only ? virConnectOpenReadOnly(uri) : virConnectOpen(uri);
    if (*ret)
        return NULL;
    err = gp_virt_error();
    /* No socket means no libvirtd, which comes back: not that some thing is gone for good. */
    if (err->code == GP_E_GONE)
        err->code = GP_E_IO;
    if (err->code == GP_E_INVALID) /* the URI, which is the host's own */
        err->code = GP_E_CONFIG;
    return gp_error_wrap(err, "no connection to %s", uri);
}

static void open_run(struct gp_job *job)
{
    struct gp_virt *virt = ((struct open_job *)job)->opened;

    job->err = gp_virt_connect(virt->uri, virt->read_only, &virt->conn);
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
    } else {
        err = gp_error_wrap(err, "no connection to %s", uri);
    }
    gp_job_put(&open->job);
    return err;
}

/* Closing is a question to libvirtd, too: it gets a job, which owns what is closed. */
struct close_job {
    struct gp_job job;
    struct gp_virt *closing;
};

static void close_run(struct gp_job *job)
{
    gp_virt_destroy(((struct close_job *)job)->closing);
}

void gp_virt_close(struct gp_virt *virt)
{
    struct close_job *job;
    uint64_t until_ms;

    if (!virt || !gp_virt_let_go(virt))
        return;
    until_ms = gp_monotonic_ms() + (atomic_load(&virt->hung) ? 0 : CLOSE_MS);
    job = calloc(1, sizeof *job);
    if (!job)
        abort();
    *job = (struct close_job){.job = {.run = close_run, .free = gp_job_free}, .closing = virt};
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

struct gp_error *gp_virt_lookup(virConnectPtr conn, const char *uuid, virDomainPtr *ret)
{
    *ret = virDomainLookupByUUIDString(conn, uuid);
    return *ret ? NULL : gp_virt_error();
}
