#include "git_priv.h"

#include "cleanup.h"
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

const char *gp_git_full_ref(struct gp_arena *mem, const char *ref)
{
    if (gp_starts_with(ref, "refs/") || gp_streq(ref, "HEAD"))
        return ref;
    return gp_printf(mem, "refs/heads/%s", ref);
}

/* ---- in the child ---- */

static void remote_p(git_remote **remote)
{
    git_remote_free(*remote);
}

/* What the remote has in place of the ref that is not there. */
static const char *what_it_has(const git_remote_head *const *heads, size_t count,
                               struct gp_arena *mem)
{
    enum { SHOWN = 5 };
    struct gp_text text = {.mem = mem};
    size_t shown = 0;

    for (size_t i = 0; i < count && shown < SHOWN; i++) {
        if (!gp_starts_with(heads[i]->name, "refs/heads/"))
            continue;
        gp_text_addf(&text, "%s%s", shown++ ? ", " : "; it has ", heads[i]->name);
    }
    return shown ? gp_text_get(&text) : "; it has no branch at all";
}

/* The id of the ref at the remote that is connected: of the tag where it is one, and *ret_peeled of
 * what that leads to. */
static struct gp_error *list(git_remote *remote, const struct gp_git_access *access,
                             const char *ref, git_oid *ret, git_oid *ret_peeled)
{
    const char *peeled = gp_printf(access->mem, "%s^{}", ref);
    const git_remote_head **heads;
    size_t count;
    bool found = false;

    if (git_remote_ls(&heads, &count, remote) < 0)
        return gp_git_fail(GP_E_IO, "its refs could not be listed");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(heads[i]->name, ref) == 0) {
            git_oid_cpy(ret, &heads[i]->oid);
            git_oid_cpy(ret_peeled, &heads[i]->oid);
            found = true;
        } else if (strcmp(heads[i]->name, peeled) == 0) {
            git_oid_cpy(ret_peeled, &heads[i]->oid); /* always listed after its ref */
        }
    }
    if (found)
        return NULL;
    return gp_error_new(GP_E_GONE, "it has no ref %s%s", ref,
                        what_it_has((const git_remote_head *const *)heads, count, access->mem));
}

/* Whether a ref of an earlier fetch is at @id: then all that it leads to is there, since a ref is
 * moved only after its pack is complete. */
static bool have(git_repository *repo, const struct gp_git_options *options, const git_oid *id,
                 struct gp_arena *mem)
{
    for (size_t i = 0; i < options->remote_count; i++) {
        git_oid there;

        if (git_reference_name_to_id(&there, repo, gp_printf(mem, "refs/gpupart/remote/%zu", i)) ==
                0 &&
            git_oid_equal(&there, id))
            return true;
    }
    git_error_clear();
    return false;
}

static struct gp_error *fetch_objects(git_remote *remote, const git_remote_callbacks *callbacks,
                                      const char *ref, size_t index, struct gp_arena *mem)
{
    git_fetch_options options;
    char *spec = gp_printf(mem, "+%s:refs/gpupart/remote/%zu", ref, index);
    const git_strarray specs = {.strings = &spec, .count = 1};

    (void)git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);
    options.callbacks = *callbacks;
    options.prune = GIT_FETCH_NO_PRUNE;
    options.update_fetchhead = 0;
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
    options.proxy_opts.type = GIT_PROXY_NONE;
    if (git_remote_fetch(remote, &specs, &options, NULL) < 0)
        return gp_git_fail(GP_E_IO, "its objects could not be fetched");
    return NULL;
}

static struct gp_error *talk(const struct gp_git_options *options, size_t index, bool fetch,
                             struct gp_git_access *access, git_oid *ret, bool *ret_listed)
{
    gp_cleanup(gp_git_repository_p) git_repository *repo = NULL;
    gp_cleanup(remote_p) git_remote *remote = NULL;
    git_remote_callbacks callbacks;
    git_remote_connect_options connect;
    const char *ref = gp_git_full_ref(access->mem, options->ref);
    git_oid id;
    struct gp_error *err =
        gp_git_access_init(access, gp_printf(access->mem, "%s/ssh-%zu", options->dir, index));

    if (err)
        return err;
    (void)git_remote_init_callbacks(&callbacks, GIT_REMOTE_CALLBACKS_VERSION);
    (void)git_remote_connect_options_init(&connect, GIT_REMOTE_CONNECT_OPTIONS_VERSION);
    callbacks.credentials = gp_git_credentials;
    callbacks.certificate_check = gp_git_certificate;
    callbacks.payload = access;
    connect.callbacks = callbacks;
    connect.proxy_opts.type = GIT_PROXY_NONE;
    connect.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
    if (fetch && git_repository_open_bare(&repo, options->dir) < 0)
        return gp_git_fail(GP_E_IO, "the repository %s could not be opened", options->dir);
    if ((repo ? git_remote_create_anonymous(&remote, repo, access->remote->url)
              : git_remote_create_detached(&remote, access->remote->url)) < 0)
        return gp_git_fail(GP_E_CONFIG, "no such remote can be used");
    if (git_remote_connect_ext(remote, GIT_DIRECTION_FETCH, &connect) < 0)
        return gp_git_fail(GP_E_IO, "it could not be asked");
    err = list(remote, access, ref, &id, ret);
    *ret_listed = !err;
    if (!err && fetch && !have(repo, options, &id, access->mem))
        err = fetch_objects(remote, &callbacks, ref, index, access->mem);
    return err;
}

/* "ok ID", "asked CODE MESSAGE" or "listed CODE MESSAGE", in one write that a pipe takes whole. */
static void answer(int out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void answer(int out, const char *format, ...)
{
    char line[2048];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    (void)!write(out, line, strlen(line));
}

static void child(const struct gp_git_options *options, size_t index, bool fetch, int out)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_git_access access = {.mem = mem, .remote = &options->remotes[index]};
    char id[GIT_OID_HEXSZ + 1];
    struct gp_error *err;
    bool listed = false;
    git_oid oid;

    gp_git_begin();
    err = talk(options, index, fetch, &access, &oid, &listed);
    if (!err) {
        answer(out, "ok %s", git_oid_tostr(id, sizeof id, &oid));
    } else if (access.why) {
        /* Why a callback said no beats how libgit2 says that the connection ended. */
        answer(out, "asked %d %s", (int)GP_E_REFUSED, access.why);
    } else {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        answer(out, "%s %d %s", listed ? "listed" : "asked", (int)err->code, line);
    }
    gp_error_free(err);
}

/* ---- in the parent ---- */

/* Until the end of the file or @deadline_ms; false then. */
static bool read_answer(int in, char *line, size_t size, uint64_t deadline_ms)
{
    size_t filled = 0;

    for (;;) {
        struct pollfd poll_fd = {.fd = in, .events = POLLIN};
        uint64_t now = gp_monotonic_ms();
        ssize_t n;

        if (now >= deadline_ms)
            return false;
        if (poll(&poll_fd, 1, (int)(deadline_ms - now)) <= 0)
            continue;
        n = read(in, line + filled, size - 1 - filled);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || filled + (size_t)n >= size - 1) {
            line[filled] = '\0';
            return true;
        }
        filled += (size_t)n;
    }
}

/* Waits until @pid has ended, which a process that hangs in the kernel (a dead network file system
 * below file://) may never do: then false, and its parent's end collects it. */
static bool reap(pid_t pid, int *ret_status)
{
    enum { WAIT_MS = 2000 };
    const uint64_t deadline = gp_monotonic_ms() + WAIT_MS;
    gp_cleanup(gp_close_p) int fd = pidfd_open(pid, 0);
    struct pollfd end = {.fd = fd, .events = POLLIN};

    for (;;) {
        pid_t got = waitpid(pid, ret_status, WNOHANG);
        uint64_t now = gp_monotonic_ms();

        if (got == pid || (got < 0 && errno != EINTR))
            return true;
        if (now >= deadline)
            return false;
        (void)poll(&end, 1, fd < 0 ? 1 : (int)(deadline - now));
    }
}

static struct gp_error *understand(char *line, int status, struct gp_arena *mem,
                                   const char **ret_id, bool *ret_listed)
{
    char *code = strchr(line, ' '), *message = code ? strchr(code + 1, ' ') : NULL;
    unsigned long number;

    if (gp_starts_with(line, "ok ") && strlen(line + 3) == GIT_OID_HEXSZ) {
        *ret_id = gp_strdup(mem, line + 3);
        return NULL;
    }
    if (!message)
        return WIFSIGNALED(status)
                   ? gp_error_new(GP_E_IO, "the process that asked it ended with signal %d (%s)",
                                  WTERMSIG(status), sigabbrev_np(WTERMSIG(status)) ?: "?")
                   : gp_error_new(GP_E_IO, "the process that asked it ended without an answer");
    *ret_listed = gp_starts_with(line, "listed ");
    number = strtoul(code + 1, NULL, 10);
    return gp_error_new(number < GP_E_COUNT ? (enum gp_errc)number : GP_E_IO, "%s", message + 1);
}

struct gp_error *gp_git_ask(const struct gp_git_options *options, size_t index, bool fetch,
                            uint32_t timeout_ms, struct gp_arena *mem, const char **ret_id,
                            bool *ret_listed)
{
    gp_cleanup(gp_close_p) int in = -1;
    const pid_t parent = getpid();
    char line[4096];
    bool answered;
    int ends[2], status = 0;
    pid_t pid;

    *ret_listed = false;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return gp_error_errno(errno, "no pipe");
    (void)fflush(NULL); /* what is buffered is the parent's to write */
    pid = fork();
    if (pid < 0) {
        int errnum = errno;

        (void)close(ends[0]);
        (void)close(ends[1]);
        return gp_error_errno(errnum, "no process to ask the remote could be made");
    }
    if (pid == 0) {
        /* It must not outlive whoever holds the pass lock. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            child(options, index, fetch, ends[1]);
        _exit(0);
    }
    (void)close(ends[1]);
    in = ends[0];
    answered = read_answer(in, line, sizeof line, gp_monotonic_ms() + timeout_ms);
    (void)kill(pid, SIGKILL);
    if (!reap(pid, &status))
        return gp_error_new(GP_E_HUNG, "the process %d that asks it cannot be killed", (int)pid);
    if (!answered)
        return gp_error_new(GP_E_TIMEOUT, "it did not answer within %u.%u s",
                            (timeout_ms + 50) / 1000, (timeout_ms + 50) % 1000 / 100);
    return understand(line, status, mem, ret_id, ret_listed);
}
