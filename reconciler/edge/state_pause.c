#include "cleanup.h"
#include "state_file.h"
#include "json.h"
#include "state_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

static enum gp_state_doc doc_of(bool approval)
{
    return approval ? GP_STATE_APPROVALS : GP_STATE_PAUSES;
}

/* The lock of these two files alone; free again when *ret is closed. Makes the directory if need
 * be. */
static struct gp_error *take(struct gp_state *state, int *ret)
{
    enum { TRIES = 250, PAUSE_MS = 20 };
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    gp_cleanup(gp_close_p) int fd = -1;
    struct gp_error *err;

    if (state->dirfd < 0) {
        err = gp_state_file_make_dir(state->dir);
        if (err)
            return err;
        state->dirfd = open(state->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (state->dirfd < 0)
            return gp_error_errno(errno, "the state directory %s could not be opened", state->dir);
    }
    fd = openat(state->dirfd, "pauses.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return gp_state_file_error(errno, state->dir, "pauses.lock");
    for (unsigned n = 0; fcntl(fd, F_OFD_SETLK, &lock) < 0; n++) {
        struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};

        if (errno != EAGAIN && errno != EACCES)
            return gp_error_errno(errno, "%s/pauses.lock could not be locked", state->dir);
        if (n == TRIES)
            return gp_error_new(GP_E_LOCKED, "another process changes the pauses in %s",
                                state->dir);
        (void)nanosleep(&pause, NULL);
    }
    *ret = fd;
    fd = -1;
    return NULL;
}

/* Forgets what was over when @since_us began, or approvals would gather for ever. */
static void prune(json_t *body, uint64_t since_us)
{
    const char *object;
    json_t *entry;
    void *next;

    json_object_foreach_safe(body, next, object, entry)
    {
        if ((uint64_t)json_integer_value(json_object_get(entry, "untilUs")) <= since_us)
            (void)json_object_del(body, object);
    }
}

struct gp_error *gp_state_set_pause(struct gp_state *state, bool approval,
                                    const struct gp_pause *pause)
{
    gp_cleanup(gp_close_p) int lock = -1;
    gp_cleanup(gp_json_p) json_t *body = NULL;
    struct gp_error *err = take(state, &lock);
    json_t *entry;

    if (!err)
        err = gp_state_doc_read(state, doc_of(approval), true, NULL, &body);
    if (err)
        return err;
    prune(body, pause->since_us);
    entry = gp_json_object();
    gp_json_put_text(entry, "user", pause->user);
    gp_json_put_text(entry, "reason", pause->reason);
    gp_json_put_number(entry, "sinceUs", pause->since_us);
    gp_json_put_number(entry, "untilUs", pause->until_us);
    gp_json_put(body, pause->object, entry);
    return gp_state_doc_write(state, doc_of(approval), gp_steal(body));
}

struct gp_error *gp_state_clear_pause(struct gp_state *state, bool approval, const char *object)
{
    gp_cleanup(gp_close_p) int lock = -1;
    gp_cleanup(gp_json_p) json_t *body = NULL;
    struct gp_error *err = take(state, &lock);

    if (!err)
        err = gp_state_doc_read(state, doc_of(approval), true, NULL, &body);
    if (err)
        return err;
    if (json_object_del(body, object) < 0)
        return NULL;
    return gp_state_doc_write(state, doc_of(approval), gp_steal(body));
}

static int by_object(const void *a, const void *b)
{
    return gp_strvercmp(((const struct gp_pause *)a)->object, ((const struct gp_pause *)b)->object);
}

static void list(json_t *body, struct gp_arena *mem, struct gp_pause **ret, size_t *ret_count)
{
    struct gp_json_reader reader = {.mem = mem};
    struct gp_pause *pauses = NULL;
    size_t count = 0;
    const char *object;
    json_t *entry;

    json_object_foreach(body, object, entry) * gp_push(mem, pauses, count) = (struct gp_pause){
        .object = gp_strdup(mem, object),
        .user = gp_json_text(&reader, entry, "user"),
        .reason = gp_json_text(&reader, entry, "reason"),
        .since_us = gp_json_number(&reader, entry, "sinceUs", UINT64_MAX),
        .until_us = gp_json_number(&reader, entry, "untilUs", UINT64_MAX),
    };
    if (count)
        qsort(pauses, count, sizeof *pauses, by_object);
    *ret = pauses;
    *ret_count = count;
}

struct gp_error *gp_state_pauses(struct gp_state *state, bool approvals, struct gp_arena *mem,
                                 struct gp_pause **ret, size_t *ret_count)
{
    gp_cleanup(gp_json_p) json_t *body = NULL;
    struct gp_error *err = gp_state_doc_read(state, doc_of(approvals), false, NULL, &body);

    if (err)
        return err;
    list(body, mem, ret, ret_count);
    return NULL;
}

static size_t count_ended(const struct gp_pause *pauses, size_t count, uint64_t now_us)
{
    size_t ended = 0;

    for (size_t i = 0; i < count; i++)
        ended += pauses[i].until_us <= now_us;
    return ended;
}

struct gp_error *gp_state_end_pauses(struct gp_state *state, bool approvals, uint64_t now_us,
                                     struct gp_arena *mem, struct gp_pause **ret, size_t *ret_count)
{
    gp_cleanup(gp_close_p) int lock = -1;
    gp_cleanup(gp_json_p) json_t *body = NULL;
    struct gp_pause *pauses = NULL, *ended = NULL;
    size_t count = 0, ended_count = 0;
    struct gp_error *err = gp_state_pauses(state, approvals, mem, &pauses, &count);

    /* Mostly there is none, and a lock for each pass would make the directory. */
    if (!err && count_ended(pauses, count, now_us))
        err = take(state, &lock);
    if (!err && lock >= 0)
        err = gp_state_doc_read(state, doc_of(approvals), true, NULL, &body);
    if (err)
        return err;
    if (body)
        list(body, mem, &pauses, &count);
    for (size_t i = 0; body && i < count; i++)
        if (pauses[i].until_us <= now_us)
            *gp_push(mem, ended, ended_count) = pauses[i];
    if (ended_count) {
        prune(body, now_us);
        err = gp_state_doc_write(state, doc_of(approvals), gp_steal(body));
        if (err)
            return err;
    }
    *ret = ended;
    *ret_count = ended_count;
    return NULL;
}
