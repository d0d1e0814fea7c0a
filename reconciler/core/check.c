/* The laws that can be seen on one plan, looked for by doing its steps on a copy of the host. Knows
 * nothing of how plans are made. */
#include "plan.h"

#include "text.h"

struct checker {
    const struct gp_plan_input *input;
    const struct gp_plan *plan;
    struct gp_arena *mem;
    const struct gp_have *before; /* the whole plan */
    struct gp_have *now;          /* before the step that is looked at */
    const struct gp_step *step;
};

static struct gp_error *breaks(const struct checker *checker, int law,
                               const char *what) GP_MUST_CHECK;
static struct gp_error *breaks(const struct checker *checker, int law, const char *what)
{
    const struct gp_step *step = checker->step;
    const char *object = step->vm_name ? step->vm_name
                         : step->unit  ? step->unit
                         : step->gpu   ? step->gpu
                                       : "host";

    return gp_error_new(
        GP_E_BUG, "law %d, step %u, %s %s%s%s: %s", law, (unsigned)step->n,
        gp_step_kind_name(step->kind), object, step->partition >= 0 ? "/" : "",
        step->partition >= 0 ? gp_printf(checker->mem, "%u", (unsigned)step->partition) : "", what);
}

/* ---- looking things up ---- */

static const struct gp_goal_vm *goal_vm(const struct checker *checker, const char *uuid)
{
    for (size_t n = 0; n < checker->input->goal->vm_count; n++)
        if (gp_streq(checker->input->goal->vms[n].uuid, uuid))
            return &checker->input->goal->vms[n];
    return NULL;
}

static const struct gp_goal_gpu *goal_gpu(const struct checker *checker, const char *id)
{
    for (size_t n = 0; n < checker->input->goal->gpu_count; n++)
        if (gp_streq(checker->input->goal->gpus[n].id, id))
            return &checker->input->goal->gpus[n];
    return NULL;
}

static bool has_dev(const struct gp_hostdev *devs, size_t count, struct gp_device device)
{
    for (size_t n = 0; n < count; n++)
        if (gp_device_eq(devs[n].device, device))
            return true;
    return false;
}

static const struct gp_hostdev *find_ours(const struct gp_vm *vm, struct gp_device device)
{
    for (size_t n = 0; n < vm->persistent_count; n++)
        if (vm->persistent_devs[n].ours && gp_device_eq(vm->persistent_devs[n].device, device))
            return &vm->persistent_devs[n];
    return NULL;
}

static const struct gp_partition *find_live(const struct gp_gpu *gpu, struct gp_device device)
{
    for (size_t n = 0; n < gpu->partition_count; n++)
        if (gpu->partitions[n].live && gp_device_eq(gpu->partitions[n].device, device))
            return &gpu->partitions[n];
    return NULL;
}

static bool is_vm_step(enum gp_step_kind kind)
{
    return kind == GP_STEP_STOP_VM || kind == GP_STEP_DETACH || kind == GP_STEP_ATTACH ||
           kind == GP_STEP_REBIND || kind == GP_STEP_MARK || kind == GP_STEP_START_VM;
}

static bool is_unit_step(enum gp_step_kind kind)
{
    return kind == GP_STEP_STOP_UNIT || kind == GP_STEP_START_UNIT;
}

static bool is_edit(enum gp_step_kind kind)
{
    return kind == GP_STEP_DETACH || kind == GP_STEP_ATTACH || kind == GP_STEP_REBIND ||
           kind == GP_STEP_MARK;
}

/* Whether the plan has a step of @kind for @vm after @from (from 0: anywhere). */
static bool plans(const struct checker *checker, const char *vm, enum gp_step_kind kind,
                  size_t from)
{
    for (size_t n = from; n < checker->plan->step_count; n++)
        if (checker->plan->steps[n].kind == kind && gp_streq(checker->plan->steps[n].vm, vm))
            return true;
    return false;
}

/* ---- law 1: nothing is released while anything holds it ---- */

static bool reaches(const struct checker *checker, const struct gp_gpu *gpu, int64_t index)
{
    const struct gp_step *step = checker->step;
    const struct gp_gpu *own = gp_have_gpu(checker->now, step->gpu);

    switch (step->reach) {
    case GP_REACH_NOTHING:
        return gpu == own && step->kind == GP_STEP_RELEASE_PARTITION && index == step->partition;
    case GP_REACH_PARTITION:
        return gpu == own && index == step->partition;
    case GP_REACH_GPU:
        return gpu == own;
    case GP_REACH_HOST:
        return gp_streq(gpu->mechanism, own->mechanism);
    }
    return true;
}

static bool runs_with(const struct gp_have *have, struct gp_device device)
{
    for (size_t n = 0; n < have->vm_count; n++)
        if (have->vms[n].power != GP_POWER_OFF &&
            has_dev(have->vms[n].live, have->vms[n].live_count, device))
            return true;
    return false;
}

static struct gp_error *check_free(const struct checker *checker)
{
    for (size_t g = 0; g < checker->now->gpu_count; g++) {
        const struct gp_gpu *gpu = &checker->now->gpus[g];
        const struct gp_device whole = {.kind = GP_DEVICE_PCI, .pci = gpu->address};

        for (size_t p = 0; p < gpu->partition_count; p++) {
            if (!reaches(checker, gpu, gpu->partitions[p].index))
                continue;
            if (gpu->partitions[p].held != GP_HELD_NO)
                return breaks(checker, 1, "somebody still holds a partition");
            if (runs_with(checker->now, gpu->partitions[p].device))
                return breaks(checker, 1, "a VM still runs with a partition");
        }
        if (!reaches(checker, gpu, -1))
            continue;
        if (gpu->held != GP_HELD_NO || runs_with(checker->now, whole))
            return breaks(checker, 1, "somebody still holds the GPU");
    }
    return NULL;
}

/* ---- law 4: only what is ours ---- */

/* A definition that is not ours to change must not lose what it names. @was: the GPU before the
 * step. */
static struct gp_error *check_definitions(const struct checker *checker, const struct gp_gpu *was)
{
    const struct gp_gpu *is = gp_have_gpu(checker->now, was->id);

    /* A way back takes away what was made since, and was named before it was there. */
    for (size_t v = 0; checker->input->goal->cluster && v < checker->now->vm_count; v++) {
        const struct gp_vm *vm = &checker->now->vms[v];

        for (size_t n = 0; n < vm->persistent_count; n++) {
            const struct gp_device device = vm->persistent_devs[n].device;
            const struct gp_partition *before, *after;

            if (vm->persistent_devs[n].ours)
                continue;
            before = find_live(was, device);
            after = find_live(is, device);
            if (!before || (after && gp_streq(after->profile, before->profile)) ||
                plans(checker, vm->uuid, GP_STEP_MARK, 0))
                continue;
            return breaks(checker, 4,
                          gp_printf(checker->mem, "VM %s was given it by hand", vm->name));
        }
    }
    return NULL;
}

/* ---- programs of the host ---- */

static const struct gp_goal_unit *goal_unit(const struct checker *checker, const char *name)
{
    for (size_t n = 0; n < checker->input->goal->unit_count; n++)
        if (gp_streq(checker->input->goal->units[n].name, name))
            return &checker->input->goal->units[n];
    return NULL;
}

static bool needs_gpu_free(const struct gp_step *step)
{
    return !is_vm_step(step->kind) && !is_unit_step(step->kind) &&
           (step->reach >= GP_REACH_GPU || (step->reach == GP_REACH_PARTITION && step->partition < 0));
}

/* Law 1. On the way back one whose state nobody can tell holds up no guest. */
static struct gp_error *check_units_off(const struct checker *checker)
{
    for (size_t n = 0; needs_gpu_free(checker->step) && n < checker->now->unit_count; n++) {
        const struct gp_unit *unit = &checker->now->units[n];
        const struct gp_goal_unit *goal = goal_unit(checker, unit->name);
        const bool may_hold = unit->state == GP_UNIT_ACTIVE ||
                              (unit->state == GP_UNIT_UNKNOWN && checker->input->goal->cluster);

        if (goal && unit->listed && may_hold)
            return breaks(checker, 1, gp_printf(checker->mem, "%s may use the GPU", unit->name));
    }
    return NULL;
}

/* Laws 2, 4 and 8. */
static struct gp_error *check_unit_step(const struct checker *checker)
{
    const struct gp_step *step = checker->step;
    const struct gp_goal_unit *goal = goal_unit(checker, step->unit);
    const struct gp_unit *unit = gp_have_unit(checker->now, step->unit);
    bool starts = false, needed = false;

    if (!goal || !unit)
        return breaks(checker, 4, "nobody says that it may be stopped or started");
    if (step->kind == GP_STEP_START_UNIT)
        return goal->run ? NULL : breaks(checker, 2, "nobody wants it to run");
    if (!unit->listed || unit->state == GP_UNIT_UNKNOWN)
        return breaks(checker, 4, "it may not be stopped");
    for (size_t n = step->n; n < checker->plan->step_count; n++) {
        const struct gp_step *later = &checker->plan->steps[n];

        needed |= later->set == step->set && needs_gpu_free(later);
        starts |= later->set == step->set && later->kind == GP_STEP_START_UNIT &&
                  gp_streq(later->unit, step->unit);
    }
    if (goal->run && !starts)
        return breaks(checker, 2, "it is not started again");
    return needed ? NULL : breaks(checker, 8, "nothing that it uses changes");
}

static struct gp_error *check_gpu_step(const struct checker *checker)
{
    const struct gp_goal_gpu *goal = goal_gpu(checker, checker->step->gpu);
    struct gp_error *err;

    if (!gp_have_gpu(checker->now, checker->step->gpu))
        return breaks(checker, 4, "there is no such GPU");
    if (!goal || !goal->managed || goal->rule)
        return breaks(checker, 4, "the GPU is not ours to change");
    err = check_free(checker);
    if (!err)
        err = check_units_off(checker);
    if (err)
        return err;
    for (size_t g = 0; checker->step->reach == GP_REACH_HOST && g < checker->now->gpu_count; g++) {
        const struct gp_gpu *gpu = &checker->now->gpus[g];

        goal = goal_gpu(checker, gpu->id);
        if (gpu->count &&
            gp_streq(gpu->mechanism, gp_have_gpu(checker->now, checker->step->gpu)->mechanism) &&
            (!goal || !goal->managed))
            return breaks(checker, 4, "another GPU of the driver is not ours");
    }
    return NULL;
}

static struct gp_error *check_edit(const struct checker *checker, const struct gp_vm *vm)
{
    const struct gp_step *step = checker->step;
    const struct gp_goal_vm *goal = goal_vm(checker, step->vm);

    if (!goal || !goal->managed || goal->rule)
        return breaks(checker, 4, "the VM is not ours to edit");
    if (!vm->persistent)
        return breaks(checker, 4, "it has no definition");
    if (vm->untouchable)
        return breaks(checker, 4, "its definition may not be changed");
    if ((step->kind == GP_STEP_DETACH || step->kind == GP_STEP_REBIND) &&
        !find_ours(vm, step->device_before))
        return breaks(checker, 4, "the device that leaves is not ours");
    if (step->kind == GP_STEP_MARK &&
        !has_dev(vm->persistent_devs, vm->persistent_count, step->device))
        return breaks(checker, 4, "it is not defined with what is marked");
    if (step->kind != GP_STEP_DETACH &&
        (!gp_streq(goal->gpu, step->gpu) || goal->pending ||
         (step->partition >= 0 && goal->partition != (uint32_t)step->partition)))
        return breaks(checker, 4, "the declaration gives it something else");
    /* A running guest's definition may change under it only where that is asked for. */
    if (vm->power != GP_POWER_OFF && !goal->next_start && step->kind != GP_STEP_MARK &&
        !(step->kind == GP_STEP_DETACH &&
          !has_dev(vm->live, vm->live_count, step->device_before)) &&
        !has_dev(vm->live, vm->live_count, step->device))
        return breaks(checker, 8, "it runs, and would not have what it is defined with");
    return NULL;
}

/* ---- laws 2 and 8: stops and starts ---- */

static bool gpu_step_stops(const struct checker *checker, const struct gp_vm *vm)
{
    for (size_t n = 0; n < checker->plan->step_count; n++) {
        const struct gp_step *step = &checker->plan->steps[n];
        struct checker at = *checker;

        if (is_vm_step(step->kind) || is_unit_step(step->kind))
            continue;
        at.step = step;
        at.now = (struct gp_have *)checker->before;
        for (size_t d = 0; d < vm->live_count; d++) {
            struct gp_gpu *gpu;
            struct gp_partition *partition;

            if (!gp_have_find(checker->before, vm->live[d].device, &gpu, &partition))
                continue;
            if (reaches(&at, gpu, partition ? (int64_t)partition->index : -1))
                return true;
            /* A step of no reach that takes the partition away all the same, as a VF count does. */
            if (partition && gp_streq(gpu->id, step->gpu) && step->kind == GP_STEP_SET_VF_COUNT)
                return true;
        }
    }
    return false;
}

/* Its own device changes, or its running instance is not as its definition is. */
static bool own_device_changes(const struct checker *checker, const struct gp_vm *vm)
{
    const struct gp_goal_vm *goal = goal_vm(checker, vm->uuid);

    if (plans(checker, vm->uuid, GP_STEP_ATTACH, 0) ||
        plans(checker, vm->uuid, GP_STEP_REBIND, 0) || plans(checker, vm->uuid, GP_STEP_DETACH, 0))
        return true;
    if (!goal || !goal->managed || goal->next_start)
        return false;
    for (size_t n = 0; n < vm->persistent_count; n++) {
        struct gp_gpu *gpu;
        struct gp_partition *partition;

        if (gp_have_find(checker->before, vm->persistent_devs[n].device, &gpu, &partition) &&
            !has_dev(vm->live, vm->live_count, vm->persistent_devs[n].device))
            return true;
    }
    for (size_t n = 0; n < vm->live_count; n++)
        if (vm->live[n].ours &&
            !has_dev(vm->persistent_devs, vm->persistent_count, vm->live[n].device))
            return true;
    return false;
}

static struct gp_error *check_stop(const struct checker *checker, const struct gp_vm *vm)
{
    const struct gp_goal_vm *goal = goal_vm(checker, vm->uuid);

    if (vm->power != GP_POWER_RUNNING || vm->unstoppable || !vm->persistent)
        return breaks(checker, 4, "it may not be stopped");
    if (!goal || !goal->managed)
        return breaks(checker, 4, "it is not ours to stop");
    if (goal->rule)
        return breaks(checker, 4, "it is blocked");
    if (goal->run && !plans(checker, vm->uuid, GP_STEP_START_VM, checker->step->n))
        return breaks(checker, 2, "it is not started again");
    if (!gpu_step_stops(checker, vm) && !own_device_changes(checker, vm))
        return breaks(checker, 8, "nothing that it uses changes");
    return NULL;
}

static struct gp_error *check_start(const struct checker *checker, const struct gp_vm *vm)
{
    const struct gp_goal_vm *goal = goal_vm(checker, vm->uuid);

    if (vm->power != GP_POWER_OFF)
        return breaks(checker, 2, "it is not off");
    if (!goal || !goal->run)
        return breaks(checker, 2, "nobody wants it to run");
    for (size_t n = 0; n < vm->persistent_count; n++) {
        struct gp_gpu *gpu;
        struct gp_partition *partition;
        const struct gp_device device = vm->persistent_devs[n].device;

        if (!gp_have_find(checker->now, device, &gpu, &partition)) {
            if (vm->persistent_devs[n].ours)
                return breaks(checker, 2, "what it is defined with is not there");
            continue;
        }
        if (partition && !partition->live)
            return breaks(checker, 2, "what it is defined with is no partition");
        if (runs_with(checker->now, device))
            return breaks(checker, 3, "another VM runs with what it is defined with");
    }
    return NULL;
}

/* ---- law 3: nothing is given twice ---- */

static struct gp_error *check_given(const struct checker *checker)
{
    const struct gp_step *step = checker->step;
    const struct gp_vm *vm = gp_have_vm(checker->now, step->vm);
    struct gp_gpu *gpu, *other_gpu;
    struct gp_partition *partition, *other_partition;
    struct gp_device device = step->device;

    /* One that nobody has seen yet: as the model has named it. */
    if (device.kind == GP_DEVICE_NONE && vm->mark)
        device = vm->mark->device;
    if (!gp_have_find(checker->now, device, &gpu, &partition))
        return breaks(checker, 3, "what it is given is not there");
    if (!gp_streq(gpu->id, step->gpu) ||
        (partition ? (int64_t)partition->index : -1) != step->partition)
        return breaks(checker, 3, "what it is given is another partition");
    if (partition &&
        (!partition->live || (partition->quarantined && checker->input->goal->cluster)))
        return breaks(checker, 3, "what it is given is not fit for use");
    for (size_t n = 0; n < checker->now->vm_count; n++) {
        const struct gp_vm *other = &checker->now->vms[n];

        if (other == vm)
            continue;
        if (has_dev(other->persistent_devs, other->persistent_count, device) ||
            (other->power != GP_POWER_OFF && has_dev(other->live, other->live_count, device)))
            return breaks(checker, 3, gp_printf(checker->mem, "VM %s has it too", other->name));
    }
    for (size_t n = 0; n < vm->persistent_count; n++)
        if (!gp_device_eq(vm->persistent_devs[n].device, device) &&
            gp_have_find(checker->now, vm->persistent_devs[n].device, &other_gpu,
                         &other_partition) &&
            other_partition)
            return breaks(checker, 3, "it has a second partition");
    return NULL;
}

static struct gp_error *check_all_given(struct checker *checker)
{
    struct gp_error *err = NULL;

    for (size_t n = 0; !err && n < checker->plan->step_count; n++) {
        checker->step = &checker->plan->steps[n];
        if (checker->step->kind == GP_STEP_ATTACH || checker->step->kind == GP_STEP_REBIND ||
            checker->step->kind == GP_STEP_MARK)
            err = check_given(checker);
    }
    return err;
}

/* ---- order ---- */

static int rank_of(const struct gp_step *step)
{
    switch (step->kind) {
    case GP_STEP_STOP_VM:
        return 0;
    case GP_STEP_DETACH:
        return 1;
    case GP_STEP_STOP_UNIT:
        return 2;
    case GP_STEP_ATTACH:
    case GP_STEP_REBIND:
    case GP_STEP_MARK:
        return 4;
    case GP_STEP_START_UNIT:
        return 5;
    case GP_STEP_START_VM:
        return 6;
    default:
        return 3; /* among themselves as their mechanism says */
    }
}

static struct gp_error *check_order(struct checker *checker)
{
    const struct gp_plan *plan = checker->plan;

    for (size_t n = 0; n < plan->step_count; n++) {
        const struct gp_step *step = &plan->steps[n], *before = n ? &plan->steps[n - 1] : NULL;

        checker->step = step;
        if (step->n != n + 1 || step->set >= plan->set_count)
            return breaks(checker, 5, "it is not numbered as it stands");
        if (plan->sets[step->set].verdict == GP_VERDICT_BLOCKED)
            return breaks(checker, 5, "its set is blocked");
        if (step->class > plan->sets[step->set].class || plan->sets[step->set].class > plan->class)
            return breaks(checker, 5, "its class is higher than what the gate sees");
        if (before && before->set > step->set)
            return breaks(checker, 5, "sets are mixed");
        if (before && before->set == step->set &&
            (before->wave > step->wave || rank_of(before) > rank_of(step)))
            return breaks(checker, 5, "it comes too late");
        for (size_t d = 0; d < step->depends_count; d++)
            if (!step->depends_on[d] || step->depends_on[d] >= step->n)
                return breaks(checker, 5, "it needs a later step");
    }
    return NULL;
}

static struct gp_error *check_step(struct checker *checker)
{
    const struct gp_step *step = checker->step;
    const struct gp_vm *vm = step->vm ? gp_have_vm(checker->now, step->vm) : NULL;

    if (is_vm_step(step->kind)) {
        if (!vm)
            return breaks(checker, 4, "there is no such VM");
        if (step->kind == GP_STEP_STOP_VM)
            return check_stop(checker, vm);
        return is_edit(step->kind) ? check_edit(checker, vm) : check_start(checker, vm);
    }
    if (is_unit_step(step->kind))
        return check_unit_step(checker);
    return check_gpu_step(checker);
}

/* Does the step on the model, and looks whom it took something from. */
static struct gp_error *do_step(struct checker *checker)
{
    const struct gp_step *step = checker->step;
    struct gp_gpu was;

    if (is_vm_step(step->kind) || is_unit_step(step->kind)) {
        gp_step_predict(checker->mem, checker->now, checker->input->mechanism, step);
        return NULL;
    }
    was = *gp_have_gpu(checker->now, step->gpu);
    was.partitions =
        gp_memdup(checker->mem, was.partitions, was.partition_count * sizeof *was.partitions);
    gp_step_predict(checker->mem, checker->now, checker->input->mechanism, step);
    return check_definitions(checker, &was);
}

static struct gp_error *check(struct checker *checker)
{
    struct gp_error *err = check_order(checker);

    for (size_t n = 0; !err && n < checker->plan->step_count; n++) {
        checker->step = &checker->plan->steps[n];
        err = check_step(checker);
        if (!err)
            err = do_step(checker);
    }
    return err ? err : check_all_given(checker);
}

struct gp_error *gp_plan_check(const struct gp_plan_input *input, const struct gp_plan *plan)
{
    struct gp_arena *mem = gp_arena_new();
    struct checker checker = {
        .input = input,
        .plan = plan,
        .mem = mem,
        .before = input->have,
        .now = gp_have_copy(mem, input->have),
    };
    struct gp_error *err = check(&checker);

    gp_arena_free(mem);
    return err;
}
