/* What the states were like, counted, told and judged. */
#include "laws.h"

#include "text.h"

#include <stddef.h>

void law_count(struct law_tally *tally, const struct gen_state *state, const struct gp_plan *plan)
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
    tally->left_alone += state->traits.left_alone;
    tally->differs += state->traits.live_differs;
    tally->unstoppable += state->traits.unstoppable;
    tally->unfinished += state->traits.unfinished;
    tally->declared += state->traits.declared;
    tally->globs += state->traits.globs;
    tally->exceptions += state->traits.exceptions;
    tally->groups += state->traits.groups;
    tally->hostless += state->traits.hostless;
}

/* What must be reached, in percent of the states. */
static const struct share {
    const char *what;
    size_t offset;
    unsigned percent;
} shares[] = {
    {"a plan that is not empty", offsetof(struct law_tally, plans), 30},
    {"something blocked", offsetof(struct law_tally, blocked), 10},
    {"three GPUs or more, of several mechanisms", offsetof(struct law_tally, many_gpus), 10},
    {"foreign holders", offsetof(struct law_tally, foreign), 10},
    {"VMs left alone that run with what is ours", offsetof(struct law_tally, left_alone), 10},
    {"live unlike persistent", offsetof(struct law_tally, differs), 10},
    {"an unfinished record", offsetof(struct law_tally, unfinished), 10},
    {"VMs that may not be stopped", offsetof(struct law_tally, unstoppable), 10},
    {"a goal from a declaration", offsetof(struct law_tally, declared), 25},
    {"a VM bound by a glob", offsetof(struct law_tally, globs), 10},
    {"a VM excepted from a glob", offsetof(struct law_tally, exceptions), 10},
    {"a VM with a partition that shares its IOMMU group", offsetof(struct law_tally, groups), 4},
    {"a VM bound without a host", offsetof(struct law_tally, hostless), 10},
};

enum { SHARES = sizeof shares / sizeof *shares };

static size_t part(const struct law_tally *tally, const struct share *share)
{
    return *(const size_t *)((const char *)tally + share->offset);
}

const char *law_show_tally(struct gp_arena *mem, const struct law_tally *tally)
{
    struct gp_text text = {.mem = mem};

    gp_text_addf(&text, "%zu states:\n", tally->states);
    for (size_t n = 0; n < SHARES; n++)
        gp_text_addf(&text, "  %5.1f %%  %s (at least %u %%)\n",
                     (double)part(tally, &shares[n]) * 100 / (double)tally->states, shares[n].what, shares[n].percent);
    gp_text_addf(&text, "  %zu ways back, %zu passes finished after a cut, %zu taken back\n", tally->way_back,
                 tally->resumed, tally->restored);
    gp_text_addf(&text, "  %zu sets let through by a policy, %zu held up\n", tally->let_through, tally->held_up);
    for (int kind = 0; kind < GP_STEP_COUNT; kind++)
        gp_text_addf(&text, "  %-18s %zu\n", gp_step_kind_name((enum gp_step_kind)kind), tally->steps[kind]);
    for (int class = 0; class < GP_CLASS_COUNT; class ++)
        gp_text_addf(&text, "  class %-12s %zu\n", gp_class_name((enum gp_class) class), tally->classes[class]);
    return gp_text_get(&text);
}

/* Of each kind a thousand in as many states as a slice of the tests has. */
static const char *rare_step(struct gp_arena *mem, const struct law_tally *tally)
{
    for (int kind = 0; kind < GP_STEP_COUNT; kind++)
        if (tally->steps[kind] * 26 < tally->states)
            return gp_printf(mem, "only %zu steps %s in %zu states", tally->steps[kind],
                             gp_step_kind_name((enum gp_step_kind)kind), tally->states);
    return NULL;
}

const char *law_too_rare(struct gp_arena *mem, const struct law_tally *tally)
{
    for (size_t n = 0; n < SHARES; n++)
        if (part(tally, &shares[n]) * 100 < shares[n].percent * tally->states)
            return gp_printf(mem, "only %zu of %zu states have %s", part(tally, &shares[n]), tally->states,
                             shares[n].what);
    if (tally->let_through * 20 < tally->states || tally->held_up * 20 < tally->states)
        return gp_printf(mem, "only %zu sets were let through and %zu held up in %zu states", tally->let_through,
                         tally->held_up, tally->states);
    return rare_step(mem, tally);
}
