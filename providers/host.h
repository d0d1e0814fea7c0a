/* Every effect a provider may have on the host. Give it another root and the same code runs against a
 * capture or the simulator. */
#pragma once

#include "arena.h"
#include "error.h"
#include "model.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct gp_worker;
struct pci_access;
struct gp_vpd_known;
struct gp_unheld;

/* Hears of everything that is read through a host (capture.c). */
enum gp_seen {
    GP_SEEN_READ, /* @bytes are the contents */
    GP_SEEN_LINK, /* @bytes are the target, ended by NUL */
    GP_SEEN_LIST, /* @bytes is the struct gp_strings of names */
    GP_SEEN_THERE, /* it exists */
    GP_SEEN_HELD  /* @bytes is the enum gp_held of a device node that exists, @holder who it is or NULL */
};
struct gp_recorder {
    /* @errnum: why it could not be read, 0: it could. */
    void (*seen)(void *data, enum gp_seen what, const char *path, const void *bytes, size_t size,
                 const char *holder, int errnum);
    void *data;
};

/* For one thread at a time; threads that work side by side open one each. */
struct gp_host {
    int root_fd;            /* the directory under which sys/, dev/ and proc/ lie; openat() from there, always */
    const char *root;       /* its path, "/" for the real one */
    const char *machine_id; /* 32 hex digits: the namespace of stable mdev UUIDs; the caller's */
    bool plain;             /* a capture in plain files: reading one never hangs */
    bool may_change;        /* false: every write is refused with GP_E_REFUSED */
    const char *sriov_manage; /* nvidia.sriovManage of GpuAgent; NULL: not configured; the caller's */
    uint32_t io_timeout_ms;   /* a single sysfs read or write that takes longer is GP_E_HUNG */
    uint32_t self_removal_ms; /* how long a driver is given to remove what a guest had before that is done for it */
    uint32_t client_ms;       /* how long a program of the host is given to let go of a GPU (clients.h) */
    /* Traces one access to stderr ("sysfs read PATH = VALUE"), NULL: no trace. Set from GPUPART_TRACE. */
    void (*trace)(const char *line);
    struct {
        char *path; /* NULL: none */
        int fd;
    } parent; /* where a link was last read in a capture: others of the same device follow (host.c) */
    const struct gp_recorder *recorder; /* NULL: nobody listens; the caller's */
    struct gp_worker *worker; /* reads what may not come back */
    char *room;               /* what was read last */
    pid_t left_writing;       /* our child: the last write or tool that did not come back and cannot be ended; 0: none */
    bool all_names;           /* somebody wants to read them: GPUs that the catalogue knows are named by pci.ids as well */
    struct pci_access *names; /* pci.ids, read once (scan.c) */
    struct gp_vpd_known *vpds; /* serial numbers, read once (vpd.c) */
    struct gp_unheld *unheld;  /* since when nobody holds a group (unheld.c); only of a host that may change */
};

/* Opens @root. The caller closes with gp_host_close(). */
struct gp_error *gp_host_open(const char *root, bool may_change, struct gp_host *ret) GP_MUST_CHECK;
void gp_host_close(struct gp_host *host);

/* Paths are relative to the root, as "sys/bus/pci/devices/0000:08:00.0/sriov_numvfs". No link leads out
 * of a root other than "/". */

/* The contents less the final newline. GP_E_GONE if there is no such file. Reads at most 64 KiB. Read in another process
 * with io_timeout_ms, since an attribute may wait for a device's lock; plain files are read at once. */
struct gp_error *gp_host_read(struct gp_host *host, struct gp_arena *mem, const char *path,
                              const char **ret) GP_MUST_CHECK;
/* The first @max bytes, at most 64 KiB, as they are. */
struct gp_error *gp_host_read_bytes(struct gp_host *host, struct gp_arena *mem, const char *path, size_t max,
                                    const void **ret, size_t *ret_size) GP_MUST_CHECK;
/* Decimal, or hex with 0x. */
struct gp_error *gp_host_read_u64(struct gp_host *host, const char *path, uint64_t *ret) GP_MUST_CHECK;
/* The same, of a number that is @max at most: what is larger is GP_E_IO too, and not cut off. */
struct gp_error *gp_host_read_u32(struct gp_host *host, const char *path, uint32_t max,
                                  uint32_t *ret) GP_MUST_CHECK;
/* One write(2) of @text. The kernel's errno becomes the code; written in another process with io_timeout_ms,
 * since a write to sysfs may never come back and cannot be killed. */
struct gp_error *gp_host_write(struct gp_host *host, const char *path, const char *text) GP_MUST_CHECK;
/* The same with a deadline of its own: making 32 VFs takes longer than one attribute should. */
struct gp_error *gp_host_write_within(struct gp_host *host, const char *path, const char *text,
                                      uint32_t timeout_ms) GP_MUST_CHECK;
/* The last component of the link's target ("nvidia" for driver), as gp_text_plain() leaves it; NULL in @ret if there is no such link. */
struct gp_error *gp_host_readlink(struct gp_host *host, struct gp_arena *mem, const char *path,
                                  const char **ret) GP_MUST_CHECK;
/* The link's whole target as it is written; NULL in @ret if there is no such link. */
struct gp_error *gp_host_readlink_full(struct gp_host *host, struct gp_arena *mem, const char *path,
                                       const char **ret) GP_MUST_CHECK;
/* Names in a directory, sorted with numbers as numbers, without "." and "..". None if it is not there. */
struct gp_error *gp_host_list(struct gp_host *host, struct gp_arena *mem, const char *path,
                              struct gp_strings *ret) GP_MUST_CHECK;
bool gp_host_exists(struct gp_host *host, const char *path);
/* Closes the folder that was looked into last, which is kept open in a capture. For gp_host_close(). */
void gp_host_forget_parent(struct gp_host *host);
/* A descriptor of @path for providers/ themselves, -1 and errno if there is none; the caller closes. Does not wait. */
int gp_host_open_path(const struct gp_host *host, const char *path, int flags);

/* Whether somebody holds the VFIO device of @group (dev/vfio/GROUP cannot be opened while in use; EBUSY is
 * held, no node is not held, any other failure is unknown), with the holder's name from proc where it can
 * be told. @group -1: no. It is asked whatever the device's driver is called: variants of vfio-pci have names of their
 * own (xe-vfio-pci, nvgrace-gpu-vfio-pci), and a group without any driver of VFIO has no node. In a capture the node is
 * a plain file that tells what was found: empty, "unknown", "held" or "held by HOLDER".
 * Fact: Linux drivers/vfio/group.c, vfio_group_fops_open(): one opener at a time, EBUSY to others. */
enum gp_held gp_host_held(struct gp_host *host, struct gp_arena *mem, int32_t group,
                          const char **ret_holder);
/* Asks that of each live partition of @gpu, as it was seen through another host: the time since which nobody holds them
 * (unheld.h) begins now for all, and not one after the other as each is asked for. */
void gp_host_held_ask(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu);

/* Whether a process has one of @nodes ("/dev/nvidia0") open, with its name as above: proc is walked through. Unknown where
 * proc cannot be listed, or where he was gone before he could be named. A process whose open files cannot be listed is
 * passed over: most often it has just ended. */
enum gp_held gp_host_opened(struct gp_host *host, struct gp_arena *mem, const struct gp_strings *nodes,
                            const char **ret_holder);

/* Runs a tool of the host to its end, at most @timeout_ms, without a shell, in an environment of its own
 * (PATH, LC_ALL, GPUPART_ROOT); its last lines of output are in the error. GP_E_REFUSED if !may_change.
 * Under a root other than "/", @argv[0] is looked up and run only if GPUPART_SIMULATED_TOOLS=1 is set, which
 * the simulator does: nothing below a root is ever executed. */
struct gp_error *gp_host_run(struct gp_host *host, const char *const *argv, uint32_t timeout_ms) GP_MUST_CHECK;
