#include "passthrough/passthrough.h"

#include "catalog.h"
#include "settle.h"
#include "text.h"
#include "whole.h"

static struct gp_error *plan(const struct gp_gpu *gpu, const struct gp_layout *want,
                             struct gp_steps *steps)
{
    if (want->mode == GP_MODE_PARTITIONED)
        return gp_refuse_unfit(gpu) ?: gp_error_new(GP_E_UNSUPPORTED, "%s cannot be partitioned", gpu->id);
    return gp_whole_plan(gpu, want, NULL, steps);
}

static bool claims(struct gp_host *host, const struct gp_gpu *gpu)
{
    (void)host;
    (void)gpu;
    return true;
}

static bool catalogue_says(const struct gp_catalog_gpu *entry, const char *mechanism)
{
    for (const char *const *name = entry->mechanisms; *name; name++) {
        if (gp_streq(*name, mechanism))
            return true;
    }
    return false;
}

/* Why a GPU that could be cut offers nothing to cut it with. */
static void explain(struct gp_gpu *gpu)
{
    const struct gp_catalog_gpu *entry = gpu->model ? gp_catalog_find(gpu->model) : NULL;

    gpu->status = GP_GPU_UNSUPPORTED;
    gpu->reason = "nothing is known that could partition it; it can be given to a VM as a whole";
    if (!entry)
        return;
    if (entry->totalvfs || catalogue_says(entry, "sriov") || catalogue_says(entry, "sriov-gim")) {
        gpu->status = GP_GPU_PARAVIRTUAL;
        gpu->reason = "it could be partitioned, but shows no virtual functions: turn on SR-IOV in the "
                      "firmware, and use a host driver that offers it";
    } else if (catalogue_says(entry, "vgpu-pf-mdev")) {
        gpu->reason = "it could be partitioned, but NVIDIA's vGPU manager is not loaded";
    } else if (catalogue_says(entry, "mdev-gvtg")) {
        gpu->reason = "it could be partitioned by GVT-g: i915.enable_gvt=1 and the module kvmgt";
    }
}

/* Status and reason from driver and group. */
static void judge(struct gp_gpu *gpu)
{
    explain(gpu);
    if (gpu->not_whole && gpu->status == GP_GPU_UNSUPPORTED) {
        gpu->status = GP_GPU_NOT_ASSIGNABLE;
        gpu->reason = gpu->not_whole;
    } else if (!gpu->driver && !gpu->not_whole) {
        gpu->status = GP_GPU_READY_FOR_PASSTHROUGH;
        gpu->reason = NULL;
    }
    gp_gpu_settle(gpu);
}

static void predict(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step)
{
    (void)mem;
    gp_whole_predict(gpu, step);
    judge(gpu);
}

static struct gp_error *observe(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    struct gp_error *err = gp_whole_observe(host, mem, gpu);

    if (!err)
        judge(gpu);
    return err;
}

static struct gp_error *apply(struct gp_host *host, const struct gp_gpu *gpu, const struct gp_step *step)
{
    if (step->kind == GP_STEP_BIND_DRIVER)
        return gp_whole_apply(host, gpu, step);
    return gp_error_new(GP_E_BUG, "passthrough has no step %s", gp_step_kind_name(step->kind));
}

const struct gp_provider gp_provider_passthrough = {
    .mechanism = {.name = "passthrough", .matches = gp_whole_matches, .plan = plan, .predict = predict},
    .doc = "the whole GPU to one VM through vfio-pci, or to the host (virtio-gpu shares it then)",
    .claims = claims,
    .observe = observe,
    .apply = apply,
};
