#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct gp_worker {
    pthread_mutex_t lock;
    pthread_cond_t to_worker, to_caller;
    pthread_t thread;
    pid_t owner;             /* threads do not survive fork() */
    struct gp_worker *older; /* the parent process's, kept reachable */
    void (*work)(void *job);
    void (*drop)(void *job);
    void *job;
    bool queued, done, abandoned, quit;
};

static void destroy(struct gp_worker *worker)
{
    (void)pthread_mutex_destroy(&worker->lock);
    (void)pthread_cond_destroy(&worker->to_worker);
    (void)pthread_cond_destroy(&worker->to_caller);
    free(worker->older);
    free(worker);
}

static void *serve(void *arg)
{
    struct gp_worker *worker = arg;
    bool abandoned = false;

    (void)pthread_mutex_lock(&worker->lock);
    while (!abandoned) {
        while (!worker->queued && !worker->quit)
            (void)pthread_cond_wait(&worker->to_worker, &worker->lock);
        if (worker->quit)
            break;
        worker->queued = false;
        (void)pthread_mutex_unlock(&worker->lock);
        worker->work(worker->job);
        (void)pthread_mutex_lock(&worker->lock);
        worker->done = true;
        abandoned = worker->abandoned;
        (void)pthread_cond_signal(&worker->to_caller);
    }
    (void)pthread_mutex_unlock(&worker->lock);
    if (abandoned) {
        worker->drop(worker->job);
        destroy(worker);
    }
    return NULL;
}

static struct gp_worker *make(struct gp_worker *older)
{
    struct gp_worker *worker = calloc(1, sizeof *worker);
    pthread_condattr_t monotonic;

    if (!worker)
        abort();
    worker->owner = getpid();
    worker->older = older;
    (void)pthread_mutex_init(&worker->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&worker->to_worker, &monotonic);
    (void)pthread_cond_init(&worker->to_caller, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (pthread_create(&worker->thread, NULL, serve, worker) != 0)
        abort();
    return worker;
}

bool gp_worker_run(struct gp_worker **worker, void (*work)(void *job), void (*drop)(void *job), void *job,
                   uint32_t timeout_ms)
{
    struct gp_worker *own = *worker;
    struct timespec deadline;
    bool back;

    if (!own || own->owner != getpid())
        own = *worker = make(own);
    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }

    (void)pthread_mutex_lock(&own->lock);
    own->work = work;
    own->drop = drop;
    own->job = job;
    own->done = false;
    own->queued = true;
    (void)pthread_cond_signal(&own->to_worker);
    while (!own->done) {
        if (pthread_cond_timedwait(&own->to_caller, &own->lock, &deadline) == ETIMEDOUT)
            break;
    }
    back = own->done;
    if (!back) {
        own->abandoned = true;
        *worker = NULL;
        (void)pthread_detach(own->thread);
    }
    (void)pthread_mutex_unlock(&own->lock);
    return back;
}

void gp_worker_free(struct gp_worker *worker)
{
    if (!worker)
        return;
    if (worker->owner == getpid()) {
        (void)pthread_mutex_lock(&worker->lock);
        worker->quit = true;
        (void)pthread_cond_signal(&worker->to_worker);
        (void)pthread_mutex_unlock(&worker->lock);
        (void)pthread_join(worker->thread, NULL);
    }
    destroy(worker);
}
