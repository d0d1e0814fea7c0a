#include "world.h"

#include "text.h"

const char *world_text(struct gp_arena *mem, const struct gp_goal *goal)
{
    struct gp_text text = {.mem = mem};

    for (size_t n = 0; n < goal->gpu_count; n++) {
        const struct gp_goal_gpu *gpu = &goal->gpus[n];

        if (!gpu->managed)
            gp_text_addf(&text, "%s: left alone\n", gpu->id);
        else if (gpu->blocked)
            gp_text_addf(&text, "%s: %s %s\n", gpu->id, gpu->rule, gpu->blocked);
        else
            gp_text_addf(&text, "%s: %s\n", gpu->id, gp_layout_value(mem, &gpu->want));
    }
    for (size_t n = 0; n < goal->vm_count; n++) {
        const struct gp_goal_vm *vm = &goal->vms[n];

        if (!vm->managed)
            gp_text_addf(&text, "%s: left alone\n", vm->name);
        else if (vm->blocked)
            gp_text_addf(&text, "%s: %s %s\n", vm->name, vm->rule, vm->blocked);
        else if (vm->pending)
            gp_text_addf(&text, "%s: pending\n", vm->name);
        else if (vm->gpu)
            gp_text_addf(&text, "%s: %s/%u\n", vm->name, vm->gpu, (unsigned)vm->partition);
        else
            gp_text_addf(&text, "%s: -\n", vm->name);
    }
    return gp_text_get(&text);
}

static void devices_text(struct gp_text *text, const struct gp_have *have, const char *kind,
                         const struct gp_hostdev *devs, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        struct gp_gpu *gpu;
        struct gp_partition *partition;

        if (gp_have_find(have, devs[n].device, &gpu, &partition) && partition)
            gp_text_addf(text, " %s %s/%u%s", kind, gpu->id, (unsigned)partition->index,
                         devs[n].ours         ? ""
                         : devs[n].stray_mark ? " (stray)"
                                              : " (by hand)");
    }
}

const char *world_have_text(struct gp_arena *mem, const struct gp_have *have)
{
    struct gp_text text = {.mem = mem};

    for (size_t n = 0; n < have->gpu_count; n++) {
        const struct gp_gpu *gpu = &have->gpus[n];

        gp_text_addf(&text, "%s: %s;", gpu->id, gp_gpu_value(mem, gpu));
        for (size_t p = 0; p < gpu->partition_count; p++) {
            const struct gp_partition *partition = &gpu->partitions[p];

            if (partition->live || partition->quarantined || partition->held != GP_HELD_NO)
                gp_text_addf(&text, " %u%s%s%s", (unsigned)partition->index, partition->live ? "" : " not live",
                             partition->quarantined ? " quarantined" : "",
                             partition->held != GP_HELD_NO ? " held" : "");
        }
        gp_text_add(&text, "\n");
    }
    for (size_t n = 0; n < have->vm_count; n++) {
        const struct gp_vm *vm = &have->vms[n];

        gp_text_addf(&text, "%s: %s%s;", vm->name, gp_power_name(vm->power),
                     vm->unstoppable ? ", cannot be stopped" : "");
        devices_text(&text, have, "runs with", vm->live, vm->live_count);
        devices_text(&text, have, "has", vm->persistent_devs, vm->persistent_count);
        gp_text_add(&text, "\n");
    }
    return gp_text_get(&text);
}

const char *world_findings(struct gp_arena *mem, const struct gp_goal *goal)
{
    struct gp_text text = {.mem = mem};

    for (size_t n = 0; n < goal->finding_count; n++)
        gp_text_addf(&text, "%s %s %s: %s\n", gp_level_name(goal->findings[n].level),
                     goal->findings[n].rule, goal->findings[n].object, goal->findings[n].message);
    return gp_text_get(&text);
}
