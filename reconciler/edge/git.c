/* The branch at the remotes, and whether it may be believed. */
#include "cleanup.h"
#include "clock.h"
#include "git_priv.h"

#include <errno.h>
#include <string.h>

static uint32_t timeout_of(const struct gp_git_options *options)
{
    enum { DEFAULT_MS = 60000 };

    return options->timeout_ms ? options->timeout_ms : DEFAULT_MS;
}

/* What is left until @deadline_ms, shared among the remotes not yet asked: one that is silent must
 * not use up the time of the next. */
static uint32_t share(uint64_t deadline_ms, size_t remotes_left)
{
    enum { LEAST_MS = 100 };
    uint64_t now = gp_monotonic_ms(),
             left = deadline_ms > now ? (deadline_ms - now) / remotes_left : 0;

    return left > LEAST_MS ? (uint32_t)left : LEAST_MS;
}

/* ---- descent ---- */

enum descent { DESCENDS, LAGS, UNRELATED, UNKNOWN };

/* How @head stands to @anchor. UNKNOWN: the anchor is not in the repository, so nothing here leads
 * to it. */
static struct gp_error *compare(git_repository *repo, const git_oid *head, const char *anchor,
                                enum descent *ret)
{
    gp_cleanup(gp_git_commit_p) git_commit *commit = NULL;
    git_oid oid;
    int rc;

    *ret = DESCENDS;
    if (!anchor)
        return NULL;
    if (git_oid_fromstr(&oid, anchor) < 0)
        return gp_error_new(GP_E_CONFIG, "'%s' is no full commit id (40 hex digits)", anchor);
    if (git_oid_equal(head, &oid))
        return NULL;
    rc = git_commit_lookup(&commit, repo, &oid);
    if (rc == GIT_ENOTFOUND) {
        *ret = UNKNOWN;
        return NULL;
    }
    if (rc == 0)
        rc = git_graph_descendant_of(repo, head, &oid);
    if (rc == 1)
        return NULL;
    if (rc == 0)
        rc = git_graph_descendant_of(repo, &oid, head);
    if (rc < 0)
        return gp_git_fail(GP_E_IO, "the history of %.7s cannot be read", anchor);
    *ret = rc == 1 ? LAGS : UNRELATED;
    return NULL;
}

struct gp_error *gp_git_find_commit(const char *dir, const char *commit)
{
    GP_GIT_SCOPE;
    gp_cleanup(gp_git_repository_p) git_repository *repo = NULL;
    gp_cleanup(gp_git_commit_p) git_commit *object = NULL;
    git_oid oid;

    if (git_repository_open_bare(&repo, dir) == 0 && git_oid_fromstr(&oid, commit) == 0 &&
        git_commit_lookup(&object, repo, &oid) == 0)
        return NULL;
    return gp_error_new(GP_E_GONE, "commit %.12s is not in %s, where a look at the head brings it (gpupart plan)", commit, dir);
}

/* A tag leads to its commit. */
static struct gp_error *to_commit(git_repository *repo, const char *id, git_oid *ret)
{
    gp_cleanup(gp_git_object_p) git_object *object = NULL, *commit = NULL;
    git_oid oid;

    if (git_oid_fromstr(&oid, id) < 0 || git_object_lookup(&object, repo, &oid, GIT_OBJECT_ANY) < 0)
        return gp_git_fail(GP_E_IO, "%.7s was fetched but cannot be read", id);
    if (git_object_peel(&commit, object, GIT_OBJECT_COMMIT) < 0)
        return gp_git_fail(GP_E_INVALID, "%.7s is not a commit", id);
    git_oid_cpy(ret, git_object_id(commit));
    return NULL;
}

/* What a head must descend from, and what to write before and after the id of one that is meant. */
struct anchor {
    const char *commit, *what, *before, *after;
};

static struct gp_error *not_a_descendant(const char *head, const struct anchor *anchor, const char *url,
                                         enum descent descent)
{
    return gp_error_new(
        GP_E_REFUSED,
        "GP-E403: commit %.12s, the head at %s, does not descend from %s commit %.12s%s: the "
        "history "
        "was rewritten, or it is another repository. Look at it, and if it is meant: %s%s%s",
        head, url, anchor->what, anchor->commit, descent == UNKNOWN ? ", which no remote has" : "", anchor->before,
        head, anchor->after);
}

/* ---- one round over the remotes ---- */

struct round {
    const struct gp_git_options *options;
    struct gp_arena *mem;
    git_repository *repo;
    uint64_t deadline_ms; /* of all that is asked */
    struct gp_text why;
    const char *commit; /* the head to use, NULL: none yet */
    const char **heads; /* of each remote, NULL: it gave none */
    bool fresh;         /* the mirror was just made: what it does not hold, no remote gave */
    bool damaged; /* what the mirror should hold it does not, or a fetch failed that may be its
                     fault */
};

static void add_why(struct round *round, size_t index, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add_why(struct round *round, size_t index, const char *format, ...)
{
    struct gp_git_url url;
    struct gp_error *err = gp_git_url_parse(round->options->remotes[index].url, round->mem, &url);
    va_list args;

    gp_error_free(err); /* shown is set even so */
    va_start(args, format);
    gp_text_addf(&round->why, "%s%s: %s", round->why.size ? "; " : "", url.shown,
                 gp_vprintf(round->mem, format, args));
    va_end(args);
}

/* Judges the head of one remote against both anchors. @last: there is no remote left that could
 * bring the anchor. */
static struct gp_error *judge(struct round *round, size_t index, bool last)
{
    const struct anchor anchors[] = {
        {round->options->verified, "the newest verified", "gpupart trust --reset-to ", " --reason \"...\""},
        {round->options->floor, "the floor, trust.floor of this host's GpuAgent,", "write trust.floor: ",
         ", or an older commit of that history, into this host's GpuAgent file"},
    };
    const char *head = round->heads[index];
    struct gp_git_url url;
    struct gp_error *err = gp_git_url_parse(round->options->remotes[index].url, round->mem, &url);
    git_oid oid;

    if (err)
        return err;
    if (git_oid_fromstr(&oid, head) < 0)
        return gp_git_fail(GP_E_BUG, "'%s' is no commit", head);
    for (size_t i = 0; i < sizeof anchors / sizeof *anchors; i++) {
        enum descent descent;

        err = compare(round->repo, &oid, anchors[i].commit, &descent);
        if (err) {
            round->damaged = err->code == GP_E_IO;
            return err;
        }
        if (descent == UNKNOWN && last && i == 0 && !round->fresh) {
            round->damaged = true; /* the verified commit was here once */
            return gp_error_new(GP_E_IO, "the verified commit %.12s is not in %s",
                                anchors[i].commit, round->options->dir);
        }
        if (descent == UNRELATED || (descent == UNKNOWN && last))
            return not_a_descendant(head, &anchors[i], url.shown, descent);
        if (descent == UNKNOWN)
            return NULL; /* asked again when the others have brought what they have */
        if (descent == LAGS) {
            add_why(round, index, "it lags behind: its head %.12s is older than %s commit %.12s",
                    head, anchors[i].what, anchors[i].commit);
            round->heads[index] = NULL;
            return NULL;
        }
    }
    round->commit = head;
    return NULL;
}

static struct gp_error *go_round(struct round *round)
{
    const struct gp_git_options *options = round->options;

    round->heads = gp_new_array(round->mem, const char *, options->remote_count);
    for (size_t i = 0; i < options->remote_count && !round->commit; i++) {
        const uint32_t timeout_ms = share(round->deadline_ms, options->remote_count - i);
        const char *id;
        char hex[GIT_OID_HEXSZ + 1];
        git_oid oid;
        bool listed;
        struct gp_error *err = gp_git_ask(options, i, true, timeout_ms, round->mem, &id, &listed);

        if (err) {
            gp_cleanup(gp_free_p) char *line = gp_error_line(err);

            round->damaged = round->damaged || listed;
            gp_error_free(err);
            add_why(round, i, "%s", line);
            continue;
        }
        err = to_commit(round->repo, id, &oid);
        if (err) {
            round->damaged = true;
            return err;
        }
        round->heads[i] = gp_strdup(round->mem, git_oid_tostr(hex, sizeof hex, &oid));
        err = judge(round, i, false);
        if (err)
            return err;
    }
    for (size_t i = 0; i < options->remote_count && !round->commit; i++) {
        struct gp_error *err = round->heads[i] ? judge(round, i, true) : NULL;

        if (err)
            return err;
    }
    return NULL;
}

/* One round with the mirror as it is. *ret_damaged, set always: another one with a new mirror may
 * do better. */
static struct gp_error *sync_once(const struct gp_git_options *options, bool fresh,
                                  uint64_t deadline_ms, struct gp_arena *mem,
                                  enum gp_git_state *ret_state, const char **ret_commit,
                                  const char **ret_why, bool *ret_damaged)
{
    gp_cleanup(gp_git_repository_p) git_repository *repo = NULL;
    struct round round = {.options = options,
                          .mem = mem,
                          .deadline_ms = deadline_ms,
                          .why = {.mem = mem},
                          .fresh = fresh};
    struct gp_error *err = gp_git_mirror_open(options->dir, options->borrow, &repo);
    const char *commit;

    *ret_damaged = false;
    if (err)
        return err;
    round.repo = repo;
    err = go_round(&round);
    *ret_damaged = round.damaged;
    if (err)
        return err;
    commit = round.commit ? round.commit : options->verified;
    if (!commit)
        return gp_error_new(
            GP_E_IO, "no remote gave a head, and no commit was ever verified on this host: %s",
            gp_text_get(&round.why));
    if (!gp_git_mirror_holds(repo, commit, options->path)) {
        *ret_damaged = round.damaged || round.commit;
        return gp_error_new(GP_E_IO, "commit %.12s is not whole in %s%s%s", commit, options->dir,
                            round.commit ? "" : ", and no remote gives it: ",
                            round.commit ? "" : gp_text_get(&round.why));
    }
    *ret_damaged = round.damaged && !round.commit;
    *ret_state = round.commit ? GP_GIT_CURRENT : GP_GIT_STALE;
    *ret_commit = commit;
    *ret_why = round.commit ? NULL : gp_text_get(&round.why);
    return NULL;
}

/* The same with a new mirror, made beside the damaged one: that is given up only for one that is
 * whole, since it may be the last to hold the verified commit. */
static struct gp_error *sync_anew(const struct gp_git_options *options, uint64_t deadline_ms,
                                  struct gp_arena *mem, enum gp_git_state *ret_state,
                                  const char **ret_commit, const char **ret_why)
{
    struct gp_git_options beside = *options;
    bool damaged;
    struct gp_error *err;

    beside.dir = gp_printf(mem, "%s.new", options->dir);
    beside.borrow = NULL; /* which may be what is damaged */
    err = gp_git_mirror_remove(beside.dir);
    if (!err)
        err = sync_once(&beside, true, deadline_ms, mem, ret_state, ret_commit, ret_why, &damaged);
    if (!err)
        err = gp_git_mirror_remove(options->dir);
    if (!err && rename(beside.dir, options->dir) < 0)
        err = gp_error_errno(errno, "%s could not be renamed", beside.dir);
    if (err) {
        struct gp_error *ignored = gp_git_mirror_remove(beside.dir);

        gp_error_free(ignored);
    }
    return err;
}

struct gp_error *gp_git_sync(const struct gp_git_options *options, struct gp_arena *mem,
                             enum gp_git_state *ret_state, const char **ret_commit,
                             const char **ret_why)
{
    GP_GIT_SCOPE;
    const uint64_t deadline = gp_monotonic_ms() + timeout_of(options);
    bool damaged;
    struct gp_error *err, *again;

    if (options->remote_count == 0)
        return gp_error_new(GP_E_CONFIG,
                            "no git remote is configured: spec.git.remotes of GpuAgent");
    err = sync_once(options, false, deadline, mem, ret_state, ret_commit, ret_why, &damaged);
    if (!damaged)
        return err;
    again = sync_anew(options, deadline, mem, ret_state, ret_commit, ret_why);
    if (again && !err) {
        gp_error_free(again); /* the first round had the verified commit */
        return NULL;
    }
    gp_error_free(err);
    return again;
}

struct gp_error *gp_git_moved(const struct gp_git_options *options, const char *commit, bool *ret)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct round round = {.options = options, .mem = mem, .why = {.mem = mem}};
    const uint64_t deadline = gp_monotonic_ms() + timeout_of(options);

    for (size_t i = 0; i < options->remote_count; i++) {
        gp_cleanup(gp_free_p) char *line = NULL;
        const char *id;
        bool listed;
        struct gp_error *err = gp_git_ask(
            options, i, false, share(deadline, options->remote_count - i), mem, &id, &listed);

        if (!err) {
            *ret = !gp_streq(id, commit);
            return NULL;
        }
        line = gp_error_line(err);
        gp_error_free(err);
        add_why(&round, i, "%s", line);
    }
    return gp_error_new(GP_E_IO, "no remote could be asked: %s",
                        round.why.size ? gp_text_get(&round.why) : "none is configured");
}
