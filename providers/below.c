#include "below.h"

#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RESOLVE_TRIES 10

/* A capture comes from elsewhere, and its links are not to be believed. */
int gp_below_open(int root_fd, bool confined, const char *path, int flags, uint64_t resolve)
{
    /* openat2() takes O_PATH with few other flags. */
    int more = flags & O_PATH ? O_CLOEXEC : O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    struct open_how how = {.flags = (unsigned int)(flags | more),
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve};
    int fd, tries = 0;

    if (!confined)
        return openat(root_fd, path, flags | O_CLOEXEC | O_NOCTTY);
    /* Anybody's rename on the machine makes the kernel unsure of "..", and it says EAGAIN. */
    do
        fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    while (fd < 0 && errno == EAGAIN && ++tries < RESOLVE_TRIES);
    return fd < 0 && errno == EAGAIN ? gp_walk_open(root_fd, path, flags | more, resolve & RESOLVE_NO_XDEV) : fd;
}

static void do_read(struct gp_io *io, int fd)
{
    while (io->size < io->max) {
        ssize_t n = read(fd, io->room + io->size, io->max - io->size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            io->errnum = errno;
        if (n <= 0)
            break;
        io->size += (size_t)n;
    }
}

static void do_write(struct gp_io *io, int fd)
{
    const size_t size = strlen(io->text);
    ssize_t n = write(fd, io->text, size);

    if (n < 0)
        io->errnum = errno;
    else if ((size_t)n != size)
        io->errnum = EIO;
}

void gp_io_do(struct gp_io *io)
{
    int fd = gp_below_open(io->root_fd, io->confined, io->path, io->text ? O_WRONLY : O_RDONLY, io->resolve);

    io->size = 0;
    io->errnum = fd < 0 ? errno : 0;
    if (fd < 0)
        return;
    if (io->text)
        do_write(io, fd);
    else
        do_read(io, fd);
    (void)close(fd);
}
