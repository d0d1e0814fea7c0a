/* The state directory, from opening to closing it. */
#include "cleanup.h"
#include "state_file.h"
#include "state_priv.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A file that is not there is nothing special on a host that never followed git, and no excuse on any other. */
static void find_lost(struct gp_state *state)
{
    const char *key;
    json_t *entry;

    if (state->lost || state->dirfd < 0 || json_object_size(state->docs[GP_STATE_VERIFIED]))
        return;
    if (faccessat(state->dirfd, "verified.json.corrupt", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        gp_state_set_lost(state, "%s/verified.json was corrupt and is kept aside with the ending .corrupt", state->dir);
        return;
    }
    json_object_foreach(state->docs[GP_STATE_APPLIED], key, entry) if (json_object_get(entry, "commit"))
    {
        gp_state_set_lost(state, "%s/verified.json is gone or empty, though applied.json tells of commit %.12s", state->dir,
                 json_string_value(json_object_get(entry, "commit")));
        return;
    }
    if (state->remembers)
        gp_state_set_lost(state, "%s/verified.json is gone or empty, though a set of a commit was begun (records/)", state->dir);
}

static struct gp_error *load(struct gp_state *state, bool lock, struct gp_text *warning)
{
    struct gp_error *err;

    if (lock) {
        err = gp_state_file_make_dir(state->dir);
        if (err)
            return err;
    }
    state->dirfd = open(state->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state->dirfd < 0 && (lock || errno != ENOENT))
        return gp_error_errno(errno, "the state directory %s could not be opened", state->dir);
    if (lock) {
        err = gp_state_lock(state);
        if (err)
            return err;
    }
    for (enum gp_state_doc doc = 0; doc < GP_STATE_DOC_COUNT; doc++) {
        err = gp_state_doc_read(state, doc, lock, warning, &state->docs[doc]);
        if (err)
            return err;
    }
    err = gp_state_check_records(state, lock, warning);
    if (!err)
        find_lost(state);
    return err;
}

struct gp_error *gp_state_open(const char *dir, bool lock, struct gp_arena *mem,
                               struct gp_state **ret, const char **ret_warning)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = calloc(1, sizeof *state);
    struct gp_text warning = {.mem = mem};
    struct gp_error *err;

    if (!state)
        abort();
    state->dirfd = state->lockfd = -1;
    state->history_lines = SIZE_MAX;
    state->dir = strdup(dir);
    if (!state->dir)
        abort();
    err = load(state, lock, &warning);
    if (err)
        return err;
    gp_state_rebuild(state);
    *ret = gp_steal(state);
    if (ret_warning)
        *ret_warning = warning.size ? gp_text_get(&warning) : NULL;
    return NULL;
}

void gp_state_close(struct gp_state *state)
{
    if (!state)
        return;
    for (enum gp_state_doc doc = 0; doc < GP_STATE_DOC_COUNT; doc++)
        json_decref(state->docs[doc]);
    gp_state_unlock(state);
    if (state->dirfd >= 0)
        (void)close(state->dirfd);
    gp_arena_free(state->mem);
    free(state->lost);
    free(state->dir);
    free(state);
}

void gp_state_close_p(struct gp_state **state)
{
    gp_state_close(*state);
}

const char *gp_state_dir(const struct gp_state *state)
{
    return state->dir;
}
