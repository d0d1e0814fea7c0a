/* Law 8 against brute force: nobody is stopped beyond the fewest with which it can be done. LEAST_SEED=N shows one
 * world. */
#include "rows.h"

#include "cleanup.h"
#include "least.h"
#include "show.h"
#include "text.h"

#include <stdlib.h>

#ifdef GP_SANITIZE
enum { WORLDS = 2000 };
#else
enum { WORLDS = 40000 };
#endif

struct counts {
    size_t blocked, compared, with_stops[LEAST_VMS + 1], subsets, assignments, of_gpu, of_host;
};

static bool is_blocked(const struct gen_state *state, const struct gp_plan *plan)
{
    for (size_t n = 0; n < state->goal->gpu_count; n++)
        if (state->goal->gpus[n].blocked)
            return true;
    for (size_t n = 0; n < state->goal->vm_count; n++)
        if (state->goal->vms[n].blocked)
            return true;
    for (size_t n = 0; n < plan->set_count; n++)
        if (plan->sets[n].verdict == GP_VERDICT_BLOCKED)
            return true;
    return false;
}

static uint32_t stops_of(const struct gen_state *state, const struct gp_plan *plan)
{
    uint32_t stops = 0;

    for (size_t n = 0; n < plan->step_count; n++)
        for (size_t v = 0; v < state->have->vm_count; v++)
            if (plan->steps[n].kind == GP_STEP_STOP_VM && gp_streq(plan->steps[n].vm, state->have->vms[v].uuid))
                stops |= 1U << v;
    return stops;
}

static void compare(uint64_t seed, struct counts *counts, bool show)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gen gen = gen_seed(seed);
    const struct gen_state state = least_draw(mem, &gen);
    const struct gp_plan *plan = gp_plan(mem, &state.input);
    const char *text = gp_printf(mem, "seed %llu\n%s%s%s", (unsigned long long)seed, show_have(mem, state.have),
                                 show_goal(mem, state.goal), show_plan(mem, plan));
    const uint32_t stops = stops_of(&state, plan);
    struct least least;

    if (show)
        cr_log_info("%s", text);
    if (is_blocked(&state, plan)) {
        counts->blocked++;
        return;
    }
    least = least_stops(mem, &state);
    counts->compared++;
    counts->subsets += least.subsets;
    counts->assignments += least.assignments;
    counts->with_stops[__builtin_popcount(stops)]++;
    counts->of_gpu += plan->class == GP_CLASS_GPU;
    counts->of_host += plan->class == GP_CLASS_HOST;
    cr_assert(least.reachable, "nobody can be stopped so that this works: %s", text);
    cr_assert(eq(u32, (uint32_t)__builtin_popcount(stops), least.stops), "%u stops do: %s", (unsigned)least.stops, text);
    cr_assert(least_reaches(mem, &state, stops), "with other stops it works, but not with these: %s", text);
}

static void compare_all(uint64_t first)
{
    struct counts counts = {0};

    for (uint64_t n = 0; n < WORLDS / 2; n++)
        compare(first + n, &counts, false);
    cr_log_info("%zu worlds compared, with stops of 0 to 6 guests %zu, %zu, %zu, %zu, %zu, %zu, %zu; class gpu %zu, "
                "host %zu; %zu sets of guests and %zu assignments tried; %zu more worlds had something blocked",
                counts.compared, counts.with_stops[0], counts.with_stops[1], counts.with_stops[2],
                counts.with_stops[3], counts.with_stops[4], counts.with_stops[5], counts.with_stops[6], counts.of_gpu,
                counts.of_host, counts.subsets, counts.assignments, counts.blocked);
    /* A law about nothing holds always. */
    cr_assert(gt(sz, counts.compared, WORLDS / 2 / 3));
    for (size_t n = 1; n <= 4; n++)
        cr_assert(gt(sz, counts.with_stops[n], WORLDS / 2 / 1000), "%zu", n);
    cr_assert(gt(sz, counts.of_gpu, WORLDS / 2 / 50));
    cr_assert(gt(sz, counts.of_host, WORLDS / 2 / 500));
}

Test(least, nobody_is_stopped_beyond_the_fewest_0, .timeout = 300)
{
    compare_all(0);
}

Test(least, nobody_is_stopped_beyond_the_fewest_1, .timeout = 300)
{
    compare_all(1000000);
}

Test(least, one_world)
{
    struct counts counts = {0};
    const char *seed = getenv("LEAST_SEED");

    compare(seed ? strtoull(seed, NULL, 10) : 3, &counts, seed != NULL);
    cr_assert(eq(sz, counts.compared + counts.blocked, 1));
}
