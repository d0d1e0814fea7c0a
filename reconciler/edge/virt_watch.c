/* Lifecycle events for the supervisor.
 *
 * Connecting and registering ask libvirtd and may hang with it, so a job does them; the loop only
 * takes over a connection that is ready. A connection that was lost is closed by the loop: without
 * a socket nothing waits.
 *
 * Fact: the client never pings (libvirt's default for programs), but a libvirtd with
 * keepalive_interval other than 0 pings each client that has an event loop, 5 s by default, and
 * that wakes it: libvirtd.conf decides. */
#include "clock.h"
#include "virt_loop.h"
#include "virt_private.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define RETRY_MIN_MS 250
#define RETRY_MAX_MS 30000
#define CLOSE_MS     2000

/* What callbacks get. It outlives the watch: libvirt drops its references when it likes. */
struct listener {
    atomic_int refs;
    struct gp_virt_watch *watch; /* NULL: the watch is gone. Loop's thread only */
    atomic_bool taken; /* the loop has the connection; before, its job would call from its thread */
};

struct connect_job {
    struct gp_job job;
    char *uri;
    struct listener *listener;
    virConnectPtr conn;
    int callback;
    int wake[2]; /* a pipe that says when it is done, to the loop */
};

struct gp_virt_watch {
    sd_event *loop;
    char *uri;
    void (*changed)(const char *name, const char *event, void *data);
    void *data;
    struct listener *listener;
    struct connect_job *connecting;
    virConnectPtr conn;
    int callback;
    sd_event_source *retry, *lost, *ready;
    uint32_t retry_ms;
};

static void listener_unref(void *data)
{
    struct listener *listener = data;

    if (atomic_fetch_sub(&listener->refs, 1) == 1)
        free(listener);
}

static struct listener *listener_ref(struct listener *listener)
{
    atomic_fetch_add(&listener->refs, 1);
    return listener;
}

/* ---- what libvirt calls, in the loop's thread ---- */

static const char *const event_names[] = {
    [VIR_DOMAIN_EVENT_DEFINED] = "defined",   [VIR_DOMAIN_EVENT_UNDEFINED] = "undefined",
    [VIR_DOMAIN_EVENT_STARTED] = "started",   [VIR_DOMAIN_EVENT_SUSPENDED] = "suspended",
    [VIR_DOMAIN_EVENT_RESUMED] = "resumed",   [VIR_DOMAIN_EVENT_STOPPED] = "stopped",
    [VIR_DOMAIN_EVENT_SHUTDOWN] = "shutdown", [VIR_DOMAIN_EVENT_PMSUSPENDED] = "pmsuspended",
    [VIR_DOMAIN_EVENT_CRASHED] = "crashed",
};

static int on_lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *data)
{
    const struct listener *listener = data;
    size_t known = sizeof event_names / sizeof *event_names;
    const char *name = event >= 0 && (size_t)event < known ? event_names[event] : NULL;
    struct gp_virt_watch *watch = listener->watch;

    (void)conn;
    (void)detail;
    if (watch)
        watch->changed(virDomainGetName(domain), name ? name : "changed", watch->data);
    return 0;
}

/* Within the connection's own code: only a note to look at it later. */
static void on_closed(virConnectPtr conn, int reason, void *data)
{
    const struct listener *listener = data;

    (void)conn;
    (void)reason;
    if (atomic_load(&listener->taken) && listener->watch)
        (void)sd_event_source_set_enabled(listener->watch->lost, SD_EVENT_ONESHOT);
}

/* ---- connecting, in a job ---- */

static void connect_run(struct gp_job *job)
{
    struct connect_job *connect = (struct connect_job *)job;
    virConnectPtr conn = virConnectOpenReadOnly(connect->uri);

    if (!conn)
        goto failed;
    connect->callback = virConnectDomainEventRegisterAny(
        conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle),
        listener_ref(connect->listener), listener_unref);
    if (connect->callback < 0) {
        listener_unref(connect->listener);
        goto failed;
    }
    /* Without a reference of its own: a driver that never closes (the mock) takes the callback,
     * forgets it, and never frees what came with it. disconnect() comes before the other references
     * go. */
    if (virConnectRegisterCloseCallback(conn, on_closed, connect->listener, NULL) < 0)
        virResetLastError();
    connect->conn = conn;
    goto out;
failed:
    job->err = gp_virt_error();
    if (conn)
        (void)virConnectClose(conn);
out:
    (void)!write(connect->wake[1], "", 1);
}

/* Nobody takes the connection any more if it is still here. */
static void disconnect(virConnectPtr conn, int callback)
{
    (void)virConnectUnregisterCloseCallback(conn, on_closed);
    (void)virConnectDomainEventDeregisterAny(conn, callback);
    (void)virConnectClose(conn);
}

static void connect_free(struct gp_job *job)
{
    struct connect_job *connect = (struct connect_job *)job;

    if (connect->conn)
        disconnect(connect->conn, connect->callback);
    listener_unref(connect->listener);
    (void)close(connect->wake[0]);
    (void)close(connect->wake[1]);
    free(connect->uri);
    free(connect);
}

/* ---- in the loop's thread ---- */

static void connect_later(struct gp_virt_watch *watch)
{
    (void)sd_event_source_set_time_relative(watch->retry, (uint64_t)watch->retry_ms * 1000);
    (void)sd_event_source_set_enabled(watch->retry, SD_EVENT_ONESHOT);
    watch->retry_ms = watch->retry_ms * 2 < RETRY_MAX_MS ? watch->retry_ms * 2 : RETRY_MAX_MS;
}

static void end_connecting(struct gp_virt_watch *watch)
{
    watch->ready = sd_event_source_disable_unref(watch->ready);
    gp_job_put(&watch->connecting->job);
    watch->connecting = NULL;
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *data)
{
    struct gp_virt_watch *watch = data;
    struct connect_job *connect = watch->connecting;

    (void)source;
    (void)fd;
    (void)events;
    if (!gp_job_wait(&connect->job, gp_monotonic_ms() + CLOSE_MS))
        return 0; /* it has said so, and is about to be */
    atomic_store(&watch->listener->taken, true);
    if (connect->conn && virConnectIsAlive(connect->conn) == 1) {
        watch->conn = connect->conn;
        watch->callback = connect->callback;
        connect->conn = NULL;
        watch->retry_ms = RETRY_MIN_MS;
    }
    end_connecting(watch);
    if (watch->conn) {
        watch->changed(NULL, "connected", watch->data);
    } else {
        atomic_store(&watch->listener->taken, false);
        connect_later(watch);
    }
    return 0;
}

static struct gp_error *begin_connecting(struct gp_virt_watch *watch)
{
    struct connect_job *connect = calloc(1, sizeof *connect);
    int r;

    if (!connect || !(connect->uri = strdup(watch->uri)))
        abort();
    if (pipe2(connect->wake, O_CLOEXEC | O_NONBLOCK) < 0) {
        struct gp_error *err = gp_error_errno(errno, "no pipe for connecting to libvirt");

        free(connect->uri);
        free(connect);
        return err;
    }
    connect->listener = listener_ref(watch->listener);
    connect->job.run = connect_run;
    connect->job.free = connect_free;
    watch->connecting = connect;
    gp_job_start(&connect->job, NULL);
    r = sd_event_add_io(watch->loop, &watch->ready, connect->wake[0], EPOLLIN, on_ready, watch);
    if (r >= 0 && !(gp_job_done(&connect->job) && !connect->conn))
        return NULL;
    if (r >= 0) { /* it failed before the pipe was watched, or had no thread: later */
        end_connecting(watch);
        connect_later(watch);
        return NULL;
    }
    end_connecting(watch);
    return gp_error_errno(-r, "no event source for connecting to libvirt");
}

static int on_retry(sd_event_source *source, uint64_t usec, void *data)
{
    struct gp_virt_watch *watch = data;
    struct gp_error *err;

    (void)source;
    (void)usec;
    if (watch->conn || watch->connecting)
        return 0;
    err = begin_connecting(watch);
    if (err)
        connect_later(watch); /* out of descriptors for now */
    gp_error_free(err);
    return 0;
}

static int on_lost(sd_event_source *source, void *data)
{
    struct gp_virt_watch *watch = data;
    virConnectPtr conn = gp_steal(watch->conn);

    (void)source;
    if (!conn)
        return 0;
    atomic_store(&watch->listener->taken, false);
    disconnect(conn, watch->callback);
    watch->changed(NULL, "lost", watch->data);
    connect_later(watch);
    return 0;
}

static int add_sources(struct gp_virt_watch *watch)
{
    int r;

    r = sd_event_add_time_relative(watch->loop, &watch->retry, CLOCK_MONOTONIC, 0, 1000, on_retry,
                                   watch);
    if (r < 0)
        return r;
    r = sd_event_source_set_enabled(watch->retry, SD_EVENT_OFF);
    if (r < 0)
        return r;
    r = sd_event_add_defer(watch->loop, &watch->lost, on_lost, watch);
    return r < 0 ? r : sd_event_source_set_enabled(watch->lost, SD_EVENT_OFF);
}

struct gp_error *gp_virt_watch_new(struct sd_event *loop, const char *uri,
                                   void (*changed)(const char *name, const char *event, void *data),
                                   void *data, struct gp_virt_watch **ret)
{
    struct gp_virt_watch *watch;
    struct gp_error *err;
    int r;

    gp_virt_init();
    err = gp_virt_loop_attach(loop);
    if (err)
        return err;
    watch = calloc(1, sizeof *watch);
    if (!watch || !(watch->listener = calloc(1, sizeof *watch->listener)) ||
        !(watch->uri = strdup(uri)))
        abort();
    atomic_store(&watch->listener->refs, 1);
    watch->listener->watch = watch;
    watch->loop = sd_event_ref(loop);
    watch->changed = changed;
    watch->data = data;
    watch->retry_ms = RETRY_MIN_MS;
    r = add_sources(watch);
    err = r < 0 ? gp_error_errno(-r, "no event source for libvirt") : begin_connecting(watch);
    if (err) {
        gp_virt_watch_free(watch);
        return err;
    }
    *ret = watch;
    return NULL;
}

/* ---- closing ---- */

struct disconnect_job {
    struct gp_job job;
    virConnectPtr conn;
    int callback;
};

static void disconnect_run(struct gp_job *job)
{
    struct disconnect_job *leaving = (struct disconnect_job *)job;

    disconnect(leaving->conn, leaving->callback);
}

void gp_virt_watch_free(struct gp_virt_watch *watch)
{
    if (!watch)
        return;
    watch->listener->watch = NULL;
    if (watch->connecting) {
        (void)gp_job_wait(&watch->connecting->job, gp_monotonic_ms() + CLOSE_MS);
        end_connecting(watch);
    }
    if (watch->conn) {
        struct disconnect_job *leaving = calloc(1, sizeof *leaving);

        if (!leaving)
            abort();
        *leaving = (struct disconnect_job){.job = {.run = disconnect_run, .free = gp_job_free},
                                           .conn = watch->conn,
                                           .callback = watch->callback};
        gp_job_start(&leaving->job, NULL);
        (void)gp_job_wait(&leaving->job, gp_monotonic_ms() + CLOSE_MS);
        gp_job_put(&leaving->job);
    }
    watch->retry = sd_event_source_disable_unref(watch->retry);
    watch->lost = sd_event_source_disable_unref(watch->lost);
    gp_virt_loop_detach();
    sd_event_unref(watch->loop);
    listener_unref(watch->listener);
    free(watch->uri);
    free(watch);
}
