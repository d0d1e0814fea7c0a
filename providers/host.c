/* Reading and writing below a root, with what was seen told to whoever records it. */
#include "host.h"

#include "cleanup.h"
#include "text.h"
#include "worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READ_MAX          ((size_t)64 * 1024)
#define TRACED_VALUE_SIZE 120

void gp_host_forget_parent(struct gp_host *host)
{
    if (!host->parent.path)
        return;
    (void)close(host->parent.fd);
    free(host->parent.path);
    host->parent.path = NULL;
}

static void trace(struct gp_host *host, const char *verb, const char *path, const char *value, int errnum)
{
    char line[PATH_MAX];

    if (!host->trace)
        return;
    if (errnum)
        (void)snprintf(line, sizeof line, "sysfs %s %s: %s", verb, path, strerrordesc_np(errnum));
    else
        (void)snprintf(line, sizeof line, "sysfs %s %s = %.*s", verb, path, TRACED_VALUE_SIZE,
                       value ? value : "");
    for (char *c = line; *c; c++) {
        if (*c == '\n')
            *c = ' ';
    }
    host->trace(line);
}

static void record(struct gp_host *host, enum gp_seen what, const char *path, const void *bytes, size_t size,
                   int errnum)
{
    if (host->recorder)
        host->recorder->seen(host->recorder->data, what, path, bytes, size, NULL, errnum);
}

static bool confined(const struct gp_host *host)
{
    return strcmp(host->root, "/") != 0;
}

/* @text: what is written, NULL: it is read, at most @max bytes, into the host's room. */
static struct gp_io io_of(struct gp_host *host, const char *path, const char *text, size_t max)
{
    if (!host->room)
        host->room = malloc(READ_MAX + 1);
    if (!host->room)
        abort();
    return (struct gp_io){
        .root_fd = host->root_fd,
        .confined = confined(host),
        .path = path,
        .text = text,
        .room = host->room,
        .max = max < READ_MAX ? max : READ_MAX,
    };
}

/* True if it was read here and now. What is mounted into a capture is no plain file of it (EXDEV). */
static bool io_at_once(struct gp_host *host, struct gp_io *io)
{
    if (!host->plain || io->text)
        return false;
    io->resolve = RESOLVE_NO_XDEV;
    gp_io_do(io);
    io->resolve = 0;
    return io->errnum != EXDEV;
}

static struct gp_error *io_run(struct gp_host *host, struct gp_io *io, uint32_t timeout_ms)
{
    if (io_at_once(host, io))
        return NULL;
    if (io->text ? gp_worker_write(io, timeout_ms, &host->left_writing) : gp_worker_read(&host->worker, io, timeout_ms))
        return NULL;
    return gp_error_new(GP_E_HUNG, "the kernel did not come back within %u ms", timeout_ms);
}

struct gp_error *gp_host_read(struct gp_host *host, struct gp_arena *mem, const char *path,
                              const char **ret)
{
    struct gp_io io = io_of(host, path, NULL, READ_MAX);
    struct gp_error *err = io_run(host, &io, host->io_timeout_ms);

    if (err)
        return gp_error_wrap(err, "reading %s", path);
    record(host, GP_SEEN_READ, path, io.room, io.size, io.errnum);
    if (io.errnum) {
        trace(host, "read", path, NULL, io.errnum);
        return gp_error_errno(io.errnum, "reading %s", path);
    }
    if (io.size > 0 && io.room[io.size - 1] == '\n')
        io.size--;
    io.room[io.size] = 0;
    trace(host, "read", path, io.room, 0);
    *ret = gp_strndup(mem, io.room, io.size);
    return NULL;
}

struct gp_error *gp_host_read_bytes(struct gp_host *host, struct gp_arena *mem, const char *path, size_t max,
                                    const void **ret, size_t *ret_size)
{
    struct gp_io io = io_of(host, path, NULL, max);
    struct gp_error *err = io_run(host, &io, host->io_timeout_ms);

    if (err)
        return gp_error_wrap(err, "reading %s", path);
    trace(host, "read", path, "(bytes)", io.errnum);
    record(host, GP_SEEN_READ, path, io.room, io.size, io.errnum);
    if (io.errnum)
        return gp_error_errno(io.errnum, "reading %s", path);
    *ret = gp_memdup(mem, io.room, io.size);
    *ret_size = io.size;
    return NULL;
}

struct gp_error *gp_host_read_u64(struct gp_host *host, const char *path, uint64_t *ret)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *text = "";
    char *end;
    unsigned long long value;
    struct gp_error *err = gp_host_read(host, mem, path, &text);

    if (err)
        return err;
    errno = 0;
    value = strtoull(text, &end, gp_starts_with(text, "0x") ? 16 : 10);
    if (errno || end == text || *end || text[0] < '0' || text[0] > '9')
        return gp_error_new(GP_E_IO, "%s holds '%.40s', not a number", path, text);
    *ret = value;
    return NULL;
}

struct gp_error *gp_host_read_u32(struct gp_host *host, const char *path, uint32_t max, uint32_t *ret)
{
    uint64_t value;
    struct gp_error *err = gp_host_read_u64(host, path, &value);

    if (err)
        return err;
    if (value > max)
        return gp_error_new(GP_E_IO, "%s holds %llu, and %u is the most that it can be", path,
                            (unsigned long long)value, (unsigned)max);
    *ret = (uint32_t)value;
    return NULL;
}

struct gp_error *gp_host_write_within(struct gp_host *host, const char *path, const char *text,
                                      uint32_t timeout_ms)
{
    struct gp_io io;
    struct gp_error *err;

    if (!host->may_change)
        return gp_error_new(GP_E_REFUSED, "'%s' was not written to %s: nothing may be changed here", text,
                            path);
    io = io_of(host, path, text, 0);
    err = io_run(host, &io, timeout_ms);
    if (err)
        return gp_error_wrap(err, "writing '%s' to %s", text, path);
    trace(host, "write", path, text, io.errnum);
    return io.errnum ? gp_error_errno(io.errnum, "writing '%s' to %s", text, path) : NULL;
}

struct gp_error *gp_host_write(struct gp_host *host, const char *path, const char *text)
{
    return gp_host_write_within(host, path, text, host->io_timeout_ms);
}

/* The descriptor of the directory that holds @path, and the last component. It is the host's, which keeps the last one of
 * a capture: a device's links are read one after the other, and its directory is a long way down. */
static int open_parent(struct gp_host *host, const char *path, const char **ret_leaf)
{
    const char *slash = strrchr(path, '/');
    char parent[PATH_MAX];
    int fd;

    *ret_leaf = slash ? slash + 1 : path;
    if (slash && (size_t)(slash - path) >= sizeof parent) {
        errno = ENAMETOOLONG;
        return -1;
    }
    (void)snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (host->plain && host->parent.path && strcmp(host->parent.path, parent) == 0)
        return host->parent.fd;
    fd = gp_below_open(host->root_fd, confined(host), parent, O_PATH | O_DIRECTORY, 0);
    if (fd < 0)
        return -1;
    gp_host_forget_parent(host);
    host->parent.path = strdup(parent);
    if (!host->parent.path)
        abort();
    host->parent.fd = fd;
    return fd;
}

struct gp_error *gp_host_readlink_full(struct gp_host *host, struct gp_arena *mem, const char *path,
                                       const char **ret)
{
    const char *leaf = path;
    char target[PATH_MAX];
    ssize_t size = -1;

    if (!confined(host)) {
        size = readlinkat(host->root_fd, path, target, sizeof target);
    } else {
        const int parent = open_parent(host, path, &leaf);

        if (parent >= 0)
            size = readlinkat(parent, leaf, target, sizeof target);
    }
    if (size < 0 && errno == ENOENT) {
        *ret = NULL;
        return NULL;
    }
    if (size < 0)
        return gp_error_errno(errno, "reading the link %s", path);
    if ((size_t)size == sizeof target)
        return gp_error_new(GP_E_IO, "the link %s is too long", path);
    *ret = gp_strndup(mem, target, (size_t)size);
    trace(host, "link", path, *ret, 0);
    record(host, GP_SEEN_LINK, path, *ret, (size_t)size, 0);
    return NULL;
}

struct gp_error *gp_host_readlink(struct gp_host *host, struct gp_arena *mem, const char *path,
                                  const char **ret)
{
    const char *target = NULL, *slash;
    struct gp_error *err = gp_host_readlink_full(host, mem, path, &target);

    if (err)
        return err;
    slash = target ? strrchr(target, '/') : NULL;
    *ret = gp_text_plain(gp_strdup(mem, slash ? slash + 1 : target));
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    int order = gp_strvercmp(*left, *right);

    return order ? order : gp_strcmp(*left, *right);
}

struct gp_error *gp_host_list(struct gp_host *host, struct gp_arena *mem, const char *path,
                              struct gp_strings *ret)
{
    int fd = gp_below_open(host->root_fd, confined(host), path, O_RDONLY | O_DIRECTORY, 0);
    struct gp_strings names = {0};
    struct dirent *entry;
    DIR *dir;
    int errnum;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        *ret = names;
        return NULL;
    }
    if (fd < 0)
        return gp_error_errno(errno, "listing %s", path);
    dir = fdopendir(fd);
    if (!dir)
        abort();
    errno = 0;
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            *gp_push(mem, names.items, names.count) = gp_strdup(mem, entry->d_name);
        errno = 0;
    }
    errnum = errno;
    (void)closedir(dir);
    if (errnum)
        return gp_error_errno(errnum, "listing %s", path);
    trace(host, "list", path, NULL, 0);
    record(host, GP_SEEN_LIST, path, &names, sizeof names, 0);
    if (names.count)
        qsort(names.items, names.count, sizeof *names.items, by_number);
    *ret = names;
    return NULL;
}

bool gp_host_exists(struct gp_host *host, const char *path)
{
    gp_cleanup(gp_close_p) int fd = gp_below_open(host->root_fd, confined(host), path, O_PATH, 0);

    if (fd >= 0)
        record(host, GP_SEEN_THERE, path, NULL, 0, 0);
    return fd >= 0;
}

int gp_host_open_path(const struct gp_host *host, const char *path, int flags)
{
    return gp_below_open(host->root_fd, confined(host), path, flags, 0);
}
