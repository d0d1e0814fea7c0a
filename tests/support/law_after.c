/* What must hold of a host before and after its plan was done. */
#include "laws.h"

#include "text.h"

static bool same_devs(const struct gp_hostdev *a, size_t a_count, const struct gp_hostdev *b,
                      size_t b_count, bool only_foreign)
{
    size_t n = 0, m = 0;

    for (;;) {
        while (only_foreign && n < a_count && a[n].ours)
            n++;
        while (only_foreign && m < b_count && b[m].ours)
            m++;
        if (n == a_count || m == b_count)
            return n == a_count && m == b_count;
        if (!gp_device_eq(a[n++].device, b[m++].device))
            return false;
    }
}

bool law_same_vm(const struct gp_vm *was, const struct gp_vm *is)
{
    return was->power == is->power && same_devs(was->live, was->live_count, is->live, is->live_count, false) &&
           same_devs(was->persistent_devs, was->persistent_count, is->persistent_devs, is->persistent_count, false);
}

bool law_covers(const struct gp_gpu *a, const struct gp_gpu *b)
{
    for (size_t n = 0; n < a->partition_count; n++) {
        const struct gp_partition *was = &a->partitions[n];
        const struct gp_partition *is = gp_gpu_partition(b, was->index);

        if (was->live && (!is || !is->live || !gp_streq(is->profile, was->profile)))
            return false;
    }
    return true;
}

static bool same_layout(const struct gp_gpu *a, const struct gp_gpu *b)
{
    return a->mode == b->mode && a->count == b->count && law_covers(a, b);
}

static const struct gp_set *set_of_vm(const struct gp_plan *plan, const char *uuid)
{
    for (size_t n = 0; n < plan->set_count; n++)
        if (plan->sets[n].verdict != GP_VERDICT_BLOCKED && law_is_one_of(&plan->sets[n].vms, uuid))
            return &plan->sets[n];
    return NULL;
}

static bool is_reshaped(const struct gp_plan *plan, const char *gpu)
{
    for (size_t n = 0; n < plan->step_count; n++)
        if (!plan->steps[n].vm && gp_streq(plan->steps[n].gpu, gpu))
            return true;
    return false;
}

static bool is_stopped(const struct gp_plan *plan, const char *uuid)
{
    for (size_t n = 0; n < plan->step_count; n++)
        if (plan->steps[n].kind == GP_STEP_STOP_VM && gp_streq(plan->steps[n].vm, uuid))
            return true;
    return false;
}

/* Law 8, seen from outside: a VM that stopped has other devices now, or its GPU was worked on. */
static bool had_reason(const struct law_trial *trial, const struct gp_vm *was, const struct gp_vm *is)
{
    const struct gp_set *set = set_of_vm(trial->plan, was->uuid);

    if (!same_devs(was->live, was->live_count, is->live, is->live_count, false) ||
        (set && set->class == GP_CLASS_HOST))
        return true;
    for (size_t n = 0; n < was->live_count; n++) {
        struct gp_gpu *gpu;
        struct gp_partition *partition;

        if (gp_have_find(trial->state->have, was->live[n].device, &gpu, &partition) &&
            is_reshaped(trial->plan, gpu->id))
            return true;
    }
    return false;
}

static void check_vm(const struct law_trial *trial, const struct gp_goal_vm *goal,
                     const struct gp_vm *was, const struct gp_vm *is)
{
    const bool stopped = is_stopped(trial->plan, was->uuid);

    if (was->power != GP_POWER_OFF && is->power != was->power && goal->run)
        law_break(trial, "law 2: %s ran and is %s", was->name, gp_power_name(is->power));
    if (was->power == GP_POWER_OFF && is->power != GP_POWER_OFF && !goal->run)
        law_break(trial, "law 2: %s was off, and was started", was->name);
    if (stopped && !goal->managed)
        law_break(trial, "law 4: %s is left alone, and was stopped", was->name);
    if (stopped && !had_reason(trial, was, is))
        law_break(trial, "law 8: %s was stopped for nothing", was->name);
    if (!stopped && was->power != GP_POWER_OFF &&
        !same_devs(was->live, was->live_count, is->live, is->live_count, false))
        law_break(trial, "law 4: what %s runs with changed under it", was->name);
    if (!goal->managed && !same_devs(was->persistent_devs, was->persistent_count,
                                     is->persistent_devs, is->persistent_count, false))
        law_break(trial, "law 4: %s is not ours and was edited", was->name);
    /* A hostdev that was made by hand is where it was; it may be marked. */
    for (size_t n = 0; n < was->persistent_count; n++) {
        bool there = was->persistent_devs[n].ours;

        for (size_t m = 0; m < is->persistent_count; m++)
            there |= gp_device_eq(is->persistent_devs[m].device, was->persistent_devs[n].device);
        if (!there)
            law_break(trial, "law 4: %s lost what it was given by hand", was->name);
    }
}

static bool is_never_touched(const struct law_trial *trial, const char *name)
{
    const struct gp_strings *never = trial->state->declared ? &trial->state->declared->agent->never_touch_vms : NULL;

    for (size_t n = 0; never && n < never->count; n++)
        if (gp_glob_match(never->items[n], name))
            return true;
    return false;
}

/* Law 4, asked of the host's own word and not of what was resolved from it: who is in neverTouch is started if that is
 * owed, and nothing else. A way back may take that start back. */
static void check_never_touched(const struct law_trial *trial)
{
    for (size_t n = 0; trial->state->goal->cluster && n < trial->plan->step_count; n++) {
        const struct gp_step *step = &trial->plan->steps[n];

        if (step->vm && step->kind != GP_STEP_START_VM && is_never_touched(trial, step->vm_name))
            law_break(trial, "law 4: %s is in neverTouch, and there is step %s for it", step->vm_name,
                      gp_step_kind_name(step->kind));
    }
}

/* Law 3: what the plan gave is given once, in definitions and in running guests. */
static void check_given(const struct law_trial *trial, const struct gp_have *have)
{
    for (size_t n = 0; n < trial->plan->step_count; n++) {
        const struct gp_step *step = &trial->plan->steps[n];
        const struct gp_vm *vm = step->vm ? gp_have_vm(have, step->vm) : NULL;
        size_t users = 0;

        if (step->kind != GP_STEP_ATTACH && step->kind != GP_STEP_REBIND &&
            step->kind != GP_STEP_MARK)
            continue;
        if (!vm->mark || !vm->mark_fits)
            law_break(trial, "law 3: %s was bound and has no mark", vm->name);
        for (size_t v = 0; v < have->vm_count; v++) {
            const struct gp_vm *other = &have->vms[v];
            bool uses = false;

            for (size_t d = 0; d < other->persistent_count; d++)
                uses |= gp_device_eq(other->persistent_devs[d].device, vm->mark->device);
            for (size_t d = 0; other->power != GP_POWER_OFF && d < other->live_count; d++)
                uses |= gp_device_eq(other->live[d].device, vm->mark->device);
            users += uses;
        }
        if (users != 1)
            law_break(trial, "law 3: %s of %s is in %zu VMs", vm->mark->partition, vm->name, users);
    }
}

/* Laws 1 and 2 of programs of the host: what ran runs, and nothing else was started. */
static void check_units(const struct law_trial *trial, const struct gp_have *before, const struct gp_have *have)
{
    for (size_t n = 0; n < before->unit_count; n++) {
        const struct gp_unit *was = &before->units[n], *is = &have->units[n];
        const bool wanted = trial->state->goal->units[n].run;

        if (was->state == GP_UNIT_ACTIVE && is->state != GP_UNIT_ACTIVE)
            law_break(trial, "law 2: %s ran and is %s", was->name, gp_unit_state_name(is->state));
        if (was->state == GP_UNIT_INACTIVE && is->state != (wanted ? GP_UNIT_ACTIVE : GP_UNIT_INACTIVE))
            law_break(trial, "law 2: %s was off, %s owed a start, and is %s", was->name, wanted ? "is" : "is not",
                      gp_unit_state_name(is->state));
        if (was->state == GP_UNIT_UNKNOWN && is->state != GP_UNIT_UNKNOWN)
            law_break(trial, "law 4: nobody knows whether %s runs, and it was touched", was->name);
    }
}

void law_check_after(const struct law_trial *trial, const struct gp_have *have)
{
    const struct gp_have *before = trial->state->have;

    for (size_t n = 0; n < before->gpu_count; n++)
        if (!is_reshaped(trial->plan, before->gpus[n].id) &&
            !same_layout(&before->gpus[n], &have->gpus[n]))
            law_break(trial, "law 4: GPU %s changed though no step was planned for it",
                   before->gpus[n].id);
    for (size_t n = 0; n < before->gpu_count; n++)
        if (!trial->state->goal->gpus[n].managed && is_reshaped(trial->plan, before->gpus[n].id))
            law_break(trial, "law 4: GPU %s is in no pool and was changed", before->gpus[n].id);
    for (size_t n = 0; n < before->vm_count; n++)
        check_vm(trial, &trial->state->goal->vms[n], &before->vms[n], &have->vms[n]);
    check_never_touched(trial);
    check_units(trial, before, have);
    check_given(trial, have);
}

