/* What an object is or shall be, as one line of text: so the state directory remembers it. */
#include "plan.h"

#include "text.h"

#include <string.h>

static const char *mode_value(struct gp_arena *mem, enum gp_mode mode, uint32_t count,
                              const char *profile)
{
    if (mode != GP_MODE_PARTITIONED)
        return gp_mode_name(mode);
    /* A GPU without partitions is not in a mode, whatever was asked of it. */
    if (!count)
        return gp_mode_name(GP_MODE_NONE);
    if (!profile)
        return gp_printf(mem, "partitioned %u", (unsigned)count);
    return gp_printf(mem, "partitioned %u %s", (unsigned)count, profile);
}

/* The profile that all of the live ones have, "mixed" if they differ, NULL if they have none. */
static const char *common_profile(const struct gp_partition *partitions, size_t count,
                                  bool only_live)
{
    const struct gp_partition *first = NULL;

    for (size_t n = 0; n < count; n++) {
        if (only_live && !partitions[n].live)
            continue;
        if (!first)
            first = &partitions[n];
        else if (!gp_streq(first->profile, partitions[n].profile))
            return "mixed";
    }
    return first ? first->profile : NULL;
}

const char *gp_gpu_value(struct gp_arena *mem, const struct gp_gpu *gpu)
{
    const char *profile = gpu->profile;

    if (!profile)
        profile = common_profile(gpu->partitions, gpu->partition_count, true);
    return mode_value(mem, gpu->mode, gpu->count, profile);
}

const char *gp_layout_value(struct gp_arena *mem, const struct gp_layout *layout)
{
    const char *profile = layout->profile;

    if (!profile)
        profile = common_profile(layout->exactly, layout->exactly_count, false);
    return mode_value(mem, layout->mode, layout->count, profile);
}

const char *gp_gpu_identity(struct gp_arena *mem, const struct gp_gpu *gpu)
{
    return gp_printf(mem, "%04x:%04x %04x:%04x %s%s%s", gpu->vendor, gpu->device, gpu->subsystem_vendor,
                     gpu->subsystem_device, gpu->path ? gpu->path : gp_pci_text(mem, gpu->address),
                     gpu->serial ? " serial " : "", gpu->serial ? gpu->serial : "");
}

bool gp_identity_eq(const char *a, const char *b)
{
    enum { IDS = sizeof "10de:25b6 10de:157e" }; /* with the space behind them */
    const char *a_serial = a ? strstr(a, " serial ") : NULL, *b_serial = b ? strstr(b, " serial ") : NULL;
    size_t a_size, b_size;

    if (!a || !b || strncmp(a, b, IDS) != 0)
        return false;
    if (a_serial && b_serial)
        return gp_streq(a_serial, b_serial);
    /* A serial number may be readable only once a driver is there: then the place decides. */
    a_size = a_serial ? (size_t)(a_serial - a) : strlen(a);
    b_size = b_serial ? (size_t)(b_serial - b) : strlen(b);
    return a_size == b_size && memcmp(a, b, a_size) == 0;
}

const char *gp_vm_value(struct gp_arena *mem, const struct gp_have *have, const struct gp_vm *vm)
{
    for (size_t n = 0; n < vm->persistent_count; n++) {
        const struct gp_hostdev *dev = &vm->persistent_devs[n];
        struct gp_gpu *gpu;
        struct gp_partition *partition;

        if (!dev->ours)
            continue;
        if (gp_have_find(have, dev->device, &gpu, &partition))
            return partition ? gp_partition_symbol(mem, gpu->id, partition->index) : gpu->id;
        /* After a reboot VFs and mdevs are gone, but the definition still says which one it was. */
        if (vm->mark && vm->mark_fits && vm->mark->partition &&
            gp_device_eq(vm->mark->device, dev->device))
            return vm->mark->partition;
        return gp_device_text(mem, dev->device);
    }
    return "-";
}

static bool is_whole(const struct gp_goal *goal, const struct gp_have *have, const char *id)
{
    const struct gp_gpu *gpu = gp_have_gpu(have, id);

    for (size_t n = 0; n < goal->gpu_count; n++)
        if (gp_streq(goal->gpus[n].id, id) && goal->gpus[n].managed && !goal->gpus[n].rule)
            return goal->gpus[n].want.mode == GP_MODE_PASSTHROUGH;
    return gpu && gpu->mode == GP_MODE_PASSTHROUGH;
}

const char *gp_goal_vm_value(struct gp_arena *mem, const struct gp_goal *goal, const struct gp_have *have,
                             const struct gp_goal_vm *vm)
{
    if (!vm->gpu || vm->pending)
        return "-";
    return is_whole(goal, have, vm->gpu) ? vm->gpu : gp_partition_symbol(mem, vm->gpu, vm->partition);
}

bool gp_vm_awaits_start(const struct gp_vm *vm)
{
    for (size_t n = 0; vm->power != GP_POWER_OFF && n < vm->persistent_count; n++) {
        bool runs_with = false;

        for (size_t live = 0; live < vm->live_count; live++)
            runs_with |= gp_device_eq(vm->live[live].device, vm->persistent_devs[n].device);
        if (vm->persistent_devs[n].ours && !runs_with)
            return true;
    }
    return false;
}

const struct gp_applied *gp_memory_applied(const struct gp_memory *memory, const char *key)
{
    size_t low = 0, high = memory ? memory->applied_count : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = gp_strcmp(key, memory->applied[middle].key);

        if (order == 0)
            return &memory->applied[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct gp_applied *gp_memory_applied_gpu(struct gp_arena *mem, const struct gp_memory *memory,
                                               const struct gp_gpu *gpu)
{
    const struct gp_applied *applied = gp_memory_applied(memory, gp_printf(mem, "gpu/%s", gpu->id));

    if (!applied || (applied->who && !gp_identity_eq(applied->who, gp_gpu_identity(mem, gpu))))
        return NULL;
    return applied;
}
