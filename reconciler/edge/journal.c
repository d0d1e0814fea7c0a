#include "journal.h"

#include "cleanup.h"
#include "clock.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>

/* The ids are ours for ever: one that changes takes its catalogue entry and everybody's filters
 * with it. */
static const struct {
    const char *name, *id;
    int priority;
} events[] = {
    [GP_EVENT_PLAN] = {"plan", "7061d61a6d3f46a588f395e847cb42f2", LOG_INFO},
    [GP_EVENT_STEP_START] = {"step-start", "f6f2e715ad4a4b54a9da37c466dd5d43", LOG_INFO},
    [GP_EVENT_STEP_DONE] = {"step-done", "a0e4a3e009ab49a7a598b5dfcbae1c47", LOG_INFO},
    [GP_EVENT_STEP_FAILED] = {"step-failed", "ada4d7806ef144b18a58b62777bedc87", LOG_ERR},
    [GP_EVENT_DRIFT_FOUND] = {"drift-found", "c62a5b1dae724b38a344b1340207f8a4", LOG_WARNING},
    [GP_EVENT_DRIFT_CHANGED] = {"drift-changed", "f0a23439b8b1468b92a96b21b1d773ca", LOG_WARNING},
    [GP_EVENT_DRIFT_CLEARED] = {"drift-cleared", "7cb45aa9256c459d8acfe21d26c90d13", LOG_NOTICE},
    [GP_EVENT_REFUSED] = {"refused", "83657de982034b86916cc9bba193a177", LOG_ERR},
    [GP_EVENT_ADOPTED] = {"adopted", "09ed4b6e7c684887a5090a0b2edd7701", LOG_NOTICE},
    [GP_EVENT_APPLIED] = {"applied", "e64a3254de734b79b7b7d52972965f8f", LOG_NOTICE},
    [GP_EVENT_RESTORED] = {"restored", "42d468fe4eaa47428fee31e10adf6d40", LOG_WARNING},
    [GP_EVENT_NOT_RESTORED] = {"not-restored", "93e608c482ec43eab0a5d078e8e8b8af", LOG_CRIT},
    [GP_EVENT_LATE_STOP] = {"late-stop", "355606ea0b744b509c96bdce16a0513e", LOG_WARNING},
    [GP_EVENT_GIT_STALE] = {"git-stale", "eb94742a00ad41f7bee5bf09e364933d", LOG_WARNING},
    [GP_EVENT_PAUSED] = {"paused", "5d92625f66674aba9d6317baca7cbc0d", LOG_NOTICE},
    [GP_EVENT_RESUMED] = {"resumed", "1b202c9c8ceb439ea83fa2ad8081f741", LOG_NOTICE},
    [GP_EVENT_BOOT_RESTORED] = {"boot-restored", "b0bdf7c0997842b7b6649b70ad1e0bef", LOG_NOTICE},
    [GP_EVENT_BOOT_FAILED] = {"boot-failed", "ed01148654074e31b1383ce8dd5b4d21", LOG_ERR},
    [GP_EVENT_APPROVED] = {"approved", "251b3b5b398344b893e21eb52a3331b0", LOG_NOTICE},
};
_Static_assert(sizeof events / sizeof *events == GP_EVENT_COUNT, "a row for each event");

const char *gp_event_name(enum gp_event event)
{
    return events[event].name;
}

const char *gp_event_id(enum gp_event event)
{
    return events[event].id;
}

int gp_event_priority(enum gp_event event)
{
    return events[event].priority;
}

/* ---- one datagram in the journal's native protocol ---- */

/* systemd's "Native Journal Protocol": "NAME=value\n", or, where the value has a newline, "NAME\n",
 * its size as 64 bits little-endian, the value, "\n". */
static void add_field(struct gp_text *text, const char *name, const char *value)
{
    size_t size;
    char little[8];

    if (!value)
        return;
    size = strlen(value);
    gp_text_add(text, name);
    if (memchr(value, '\n', size)) {
        for (unsigned i = 0; i < sizeof little; i++)
            little[i] = (char)((uint64_t)size >> (8 * i) & 0xff);
        gp_text_add(text, "\n");
        gp_text_addn(text, little, sizeof little);
    } else {
        gp_text_add(text, "=");
    }
    gp_text_addn(text, value, size);
    gp_text_add(text, "\n");
}

static void add_entry(struct gp_text *text, const struct gp_entry *entry)
{
    int priority = entry->priority >= 0 ? entry->priority : events[entry->event].priority;

    add_field(text, "MESSAGE", entry->message ? entry->message : events[entry->event].name);
    add_field(text, "MESSAGE_ID", events[entry->event].id);
    add_field(text, "PRIORITY",
              gp_printf(text->mem, "%d", priority > LOG_DEBUG ? LOG_DEBUG : priority));
    add_field(text, "SYSLOG_IDENTIFIER", "gpupart");
    add_field(text, "GPUPART_EVENT", events[entry->event].name);
    add_field(text, "GPUPART_CLUSTER", entry->cluster);
    add_field(text, "GPUPART_HOST", entry->host);
    add_field(text, "GPUPART_COMMIT", entry->commit);
    add_field(text, "GPUPART_PLAN", entry->plan);
    add_field(text, "GPUPART_RULE", entry->rule);
    add_field(text, "GPUPART_GPU", entry->gpu);
    add_field(text, "GPUPART_VM", entry->vm);
    add_field(text, "GPUPART_PARTITION", entry->partition);
    add_field(text, "GPUPART_BEFORE", entry->before);
    add_field(text, "GPUPART_AFTER", entry->after);
    add_field(text, "GPUPART_CLASS", entry->class);
}

/* Sends without waiting; while the receiver's queue is full, waits for room until @deadline_ms. */
static bool send_until(int fd, const char *data, size_t size, uint64_t deadline_ms)
{
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
        uint64_t now;

        if (send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return true;
        if (errno != EAGAIN && errno != EINTR)
            return false;
        now = gp_monotonic_ms();
        if (now >= deadline_ms) {
            errno = ETIMEDOUT;
            return false;
        }
        (void)poll(&poll_fd, 1, (int)(deadline_ms - now));
    }
}

bool gp_journal_send(const char *socket_path, const struct gp_entry *entry)
{
    /* A journald that does not take entries would cost each of a pass's hundred entries its second:
     * after one that was not taken, the next ones are only tried for a while. */
    enum { WAIT_MS = 1000, GIVE_UP_MS = 10000, ROOM = 8 << 20 };
    static uint64_t full_until_ms;
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_close_p) int fd = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct gp_text text = {.mem = mem};
    uint64_t now = gp_monotonic_ms();
    int room = ROOM;
    bool sent;

    if (strlen(socket_path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    add_entry(&text, entry);
    sent = send_until(fd, gp_text_get(&text), text.size, now < full_until_ms ? now : now + WAIT_MS);
    if (!sent && errno == ETIMEDOUT)
        full_until_ms = gp_monotonic_ms() + GIVE_UP_MS;
    else
        full_until_ms = 0;
    return sent;
}

void gp_journal(const struct gp_entry *entry)
{
    gp_cleanup(gp_free_p) char *message = NULL;

    if (gp_journal_send("/run/systemd/journal/socket", entry))
        return;
    message = strdup(entry->message ? entry->message : "");
    if (!message)
        abort();
    /* One line, and nothing in it that a terminal could take for a command: names come from guests
     * and git. */
    for (char *c = message; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = *c == '\n' ? ' ' : '?';
    (void)fprintf(stderr, "gpupart: %s: %s\n", events[entry->event].name, message);
}
