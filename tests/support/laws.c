/* A plan is done as the executor does it, to its end and broken off, and what comes of it is judged. */
#include "laws.h"

#include "cleanup.h"
#include "show.h"
#include "text.h"

#include <stdlib.h>

enum { WAVES_AT_MOST = 8 };

void law_break(const struct law_trial *trial, const char *format, ...)
{
    struct gp_text text = {.mem = trial->mem};
    va_list args;

    va_start(args, format);
    gp_text_addf(&text, "%s: %s\n%s%s", trial->name, gp_vprintf(trial->mem, format, args),
                 show_have(trial->mem, trial->state->have), show_goal(trial->mem, trial->state->goal));
    va_end(args);
    if (trial->state->record)
        gp_text_addf(&text, "before the pass that was cut off:\n%s", show_have(trial->mem, trial->state->record->before));
    if (trial->plan)
        gp_text_add(&text, show_plan(trial->mem, trial->plan));
    trial->broken(gp_text_get(&text));
    abort();
}

const char *law_take_line(struct gp_arena *mem, struct gp_error *err)
{
    gp_cleanup(gp_free_p) char *line = gp_error_line(err);

    gp_error_free(err);
    return gp_strdup(mem, line);
}

bool law_is_one_of(const struct gp_strings *strings, const char *text)
{
    for (size_t n = 0; n < strings->count; n++)
        if (gp_streq(strings->items[n], text))
            return true;
    return false;
}

/* ---- doing a plan as the executor does: a wave, a look, a fresh plan ---- */

static struct gp_goal *goal_of_set(struct gp_arena *mem, const struct gp_goal *goal,
                                         const struct gp_set *set)
{
    struct gp_goal *only = gp_memdup(mem, goal, sizeof *goal);

    only->gpus = gp_memdup(mem, goal->gpus, sizeof *goal->gpus * goal->gpu_count);
    only->vms = gp_memdup(mem, goal->vms, sizeof *goal->vms * goal->vm_count);
    for (size_t n = 0; n < only->gpu_count; n++)
        only->gpus[n].managed &= law_is_one_of(&set->gpus, only->gpus[n].id);
    for (size_t n = 0; n < only->vm_count; n++)
        only->vms[n].managed &= law_is_one_of(&set->vms, only->vms[n].uuid);
    return only;
}

/* Runs @set of @planned (NULL: the first fresh plan) in @world until nothing is left, or @waves are
 * done. */
static void run_set(const struct law_trial *trial, struct world *world, const struct gp_goal *goal,
                    const struct gp_set *set, const struct gp_plan *planned, uint32_t waves,
                    const char *what)
{
    struct gp_plan_input input = trial->state->input;

    input.goal = goal_of_set(trial->mem, goal, set);
    input.memory = world->memory;
    input.within = set;
    for (uint32_t wave = 0; wave < waves; wave++) {
        const struct gp_plan *fresh;
        const char *refused;
        struct gp_error *err;

        input.have = world->have;
        fresh = gp_plan(trial->mem, &input);
        if (!planned)
            planned = fresh;
        err = gp_plan_check(&input, fresh);
        if (!err)
            err = gp_plan_compare_rest(planned, fresh, set->id, wave);
        if (err)
            law_break(trial, "%s of set %s, wave %u: %s\nfresh:\n%s%s", what, set->id, (unsigned)wave,
                   law_take_line(trial->mem, err), show_plan(trial->mem, fresh),
                   show_have(trial->mem, world->have));
        if (!fresh->step_count)
            break;
        if (wave + 1 >= WAVES_AT_MOST)
            law_break(trial, "%s of set %s does not end", what, set->id);
        refused = world_wave(world, fresh, 0);
        if (refused)
            law_break(trial, "%s of set %s, wave %u: %s\n%s", what, set->id, (unsigned)wave, refused,
                   show_have(trial->mem, world->have));
    }
    if (waves == WAVES_AT_MOST) {
        struct gp_error *err = gp_verify(input.goal, world->have, set, input.mechanism);

        if (err)
            law_break(trial, "%s of set %s is not verified: %s\n%s", what, set->id,
                   law_take_line(trial->mem, err), show_have(trial->mem, world->have));
    }
}

void law_run_set(const struct law_trial *trial, struct world *world, const struct gp_set *set)
{
    run_set(trial, world, trial->state->goal, set, trial->plan, WAVES_AT_MOST, "what was let through");
}

/* Whether set @later has an object that nothing could be done with in @plan. */
static bool came_free(const struct gp_plan *plan, const struct gp_set *later)
{
    for (size_t s = 0; s < plan->set_count; s++) {
        if (plan->sets[s].verdict != GP_VERDICT_BLOCKED)
            continue;
        for (size_t n = 0; n < plan->sets[s].gpus.count; n++)
            if (law_is_one_of(&later->gpus, plan->sets[s].gpus.items[n]))
                return true;
        for (size_t n = 0; n < plan->sets[s].vms.count; n++)
            if (law_is_one_of(&later->vms, plan->sets[s].vms.items[n]))
                return true;
    }
    return false;
}

/* Whether @set, which was done, has the object of @step. */
static bool is_done_by(const struct gp_set *set, const struct gp_plan *again, const struct gp_step *step)
{
    if (set->verdict == GP_VERDICT_BLOCKED)
        return false;
    /* Blocked for what others had, which they have left. */
    if (step->vm && (law_is_one_of(&set->only_start, step->vm) || law_is_one_of(&set->not_started, step->vm)))
        return false;
    /* Programs of the host stop for each GPU anew. */
    if (step->unit)
        return law_is_one_of(&set->units, step->unit) && !again->sets[step->set].gpus.count;
    return step->vm ? law_is_one_of(&set->vms, step->vm) : law_is_one_of(&set->gpus, step->gpu);
}

/* Law 6: what was done is done; what was blocked may come free by it, and that ends too. */
static void check_arrived(const struct law_trial *trial, struct world *world)
{
    struct gp_plan_input input = trial->state->input;

    input.memory = world->memory;
    for (int round = 0; round < 4; round++) {
        const struct gp_plan *again;

        input.have = world->have;
        again = gp_plan(trial->mem, &input);
        for (size_t n = 0; n < again->step_count && round == 0; n++)
            for (size_t s = 0; s < trial->plan->set_count; s++)
                if (is_done_by(&trial->plan->sets[s], again, &again->steps[n]) &&
                    !came_free(trial->plan, &again->sets[again->steps[n].set]))
                    law_break(trial, "law 6: set %s is done, and now:\n%s\n%s", trial->plan->sets[s].id,
                              show_plan(trial->mem, again), show_have(trial->mem, world->have));
        if (!again->step_count)
            return;
        for (size_t s = 0; s < again->set_count; s++)
            if (again->sets[s].verdict != GP_VERDICT_BLOCKED)
                run_set(trial, world, trial->state->goal, &again->sets[s], again, WAVES_AT_MOST,
                        "a later plan");
    }
    law_break(trial, "law 6: it does not come to rest:\n%s", show_have(trial->mem, world->have));
}

static int32_t group_of(const struct gp_have *have, struct gp_device device)
{
    struct gp_gpu *gpu;
    struct gp_partition *partition;

    if (!gp_have_find(have, device, &gpu, &partition))
        return -1;
    return partition ? partition->group : gpu->group;
}

/* Whether one VM at a time can run with @a or @b. */
static bool meet(const struct gp_have *have, struct gp_device a, struct gp_device b)
{
    return gp_device_eq(a, b) || (group_of(have, a) >= 0 && group_of(have, a) == group_of(have, b));
}

/* What two were defined with, side by side in one IOMMU group too, or one twice over, is not given so again. */
static bool was_given_twice(const struct gp_have *have, const struct gp_set *set)
{
    for (size_t v = 0; v < have->vm_count; v++) {
        const struct gp_vm *vm = &have->vms[v];
        size_t partitions = 0;

        for (size_t n = 0; law_is_one_of(&set->vms, vm->uuid) && n < vm->persistent_count; n++) {
            const struct gp_device device = vm->persistent_devs[n].device;
            struct gp_gpu *gpu;
            struct gp_partition *partition;

            partitions += gp_have_find(have, device, &gpu, &partition);
            for (size_t o = 0; o < have->vm_count; o++)
                for (size_t d = 0; o != v && d < have->vms[o].persistent_count; d++)
                    if (partitions && meet(have, have->vms[o].persistent_devs[d].device, device))
                        return true;
            for (size_t o = 0; o < have->vm_count; o++)
                for (size_t d = 0; o != v && d < have->vms[o].live_count; d++)
                    if (partitions && meet(have, have->vms[o].live[d].device, device))
                        return true;
        }
        if (partitions > 1)
            return true;
    }
    return false;
}

/* Laws 2 and 4 after a way back: everybody runs who ran, nobody else does, and each GPU has what it had. */
static void check_as_before(const struct law_trial *trial, const struct gp_have *before, const struct gp_set *set,
                            const struct world *world, const char *what)
{
    for (size_t n = 0; n < world->have->vm_count; n++) {
        const struct gp_vm *was = &before->vms[n], *is = &world->have->vms[n];

        if (was->power != GP_POWER_OFF && is->power != was->power)
            law_break(trial, "law 2: %s ran before %s of %s, and is %s", was->name, what, set->id,
                      gp_power_name(is->power));
        if (was->power == GP_POWER_OFF && is->power != GP_POWER_OFF && !trial->state->goal->vms[n].run)
            law_break(trial, "law 2: %s was off before %s of %s, and runs", was->name, what, set->id);
    }
    for (size_t n = 0; n < world->have->unit_count; n++) {
        const struct gp_unit *was = &before->units[n], *is = &world->have->units[n];

        if (was->state != is->state && !(was->state == GP_UNIT_INACTIVE && trial->state->goal->units[n].run))
            law_break(trial, "law 2: %s was %s before %s of %s, and is %s", was->name, gp_unit_state_name(was->state),
                      what, set->id, gp_unit_state_name(is->state));
    }
    for (size_t n = 0; n < world->have->gpu_count; n++)
        if (!law_covers(&before->gpus[n], &world->have->gpus[n]))
            law_break(trial, "GPU %s has not what it had after %s of %s\n%s", world->have->gpus[n].id, what, set->id,
                      show_have(trial->mem, world->have));
}

/* From any wave there is a way back to what was written down. */
static void check_way_back(const struct law_trial *trial, const struct gp_set *set, uint32_t waves)
{
    struct world world = gen_world(trial->mem, trial->state);
    const struct gp_snapshot *snapshot = gp_snapshot_take(trial->mem, world.have, set);
    const struct gp_goal *back;

    run_set(trial, &world, trial->state->goal, set, trial->plan, waves, "the first part");
    back = gp_snapshot_goal(trial->mem, snapshot, world.have, trial->state->goal);
    run_set(trial, &world, back, set, NULL, WAVES_AT_MOST, "the way back");
    check_as_before(trial, trial->state->have, set, &world,
                    gp_printf(trial->mem, "the way back from wave %u", (unsigned)waves));
    trial->tally->way_back++;
}

/* ---- what a pass finds that was cut off ---- */

/* Laws 2 and 4 where the record is taken back: the plan of the way back keeps the laws as any other does, and then all
 * is as it was before. */
static void check_restored(const struct law_trial *trial)
{
    const struct gen_record *record = trial->state->record;
    const struct gp_goal *back =
        gp_snapshot_goal(trial->mem, record->snapshot, trial->state->have, trial->state->goal);
    struct gen_state state = *trial->state;
    struct law_trial way_back = *trial;
    struct world world = gen_world(trial->mem, &state);

    /* What two had, or one twice over, is not given so again. */
    if (was_given_twice(record->before, &record->set))
        return;
    state.goal = goal_of_set(trial->mem, back, &record->set);
    state.input.goal = state.goal;
    state.input.within = &record->set;
    way_back.state = &state;
    way_back.plan = gp_plan(trial->mem, &state.input);
    run_set(&way_back, &world, back, &record->set, way_back.plan, WAVES_AT_MOST, "taking back");
    law_check_after(&way_back, world.have);
    check_as_before(trial, record->before, &record->set, &world, "taking back what was begun");
    trial->tally->restored++;
}

static bool is_told(const struct gp_plan *plan, const char *vm, struct gp_arena *mem)
{
    const char *object = gp_printf(mem, "vm/%s", vm);

    for (size_t n = 0; n < plan->finding_count; n++)
        if (gp_streq(plan->findings[n].rule, "GP-W508") && gp_streq(plan->findings[n].object, object))
            return true;
    return false;
}

/* Law 2 where it is finished: who ran before the pass that was cut off runs, or is told to wait. */
static void check_finished(const struct law_trial *trial, const struct gp_have *have)
{
    const struct gp_snapshot *snapshot = trial->state->record->snapshot;
    struct gp_plan_input input = trial->state->input;
    const struct gp_plan *rest;

    input.have = have;
    rest = gp_plan(trial->mem, &input);
    for (size_t n = 0; n < snapshot->vm_count; n++)
        if (snapshot->vms[n].ran && gp_have_vm(have, snapshot->vms[n].uuid)->power == GP_POWER_OFF &&
            !is_told(rest, snapshot->vms[n].name, trial->mem))
            law_break(trial, "law 2: %s ran before the pass that was cut off; it is off, and nobody is told",
                      snapshot->vms[n].name);
    trial->tally->resumed++;
}

/* ---- one state ---- */

static void check_differences(const struct law_trial *trial)
{
    for (size_t n = 0; n < trial->plan->drift_count; n++)
        for (size_t m = 0; m < trial->plan->change_count; m++)
            if (gp_streq(trial->plan->drift[n].key, trial->plan->changes[m].key))
                law_break(trial, "%s has a change and a drift", trial->plan->drift[n].key);
}

static int compare_applied(const void *a, const void *b)
{
    return gp_strcmp(((const struct gp_applied *)a)->key, ((const struct gp_applied *)b)->key);
}

/* As a pass remembers what it has reached. */
static void remember(struct gp_arena *mem, struct world *world, const struct gp_goal *goal)
{
    struct gp_memory *memory = world->memory;

    memory->applied = NULL;
    memory->applied_count = 0;
    for (size_t n = 0; n < goal->gpu_count; n++)
        if (goal->gpus[n].managed && !goal->gpus[n].blocked)
            *gp_push(mem, memory->applied, memory->applied_count) =
                (struct gp_applied){.key = gp_printf(mem, "gpu/%s", goal->gpus[n].id),
                                    .value = gp_gpu_value(mem, &world->have->gpus[n])};
    for (size_t n = 0; n < goal->vm_count; n++)
        if (goal->vms[n].managed && !goal->vms[n].blocked && goal->vms[n].gpu &&
            !gp_vm_awaits_start(&world->have->vms[n]))
            *gp_push(mem, memory->applied, memory->applied_count) =
                (struct gp_applied){.key = gp_printf(mem, "vm/%s", goal->vms[n].uuid),
                                    .value = gp_vm_value(mem, world->have, &world->have->vms[n])};
    if (memory->applied_count)
        qsort(memory->applied, memory->applied_count, sizeof *memory->applied, compare_applied);
}

/* Law 6 of whole passes: what is declared is resolved again for what came of it, and that comes to rest. */
static void check_declared(const struct law_trial *trial, struct world *world)
{
    struct gp_resolve_input resolve = *trial->state->declared;
    struct gen_state state = *trial->state;
    struct law_trial pass = *trial;

    pass.state = &state;
    state.record = NULL;
    for (int round = 0; round < 4; round++) {
        struct gp_error *err;

        remember(trial->mem, world, state.goal);
        resolve.have = state.have = gp_have_copy(trial->mem, world->have);
        resolve.memory = state.memory = world->memory;
        state.goal = gp_resolve(trial->mem, &resolve);
        state.input.have = state.have;
        state.input.goal = state.goal;
        state.input.memory = state.memory;
        pass.plan = gp_plan(trial->mem, &state.input);
        if (!pass.plan->step_count)
            return;
        err = gp_plan_check(&state.input, pass.plan);
        if (err)
            law_break(&pass, "a later pass: %s", law_take_line(trial->mem, err));
        for (size_t n = 0; n < pass.plan->set_count; n++)
            if (pass.plan->sets[n].verdict != GP_VERDICT_BLOCKED)
                run_set(&pass, world, state.goal, &pass.plan->sets[n], pass.plan, WAVES_AT_MOST, "a later pass");
    }
    law_break(&pass, "law 6: what is declared does not come to rest:\n%s", show_have(trial->mem, world->have));
}

static void do_sets(const struct law_trial *trial, struct gen *gen, struct world *world, size_t acting)
{
    const struct gen_state *state = trial->state;
    const bool fails = gen_chance(gen, 50);
    size_t chosen = gen_below(gen, (uint32_t)acting);

    for (size_t n = 0; n < trial->plan->set_count; n++) {
        const struct gp_set *set = &trial->plan->sets[n];

        if (set->verdict == GP_VERDICT_BLOCKED)
            continue;
        /* Blind there is none: nothing may be taken apart. */
        if (!chosen-- && fails && !state->have->vms_unknown && !was_given_twice(state->have, set))
            check_way_back(trial, set, gen_below(gen, 5));
        run_set(trial, world, state->goal, set, trial->plan, WAVES_AT_MOST, "the plan");
    }
}

void law_try(struct gp_arena *mem, const char *name, const struct gen_state *state, struct gen *gen,
             law_broken *broken, struct law_tally *tally)
{
    struct world world = gen_world(mem, state);
    const struct gp_plan *plan = gp_plan(mem, &state->input);
    const struct law_trial trial = {mem, name, state, plan, broken, tally};
    struct gp_error *err = gp_plan_check(&state->input, plan);
    size_t acting = 0;

    if (err)
        law_break(&trial, "%s", law_take_line(mem, err));
    law_count(tally, state, plan);
    check_differences(&trial);
    for (size_t n = 0; n < plan->set_count; n++)
        acting += plan->sets[n].verdict != GP_VERDICT_BLOCKED;
    if (acting) {
        do_sets(&trial, gen, &world, acting);
        law_check_after(&trial, world.have);
        check_arrived(&trial, &world);
        if (gen_chance(gen, 30))
            law_check_gate(&trial, gen);
    }
    if (state->record) {
        check_finished(&trial, world.have);
        check_restored(&trial);
    }
    if (state->declared)
        check_declared(&trial, &world);
    if (!gp_streq(plan->id, gp_plan(mem, &state->input)->id))
        law_break(&trial, "law 7: the same input gave another plan");
}
