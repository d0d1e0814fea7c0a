#include "cleanup.h"
#include "host.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OWN_RETRIES  20
#define UNNAMED_RETRIES 4
#define OWN_RETRY_MS 5

/* Looks through proc for who has dev/vfio/@group open. NULL: cannot be told. */
static const char *find_holder(struct gp_host *host, struct gp_arena *mem, int32_t group)
{
    const char *node = gp_printf(mem, "/dev/vfio/%d", group);
    struct gp_strings pids, fds;
    gp_cleanup(gp_error_free_p) struct gp_error *err = gp_host_list(host, mem, "proc", &pids);

    if (err)
        return NULL;
    for (size_t i = 0; i < pids.count; i++) {
        const char *fd_dir = gp_printf(mem, "proc/%s/fd", pids.items[i]);

        if (strspn(pids.items[i], "0123456789") != strlen(pids.items[i]))
            continue;
        gp_error_free_p(&err);
        err = gp_host_list(host, mem, fd_dir, &fds);
        if (err)
            continue;
        for (size_t n = 0; n < fds.count; n++) {
            const char *target = NULL, *comm = "?";
            size_t size;

            gp_error_free_p(&err);
            err = gp_host_readlink_full(host, mem, gp_printf(mem, "%s/%s", fd_dir, fds.items[n]),
                                        &target);
            size = target ? strlen(target) : 0;
            if (size < strlen(node) || strcmp(target + size - strlen(node), node) != 0)
                continue;
            gp_error_free_p(&err);
            err = gp_host_read(host, mem, gp_printf(mem, "proc/%s/comm", pids.items[i]), &comm);
            return gp_printf(mem, "pid %s (%s)", pids.items[i], comm);
        }
    }
    return NULL;
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

enum gp_held gp_host_held(struct gp_host *host, struct gp_arena *mem, int32_t group,
                          const char **ret_holder)
{
    char path[64];
    int fd, errnum;

    *ret_holder = NULL;
    if (group < 0)
        return GP_HELD_NO;
    (void)snprintf(path, sizeof path, "dev/vfio/%d", group);
    for (int attempt = 0;; attempt++) {
        fd = openat(host->root_fd, path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        errnum = errno;
        if (host->trace)
            host->trace(gp_printf(mem, "sysfs open %s: %s", path,
                                  fd < 0 ? strerrordesc_np(errnum) : "not held"));
        if (fd >= 0) {
            (void)close(fd);
            return GP_HELD_NO;
        }
        if (errnum == ENOENT || errnum == ENOTDIR)
            return GP_HELD_NO;
        if (errnum != EBUSY)
            return GP_HELD_UNKNOWN;
        *ret_holder = find_holder(host, mem, group);
        if (!is_look(*ret_holder) ||
            attempt >= (*ret_holder ? OWN_RETRIES : UNNAMED_RETRIES))
            return GP_HELD_YES;
        gp_host_sleep_ms(OWN_RETRY_MS);
    }
}
