/* The laws of plan-and-apply, on every state that the generator draws. GEN_SEED=N shows one of
 * them. */
#include "rows.h"

#include "cleanup.h"
#include "laws.h"
#include "show.h"
#include "text.h"

#include <stdlib.h>

/* The sanitizers make each state ten times as slow. */
#ifdef GP_SANITIZE
enum { STATES_PER_SLICE = 2600 };
#else
enum { STATES_PER_SLICE = 26000 };
#endif

static void broken(const char *text)
{
    cr_fatal("%s", text);
}

static void try(uint64_t seed, struct law_tally *tally, bool show)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gen gen = gen_seed(seed);
    const struct gen_state state = gen_state(mem, &gen);

    if (show)
        cr_log_info("%s%s%s", show_have(mem, state.have), show_goal(mem, state.goal),
                    show_plan(mem, gp_plan(mem, &state.input)));
    law_try(mem, gp_printf(mem, "seed %llu", (unsigned long long)seed), &state, &gen, broken, tally);
}

/* ---- slices ---- */

static void slice(uint64_t number)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct law_tally tally = {0};
    const char *rare;

    for (uint64_t n = 0; n < STATES_PER_SLICE; n++)
        try(number * 1000000 + n, &tally, false);
    cr_log_info("%s", law_show_tally(mem, &tally));
    rare = law_too_rare(mem, &tally);
    cr_assert(rare == NULL, "%s", rare);
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
    struct law_tally tally = {0};
    const char *seed = getenv("GEN_SEED");

    try(seed ? strtoull(seed, NULL, 10) : 7, &tally, seed != NULL);
    cr_assert(eq(sz, tally.states, 1));
}
