/* What the whole program talks about: the declaration as decoded, the host as observed.
 *
 * Plain values in arenas. Nothing in here opens, reads a clock, or logs. Arrays come sorted by the key
 * named beside them; whoever fills one sorts it, so that the same facts always give the same bytes. */
#pragma once

#include "arena.h"
#include "error.h"
#include "numbers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- words shared by both sides ---- */

enum gp_mode { GP_MODE_NONE, GP_MODE_PARTITIONED, GP_MODE_PASSTHROUGH, GP_MODE_PARAVIRTUAL, GP_MODE_COUNT };
const char *gp_mode_name(enum gp_mode mode); /* "none", "partitioned", … */

/* What a step really disturbs now, mildest first; compared with < and >. */
enum gp_class {
    GP_CLASS_NONE, /* no running VM is stopped */
    GP_CLASS_VM,   /* only VMs whose own device changes */
    GP_CLASS_GPU,  /* further VMs of the GPU stop with it */
    GP_CLASS_HOST, /* driver reload or reboot */
    GP_CLASS_COUNT
};
const char *gp_class_name(enum gp_class class);

/* Strictness, strictest first; the effective value of two is the smaller. */
enum gp_allow { GP_ALLOW_UNSET, GP_ALLOW_REPORT, GP_ALLOW_APPROVE, GP_ALLOW_WINDOW, GP_ALLOW_AUTO, GP_ALLOW_COUNT };
const char *gp_allow_name(enum gp_allow allow);

/* A PCI function's address. Domains other than 0 exist, and above 0xffff too (VMD). */
struct gp_pci {
    uint32_t domain;
    uint8_t bus, device, function; /* device 0..31, function 0..7 */
};
int gp_pci_compare(struct gp_pci a, struct gp_pci b);
/* "0000:08:00.4"; the domain has four digits at least. */
const char *gp_pci_text(struct gp_arena *mem, struct gp_pci address);
/* False if @text is not exactly such an address. */
bool gp_pci_parse(const char *text, struct gp_pci *ret);
/* The address @offset + @stride * @index routing ids after @pf. Fact: Linux drivers/pci/iov.c,
 * pci_iov_virtfn_bus() and pci_iov_virtfn_devfn(): devfn is not limited to 8 functions (ARI). */
struct gp_pci gp_pci_vf(struct gp_pci pf, uint32_t offset, uint32_t stride, uint32_t index);

/* How a domain names a device of the host. */
enum gp_device_kind { GP_DEVICE_NONE, GP_DEVICE_PCI, GP_DEVICE_MDEV };
struct gp_device {
    enum gp_device_kind kind;
    struct gp_pci pci;
    const char *uuid; /* lower case */
};
bool gp_device_eq(struct gp_device a, struct gp_device b); /* NONE equals nothing */
/* "0000:08:00.4", "3deab9a4-…" or "none". */
const char *gp_device_text(struct gp_arena *mem, struct gp_device device);
bool gp_device_parse(const char *text, struct gp_device *ret); /* the reverse; ret->uuid points into @text */

/* ---- the declaration ---- */

struct gp_strings {
    const char **items;
    size_t count;
};
bool gp_strings_have(const struct gp_strings *strings, const char *text);

struct gp_host_decl {
    struct gp_span at;
    const char *name;
    const char *machine_id; /* NULL: any */
    bool drained;
};

struct gp_match {
    struct gp_span at;
    const char *model;              /* a catalogue name, or NULL */
    const char *vendor;             /* "nvidia", "intel", "amd" or four hex digits, or NULL */
    const char *device, *subsystem; /* "10de:25b6", lower case, or NULL */
    uint64_t vram;                  /* bytes of the whole GPU; 0: any */
};

struct gp_select {
    struct gp_strings slots, addresses, serials;
};

enum gp_placement { GP_PLACEMENT_SPREAD, GP_PLACEMENT_PACK };

struct gp_pool_decl {
    struct gp_span at, mode_at, hosts_at, count_at, profile_at; /* line 0: not given */
    const char *name;
    enum gp_mode mode;
    struct gp_strings hosts; /* globs; none: hosts where match finds something */
    struct gp_match match;
    struct gp_select select;
    uint32_t count;      /* equal partitions per GPU; 0: not given */
    const char *profile; /* full name or its last word, as given; NULL: not given */
    enum gp_placement placement;
    bool takeover;
};

enum gp_risk { GP_RISK_NESTED = 1, GP_RISK_SHARED_GROUP = 2, GP_RISK_BOOT_DISPLAY = 4 };

struct gp_window {
    struct gp_span at;
    uint8_t days;        /* bit 0 Monday … bit 6 Sunday: the day on which it starts */
    uint16_t start, end; /* minutes after midnight; end <= start: on the next day */
    const char *timezone;
};

enum gp_stop_method { GP_STOP_NONE, GP_STOP_AGENT, GP_STOP_ACPI };

struct gp_stop_policy {
    uint32_t timeout_ms;             /* 0: not given */
    enum gp_stop_method method[2];   /* in this order; GP_STOP_NONE ends it */
    bool force, on_timeout_given;    /* onTimeout: fail | force */
    uint32_t late_within_ms;         /* 0: not given */
};

struct gp_policy {
    struct gp_span at;
    enum gp_allow on_commit[GP_CLASS_COUNT], on_drift[GP_CLASS_COUNT];
    struct gp_window *windows;
    size_t window_count;
    uint32_t max_vms_stopped, max_gpus_changed; /* UINT32_MAX: no limit */
    struct gp_stop_policy stop;
    bool prune_bindings, prune_partitions;
};

enum gp_homogeneity { GP_HOMOGENEITY_IGNORE, GP_HOMOGENEITY_WARN, GP_HOMOGENEITY_ENFORCE };

struct gp_cluster_decl {
    struct gp_span at;
    const char *name;
    struct gp_host_decl *hosts;
    size_t host_count;
    enum gp_homogeneity homogeneity;
    unsigned accept_risk; /* of enum gp_risk */
    struct gp_pool_decl *pools;
    size_t pool_count;
    struct gp_policy policy;
};

struct gp_vm_decl {
    struct gp_span at;
    const char *name; /* or a glob */
    struct gp_strings except;
    const char *host; /* NULL: wherever in the cluster it is defined */
    const char *uuid; /* lower case; NULL: any */
};

struct gp_range {
    uint64_t min, optimal, max; /* 0: not given */
};

struct gp_binding_decl {
    struct gp_span at, pool_at;
    const char *name, *cluster, *pool;
    bool next_start;  /* apply: next-start */
    bool without_gpu; /* ifUnrestorable: without-gpu */
    struct gp_range vram, encode, decode, compute; /* vram in bytes, the others in the driver's units */
    struct gp_span vram_at; /* line 0: not given */
    uint32_t gpu_count; /* whole GPUs per VM, passthrough only; 1 if not given */
    struct gp_span gpu_count_at;
    struct gp_stop_policy stop;
    struct gp_vm_decl *vms;
    size_t vm_count;
};

/* All documents of one commit (or directory), in file order. */
struct gp_declaration {
    const char *commit; /* full id, or NULL for a working tree */
    struct gp_cluster_decl **clusters;
    size_t cluster_count;
    struct gp_binding_decl **bindings;
    size_t binding_count;
};

struct gp_remote_decl {
    struct gp_span at;
    const char *url, *identity, *known_hosts, *ca_file, *token_file; /* paths on the host */
};

struct gp_agent_decl {
    struct gp_span at;
    const char *name, *cluster, *connect;
    struct gp_remote_decl *remotes;
    size_t remote_count;
    const char *ref, *path;
    uint32_t interval_ms;
    bool trust_ssh; /* trust.mode: ssh | none */
    const char *allowed_signers, *floor;
    enum gp_allow ceiling_on_commit[GP_CLASS_COUNT], ceiling_on_drift[GP_CLASS_COUNT];
    uint32_t ceiling_vms_stopped, ceiling_gpus_changed; /* UINT32_MAX: none */
    struct gp_strings never_touch_gpus, never_touch_vms;
    struct gp_strings stop_units; /* hostClients.stop */
    const char *sriov_manage;     /* nvidia.sriovManage */
    uint64_t reserve_memory;      /* bytes */
    const char *observed_url, *metrics;
    struct gp_strings lowerable;
};

/* ---- the host as observed ---- */

/* Unknown counts as held wherever it matters. */
enum gp_held { GP_HELD_NO, GP_HELD_YES, GP_HELD_UNKNOWN };

enum gp_gpu_status {
    GP_GPU_PARTITIONABLE,         /* capable, no partition exists */
    GP_GPU_PARTITIONED,
    GP_GPU_READY_FOR_PASSTHROUGH,
    GP_GPU_PARAVIRTUAL,
    GP_GPU_NOT_ASSIGNABLE,
    GP_GPU_UNSUPPORTED,           /* nothing here can partition it; the reason says what is missing */
    GP_GPU_UNHEALTHY,             /* half-way: for example left on pci-pf-stub by the vendor's tool */
    GP_GPU_UNKNOWN,               /* not observable */
    GP_GPU_STATUS_COUNT
};
const char *gp_gpu_status_name(enum gp_gpu_status status); /* "Partitionable", … */

/* One way to cut a GPU into equal partitions. */
struct gp_valid_count {
    uint32_t count;
    const char *profile; /* the vendor's full name; NULL where partitions have no profile (plain VFs) */
    uint32_t type_id;    /* the vendor's number of that profile; 0: none or unknown */
    uint32_t vram_mib;   /* what a guest can use; 0: unknown */
    const char *source;  /* where this is known from: "catalogue", "mdev_supported_types", "sriov_totalvfs", … */
};

struct gp_partition {
    uint32_t index;          /* from 0: the VF's index, or the mdev's ordinal on its PF */
    struct gp_device device; /* NONE: cannot be told before it exists */
    bool live;               /* exists and could be given to a guest now */
    const char *profile;     /* full name, NULL: none */
    uint32_t type_id;        /* 0: none */
    const char *driver;      /* bound to it now, NULL: none */
    int32_t group;           /* IOMMU group, -1: none */
    enum gp_held held;
    const char *holder;      /* "pid 812 (qemu-system-x86)" or NULL */
    bool quarantined;
};

struct gp_gpu {
    const char *id; /* how plans name it: "slot3" where the firmware tells the slot, else the address */
    struct gp_pci address;
    const char *slot, *serial; /* NULL: unknown */
    const char *path;          /* below sys/devices, for example "pci0000:00/0000:00:03.0/0000:08:00.0" */
    uint16_t vendor, device, subsystem_vendor, subsystem_device;
    uint32_t class_code; /* 24 bits */
    const char *model;   /* the catalogue's name, or NULL */
    const char *family;  /* the catalogue's: "ampere"; NULL: unknown */
    const char *name;    /* libpci's name of it */
    uint32_t vram_mib;   /* nominal, of the whole GPU; 0: unknown */
    int32_t numa_node;   /* -1: unknown */
    const char *driver;  /* bound to the PF, NULL: none */
    int32_t group;
    bool boot_vga;
    const char *render_node; /* "renderD128" of the driver that it is on; NULL: none */
    const char *other_tool;  /* what else is set up to make partitions of it: "mdevctl (etc/mdevctl.d/…)"; NULL: nothing */
    const char *mechanism; /* the provider's name; NULL: no provider claims it */
    enum gp_gpu_status status;
    const char *reason; /* why it has that status, what to do; NULL: nothing to say */
    enum gp_mode mode;  /* what it is now */
    uint32_t count;     /* live partitions */
    const char *profile; /* what they all have in common; NULL: none, or several */
    uint32_t vf_total, vf_count, vf_offset, vf_stride; /* 0 where there is no SR-IOV */
    bool vfs_by_tool; /* VFs are enabled all at once by the vendor's tool, never through sriov_numvfs */
    enum gp_held held; /* the PF itself, as a whole device */
    const char *not_whole; /* why no VM can get it as a whole device (its IOMMU group), NULL: one can */
    const char *companion; /* another function of its own slot and group (sound, USB) that a driver of the host has; NULL: none */
    const char *shares_group; /* a device of another slot in its IOMMU group that no driver of the host has; NULL: none */
    const char *holder;
    struct gp_valid_count *valid; /* by count descending, then profile */
    size_t valid_count;
    struct gp_partition *partitions; /* by index; live ones and free VFs both */
    size_t partition_count;
};

enum gp_power { GP_POWER_OFF, GP_POWER_RUNNING, GP_POWER_PAUSED, GP_POWER_OTHER };
const char *gp_power_name(enum gp_power power);
/* For a message: who has open what is held or may be; @holder as in gp_partition. */
const char *gp_holder_text(enum gp_held held, const char *holder);

struct gp_hostdev {
    struct gp_device device;
    const char *alias; /* NULL: none */
    bool alias_named;  /* the definition names it by its alias to QEMU: a mark would change that */
    bool managed;
    bool ours;         /* alias ua-gpupart-<n>, and the domain's mark fits machine, domain and device */
    bool stray_mark;   /* looks like ours but the mark does not fit: foreign, reported, never detached */
};

/* The metadata element that marks a domain as bound by us. */
struct gp_mark {
    const char *host;      /* machine id */
    const char *vm;        /* domain UUID */
    const char *binding, *pool;
    const char *partition; /* "slot3/2" */
    struct gp_device device;
};

struct gp_vm {
    const char *name, *uuid; /* uuid lower case */
    enum gp_power power;
    bool persistent, autostart;
    const char *unstoppable; /* why it may not be stopped now, NULL: it may */
    bool job_known;          /* unstoppable tells of a job too (backup, migration); else nobody has asked yet */
    const char *untouchable; /* why its definition may not be changed, running or not; NULL: it may */
    bool has_agent;          /* an org.qemu.guest_agent.0 channel that is connected */
    uint64_t memory_kib;
    const char *guest_os;    /* libosinfo's id in its metadata: "http://microsoft.com/win/10"; NULL: not told */
    struct gp_mark *mark;    /* NULL: none */
    bool mark_fits;          /* names this machine and this domain */
    struct gp_hostdev *live; /* of the running domain; PCI and mdev hostdevs only */
    size_t live_count;
    struct gp_hostdev *persistent_devs; /* of the inactive definition */
    size_t persistent_count;
    uint64_t numa_nodes; /* bit n: its memory, else its CPUs, are bound to node n of the host; 0: not bound, or unknown */
    const struct gp_numbers *cpus; /* CPUs of the host that its own are pinned to; NULL: not pinned, or unknown */
};

/* A program of the host that uses its GPUs: what systemd calls a unit. */
enum gp_unit_state { GP_UNIT_INACTIVE, GP_UNIT_ACTIVE, GP_UNIT_UNKNOWN };
const char *gp_unit_state_name(enum gp_unit_state state); /* "inactive", … */

struct gp_unit {
    const char *name; /* "nvidia-persistenced.service" */
    bool listed;      /* GpuAgent lists it: it may be stopped; else it is only owed a start */
    enum gp_unit_state state;
    const char *reason; /* why its state is unknown; NULL otherwise */
};

struct gp_have {
    const char *host, *machine_id;
    bool nested;       /* this host is itself a guest */
    uint64_t memory;   /* of the host, bytes; 0: unknown */
    const char *guests_saved; /* the file in which libvirt-guests is told to save guests at shutdown; NULL: it is not */
    struct gp_gpu *gpus; /* by address */
    size_t gpu_count;
    struct gp_vm *vms; /* by name */
    size_t vm_count;
    struct gp_unit *units; /* that GpuAgent lists, in its order; and those that are owed a start */
    size_t unit_count;
    bool vms_unknown;  /* libvirt could not be asked: nothing about guests is known */
    const char *vms_reason;
    uint32_t libvirt_version; /* as libvirt counts: 9000000 is 9.0.0; 0: unknown */
    bool hypervisor_is_mock;  /* libvirt's test driver, which knows no PCI devices of the host */
};

/* By id; NULL if there is none. */
struct gp_gpu *gp_have_gpu(const struct gp_have *have, const char *id);
struct gp_vm *gp_have_vm(const struct gp_have *have, const char *uuid);
struct gp_unit *gp_have_unit(const struct gp_have *have, const char *name);
struct gp_partition *gp_gpu_partition(const struct gp_gpu *gpu, uint32_t index);
/* The GPU and partition that @device is; false if it is none of them. A whole GPU gives *ret_partition NULL. */
bool gp_have_find(const struct gp_have *have, struct gp_device device, struct gp_gpu **ret_gpu,
                  struct gp_partition **ret_partition);
/* "slot3/2" */
const char *gp_partition_symbol(struct gp_arena *mem, const char *gpu_id, uint32_t index);
bool gp_partition_symbol_parse(struct gp_arena *mem, const char *symbol, const char **ret_gpu_id,
                               uint32_t *ret_index);
/* Copies what gp_mechanism.predict() and the planner change (GPUs, partitions, VMs, hostdevs,
 * units); strings are shared. */
struct gp_have *gp_have_copy(struct gp_arena *mem, const struct gp_have *have);
