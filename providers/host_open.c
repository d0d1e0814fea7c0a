/* Opening a root, and closing it with all that was kept of it. */
#include "cleanup.h"
#include "host.h"
#include "scan.h"
#include "text.h"
#include "unheld.h"
#include "vpd.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define IO_TIMEOUT_MS 10000
/* Fact: some NVIDIA drivers (14.4, 15.x) remove the mdev of a guest that ended by themselves; removing it first leaves the
 * vGPU unusable until the host reboots (Proxmox qemu-server 49c51a60, which waits as long). */
#define SELF_REMOVAL_MS 10000
/* As long as NVIDIA's sriov-manage is tried again for the same reason (nvidia/vfs.c). */
#define CLIENT_MS 5000

static void trace_to_stderr(const char *line)
{
    (void)fprintf(stderr, "%s\n", line);
}

/* A capture lies in plain files: reading one waits for nobody's lock and comes back, so that no process and no deadline
 * is needed. What is mounted from a process (the simulator, FUSE) or from another machine, and sysfs itself, may keep a
 * reader for ever; they are not in this list. */
static bool has_plain_files(int fd)
{
    enum { XFS = 0x58465342 }; /* Fact: Linux fs/xfs/libxfs/xfs_format.h, XFS_SB_MAGIC; not in linux/magic.h */
    static const long plain[] = {TMPFS_MAGIC, RAMFS_MAGIC, EXT4_SUPER_MAGIC, BTRFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, XFS};
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if ((unsigned long)fs.f_type == (unsigned long)plain[i])
            return true;
    return false;
}

struct gp_error *gp_host_open(const char *root, bool may_change, struct gp_host *ret)
{
    const char *trace = getenv("GPUPART_TRACE");
    gp_cleanup(gp_free_p) char *real = realpath(root, NULL);
    int fd = real ? open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool plain;

    if (fd < 0)
        return gp_error_errno(errno, "the root '%s' cannot be opened", root);
    plain = strcmp(real, "/") != 0 && has_plain_files(fd);
    *ret = (struct gp_host){
        .root_fd = fd,
        .root = gp_steal(real),
        .may_change = may_change,
        .plain = plain,
        .io_timeout_ms = IO_TIMEOUT_MS,
        .self_removal_ms = SELF_REMOVAL_MS,
        .client_ms = CLIENT_MS,
        .trace = trace && strstr(trace, "sysfs") ? trace_to_stderr : NULL,
    };
    return NULL;
}

void gp_host_close(struct gp_host *host)
{
    gp_worker_free(host->worker);
    host->worker = NULL;
    gp_host_forget_parent(host);
    gp_scan_forget(host);
    gp_vpd_forget(host);
    gp_unheld_forget(host);
    free(host->room);
    host->room = NULL;
    if (host->root_fd >= 0)
        (void)close(host->root_fd);
    host->root_fd = -1;
    free((char *)host->root);
    host->root = NULL;
}
