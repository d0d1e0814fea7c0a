/* What the files of virt*.c share: the connection, libvirt's errors as ours, calls with a deadline.
 */
#pragma once

#include "arena.h"
#include "virt.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdatomic.h>

/* Shared by its owner and by calls that are still under way: whoever lets go last closes it. */
struct gp_virt {
    atomic_int refs;
    atomic_bool hung; /* a call has missed its deadline: nothing more is asked on this connection */
    virConnectPtr conn;
    bool read_only;
    char *uri;
};

/* Longest wait for what libvirtd answers from its own memory: lists, states, definitions. */
#define GP_VIRT_CALL_MS 30000

/* libvirt and libxml2 are made ready for several threads, libvirt prints nothing. Any number of
 * times. */
void gp_virt_init(void);
/* The last error of this thread's libvirt call, "libvirt: TEXT". */
struct gp_error *gp_virt_error(void) GP_MUST_CHECK;
/* Whether that error says that the driver does not have the call or its flags. */
bool gp_virt_unsupported(void);

/* ---- calls with a deadline ----
 *
 * Fact: libvirt's client waits for an answer for ever; keepalive would need an event loop and only
 * sees a dead peer, not a libvirtd that is stuck in one call. So whatever may block runs in a
 * thread, which can be given up. A job therefore owns all that its function touches; it is freed by
 * whoever is last. */
struct gp_job {
    void (*run)(struct gp_job *job);
    void (*free)(struct gp_job *job); /* frees the job itself, too */
    struct gp_virt *virt;             /* a reference, may be NULL */
    struct gp_error *err;             /* what run() came to */
    /* private to virt_job.c */
    atomic_int refs;
    atomic_bool given_up; /* run() may look: nobody waits any more, begin nothing new */
    size_t progress;      /* under the lock of virt_job.c, as done is */
    bool done;
};

/* Starts @job, which must be fresh. Takes a reference of @virt for it. */
void gp_job_start(struct gp_job *job, struct gp_virt *virt);
/* Waits until @job is done; false at the deadline. */
bool gp_job_wait(struct gp_job *job, uint64_t deadline_ms);
bool gp_job_done(struct gp_job *job);
/* From within run(): the first @progress of its results are final and whoever waits may use them. */
void gp_job_tell(struct gp_job *job, size_t progress);
/* Waits until it has told of more than @before, is done, or the deadline; false at the deadline. */
bool gp_job_wait_more(struct gp_job *job, size_t before, uint64_t deadline_ms, size_t *ret_progress);
/* Waits until more jobs of the process have ended than @before, or the deadline. */
void gp_job_wait_any(uint64_t before, uint64_t deadline_ms);
void gp_job_endings(uint64_t *ret);
/* For free, of a job that owns nothing. */
void gp_job_free(struct gp_job *job);
/* Lets go of it: a job that is not done is given up and frees itself. */
void gp_job_put(struct gp_job *job);

/* start and wait. True: done, look at job->err. False: *ret_err is GP_E_TIMEOUT, and @virt counts
 * as hung. In both cases the caller puts the job. */
bool gp_job_do(struct gp_job *job, struct gp_virt *virt, uint32_t timeout_ms, const char *what,
               struct gp_error **ret_err);
/* What gp_job_do() does at the deadline: the error, and @virt counts as hung. */
struct gp_error *gp_job_timeout(struct gp_virt *virt, uint32_t timeout_ms, const char *what) GP_MUST_CHECK;

/* gp_virt_close() without a deadline: only from a job or with a live libvirtd. */
void gp_virt_unref(struct gp_virt *virt);
/* The two halves of it. True: nobody else has it, destroy it. */
bool gp_virt_let_go(struct gp_virt *virt);
void gp_virt_destroy(struct gp_virt *virt);

/* A connection of its own for one job: from within it, which closes it. Errors as of gp_virt_open(). */
struct gp_error *gp_virt_connect(const char *uri, bool read_only, virConnectPtr *ret) GP_MUST_CHECK;
/* GP_E_IO if @virt has hung, GP_E_PERM if a change is asked of a read-only one. */
struct gp_error *gp_virt_usable(struct gp_virt *virt, bool change) GP_MUST_CHECK;
/* The domain, or the error. From within a job. */
struct gp_error *gp_virt_lookup(virConnectPtr conn, const char *uuid, virDomainPtr *ret) GP_MUST_CHECK;
void gp_virt_domain_free_p(virDomainPtr *domain);

/* One VM from its definitions, either of which may be NULL. @inactive and @live are of one domain.
 */
struct gp_virt_seen {
    const char *inactive, *live;
    bool persistent, autostart, managed_save;
    bool job, job_known; /* a backup, migration or the like is running; it was asked */
    enum gp_power power;
};
/* GP_E_INVALID where neither definition can be read. */
struct gp_error *gp_virt_vm(struct gp_arena *mem, const struct gp_virt_seen *seen,
                            const char *machine_id, struct gp_vm *ret) GP_MUST_CHECK;
void gp_virt_sort(struct gp_have *have); /* by name */
/* Whether a job (backup, migration, save, dump) runs on @domain; not: the driver cannot tell. From within a job. */
bool gp_virt_has_job(virDomainPtr domain);
extern const char gp_virt_job_reason[]; /* for unstoppable */

/* The definitions of every domain as libvirt gave them, without secrets. */
struct gp_virt_text {
    const char *name, *inactive, *live; /* inactive, live: NULL where there is none */
    bool autostart, managed_save, job;
    enum gp_power power;
};
struct gp_virt_texts {
    uint32_t libvirt_version;
    bool mock;
    struct gp_virt_text *items;
    size_t count;
};
struct gp_error *gp_virt_definitions(struct gp_virt *virt, struct gp_arena *mem,
                                     struct gp_virt_texts *ret) GP_MUST_CHECK;
