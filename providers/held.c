#include "cleanup.h"
#include "clock.h"
#include "host.h"
#include "text.h"
#include "unheld.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* On a busy machine even a close takes its time to be counted. The walk through proc takes its time, too: whatever it
 * took, who was gone before he could be named is asked for again. */
#define RETRY_FOR_MS 500
#define RETRIES      2
#define RETRY_MS     5

/* The nodes that a guest opens to have @group: the group's, or with iommufd that of a device in it.
 * Fact: Linux drivers/vfio/group.c, vfio_group_fops_open(): EBUSY as well while a device of the group is open that way. */
static struct gp_strings nodes_of(struct gp_host *host, struct gp_arena *mem, int32_t group)
{
    const char *dir = gp_printf(mem, "sys/kernel/iommu_groups/%d/devices", group);
    struct gp_strings nodes = {0}, members, devices;
    struct gp_error *err = gp_host_list(host, mem, dir, &members);

    *gp_push(mem, nodes.items, nodes.count) = gp_printf(mem, "/dev/vfio/%d", group);
    for (size_t i = 0; !err && i < members.count; i++) {
        err = gp_host_list(host, mem, gp_printf(mem, "%s/%s/vfio-dev", dir, members.items[i]), &devices);
        for (size_t n = 0; !err && n < devices.count; n++)
            *gp_push(mem, nodes.items, nodes.count) = gp_printf(mem, "/dev/vfio/devices/%s", devices.items[n]);
    }
    gp_error_free(err); /* there is a name less to know him by */
    return nodes;
}

static bool is_one_of(const struct gp_strings *nodes, const char *target)
{
    for (size_t i = 0; i < nodes->count; i++) {
        const size_t size = strlen(target), tail = strlen(nodes->items[i]);

        if (size >= tail && strcmp(target + size - tail, nodes->items[i]) == 0)
            return true;
    }
    return false;
}

static enum gp_held find_opener(struct gp_host *host, struct gp_arena *mem, const struct gp_strings *nodes,
                                const char **ret_holder)
{
    struct gp_strings pids, fds;
    gp_cleanup(gp_error_free_p) struct gp_error *err = gp_host_list(host, mem, "proc", &pids);

    if (err)
        return GP_HELD_UNKNOWN;
    for (size_t i = 0; i < pids.count; i++) {
        const char *fd_dir = gp_printf(mem, "proc/%s/fd", pids.items[i]);

        if (strspn(pids.items[i], "0123456789") != strlen(pids.items[i]))
            continue;
        gp_error_free_p(&err);
        err = gp_host_list(host, mem, fd_dir, &fds);
        if (err)
            continue;
        for (size_t n = 0; n < fds.count; n++) {
            const char *target = NULL, *comm = NULL;

            gp_error_free_p(&err);
            err = gp_host_readlink_full(host, mem, gp_printf(mem, "%s/%s", fd_dir, fds.items[n]),
                                        &target);
            if (!target || !is_one_of(nodes, target))
                continue;
            gp_error_free_p(&err);
            err = gp_host_read(host, mem, gp_printf(mem, "proc/%s/comm", pids.items[i]), &comm);
            /* It let go in between, or has ended. */
            if (err && err->code == GP_E_GONE)
                return GP_HELD_UNKNOWN;
            *ret_holder = gp_text_plain(gp_printf(mem, "pid %s (%s)", pids.items[i], comm ? comm : "?"));
            return GP_HELD_YES;
        }
    }
    return GP_HELD_NO;
}

/* All that is read for it is let go of again. */
enum gp_held gp_host_opened(struct gp_host *host, struct gp_arena *mem, const struct gp_strings *nodes,
                            const char **ret_holder)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *scratch = gp_arena_new();
    const char *holder = NULL;
    const enum gp_held opened = find_opener(host, scratch, nodes, &holder);

    *ret_holder = holder ? gp_strdup(mem, holder) : NULL;
    return opened;
}

/* Who holds @group, NULL: cannot be told. */
static const char *find_holder(struct gp_host *host, struct gp_arena *mem, int32_t group)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *scratch = gp_arena_new();
    const struct gp_strings nodes = nodes_of(host, scratch, group);
    const char *holder;

    (void)gp_host_opened(host, mem, &nodes, &holder);
    return holder;
}

/* Whether this may be somebody who only looked: gpupart itself, in another thread or as another command (a close
 * may still be on its way to where it is counted: FUSE releases asynchronously), or one who was gone before it
 * could be named. */
static bool is_look(const char *holder)
{
    char us[32];

    (void)snprintf(us, sizeof us, "pid %d (", (int)getpid());
    return !holder || gp_starts_with(holder, us) || strstr(holder, " (gpupart)") != NULL;
}

/* The file that stands for the node in a capture. Of anything else nothing is read: a device has no such text. */
static enum gp_held read_captured(struct gp_arena *mem, int fd, const char **ret_holder)
{
    static const char held[] = "held", by[] = "held by ";
    char text[256];
    struct stat st;
    ssize_t size;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return GP_HELD_NO;
    size = read(fd, text, sizeof text - 1);
    if (size <= 0)
        return GP_HELD_NO;
    text[size] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (gp_starts_with(text, by))
        *ret_holder = gp_text_plain(gp_strdup(mem, text + sizeof by - 1));
    return gp_starts_with(text, held) ? GP_HELD_YES : GP_HELD_UNKNOWN;
}

/* Opens @path as a guest would. A capture may lie on a disk that cannot be written to, and its files are only read. */
static int open_node(struct gp_host *host, const char *path)
{
    const int flags = O_NONBLOCK | O_NOFOLLOW;
    int fd = gp_host_open_path(host, path, O_RDWR | flags);
    int errnum = errno;
    struct stat st;

    if (fd >= 0 || gp_streq(host->root, "/") || (errnum != EACCES && errnum != EPERM && errnum != EROFS))
        return fd;
    fd = gp_host_open_path(host, path, O_RDONLY | flags);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    if (fd >= 0)
        (void)close(fd);
    errno = errnum;
    return -1;
}

static enum gp_held look(struct gp_host *host, struct gp_arena *mem, const char *path, int32_t group,
                         const char **ret_holder)
{
    const uint64_t until = gp_monotonic_ms() + RETRY_FOR_MS;
    int fd, errnum;

    for (int attempt = 0;; attempt++) {
        enum gp_held held = GP_HELD_NO;

        /* A process that is made now would hold the group for as long as it writes. */
        gp_worker_hold_back();
        fd = open_node(host, path);
        errnum = errno;
        if (fd >= 0) {
            held = read_captured(mem, fd, ret_holder);
            (void)close(fd);
        }
        gp_worker_go_on();
        if (host->trace)
            host->trace(gp_printf(mem, "sysfs open %s: %s", path,
                                  fd < 0 ? strerrordesc_np(errnum) : "not held"));
        if (fd >= 0)
            return held;
        if (errnum == ENOENT || errnum == ENOTDIR)
            return GP_HELD_NO;
        if (errnum != EBUSY)
            return GP_HELD_UNKNOWN;
        *ret_holder = find_holder(host, mem, group);
        if (!is_look(*ret_holder) || (attempt >= RETRIES && gp_monotonic_ms() >= until))
            return GP_HELD_YES;
        gp_sleep_ms(RETRY_MS);
    }
}

enum gp_held gp_host_held(struct gp_host *host, struct gp_arena *mem, int32_t group,
                          const char **ret_holder)
{
    const char *path;
    enum gp_held held;

    *ret_holder = NULL;
    if (group < 0)
        return GP_HELD_NO;
    path = gp_printf(mem, "dev/vfio/%d", group);
    held = look(host, mem, path, group, ret_holder);
    if (host->may_change)
        gp_unheld_note(host, group, held);
    if (host->recorder) {
        gp_cleanup(gp_close_p) int node = gp_host_open_path(host, path, O_PATH | O_NOFOLLOW);

        if (node >= 0)
            host->recorder->seen(host->recorder->data, GP_SEEN_HELD, path, &held, sizeof held, *ret_holder, 0);
    }
    return held;
}

void gp_host_held_ask(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu)
{
    const char *holder;

    for (size_t i = 0; i < gpu->partition_count; i++)
        if (gpu->partitions[i].live)
            (void)gp_host_held(host, mem, gpu->partitions[i].group, &holder);
}
