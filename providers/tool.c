#include "cleanup.h"
#include "clock.h"
#include "host.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define KEPT_OUTPUT  2048 /* the end of what the tool said */
#define KILL_WAIT_MS 2000

struct output {
    char text[KEPT_OUTPUT + 1];
    size_t size;
};

/* False at the end of the output. */
static bool take_output(int fd, struct output *output)
{
    char chunk[KEPT_OUTPUT];
    ssize_t n = read(fd, chunk, sizeof chunk);
    size_t size, keep;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    size = (size_t)n;
    keep = output->size + size > KEPT_OUTPUT ? KEPT_OUTPUT - size : output->size;
    memmove(output->text, output->text + output->size - keep, keep);
    memcpy(output->text + keep, chunk, size);
    output->size = keep + size;
    output->text[output->size] = 0;
    return true;
}

/* The last three lines, in one. */
static const char *last_lines(struct output *output)
{
    char *start;
    int lines = 0;

    while (output->size && strchr(" \n\r", output->text[output->size - 1]))
        output->text[--output->size] = 0;
    start = output->text + output->size;
    while (start > output->text && (start[-1] != '\n' || ++lines < 3))
        start--;
    for (char *c = start; *c; c++) {
        if (*c == '\n' || (unsigned char)*c < ' ')
            *c = ' ';
    }
    return *start ? start : "it said nothing";
}

/* Starts it as leader of a process group, both outputs into @out. An errno, 0 for success. */
static int start(const char *const *argv, char *const *env, int out, pid_t *ret)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    int errnum;

    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawnattr_init(&attr);
    (void)posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&files, out, 1);
    (void)posix_spawn_file_actions_adddup2(&files, out, 2);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    (void)posix_spawnattr_setpgroup(&attr, 0);
    errnum = posix_spawn(ret, argv[0], &files, &attr, (char *const *)argv, env);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&attr);
    return errnum;
}

/* Collects the output until @pidfd is readable. False if @deadline came first. */
static bool wait_for_end(int pidfd, int out, uint64_t deadline, struct output *output)
{
    bool open = true;

    for (;;) {
        uint64_t now = gp_monotonic_ms();
        struct pollfd fds[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = open ? out : -1, .events = POLLIN}};
        int n = poll(fds, 2, now >= deadline ? 0 : (int)(deadline - now));

        if (n < 0 && errno != EINTR)
            return false;
        if (fds[1].revents)
            open = take_output(out, output);
        if (fds[0].revents) {
            /* A child of the tool may have the pipe still; what is there is all that is waited for. */
            while (open && poll(&fds[1], 1, 0) > 0)
                open = take_output(out, output);
            return true;
        }
        if (gp_monotonic_ms() >= deadline)
            return false;
    }
}

static struct gp_error *verdict(const char *tool, int status, struct output *output)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return NULL;
    if (WIFSIGNALED(status))
        return gp_error_new(GP_E_IO, "%s was ended by signal %d: %s", tool, WTERMSIG(status),
                            last_lines(output));
    return gp_error_new(GP_E_IO, "%s failed with exit status %d: %s", tool, WEXITSTATUS(status),
                        last_lines(output));
}

struct gp_error *gp_host_run(struct gp_host *host, const char *const *argv, uint32_t timeout_ms)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    bool real = strcmp(host->root, "/") == 0;
    char *env[] = {(char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                   (char *)"LC_ALL=C.UTF-8", gp_printf(mem, "GPUPART_ROOT=%s", host->root), NULL};
    struct output output = {.size = 0};
    int pipes[2], status, errnum;
    pid_t pid;

    if (!host->may_change)
        return gp_error_new(GP_E_REFUSED, "%s was not run: nothing may be changed here", argv[0]);
    if (!real && !gp_streq(getenv("GPUPART_SIMULATED_TOOLS"), "1"))
        return gp_error_new(GP_E_REFUSED, "%s was not run: the root is %s, not the host's", argv[0],
                            host->root);
    if (argv[0][0] != '/')
        return gp_error_new(GP_E_CONFIG, "'%s' is not an absolute path of a tool", argv[0]);
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return gp_error_errno(errno, "a pipe for %s", argv[0]);
    (void)fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    if (host->trace)
        host->trace(gp_printf(mem, "tool run %s %s %s", argv[0], argv[1] ? argv[1] : "",
                              argv[1] && argv[2] ? argv[2] : ""));
    errnum = start(argv, env, pipes[1], &pid);
    (void)close(pipes[1]);
    gp_cleanup(gp_close_p) int out = pipes[0];
    if (errnum)
        return gp_error_errno(errnum, "%s cannot be run", argv[0]);

    gp_cleanup(gp_close_p) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (!wait_for_end(pidfd, out, gp_monotonic_ms() + timeout_ms, &output)) {
        (void)kill(-pid, SIGKILL);
        if (!wait_for_end(pidfd, out, gp_monotonic_ms() + KILL_WAIT_MS, &output)) {
            host->left_writing = pid;
            return gp_error_new(GP_E_HUNG, "%s did not end within %u ms and cannot be killed", argv[0],
                                timeout_ms);
        }
        (void)waitpid(pid, &status, 0);
        return gp_error_new(GP_E_TIMEOUT, "%s did not end within %u ms: %s", argv[0], timeout_ms,
                            last_lines(&output));
    }
    (void)waitpid(pid, &status, 0);
    return verdict(argv[0], status, &output);
}
