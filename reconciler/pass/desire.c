/* What is wanted: from a working tree, or from git at a commit that may be used. */
#include "pass.h"

#include "cleanup.h"
#include "text.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FETCH_TIMEOUT_MS = 60000 };

static void load_finish(struct gp_pass *pass)
{
    gp_load_finish(&pass->load);
    if (pass->load.failed)
        pass->desire_exit = GP_EXIT_INVALID;
}

static struct gp_error *desire_dir(struct gp_pass *pass)
{
    struct gp_error *err;

    gp_load_init(&pass->load, pass->mem, false, true);
    err = gp_dir_load(pass->options.dir, &pass->load);
    if (!err)
        load_finish(pass);
    return err;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    (void)remove(path);
    return 0;
}

/* Where the commits are while a pass reads them. */
struct store {
    const char *dir;
    const char *borrow; /* where what it has not may stand, or NULL */
    char *temporary;    /* what goes again with it, or NULL */
    const char *unasked; /* why it is only read and no remote is asked, or NULL */
    int lock;           /* -1: none */
};

static void store_close(struct store *store)
{
    gp_state_unlock_git(store->lock);
    if (store->temporary)
        (void)nftw(store->temporary, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Where it is what this host follows that is looked at, the mirror is at hand: only there is what was verified known, whatever
 * the remotes say. */
static struct gp_error *store_throwaway(struct gp_pass *pass, bool follows, struct store *store)
{
    const char *tmp = getenv("TMPDIR");

    store->borrow = follows ? store->dir : NULL;
    store->temporary = gp_printf(pass->mem, "%s/gpupart-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(store->temporary)) {
        store->temporary = NULL;
        return gp_error_errno(errno, "no directory for the repository can be made");
    }
    store->dir = gp_printf(pass->mem, "%s/git", store->temporary);
    return NULL;
}

/* The mirror below the state directory is what this host follows. Whoever only looks, and may not write there, asks for
 * something else or comes while a pass fetches, has one that is thrown away. A pass waits for its turn, but no host goes
 * without a pass because somebody else's fetch hangs. */
static struct gp_error *store_open(struct gp_pass *pass, bool follows, struct store *store)
{
    const struct gp_pass_options *options = &pass->options;
    struct gp_error *err;

    *store = (struct store){.dir = gp_printf(pass->mem, "%s/git", options->state), .lock = -1};
    if (options->offline) {
        store->unasked = "not asked";
        return NULL;
    }
    if (!options->change && (!follows || pass->captured || access(options->state, W_OK) < 0))
        return store_throwaway(pass, follows, store);
    err = gp_state_lock_git(pass->state, options->change ? FETCH_TIMEOUT_MS : 0, &store->lock);
    if (err || store->lock >= 0)
        return err;
    if (!options->change)
        return store_throwaway(pass, follows, store);
    store->unasked = gp_printf(pass->mem, "somebody else still brings the repository %s up to date after %d s", store->dir,
                               FETCH_TIMEOUT_MS / 1000);
    return NULL;
}

/* The trailer that lets a commit remove many bindings at once. One that cannot be read is no permission. */
static uint32_t allowed_removal(struct gp_pass *pass, const char *dir, const char *commit)
{
    const char *value = NULL;
    struct gp_error *err = gp_git_trailer(dir, commit, "Gpupart-Allow-Removal", pass->mem, &value);

    gp_error_free(err);
    return value ? (uint32_t)strtoul(value, NULL, 10) : 0;
}

static struct gp_error *load_commit(struct gp_pass *pass, const char *dir, const char *commit,
                                    const char *path)
{
    struct gp_error *err;

    gp_load_init(&pass->load, pass->mem, false, true);
    err = gp_git_load(dir, commit, path, &pass->load);
    if (err)
        return err;
    gp_load_finish(&pass->load);
    pass->load.declaration.commit = commit;
    pass->commit = commit;
    pass->allowed_removal = allowed_removal(pass, dir, commit);
    return NULL;
}

/* The head cannot be used: says why, and goes back to the newest verified commit. */
static struct gp_error *fall_back(struct gp_pass *pass, const struct gp_git_options *git, struct gp_error *why, int exit)
{
    gp_cleanup(gp_free_p) char *line = gp_error_line(why);
    struct gp_error *err;

    pass->refused = gp_strdup(pass->mem, line);
    pass->desire_exit = exit;
    if (!git->verified)
        return why;
    err = load_commit(pass, git->dir, gp_strdup(pass->mem, git->verified), git->path);
    if (err) {
        gp_cleanup(gp_free_p) char *lost = gp_error_line(err);

        gp_error_free(err);
        return gp_error_wrap(why, "the newest verified commit cannot be used (%s), nor the head", lost);
    }
    gp_error_free(why);
    return NULL;
}

/* "." and nothing are the whole repository. */
static const char *tree_path(const char *path)
{
    return !path || gp_streq(path, ".") ? "" : path;
}

/* A commit that is not verified yet is signed by whom the host trusts, where the host asks for that. */
static struct gp_error *check_trust(struct gp_pass *pass, const char *dir, const char *commit)
{
    const char *signer = NULL;

    if (!pass->agent->trust_ssh || (pass->options.git_url && !pass->options.change))
        return NULL;
    return gp_git_check_signature(dir, commit, pass->agent->allowed_signers, pass->mem, &signer);
}

/* The newest verified commit was known once and is not now: any head would be believed, also one of a rewritten history.
 * The head is fetched all the same, for whoever looks at it and says that it is meant. */
static struct gp_error *desire_nothing(struct gp_pass *pass, const struct store *store, const struct gp_git_options *git,
                                       const char *why)
{
    const char *head = NULL, *ignored_why = NULL;
    struct gp_error *ignored =
        store->unasked ? NULL : gp_git_sync(git, pass->mem, &pass->git_state, &head, &ignored_why);

    gp_error_free(ignored);
    gp_load_init(&pass->load, pass->mem, false, true);
    pass->unknown = true;
    pass->desire_exit = GP_EXIT_REFUSED;
    pass->refused = gp_printf(
        pass->mem,
        "GP-E403: the newest verified commit is not known: %s. So no head can be told from a rewritten history. Put back the "
        "file as it was, or say which commit to go on from%s%s%s: gpupart trust --reset-to %s --reason \"...\"",
        why, head ? " (look at it first: the head is " : "", head ? gp_strndup(pass->mem, head, 12) : "", head ? ")" : "",
        head ? head : "COMMIT");
    return NULL;
}

/* What is applied is kept: the newest verified commit. */
static struct gp_error *desire_unasked(struct gp_pass *pass, const struct store *store, const struct gp_git_options *git)
{
    const bool busy = !pass->options.offline;

    if (!git->verified && busy)
        return gp_error_new(GP_E_LOCKED, "%s, and no commit was ever verified on this host", store->unasked);
    if (!git->verified)
        return gp_error_new(GP_E_IO, "no commit was ever verified on this host");
    pass->git_state = GP_GIT_STALE;
    pass->git_why = store->unasked;
    pass->desire_exit = busy ? GP_EXIT_INCOMPLETE : GP_EXIT_OK;
    return load_commit(pass, git->dir, gp_strdup(pass->mem, git->verified), git->path);
}

static struct gp_error *desire_git_in(struct gp_pass *pass, const struct store *store, bool follows)
{
    const struct gp_pass_options *options = &pass->options;
    const struct gp_remote_decl one = {.url = options->git_url};
    /* What the host of a capture has verified, by a stand-in maybe, says nothing of what is fetched here. */
    const bool anchored = follows && !pass->captured;
    const char *lost = anchored ? gp_state_verified_lost(pass->state) : NULL;
    const struct gp_git_options git = {
        .remotes = options->git_url ? &one : pass->agent->remotes,
        .remote_count = options->git_url ? 1 : pass->agent->remote_count,
        .ref = options->git_ref ? options->git_ref : pass->agent->ref ? pass->agent->ref : "refs/heads/main",
        .path = tree_path(options->git_path ? options->git_path : pass->agent->path),
        .dir = store->dir,
        .borrow = store->borrow,
        .verified = anchored ? gp_state_verified(pass->state) : NULL,
        .floor = follows ? pass->agent->floor : NULL,
        .timeout_ms = FETCH_TIMEOUT_MS,
    };
    const char *commit = NULL, *previous = git.verified;
    struct gp_error *err;

    if (lost)
        return desire_nothing(pass, store, &git, lost);
    if (store->unasked)
        return desire_unasked(pass, store, &git);
    err = gp_git_sync(&git, pass->mem, &pass->git_state, &commit, &pass->git_why);
    if (!err && !gp_streq(commit, previous))
        err = check_trust(pass, git.dir, commit);
    if (err && err->code == GP_E_REFUSED)
        return fall_back(pass, &git, err, GP_EXIT_REFUSED);
    if (err)
        return err;
    err = load_commit(pass, git.dir, commit, git.path);
    if (err)
        return previous && !gp_streq(previous, commit)
                   ? fall_back(pass, &git, err, gp_exit_of(err->code))
                   : err;
    if (!pass->load.failed) {
        if (pass->git_state == GP_GIT_STALE)
            pass->desire_exit = GP_EXIT_INCOMPLETE;
        if (options->change && !gp_streq(commit, previous))
            return gp_state_set_verified(pass->state, commit);
        return NULL;
    }
    err = gp_load_error(&pass->load);
    if (!previous || gp_streq(previous, commit)) {
        /* Nothing to go back to: the mistakes stand in pass->load. */
        gp_error_free(err);
        pass->desire_exit = GP_EXIT_INVALID;
        return NULL;
    }
    /* The findings of the refused head are what a person must see, whichever commit is kept. */
    {
        struct gp_finding *findings = pass->load.findings;
        const size_t count = pass->load.finding_count;

        err = fall_back(pass, &git, gp_error_wrap(err, "commit %.12s is not applied", commit), GP_EXIT_INVALID);
        pass->load.findings = findings;
        pass->load.finding_count = count;
        return err;
    }
}

/* Three hundred captures are judged by one declaration. */
static void desire_like(struct gp_pass *pass, const struct gp_pass *other)
{
    pass->load = other->load;
    pass->git_state = other->git_state;
    pass->git_why = other->git_why;
    pass->commit = other->commit;
    pass->refused = other->refused;
    pass->allowed_removal = other->allowed_removal;
    pass->unknown = other->unknown;
    pass->desire_exit = other->desire_exit;
}

struct gp_error *gp_pass_desire(struct gp_pass *pass)
{
    /* What a person asks for with --git is another question than what this host follows. */
    const bool follows = !pass->options.git_url || pass->options.change;
    struct gp_error *err;
    struct store store;

    if (pass->options.like) {
        desire_like(pass, pass->options.like);
        return NULL;
    }
    if (pass->options.dir)
        return desire_dir(pass);
    if (pass->captured && pass->options.offline)
        return gp_error_new(GP_E_CONFIG, "nothing says what is wanted: %s holds no repository; give --dir or --git",
                            pass->options.state);
    if (!pass->options.git_url && pass->agent->remote_count == 0)
        return gp_error_new(GP_E_CONFIG, "nothing says what is wanted: give --dir or --git, or spec.git.remotes in %s",
                            pass->options.config ? pass->options.config : "the GpuAgent file");
    err = store_open(pass, follows, &store);
    if (!err)
        err = desire_git_in(pass, &store, follows);
    store_close(&store);
    return err;
}
