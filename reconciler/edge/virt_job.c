#include "clock.h"
#include "virt_private.h"

#include "cleanup.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended;
static uint64_t endings;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&ended, &attr);
    pthread_condattr_destroy(&attr);
}

static struct timespec as_timespec(uint64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

static void unref(struct gp_job *job)
{
    struct gp_virt *virt = job->virt;

    if (atomic_fetch_sub(&job->refs, 1) != 1)
        return;
    gp_error_free(job->err);
    job->free(job);
    if (virt)
        gp_virt_unref(virt);
}

static void *thread(void *data)
{
    struct gp_job *job = data;

    job->run(job);
    pthread_mutex_lock(&lock);
    job->done = true;
    endings++;
    pthread_cond_broadcast(&ended);
    pthread_mutex_unlock(&lock);
    unref(job);
    return NULL;
}

void gp_job_start(struct gp_job *job, struct gp_virt *virt)
{
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t id;
    int r;

    pthread_once(&once, init);
    job->virt = virt ? gp_virt_ref(virt) : NULL;
    atomic_store(&job->refs, 2);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    /* Signals are for the thread that decides. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&id, &attr, thread, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (r == 0)
        return;
    job->err = gp_error_errno(r, "no thread for a libvirt call");
    job->done = true;
    atomic_store(&job->refs, 1);
}

bool gp_job_done(struct gp_job *job)
{
    bool done;

    pthread_mutex_lock(&lock);
    done = job->done;
    pthread_mutex_unlock(&lock);
    return done;
}

bool gp_job_wait(struct gp_job *job, uint64_t deadline_ms)
{
    struct timespec until = as_timespec(deadline_ms);
    bool done;
    int r = 0;

    pthread_mutex_lock(&lock);
    while (!job->done && r != ETIMEDOUT)
        r = pthread_cond_timedwait(&ended, &lock, &until);
    done = job->done;
    pthread_mutex_unlock(&lock);
    return done;
}

void gp_job_tell(struct gp_job *job, size_t progress)
{
    pthread_mutex_lock(&lock);
    job->progress = progress;
    pthread_cond_broadcast(&ended);
    pthread_mutex_unlock(&lock);
}

bool gp_job_wait_more(struct gp_job *job, size_t before, uint64_t deadline_ms, size_t *ret_progress)
{
    struct timespec until = as_timespec(deadline_ms);
    bool any;
    int r = 0;

    pthread_mutex_lock(&lock);
    while (!job->done && job->progress <= before && r != ETIMEDOUT)
        r = pthread_cond_timedwait(&ended, &lock, &until);
    any = job->done || job->progress > before;
    *ret_progress = job->progress;
    pthread_mutex_unlock(&lock);
    return any;
}

void gp_job_endings(uint64_t *ret)
{
    pthread_mutex_lock(&lock);
    *ret = endings;
    pthread_mutex_unlock(&lock);
}

void gp_job_wait_any(uint64_t before, uint64_t deadline_ms)
{
    struct timespec until = as_timespec(deadline_ms);
    int r = 0;

    pthread_once(&once, init);
    pthread_mutex_lock(&lock);
    while (endings == before && r != ETIMEDOUT)
        r = pthread_cond_timedwait(&ended, &lock, &until);
    pthread_mutex_unlock(&lock);
}

void gp_job_free(struct gp_job *job)
{
    free(job);
}

void gp_job_put(struct gp_job *job)
{
    atomic_store(&job->given_up, true);
    unref(job);
}

bool gp_job_do(struct gp_job *job, struct gp_virt *virt, uint32_t timeout_ms, const char *what,
               struct gp_error **ret_err)
{
    gp_job_start(job, virt);
    if (gp_job_wait(job, gp_monotonic_ms() + timeout_ms))
        return true;
    *ret_err = gp_job_timeout(virt, timeout_ms, what);
    return false;
}

struct gp_error *gp_job_timeout(struct gp_virt *virt, uint32_t timeout_ms, const char *what)
{
    if (virt)
        atomic_store(&virt->hung, true);
    return gp_error_new(GP_E_TIMEOUT, "libvirt did not answer within %u ms: %s", timeout_ms, what);
}
