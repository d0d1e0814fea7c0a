/* Desired state from git: blobs read from the object store at one commit. */
#pragma once

#include "model.h"
#include "schema.h"

struct gp_git_options {
    const struct gp_remote_decl *remotes; /* tried in order */
    size_t remote_count;
    const char *ref;  /* "refs/heads/main", or "main" for it */
    const char *path; /* below the repository's root; "" or NULL: all of it */
    const char *dir;  /* bare repository that we keep, below the state directory */
    const char *borrow; /* another such one: where @dir is first made, what that holds counts as held by @dir, and is only
                           read; NULL, or one that is not there or may not be read: none */
    const char
        *verified;     /* newest verified commit: the head must descend from it; NULL: first time */
    const char *floor; /* GpuAgent's trust.floor: likewise, NULL: none */
    uint32_t timeout_ms; /* for the whole fetch, all remotes together: each gets its share; 0: a
                            minute */
};

enum gp_git_state {
    GP_GIT_CURRENT, /* the head was asked for and is what is in ret_commit */
    GP_GIT_STALE, /* no remote could be asked, or all lag behind (an ancestor): the newest verified
                     is used */
};

/* Asks the remotes for the ref, fetches only if it moved, checks descent, and tells the commit to
 * use. The network part runs in a child process with a deadline, since libgit2 hangs on a silent
 * server. GP_E_REFUSED with "GP-E403" in the message if the head does not descend from the newest
 * verified. GP_GIT_STALE comes with *ret_why (from @mem): every remote's reason. GP_E_IO only if
 * there is no verified commit to fall back to, or the mirror lost it and no remote gives it again.
 * A damaged mirror is made anew. The caller holds the pass lock. */
struct gp_error *gp_git_sync(const struct gp_git_options *options, struct gp_arena *mem,
                             enum gp_git_state *ret_state, const char **ret_commit,
                             const char **ret_why) GP_MUST_CHECK;
/* Only lists the ref at the first remote that answers: has it moved from @commit? GP_E_IO with
 * every remote's reason if none does. */
struct gp_error *gp_git_moved(const struct gp_git_options *options, const char *commit,
                              bool *ret) GP_MUST_CHECK;

/* Loads every *.yaml and *.yml below @path at @commit of the bare repository @dir into @load, in
 * path order, named "COMMIT7:path"; a @path that is a file is loaded whatever its name. Names that
 * begin with a dot are left out, with all below them. A symbolic link with such a name is an error
 * finding, a submodule a warning. GP_E_INVALID for a path that the commit has not and for files
 * past 16 MiB (256 MiB and 10,000 files in all); GP_E_IO if the repository cannot be read. Sets
 * load->declaration.commit. */
struct gp_error *gp_git_load(const char *dir, const char *commit, const char *path,
                             struct gp_load *load) GP_MUST_CHECK;
/* The same from a directory of the file system, or one file. */
struct gp_error *gp_dir_load(const char *dir, struct gp_load *load) GP_MUST_CHECK;

/* GP_E_GONE if the bare repository @dir has no commit @commit (its full id), also where there is no repository yet. */
struct gp_error *gp_git_find_commit(const char *dir, const char *commit) GP_MUST_CHECK;

/* The value of trailer @key ("Gpupart-Allow-Removal", whatever its case) in the last paragraph of
 * the commit's message, the last one if there are several; NULL if there is none. From @mem. */
struct gp_error *gp_git_trailer(const char *dir, const char *commit, const char *key,
                                struct gp_arena *mem, const char **ret) GP_MUST_CHECK;

/* trust.mode ssh: whether @commit carries an SSH signature by a key that the file @allowed_signers
 * lists (ssh-keygen(1), "ALLOWED SIGNERS", namespace git) and that is valid now. *ret_signer (from
 * @mem) is its principal. GP_E_REFUSED with "GP-E401" in the message for a commit without one, with
 * "GP-E402" for one of another key or that does not fit; GP_E_CONFIG for a file that cannot be
 * read; GP_E_UNSUPPORTED without ssh-keygen. At most ten seconds a run of it. */
struct gp_error *gp_git_check_signature(const char *dir, const char *commit,
                                        const char *allowed_signers, struct gp_arena *mem,
                                        const char **ret_signer) GP_MUST_CHECK;
