#include "worker.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The most that one answer holds: host.c asks for no more. */
#define ANSWER_MAX ((size_t)64 * 1024)
/* Descriptors above this are closed unseen. A pass has a dozen. */
#define FILES_MAX 1024

struct gp_worker {
    pid_t pid, owner; /* owner: who forked it; nobody else's */
    int fd;
};

/* What is asked of a reader: this and the path. */
struct ask {
    uint64_t resolve;
    size_t max;
    bool confined;
};

/* ---- in the child: nothing but what a signal handler may call ---- */

/* Closes all but @kept[0..@count), which is sorted here. */
static void close_others(int *kept, size_t count)
{
    unsigned first = 0;

    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++)
            if (kept[j] < kept[i]) {
                const int other = kept[i];

                kept[i] = kept[j];
                kept[j] = other;
            }
    for (size_t i = 0; i < count; i++) {
        if ((unsigned)kept[i] > first)
            (void)close_range(first, (unsigned)kept[i] - 1, 0);
        first = (unsigned)kept[i] + 1;
    }
    (void)close_range(first, UINT_MAX, 0);
}

/* A lock is a regular file. Pipes and connections are let go, or whoever reads the other end (a shell, the journal,
 * libvirtd) would take a pass that is gone for one that goes on. */
static void close_connections(int kept)
{
    struct stat st;

    for (int fd = 0; fd < FILES_MAX; fd++)
        if (fd != kept && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
            (void)close(fd);
    (void)close_range(kept < FILES_MAX ? FILES_MAX : (unsigned)kept + 1, UINT_MAX, 0);
}

static void answer(int fd, struct gp_io *io)
{
    struct iovec parts[] = {{&io->errnum, sizeof io->errnum}, {io->room, io->size}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    ssize_t n;

    while ((n = sendmsg(fd, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    if (n < 0)
        _exit(1); /* the parent sees that, and need not wait for what does not come */
}

/* False if there is nothing more to do: the parent process has ended, however it did. */
static bool next(int fd, int parent, struct ask *ask, char *path)
{
    struct iovec parts[] = {{ask, sizeof *ask}, {path, PATH_MAX - 1}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = parent, .events = POLLIN}};
    ssize_t n;

    while ((n = poll(fds, 2, -1)) < 0 && errno == EINTR)
        ;
    if (n < 0 || fds[1].revents)
        return false;
    n = recvmsg(fd, &message, 0);
    if (n < (ssize_t)sizeof *ask)
        return false;
    path[(size_t)n - sizeof *ask] = '\0';
    return true;
}

__attribute__((noreturn)) static void be_reader(int fd, int root_fd, pid_t owner)
{
    static char room[ANSWER_MAX];
    /* Not the socket's other end alone tells that the parent is gone: another child may have it. */
    int parent = (int)syscall(SYS_pidfd_open, owner, 0);
    int kept[] = {fd, root_fd, parent};
    char path[PATH_MAX];
    struct ask ask;

    (void)prctl(PR_SET_NAME, "gpupart-read");
    if (parent < 0 || getppid() != owner)
        _exit(1);
    close_others(kept, 3);
    while (next(fd, parent, &ask, path)) {
        struct gp_io io = {.root_fd = root_fd, .confined = ask.confined, .resolve = ask.resolve, .path = path,
                           .room = room, .max = ask.max < sizeof room ? ask.max : sizeof room};

        gp_io_do(&io);
        answer(fd, &io);
    }
    _exit(0);
}

__attribute__((noreturn)) static void be_writer(int fd, struct gp_io *io)
{
    (void)prctl(PR_SET_NAME, "gpupart-write"); /* tests/sim/fault.c knows it by this */
    close_connections(fd);
    gp_io_do(io);
    answer(fd, io);
    _exit(0);
}

/* ---- in the parent ---- */

static pthread_rwlock_t making = PTHREAD_RWLOCK_INITIALIZER;

void gp_worker_hold_back(void)
{
    (void)pthread_rwlock_rdlock(&making);
}

void gp_worker_go_on(void)
{
    (void)pthread_rwlock_unlock(&making);
}

/* Forks; in the parent, @ret_fd is the child's socket. -1: errno says why not. In the child: 0. It has all signals
 * blocked: those are for the parent to decide on, and a terminal or a service manager sends them to both. */
static pid_t make(int *ret_fd)
{
    sigset_t all, before;
    int ends[2], errnum;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_rwlock_wrlock(&making);
    pid = fork();
    errnum = errno;
    if (pid != 0) {
        (void)pthread_rwlock_unlock(&making);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)close(ends[pid != 0]);
    *ret_fd = ends[pid == 0];
    if (pid < 0)
        (void)close(ends[0]);
    errno = errnum;
    return pid;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

enum outcome { CAME, LOST, LATE };

/* LOST: the process ended without an answer; somebody killed it. */
static enum outcome take_answer(int fd, struct gp_io *io, uint64_t deadline_ms)
{
    struct iovec parts[] = {{&io->errnum, sizeof io->errnum}, {io->room, io->max}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    ssize_t n;

    for (;;) {
        const uint64_t now = gp_monotonic_ms();
        const int ready = poll(&poller, 1, now >= deadline_ms ? 0 : (int)(deadline_ms - now));

        if (ready > 0)
            break;
        if (ready == 0 && now >= deadline_ms)
            return LATE;
        if (ready < 0 && errno != EINTR)
            return LOST;
    }
    n = recvmsg(fd, &message, 0);
    if (n < (ssize_t)sizeof io->errnum)
        return LOST;
    io->size = (size_t)n - sizeof io->errnum;
    return CAME;
}

void gp_worker_free(struct gp_worker *worker)
{
    if (!worker)
        return;
    (void)close(worker->fd);
    if (worker->owner == getpid()) {
        /* It waits for the next question, so that this ends it at once. */
        (void)kill(worker->pid, SIGKILL);
        reap(worker->pid);
    }
    free(worker);
}

static struct gp_worker *make_reader(const struct gp_io *io)
{
    struct gp_worker *worker = calloc(1, sizeof *worker);

    if (!worker)
        abort();
    worker->owner = getpid();
    worker->pid = make(&worker->fd);
    if (worker->pid == 0)
        be_reader(worker->fd, io->root_fd, worker->owner);
    if (worker->pid > 0)
        return worker;
    free(worker);
    return NULL;
}

static bool send_ask(int fd, const struct gp_io *io)
{
    struct ask ask;
    struct iovec parts[] = {{&ask, sizeof ask}, {(char *)io->path, strlen(io->path)}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n;

    memset(&ask, 0, sizeof ask); /* its padding travels too */
    ask.resolve = io->resolve;
    ask.max = io->max;
    ask.confined = io->confined;
    while ((n = sendmsg(fd, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return n >= 0;
}

static enum outcome read_once(struct gp_worker **worker, struct gp_io *io, uint64_t deadline_ms)
{
    struct gp_worker *own = *worker;
    enum outcome outcome;

    if (own && own->owner != getpid()) {
        gp_worker_free(own);
        own = *worker = NULL;
    }
    if (!own)
        own = *worker = make_reader(io);
    if (!own) {
        io->errnum = errno;
        return CAME;
    }
    outcome = send_ask(own->fd, io) ? take_answer(own->fd, io, deadline_ms) : LOST;
    if (outcome == CAME)
        return outcome;
    *worker = NULL;
    if (outcome == LOST) {
        gp_worker_free(own);
        return outcome;
    }
    /* Nobody waits for it, and it does nothing more when the kernel lets go of it. */
    (void)kill(own->pid, SIGKILL);
    (void)close(own->fd);
    free(own);
    return outcome;
}

bool gp_worker_read(struct gp_worker **worker, struct gp_io *io, uint32_t timeout_ms)
{
    const uint64_t deadline_ms = gp_monotonic_ms() + timeout_ms;
    enum outcome outcome;

    io->size = 0;
    if (strlen(io->path) >= PATH_MAX) {
        io->errnum = ENAMETOOLONG;
        return true;
    }
    outcome = read_once(worker, io, deadline_ms);
    /* Reading twice does no harm, and a reader that was killed was not the kernel's fault. */
    if (outcome == LOST)
        outcome = read_once(worker, io, deadline_ms);
    if (outcome == LOST)
        io->errnum = EINTR;
    return outcome != LATE;
}

bool gp_worker_write(struct gp_io *io, uint32_t timeout_ms, pid_t *ret_left)
{
    const uint64_t deadline_ms = gp_monotonic_ms() + timeout_ms;
    enum outcome outcome;
    int fd;
    pid_t pid = make(&fd);

    if (pid == 0)
        be_writer(fd, io);
    if (pid < 0) {
        io->errnum = errno;
        return true;
    }
    outcome = take_answer(fd, io, deadline_ms);
    (void)close(fd);
    /* It is let go of with its locks: those are the pass's again only when it has ended. */
    if (outcome == LATE)
        *ret_left = pid;
    else
        reap(pid);
    if (outcome == LOST)
        io->errnum = EINTR;
    return outcome != LATE;
}
