/* What the files of the git edge share among themselves. Not for the rest of the program, which
 * sees git.h. */
#pragma once

#include "git.h"
#include "git_url.h"
#include "text.h"

#include <git2.h>
/* Fact: git_error_set_str() and git_error_clear() are declared here since libgit2 1.8, in git2.h before. */
#if __has_include(<git2/sys/errors.h>)
#include <git2/sys/errors.h>
#endif

/* ---- git_library.c ---- */

/* Counted; every gp_git_begin() has its gp_git_end(). No configuration of the host or its users is
 * read. */
void gp_git_begin(void);
void gp_git_end(void);
static inline int gp_git_started(void)
{
    gp_git_begin();
    return 1;
}
static inline void gp_git_end_p(const int *started)
{
    if (*started)
        gp_git_end();
}
/* Begins, and ends with the scope. Stands before the handles of libgit2, which must be closed
 * before it ends. */
#define GP_GIT_SCOPE                                                                               \
    gp_cleanup(gp_git_end_p) __attribute__((unused)) int git_scope = gp_git_started()
/* "MESSAGE: what libgit2 says". */
struct gp_error *gp_git_fail(enum gp_errc code, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull)) GP_MUST_CHECK;

static inline void gp_git_repository_p(git_repository **repo)
{
    git_repository_free(*repo);
}
static inline void gp_git_commit_p(git_commit **commit)
{
    git_commit_free(*commit);
}
static inline void gp_git_tree_p(git_tree **tree)
{
    git_tree_free(*tree);
}
static inline void gp_git_object_p(git_object **object)
{
    git_object_free(*object);
}

/* ---- git_mirror.c: the bare repository that is kept ---- */

/* Opens the repository at @dir; makes it where there is none, and anew where it is so damaged that
 * it does not open, with @borrow as of struct gp_git_options. GP_E_CONFIG if what is there is not ours:
 * nothing that gpupart did not make is ever removed. */
struct gp_error *gp_git_mirror_open(const char *dir, const char *borrow, git_repository **ret) GP_MUST_CHECK;
/* Removes what gpupart made at @dir, if there is something. The repository must not be open. */
struct gp_error *gp_git_mirror_remove(const char *dir) GP_MUST_CHECK;
/* Whether @commit and every declaration below @path that is not past its limit can be read, bit by bit. */
bool gp_git_mirror_holds(git_repository *repo, const char *commit, const char *path);

/* ---- git_known_hosts.c ---- */

enum gp_known { GP_KNOWN_YES, GP_KNOWN_NO, GP_KNOWN_CHANGED, GP_KNOWN_REVOKED };
/* Whether @key (raw, as the server sent it) is in @text, a file as of sshd(8), "SSH_KNOWN_HOSTS
 * FILE FORMAT": names, [host]:port, wildcards, negation, hashed names, @revoked. @cert-authority
 * lines are passed over. CHANGED: the host is there, but with other keys only. */
enum gp_known gp_known_hosts_check(const char *text, size_t size, const char *host, uint16_t port,
                                   const void *key, size_t key_size);
/* "SHA256:…" as ssh-keygen -l shows it. */
const char *gp_ssh_fingerprint(struct gp_arena *mem, const void *key, size_t key_size);
/* "ssh-ed25519" */
const char *gp_ssh_key_type(struct gp_arena *mem, const void *key, size_t key_size);

/* ---- git_credentials.c ---- */

struct gp_git_access {
    struct gp_arena *mem;
    const struct gp_remote_decl *remote;
    struct gp_git_url url;
    bool given;      /* the key or the token was handed out */
    const char *why; /* why a callback said no, NULL: none did */
};
int gp_git_credentials(git_credential **out, const char *url, const char *user_from_url,
                       unsigned allowed_types, void *access);
int gp_git_certificate(git_cert *cert, int valid, const char *host, void *access);
/* Prepares the process for the remote: CA file, and known hosts for libgit2 to choose the kind of
 * key by. @scratch is a folder that may be made. */
struct gp_error *gp_git_access_init(struct gp_git_access *access,
                                    const char *scratch) GP_MUST_CHECK;

/* ---- git_fetch.c ---- */

/* Asks one remote in a child process that is killed at the deadline. @fetch: brings the objects if
 * the mirror has them not, and points refs/gpupart/remote/<index> at them. *ret_id (from @mem) is
 * the commit that the ref, or the tag that it is, leads to at the remote: 40 hex digits.
 * *ret_listed, set always: the remote told its refs, so what failed after that may be the mirror's
 * fault. */
struct gp_error *gp_git_ask(const struct gp_git_options *options, size_t index, bool fetch,
                            uint32_t timeout_ms, struct gp_arena *mem, const char **ret_id,
                            bool *ret_listed) GP_MUST_CHECK;
/* "main" is "refs/heads/main". */
const char *gp_git_full_ref(struct gp_arena *mem, const char *ref);

/* ---- git_trailer.c ---- */

/* NULL if @message has no trailer @key. From @mem. */
const char *gp_trailer_parse(const char *message, const char *key, struct gp_arena *mem);
