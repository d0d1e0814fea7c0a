/* gpusim: a host's sys/, proc/ and dev/ as far as GPU partitions are concerned, served over FUSE
 * and answering writes as the kernel and the drivers do. A program of its own, so that it outlives
 * a killed gpupart as a kernel does, and independent of gpupart's code, so that both can be wrong
 * only apart.
 *
 * One lock guards all state. What takes time in a kernel (enabling VFs, waiting for a holder)
 * sleeps with that lock released and the device's own lock kept, so that only those wait who would
 * wait there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* ---- tree.c: nodes ---- */

struct node;

/* One kind of file. Both are called with the lock held; 0 or a negative errno. */
struct attr {
    const char *name;
    mode_t mode;
    int (*show)(struct node *node, FILE *out);
    int (*store)(struct node *node, const char *text, size_t len);
};

enum node_kind { NODE_DIR, NODE_LINK, NODE_FILE };

struct node {
    struct node *parent, *children, *next;
    char *name;
    enum node_kind kind;
    mode_t mode;
    char *text; /* a link's target, a file's fixed bytes */
    size_t len;
    const struct attr *attr; /* NULL: fixed bytes */
    void *owner;             /* what @attr is about */
    struct group *group;     /* a dev/vfio node: opening holds it */
    uint64_t visible_ms;     /* hidden until then */
    bool lasting;            /* its name never goes, so that nobody need ask again */
    uint64_t lookups;        /* FUSE's references, */
    unsigned opens;          /* and those of open files: a dead node lives until both are gone */
    bool dead;
};

extern struct node sim_root;

struct node *sim_dir(struct node *parent, const char *name);
/* Makes the directories on the way, all of which stay for good; @path is relative to the root. */
struct node *sim_mkdirs(const char *path, ...) __attribute__((format(printf, 1, 2)));
/* A file that always reads as this. */
struct node *sim_text(struct node *dir, const char *name, mode_t mode, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
struct node *sim_bytes(struct node *dir, const char *name, mode_t mode, const void *data,
                       size_t len);
struct node *sim_attr(struct node *dir, const struct attr *attr, void *owner);
/* @table ends with a row without name. */
void sim_attrs(struct node *dir, const struct attr *table, void *owner);
/* A relative link, as sysfs makes them. */
struct node *sim_link(struct node *dir, const char *name, struct node *target);
struct node *sim_link_text(struct node *dir, const char *name, const char *target);
/* Removes @node and all below; NULL is nothing. */
void sim_remove(struct node *node);
void sim_remove_name(struct node *dir, const char *name);
void sim_node_put(struct node *node); /* frees it if it is dead and nobody refers to it */

struct node *sim_child(struct node *dir, const char *name); /* visible or not */
bool sim_visible(const struct node *node);
/* From the root, without a slash in front; the caller frees. */
char *sim_path(const struct node *node);
/* Follows links; NULL if there is nothing. */
struct node *sim_walk(const char *path);

/* ---- time and waiting: gpusim.c ---- */

void sim_lock(void);
void sim_unlock(void);
void sim_wait(void);    /* until something changed; the lock is released meanwhile */
void sim_changed(void); /* wakes all who wait */
uint64_t sim_now_ms(void);
uint64_t sim_scaled(unsigned ms); /* times --time-scale */
/* A kernel's delay of @ms, scaled; the lock is released meanwhile. At once while the host is set
 * up. */
void sim_delay(unsigned ms);
extern double sim_time_scale;
extern bool sim_booting;

/* ---- models.c ---- */

struct vgpu_type {
    unsigned id, gib,
        max; /* gib: the profile's size; max: per GPU without MIG, or on the whole GPU with */
    const char *name; /* after "NVIDIA A2-" */
    unsigned slices;  /* MIG slices of the GPU instance it needs; 0: time-sliced */
};

/* Whose PF driver it is that decides how VFs come and go. */
enum mechanism {
    MECH_DEFAULT, /* as the model and the host say */
    MECH_NVIDIA_VFIO,
    MECH_NVIDIA_MDEV,
    MECH_MDEV_PF,
    MECH_SRIOV,
    MECH_NONE
};

struct model {
    const char *name;
    const char *prefix; /* of the type names */
    uint16_t vendor, device, subvendor, subdevice;
    uint32_t class;
    unsigned totalvfs, offset, stride, gib, slices;
    const char *driver, *vf_driver; /* what the kernel binds by itself; NULL: nothing */
    enum mechanism mechanism;
    const char *bar1; /* a line of "resource" */
    const struct vgpu_type *types;
};

const struct model *sim_model(const char *name);   /* NULL: unknown */
uint16_t sim_vf_device(const struct model *model); /* the PCI device id of its VFs */
void sim_models_print(FILE *out);
const struct vgpu_type *sim_type(const struct model *model, unsigned id);

/* ---- vfio.c: IOMMU groups and who holds them ---- */

struct group {
    struct group *next;
    int number;
    unsigned members, vfio; /* devices in it; of these, with a VFIO driver */
    struct node *dir, *dev;
    bool held;              /* its node is open */
    bool used;              /* and not only to see whether it can be: a guest has what is in it */
    pid_t pid;
    char holder[64];
    struct node *proc, *proc_fd;
    uint64_t closing_ms;    /* when its holder last called close() */
    uint64_t released_ms;   /* when the last guest went; 0: none did */
};

struct group *sim_group(int number); /* made if need be */
int sim_group_fresh(void);           /* a number that nothing has had */
void sim_group_add(struct group *group, const char *name, struct node *device);
void sim_group_del(struct group *group, const char *name);
void sim_group_vfio(struct group *group, int change); /* a member got or lost a VFIO driver */
/* A guest that nobody sees comes to have it. EBUSY if somebody holds it. */
int sim_group_hold(struct group *group, pid_t pid, const char *holder);
void sim_group_release(struct group *group);
void sim_groups_free(void); /* at reboot: nothing is held */
void sim_groups_print(FILE *out);
/* As open() of the node does: shortly waits for a close() that FUSE has not told yet. */
int sim_group_open(struct group *group, pid_t pid, const char *node);
/* Whoever has it open takes what is in it. */
void sim_group_use(struct group *group);
extern int sim_next_group;

/* ---- pci.c, driver.c: devices and drivers ---- */

struct driver {
    struct driver *next;
    char name[32];
    bool vfio;
    struct node *dir;
    struct {
        unsigned vendor, device;
    } ids[16];
    unsigned id_count;
};

struct gpu_instance {
    unsigned id, slices;
};

struct device {
    struct device *next;
    unsigned domain, rid; /* rid: bus << 8 | devfn */
    char name[24];
    const struct model *model; /* NULL: not a GPU */
    uint16_t vendor, device, subvendor, subdevice;
    uint32_t class;
    char native[32];  /* the driver that matches by itself; "": none */
    char initial[32]; /* the driver at the start */
    char slot[16], serial[32], client[32];
    int numa, group_given; /* group_given -1: none, -2: a fresh one */
    bool boot_vga, bridge, locked, present;
    bool gone;          /* being taken away whatever holds it: nobody waits */
    bool absent;        /* pulled out of the machine: a rescan does not find it */
    unsigned secondary; /* a bridge's bus behind it */

    struct node *dir;
    struct driver *driver;
    char override[64], reset_method[32];
    struct group *group;
    int vfio_number;

    enum mechanism mechanism;
    unsigned totalvfs, numvfs, makes; /* makes: the most VFs that really come */
    bool autoprobe, changing;
    struct device *vfs;

    struct device *pf; /* of a VF */
    unsigned index;

    /* NVIDIA, on the PF */
    bool unbind_lock, mixed;
    struct gpu_instance instances[8];
    unsigned instance_count;
    unsigned minor;            /* of its dev/nvidiaN, while the driver has it */
    struct node *proc, *opener; /* opener: proc/PID of its client */
    /* NVIDIA, on a VF with the vendor's VFIO framework */
    const struct vgpu_type *type;
    unsigned placement, instance;
    char params[256];
    bool wedged; /* unbound and bound again: dead until VFs are cycled */
    unsigned mdev_count;

    unsigned profile[4]; /* Intel: quantum, timeout, priority, (unused) */
    unsigned long long vram_quota;
};

extern struct device *sim_devices;

struct device *
sim_device(const char *name); /* by address, or a GPU's slot as "slot3"; NULL if not there */
/* By what is written to bind and the like: an address, with a newline or without. */
struct device *sim_device_written(const char *text, size_t len);
void sim_device_lock(struct device *dev);
void sim_device_unlock(struct device *dev);
void sim_hotplug_lock(
    void); /* before a device's own, and before any device but a VF comes or goes */
void sim_hotplug_unlock(void);
void sim_device_name(struct device *dev);
void sim_device_add(struct device *dev); /* appears on the bus; does not probe */
/* Disappears: driver unbound, VFs first. Blocks while something holds it. */
void sim_device_del(struct device *dev);
void sim_device_probe(struct device *dev); /* what a bus does with a device without driver */
int sim_bind(struct device *dev, struct driver *driver);
void sim_unbind(struct device *dev);
struct driver *sim_driver(const char *name); /* made if need be */
bool sim_is_vfio(const struct device *dev);
bool sim_is_gpu(const struct device *dev);

/* ---- sriov.c ---- */

void sim_sriov_attrs(struct device *pf);
/* What the PF driver's callback or sriov-manage does, @count being anything. */
int sim_sriov_enable(struct device *pf, unsigned count);
int sim_sriov_disable(struct device *pf);
int sim_sriov_callback(const struct device *pf); /* 0, or -ENOENT if the bound driver has none */
void sim_sriov_lose(
    struct device *pf); /* as a reset of the card does: at once, whoever holds them */
extern bool sim_i915_sriov, sim_xe_admin;

/* ---- nvidia.c ---- */

bool sim_nvidia_driver(const struct device *dev); /* on "nvidia", and of NVIDIA */
void sim_nvidia_bound(struct device *dev);
void sim_nvidia_unbound(struct device *dev);
bool sim_nvidia_busy(const struct device *pf); /* has a client, or a guest on one of its vGPUs */
void sim_client(struct device *pf, const char *name); /* who has it open; "": nobody */
struct vgpu_use {
    unsigned count, gib, total_gib;
};
bool sim_creatable(const struct device *parent, const struct vgpu_type *type,
                   unsigned *ret_placement, unsigned *ret_instance);
void sim_vgpu_use(const struct device *pf, struct vgpu_use *ret);
int sim_vgpu_set(struct device *vf, unsigned id);
extern unsigned sim_teardown_ms;

/* ---- mdev.c ---- */

struct mdev {
    struct mdev *next;
    char uuid[37];
    struct device *parent;
    const struct vgpu_type *type;
    unsigned placement, instance;
    struct group *group;
    struct node *dir, *type_dir;
    bool live, removing, wedged;
    bool self_removed; /* by its driver after a guest, which may end more than once meanwhile */
    char params[256];
};

extern struct mdev *sim_mdevs;
void sim_mdev_load(void); /* the kernel's module: its bus is there before any parent */
void sim_mdev_parent(struct device *dev);   /* shows mdev_supported_types */
void sim_mdev_unparent(struct device *dev); /* removes its mdevs, waiting for those held */
int sim_mdev_create(struct device *parent, const struct vgpu_type *type, const char *uuid);
struct mdev *sim_mdev(const char *uuid);
void sim_mdev_remove(struct mdev *mdev); /* waits while it is held */
void sim_mdevs_lose(struct device *parent);
void sim_mdev_released(struct group *group);
extern int sim_self_remove_ms; /* -1: the driver leaves mdevs alone */

/* ---- intel.c ---- */

void sim_intel_bound(struct device *dev);
void sim_intel_unbound(struct device *dev);
void sim_intel_vf(struct device *vf, bool present);

/* ---- hostfile.c ---- */

/* Reads the file and builds the host; prints what is wrong and returns false. */
bool sim_host_load(const char *path);
bool sim_device_become(struct device *dev, const char *model); /* before it is added */
/* The state after power-up: drivers bound, no VFs; with @initial also what the file says on top. */
void sim_host_boot(bool initial);
void sim_host_reboot(void);
void sim_host_pull(struct device *dev); /* takes the card out, whatever holds it */

/* ---- fault.c: what goes wrong, and the log of writes ---- */

enum rule_kind {
    RULE_FAIL,
    RULE_HANG,
    RULE_HANG_READ,
    RULE_LATE,
    RULE_KILL_BEFORE,
    RULE_KILL_AFTER,
    RULE_COUNT
};
extern const char *const sim_rule_names[RULE_COUNT + 1]; /* ends with NULL */
/* @left: strikes at so many matching writes from now, 0: a failure at each; of late: ms. */
void sim_rule_add(enum rule_kind kind, const char *glob, unsigned left, int err, pid_t pid);
/* Forgets the rules of @kind (-1: all) with this glob (NULL: any). */
void sim_rules_drop(int kind, const char *glob);
void sim_rules_print(FILE *out);
/* A write by @pid: faults, then the node's own answer, then the log. */
int sim_write(struct node *node, const char *text, size_t len, pid_t pid);
int sim_store(struct node *node, const char *text, size_t len); /* the node's own answer alone */
void sim_read_fault(struct node *node);                         /* waits while reads of it hang */
unsigned sim_late_ms(const struct node *node);
void sim_log_print(FILE *out);
void sim_log_clear(void);

/* ---- control.c ---- */

void sim_control_init(void);
void sim_commands_print(FILE *out);
int sim_command(const char *text); /* one line; 0 or a negative errno */

/* ---- dump.c, fs.c ---- */

bool sim_dump(const char *dir);
int sim_serve(const char *mountpoint, bool foreground, const char *options, bool debug);
