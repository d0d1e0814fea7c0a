#include "laws.h"
#include "text.h"
#include "whole.h"

static const char *text_of(const char *text)
{
    return text ? text : "none";
}

static const char *partition_differs(struct gp_arena *mem, const struct gp_partition *want,
                                     const struct gp_partition *have, bool vfs_are_partitions)
{
    if (want->live != have->live)
        return gp_printf(mem, "partition %u is %slive", want->index, have->live ? "" : "not ");
    if (!gp_streq(want->profile, have->profile))
        return gp_printf(mem, "partition %u has profile %s, not %s", want->index, text_of(have->profile),
                         text_of(want->profile));
    if (want->type_id && have->type_id && want->type_id != have->type_id)
        return gp_printf(mem, "partition %u has type %u, not %u", want->index, have->type_id,
                         want->type_id);
    if (want->device.kind != GP_DEVICE_NONE && have->device.kind != want->device.kind)
        return gp_printf(mem, "partition %u is %s", want->index, gp_device_text(mem, have->device));
    if (vfs_are_partitions && want->driver && !gp_streq(want->driver, GP_DRIVER_ANY) &&
        !gp_streq(want->driver, have->driver))
        return gp_printf(mem, "partition %u is on driver %s, not %s", want->index, text_of(have->driver),
                         want->driver);
    return NULL;
}

const char *differs(struct gp_arena *mem, const struct gp_gpu *want, const struct gp_gpu *have)
{
    if (!gp_streq(want->mechanism, have->mechanism))
        return gp_printf(mem, "its mechanism is %s, not %s", text_of(have->mechanism),
                         text_of(want->mechanism));
    if (want->mode != have->mode)
        return gp_printf(mem, "its mode is %s, not %s", gp_mode_name(have->mode),
                         gp_mode_name(want->mode));
    if (want->status != have->status)
        return gp_printf(mem, "its status is %s (%s), not %s", gp_gpu_status_name(have->status),
                         have->reason ? have->reason : "no reason", gp_gpu_status_name(want->status));
    if (want->count != have->count || !gp_streq(want->profile, have->profile))
        return gp_printf(mem, "it has %u partitions of %s, not %u of %s", have->count,
                         text_of(have->profile), want->count, text_of(want->profile));
    if (want->vf_count != have->vf_count)
        return gp_printf(mem, "it has %u VFs, not %u", have->vf_count, want->vf_count);
    if (!gp_streq(want->driver, GP_DRIVER_ANY) && !gp_streq(want->driver, have->driver))
        return gp_printf(mem, "it is on driver %s, not %s", text_of(have->driver), text_of(want->driver));
    for (size_t i = 0; i < want->partition_count; i++) {
        const struct gp_partition *other = gp_gpu_partition(have, want->partitions[i].index);
        const char *why = other ? partition_differs(mem, &want->partitions[i], other,
                                                    gp_streq(want->mechanism, "sriov"))
                          : want->partitions[i].live
                              ? gp_printf(mem, "partition %u is missing", want->partitions[i].index)
                              : NULL;

        if (why)
            return why;
    }
    return NULL;
}

const char *differs_at_all(struct gp_arena *mem, const struct gp_gpu *a, const struct gp_gpu *b)
{
    const char *why = differs(mem, a, b);

    if (why)
        return why;
    if (!gp_streq(a->id, b->id) || !gp_streq(a->path, b->path) || !gp_streq(a->reason, b->reason) ||
        a->group != b->group || a->valid_count != b->valid_count || a->held != b->held)
        return "id, path, reason, group, valid counts or holder differ";
    if (a->partition_count != b->partition_count)
        return "the number of places for partitions differs";
    for (size_t i = 0; i < a->partition_count; i++) {
        if (a->partitions[i].group != b->partitions[i].group ||
            a->partitions[i].held != b->partitions[i].held ||
            !gp_streq(gp_device_text(mem, a->partitions[i].device),
                      gp_device_text(mem, b->partitions[i].device)))
            return gp_printf(mem, "group, holder or device of partition %zu differs", i);
    }
    return NULL;
}

const char *layout_text(struct gp_arena *mem, const struct gp_layout *layout)
{
    if (layout->exactly)
        return gp_printf(mem, "%s, exactly", gp_layout_value(mem, layout));
    return gp_layout_value(mem, layout);
}

struct gp_layout layout_of(struct gp_arena *mem, const struct gp_gpu *gpu)
{
    struct gp_layout layout = {.mode = gpu->mode, .count = gpu->count, .profile = gpu->profile};
    struct gp_partition *live = NULL;

    for (size_t i = 0; i < gpu->partition_count; i++) {
        if (gpu->partitions[i].live)
            *gp_push(mem, live, layout.exactly_count) = gpu->partitions[i];
    }
    layout.exactly = live;
    return layout;
}

struct gp_gpu *copy_of(struct gp_arena *mem, const struct gp_gpu *gpu)
{
    struct gp_gpu *copy = gp_memdup(mem, gpu, sizeof *gpu);

    copy->partitions = NULL;
    copy->partition_count = 0;
    for (size_t i = 0; i < gpu->partition_count; i++)
        *gp_push(mem, copy->partitions, copy->partition_count) = gpu->partitions[i];
    return copy;
}
