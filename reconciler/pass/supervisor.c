#include "supervisor.h"

#include "cleanup.h"
#include "text.h"
#include "virt.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-device.h>
#include <systemd/sd-event.h>
#include <unistd.h>

/* Events come in crowds: one pass for all of them, well within a second. While passes are followed by events at once
 * (a guest that crashes and starts in a circle), the time to settle doubles, so that a host is not looked at without end. */
static const uint64_t SETTLE_US = 200 * 1000, SETTLE_MAX_US = 10 * 1000 * 1000;
static const uint64_t SECOND_US = 1000000;

struct supervisor {
    const struct gp_supervisor_options *options;
    sd_event *loop;
    sd_event_source *due;   /* the next pass: at the interval, or soon after an event */
    sd_event_source *child; /* NULL: no pass runs */
    sd_event_source *deadline; /* of the pass that runs: told to end, killed, given up */
    enum { PASS_WORKS, PASS_TOLD_TO_END, PASS_KILLED } stage;
    pid_t pid;
    bool again;  /* something happened while the pass ran */
    uint64_t settle_us, interval_us;
    bool ending;
    int last_exit;
    uint64_t passes;
};

static void status(const struct supervisor *s, const char *doing)
{
    if (s->passes)
        (void)sd_notifyf(0, "STATUS=%s; passes: %llu, the last ended with status %d", doing,
                         (unsigned long long)s->passes, s->last_exit);
    else
        (void)sd_notifyf(0, "STATUS=%s", doing);
}

static void schedule(struct supervisor *s, uint64_t delay_us)
{
    uint64_t now = 0, at = 0;
    int enabled = SD_EVENT_OFF;

    (void)sd_event_now(s->loop, CLOCK_MONOTONIC, &now);
    (void)sd_event_source_get_enabled(s->due, &enabled);
    (void)sd_event_source_get_time(s->due, &at);
    if (enabled != SD_EVENT_OFF && at <= now + delay_us)
        return; /* due earlier already */
    (void)sd_event_source_set_time(s->due, now + delay_us);
    (void)sd_event_source_set_enabled(s->due, SD_EVENT_ONESHOT);
}

static void happened(struct supervisor *s)
{
    if (s->ending)
        return;
    if (s->child)
        s->again = true;
    else
        schedule(s, s->settle_us);
}

/* ---- the child ---- */

static void next_pass(struct supervisor *s)
{
    (void)sd_event_source_set_enabled(s->due, SD_EVENT_OFF);
    if (!s->again)
        s->settle_us = SETTLE_US;
    else if (s->settle_us < SETTLE_MAX_US)
        s->settle_us *= 2;
    schedule(s, s->again ? s->settle_us : s->interval_us);
    s->again = false;
}

static int on_child(sd_event_source *source, const siginfo_t *info, void *data)
{
    struct supervisor *s = data;

    (void)source;
    s->last_exit = info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
    s->passes++;
    s->child = sd_event_source_unref(s->child);
    s->deadline = sd_event_source_disable_unref(s->deadline);
    s->pid = 0;
    if (s->ending)
        return sd_event_exit(s->loop, 0);
    status(s, "waiting");
    next_pass(s);
    return 0;
}

/* ---- a pass that does not end ---- */

static int on_deadline(sd_event_source *source, uint64_t usec, void *data);

static int set_deadline(struct supervisor *s, uint64_t delay_us)
{
    s->deadline = sd_event_source_disable_unref(s->deadline);
    return sd_event_add_time_relative(s->loop, &s->deadline, CLOCK_MONOTONIC, delay_us, 0, on_deadline, s);
}

/* It begins nothing new and restores what it began: see cmd_apply.c. */
static int tell_to_end(struct supervisor *s)
{
    s->stage = PASS_TOLD_TO_END;
    (void)kill(s->pid, SIGTERM);
    return set_deadline(s, s->options->patience_s * SECOND_US);
}

/* Nothing is done to a pass that is not said: whoever reads the journal knows in which state the host is. */
static int on_deadline(sd_event_source *source, uint64_t usec, void *data)
{
    struct supervisor *s = data;

    (void)source, (void)usec;
    switch (s->stage) {
    case PASS_WORKS:
        (void)fprintf(stderr, "gpupart: the pass (pid %d) has not ended within %llu s: it is told to end, and restores what it "
                              "began\n",
                      (int)s->pid, (unsigned long long)s->options->deadline_s);
        status(s, "ending a pass that takes too long");
        return tell_to_end(s);
    case PASS_TOLD_TO_END:
        (void)fprintf(stderr, "gpupart: the pass (pid %d) was told to end %llu s ago and has not: it is killed. What it was at is "
                              "written down, and the next pass takes it from there\n",
                      (int)s->pid, (unsigned long long)s->options->patience_s);
        s->stage = PASS_KILLED;
        (void)kill(s->pid, SIGKILL);
        break;
    case PASS_KILLED:
        (void)fprintf(stderr, "gpupart: the pass (pid %d) cannot be killed: the kernel does not let go of it. No pass runs until "
                              "this host is rebooted\n",
                      (int)s->pid);
        status(s, "a pass cannot be killed: this host needs a reboot");
        break;
    }
    return set_deadline(s, s->options->patience_s * SECOND_US);
}

static int on_due(sd_event_source *source, uint64_t usec, void *data)
{
    struct supervisor *s = data;
    int r;

    (void)source, (void)usec;
    if (s->child || s->ending)
        return 0;
    s->pid = fork();
    if (s->pid == 0) {
        sigset_t none;

        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        /* What the service manager hears, it hears from the supervisor. */
        (void)unsetenv("NOTIFY_SOCKET");
        (void)unsetenv("WATCHDOG_USEC");
        (void)unsetenv("WATCHDOG_PID");
        (void)execv("/proc/self/exe", (char *const *)s->options->argv);
        _exit(127);
    }
    if (s->pid < 0) {
        (void)fprintf(stderr, "gpupart: no pass could be begun: %s\n", strerror(errno));
        next_pass(s);
        return 0;
    }
    r = sd_event_add_child(s->loop, &s->child, s->pid, WEXITED, on_child, s);
    s->stage = PASS_WORKS;
    if (r >= 0)
        r = set_deadline(s, s->options->deadline_s * SECOND_US);
    if (r < 0)
        return r;
    status(s, "a pass runs");
    return 0;
}

/* ---- what makes a pass due ---- */

static void on_guest(const char *name, const char *event, void *data)
{
    (void)name, (void)event;
    happened(data);
}

static int on_device(sd_device_monitor *monitor, sd_device *device, void *data)
{
    (void)monitor, (void)device;
    happened(data);
    return 0;
}

static int on_definition(sd_event_source *source, const struct inotify_event *event, void *data)
{
    (void)source, (void)event;
    happened(data);
    return 0;
}

static int on_hup(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
    struct supervisor *s = data;
    uint64_t now = 0;

    (void)source, (void)info;
    (void)sd_event_now(s->loop, CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)now);
    s->interval_us = s->options->reread(s->options->data, s->interval_us / 1000) * 1000;
    (void)sd_notify(0, "READY=1");
    happened(s);
    return 0;
}

static int on_term(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
    struct supervisor *s = data;

    (void)source, (void)info;
    (void)sd_notify(0, "STOPPING=1");
    if (!s->child)
        return sd_event_exit(s->loop, 0);
    if (s->ending)
        return 0; /* it was told */
    s->ending = true;
    status(s, "ending the pass that runs");
    return s->stage == PASS_WORKS ? tell_to_end(s) : 0;
}

/* ---- the loop ---- */

static int watch_devices(struct supervisor *s, sd_device_monitor **ret)
{
    int r = sd_device_monitor_new(ret);

    if (r >= 0)
        r = sd_device_monitor_filter_add_match_subsystem_devtype(*ret, "pci", NULL);
    if (r >= 0)
        r = sd_device_monitor_filter_add_match_subsystem_devtype(*ret, "mdev", NULL);
    if (r >= 0)
        r = sd_device_monitor_attach_event(*ret, s->loop);
    if (r >= 0)
        r = sd_device_monitor_start(*ret, on_device, s);
    return r;
}

/* An edit of a definition that no lifecycle event tells of (metadata by hand, a file replaced) is seen here. */
static void watch_definitions(struct supervisor *s)
{
    static const char dir[] = "/etc/libvirt/qemu";

    if (access(dir, R_OK) == 0)
        (void)sd_event_add_inotify(s->loop, NULL, dir, IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR,
                                   on_definition, s);
}

static int prepare(struct supervisor *s)
{
    sigset_t mask;
    int r;

    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigaddset(&mask, SIGINT);
    (void)sigaddset(&mask, SIGHUP);
    (void)sigaddset(&mask, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &mask, NULL);
    r = sd_event_default(&s->loop);
    if (r >= 0)
        r = sd_event_add_signal(s->loop, NULL, SIGTERM, on_term, s);
    if (r >= 0)
        r = sd_event_add_signal(s->loop, NULL, SIGINT, on_term, s);
    if (r >= 0)
        r = sd_event_add_signal(s->loop, NULL, SIGHUP, on_hup, s);
    if (r >= 0)
        r = sd_event_add_time_relative(s->loop, &s->due, CLOCK_MONOTONIC, 0, SETTLE_US / 4, on_due, s);
    if (r >= 0)
        r = sd_event_source_set_enabled(s->due, SD_EVENT_ONESHOT);
    if (r >= 0)
        r = sd_event_set_watchdog(s->loop, true);
    return r;
}

struct gp_error *gp_supervisor_run(const struct gp_supervisor_options *options)
{
    struct supervisor s = {
        .options = options, .settle_us = SETTLE_US, .interval_us = (uint64_t)options->interval_ms * 1000};
    sd_device_monitor *monitor = NULL;
    struct gp_virt_watch *watch = NULL;
    struct gp_error *err = NULL;
    int r = prepare(&s);

    if (r >= 0)
        r = watch_devices(&s, &monitor);
    if (r < 0)
        err = gp_error_errno(-r, "the daemon's event loop could not be set up");
    if (!err && options->connect)
        err = gp_virt_watch_new(s.loop, options->connect, on_guest, &s, &watch);
    if (!err) {
        watch_definitions(&s);
        (void)sd_notify(0, "READY=1");
        status(&s, "beginning");
        r = sd_event_loop(s.loop);
        if (r < 0)
            err = gp_error_errno(-r, "the daemon's event loop ended");
    }
    gp_virt_watch_free(watch);
    (void)sd_device_monitor_unref(monitor);
    (void)sd_event_source_unref(s.deadline);
    (void)sd_event_source_unref(s.child);
    (void)sd_event_source_unref(s.due);
    (void)sd_event_unref(s.loop);
    return err;
}
