/* Paths and questions that several providers ask of sysfs. */
#pragma once

#include "host.h"
#include "model.h"

/* "sys/bus/pci/devices/0000:08:00.0", or with "/LEAF" if @leaf is not NULL. */
const char *gp_sysfs_pci(struct gp_arena *mem, struct gp_pci address, const char *leaf);

/* The number in the name of @path's target, "iommu_group" of a device; -1 if there is no such link. */
struct gp_error *gp_sysfs_group(struct gp_host *host, struct gp_arena *mem, const char *path,
                                int32_t *ret) GP_MUST_CHECK;

/* The VFs that @pf shows now, by index, from its virtfnN links: sriov_numvfs takes the device's lock even
 * to be read, so it may hang. Fact: Linux drivers/pci/pci-sysfs.c and iov.c, sriov_numvfs_show(). */
struct gp_sysfs_vf {
    uint32_t index;
    struct gp_pci address;
};
struct gp_error *gp_sysfs_vfs(struct gp_host *host, struct gp_arena *mem, struct gp_pci pf,
                              struct gp_sysfs_vf **ret, size_t *ret_count) GP_MUST_CHECK;

/* Whether @name is "virtfn" and a number as the kernel writes it. */
bool gp_sysfs_is_vf_link(const char *name);

/* Who in @group keeps its devices from being given to a VM: an endpoint that is on a driver of the host and
 * that @own does not cover. NULL in @ret if there is none. Bridges do not count.
 * Fact: a group is usable when all its endpoints are unbound or bound to a VFIO or stub driver. */
struct gp_error *gp_sysfs_foreigner(struct gp_host *host, struct gp_arena *mem, int32_t group,
                                    bool (*own)(const void *closure, struct gp_pci address),
                                    const void *closure, const char **ret) GP_MUST_CHECK;
/* The first endpoint of @group that @own does not cover, whatever its driver; NULL in @ret if there is none. */
struct gp_error *gp_sysfs_group_mate(struct gp_host *host, struct gp_arena *mem, int32_t group,
                                     bool (*own)(const void *closure, struct gp_pci address),
                                     const void *closure, const char **ret) GP_MUST_CHECK;
/* Whether @driver leaves a device free for VFIO: "vfio-pci", a stub, or none at all. */
bool gp_sysfs_driver_yields(const char *driver);
