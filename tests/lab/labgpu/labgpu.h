/* SPDX-License-Identifier: GPL-2.0-or-later */
/* labgpu: makes an SR-IOV GPU of any PCI device with SR-IOV (QEMU's nvme), for tests of what manages GPUs on a real
 * kernel. VFs, IOMMU groups, reset, BARs and vfio are the kernel's own; what a GPU says of itself and what its vendor's
 * driver offers in sysfs is from here. Linux 6.1 to 6.12.
 *
 * What the drivers do stands in facts/nvidia-vgpu.md (sections 2 to 4) and facts/intel-sriov.md (section 2) of the
 * project, and in tests/sim/facts_test.c with its source. */
#ifndef LABGPU_H
#define LABGPU_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/version.h>

/* Which driver a GPU is on, and what that makes of a VF. */
enum lab_kind {
    LAB_XE,   /* driver xe: sriov_numvfs is written by hand, VFs are for vfio-pci */
    LAB_VFIO, /* driver nvidia: VFs are VFIO devices with nvidia/current_vgpu_type */
    LAB_MDEV, /* driver nvidia: VFs are parents of mdevs */
    LAB_SAMPLE, /* no SR-IOV, and no driver from here: it is the parent of a kernel sample's mdevs (sample.h) */
};

struct lab_profile {
    u32 id;
    u32 gib;
    u32 heads;
    u32 frl;
    const char *name;
    const char *resolution;
};

struct lab_model {
    const char *name; /* as in the parameter gpus */
    enum lab_kind kind;
    u16 vendor, device, subsystem_vendor, subsystem_device;
    u32 class;
    u32 gib;
};

struct lab_gpu {
    struct list_head node;
    const struct lab_model *model;
    /* Where it is: what is known of it must outlive every driver that it is bound to. */
    int domain;
    u8 bus_number;
    u8 devfn;
    struct pci_bus *bus;
    struct pci_ops *original, ops;
    u16 sriov;
    /* Profiles: one size at a time. */
    struct mutex lock;
    u32 profile_gib;
    u32 profiles_in_use;
    u32 opened; /* VFs and mdevs that somebody has open */
    bool unbind_locked;
    struct proc_dir_entry *proc;
};

/* main.c */
extern struct list_head lab_gpus;
extern unsigned int lab_teardown_ms;
struct lab_gpu *lab_gpu_of(struct pci_dev *pdev);

/* identity.c: configuration reads say what the model says. */
int lab_identity_take(struct lab_gpu *gpu, struct pci_dev *pdev);
void lab_identity_give_back(struct lab_gpu *gpu);

/* profiles.c; the caller holds gpu->lock. */
#define LAB_PROFILES 15
extern const struct lab_profile lab_profiles[LAB_PROFILES];
const struct lab_profile *lab_profile_find(u32 id);
bool lab_profile_fits(const struct lab_gpu *gpu, const struct lab_profile *profile);
void lab_profile_take(struct lab_gpu *gpu, const struct lab_profile *profile);
void lab_profile_give_back(struct lab_gpu *gpu);

/* vfio.c, mdev.c: a VF under the driver nvidia. */
int lab_vfio_probe(struct pci_dev *pdev, struct lab_gpu *gpu);
void lab_vfio_remove(struct pci_dev *pdev);
int lab_mdev_probe(struct pci_dev *pdev, struct lab_gpu *gpu);
void lab_mdev_remove(struct pci_dev *pdev);
int lab_mdev_init(void);
void lab_mdev_exit(void);

#endif
