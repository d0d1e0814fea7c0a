#include "cleanup.h"
#include "state_file.h"
#include "json.h"
#include "state_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* One file a set, so that sets that run side by side do not rewrite each other's way back. */
static const char subdir[] = "records";

/* A set's id is a GPU's or a VM's name: any bytes but '/' may be in it, and '/' may be in a test's.
 * What a file name should not hold is written as %XX; what would be too long ends in a hash
 * instead. */
static char *record_file(const char *set)
{
    enum { LONGEST = 180 };
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_text text = {.mem = mem};
    const char *name;
    char *ret;

    for (const char *c = set; *c; c++) {
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
            *c == '-' || *c == '_' || (*c == '.' && c > set))
            gp_text_addn(&text, c, 1);
        else
            gp_text_addf(&text, "%%%02X", (unsigned)(unsigned char)*c);
    }
    name = text.size ? gp_text_get(&text)
                     : "%"; /* a name of its own, and not a hidden one, for none at all */
    if (text.size > LONGEST)
        /* '+' is in no encoded name: a shortened one is never that of another set. */
        name =
            gp_printf(mem, "%.*s+%s", LONGEST - 40, name, gp_sha256_hex(mem, set, strlen(set), 32));
    if (asprintf(&ret, "%s.json", name) < 0)
        abort();
    return ret;
}

/* Opens the folder of the records; -1 in *ret if it does not exist. */
static struct gp_error *open_folder(const struct gp_state *state, bool make, int *ret)
{
    *ret = -1;
    if (state->dirfd < 0)
        return NULL;
    if (make && mkdirat(state->dirfd, subdir, 0755) == 0 && fsync(state->dirfd) < 0)
        return gp_state_file_error(errno, state->dir, subdir);
    *ret = openat(state->dirfd, subdir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (*ret < 0 && (make || errno != ENOENT))
        return gp_state_file_error(errno, state->dir, subdir);
    return NULL;
}

struct gp_error *gp_state_write_record(struct gp_state *state, const struct gp_record *record)
{
    gp_cleanup(gp_json_p) json_t *body = NULL;
    gp_cleanup(gp_free_p) char *text = NULL, *name = record_file(record->set);
    gp_cleanup(gp_close_p) int fd = -1;
    struct gp_error *err = gp_state_writable(state);

    if (err)
        return err;
    err = open_folder(state, true, &fd);
    if (err)
        return err;
    body = gp_json_object();
    gp_json_put_text(body, "set", record->set);
    gp_json_put_text(body, "commit", record->commit);
    gp_json_put_text(body, "plan", record->plan);
    gp_json_put_number(body, "sinceUs", record->since_us);
    gp_json_put_number(body, "attempts", record->attempts);
    if (record->snapshot)
        gp_json_put(body, "snapshot", gp_json_of_snapshot(record->snapshot));
    gp_json_put_text(body, "goalValues", record->goal_values);
    text = gp_state_dump("record", body);
    err = gp_state_file_replace(fd, state->dir, name, text, strlen(text));
    return err ? gp_error_wrap(err, "the record of %s was not written", record->set) : NULL;
}

struct gp_error *gp_state_remove_record(struct gp_state *state, const char *set)
{
    gp_cleanup(gp_free_p) char *name = record_file(set);
    gp_cleanup(gp_close_p) int fd = -1;
    struct gp_error *err = gp_state_writable(state);

    if (err)
        return err;
    err = open_folder(state, false, &fd);
    if (err || fd < 0)
        return err;
    return gp_state_file_remove(fd, state->dir, name);
}

/* Reads one file into @ret; *ret_why (malloc()ed) if it is corrupt. */
static struct gp_error *read_record(const struct gp_state *state, int fd, const char *name,
                                    struct gp_arena *mem, struct gp_record *ret, char **ret_why)
{
    gp_cleanup(gp_free_p) char *text = NULL, *what = NULL;
    gp_cleanup(gp_json_p) json_t *body = NULL;
    struct gp_json_reader reader = {.mem = mem, .where = "the record"};
    const json_t *snapshot;
    struct gp_error *err;
    const char *why;
    size_t size;

    *ret_why = NULL;
    err = gp_state_file_read(fd, state->dir, name, &text, &size);
    if (err)
        return err;
    if (asprintf(&what, "%s/%s/%s", state->dir, subdir, name) < 0)
        abort();
    err = gp_state_parse(what, text ? text : "", text ? size : 0, "record", &body, ret_why);
    if (err || *ret_why)
        return err;
    *ret = (struct gp_record){
        .set = gp_json_need_text(&reader, body, "set"),
        .commit = gp_json_text(&reader, body, "commit"),
        .plan = gp_json_text(&reader, body, "plan"),
        .since_us = gp_json_number(&reader, body, "sinceUs", UINT64_MAX),
        .attempts = (uint32_t)gp_json_number(&reader, body, "attempts", UINT32_MAX),
        .goal_values = gp_json_text(&reader, body, "goalValues"),
    };
    snapshot = gp_json_member(&reader, body, "snapshot");
    if (snapshot)
        ret->snapshot = gp_json_snapshot(&reader, snapshot);
    why = gp_json_why(&reader);
    *ret_why = why ? strdup(why) : NULL;
    return NULL;
}

static void closedir_p(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

static int by_text(const void *a, const void *b)
{
    return gp_strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of the files of records, sorted. */
static struct gp_error *list(const struct gp_state *state, int fd, struct gp_arena *mem,
                             struct gp_strings *ret)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gp_cleanup(closedir_p) DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;

    if (!dir) {
        if (copy >= 0)
            (void)close(copy);
        return gp_error_errno(errno, "%s/%s could not be read", state->dir, subdir);
    }
    errno = 0;
    while ((entry = readdir(dir))) {
        size_t size = strlen(entry->d_name);

        if (entry->d_name[0] != '.' && size > 5 && strcmp(entry->d_name + size - 5, ".json") == 0)
            *gp_push(mem, ret->items, ret->count) = gp_strdup(mem, entry->d_name);
        errno = 0;
    }
    if (errno)
        return gp_error_errno(errno, "%s/%s could not be read", state->dir, subdir);
    if (ret->count)
        qsort(ret->items, ret->count, sizeof *ret->items, by_text);
    return NULL;
}

struct gp_error *gp_state_check_records(struct gp_state *state, bool own, struct gp_text *warning)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_close_p) int fd = -1;
    struct gp_strings names = {0};
    struct gp_error *err = open_folder(state, false, &fd);

    if (err || fd < 0)
        return err;
    err = list(state, fd, mem, &names);
    for (size_t i = 0; !err && i < names.count; i++) {
        gp_cleanup(gp_free_p) char *why = NULL;
        struct gp_record record;

        err = read_record(state, fd, names.items[i], mem, &record, &why);
        if (!err && !why)
            state->remembers = state->remembers || record.commit;
        if (err || !why)
            continue;
        if (own)
            err = gp_state_file_keep_aside(fd, state->dir, names.items[i]);
        gp_text_addf(warning, "%s%s/%s/%s is corrupt (%s): the way back of that set is not known%s",
                     warning->size ? "\n" : "", state->dir, subdir, names.items[i], why,
                     own ? ", kept aside with the ending .corrupt" : "");
    }
    return err;
}

static int by_set(const void *a, const void *b)
{
    return gp_strcmp(((const struct gp_record *)a)->set, ((const struct gp_record *)b)->set);
}

struct gp_error *gp_state_records(struct gp_state *state, struct gp_arena *mem,
                                  struct gp_record **ret, size_t *ret_count)
{
    gp_cleanup(gp_close_p) int fd = -1;
    struct gp_strings names = {0};
    struct gp_record *records = NULL;
    size_t count = 0;
    struct gp_error *err = open_folder(state, false, &fd);

    if (!err && fd >= 0)
        err = list(state, fd, mem, &names);
    for (size_t i = 0; !err && i < names.count; i++) {
        gp_cleanup(gp_free_p) char *why = NULL;
        struct gp_record record;

        err = read_record(state, fd, names.items[i], mem, &record, &why);
        if (!err && !why)
            *gp_push(mem, records, count) = record;
    }
    if (err)
        return err;
    if (count)
        qsort(records, count, sizeof *records, by_set);
    *ret = records;
    *ret_count = count;
    return NULL;
}
