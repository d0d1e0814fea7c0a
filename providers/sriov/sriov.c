#include "sriov/sriov.h"

#include "catalog.h"
#include "cleanup.h"
#include "settle.h"
#include "sysfs.h"
#include "text.h"
#include "vf.h"
#include "whole.h"

/* Making VFs takes 0.1 s and their probes, removing them 1 s; some cards take far longer. */
#define SET_TIMEOUT_MS 60000
/* Fact: AMD's gim decides the number of VFs when it loads, by its parameter vf_num. */
#define FIXED_DRIVER "gim"

/* ---- pure ---- */

static const struct gp_partition *find_exact(const struct gp_layout *want, uint32_t index)
{
    for (size_t i = 0; i < want->exactly_count; i++) {
        if (want->exactly[i].index == index && want->exactly[i].live)
            return &want->exactly[i];
    }
    return NULL;
}

/* Whether VF @index is to be on vfio-pci. */
static bool is_wanted(const struct gp_layout *want, uint32_t index)
{
    return want->exactly ? find_exact(want, index) != NULL : index < want->count;
}

/* How many VFs there must be: on the way back some of those that there were may have been unused. */
static uint32_t vfs_needed(const struct gp_layout *want)
{
    uint32_t needed = want->exactly ? 0 : want->count;

    for (size_t i = 0; i < want->exactly_count; i++) {
        if (want->exactly[i].live && want->exactly[i].index >= needed)
            needed = want->exactly[i].index + 1;
    }
    return needed;
}

static bool has_vfs_for(const struct gp_gpu *gpu, const struct gp_layout *want)
{
    return want->exactly ? gpu->vf_count >= vfs_needed(want) : gpu->vf_count == want->count;
}

static bool matches(const struct gp_gpu *gpu, const struct gp_layout *want)
{
    if (want->mode != GP_MODE_PARTITIONED)
        return gp_whole_matches(gpu, want);
    if (!has_vfs_for(gpu, want))
        return false;
    for (size_t i = 0; i < gpu->partition_count; i++) {
        if (gpu->partitions[i].live != is_wanted(want, gpu->partitions[i].index))
            return false;
    }
    return true;
}

static void predict(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step)
{
    if (step->kind == GP_STEP_SET_VF_COUNT) {
        gpu->vf_count = (uint32_t)step->value;
        gpu->partitions = NULL;
        gpu->partition_count = 0;
        for (uint32_t i = 0; i < gpu->vf_count; i++) {
            struct gp_partition *vf = gp_push(mem, gpu->partitions, gpu->partition_count);

            *vf = (struct gp_partition){.index = i, .group = -1};
            if (gpu->vf_offset)
                vf->device = (struct gp_device){
                    .kind = GP_DEVICE_PCI,
                    .pci = gp_pci_vf(gpu->address, gpu->vf_offset, gpu->vf_stride, i),
                };
        }
    } else {
        struct gp_partition *vf =
            step->partition >= 0 ? gp_gpu_partition(gpu, (uint32_t)step->partition) : NULL;

        gp_whole_predict(gpu, step);
        if (vf)
            vf->live = gp_streq(vf->driver, GP_DRIVER_VFIO);
    }
    gp_gpu_settle(gpu);
}

static void add_set(struct gp_steps *steps, struct gp_gpu *scratch, uint32_t count, const char *reason)
{
    struct gp_step *step = gp_steps_add(steps, GP_STEP_SET_VF_COUNT, scratch->id);

    /* VFs come and go all together: the number never changes while there are any. */
    step->reach = scratch->vf_count ? GP_REACH_GPU : GP_REACH_NOTHING;
    step->before = gp_number_text(steps->mem, scratch->vf_count);
    step->after = gp_number_text(steps->mem, count);
    step->value = count;
    step->reason = reason;
    step->timeout_ms = SET_TIMEOUT_MS;
    predict(steps->mem, scratch, step);
}

static struct gp_error *refuse_fixed(const struct gp_gpu *gpu)
{
    if (!gp_streq(gpu->driver, FIXED_DRIVER))
        return NULL;
    return gp_error_new(GP_E_UNSUPPORTED,
                        "%s: the driver gim sets the number of VFs when it loads: change vf_num in "
                        "/etc/gim_config or modprobe.d and reboot", gpu->id);
}

static struct gp_error *plan_vfs(struct gp_gpu *scratch, const struct gp_layout *want,
                                 struct gp_steps *steps)
{
    uint32_t count = vfs_needed(want);
    struct gp_error *err = gp_refuse_unfit(scratch);

    if (err)
        return err;
    if (count > scratch->vf_total)
        return gp_error_new(GP_E_UNSUPPORTED, "%s has at most %u VFs, not %u", scratch->id,
                            scratch->vf_total, count);
    if (!has_vfs_for(scratch, want)) {
        err = refuse_fixed(scratch);
        if (err)
            return err;
        if (scratch->vf_count)
            add_set(steps, scratch, 0, "the number of VFs changes only by way of 0");
        if (gp_sysfs_driver_yields(scratch->driver))
            predict(steps->mem, scratch,
                    gp_whole_add_bind(steps, scratch, -1, NULL, "VFs need the GPU's own driver"));
        add_set(steps, scratch, count, "the layout has this number of partitions");
    }
    for (size_t i = 0; i < scratch->partition_count; i++) {
        const struct gp_partition *vf = &scratch->partitions[i];

        if (!vf->live && is_wanted(want, vf->index))
            (void)gp_whole_add_bind(steps, scratch, vf->index, GP_DRIVER_VFIO,
                                    "a guest can only be given what is on vfio-pci");
        /* On the way back: it was the host's. */
        if (vf->live && !is_wanted(want, vf->index))
            (void)gp_whole_add_bind(steps, scratch, vf->index, GP_DRIVER_NONE, "it was no guest's before");
    }
    return NULL;
}

/* VFs that cannot be taken away are at least no guest's. */
static void plan_unbind(struct gp_gpu *scratch, struct gp_steps *steps)
{
    for (size_t i = 0; i < scratch->partition_count; i++) {
        if (scratch->partitions[i].live)
            (void)gp_whole_add_bind(steps, scratch, scratch->partitions[i].index, GP_DRIVER_NONE,
                                    "no partitions are wanted");
    }
}

static struct gp_error *plan(const struct gp_gpu *gpu, const struct gp_layout *want,
                             struct gp_steps *steps)
{
    struct gp_gpu *scratch = gp_gpu_scratch(steps->mem, gpu);
    struct gp_error *err;

    if (matches(gpu, want))
        return NULL;
    if (want->mode == GP_MODE_PARTITIONED)
        return plan_vfs(scratch, want, steps);
    /* Asked before anything is taken apart. */
    if (want->mode == GP_MODE_PASSTHROUGH && gpu->not_whole)
        return gp_whole_plan(gpu, want, NULL, steps);
    if (want->mode == GP_MODE_NONE && gp_streq(gpu->driver, FIXED_DRIVER)) {
        plan_unbind(scratch, steps);
        return NULL;
    }
    if (gpu->vf_count) {
        err = refuse_fixed(gpu);
        if (err)
            return err;
        add_set(steps, scratch, 0, "no partitions are wanted");
    }
    return gp_whole_plan(scratch, want, NULL, steps);
}

/* ---- looking ---- */

static bool claims(struct gp_host *host, const struct gp_gpu *gpu)
{
    (void)host;
    return gpu->vf_total > 0 && !gp_streq(gpu->driver, "nvidia");
}

static void find_valid(struct gp_arena *mem, struct gp_gpu *gpu)
{
    const struct gp_catalog_gpu *entry = gpu->model ? gp_catalog_find(gpu->model) : NULL;

    for (size_t i = 0; entry && i < entry->valid_count; i++) {
        struct gp_valid_count valid = entry->valid[i];

        valid.profile = NULL;
        valid.type_id = 0;
        valid.source = "catalogue";
        if (valid.count && valid.count <= gpu->vf_total)
            gp_valid_add(mem, gpu, valid);
    }
    if (gpu->valid_count) {
        gp_valid_sort(gpu);
        return;
    }
    for (uint32_t n = gpu->vf_total; n > 0; n--)
        *gp_push(mem, gpu->valid, gpu->valid_count) =
            (struct gp_valid_count){.count = n, .source = "sriov_totalvfs"};
}

static struct gp_error *observe(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    struct gp_error *err = gp_whole_observe(host, mem, gpu);

    if (!err && gpu->vf_count)
        err = gp_vfs_observe(host, mem, gpu);
    for (size_t i = 0; !err && i < gpu->partition_count; i++) {
        struct gp_partition *vf = &gpu->partitions[i];

        vf->live = gp_streq(vf->driver, GP_DRIVER_VFIO);
        vf->held = gp_host_held(host, mem, vf->group, &vf->holder);
    }
    if (err)
        return err;
    find_valid(mem, gpu);
    gp_gpu_settle(gpu);
    if (gpu->group < 0 && gpu->mode == GP_MODE_NONE) {
        gpu->status = GP_GPU_PARAVIRTUAL;
        gpu->reason = "it could be partitioned, but the IOMMU is off: turn on VT-d or AMD-Vi in the firmware "
                      "(and intel_iommu=on before Linux 6.8)";
        return NULL;
    }
    if (gpu->vf_count > gpu->count)
        gpu->reason = gp_printf(mem, "%u of its %u VFs are not on vfio-pci, so no guest can be given them",
                                gpu->vf_count - gpu->count, gpu->vf_count);
    return gp_vfs_check_groups(host, mem, gpu);
}

/* ---- doing ---- */

static struct gp_error *count_vfs(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                                  size_t *ret)
{
    struct gp_sysfs_vf *vfs;

    return gp_sysfs_vfs(host, mem, gpu->address, &vfs, ret);
}

/* The kernel does not refuse to take away a VF that a guest has, it waits for the guest. */
static struct gp_error *refuse_if_held(struct gp_host *host, struct gp_arena *mem,
                                       const struct gp_gpu *gpu)
{
    struct gp_sysfs_vf *vfs;
    size_t count;
    struct gp_error *err = gp_sysfs_vfs(host, mem, gpu->address, &vfs, &count);

    for (size_t i = 0; !err && i < count; i++) {
        const char *holder = NULL;
        int32_t group;

        err = gp_sysfs_group(host, mem, gp_sysfs_pci(mem, vfs[i].address, "iommu_group"), &group);
        if (!err && gp_host_held(host, mem, group, &holder) != GP_HELD_NO)
            err = gp_error_new(GP_E_BUSY, "partition %u of %s is in use by %s", vfs[i].index, gpu->id,
                               holder ? holder : "someone");
    }
    return err;
}

static struct gp_error *write_count(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                                    const struct gp_step *step)
{
    struct gp_error *err =
        gp_host_write_within(host, gp_sysfs_pci(mem, gpu->address, "sriov_numvfs"),
                             gp_number_text(mem, step->value), step->timeout_ms);

    if (err && err->code == GP_E_GONE) {
        struct gp_error *unsupported =
            gp_error_new(GP_E_UNSUPPORTED, "%s: the driver %s does not offer SR-IOV", gpu->id,
                         gpu->driver ? gpu->driver : "(none)");

        gp_error_free(err);
        return unsupported;
    }
    return err;
}

/* The host's drivers must not take the VFs: an Intel VF is a display that i915 or xe would drive. */
static struct gp_error *make_vfs(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                                 const struct gp_step *step)
{
    const char *autoprobe = gp_sysfs_pci(mem, gpu->address, "sriov_drivers_autoprobe"), *before = NULL;
    struct gp_error *err = gp_host_read(host, mem, autoprobe, &before), *restore_err;

    if (err && err->code == GP_E_GONE) { /* before Linux 4.13 */
        gp_error_free(err);
        return write_count(host, mem, gpu, step);
    }
    if (!err)
        err = gp_host_write(host, autoprobe, "0");
    if (err)
        return err;
    err = write_count(host, mem, gpu, step);
    restore_err = gp_host_write(host, autoprobe, before);
    if (err)
        gp_error_free(restore_err);
    return err ? err : restore_err;
}

static struct gp_error *set_count(struct gp_host *host, const struct gp_gpu *gpu,
                                  const struct gp_step *step)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    size_t count;
    struct gp_error *err = count_vfs(host, mem, gpu, &count);

    if (err || count == step->value)
        return err;
    if (count && step->value)
        return gp_error_new(GP_E_CHANGED, "%s has %zu VFs, so their number cannot become %s", gpu->id, count,
                            step->after);
    err = step->value ? NULL : refuse_if_held(host, mem, gpu);
    if (!err)
        err = step->value ? make_vfs(host, mem, gpu, step) : write_count(host, mem, gpu, step);
    if (!err)
        err = count_vfs(host, mem, gpu, &count);
    if (err || count == step->value)
        return err;
    err = gp_error_new(GP_E_IO, "the driver %s made %zu VFs of %s, not %s, and no write was refused",
                       gpu->driver ? gpu->driver : "(none)", count, gpu->id, step->after);
    /* Of no use to anybody: there were none before. */
    if (step->value && count) {
        struct gp_error *left = gp_host_write_within(host, gp_sysfs_pci(mem, gpu->address, "sriov_numvfs"), "0",
                                                     step->timeout_ms);

        gp_error_free(left); /* the next look tells */
    }
    return err;
}

static struct gp_error *apply(struct gp_host *host, const struct gp_gpu *gpu, const struct gp_step *step)
{
    switch (step->kind) {
    case GP_STEP_SET_VF_COUNT:
        return set_count(host, gpu, step);
    case GP_STEP_BIND_DRIVER:
        return gp_whole_apply(host, gpu, step);
    default:
        return gp_error_new(GP_E_BUG, "sriov has no step %s", gp_step_kind_name(step->kind));
    }
}

const struct gp_provider gp_provider_sriov = {
    .mechanism = {.name = "sriov", .matches = matches, .plan = plan, .predict = predict},
    .doc = "plain SR-IOV virtual functions on vfio-pci (Intel xe and i915, AMD gim, others)",
    .claims = claims,
    .observe = observe,
    .apply = apply,
};
