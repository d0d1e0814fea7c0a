#include "resolved.h"

#include "cleanup.h"
#include "records.h"
#include "registry.h"
#include "run.h"
#include "text.h"

#include <string.h>

/* ---- for the boot unit ---- */

/* @gpu's layout, less what is true only at this moment. */
static struct gp_layout resting_layout(struct gp_arena *mem, const struct gp_have *have, const struct gp_gpu *gpu)
{
    const char *ids[] = {gpu->id};
    const struct gp_set only = {.gpus = {ids, 1}};
    struct gp_layout layout = gp_snapshot_take(mem, have, &only)->gpus[0].layout;
    struct gp_partition *exactly = gp_new_array(mem, struct gp_partition, layout.exactly_count + 1);

    for (size_t i = 0; i < layout.exactly_count; i++) {
        exactly[i] = layout.exactly[i];
        exactly[i].held = GP_HELD_NO;
        exactly[i].holder = NULL;
        exactly[i].quarantined = false;
    }
    layout.exactly = layout.exactly_count ? exactly : NULL;
    return layout;
}

static bool is_as_wanted(const struct gp_gpu *gpu, const struct gp_goal_gpu *goal)
{
    const struct gp_mechanism *mechanism = gpu->mechanism ? gp_registry_mechanism(gpu->mechanism) : NULL;

    return goal && goal->managed && !goal->blocked && mechanism && mechanism->matches(gpu, &goal->want);
}

static const struct gp_goal_gpu *goal_of(const struct gp_goal *goal, const char *id)
{
    for (size_t i = 0; i < goal->gpu_count; i++)
        if (gp_streq(goal->gpus[i].id, id))
            return &goal->gpus[i];
    return NULL;
}

static bool is_meant(const struct gp_pass *pass, const struct gp_set *set, const char *id)
{
    if (set)
        return gp_strings_have(&set->gpus, id);
    for (size_t i = 0; pass->plan && i < pass->plan->set_count; i++)
        if (gp_strings_have(&pass->plan->sets[i].gpus, id))
            return false;
    return !gp_record_any(pass, id);
}

static struct gp_boot_gpu *find_boot(struct gp_boot_gpu *gpus, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (gp_streq(gpus[i].id, id))
            return &gpus[i];
    return NULL;
}

/* ---- for the start hook ---- */

static const char *absolute(struct gp_arena *mem, const struct gp_pass *pass, const char *path)
{
    return gp_printf(mem, "%s/%s", gp_streq(pass->options.root, "/") ? "" : pass->options.root, path);
}

/* A link is told by where it leads, a file by what is in it; what is neither is left out. */
static struct gp_error *add_fact(struct gp_pass *pass, struct gp_host *host, struct gp_arena *mem, const char *path,
                                 struct gp_run_fact **facts, size_t *count)
{
    const char *value = NULL;
    struct gp_error *err = gp_host_readlink_full(host, mem, path, &value);
    const bool link = !err && value;

    if (!link) {
        gp_error_free(err);
        err = gp_host_read(host, mem, path, &value);
    }
    if (err && err->code == GP_E_GONE) {
        gp_error_free(err);
        return NULL;
    }
    if (!err)
        *gp_push(mem, *facts, *count) = (struct gp_run_fact){link, absolute(mem, pass, path), value};
    return err;
}

static struct gp_error *tell_device(struct gp_pass *pass, struct gp_host *host, const struct gp_gpu *gpu,
                                    const struct gp_partition *partition, const char *vm)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_device whole = {.kind = GP_DEVICE_PCI, .pci = gpu->address};
    struct gp_run_device device = {
        .device = partition ? partition->device : whole,
        .partition = partition ? gp_partition_symbol(mem, gpu->id, partition->index) : gpu->id,
        .vm = vm,
    };
    const bool mdev = device.device.kind == GP_DEVICE_MDEV;
    const char *folder = gp_printf(mem, "sys/bus/%s/devices/%s", mdev ? "mdev" : "pci",
                                   gp_device_text(mem, device.device));
    const char *type = partition && gpu->mechanism ? gp_registry_type_file(gpu->mechanism) : NULL;
    struct gp_run_fact *facts = NULL;
    /* The path of the device tells the slot, the ids which card: an address alone may be another's tomorrow. */
    struct gp_error *err = add_fact(pass, host, mem, folder, &facts, &device.fact_count);

    if (!err && !mdev)
        err = add_fact(pass, host, mem, gp_printf(mem, "%s/vendor", folder), &facts, &device.fact_count);
    if (!err && !mdev)
        err = add_fact(pass, host, mem, gp_printf(mem, "%s/device", folder), &facts, &device.fact_count);
    if (!err && type)
        err = add_fact(pass, host, mem, gp_printf(mem, "%s/%s", folder, type), &facts, &device.fact_count);
    device.facts = facts;
    return err ? err : gp_run_set_device(pass->run, &device);
}

struct gp_error *gp_resolved_tell_hook(struct gp_pass *pass, struct gp_host *host, const struct gp_gpu *gpu,
                                       const char *(*vm_of)(const void *data, const struct gp_gpu *gpu,
                                                            const struct gp_partition *partition),
                                       const void *data)
{
    struct gp_error *err = NULL;

    if (gpu->mode == GP_MODE_PASSTHROUGH)
        return tell_device(pass, host, gpu, NULL, vm_of(data, gpu, NULL));
    for (size_t i = 0; !err && i < gpu->partition_count; i++)
        if (gpu->partitions[i].live && gpu->partitions[i].device.kind != GP_DEVICE_NONE)
            err = tell_device(pass, host, gpu, &gpu->partitions[i], vm_of(data, gpu, &gpu->partitions[i]));
    return err;
}

/* The address that the card had, by its path; NONE if that was not written down. */
static struct gp_device whole_device(struct gp_arena *mem, const char *identity)
{
    const char *serial = identity ? strstr(identity, " serial ") : NULL;
    const char *path = !identity ? ""
                       : serial  ? gp_strndup(mem, identity, (size_t)(serial - identity))
                                 : identity;
    const char *end = strrchr(path, '/') ? strrchr(path, '/') : strrchr(path, ' ');
    struct gp_device device = {.kind = GP_DEVICE_PCI};

    return end && gp_pci_parse(end + 1, &device.pci) ? device : (struct gp_device){.kind = GP_DEVICE_NONE};
}

static struct gp_error *refuse(struct gp_pass *pass, struct gp_device device, const char *partition, const char *why)
{
    const struct gp_run_device refused = {.device = device, .partition = partition, .refuse = why};

    return device.kind == GP_DEVICE_NONE ? NULL : gp_run_set_device(pass->run, &refused);
}

struct gp_error *gp_resolved_refuse(struct gp_pass *pass, const struct gp_boot_gpu *gpu, const char *why)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_layout *layout = &gpu->layout;
    struct gp_error *err = NULL;

    if (layout->mode == GP_MODE_PASSTHROUGH)
        return refuse(pass, whole_device(mem, gpu->identity), gpu->id, why);
    for (size_t i = 0; !err && i < layout->exactly_count; i++)
        err = refuse(pass, layout->exactly[i].device, gp_partition_symbol(mem, gpu->id, layout->exactly[i].index), why);
    return err;
}

static struct gp_error *forget_gpu(struct gp_pass *pass, const struct gp_gpu *gpu)
{
    struct gp_error *err =
        gp_run_forget_device(pass->run, (struct gp_device){.kind = GP_DEVICE_PCI, .pci = gpu->address});

    for (size_t i = 0; !err && i < gpu->partition_count; i++)
        if (gpu->partitions[i].device.kind != GP_DEVICE_NONE)
            err = gp_run_forget_device(pass->run, gpu->partitions[i].device);
    return err;
}

struct gp_error *gp_resolved_forget(struct gp_pass *pass, const struct gp_have *have, const struct gp_set *set)
{
    struct gp_error *err = NULL;

    for (size_t i = 0; !err && i < have->gpu_count; i++)
        if (gp_strings_have(&set->gpus, have->gpus[i].id))
            err = forget_gpu(pass, &have->gpus[i]);
    /* What was refused may be away now, and is made anew by the pass. */
    for (size_t i = 0; !err && i < set->gpus.count; i++)
        err = gp_run_forget_gpu(pass->run, set->gpus.items[i]);
    return err;
}

/* ---- both ---- */

/* The VM whose persistent definition has it from us. */
static const char *vm_with(const void *data, const struct gp_gpu *gpu, const struct gp_partition *partition)
{
    const struct gp_have *have = data;
    const struct gp_device whole = {.kind = GP_DEVICE_PCI, .pci = gpu->address};

    for (size_t i = 0; i < have->vm_count; i++)
        for (size_t n = 0; n < have->vms[i].persistent_count; n++)
            if (have->vms[i].persistent_devs[n].ours &&
                gp_device_eq(have->vms[i].persistent_devs[n].device, partition ? partition->device : whole))
                return have->vms[i].uuid;
    return NULL;
}

struct gp_error *gp_resolved_restored(struct gp_pass *pass, struct gp_host *host, const struct gp_have *have,
                                      const struct gp_set *set)
{
    struct gp_error *err = NULL;

    for (size_t i = 0; !err && i < have->gpu_count; i++)
        if (gp_strings_have(&set->gpus, have->gpus[i].id))
            err = gp_resolved_tell_hook(pass, host, &have->gpus[i], vm_with, have);
    return err;
}

/* A pass at rest reads no attribute again. */
static bool hook_knows(struct gp_pass *pass, const struct gp_have *have, const struct gp_gpu *gpu)
{
    if (gpu->mode == GP_MODE_PASSTHROUGH)
        return gp_run_has_device(pass->run, (struct gp_device){.kind = GP_DEVICE_PCI, .pci = gpu->address},
                                 vm_with(have, gpu, NULL));
    for (size_t i = 0; i < gpu->partition_count; i++)
        if (gpu->partitions[i].live && gpu->partitions[i].device.kind != GP_DEVICE_NONE &&
            !gp_run_has_device(pass->run, gpu->partitions[i].device, vm_with(have, gpu, &gpu->partitions[i])))
            return false;
    return true;
}

struct gp_error *gp_resolved_remember(struct gp_pass *pass, struct gp_host *host, const struct gp_have *have,
                                      const struct gp_set *set)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_boot_gpu *old = NULL, *now = NULL;
    size_t old_count = 0, count = 0;
    struct gp_error *err = NULL;

    if (!pass->run || !pass->goal || !pass->goal->declared)
        return NULL;
    gp_state_boot(pass->state, mem, &old, &old_count);
    for (size_t i = 0; !err && i < have->gpu_count; i++) {
        const struct gp_gpu *gpu = &have->gpus[i];
        const struct gp_goal_gpu *goal = goal_of(pass->goal, gpu->id);
        const struct gp_boot_gpu *was = find_boot(old, old_count, gpu->id);
        const bool meant = is_meant(pass, set, gpu->id);

        if (meant && is_as_wanted(gpu, goal)) {
            *gp_push(mem, now, count) =
                (struct gp_boot_gpu){gpu->id, gp_gpu_identity(mem, gpu), resting_layout(mem, have, gpu)};
            if (set || !hook_knows(pass, have, gpu))
                err = gp_resolved_tell_hook(pass, host, gpu, vm_with, have);
        } else if (was && meant && goal && !goal->managed) {
            err = forget_gpu(pass, gpu);
        } else if (was) {
            *gp_push(mem, now, count) = *was;
        }
    }
    /* A card that is away may come back. */
    for (size_t i = 0; i < old_count; i++)
        if (!find_boot(now, count, old[i].id) && !gp_have_gpu(have, old[i].id))
            *gp_push(mem, now, count) = old[i];
    return err ? err : gp_state_set_boot(pass->state, now, count);
}
