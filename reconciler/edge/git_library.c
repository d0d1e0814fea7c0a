/* libgit2 as a whole: from its beginning to its end, and what it says of a failure. */
#include "cleanup.h"
#include "git_priv.h"

#include <pthread.h>

/* Whenever the first of its users begins, libgit2 reads all CA certificates of the host, which takes milliseconds: this one
 * never ends. */
static void stay(void)
{
    (void)git_libgit2_init();
}

void gp_git_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, stay);
    (void)git_libgit2_init();
    for (int level = GIT_CONFIG_LEVEL_PROGRAMDATA; level <= GIT_CONFIG_LEVEL_GLOBAL; level++)
        /* What some user's or the host's gitconfig says (url.*.insteadOf, http.proxy) is not for
         * us. */
        (void)git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
    /* libgit2 refuses a repository that belongs to another user, since git would run what its
     * configuration names. libgit2 runs nothing, and root reads a remote of user git's, and anybody
     * the mirror that root keeps. */
    (void)git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    (void)git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
}

void gp_git_end(void)
{
    (void)git_libgit2_shutdown();
}

struct gp_error *gp_git_fail(enum gp_errc code, const char *format, ...)
{
    const git_error *last = git_error_last();
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    va_list args;
    const char *message;

    va_start(args, format);
    message = gp_vprintf(mem, format, args);
    va_end(args);
    return gp_error_wrap(
        gp_error_new(code, "%s", last && last->message ? last->message : "no reason told"), "%s",
        message);
}
