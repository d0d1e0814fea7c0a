#include "clock.h"
#include "nvidia/vfio.h"

#include "catalog.h"
#include "cleanup.h"
#include "nvidia/types.h"
#include "nvidia/vfs.h"
#include "profiles.h"
#include "settle.h"
#include "sysfs.h"
#include "text.h"
#include "vf.h"
#include "whole.h"

#include <string.h>

#define CURRENT   "nvidia/current_vgpu_type"
#define CREATABLE "nvidia/creatable_vgpu_types"
#define RETRY_MS  500

/* ---- pure ---- */

static bool matches(const struct gp_gpu *gpu, const struct gp_layout *want)
{
    return want->mode == GP_MODE_PARTITIONED ? gp_profiles_matches(gpu, want)
                                             : gp_whole_matches(gpu, want);
}

static void predict(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step)
{
    if (step->kind == GP_STEP_RELEASE_PARTITION || step->kind == GP_STEP_CREATE_PARTITION)
        gp_profiles_predict(mem, gpu, step);
    else
        gp_nvidia_vfs_predict(mem, gpu, step, true);
    gp_gpu_settle(gpu);
}

static struct gp_error *plan(const struct gp_gpu *gpu, const struct gp_layout *want,
                             struct gp_steps *steps)
{
    return gp_nvidia_plan(gpu, want, true, steps);
}

/* ---- looking ---- */

static bool claims(struct gp_host *host, const struct gp_gpu *gpu)
{
    return gp_nvidia_framework(host, gpu) == GP_NVIDIA_VFIO;
}

static struct gp_error *read_types(struct gp_host *host, struct gp_arena *mem, struct gp_pci vf,
                                   struct gp_nvidia_type **ret, size_t *ret_count)
{
    const char *text;
    struct gp_error *err = gp_host_read(host, mem, gp_sysfs_pci(mem, vf, CREATABLE), &text);

    return err ? err : gp_nvidia_types_parse(mem, text, ret, ret_count);
}

static struct gp_error *read_current(struct gp_host *host, struct gp_arena *mem, struct gp_pci vf,
                                     uint32_t *ret)
{
    return gp_host_read_u32(host, gp_sysfs_pci(mem, vf, CURRENT), UINT32_MAX, ret);
}

static bool offered(const struct gp_nvidia_type *types, size_t count, const char *name, uint32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (gp_profile_eq(types[i].name, types[i].id, name, id))
            return true;
    }
    return false;
}

/* The catalogue's ways, less those that a host without any vGPU does not offer (series come with driver
 * products, MIG types with MIG), and those that only the host knows. */
static void find_valid(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_nvidia_type *types,
                       size_t type_count, bool all_offered)
{
    const struct gp_catalog_gpu *entry = gpu->model ? gp_catalog_find(gpu->model) : NULL;

    for (size_t i = 0; entry && i < entry->valid_count; i++) {
        struct gp_valid_count valid = entry->valid[i];

        if (!valid.profile || (all_offered && !offered(types, type_count, valid.profile, valid.type_id)))
            continue;
        for (size_t n = 0; n < type_count && !valid.type_id; n++) {
            if (gp_profile_eq(types[n].name, 0, valid.profile, 0))
                valid.type_id = types[n].id;
        }
        valid.source = "catalogue";
        gp_valid_add(mem, gpu, valid);
    }
    for (size_t i = 0; i < type_count; i++) {
        uint32_t count = gp_nvidia_type_count(types[i].name, gpu->vram_mib);

        if (count && !gp_valid_find(gpu, types[i].name, types[i].id))
            gp_valid_add(mem, gpu,
                         (struct gp_valid_count){.count = count,
                                                 .profile = types[i].name,
                                                 .type_id = types[i].id,
                                                 .vram_mib = gp_nvidia_type_mib(types[i].name),
                                                 .source = "creatable_vgpu_types"});
    }
    gp_valid_sort(gpu);
}

/* The list of a VF is empty once the GPU is full, which is when nothing names a type whose number the catalogue lacks. If
 * all that is there has the type @id, it is the catalogue's only one without a number of which there can be so many; NULL:
 * that does not tell. */
static const char *name_of_full(const struct gp_gpu *gpu, const struct gp_catalog_gpu *entry, uint32_t id)
{
    const char *name = NULL;
    uint32_t count = 0;

    for (size_t i = 0; i < gpu->partition_count; i++) {
        if (gpu->partitions[i].live && gpu->partitions[i].type_id != id)
            return NULL;
        count += gpu->partitions[i].live;
    }
    for (size_t i = 0; i < entry->valid_count; i++) {
        if (entry->valid[i].type_id || entry->valid[i].count != count)
            continue;
        if (name)
            return NULL;
        name = entry->valid[i].profile;
    }
    return name;
}

/* The catalogue's name where it knows the type: the list of a VF has it only while there is room for more. */
static const char *type_name(struct gp_arena *mem, const struct gp_gpu *gpu,
                             const struct gp_nvidia_type *types, size_t count, uint32_t id)
{
    const struct gp_catalog_gpu *entry = gpu->model ? gp_catalog_find(gpu->model) : NULL;
    const char *name = NULL;

    for (size_t i = 0; i < count; i++) {
        if (types[i].id == id)
            name = types[i].name;
    }
    for (size_t i = 0; entry && i < entry->valid_count; i++) {
        if (gp_profile_eq(entry->valid[i].profile, entry->valid[i].type_id, name, id))
            return entry->valid[i].profile;
    }
    if (!name && !count && entry)
        name = name_of_full(gpu, entry, id);
    return name ? name : gp_printf(mem, "type %u", id);
}

static struct gp_error *observe_vfs(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    struct gp_nvidia_type *types = NULL;
    const struct gp_partition *unused = NULL;
    size_t type_count = 0;
    bool any = false;
    struct gp_error *err = gp_vfs_observe(host, mem, gpu);

    for (size_t i = 0; !err && i < gpu->partition_count; i++) {
        struct gp_partition *vf = &gpu->partitions[i];

        err = read_current(host, mem, vf->device.pci, &vf->type_id);
        vf->live = vf->type_id != 0;
        any = any || vf->live;
        if (!vf->live && !unused)
            unused = vf;
        if (!err && vf->live)
            vf->held = gp_host_held(host, mem, vf->group, &vf->holder);
    }
    if (!err && unused)
        err = read_types(host, mem, unused->device.pci, &types, &type_count);
    if (err)
        return err;
    find_valid(mem, gpu, types, type_count, gpu->partition_count && !any);
    for (size_t i = 0; i < gpu->partition_count; i++) {
        if (gpu->partitions[i].live)
            gpu->partitions[i].profile = type_name(mem, gpu, types, type_count, gpu->partitions[i].type_id);
    }
    return NULL;
}

/* VFs without attributes, whose GPU is not on its driver: what they could be is known when it is again. */
static struct gp_error *observe_bare_vfs(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    struct gp_error *err = gp_vfs_observe(host, mem, gpu);

    for (size_t i = 0; !err && i < gpu->partition_count; i++)
        gpu->partitions[i].held = gp_host_held(host, mem, gpu->partitions[i].group, &gpu->partitions[i].holder);
    find_valid(mem, gpu, NULL, 0, false);
    return err;
}

static struct gp_error *observe(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    struct gp_error *err = gp_whole_observe(host, mem, gpu);
    const char *gap = NULL;

    if (!err && gpu->vf_count)
        err = gp_nvidia_vfs_have(host, mem, gpu, CREATABLE, &gap);
    if (!err && !gap)
        err = observe_vfs(host, mem, gpu);
    else if (!err && !gp_streq(gpu->driver, GP_NVIDIA_DRIVER))
        err = observe_bare_vfs(host, mem, gpu);
    if (err)
        return err;
    gp_gpu_settle(gpu);
    if (gp_nvidia_vfs_observe(host, mem, gpu))
        return NULL;
    if (gap) {
        gpu->status = GP_GPU_UNSUPPORTED;
        gpu->reason = gap;
    } else if (!gpu->valid_count && gpu->mode == GP_MODE_NONE) {
        gpu->status = GP_GPU_UNSUPPORTED;
        gpu->reason = gpu->model ? "its driver offers no vGPU type whose count is known (in MIG mode, "
                                   "instances are made first)"
                                 : "this model is not in the catalogue, so valid counts are not known";
    }
    return gp_vfs_check_groups(host, mem, gpu);
}

/* ---- doing ---- */

/* The type's number: the step's, or the one that the VF offers under its name. */
static struct gp_error *find_type(struct gp_host *host, struct gp_arena *mem, struct gp_pci vf,
                                  const struct gp_step *step, uint32_t *ret)
{
    struct gp_nvidia_type *types;
    size_t count;
    struct gp_error *err = read_types(host, mem, vf, &types, &count);

    for (size_t i = 0; !err && i < count; i++) {
        if (gp_profile_eq(types[i].name, types[i].id, step->profile, (uint32_t)step->value)) {
            *ret = types[i].id;
            return NULL;
        }
    }
    return err ? err
               : gp_error_new(GP_E_CHANGED,
                              "%s is not among the %zu types that %s offers now", step->profile, count,
                              gp_pci_text(mem, vf));
}

static struct gp_error *create(struct gp_host *host, struct gp_arena *mem, struct gp_pci vf,
                               const struct gp_step *step)
{
    uint32_t now, id = (uint32_t)step->value;
    struct gp_error *err = read_current(host, mem, vf, &now);

    if (err || (now && now == id))
        return err;
    if (now)
        return gp_error_new(GP_E_CHANGED, "%s has type %u already", gp_pci_text(mem, vf), now);
    err = find_type(host, mem, vf, step, &id);
    if (!err)
        err = gp_host_write(host, gp_sysfs_pci(mem, vf, CURRENT), gp_number_text(mem, id));
    if (!err)
        err = read_current(host, mem, vf, &now);
    if (!err && now != id)
        err = gp_error_new(GP_E_IO, "%s reads type %u after %u was written, and no write was refused",
                           gp_pci_text(mem, vf), now, id);
    return err;
}

/* Fact: clearing is EPERM while a guest holds the VF and for seconds after it is gone. */
static struct gp_error *release(struct gp_host *host, struct gp_arena *mem, struct gp_pci vf,
                                uint32_t timeout_ms)
{
    uint64_t deadline = gp_monotonic_ms() + timeout_ms;
    uint32_t now = 0;
    struct gp_error *err = read_current(host, mem, vf, &now);

    while (!err && now) {
        err = gp_host_write(host, gp_sysfs_pci(mem, vf, CURRENT), "0");
        if (err && (err->code == GP_E_PERM || err->code == GP_E_BUSY)) {
            if (gp_monotonic_ms() + RETRY_MS >= deadline)
                return gp_error_wrap(err, "%s could not be cleared within %u s", gp_pci_text(mem, vf),
                                     timeout_ms / 1000);
            gp_error_free(err);
            gp_sleep_ms(RETRY_MS);
            err = NULL;
            continue;
        }
        if (!err)
            err = read_current(host, mem, vf, &now);
        if (!err && now)
            err = gp_error_new(GP_E_IO, "%s still has type %u after it was cleared",
                               gp_pci_text(mem, vf), now);
    }
    return err;
}

static struct gp_error *apply(struct gp_host *host, const struct gp_gpu *gpu, const struct gp_step *step)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_pci vf;
    struct gp_error *err;

    switch (step->kind) {
    case GP_STEP_SET_VF_COUNT:
        return gp_nvidia_vfs_apply(host, gpu, step);
    case GP_STEP_BIND_DRIVER:
        return gp_whole_apply(host, gpu, step);
    case GP_STEP_CREATE_PARTITION:
    case GP_STEP_RELEASE_PARTITION:
        err = gp_vf_address(host, mem, gpu, step->partition, &vf);
        if (err)
            return err;
        return step->kind == GP_STEP_CREATE_PARTITION ? create(host, mem, vf, step)
                                                      : release(host, mem, vf, step->timeout_ms);
    default:
        return gp_error_new(GP_E_BUG, "nvidia-vfio has no step %s", gp_step_kind_name(step->kind));
    }
}

const struct gp_provider gp_provider_nvidia_vfio = {
    .mechanism = {.name = "nvidia-vfio", .matches = matches, .plan = plan, .predict = predict},
    .doc = "NVIDIA vGPU on virtual functions, through the vendor's VFIO framework (Linux 6.8 and later)",
    .type_file = "nvidia/current_vgpu_type",
    .claims = claims,
    .observe = observe,
    .apply = apply,
};
