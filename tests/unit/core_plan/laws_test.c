/* The laws of plan-and-apply, on every state that the generator draws. GEN_SEED=N shows one of
 * them. */
#include "rows.h"

#include "cleanup.h"
#include "gen.h"
#include "show.h"
#include "text.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

/* The sanitizers make each state ten times as slow. */
#ifdef GP_SANITIZE
enum { STATES_PER_SLICE = 2600 };
#else
enum { STATES_PER_SLICE = 26000 };
#endif

enum { WAVES_AT_MOST = 8 };

struct tally {
    size_t states, plans, blocked, many_gpus, foreign, differs, unstoppable, way_back, waves;
    size_t steps[GP_STEP_COUNT], classes[GP_CLASS_COUNT];
};

/* ---- a broken law, told with all that is needed to see it ---- */

struct trial {
    struct gp_arena *mem;
    uint64_t seed;
    const struct gen_state *state;
    const struct gp_plan *plan;
};

#define BROKEN(trial, ...)                                                                         \
    cr_fatal("seed %llu: %s\n%s%s%s", (unsigned long long)(trial)->seed,                           \
             gp_printf((trial)->mem, __VA_ARGS__), show_have((trial)->mem, (trial)->state->have),  \
             show_goal((trial)->mem, (trial)->state->goal),                                        \
             (trial)->plan ? show_plan((trial)->mem, (trial)->plan) : "")

static const char *take_line(struct gp_arena *mem, struct gp_error *err)
{
    gp_cleanup(gp_free_p) char *line = gp_error_line(err);

    gp_error_free(err);
    return gp_strdup(mem, line);
}

static bool is_one_of(const struct gp_strings *strings, const char *text)
{
    for (size_t n = 0; n < strings->count; n++)
        if (gp_streq(strings->items[n], text))
            return true;
    return false;
}

/* ---- doing a plan as the executor does: a wave, a look, a fresh plan ---- */

static const struct gp_goal *goal_of_set(struct gp_arena *mem, const struct gp_goal *goal,
                                         const struct gp_set *set)
{
    struct gp_goal *only = gp_memdup(mem, goal, sizeof *goal);

    only->gpus = gp_memdup(mem, goal->gpus, sizeof *goal->gpus * goal->gpu_count);
    only->vms = gp_memdup(mem, goal->vms, sizeof *goal->vms * goal->vm_count);
    for (size_t n = 0; n < only->gpu_count; n++)
        only->gpus[n].managed &= is_one_of(&set->gpus, only->gpus[n].id);
    for (size_t n = 0; n < only->vm_count; n++)
        only->vms[n].managed &= is_one_of(&set->vms, only->vms[n].uuid);
    return only;
}

/* Runs @set of @planned (NULL: the first fresh plan) in @world until nothing is left, or @waves are
 * done. */
static void run_set(const struct trial *trial, struct world *world, const struct gp_goal *goal,
                    const struct gp_set *set, const struct gp_plan *planned, uint32_t waves,
                    const char *what)
{
    struct gp_plan_input input = trial->state->input;

    input.goal = goal_of_set(trial->mem, goal, set);
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
            BROKEN(trial, "%s of set %s, wave %u: %s\nfresh:\n%s%s", what, set->id, (unsigned)wave,
                   take_line(trial->mem, err), show_plan(trial->mem, fresh),
                   show_have(trial->mem, world->have));
        if (!fresh->step_count)
            break;
        if (wave + 1 >= WAVES_AT_MOST)
            BROKEN(trial, "%s of set %s does not end", what, set->id);
        refused = world_wave(world, fresh, 0);
        if (refused)
            BROKEN(trial, "%s of set %s, wave %u: %s\n%s", what, set->id, (unsigned)wave, refused,
                   show_have(trial->mem, world->have));
    }
    if (waves == WAVES_AT_MOST) {
        struct gp_error *err = gp_verify(input.goal, world->have, set, input.mechanism);

        if (err)
            BROKEN(trial, "%s of set %s is not verified: %s\n%s", what, set->id,
                   take_line(trial->mem, err), show_have(trial->mem, world->have));
    }
}

/* ---- what must hold of a host before and after ---- */

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

/* Whether all that was there is there. */
static bool covers(const struct gp_gpu *a, const struct gp_gpu *b)
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
    return a->mode == b->mode && a->count == b->count && covers(a, b);
}

static const struct gp_set *set_of_vm(const struct gp_plan *plan, const char *uuid)
{
    for (size_t n = 0; n < plan->set_count; n++)
        if (plan->sets[n].verdict != GP_VERDICT_BLOCKED && is_one_of(&plan->sets[n].vms, uuid))
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
static bool had_reason(const struct trial *trial, const struct gp_vm *was, const struct gp_vm *is)
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

static void check_vm(const struct trial *trial, const struct gp_goal_vm *goal,
                     const struct gp_vm *was, const struct gp_vm *is)
{
    const bool stopped = is_stopped(trial->plan, was->uuid);

    if (was->power != GP_POWER_OFF && is->power != was->power && goal->run)
        BROKEN(trial, "law 2: %s ran and is %s", was->name, gp_power_name(is->power));
    if (was->power == GP_POWER_OFF && is->power != GP_POWER_OFF && !goal->run)
        BROKEN(trial, "law 2: %s was off, and was started", was->name);
    if (stopped && !had_reason(trial, was, is))
        BROKEN(trial, "law 8: %s was stopped for nothing", was->name);
    if (!stopped && was->power != GP_POWER_OFF &&
        !same_devs(was->live, was->live_count, is->live, is->live_count, false))
        BROKEN(trial, "law 4: what %s runs with changed under it", was->name);
    if (!goal->managed && !same_devs(was->persistent_devs, was->persistent_count,
                                     is->persistent_devs, is->persistent_count, false))
        BROKEN(trial, "law 4: %s is not ours and was edited", was->name);
    /* A hostdev that was made by hand is where it was; it may be marked. */
    for (size_t n = 0; n < was->persistent_count; n++) {
        bool there = was->persistent_devs[n].ours;

        for (size_t m = 0; m < is->persistent_count; m++)
            there |= gp_device_eq(is->persistent_devs[m].device, was->persistent_devs[n].device);
        if (!there)
            BROKEN(trial, "law 4: %s lost what it was given by hand", was->name);
    }
}

/* Law 3: what the plan gave is given once, in definitions and in running guests. */
static void check_given(const struct trial *trial, const struct gp_have *have)
{
    for (size_t n = 0; n < trial->plan->step_count; n++) {
        const struct gp_step *step = &trial->plan->steps[n];
        const struct gp_vm *vm = step->vm ? gp_have_vm(have, step->vm) : NULL;
        size_t users = 0;

        if (step->kind != GP_STEP_ATTACH && step->kind != GP_STEP_REBIND &&
            step->kind != GP_STEP_MARK)
            continue;
        if (!vm->mark || !vm->mark_fits)
            BROKEN(trial, "law 3: %s was bound and has no mark", vm->name);
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
            BROKEN(trial, "law 3: %s of %s is in %zu VMs", vm->mark->partition, vm->name, users);
    }
}

/* Laws 1 and 2 of programs of the host: what ran runs, and nothing else was started. */
static void check_units(const struct trial *trial, const struct gp_have *before, const struct gp_have *have)
{
    for (size_t n = 0; n < before->unit_count; n++) {
        const struct gp_unit *was = &before->units[n], *is = &have->units[n];
        const bool wanted = trial->state->goal->units[n].run;

        if (was->state == GP_UNIT_ACTIVE && is->state != GP_UNIT_ACTIVE)
            BROKEN(trial, "law 2: %s ran and is %s", was->name, gp_unit_state_name(is->state));
        if (was->state == GP_UNIT_INACTIVE && is->state != (wanted ? GP_UNIT_ACTIVE : GP_UNIT_INACTIVE))
            BROKEN(trial, "law 2: %s was off, %s owed a start, and is %s", was->name, wanted ? "is" : "is not",
                   gp_unit_state_name(is->state));
        if (was->state == GP_UNIT_UNKNOWN && is->state != GP_UNIT_UNKNOWN)
            BROKEN(trial, "law 4: nobody knows whether %s runs, and it was touched", was->name);
    }
}

static void check_after(const struct trial *trial, const struct gp_have *have)
{
    const struct gp_have *before = trial->state->have;

    for (size_t n = 0; n < before->gpu_count; n++)
        if (!is_reshaped(trial->plan, before->gpus[n].id) &&
            !same_layout(&before->gpus[n], &have->gpus[n]))
            BROKEN(trial, "law 4: GPU %s changed though no step was planned for it",
                   before->gpus[n].id);
    for (size_t n = 0; n < before->gpu_count; n++)
        if (!trial->state->goal->gpus[n].managed && is_reshaped(trial->plan, before->gpus[n].id))
            BROKEN(trial, "law 4: GPU %s is in no pool and was changed", before->gpus[n].id);
    for (size_t n = 0; n < before->vm_count; n++)
        check_vm(trial, &trial->state->goal->vms[n], &before->vms[n], &have->vms[n]);
    check_units(trial, before, have);
    check_given(trial, have);
}

/* Law 6: what was done is done; what was blocked may come free by it, and that ends too. */
static void check_arrived(const struct trial *trial, struct world *world)
{
    struct gp_plan_input input = trial->state->input;

    for (int round = 0; round < 4; round++) {
        const struct gp_plan *again;

        input.have = world->have;
        again = gp_plan(trial->mem, &input);
        for (size_t n = 0; n < again->step_count && round == 0; n++)
            for (size_t s = 0; s < trial->plan->set_count; s++) {
                const struct gp_set *set = &trial->plan->sets[s];
                const struct gp_step *step = &again->steps[n];

                /* Blocked for what others had, which they have left. */
                if (step->vm && (is_one_of(&set->only_start, step->vm) ||
                                 is_one_of(&set->not_started, step->vm)))
                    continue;
                if (set->verdict != GP_VERDICT_BLOCKED &&
                    (step->vm     ? is_one_of(&set->vms, step->vm)
                     : step->unit ? is_one_of(&set->units, step->unit) &&
                                        !again->sets[step->set].gpus.count
                                  : is_one_of(&set->gpus, step->gpu)))
                    BROKEN(trial, "law 6: set %s is done, and now:\n%s\n%s", set->id,
                           show_plan(trial->mem, again), show_have(trial->mem, world->have));
            }
        if (!again->step_count)
            return;
        for (size_t s = 0; s < again->set_count; s++)
            if (again->sets[s].verdict != GP_VERDICT_BLOCKED)
                run_set(trial, world, trial->state->goal, &again->sets[s], again, WAVES_AT_MOST,
                        "a later plan");
    }
    BROKEN(trial, "law 6: it does not come to rest:\n%s", show_have(trial->mem, world->have));
}

/* What two were defined with, or one twice over, is not given so again. */
static bool was_given_twice(const struct gp_have *have, const struct gp_set *set)
{
    for (size_t v = 0; v < have->vm_count; v++) {
        const struct gp_vm *vm = &have->vms[v];
        size_t partitions = 0;

        for (size_t n = 0; is_one_of(&set->vms, vm->uuid) && n < vm->persistent_count; n++) {
            const struct gp_device device = vm->persistent_devs[n].device;
            struct gp_gpu *gpu;
            struct gp_partition *partition;

            partitions += gp_have_find(have, device, &gpu, &partition);
            for (size_t o = 0; o < have->vm_count; o++)
                for (size_t d = 0; o != v && d < have->vms[o].persistent_count; d++)
                    if (partitions && gp_device_eq(have->vms[o].persistent_devs[d].device, device))
                        return true;
            for (size_t o = 0; o < have->vm_count; o++)
                for (size_t d = 0; o != v && d < have->vms[o].live_count; d++)
                    if (partitions && gp_device_eq(have->vms[o].live[d].device, device))
                        return true;
        }
        if (partitions > 1)
            return true;
    }
    return false;
}

/* Laws 2 and 4 in failure: from any wave there is a way back to what was written down. */
static void check_way_back(const struct trial *trial, const struct gp_set *set, uint32_t waves,
                           struct tally *tally)
{
    struct world world = {
        .mem = trial->mem,
        .have = gp_have_copy(trial->mem, trial->state->have),
        .mechanism = gen_mechanism,
    };
    const struct gp_snapshot *snapshot = gp_snapshot_take(trial->mem, world.have, set);
    const struct gp_goal *back;

    run_set(trial, &world, trial->state->goal, set, trial->plan, waves, "the first part");
    back = gp_snapshot_goal(trial->mem, snapshot, world.have, &trial->state->goal->policy);
    run_set(trial, &world, back, set, NULL, WAVES_AT_MOST, "the way back");
    for (size_t n = 0; n < world.have->vm_count; n++) {
        const struct gp_vm *was = &trial->state->have->vms[n], *is = &world.have->vms[n];

        if (was->power != GP_POWER_OFF && is->power != was->power)
            BROKEN(trial, "law 2: %s ran before the way back (wave %u of %s), and is %s", was->name,
                   (unsigned)waves, set->id, gp_power_name(is->power));
        if (was->power == GP_POWER_OFF && is->power != GP_POWER_OFF &&
            !trial->state->goal->vms[n].run)
            BROKEN(trial, "law 2: %s was off before the way back, and runs", was->name);
    }
    for (size_t n = 0; n < world.have->unit_count; n++) {
        const struct gp_unit *was = &trial->state->have->units[n], *is = &world.have->units[n];

        if (was->state != is->state && !(was->state == GP_UNIT_INACTIVE && trial->state->goal->units[n].run))
            BROKEN(trial, "law 2: %s was %s before the way back (wave %u of %s), and is %s", was->name,
                   gp_unit_state_name(was->state), (unsigned)waves, set->id, gp_unit_state_name(is->state));
    }
    for (size_t n = 0; n < world.have->gpu_count; n++)
        if (!covers(&trial->state->have->gpus[n], &world.have->gpus[n]))
            BROKEN(trial, "GPU %s has not what it had after the way back from wave %u of %s\n%s",
                   world.have->gpus[n].id, (unsigned)waves, set->id,
                   show_have(trial->mem, world.have));
    tally->way_back++;
}

/* ---- one state ---- */

static void check_differences(const struct trial *trial)
{
    for (size_t n = 0; n < trial->plan->drift_count; n++)
        for (size_t m = 0; m < trial->plan->change_count; m++)
            if (gp_streq(trial->plan->drift[n].key, trial->plan->changes[m].key))
                BROKEN(trial, "%s has a change and a drift", trial->plan->drift[n].key);
}

static void count(struct tally *tally, const struct gen_state *state, const struct gp_plan *plan)
{
    bool blocked = false;

    tally->states++;
    tally->plans += plan->step_count > 0;
    for (size_t n = 0; n < plan->set_count; n++) {
        blocked |= plan->sets[n].verdict == GP_VERDICT_BLOCKED;
        tally->classes[plan->sets[n].class] += plan->sets[n].verdict != GP_VERDICT_BLOCKED;
    }
    tally->blocked += blocked;
    for (size_t n = 0; n < plan->step_count; n++)
        tally->steps[plan->steps[n].kind]++;
    tally->many_gpus += state->traits.many_gpus;
    tally->foreign += state->traits.foreign_holder;
    tally->differs += state->traits.live_differs;
    tally->unstoppable += state->traits.unstoppable;
}

static void try(uint64_t seed, struct tally *tally, bool show)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gen_state state = gen_state(mem, seed);
    struct world world = {
        .mem = mem, .have = gp_have_copy(mem, state.have), .mechanism = gen_mechanism};
    const struct gp_plan *plan = gp_plan(mem, &state.input);
    const struct trial trial = {mem, seed, &state, plan};
    struct gp_error *err = gp_plan_check(&state.input, plan);
    size_t acting = 0;

    if (show)
        cr_log_info("%s%s%s", show_have(mem, state.have), show_goal(mem, state.goal),
                    show_plan(mem, plan));
    if (err)
        BROKEN(&trial, "%s", take_line(mem, err));
    count(tally, &state, plan);
    check_differences(&trial);
    for (size_t n = 0; n < plan->set_count; n++)
        acting += plan->sets[n].verdict != GP_VERDICT_BLOCKED;
    if (acting) {
        struct gen gen = gen_seed(~seed);
        size_t chosen = gen_below(&gen, (uint32_t)acting);

        for (size_t n = 0; n < plan->set_count; n++) {
            if (plan->sets[n].verdict == GP_VERDICT_BLOCKED)
                continue;
            /* Blind there is none: nothing may be taken apart. */
            if (!chosen-- && seed % 2 == 0 && !state.have->vms_unknown &&
                !was_given_twice(state.have, &plan->sets[n]))
                check_way_back(&trial, &plan->sets[n], gen_below(&gen, 5), tally);
            run_set(&trial, &world, state.goal, &plan->sets[n], plan, WAVES_AT_MOST, "the plan");
        }
        check_after(&trial, world.have);
        check_arrived(&trial, &world);
    }
    if (!gp_streq(plan->id, gp_plan(mem, &state.input)->id))
        BROKEN(&trial, "law 7: the same input gave another plan");
}

/* ---- slices ---- */

static void print_tally(const struct tally *tally)
{
    cr_log_info(
        "%zu states: %zu%% with steps, %zu%% with something blocked, %zu%% three GPUs or more and "
        "mixed, "
        "%zu%% foreign holders, %zu%% live unlike defined, %zu%% unstoppable; %zu ways back",
        tally->states, tally->plans * 100 / tally->states, tally->blocked * 100 / tally->states,
        tally->many_gpus * 100 / tally->states, tally->foreign * 100 / tally->states,
        tally->differs * 100 / tally->states, tally->unstoppable * 100 / tally->states,
        tally->way_back);
    for (int kind = 0; kind < GP_STEP_COUNT; kind++)
        cr_log_info("  %-18s %zu", gp_step_kind_name((enum gp_step_kind)kind), tally->steps[kind]);
    for (int class = 0; class < GP_CLASS_COUNT; class ++)
        cr_log_info("  class %-12s %zu", gp_class_name((enum gp_class) class),
                    tally->classes[class]);
}

static void check_share(const struct tally *tally, size_t part, size_t percent, const char *what)
{
    cr_assert(part * 100 >= percent * tally->states, "only %zu of %zu states have %s", part,
              tally->states, what);
}

/* A law that is never put to the test is not one: the generator must reach what matters. */
static void check_tally(const struct tally *tally)
{
    check_share(tally, tally->plans, 30, "steps");
    check_share(tally, tally->blocked, 10, "something blocked");
    check_share(tally, tally->many_gpus, 10, "three or more GPUs of several mechanisms");
    check_share(tally, tally->foreign, 10, "foreign holders");
    check_share(tally, tally->differs, 10, "live unlike defined");
    check_share(tally, tally->unstoppable, 10, "VMs that may not be stopped");
    for (int kind = 0; kind < GP_STEP_COUNT; kind++)
        cr_assert(tally->steps[kind] * 26 >= STATES_PER_SLICE, "only %zu steps %s",
                  tally->steps[kind], gp_step_kind_name((enum gp_step_kind)kind));
}

static void slice(uint64_t number)
{
    struct tally tally = {0};

    for (uint64_t n = 0; n < STATES_PER_SLICE; n++)
        try(number * 1000000 + n, &tally, false);
    print_tally(&tally);
    check_tally(&tally);
}

Test(laws, slice_0, .timeout = 300)
{
    slice(0);
}

Test(laws, slice_1, .timeout = 300)
{
    slice(1);
}

Test(laws, slice_2, .timeout = 300)
{
    slice(2);
}

Test(laws, slice_3, .timeout = 300)
{
    slice(3);
}

Test(laws, one_seed)
{
    struct tally tally = {0};
    const char *seed = getenv("GEN_SEED");

    try(seed ? strtoull(seed, NULL, 10) : 7, &tally, seed != NULL);
    cr_assert(eq(sz, tally.states, 1));
}
