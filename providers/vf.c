#include "vf.h"

#include "sysfs.h"

struct gp_error *gp_vfs_observe(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    struct gp_sysfs_vf *vfs;
    size_t count;
    struct gp_error *err = gp_sysfs_vfs(host, mem, gpu->address, &vfs, &count);

    gpu->partitions = NULL;
    gpu->partition_count = 0;
    for (size_t i = 0; !err && i < count; i++) {
        struct gp_partition *vf = gp_push(mem, gpu->partitions, gpu->partition_count);

        vf->index = vfs[i].index;
        vf->device = (struct gp_device){.kind = GP_DEVICE_PCI, .pci = vfs[i].address};
        err = gp_host_readlink(host, mem, gp_sysfs_pci(mem, vfs[i].address, "driver"), &vf->driver);
        if (!err)
            err = gp_sysfs_group(host, mem, gp_sysfs_pci(mem, vfs[i].address, "iommu_group"), &vf->group);
    }
    gpu->vf_count = (uint32_t)gpu->partition_count;
    return err;
}

static bool is_vf_of(const void *closure, struct gp_pci address)
{
    const struct gp_gpu *gpu = closure;

    for (size_t i = 0; i < gpu->partition_count; i++) {
        if (gpu->partitions[i].device.kind == GP_DEVICE_PCI &&
            gp_pci_compare(gpu->partitions[i].device.pci, address) == 0)
            return true;
    }
    return false;
}

struct gp_error *gp_vfs_check_groups(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    for (size_t i = 0; i < gpu->partition_count; i++) {
        const struct gp_partition *vf = &gpu->partitions[i];
        const char *foreigner;
        struct gp_error *err;

        if (i > 0 && vf->group == vf[-1].group)
            continue;
        err = gp_sysfs_foreigner(host, mem, vf->group, is_vf_of, gpu, &foreigner);
        if (err)
            return err;
        if (!foreigner)
            continue;
        gpu->status = GP_GPU_NOT_ASSIGNABLE;
        gpu->reason = gp_printf(mem, "IOMMU group %d of partition %u has %s in it", vf->group, vf->index,
                                foreigner);
        return NULL;
    }
    return NULL;
}

struct gp_error *gp_vf_address(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                               int64_t index, struct gp_pci *ret)
{
    const char *leaf = gp_printf(mem, "virtfn%lld", (long long)index), *target;
    struct gp_error *err = gp_host_readlink(host, mem, gp_sysfs_pci(mem, gpu->address, leaf), &target);

    if (err)
        return err;
    if (!target || !gp_pci_parse(target, ret))
        return gp_error_new(GP_E_GONE, "%s has no VF %lld", gpu->id, (long long)index);
    return NULL;
}
