/* The steps of one set, in their order and waves, each with all that is to be known of it. */
#include "planner.h"

#include "text.h"

enum phase { PHASE_DESTROY, PHASE_MAKE, PHASE_MAKE_ON_MADE, PHASE_EDIT, PHASE_START, PHASE_COUNT };

struct writer {
    struct gp_planner *planner;
    struct gp_plan *plan;
    const bool *mine; /* by GPU, by VM, by unit: whether it is in the set */
    uint32_t set;
    size_t first;   /* of the set's steps in plan->steps */
    int32_t *vm_of; /* by step from there on: index of its VM, -1: none */
    size_t vm_of_count;
};

static uint32_t timeout_of(enum gp_step_kind kind)
{
    static const uint32_t timeouts[GP_STEP_COUNT] = {
        [GP_STEP_STOP_VM] = 180000,         [GP_STEP_DETACH] = 30000,
        [GP_STEP_STOP_UNIT] = 60000,        [GP_STEP_RELEASE_PARTITION] = 30000,
        [GP_STEP_SET_VF_COUNT] = 120000,    [GP_STEP_SET_MODE] = 60000,
        [GP_STEP_BIND_DRIVER] = 60000,      [GP_STEP_PROVISION] = 30000,
        [GP_STEP_CREATE_PARTITION] = 30000, [GP_STEP_ATTACH] = 30000,
        [GP_STEP_REBIND] = 30000,           [GP_STEP_MARK] = 30000,
        [GP_STEP_START_UNIT] = 60000,       [GP_STEP_START_VM] = 120000,
    };

    return timeouts[kind];
}

/* @phase is turned into a wave when the set is complete. */
static struct gp_step *add_step(struct writer *writer, enum gp_step_kind kind, enum phase phase,
                                int32_t vm)
{
    struct gp_plan *plan = writer->plan;
    struct gp_step *step = gp_push(writer->planner->mem, plan->steps, plan->step_count);

    *gp_push(writer->planner->mem, writer->vm_of, writer->vm_of_count) = vm;
    step->kind = kind;
    step->partition = -1;
    step->n = (uint32_t)plan->step_count;
    step->set = writer->set;
    step->wave = phase;
    step->timeout_ms = timeout_of(kind);
    return step;
}

static enum gp_class stop_class(const struct gp_work_vm *vm)
{
    if (vm->stop & GP_WHY_HOST)
        return GP_CLASS_HOST;
    if (vm->stop & GP_WHY_GPU)
        return GP_CLASS_GPU;
    return vm->stop ? GP_CLASS_VM : GP_CLASS_NONE;
}

static struct gp_step *add_vm_step(struct writer *writer, enum gp_step_kind kind, enum phase phase,
                                   size_t index)
{
    struct gp_planner *planner = writer->planner;
    const struct gp_work_vm *vm = &planner->vms[index];
    struct gp_step *step = add_step(writer, kind, phase, (int32_t)index);

    step->vm = vm->vm->uuid;
    step->vm_name = vm->vm->name;
    step->class = stop_class(vm);
    step->cause = vm->goal ? vm->goal->cause : (struct gp_span){0};
    if (vm->stop)
        *gp_push(planner->mem, step->vms.items, step->vms.count) = vm->vm->name;
    return step;
}

static const char *layout_change(const struct gp_planner *planner, const struct gp_work_gpu *gpu)
{
    return gp_printf(planner->mem, "GPU %s: '%s' becomes '%s'", gpu->gpu->id,
                     gp_gpu_value(planner->mem, gpu->gpu),
                     gp_layout_value(planner->mem, &gpu->goal->want));
}

static const char *wish(const struct gp_planner *planner, const struct gp_work_vm *vm)
{
    if (vm->want_gpu < 0)
        return gp_goal_unbound_reason(planner->goal, vm->goal);
    return gp_printf(planner->mem, "it is bound to %s%s%s",
                     vm->want_part < 0 ? vm->goal->gpu
                                       : gp_partition_symbol(planner->mem, vm->goal->gpu,
                                                             (uint32_t)vm->want_part),
                     vm->goal->binding ? " by " : "", vm->goal->binding ? vm->goal->binding : "");
}

static void write_stop(struct writer *writer, size_t index)
{
    static const struct gp_stop_policy usual = {.method = {GP_STOP_AGENT, GP_STOP_ACPI}};
    const struct gp_planner *planner = writer->planner;
    const struct gp_work_vm *vm = &planner->vms[index];
    struct gp_step *step = add_vm_step(writer, GP_STEP_STOP_VM, PHASE_DESTROY, index);

    step->before = gp_power_name(vm->vm->power);
    step->after = gp_power_name(GP_POWER_OFF);
    step->stop = vm->goal ? vm->goal->stop : planner->goal->policy.stop;
    if (!step->stop.timeout_ms)
        step->stop.timeout_ms = planner->goal->policy.stop.timeout_ms;
    if (!step->stop.timeout_ms)
        step->stop.timeout_ms = step->timeout_ms;
    if (step->stop.method[0] == GP_STOP_NONE) {
        step->stop.method[0] = usual.method[0];
        step->stop.method[1] = usual.method[1];
    }
    step->timeout_ms = step->stop.timeout_ms;
    if (vm->stop_gpu >= 0) {
        step->reason = layout_change(planner, &planner->gpus[vm->stop_gpu]);
        step->cause = planner->gpus[vm->stop_gpu].goal->cause;
    } else {
        step->reason = wish(planner, vm);
    }
}

static const char *text_or(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

/* "slot3/2" of what leaves, also where the partition is gone already and only the mark still says
 * it. */
static const char *name_of_old(const struct gp_planner *planner, const struct gp_work_vm *vm,
                               const struct gp_edit_step *edit)
{
    const struct gp_mark *mark = vm->vm->mark;

    if (edit->from_place.gpu < 0 && mark && vm->vm->mark_fits && mark->partition &&
        gp_device_eq(mark->device, edit->from))
        return mark->partition;
    return gp_planner_device_name(planner, edit->from);
}

static void write_edit(struct writer *writer, size_t index, const struct gp_edit_step *edit)
{
    const struct gp_planner *planner = writer->planner;
    const struct gp_work_vm *vm = &planner->vms[index];
    const bool detach = edit->kind == GP_STEP_DETACH;
    struct gp_step *step =
        add_vm_step(writer, edit->kind, detach ? PHASE_DESTROY : PHASE_EDIT, index);

    step->before = "-";
    if (edit->kind == GP_STEP_DETACH || edit->kind == GP_STEP_REBIND) {
        step->device_before = edit->from;
        step->before = name_of_old(planner, vm, edit);
    }
    step->after = "-";
    step->reason = wish(planner, vm);
    if (detach) {
        if (edit->from_place.gpu >= 0) {
            const struct gp_gpu *gpu = planner->gpus[edit->from_place.gpu].gpu;

            step->gpu = gpu->id;
            if (edit->from_place.part >= 0)
                step->partition = gpu->partitions[edit->from_place.part].index;
        }
        return;
    }
    step->gpu = vm->goal->gpu;
    step->partition = vm->want_part;
    step->after = vm->want_part < 0
                      ? vm->goal->gpu
                      : gp_partition_symbol(planner->mem, vm->goal->gpu, (uint32_t)vm->want_part);
    if (!gp_device_is_placeholder(edit->to))
        step->device = edit->to;
    step->binding = vm->goal->binding;
    step->pool = vm->goal->pool;
}

static void write_start(struct writer *writer, size_t index)
{
    const struct gp_work_vm *vm = &writer->planner->vms[index];
    struct gp_step *step = add_vm_step(writer, GP_STEP_START_VM, PHASE_START, index);

    step->before = gp_power_name(GP_POWER_OFF);
    step->after = gp_power_name(GP_POWER_RUNNING);
    step->reason = vm->stop ? "it ran before" : "a start is owed to it";
}

static bool destroys(const struct gp_step *step)
{
    return step->kind == GP_STEP_RELEASE_PARTITION ||
           (step->kind == GP_STEP_SET_VF_COUNT && !step->value);
}

/* Fills @ret with the phase of each step: after the first one that makes something, nothing counts
 * as destroying any more; what is done to a partition that only then appears needs a look in
 * between. */
static void phases_of(const struct gp_work_gpu *gpu, enum phase *ret)
{
    enum phase phase = PHASE_DESTROY;
    bool vfs_appear = false;

    for (size_t n = 0; n < gpu->steps.count; n++) {
        const struct gp_step *step = &gpu->steps.items[n];

        if (phase == PHASE_DESTROY && !destroys(step))
            phase = PHASE_MAKE;
        if (phase == PHASE_MAKE && vfs_appear && step->partition >= 0)
            phase = PHASE_MAKE_ON_MADE;
        vfs_appear |= step->kind == GP_STEP_SET_VF_COUNT && step->value;
        ret[n] = phase;
    }
}

static void write_disturbed(struct writer *writer, const struct gp_work_gpu *gpu,
                            struct gp_step *step)
{
    struct gp_planner *planner = writer->planner;

    if (step->reach == GP_REACH_NOTHING && step->kind != GP_STEP_RELEASE_PARTITION)
        return;
    for (size_t v = 0; v < planner->vm_count; v++) {
        const struct gp_work_vm *vm = &planner->vms[v];
        bool there = false;

        for (size_t n = 0; vm->stop && n < vm->vm->live_count; n++) {
            const struct gp_place place = vm->live[n];

            if (!gp_work_gpu_disturbs(planner, gpu, place))
                continue;
            there |= step->reach >= GP_REACH_GPU || place.part < 0 || step->partition < 0 ||
                     gpu->gpu->partitions[place.part].index == step->partition;
        }
        if (there)
            *gp_push(planner->mem, step->vms.items, step->vms.count) = vm->vm->name;
    }
}

static const char *default_after(const struct gp_planner *planner, const struct gp_step *step)
{
    switch (step->kind) {
    case GP_STEP_RELEASE_PARTITION:
        return "none";
    case GP_STEP_SET_VF_COUNT:
        return gp_printf(planner->mem, "%llu", (unsigned long long)step->value);
    case GP_STEP_BIND_DRIVER:
        return text_or(step->driver, "none");
    default:
        return text_or(step->profile, "partition");
    }
}

static void write_gpu_step(struct writer *writer, const struct gp_work_gpu *gpu,
                           const struct gp_step *asked, enum phase phase)
{
    struct gp_planner *planner = writer->planner;
    struct gp_step *step = add_step(writer, asked->kind, phase, -1);
    const uint32_t n = step->n, set = step->set, timeout_ms = step->timeout_ms;

    *step = *asked;
    step->n = n;
    step->set = set;
    step->wave = phase;
    if (!step->timeout_ms)
        step->timeout_ms = timeout_ms;
    step->gpu = gpu->gpu->id;
    step->vms = (struct gp_strings){0};
    step->depends_on = NULL;
    step->depends_count = 0;
    step->before = text_or(step->before, "-");
    if (!step->after)
        step->after = default_after(planner, step);
    if (!step->reason)
        step->reason = layout_change(planner, gpu);
    if (!step->cause.line)
        step->cause = gpu->goal->cause;
    write_disturbed(writer, gpu, step);
    step->class = step->vms.count ? GP_CLASS_GPU : GP_CLASS_NONE;
    if (step->reach == GP_REACH_HOST)
        step->class = GP_CLASS_HOST;
}

static bool has_vm(const struct writer *writer, size_t vm)
{
    return writer->mine[writer->planner->gpu_count + vm];
}

static void write_gpus(struct writer *writer, enum phase phase)
{
    const struct gp_planner *planner = writer->planner;

    for (size_t g = 0; g < planner->gpu_count; g++) {
        const struct gp_work_gpu *gpu = &planner->gpus[g];
        enum phase *phases;

        if (!writer->mine[g] || !gp_work_gpu_acts(gpu))
            continue;
        phases = gp_new_array(planner->mem, enum phase, gpu->steps.count);
        phases_of(gpu, phases);
        for (size_t n = 0; n < gpu->steps.count; n++)
            if (phases[n] == phase)
                write_gpu_step(writer, gpu, &gpu->steps.items[n], phase);
    }
}

static void write_edits(struct writer *writer, bool detach)
{
    const struct gp_planner *planner = writer->planner;

    for (size_t v = 0; v < planner->vm_count; v++) {
        const struct gp_work_vm *vm = &planner->vms[v];

        for (size_t e = 0; has_vm(writer, v) && e < vm->edit_count; e++)
            if ((vm->edits[e].kind == GP_STEP_DETACH) == detach)
                write_edit(writer, v, &vm->edits[e]);
    }
}

/* ---- programs of the host ---- */

/* The first GPU of the set for which they must be off; NULL: none. */
static const struct gp_work_gpu *needs_units_off(const struct writer *writer)
{
    const struct gp_planner *planner = writer->planner;

    for (size_t g = 0; g < planner->gpu_count; g++)
        if (writer->mine[g] && gp_work_gpu_needs_units_off(&planner->gpus[g]))
            return &planner->gpus[g];
    return NULL;
}

static void write_unit(struct writer *writer, size_t index, bool stop)
{
    const struct gp_work_gpu *gpu = needs_units_off(writer);
    struct gp_step *step =
        add_step(writer, stop ? GP_STEP_STOP_UNIT : GP_STEP_START_UNIT, stop ? PHASE_DESTROY : PHASE_START, -1);

    step->unit = writer->planner->units[index].unit->name;
    step->before = gp_unit_state_name(stop ? GP_UNIT_ACTIVE : GP_UNIT_INACTIVE);
    step->after = gp_unit_state_name(stop ? GP_UNIT_INACTIVE : GP_UNIT_ACTIVE);
    step->reason = gpu && stop ? layout_change(writer->planner, gpu)
                   : gpu       ? "it ran before"
                               : "a start is owed to it";
    if (gpu)
        step->cause = gpu->goal->cause;
}

static void write_unit_stops(struct writer *writer)
{
    const struct gp_planner *planner = writer->planner;

    for (size_t u = 0; needs_units_off(writer) && u < planner->unit_count; u++)
        if (gp_work_unit_stops(planner, &planner->units[u]))
            write_unit(writer, u, true);
}

/* The other way round. */
static void write_unit_starts(struct writer *writer)
{
    const struct gp_planner *planner = writer->planner;
    const bool *mine = writer->mine + planner->gpu_count + planner->vm_count;

    for (size_t u = planner->unit_count; u-- > 0;) {
        const struct gp_work_unit *unit = &planner->units[u];

        if (unit->run && unit->unit->state != GP_UNIT_UNKNOWN &&
            (mine[u] || (unit->may_stop && needs_units_off(writer))))
            write_unit(writer, u, false);
    }
}

/* Phases that are empty in this set take no wave. */
static void number_waves(struct writer *writer)
{
    uint32_t wave[PHASE_COUNT] = {0}, next = 0;
    bool used[PHASE_COUNT] = {false};

    for (size_t n = writer->first; n < writer->plan->step_count; n++)
        if (writer->plan->steps[n].kind != GP_STEP_STOP_UNIT)
            used[writer->plan->steps[n].wave] = true;
    /* A unit that is off already must not make a wave less: it stops in that of the first step beside it. */
    for (size_t n = writer->first; n < writer->plan->step_count && !used[PHASE_DESTROY]; n++)
        if (writer->plan->steps[n].kind == GP_STEP_STOP_UNIT)
            writer->plan->steps[n].wave = PHASE_MAKE;
    for (size_t phase = 0; phase < PHASE_COUNT; phase++)
        if (used[phase])
            wave[phase] = next++;
    for (size_t n = writer->first; n < writer->plan->step_count; n++)
        writer->plan->steps[n].wave = wave[writer->plan->steps[n].wave];
}

/* ---- what must come first ---- */

static bool is_gpu_step(const struct gp_step *step)
{
    return !step->vm && !step->unit;
}

static bool is_last_of_gpu(const struct writer *writer, size_t earlier, size_t later)
{
    const struct gp_step *steps = writer->plan->steps;

    for (size_t n = earlier + 1; n < later; n++)
        if (is_gpu_step(&steps[n]) && gp_streq(steps[n].gpu, steps[earlier].gpu))
            return false;
    return true;
}

static bool needs_gpu(const struct writer *writer, size_t later, const char *gpu)
{
    const struct gp_planner *planner = writer->planner;
    const struct gp_step *step = &writer->plan->steps[later];
    const struct gp_work_vm *vm = &planner->vms[writer->vm_of[later - writer->first]];

    if (step->kind != GP_STEP_START_VM)
        return step->kind != GP_STEP_DETACH && step->kind != GP_STEP_STOP_VM &&
               gp_streq(step->gpu, gpu);
    if (vm->want_gpu >= 0 && gp_streq(planner->gpus[vm->want_gpu].gpu->id, gpu))
        return true;
    for (size_t g = 0; g < planner->gpu_count; g++)
        if (gp_streq(planner->gpus[g].gpu->id, gpu) && gp_work_vm_ends_on(vm, &planner->gpus[g]))
            return true;
    for (size_t n = 0; n < vm->vm->persistent_count; n++)
        if (vm->persistent[n].gpu >= 0 &&
            gp_streq(planner->gpus[vm->persistent[n].gpu].gpu->id, gpu))
            return true;
    return false;
}

static bool disturbs_vm(const struct gp_step *step, const char *name)
{
    for (size_t n = 0; n < step->vms.count; n++)
        if (gp_streq(step->vms.items[n], name))
            return true;
    return false;
}

static bool must_precede(const struct writer *writer, size_t earlier, size_t later)
{
    const struct gp_step *a = &writer->plan->steps[earlier], *b = &writer->plan->steps[later];

    if ((a->vm && gp_streq(a->vm, b->vm)) || (a->unit && gp_streq(a->unit, b->unit)))
        return true;
    if (a->unit)
        return a->kind == GP_STEP_STOP_UNIT && gp_step_needs_units_off(b);
    if (b->unit)
        return b->kind == GP_STEP_START_UNIT && gp_step_needs_units_off(a) && is_last_of_gpu(writer, earlier, later);
    if (is_gpu_step(b)) {
        if (is_gpu_step(a))
            return gp_streq(a->gpu, b->gpu) && is_last_of_gpu(writer, earlier, later);
        return a->kind == GP_STEP_STOP_VM ? disturbs_vm(b, a->vm_name)
                                          : a->kind == GP_STEP_DETACH && gp_streq(a->gpu, b->gpu);
    }
    if (!b->vm)
        return false;
    if (is_gpu_step(a))
        return needs_gpu(writer, later, a->gpu) && is_last_of_gpu(writer, earlier, later);
    return (a->kind == GP_STEP_DETACH || a->kind == GP_STEP_REBIND) &&
           (b->kind == GP_STEP_ATTACH || b->kind == GP_STEP_REBIND) &&
           gp_device_eq(a->device_before, b->device);
}

static void write_dependencies(struct writer *writer)
{
    struct gp_arena *mem = writer->planner->mem;

    for (size_t later = writer->first; later < writer->plan->step_count; later++) {
        struct gp_step *step = &writer->plan->steps[later];

        for (size_t earlier = writer->first; earlier < later; earlier++)
            if (must_precede(writer, earlier, later))
                *gp_push(mem, step->depends_on, step->depends_count) =
                    writer->plan->steps[earlier].n;
    }
}

void gp_planner_write_steps(struct gp_planner *planner, struct gp_plan *plan, uint32_t set,
                            const bool *mine)
{
    struct writer of_set = {
        .planner = planner,
        .plan = plan,
        .mine = mine,
        .set = set,
        .first = plan->step_count,
    };
    struct writer *const writer = &of_set;

    for (size_t v = 0; v < planner->vm_count; v++)
        if (has_vm(writer, v) && planner->vms[v].stop)
            write_stop(writer, v);
    write_edits(writer, true);
    write_unit_stops(writer);
    write_gpus(writer, PHASE_DESTROY);
    write_gpus(writer, PHASE_MAKE);
    write_gpus(writer, PHASE_MAKE_ON_MADE);
    write_edits(writer, false);
    write_unit_starts(writer);
    for (size_t v = 0; v < planner->vm_count; v++)
        if (has_vm(writer, v) && planner->vms[v].start)
            write_start(writer, v);
    number_waves(writer);
    write_dependencies(writer);
}
