/* Whether what a pool asks of a GPU can be done, and what it would risk. */
#include "resolve.h"

#include "text.h"

/* libvirt 10.0.0 is the first that starts a guest with an unmanaged VF which stays on its vendor's VFIO
 * variant driver; those before insist on vfio-pci. */
enum { VENDOR_VFIO_LIBVIRT = 10 * 1000000 };

static bool libvirt_too_old(const struct gp_have *have, const struct gp_gpu *gpu)
{
    return gp_streq(gpu->mechanism, "nvidia-vfio") && have->libvirt_version &&
           !have->hypervisor_is_mock && have->libvirt_version < VENDOR_VFIO_LIBVIRT;
}

static void check_libvirt(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];
    uint32_t version = r->have->libvirt_version;

    if (!r->claims[n].whole && libvirt_too_old(r->have, gpu))
        gp_resolve_block_gpu(r, &r->goal->gpus[n], "GP-E202", r->claims[n].pool->at,
                             "%s needs libvirt 10.0.0 or newer, which starts guests with VFs on "
                             "NVIDIA's own driver; this host has %u.%u.%u",
                             gpu->id, (unsigned)(version / 1000000),
                             (unsigned)(version / 1000 % 1000), (unsigned)(version % 1000));
}

/* Another partition, of this GPU or of another, in the IOMMU group of @partition. */
static const char *group_mate(struct gp_resolve *r, const struct gp_gpu *gpu, const struct gp_partition *partition)
{
    for (size_t n = 0; partition->group >= 0 && n < r->have->gpu_count; n++) {
        const struct gp_gpu *other = &r->have->gpus[n];

        for (size_t p = 0; p < other->partition_count; p++)
            if (&other->partitions[p] != partition && other->partitions[p].group == partition->group)
                return gp_partition_symbol(r->mem, other->id, other->partitions[p].index);
        if (other != gpu && other->group == partition->group)
            return other->id;
    }
    return NULL;
}

/* Who shares an IOMMU group with @gpu, or with a partition of it; NULL: nobody that a guest could reach.
 * Fact: devices of one group can reach each other past the IOMMU. Linux Documentation/driver-api/vfio.rst, "Groups,
 * Devices, and IOMMUs". */
static const char *shares_group(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];

    if (r->claims[n].whole)
        return gpu->shares_group
                   ? gp_printf(r->mem, "%s shares IOMMU group %d with %s", gpu->id, gpu->group, gpu->shares_group)
                   : NULL;
    for (size_t p = 0; p < gpu->partition_count; p++) {
        const char *mate = group_mate(r, gpu, &gpu->partitions[p]);

        if (mate)
            return gp_printf(r->mem, "%s shares IOMMU group %d with %s",
                             gp_partition_symbol(r->mem, gpu->id, gpu->partitions[p].index),
                             gpu->partitions[p].group, mate);
    }
    return NULL;
}

static void check_risks(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];
    const struct gp_pool_decl *pool = r->claims[n].pool;
    struct gp_goal_gpu *goal = &r->goal->gpus[n];
    const unsigned accepted = r->cluster->accept_risk;
    const char *shared = accepted & GP_RISK_SHARED_GROUP ? NULL : shares_group(r, n);

    if (r->have->nested && !(accepted & GP_RISK_NESTED))
        gp_resolve_block_gpu(r, goal, "GP-E112", pool->at,
                             "%s is in a host that is itself a guest; if that is meant, the cluster "
                             "says 'acceptRisk: [nested]'",
                             gpu->id);
    else if (r->claims[n].whole && gpu->boot_vga && !(accepted & GP_RISK_BOOT_DISPLAY))
        gp_resolve_block_gpu(r, goal, "GP-E120", pool->at,
                             "%s shows this host's console; if it is to go, the cluster says "
                             "'acceptRisk: [boot-display]'",
                             gpu->id);
    else if (shared)
        gp_resolve_block_gpu(r, goal, "GP-E120", pool->at,
                             "%s, so that a guest could reach what is not its own; if that is meant, the "
                             "cluster says 'acceptRisk: [shared-iommu-group]'",
                             shared);
}

/* Guests share such a GPU through virtio-gpu and the host's own driver of it. */
static void check_paravirtual(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];
    const struct gp_pool_decl *pool = r->claims[n].pool;
    struct gp_span at = pool->mode_at.line ? pool->mode_at : pool->at;

    if (gpu->render_node)
        gp_resolve_block_gpu(r, &r->goal->gpus[n], "GP-E113", at,
                             "%s could be shared through /dev/dri/%s, but this version of gpupart writes no "
                             "virtio-gpu into definitions: its VMs are left as they are",
                             gpu->id, gpu->render_node);
    else
        gp_resolve_block_gpu(r, &r->goal->gpus[n], "GP-E113", at,
                             "%s has no render node, which sharing it needs: driver %s makes none; it has to be "
                             "on a graphics driver of this host (such as xe, i915, amdgpu or nvidia-drm)",
                             gpu->id, gpu->driver ? gpu->driver : "(none)");
}

/* A GPU that nothing can cut may still be given as a whole, so its status is asked after its mode. One that was
 * left half-way is its mechanism's to judge, which plans the way out or says why there is none. */
void gp_resolve_able(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];
    const struct gp_pool_decl *pool = r->claims[n].pool;
    struct gp_goal_gpu *goal = &r->goal->gpus[n];
    struct gp_span mode_at = pool->mode_at.line ? pool->mode_at : pool->at;
    const char *why = gpu->reason ? gpu->reason : gp_gpu_status_name(gpu->status);

    if (gpu->status == GP_GPU_UNKNOWN) {
        gp_resolve_block_gpu(r, goal, "GP-E506", pool->at, "%s cannot be read, so any may hold it: %s", gpu->id, why);
        return;
    }
    if (pool->mode == GP_MODE_PARAVIRTUAL) {
        check_paravirtual(r, n);
        return;
    }
    if (!gpu->mechanism || !r->input->mechanism(gpu->mechanism))
        gp_resolve_block_gpu(r, goal, "GP-E110", mode_at, "nothing on this host can make %s %s: %s",
                             gpu->id, gp_mode_name(pool->mode), why);
    else if (gpu->status == GP_GPU_UNSUPPORTED && pool->mode == GP_MODE_PARTITIONED)
        gp_resolve_block_gpu(r, goal, "GP-E110", mode_at, "%s cannot be partitioned: %s", gpu->id,
                             why);
    else if (gpu->status == GP_GPU_NOT_ASSIGNABLE)
        gp_resolve_block_gpu(r, goal, "GP-E202", pool->at, "%s cannot be made %s yet: %s", gpu->id,
                             gp_mode_name(pool->mode), why);
    else
        check_risks(r, n);
    check_libvirt(r, n);
}
