/* The locks of the state directory: one pass at a time, and whatever it started; and of its repository. */
#include "cleanup.h"
#include "clock.h"
#include "state_file.h"
#include "state_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* For as long, a process of a pass that is gone may take to go as well. One that hangs never does. */
enum { GOING_MS = 3000, GOING_STEP_MS = 10 };

/* What the holder wrote about itself, or "". */
static void read_holder(int fd, char *holder, size_t size)
{
    ssize_t n = pread(fd, holder, size - 1, 0);

    holder[n > 0 ? n : 0] = '\0';
    for (char *c = holder; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
            *c = '\0';
}

static bool holder_is_gone(const char *holder)
{
    int pid;

    return sscanf(holder, "pid %d", &pid) == 1 && pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
}

static struct gp_error *locked_error(const struct gp_state *state, int fd)
{
    char holder[128];

    read_holder(fd, holder, sizeof holder);
    if (holder_is_gone(holder))
        return gp_error_new(
            GP_E_LOCKED,
            "the state in %s is locked by what a pass left behind (%s, which is gone): a process "
            "that it started still runs",
            state->dir, holder);
    return gp_error_new(GP_E_LOCKED, "another pass holds the lock of the state in %s: %s",
                        state->dir, *holder ? holder : "it has not said yet who it is");
}

/* Of the open file, not of the process: a write that hangs in the kernel keeps the lock of its pass, so that no other
 * pass works beside it. The process that wrote for a pass that was killed goes a moment after it. */
static int lock_file(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const uint64_t deadline_ms = gp_monotonic_ms() + GOING_MS;
    char holder[128];
    int errnum;

    while (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        errnum = errno;
        read_holder(fd, holder, sizeof holder);
        if ((errnum != EAGAIN && errnum != EACCES) || !holder_is_gone(holder) || gp_monotonic_ms() >= deadline_ms) {
            errno = errnum;
            return -1;
        }
        gp_sleep_ms(GOING_STEP_MS);
    }
    return 0;
}

struct gp_error *gp_state_lock(struct gp_state *state)
{
    gp_cleanup(gp_close_p) int fd =
        openat(state->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    uint64_t now = gp_realtime_us();
    time_t seconds = (time_t)(now / 1000000);
    struct tm tm;
    char since[32], holder[128];

    if (fd < 0)
        return gp_state_file_error(errno, state->dir, "lock");
    if (lock_file(fd) < 0) {
        if (errno == EAGAIN || errno == EACCES)
            return locked_error(state, fd);
        return gp_error_errno(errno, "%s/lock could not be locked", state->dir);
    }
    (void)gmtime_r(&seconds, &tm);
    (void)strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &tm);
    (void)snprintf(holder, sizeof holder, "pid %d since %s\n", (int)getpid(), since);
    /* Only for people: that it cannot be written (a full disk) does not undo the lock. */
    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, holder, strlen(holder), 0);
    state->lockfd = fd;
    fd = -1;
    return NULL;
}

/* Said, not left to the last close: children may still have the file open. */
static void unlock_file(int fd)
{
    struct flock unlock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

    (void)fcntl(fd, F_OFD_SETLK, &unlock);
    (void)close(fd);
}

void gp_state_unlock(struct gp_state *state)
{
    if (state->lockfd < 0)
        return;
    (void)!ftruncate(state->lockfd, 0);
    unlock_file(state->lockfd);
    state->lockfd = -1;
}

void gp_state_leave_locked(struct gp_state *state)
{
    if (state->lockfd >= 0)
        (void)close(state->lockfd);
    state->lockfd = -1;
}

struct gp_error *gp_state_lock_git(struct gp_state *state, uint32_t wait_ms, int *ret_fd)
{
    enum { STEP_MS = 50 };
    gp_cleanup(gp_close_p) int fd = openat(state->dirfd, "git.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const uint64_t deadline_ms = gp_monotonic_ms() + wait_ms;

    *ret_fd = -1;
    if (fd < 0)
        return gp_state_file_error(errno, state->dir, "git.lock");
    while (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        if (errno != EAGAIN && errno != EACCES)
            return gp_error_errno(errno, "%s/git.lock could not be locked", state->dir);
        if (gp_monotonic_ms() >= deadline_ms)
            return NULL;
        gp_sleep_ms(STEP_MS);
    }
    *ret_fd = fd;
    fd = -1;
    return NULL;
}

void gp_state_unlock_git(int fd)
{
    if (fd >= 0)
        unlock_file(fd);
}
