#include "cleanup.h"
#include "state_file.h"
#include "json.h"
#include "state_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Lines are appended; the file is written anew only when it holds twice as many as are kept, so
 * that a result costs one small write and one fdatasync(). */
static const char file[] = "history.jsonl";
enum { KEPT = 1000 };

/* What is in the file up to the last line that has its end; malloc()ed, and a line a crash cut
 * short is gone. */
static struct gp_error *read_lines(const struct gp_state *state, char **ret_text, size_t *ret_size,
                                   size_t *ret_lines)
{
    struct gp_error *err;

    *ret_text = NULL;
    *ret_size = *ret_lines = 0;
    if (state->dirfd < 0)
        return NULL;
    err = gp_state_file_read(state->dirfd, state->dir, file, ret_text, ret_size);
    if (err)
        return err;
    while (*ret_size && (*ret_text)[*ret_size - 1] != '\n')
        --*ret_size;
    for (size_t i = 0; i < *ret_size; i++)
        *ret_lines += (*ret_text)[i] == '\n';
    return NULL;
}

/* The part of @text that holds its last @keep of @lines lines. */
static const char *last_lines(const char *text, size_t lines, size_t keep)
{
    for (; lines > keep; lines--)
        text = strchr(text, '\n') + 1;
    return text;
}

/* Counts the lines once, and cuts off what a crash left of one; writes anew what became too long.
 */
static struct gp_error *tidy(struct gp_state *state)
{
    gp_cleanup(gp_free_p) char *text = NULL;
    gp_cleanup(gp_close_p) int fd = -1;
    struct gp_error *err;
    const char *kept;
    size_t size, lines;

    if (state->history_lines < (size_t)2 * KEPT)
        return NULL;
    err = read_lines(state, &text, &size, &lines);
    if (err)
        return err;
    if (lines >= (size_t)2 * KEPT) {
        /* A NUL inside a line (a damaged disk) must not end the search for the newlines. */
        for (size_t i = 0; i < size; i++)
            if (!text[i])
                text[i] = '?';
        text[size] = '\0';
        kept = last_lines(text, lines, KEPT);
        err = gp_state_file_replace(state->dirfd, state->dir, file, kept,
                                    size - (size_t)(kept - text));
        lines = KEPT;
    } else if (text) {
        fd = openat(state->dirfd, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
            err = gp_state_file_error(errno, state->dir, file);
    }
    if (err)
        return err;
    state->history_lines = lines;
    return NULL;
}

static struct gp_error *append(const struct gp_state *state, const char *text, size_t size)
{
    gp_cleanup(gp_close_p) int fd =
        openat(state->dirfd, file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0)
        return gp_state_file_error(errno, state->dir, file);
    n = write(fd, text, size);
    if (n == (ssize_t)size && fdatasync(fd) == 0)
        /* The name of a file just made is durable only with its directory. */
        return st.st_size > 0 || fsync(state->dirfd) == 0
                   ? NULL
                   : gp_state_file_error(errno, state->dir, file);
    {
        int errnum = n < 0 ? errno : n < (ssize_t)size ? ENOSPC : errno;

        (void)!ftruncate(fd, st.st_size);
        return gp_state_file_error(errnum, state->dir, file);
    }
}

struct gp_error *gp_state_add_history(struct gp_state *state, const char *json_line)
{
    gp_cleanup(gp_json_p) json_t *json = json_loads(json_line, 0, NULL);
    gp_cleanup(gp_free_p) char *line = NULL;
    struct gp_error *err = gp_state_writable(state);
    int size;

    if (err)
        return err;
    if (!json_is_object(json) || strchr(json_line, '\n'))
        return gp_error_new(GP_E_BUG, "not one line with a JSON object: %s", json_line);
    err = tidy(state);
    if (err)
        return err;
    size = asprintf(&line, "%s\n", json_line);
    if (size < 0)
        abort();
    err = append(state, line, (size_t)size);
    if (!err)
        state->history_lines++;
    return err;
}

struct gp_error *gp_state_history(struct gp_state *state, struct gp_arena *mem,
                                  struct gp_strings *ret)
{
    gp_cleanup(gp_free_p) char *text = NULL;
    struct gp_strings lines = {0};
    struct gp_error *err;
    size_t size, count;

    err = read_lines(state, &text, &size, &count);
    if (err)
        return err;
    for (size_t from = 0, end; from < size; from = end + 1) {
        gp_cleanup(gp_json_p) json_t *json = NULL;

        end = (size_t)((const char *)memchr(text + from, '\n', size - from) - text);
        if (count-- > KEPT)
            continue;
        json = json_loadb(text + from, end - from, 0, NULL);
        if (json_is_object(json))
            *gp_push(mem, lines.items, lines.count) = gp_strndup(mem, text + from, end - from);
    }
    *ret = lines;
    return NULL;
}
