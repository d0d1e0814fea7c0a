/* Law 5: what the gate lets through is all that happens. */
#include "laws.h"

#include "text.h"

enum { OBJECTS = 3 };

struct gated {
    struct gp_policy policy;
    struct gp_window window;
    uint32_t window_now;
    struct gp_approval approval;
    struct gp_strings paused;
    struct gp_gate_input input;
};

static enum gp_allow some_allow(struct gen *gen)
{
    static const enum gp_allow allows[] = {GP_ALLOW_REPORT, GP_ALLOW_APPROVE, GP_ALLOW_WINDOW, GP_ALLOW_AUTO,
                                           GP_ALLOW_AUTO,   GP_ALLOW_AUTO,    GP_ALLOW_AUTO};

    return allows[gen_below(gen, sizeof allows / sizeof *allows)];
}

/* A policy with a window that is open all day, or none; an approval of this plan, or of none; somebody's pauses. */
static void draw(struct gp_arena *mem, struct gen *gen, const struct gp_plan *plan, struct gated *ret)
{
    static const char *const objects[OBJECTS] = {"vm/vm-03", "gpu/slot1", "host"};

    *ret = (struct gated){.window = {.days = 127, .start = 0, .end = 0}, .window_now = gen_below(gen, 200)};
    for (int class = 0; class < GP_CLASS_COUNT; class ++) {
        ret->policy.on_commit[class] = some_allow(gen);
        ret->policy.on_drift[class] = some_allow(gen);
    }
    ret->policy.windows = &ret->window;
    ret->policy.window_count = gen_chance(gen, 50);
    ret->policy.max_vms_stopped = gen_chance(gen, 50) ? UINT32_MAX : gen_below(gen, 5);
    ret->policy.max_gpus_changed = gen_chance(gen, 50) ? UINT32_MAX : gen_below(gen, 3);
    ret->approval = (struct gp_approval){.plan_id = gen_chance(gen, 50) ? plan->id : "0123456789ab", .until_us = 2};
    for (size_t n = 0; n < OBJECTS; n++)
        if (gen_chance(gen, 8))
            *gp_push(mem, ret->paused.items, ret->paused.count) = objects[n];
    ret->input = (struct gp_gate_input){
        .policy = &ret->policy,
        .now_us = 1,
        .window_now = &ret->window_now,
        .approvals = &ret->approval,
        .approval_count = 1,
        .paused = &ret->paused,
    };
}

static enum gp_allow stricter(enum gp_allow a, enum gp_allow b)
{
    return a < b ? a : b;
}

/* The strictest of what the policy says of any step of set @index. */
static enum gp_allow allowed(const struct gated *gated, const struct gp_plan *plan, size_t index)
{
    const struct gp_set *set = &plan->sets[index];
    enum gp_allow allow = GP_ALLOW_AUTO;

    for (size_t n = 0; n < plan->step_count; n++) {
        if (plan->steps[n].set != index)
            continue;
        if (set->change)
            allow = stricter(allow, gated->policy.on_commit[plan->steps[n].class]);
        if (set->drift || !set->change)
            allow = stricter(allow, gated->policy.on_drift[plan->steps[n].class]);
    }
    return allow;
}

/* A person's approval stands above a window. */
static bool may(const struct gated *gated, const struct gp_plan *plan, size_t index)
{
    const enum gp_allow allow = allowed(gated, plan, index);

    return allow == GP_ALLOW_AUTO || (allow == GP_ALLOW_WINDOW && gated->policy.window_count) ||
           (allow == GP_ALLOW_APPROVE && gp_streq(gated->approval.plan_id, plan->id));
}

static bool is_start(const struct gp_step *step)
{
    return step->kind == GP_STEP_START_VM || step->kind == GP_STEP_START_UNIT;
}

static bool is_paused(const struct law_trial *trial, const struct gated *gated, const char *kind, const char *name)
{
    return name && law_is_one_of(&gated->paused, gp_printf(trial->mem, "%s/%s", kind, name));
}

/* Whether it is of a paused GPU. */
static bool is_of_paused(const struct law_trial *trial, const struct gated *gated, struct gp_device device)
{
    struct gp_gpu *gpu;
    struct gp_partition *partition;

    return gp_have_find(trial->state->have, device, &gpu, &partition) && is_paused(trial, gated, "gpu", gpu->id);
}

/* Whether @vm has, or shall have, something of a paused GPU. */
static bool is_on_paused(const struct law_trial *trial, const struct gated *gated, const char *uuid)
{
    const struct gp_vm *vm = gp_have_vm(trial->state->have, uuid);
    const struct gp_goal *goal = trial->state->goal;

    for (size_t n = 0; n < vm->live_count; n++)
        if (is_of_paused(trial, gated, vm->live[n].device))
            return true;
    for (size_t n = 0; n < vm->persistent_count; n++)
        if (is_of_paused(trial, gated, vm->persistent_devs[n].device))
            return true;
    for (size_t n = 0; n < goal->vm_count; n++)
        if (gp_streq(goal->vms[n].uuid, uuid) && goal->vms[n].managed && is_paused(trial, gated, "gpu", goal->vms[n].gpu))
            return true;
    return false;
}

static void check_step(const struct law_trial *trial, const struct gated *gated, const struct gp_step *step)
{
    if (!may(gated, trial->plan, step->set))
        law_break(trial, "law 5: the policy does not let step %u happen", (unsigned)step->n);
    if (law_is_one_of(&gated->paused, "host") || is_paused(trial, gated, "vm", step->vm_name) ||
        is_paused(trial, gated, "gpu", step->gpu) || is_of_paused(trial, gated, step->device_before) ||
        (step->kind == GP_STEP_STOP_VM && is_on_paused(trial, gated, step->vm)))
        law_break(trial, "law 5: the object of step %u is paused", (unsigned)step->n);
}

/* Whether all that set @index does is to start who is owed that: nothing holds that up. */
static bool only_starts(const struct gp_plan *plan, size_t index)
{
    for (size_t n = 0; n < plan->step_count; n++)
        if (plan->steps[n].set == index && !is_start(&plan->steps[n]))
            return false;
    return true;
}

static void check_budgets(const struct law_trial *trial, const struct gated *gated)
{
    uint64_t vms = 0, gpus = 0;

    for (size_t n = 0; n < trial->plan->set_count; n++)
        if (trial->plan->sets[n].verdict == GP_VERDICT_RUN)
            gpus += trial->plan->sets[n].gpus_changed;
    for (size_t n = 0; n < trial->plan->step_count; n++) {
        const struct gp_step *step = &trial->plan->steps[n];

        if (trial->plan->sets[step->set].verdict != GP_VERDICT_RUN)
            continue;
        vms += step->kind == GP_STEP_STOP_VM;
        if (!only_starts(trial->plan, step->set))
            check_step(trial, gated, step);
    }
    if (vms > gated->policy.max_vms_stopped || gpus > gated->policy.max_gpus_changed)
        law_break(trial, "law 5: %llu VMs stop and %llu GPUs change; %u and %u may", (unsigned long long)vms,
                  (unsigned long long)gpus, (unsigned)gated->policy.max_vms_stopped,
                  (unsigned)gated->policy.max_gpus_changed);
}

static bool runs(const struct gp_plan *plan, bool gpu, const char *id)
{
    for (size_t n = 0; n < plan->set_count; n++)
        if (plan->sets[n].verdict == GP_VERDICT_RUN &&
            law_is_one_of(gpu ? &plan->sets[n].gpus : &plan->sets[n].vms, id))
            return true;
    return false;
}

static void check_untouched(const struct law_trial *trial, const struct gp_have *have)
{
    const struct gp_have *before = trial->state->have;

    for (size_t n = 0; n < before->gpu_count; n++)
        if (!runs(trial->plan, true, before->gpus[n].id) &&
            (!gp_streq(gp_gpu_value(trial->mem, &before->gpus[n]), gp_gpu_value(trial->mem, &have->gpus[n])) ||
             !law_covers(&before->gpus[n], &have->gpus[n])))
            law_break(trial, "law 5: GPU %s was not let through, and changed", before->gpus[n].id);
    for (size_t n = 0; n < before->vm_count; n++)
        if (!runs(trial->plan, false, before->vms[n].uuid) && !law_same_vm(&before->vms[n], &have->vms[n]))
            law_break(trial, "law 5: %s was not let through, and changed", before->vms[n].name);
}

void law_check_gate(const struct law_trial *trial, struct gen *gen)
{
    struct world world = gen_world(trial->mem, trial->state);
    struct gp_plan *plan = gp_plan(trial->mem, &trial->state->input);
    struct law_trial gated_trial = *trial;
    struct gated gated;

    draw(trial->mem, gen, plan, &gated);
    gp_gate(trial->mem, &gated.input, plan);
    gated_trial.plan = plan;
    check_budgets(&gated_trial, &gated);
    for (size_t n = 0; n < plan->set_count; n++) {
        if (plan->sets[n].verdict == GP_VERDICT_RUN)
            law_run_set(&gated_trial, &world, &plan->sets[n]);
        trial->tally->let_through += plan->sets[n].verdict == GP_VERDICT_RUN;
        trial->tally->held_up += plan->sets[n].verdict == GP_VERDICT_WAITS || plan->sets[n].verdict == GP_VERDICT_REPORTS;
    }
    check_untouched(&gated_trial, world.have);
}
