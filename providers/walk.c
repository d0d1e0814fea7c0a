#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 64, LINKS_MAX = 40 };

struct walk {
    int folders[DEPTH_MAX]; /* the root's own descriptor first, which is the caller's */
    int depth;
    int links;
    char rest[PATH_MAX]; /* what is still to be walked */
    dev_t device;
    bool one_device;
};

static int top(const struct walk *walk)
{
    return walk->folders[walk->depth];
}

static void leave(struct walk *walk)
{
    const int before = errno;

    if (walk->depth)
        (void)close(walk->folders[walk->depth--]);
    errno = before;
}

static int fails(int errnum)
{
    errno = errnum;
    return -1;
}

/* Takes the next name off the rest; its length. 0: there is none. */
static size_t next(struct walk *walk, char name[static NAME_MAX + 1])
{
    size_t slashes = strspn(walk->rest, "/"), size = strcspn(walk->rest + slashes, "/");

    if (size > NAME_MAX)
        size = NAME_MAX + 1; /* is refused as it is by the kernel */
    else
        memcpy(name, walk->rest + slashes, size), name[size] = '\0';
    memmove(walk->rest, walk->rest + slashes + size, strlen(walk->rest + slashes + size) + 1);
    return size;
}

/* What a link says is walked before the rest. */
static int follow(struct walk *walk, int link)
{
    char target[PATH_MAX];
    ssize_t size;

    if (++walk->links > LINKS_MAX)
        return fails(ELOOP);
    size = readlinkat(link, "", target, sizeof target);
    if (size < 0)
        return -1;
    if ((size_t)size + strlen(walk->rest) >= sizeof target)
        return fails(ENAMETOOLONG);
    memcpy(target + size, walk->rest, strlen(walk->rest) + 1);
    memcpy(walk->rest, target, strlen(target) + 1);
    if (*target == '/')
        while (walk->depth)
            leave(walk);
    return 0;
}

/* Goes on by one name. 1: there is more; 0: @name is the last, below top(), and no link to be followed; -1: errno. */
static int step(struct walk *walk, char name[static NAME_MAX + 1], int flags)
{
    struct stat seen;
    bool last, folder;
    size_t size = next(walk, name);
    int fd;

    if (size > NAME_MAX)
        return fails(ENAMETOOLONG);
    last = !walk->rest[strspn(walk->rest, "/")];
    folder = !last || *walk->rest;
    if (!size || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        if (size == 2)
            leave(walk);
        memcpy(name, ".", 2);
        return last ? 0 : 1;
    }
    fd = openat(top(walk), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return last && errno == ENOENT ? 0 : -1;
    if (fstat(fd, &seen) < 0 || (walk->one_device && seen.st_dev != walk->device && fails(EXDEV) < 0)) {
        const int errnum = errno;

        (void)close(fd);
        return fails(errnum);
    }
    if (S_ISLNK(seen.st_mode) && (folder || !(flags & O_NOFOLLOW))) {
        const int r = follow(walk, fd), errnum = errno;

        (void)close(fd);
        return r < 0 ? fails(errnum) : 1;
    }
    if (folder && !S_ISDIR(seen.st_mode)) {
        (void)close(fd);
        return fails(ENOTDIR);
    }
    if (last) {
        (void)close(fd);
        return 0;
    }
    if (walk->depth + 1 == DEPTH_MAX) {
        (void)close(fd);
        return fails(ENAMETOOLONG);
    }
    walk->folders[++walk->depth] = fd;
    return 1;
}

int gp_walk_open(int root_fd, const char *path, int flags, bool one_device)
{
    struct walk walk = {.folders = {root_fd}, .one_device = one_device};
    char name[NAME_MAX + 1];
    struct stat root;
    int fd = -1, r;

    if (!*path)
        return fails(ENOENT);
    if (strlen(path) >= sizeof walk.rest)
        return fails(ENAMETOOLONG);
    if (fstat(root_fd, &root) < 0)
        return -1;
    walk.device = root.st_dev;
    memcpy(walk.rest, path, strlen(path) + 1);
    do
        r = step(&walk, name, flags);
    while (r > 0);
    /* A link that has come into its place since then is not followed. */
    if (r == 0)
        fd = openat(top(&walk), name, flags | O_NOFOLLOW | O_CLOEXEC);
    while (walk.depth)
        leave(&walk);
    return fd;
}
