#include "show.h"

#include "text.h"

static void show_strings(struct gp_text *text, const char *head, const struct gp_strings *strings)
{
    for (size_t n = 0; n < strings->count; n++)
        gp_text_addf(text, "%s%s", n ? " " : head, strings->items[n]);
}

static void show_step(struct gp_text *text, const struct gp_step *step)
{
    const char *object = step->vm_name ? step->vm_name : step->unit ? step->unit : step->gpu;

    gp_text_addf(text, "  %u %s %s", (unsigned)step->wave, gp_step_kind_name(step->kind), object);
    if (!step->vm && step->partition >= 0)
        gp_text_addf(text, "/%lld", (long long)step->partition);
    gp_text_addf(text, ": %s -> %s", step->before, step->after);
    if (step->class != GP_CLASS_NONE)
        gp_text_addf(text, " [%s]", gp_class_name(step->class));
    if (!step->vm)
        show_strings(text, " disturbs ", &step->vms);
    gp_text_add(text, "\n");
}

const char *show_plan(struct gp_arena *mem, const struct gp_plan *plan)
{
    struct gp_text text = {.mem = mem};

    for (size_t s = 0; s < plan->set_count; s++) {
        const struct gp_set *set = &plan->sets[s];

        gp_text_addf(&text, "set %s", set->id);
        if (set->verdict == GP_VERDICT_BLOCKED) {
            gp_text_addf(&text, " blocked %s: %s\n", set->rule, set->why);
            continue;
        }
        gp_text_addf(&text, " class %s%s%s", gp_class_name(set->class),
                     set->change ? " change" : "", set->drift ? " drift" : "");
        show_strings(&text, " stops ", &set->stops);
        gp_text_add(&text, "\n");
        for (size_t n = 0; n < plan->step_count; n++)
            if (plan->steps[n].set == s)
                show_step(&text, &plan->steps[n]);
    }
    return gp_text_get(&text);
}

const char *show_findings(struct gp_arena *mem, const struct gp_plan *plan)
{
    struct gp_text text = {.mem = mem};

    for (size_t n = 0; n < plan->finding_count; n++)
        gp_text_addf(&text, "%s %s: %s\n", plan->findings[n].rule, plan->findings[n].object,
                     plan->findings[n].message);
    return gp_text_get(&text);
}

static void show_rows(struct gp_text *text, const char *what, const struct gp_difference *rows,
                      size_t count)
{
    for (size_t n = 0; n < count; n++)
        gp_text_addf(text, "%s %s %s%s%s: %s -> %s (%s)\n", what, rows[n].object, rows[n].path,
                     rows[n].rule ? " " : "", rows[n].rule ? rows[n].rule : "", rows[n].before,
                     rows[n].after, rows[n].reason);
}

const char *show_differences(struct gp_arena *mem, const struct gp_plan *plan)
{
    struct gp_text text = {.mem = mem};

    show_rows(&text, "change", plan->changes, plan->change_count);
    show_rows(&text, "drift", plan->drift, plan->drift_count);
    return gp_text_get(&text);
}

static void show_devs(struct gp_text *text, const char *head, const struct gp_have *have,
                      const struct gp_hostdev *devs, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        struct gp_gpu *gpu;
        struct gp_partition *partition;
        const char *name = gp_device_text(text->mem, devs[n].device);

        if (gp_have_find(have, devs[n].device, &gpu, &partition))
            name = partition ? gp_partition_symbol(text->mem, gpu->id, partition->index) : gpu->id;
        gp_text_addf(text, " %s %s%s", head, name, devs[n].ours ? "" : "(by hand)");
    }
}

const char *show_have(struct gp_arena *mem, const struct gp_have *have)
{
    static const char *const held[] = {"", " held", " unknown"};
    struct gp_text text = {.mem = mem};

    for (size_t g = 0; g < have->gpu_count; g++) {
        const struct gp_gpu *gpu = &have->gpus[g];

        gp_text_addf(&text, "%s (%s): %s%s\n", gpu->id, gpu->mechanism, gp_gpu_value(mem, gpu),
                     held[gpu->held]);
        for (size_t n = 0; n < gpu->partition_count; n++) {
            const struct gp_partition *partition = &gpu->partitions[n];

            if (partition->live || partition->held != GP_HELD_NO)
                gp_text_addf(&text, "  /%u %s %s%s%s%s\n", (unsigned)partition->index,
                             gp_device_text(mem, partition->device),
                             partition->profile ? partition->profile : "",
                             partition->live ? "" : " not live", held[partition->held],
                             partition->quarantined ? " quarantined" : "");
        }
    }
    for (size_t v = 0; v < have->vm_count; v++) {
        const struct gp_vm *vm = &have->vms[v];

        gp_text_addf(&text, "%s %s%s%s%s", vm->name, gp_power_name(vm->power),
                     vm->persistent ? "" : " transient", vm->untouchable   ? " untouchable: "
                                                      : vm->unstoppable ? " unstoppable: "
                                                                        : "",
                     vm->unstoppable ? vm->unstoppable : "");
        show_devs(&text, "live", have, vm->live, vm->live_count);
        show_devs(&text, "defined", have, vm->persistent_devs, vm->persistent_count);
        if (vm->mark)
            gp_text_addf(&text, " mark %s", vm->mark->partition);
        gp_text_add(&text, "\n");
    }
    for (size_t n = 0; n < have->unit_count; n++)
        gp_text_addf(&text, "%s %s%s\n", have->units[n].name,
                     gp_unit_state_name(have->units[n].state),
                     have->units[n].listed ? "" : " not listed");
    return gp_text_get(&text);
}

const char *show_goal(struct gp_arena *mem, const struct gp_goal *goal)
{
    struct gp_text text = {.mem = mem};

    for (size_t n = 0; n < goal->gpu_count; n++)
        if (goal->gpus[n].managed)
            gp_text_addf(&text, "%s: %s%s%s\n", goal->gpus[n].id,
                         gp_layout_value(mem, &goal->gpus[n].want),
                         goal->gpus[n].rule ? " blocked " : "",
                         goal->gpus[n].rule ? goal->gpus[n].rule : "");
    for (size_t n = 0; n < goal->vm_count; n++) {
        const struct gp_goal_vm *vm = &goal->vms[n];

        gp_text_addf(&text, "%s:%s%s%s%s%s", vm->name, vm->managed ? " managed" : "",
                     vm->run ? " run" : "", vm->pending ? " pending" : "",
                     vm->next_start ? " next-start" : "", vm->rule ? " blocked" : "");
        if (vm->gpu)
            gp_text_addf(&text, " %s/%u by %s", vm->gpu, (unsigned)vm->partition,
                         vm->binding ? vm->binding : "-");
        gp_text_add(&text, "\n");
    }
    for (size_t n = 0; n < goal->unit_count; n++)
        gp_text_addf(&text, "%s:%s\n", goal->units[n].name, goal->units[n].run ? " run" : "");
    return gp_text_get(&text);
}
