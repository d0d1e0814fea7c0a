#include "clock.h"
#include "mdev/mdev.h"

#include "catalog.h"
#include "cleanup.h"
#include "mdev/types.h"
#include "nvidia/vfs.h"
#include "profiles.h"
#include "settle.h"
#include "sysfs.h"
#include "text.h"
#include "unheld.h"
#include "vf.h"
#include "whole.h"

#include <stdlib.h>
#include <string.h>

#define TYPES   "mdev_supported_types"
#define DEVICES "sys/bus/mdev/devices"
#define POLL_MS 100

/* ---- pure ---- */

static bool matches(const struct gp_gpu *gpu, const struct gp_layout *want)
{
    return want->mode == GP_MODE_PARTITIONED ? gp_profiles_matches(gpu, want)
                                             : gp_whole_matches(gpu, want);
}

/* Types, and so the slots for mdevs, come and go with the GPU's own driver. */
static void predict_bind(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step)
{
    uint32_t slots = 0;

    gp_whole_predict(gpu, step);
    if (gp_nvidia_has_vfs(gpu) || step->partition >= 0)
        return;
    gpu->partitions = NULL;
    gpu->partition_count = 0;
    for (size_t i = 0; i < gpu->valid_count && !gp_sysfs_driver_yields(gpu->driver); i++)
        slots = gpu->valid[i].count > slots ? gpu->valid[i].count : slots;
    for (uint32_t i = 0; i < slots; i++)
        *gp_push(mem, gpu->partitions, gpu->partition_count) =
            (struct gp_partition){.index = i, .group = -1};
}

static void predict(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step)
{
    if (step->kind == GP_STEP_RELEASE_PARTITION || step->kind == GP_STEP_CREATE_PARTITION)
        gp_profiles_predict(mem, gpu, step);
    else if (step->kind == GP_STEP_SET_VF_COUNT)
        gp_nvidia_vfs_predict(mem, gpu, step, false);
    else
        predict_bind(mem, gpu, step);
    gp_gpu_settle(gpu);
}

static struct gp_error *plan_on_gpu(const struct gp_gpu *gpu, const struct gp_layout *want,
                                    struct gp_steps *steps)
{
    struct gp_gpu *scratch = gp_gpu_scratch(steps->mem, gpu);
    size_t from = steps->count;
    struct gp_error *err;

    if (matches(gpu, want))
        return NULL;
    if (want->mode == GP_MODE_PASSTHROUGH && gpu->not_whole)
        return gp_whole_plan(gpu, want, NULL, steps);
    if (want->mode == GP_MODE_PARTITIONED) {
        err = gp_refuse_unfit(gpu);
        if (!err && gp_sysfs_driver_yields(gpu->driver))
            predict(steps->mem, scratch,
                    gp_whole_add_bind(steps, scratch, -1, NULL, "partitions need the GPU's own driver"));
        return err ? err : gp_profiles_plan(scratch, want, steps);
    }
    err = gp_profiles_plan(gpu, want, steps);
    if (err)
        return err;
    for (; from < steps->count; from++)
        predict(steps->mem, scratch, &steps->items[from]);
    return gp_whole_plan(scratch, want, NULL, steps);
}

static struct gp_error *plan(const struct gp_gpu *gpu, const struct gp_layout *want,
                             struct gp_steps *steps)
{
    return gp_nvidia_has_vfs(gpu) ? gp_nvidia_plan(gpu, want, false, steps)
                                  : plan_on_gpu(gpu, want, steps);
}

/* ---- looking ---- */

const char *gp_mdev_uuid(const struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                         uint32_t index)
{
    const char *path = gpu->path ? gpu->path : gp_pci_text(mem, gpu->address);

    return gp_uuid5(mem, host->machine_id ? host->machine_id : "", gp_printf(mem, "%s/%u", path, index));
}

static bool is_uuid(const char *name)
{
    if (strlen(name) != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? name[i] != '-' : !strchr("0123456789abcdef", name[i]))
            return false;
    }
    return true;
}

static bool catalogue_says_on_gpu(const struct gp_gpu *gpu)
{
    const struct gp_catalog_gpu *entry = gpu->model ? gp_catalog_find(gpu->model) : NULL;

    for (size_t i = 0; entry && entry->mechanisms[i]; i++) {
        if (gp_streq(entry->mechanisms[i], "vgpu-pf-mdev") || gp_streq(entry->mechanisms[i], "mdev-gvtg"))
            return true;
    }
    return false;
}

static bool claims(struct gp_host *host, const struct gp_gpu *gpu)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *vf = NULL;
    struct gp_error *err;

    if (gp_host_exists(host, gp_sysfs_pci(mem, gpu->address, TYPES)))
        return true;
    /* On vfio-pci it shows no types, but would again on its own driver. */
    if (!gpu->vf_total && gp_sysfs_driver_yields(gpu->driver) && catalogue_says_on_gpu(gpu))
        return true;
    if (gp_nvidia_has_vfs(gpu))
        return gp_nvidia_framework(host, gpu) == GP_NVIDIA_MDEV;
    if (!gpu->vf_count)
        return false;
    err = gp_host_readlink(host, mem, gp_sysfs_pci(mem, gpu->address, "virtfn0"), &vf);
    gp_error_free(err);
    return vf && gp_host_exists(host, gp_printf(mem, "sys/bus/pci/devices/%s/" TYPES, vf));
}

/* An mdev as it is found below a parent. */
struct found {
    const char *uuid, *type_dir, *driver;
    int32_t group;
};

static struct gp_error *find_mdevs(struct gp_host *host, struct gp_arena *mem, const char *parent,
                                   struct found **ret, size_t *ret_count)
{
    struct found *mdevs = NULL;
    struct gp_strings names;
    size_t count = 0;
    struct gp_error *err = gp_host_list(host, mem, parent, &names);

    for (size_t i = 0; !err && i < names.count; i++) {
        struct found *mdev;

        if (!is_uuid(names.items[i]))
            continue;
        mdev = gp_push(mem, mdevs, count);
        mdev->uuid = names.items[i];
        err = gp_host_readlink(host, mem, gp_printf(mem, "%s/%s/mdev_type", parent, mdev->uuid),
                               &mdev->type_dir);
        if (!err)
            err = gp_host_readlink(host, mem, gp_printf(mem, "%s/%s/driver", parent, mdev->uuid),
                                   &mdev->driver);
        if (!err)
            err = gp_sysfs_group(host, mem, gp_printf(mem, "%s/%s/iommu_group", parent, mdev->uuid),
                                 &mdev->group);
        if (!err && !mdev->type_dir) /* removed while we looked */
            count--;
    }
    if (err)
        return err;
    *ret = mdevs;
    *ret_count = count;
    return NULL;
}

static void take(struct gp_host *host, struct gp_arena *mem, const struct gp_mdev_type *types,
                 size_t type_count, const struct found *mdev, struct gp_partition *partition)
{
    partition->live = true;
    partition->device = (struct gp_device){.kind = GP_DEVICE_MDEV, .uuid = mdev->uuid};
    partition->driver = mdev->driver;
    partition->group = mdev->group;
    partition->profile = mdev->type_dir;
    for (size_t i = 0; i < type_count; i++) {
        if (gp_streq(types[i].dir, mdev->type_dir)) {
            partition->profile = types[i].name;
            partition->type_id = types[i].id;
        }
    }
    partition->held = gp_host_held(host, mem, mdev->group, &partition->holder);
}

static struct gp_partition free_slot(const struct gp_host *host, struct gp_arena *mem,
                                     const struct gp_gpu *gpu, uint32_t index)
{
    return (struct gp_partition){
        .index = index,
        .group = -1,
        .device = {.kind = GP_DEVICE_MDEV, .uuid = gp_mdev_uuid(host, mem, gpu, index)},
    };
}

static uint32_t vram_of(const struct gp_catalog_gpu *entry, const struct gp_mdev_type *type)
{
    for (size_t i = 0; entry && i < entry->valid_count; i++) {
        if (gp_profile_eq(entry->valid[i].profile, entry->valid[i].type_id, type->name, type->id) &&
            entry->valid[i].vram_mib)
            return entry->valid[i].vram_mib;
    }
    return type->framebuffer_mib;
}

/* Drivers other than NVIDIA's only tell how many more there can be now, which is the whole only while all
 * there is is of that type; for other types the catalogue is asked. What it does not know either is told in @ret_untold,
 * which is NULL if all is known.
 * Fact: Linux samples/vfio-mdev/mdpy.c and mbochs.c: with four mdevs of one type the others have 0 available. */
static void find_valid(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_mdev_type *types,
                       size_t type_count, const char **ret_untold)
{
    const struct gp_catalog_gpu *entry = gpu->model ? gp_catalog_find(gpu->model) : NULL;
    struct gp_text untold = {.mem = mem};

    for (size_t i = 0; i < type_count; i++) {
        const struct gp_mdev_type *type = &types[i];
        uint32_t count = type->max_instance, same = 0, other = 0;

        for (size_t n = 0; n < gpu->partition_count; n++) {
            const struct gp_partition *partition = &gpu->partitions[n];

            if (partition->live && gp_streq(partition->profile, type->name))
                same++;
            else if (partition->live)
                other++;
        }
        if (!count && !other)
            count = type->available + same;
        for (size_t n = 0; entry && !count && n < entry->valid_count; n++) {
            if (gp_profile_eq(entry->valid[n].profile, entry->valid[n].type_id, type->name, type->id))
                count = entry->valid[n].count;
        }
        if (count)
            gp_valid_add(mem, gpu,
                         (struct gp_valid_count){.count = count,
                                                 .profile = type->name,
                                                 .type_id = type->id,
                                                 .vram_mib = vram_of(entry, type),
                                                 .source = TYPES});
        else if (other)
            gp_text_addf(&untold, "%s%s", untold.size ? ", " : "", type->name);
    }
    gp_valid_sort(gpu);
    *ret_untold = NULL;
    if (untold.size)
        *ret_untold = gp_printf(mem,
                                "while it has partitions of another profile its driver does not tell how many it could "
                                "have of %s",
                                gp_text_get(&untold));
}

static void valid_from_catalogue(struct gp_arena *mem, struct gp_gpu *gpu)
{
    const struct gp_catalog_gpu *entry = gpu->model ? gp_catalog_find(gpu->model) : NULL;

    for (size_t i = 0; entry && i < entry->valid_count; i++) {
        struct gp_valid_count valid = entry->valid[i];

        valid.source = "catalogue";
        if (valid.profile)
            gp_valid_add(mem, gpu, valid);
    }
    gp_valid_sort(gpu);
}

/* Partitions are numbered from 0. What we made has the number that its UUID comes from; what others made
 * takes the numbers that are left, in the order of their UUIDs. */
static void number_mdevs(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu,
                         const struct gp_mdev_type *types, size_t type_count, const struct found *mdevs,
                         size_t count, uint32_t slots)
{
    bool *placed = gp_new_array(mem, bool, count + 1);
    size_t next = 0;

    for (uint32_t i = 0; i < slots; i++) {
        struct gp_partition *slot = gp_push(mem, gpu->partitions, gpu->partition_count);

        *slot = free_slot(host, mem, gpu, i);
        for (size_t n = 0; n < count; n++) {
            if (!gp_streq(mdevs[n].uuid, slot->device.uuid))
                continue;
            placed[n] = true;
            take(host, mem, types, type_count, &mdevs[n], slot);
        }
    }
    for (size_t n = 0; n < count; n++) {
        if (placed[n])
            continue;
        while (next < gpu->partition_count && gpu->partitions[next].live)
            next++;
        if (next == gpu->partition_count)
            *gp_push(mem, gpu->partitions, gpu->partition_count) =
                free_slot(host, mem, gpu, (uint32_t)next);
        take(host, mem, types, type_count, &mdevs[n], &gpu->partitions[next]);
    }
}

static struct gp_error *observe_on_gpu(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu,
                                       const char **ret_untold)
{
    const char *parent = gp_sysfs_pci(mem, gpu->address, NULL);
    struct gp_mdev_type *types;
    struct found *mdevs;
    size_t type_count, count;
    uint32_t slots = 0;
    struct gp_error *err = gp_mdev_types_read(host, mem, parent, &types, &type_count);

    if (!err)
        err = find_mdevs(host, mem, parent, &mdevs, &count);
    if (err)
        return err;
    /* First as they come, so that valid counts know what there is; then with as many slots as can be. */
    number_mdevs(host, mem, gpu, types, type_count, mdevs, count, 0);
    find_valid(mem, gpu, types, type_count, ret_untold);
    for (size_t i = 0; i < gpu->valid_count; i++)
        slots = gpu->valid[i].count > slots ? gpu->valid[i].count : slots;
    gpu->partitions = NULL;
    gpu->partition_count = 0;
    number_mdevs(host, mem, gpu, types, type_count, mdevs, count, slots);
    return NULL;
}

static struct gp_error *observe_on_vfs(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu,
                                       const char **ret_untold)
{
    struct gp_mdev_type *types = NULL;
    size_t type_count = 0;
    struct gp_error *err = gp_vfs_observe(host, mem, gpu);

    if (!err)
        err = gp_vfs_check_groups(host, mem, gpu);
    if (!err && gpu->partition_count)
        err = gp_mdev_types_read(host, mem, gp_sysfs_pci(mem, gpu->partitions[0].device.pci, NULL), &types,
                                 &type_count);
    for (size_t i = 0; !err && i < gpu->partition_count; i++) {
        struct gp_partition *slot = &gpu->partitions[i];
        const char *parent = gp_sysfs_pci(mem, slot->device.pci, NULL);
        struct found *mdevs;
        size_t count;

        err = find_mdevs(host, mem, parent, &mdevs, &count);
        *slot = free_slot(host, mem, gpu, slot->index);
        if (!err && count)
            take(host, mem, types, type_count, &mdevs[0], slot);
    }
    if (!err)
        find_valid(mem, gpu, types, type_count, ret_untold);
    return err;
}

static struct gp_error *observe(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    bool on_gpu = gp_host_exists(host, gp_sysfs_pci(mem, gpu->address, TYPES));
    struct gp_error *err = gp_whole_observe(host, mem, gpu);
    const char *gap = NULL, *untold = NULL;

    if (!err && on_gpu)
        err = observe_on_gpu(host, mem, gpu, &untold);
    if (!err && !on_gpu && gpu->vf_count)
        err = gp_nvidia_vfs_have(host, mem, gpu, TYPES, &gap);
    /* Off its driver its VFs have no types, and will. */
    if (!err && !on_gpu && gpu->vf_count && (!gap || !gp_streq(gpu->driver, GP_NVIDIA_DRIVER)))
        err = observe_on_vfs(host, mem, gpu, &untold);
    if (err)
        return err;
    if (!on_gpu && (!gpu->vf_count || gap))
        valid_from_catalogue(mem, gpu);
    gp_gpu_settle(gpu);
    gpu->reason = gpu->reason ? gpu->reason : untold;
    if (!on_gpu && gp_nvidia_has_vfs(gpu) && gp_nvidia_vfs_observe(host, mem, gpu))
        return NULL;
    if (gap || (!gpu->valid_count && gpu->mode == GP_MODE_NONE)) {
        gpu->status = GP_GPU_UNSUPPORTED;
        gpu->reason = gap ? gap : "no type of mediated device is offered";
    }
    return NULL;
}

/* ---- doing ---- */

/* The device that partition @index is or will be made on. */
static struct gp_error *find_parent(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                                    int64_t index, const char **ret)
{
    struct gp_pci address = gpu->address;
    struct gp_error *err = NULL;

    if (!gp_host_exists(host, gp_sysfs_pci(mem, address, TYPES)))
        err = gp_vf_address(host, mem, gpu, index, &address);
    if (!err)
        *ret = gp_sysfs_pci(mem, address, NULL);
    return err;
}

static struct gp_error *find_type(struct gp_host *host, struct gp_arena *mem, const char *parent,
                                  const struct gp_step *step, const char **ret)
{
    struct gp_error *err =
        gp_mdev_type_find(host, mem, parent, step->profile, (uint32_t)step->value, ret);

    if (!err && !*ret)
        err = gp_error_new(GP_E_CHANGED, "%s is not among the types that %s offers", step->profile, parent);
    return err;
}

static struct gp_error *create(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                               const struct gp_step *step)
{
    const char *uuid = step->device.kind == GP_DEVICE_MDEV
                           ? step->device.uuid
                           : gp_mdev_uuid(host, mem, gpu, (uint32_t)step->partition);
    bool on_gpu = gp_host_exists(host, gp_sysfs_pci(mem, gpu->address, TYPES));
    const char *parent, *type, *now;
    struct found *mdevs;
    size_t count;
    int32_t group;
    struct gp_error *err = find_parent(host, mem, gpu, step->partition, &parent);

    if (!err)
        err = find_type(host, mem, parent, step, &type);
    if (!err)
        err = find_mdevs(host, mem, parent, &mdevs, &count);
    for (size_t i = 0; !err && i < count; i++) {
        if (on_gpu && !gp_streq(mdevs[i].uuid, uuid))
            continue;
        if (gp_streq(mdevs[i].type_dir, type))
            return NULL;
        return gp_error_new(GP_E_CHANGED, "%s has the mediated device %s of type %s already", parent,
                            mdevs[i].uuid, mdevs[i].type_dir);
    }
    if (!err)
        err = gp_host_write(host, gp_printf(mem, "%s/" TYPES "/%s/create", parent, type), uuid);
    if (!err)
        err = gp_host_readlink(host, mem, gp_printf(mem, "%s/%s/mdev_type", parent, uuid), &now);
    if (!err && !gp_streq(now, type))
        err = gp_error_new(GP_E_IO, "%s is not there after it was made, and no write was refused", uuid);
    if (!err)
        err = gp_sysfs_group(host, mem, gp_printf(mem, "%s/%s/iommu_group", parent, uuid), &group);
    if (!err)
        gp_unheld_made(host, group);
    return err;
}

/* Until the mdev is gone or @until (monotonic). */
static bool wait_gone(struct gp_host *host, const char *device, uint64_t until)
{
    while (gp_host_exists(host, device)) {
        if (gp_monotonic_ms() >= until)
            return false;
        gp_sleep_ms(POLL_MS);
    }
    return true;
}

/* Removing one that is in use is not refused: the kernel waits for the user. */
static struct gp_error *refuse_if_held(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                                       const struct gp_partition *partition)
{
    const char *holder;

    if (gp_host_held(host, mem, partition->group, &holder) == GP_HELD_NO)
        return NULL;
    return gp_error_new(GP_E_BUSY, "partition %u of %s is in use by %s", partition->index, gpu->id,
                        holder ? holder : "someone");
}

/* Gives NVIDIA's driver the time to remove it by itself (host_open.c). When the guest ended cannot be told: perhaps just
 * before this pass began, so that the time counts from the first look at which nobody held it. */
static bool wait_removed_by_driver(struct gp_host *host, const struct gp_gpu *gpu,
                                   const struct gp_partition *partition, const char *device, uint64_t deadline)
{
    const uint64_t until = gp_unheld_since(host, partition->group) + host->self_removal_ms;

    return gpu->vendor == GP_NVIDIA_VENDOR && wait_gone(host, device, until < deadline ? until : deadline);
}

static struct gp_error *release(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                                const struct gp_step *step)
{
    const struct gp_partition *partition = gp_gpu_partition(gpu, (uint32_t)step->partition);
    const char *device;
    uint64_t deadline = gp_monotonic_ms() + step->timeout_ms;
    struct gp_error *err;

    if (!partition || !partition->live || partition->device.kind != GP_DEVICE_MDEV)
        return NULL;
    device = gp_printf(mem, DEVICES "/%s", partition->device.uuid);
    err = refuse_if_held(host, mem, gpu, partition);
    if (err || wait_removed_by_driver(host, gpu, partition, device, deadline))
        return err;
    err = refuse_if_held(host, mem, gpu, partition);
    if (err)
        return err;
    for (;;) {
        err = gp_host_write(host, gp_printf(mem, "%s/remove", device), "1");
        if (!err || err->code != GP_E_BUSY || gp_monotonic_ms() + POLL_MS >= deadline)
            break;
        gp_error_free(err);
        gp_sleep_ms(POLL_MS);
    }
    if (err && err->code != GP_E_GONE)
        return err;
    gp_error_free(err);
    if (!wait_gone(host, device, deadline))
        return gp_error_new(GP_E_IO, "%s is still there after it was removed", partition->device.uuid);
    return NULL;
}

static struct gp_error *keep(struct gp_host *host, const struct gp_gpu *gpu, const struct gp_partition *partition)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_step again = {
        .kind = GP_STEP_CREATE_PARTITION,
        .gpu = gpu->id,
        .partition = partition->index,
        .profile = partition->profile,
        .value = partition->type_id,
        .device = partition->device,
    };

    if (!partition->live || partition->device.kind != GP_DEVICE_MDEV ||
        !wait_removed_by_driver(host, gpu, partition, gp_printf(mem, DEVICES "/%s", partition->device.uuid), UINT64_MAX))
        return NULL;
    return create(host, mem, gpu, &again);
}

static struct gp_error *apply(struct gp_host *host, const struct gp_gpu *gpu, const struct gp_step *step)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();

    switch (step->kind) {
    case GP_STEP_SET_VF_COUNT:
        return gp_nvidia_vfs_apply(host, gpu, step);
    case GP_STEP_BIND_DRIVER:
        return gp_whole_apply(host, gpu, step);
    case GP_STEP_CREATE_PARTITION:
        return create(host, mem, gpu, step);
    case GP_STEP_RELEASE_PARTITION:
        return release(host, mem, gpu, step);
    default:
        return gp_error_new(GP_E_BUG, "mdev has no step %s", gp_step_kind_name(step->kind));
    }
}

const struct gp_provider gp_provider_mdev = {
    .mechanism = {.name = "mdev", .matches = matches, .plan = plan, .predict = predict},
    .doc = "mediated devices (NVIDIA before Linux 6.8, Intel GVT-g, other mdev parents)",
    .type_file = "mdev_type",
    .claims = claims,
    .observe = observe,
    .apply = apply,
    .keep = keep,
};
