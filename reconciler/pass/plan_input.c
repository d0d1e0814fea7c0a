/* What the planner is given of a pass: what is wanted, what is there, and what earlier passes left. */
#include "pass.h"

#include "registry.h"
#include "text.h"

const struct gp_memory *gp_pass_memory(struct gp_pass *pass, struct gp_arena *mem)
{
    struct gp_memory *copy = gp_new(mem, struct gp_memory);
    const struct gp_memory *memory;

    (void)pthread_mutex_lock(&pass->state_lock);
    memory = gp_state_memory(pass->state);
    for (size_t i = 0; i < memory->applied_count; i++)
        *gp_push(mem, copy->applied, copy->applied_count) = (struct gp_applied){
            .key = gp_strdup(mem, memory->applied[i].key),
            .value = gp_strdup(mem, memory->applied[i].value),
            .commit = gp_strdup(mem, memory->applied[i].commit),
            .who = gp_strdup(mem, memory->applied[i].who),
            .since_us = memory->applied[i].since_us,
        };
    for (size_t i = 0; i < memory->owed_count; i++)
        *gp_push(mem, copy->owed, copy->owed_count) = (struct gp_owed){
            .vm = gp_strdup(mem, memory->owed[i].vm),
            .name = gp_strdup(mem, memory->owed[i].name),
            .until_us = memory->owed[i].until_us,
            .stop_requested = memory->owed[i].stop_requested,
        };
    for (size_t i = 0; i < memory->owed_units.count; i++)
        *gp_push(mem, copy->owed_units.items, copy->owed_units.count) = gp_strdup(mem, memory->owed_units.items[i]);
    for (size_t i = 0; i < memory->quarantined.count; i++)
        *gp_push(mem, copy->quarantined.items, copy->quarantined.count) =
            gp_strdup(mem, memory->quarantined.items[i]);
    (void)pthread_mutex_unlock(&pass->state_lock);
    return copy;
}

struct gp_plan_input gp_pass_plan_input(struct gp_pass *pass, struct gp_arena *mem, const struct gp_goal *goal,
                                        const struct gp_have *have)
{
    return (struct gp_plan_input){
        .goal = goal,
        .have = have,
        .memory = gp_pass_memory(pass, mem),
        .mechanism = gp_registry_mechanism,
        .reserve_memory = pass->agent->reserve_memory,
        .host_memory = have->memory,
    };
}
