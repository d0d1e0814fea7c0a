/* What a pass leaves that was cut off: a host half-way, and the record of what was there before. */
#include "gen.h"

#include "text.h"

#include <stdlib.h>

/* One of the sets that act, or NULL. */
static const struct gp_set *some_set(struct gen *gen, const struct gp_plan *plan)
{
    size_t acting = 0, chosen;

    for (size_t n = 0; n < plan->set_count; n++)
        acting += plan->sets[n].verdict != GP_VERDICT_BLOCKED;
    chosen = gen_below(gen, (uint32_t)acting);
    for (size_t n = 0; n < plan->set_count; n++)
        if (plan->sets[n].verdict != GP_VERDICT_BLOCKED && !chosen--)
            return &plan->sets[n];
    return NULL;
}

/* As the executor does it: each wave from a fresh plan, the last of them broken off after some step. False if
 * something was refused, which is for the law of the whole plan to tell. */
static bool begin(struct gp_arena *mem, struct gen *gen, const struct gen_state *state, const struct gp_set *set,
                  struct world *world)
{
    const uint32_t waves = gen_below(gen, 4);
    struct gp_plan_input input = state->input;

    input.within = set;
    input.have = world->have;
    input.memory = world->memory;
    for (uint32_t wave = 0; wave < waves; wave++)
        if (world_wave(world, gp_plan(mem, &input), 0))
            return false;
    {
        const struct gp_plan *plan = gp_plan(mem, &input);
        size_t steps = gen_below(gen, 12);

        for (size_t n = 0; n < plan->step_count && plan->steps[n].wave == 0 && steps--; n++)
            if (world_do(world, &plan->steps[n]))
                return false;
    }
    gen_observe(mem, world->have);
    return true;
}

struct world gen_world(struct gp_arena *mem, const struct gen_state *state)
{
    struct gp_memory *memory = gp_memdup(mem, state->memory, sizeof *memory);

    memory->quarantined.items = NULL;
    memory->quarantined.count = 0;
    for (size_t n = 0; n < state->memory->quarantined.count; n++)
        *gp_push(mem, memory->quarantined.items, memory->quarantined.count) = state->memory->quarantined.items[n];
    return (struct world){
        .mem = mem, .have = gp_have_copy(mem, state->have), .mechanism = gen_mechanism, .memory = memory};
}

static int compare_owed(const void *a, const void *b)
{
    return gp_strcmp(((const struct gp_owed *)a)->vm, ((const struct gp_owed *)b)->vm);
}

/* As the next pass does before it looks at anything else: who ran is owed a start. */
static void owe(struct gp_arena *mem, struct gp_memory *memory, const struct gp_snapshot *snapshot)
{
    const struct gp_owed *owed = memory->owed;
    const size_t count = memory->owed_count;

    memory->owed = NULL;
    memory->owed_count = 0;
    for (size_t n = 0; n < count; n++)
        *gp_push(mem, memory->owed, memory->owed_count) = owed[n];
    for (size_t n = 0; n < snapshot->vm_count; n++) {
        bool known = !snapshot->vms[n].ran;

        for (size_t o = 0; o < memory->owed_count; o++)
            known |= gp_streq(memory->owed[o].vm, snapshot->vms[n].uuid);
        if (!known)
            *gp_push(mem, memory->owed, memory->owed_count) = (struct gp_owed){
                .vm = snapshot->vms[n].uuid, .name = snapshot->vms[n].name, .until_us = UINT64_MAX};
    }
    if (memory->owed_count)
        qsort(memory->owed, memory->owed_count, sizeof *memory->owed, compare_owed);
    for (size_t n = 0; n < snapshot->units.count; n++)
        *gp_push(mem, memory->owed_units.items, memory->owed_units.count) = snapshot->units.items[n];
}

void gen_cut_off(struct gp_arena *mem, struct gen *gen, struct gen_state *state)
{
    const struct gp_set *set = some_set(gen, gp_plan(mem, &state->input));
    struct world world = gen_world(mem, state);
    struct gen_record *record;

    /* Blind nothing is taken apart. */
    if (!set || state->have->vms_unknown || !begin(mem, gen, state, set, &world))
        return;
    record = gp_new(mem, struct gen_record);
    record->set = *set;
    record->before = state->have;
    record->snapshot = gp_snapshot_take(mem, state->have, set);
    state->record = record;
    state->have = world.have;
    state->memory = world.memory;
    owe(mem, state->memory, record->snapshot);
    if (state->declared) {
        struct gp_resolve_input *input = gp_memdup(mem, state->declared, sizeof *input);

        input->have = state->have;
        input->memory = state->memory;
        state->declared = input;
        state->goal = gp_resolve(mem, input);
    }
    state->input.have = state->have;
    state->input.goal = state->goal;
    state->input.memory = state->memory;
}
