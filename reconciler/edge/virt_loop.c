/* The adapter between two event loops.
 *
 * Three things that libvirt's documentation of virEventRegisterImpl() leaves to be found out:
 * a free callback may take the lock that the caller of remove holds, so it runs later, from the
 * loop itself; a callback's number may be 0 and only -1 is an error (ours begin at 1 all the same);
 * any thread that uses a connection may add, change and remove, while sd-event belongs to one
 * thread. */
#include "virt_loop.h"

#include "virt_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <unistd.h>

struct entry {
    int id;
    int fd;     /* -1: a timeout */
    int events; /* enum virEventHandleType */
    int ms;     /* -1: off */
    uint64_t due_us;
    virEventHandleCallback on_handle;
    virEventTimeoutCallback on_timeout;
    void *opaque;
    virFreeCallback free;
    bool changed; /* its source is not yet as it says */
    bool removed;
    sd_event_source *source; /* touched by the loop's thread only */
    struct entry *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Under the lock. */
static struct entry *entries;
static int last_id;
static sd_event *the_loop;
static pthread_t the_thread;
static int wake_fd = -1;
static sd_event_source *wake_source;

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint32_t to_epoll(int events)
{
    return (events & VIR_EVENT_HANDLE_READABLE ? EPOLLIN : 0u) |
           (events & VIR_EVENT_HANDLE_WRITABLE ? EPOLLOUT : 0u);
}

static int from_epoll(uint32_t events)
{
    return (events & EPOLLIN ? VIR_EVENT_HANDLE_READABLE : 0) |
           (events & EPOLLOUT ? VIR_EVENT_HANDLE_WRITABLE : 0) |
           (events & EPOLLERR ? VIR_EVENT_HANDLE_ERROR : 0) |
           (events & EPOLLHUP ? VIR_EVENT_HANDLE_HANGUP : 0);
}

/* ---- in the loop's thread ---- */

static int on_handle(sd_event_source *source, int fd, uint32_t events, void *data)
{
    struct entry *entry = data;
    bool removed;

    (void)source;
    pthread_mutex_lock(&lock);
    removed = entry->removed;
    pthread_mutex_unlock(&lock);
    /* Removed from here on by another thread, it is still whole: entries are freed by this thread.
     */
    if (!removed)
        entry->on_handle(entry->id, fd, from_epoll(events), entry->opaque);
    return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *data)
{
    struct entry *entry = data;
    bool due;

    (void)usec;
    pthread_mutex_lock(&lock);
    due = !entry->removed && entry->ms >= 0;
    if (due) { /* libvirt's timeouts repeat until they are changed */
        entry->due_us = now_us() + (uint64_t)entry->ms * 1000;
        (void)sd_event_source_set_time(source, entry->due_us);
        (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    }
    pthread_mutex_unlock(&lock);
    if (due)
        entry->on_timeout(entry->id, entry->opaque);
    return 0;
}

static int make_source(struct entry *entry)
{
    if (entry->fd >= 0)
        return sd_event_add_io(the_loop, &entry->source, entry->fd, to_epoll(entry->events),
                               on_handle, entry);
    return sd_event_add_time(the_loop, &entry->source, CLOCK_MONOTONIC, entry->due_us, 1000,
                             on_timeout, entry);
}

/* Makes the source say what the entry says. With the lock. */
static void apply(struct entry *entry)
{
    bool on = entry->fd >= 0 ? entry->events != 0 : entry->ms >= 0;

    entry->changed = false;
    if (entry->removed) {
        entry->source = sd_event_source_disable_unref(entry->source);
        return;
    }
    if (!entry->source && make_source(entry) < 0)
        return; /* out of descriptors: the connection's keepers see it as lost */
    if (entry->fd >= 0)
        (void)sd_event_source_set_io_events(entry->source, to_epoll(entry->events));
    else if (on)
        (void)sd_event_source_set_time(entry->source, entry->due_us);
    (void)sd_event_source_set_enabled(entry->source, !on              ? SD_EVENT_OFF
                                                     : entry->fd >= 0 ? SD_EVENT_ON
                                                                      : SD_EVENT_ONESHOT);
}

static struct entry *take_removed(void)
{
    struct entry *taken = NULL;

    for (struct entry **at = &entries; *at;) {
        struct entry *entry = *at;

        if (!entry->removed) {
            at = &entry->next;
            continue;
        }
        *at = entry->next;
        entry->next = taken;
        taken = entry;
    }
    return taken;
}

static void free_all(struct entry *entry)
{
    while (entry) {
        struct entry *next = entry->next;

        if (entry->free)
            entry->free(entry->opaque);
        free(entry);
        entry = next;
    }
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *data)
{
    struct entry *gone;
    uint64_t value;

    (void)source;
    (void)events;
    (void)data;
    if (read(fd, &value, sizeof value) < 0 && errno != EAGAIN)
        return -errno;
    pthread_mutex_lock(&lock);
    for (struct entry *entry = entries; entry; entry = entry->next)
        if (entry->changed)
            apply(entry);
    gone = take_removed();
    pthread_mutex_unlock(&lock);
    free_all(gone); /* without the lock: they may add and remove */
    return 0;
}

/* ---- in any thread ---- */

static void wake(void)
{
    uint64_t one = 1;

    if (wake_fd >= 0 && write(wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        abort(); /* an eventfd of ours takes a 1 */
}

/* With the lock. */
static void change(struct entry *entry)
{
    entry->changed = true;
    if (the_loop && pthread_equal(the_thread, pthread_self()))
        apply(entry);
    if (entry->changed || entry->removed)
        wake();
}

static struct entry *find(int id)
{
    for (struct entry *entry = entries; entry; entry = entry->next)
        if (entry->id == id && !entry->removed)
            return entry;
    return NULL;
}

static int add(struct entry model)
{
    struct entry *entry = malloc(sizeof *entry);
    int id;

    if (!entry)
        abort();
    *entry = model;
    pthread_mutex_lock(&lock);
    id = entry->id = ++last_id;
    entry->next = entries;
    entries = entry;
    change(entry);
    pthread_mutex_unlock(&lock);
    return id;
}

static int remove_entry(int id)
{
    struct entry *entry;

    pthread_mutex_lock(&lock);
    entry = find(id);
    if (entry) {
        entry->removed = true;
        change(entry);
    }
    pthread_mutex_unlock(&lock);
    return entry ? 0 : -1;
}

static int add_handle(int fd, int events, virEventHandleCallback callback, void *opaque,
                      virFreeCallback done)
{
    return add((struct entry){
        .fd = fd, .events = events, .on_handle = callback, .opaque = opaque, .free = done});
}

static void update_handle(int id, int events)
{
    struct entry *entry;

    pthread_mutex_lock(&lock);
    entry = find(id);
    if (entry && entry->events != events) {
        entry->events = events;
        change(entry);
    }
    pthread_mutex_unlock(&lock);
}

static uint64_t due_in(int ms)
{
    return ms < 0 ? 0 : now_us() + (uint64_t)ms * 1000;
}

static int add_timeout(int ms, virEventTimeoutCallback callback, void *opaque, virFreeCallback done)
{
    return add((struct entry){.fd = -1,
                              .ms = ms,
                              .due_us = due_in(ms),
                              .on_timeout = callback,
                              .opaque = opaque,
                              .free = done});
}

static void update_timeout(int id, int ms)
{
    struct entry *entry;

    pthread_mutex_lock(&lock);
    entry = find(id);
    if (entry) {
        entry->ms = ms;
        entry->due_us = due_in(ms);
        change(entry);
    }
    pthread_mutex_unlock(&lock);
}

static void register_once(void)
{
    virEventRegisterImpl(add_handle, update_handle, remove_entry, add_timeout, update_timeout,
                         remove_entry);
}

struct gp_error *gp_virt_loop_attach(struct sd_event *loop)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct gp_error *err = NULL;
    int r = 0;

    pthread_once(&once, register_once);
    pthread_mutex_lock(&lock);
    if (the_loop) {
        err = gp_error_new(GP_E_BUG, "libvirt's events are on a loop already");
        goto out;
    }
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0)
        r = -errno;
    if (r >= 0)
        r = sd_event_add_io(loop, &wake_source, wake_fd, EPOLLIN, on_wake, NULL);
    if (r < 0) {
        err = gp_error_errno(-r, "no event source for libvirt");
        goto out;
    }
    the_loop = sd_event_ref(loop);
    the_thread = pthread_self();
    for (struct entry *entry = entries; entry; entry = entry->next)
        entry->changed = true; /* those of a loop before */
    wake();
out:
    if (err && wake_fd >= 0 && !the_loop) {
        (void)close(wake_fd);
        wake_fd = -1;
    }
    pthread_mutex_unlock(&lock);
    return err;
}

void gp_virt_loop_detach(void)
{
    struct entry *gone;

    pthread_mutex_lock(&lock);
    for (struct entry *entry = entries; entry; entry = entry->next)
        entry->source = sd_event_source_disable_unref(entry->source);
    wake_source = sd_event_source_disable_unref(wake_source);
    if (wake_fd >= 0)
        (void)close(wake_fd);
    wake_fd = -1;
    the_loop = sd_event_unref(the_loop);
    gone = take_removed();
    pthread_mutex_unlock(&lock);
    free_all(gone);
}
