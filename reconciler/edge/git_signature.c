#include "git_priv.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ssh-keygen is who knows the format of signatures and of allowed signers, with their validity and
 * options; gpupart hands it the bytes and believes its exit status alone. */

/* An open file with @text, at its start. Inherited by name only: the tool opens /proc/self/fd/N. */
static int file_of(const char *text, size_t size)
{
    int fd = memfd_create("gpupart", 0);

    for (size_t done = 0; fd >= 0 && done < size;) {
        ssize_t n = write(fd, text + done, size - done);

        if (n <= 0) {
            (void)close(fd);
            return -1;
        }
        done += (size_t)n;
    }
    if (fd >= 0)
        (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

/* Until @pid ended or the deadline, at which it is killed; its status, or -1 then. */
static int wait_for(pid_t pid)
{
    enum { DEADLINE_MS = 10000 };
    gp_cleanup(gp_close_p) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int status = -1;
    bool ended;

    ended = fd >= 0 && poll(&poll_fd, 1, DEADLINE_MS) == 1;
    if (!ended)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return ended ? status : -1;
}

/* Runs ssh-keygen with standard input from @in. *ret_status: its exit status, -1 if it did not end
 * by itself. *ret_output: the first line that it wrote (from @mem). */
static struct gp_error *run(char *const *argv, int in, struct gp_arena *mem, int *ret_status,
                            const char **ret_output)
{
    static char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
    gp_cleanup(gp_close_p) int out = memfd_create("gpupart", MFD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    char text[512];
    ssize_t size;
    pid_t pid;
    int rc, status;

    if (out < 0 || lseek(in, 0, SEEK_SET) < 0)
        return gp_error_errno(errno, "no memory for ssh-keygen's output");
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, in, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, out, 1);
    (void)posix_spawn_file_actions_adddup2(&actions, out, 2);
    rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (rc == ENOENT)
        return gp_error_new(
            GP_E_UNSUPPORTED,
            "trust.mode ssh needs ssh-keygen, which this host lacks: install the OpenSSH client");
    if (rc)
        return gp_error_errno(rc, "ssh-keygen could not be started");
    status = wait_for(pid);
    *ret_status = status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    size = pread(out, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    *ret_output = gp_strndup(mem, text, strcspn(text, "\r\n"));
    return NULL;
}

static struct gp_error *verify(const char *commit, const git_buf *signature,
                               const git_buf *signed_data, const char *allowed,
                               struct gp_arena *mem, const char **ret_signer)
{
    gp_cleanup(gp_close_p) int sig = file_of(signature->ptr, signature->size);
    gp_cleanup(gp_close_p) int data = file_of(signed_data->ptr, signed_data->size);
    char *sig_path = gp_printf(mem, "/proc/self/fd/%d", sig), *file = gp_strdup(mem, allowed),
         *signer;
    char *const find[] = {"ssh-keygen", "-Y", "find-principals", "-s", sig_path, "-f", file, NULL};
    const char *output;
    struct gp_error *err;
    int status;

    if (sig < 0 || data < 0)
        return gp_error_errno(errno, "no memory for the signature of commit %.12s", commit);
    err = run(find, data, mem, &status, &output);
    if (err)
        return err;
    if (status != 0 || !*output)
        return gp_error_new(GP_E_REFUSED,
                            "GP-E402: commit %.12s is signed by a key that %s does not list (%s)",
                            commit, allowed, *output ? output : "no principal found");
    signer = gp_strdup(mem, output);
    {
        char *const check[] = {"ssh-keygen", "-Y", "verify", "-f", file,     "-I",
                               signer,       "-n", "git",    "-s", sig_path, NULL};

        err = run(check, data, mem, &status, &output);
    }
    if (err)
        return err;
    if (status != 0)
        return gp_error_new(
            GP_E_REFUSED,
            "GP-E402: the signature of commit %.12s, said to be %s's, does not fit (%s)", commit,
            signer, output);
    *ret_signer = signer;
    return NULL;
}

struct gp_error *gp_git_check_signature(const char *dir, const char *commit,
                                        const char *allowed_signers, struct gp_arena *mem,
                                        const char **ret_signer)
{
    static const char ssh_armor[] = "-----BEGIN SSH SIGNATURE-----";
    GP_GIT_SCOPE;
    gp_cleanup(gp_git_repository_p) git_repository *repo = NULL;
    gp_cleanup(gp_git_commit_p) git_commit *object = NULL;
    git_buf signature = {0}, signed_data = {0};
    struct gp_error *err;
    git_oid oid;
    int rc;

    if (euidaccess(allowed_signers, R_OK) < 0)
        return gp_error_wrap(gp_error_new(GP_E_CONFIG, "%s", strerrordesc_np(errno)),
                             "the allowed signers in %s cannot be read", allowed_signers);
    if (git_repository_open_bare(&repo, dir) < 0)
        return gp_git_fail(GP_E_IO, "the repository %s could not be opened", dir);
    if (git_oid_fromstr(&oid, commit) < 0)
        return gp_error_new(GP_E_INVALID, "'%s' is no full commit id (40 hex digits)", commit);
    if (git_commit_lookup(&object, repo, &oid) < 0)
        return gp_git_fail(GP_E_IO, "commit %.7s cannot be read", commit);
    rc = git_commit_extract_signature(&signature, &signed_data, repo, &oid, "gpgsig");
    if (rc == GIT_ENOTFOUND)
        err = gp_error_new(GP_E_REFUSED,
                           "GP-E401: commit %.12s is not signed, and trust.mode is ssh", commit);
    else if (rc < 0)
        err = gp_git_fail(GP_E_IO, "the signature of commit %.12s cannot be read", commit);
    else if (!gp_starts_with(signature.ptr, ssh_armor))
        err = gp_error_new(
            GP_E_REFUSED,
            "GP-E401: commit %.12s has a signature that is not ssh's: sign with gpg.format=ssh",
            commit);
    else
        err = verify(commit, &signature, &signed_data, allowed_signers, mem, ret_signer);
    git_buf_dispose(&signature);
    git_buf_dispose(&signed_data);
    return err;
}
