/* A plan: what each object would do, until nobody is found any more who may not. */
#include "planner.h"

#include "text.h"

#include <string.h>

/* Blocks only ever grow, and each round finds one at least: it ends. GPUs first, since a VM that is
 * refused for what a reshape would do to it is not to be refused if that reshape never happens. */
static void settle(struct gp_planner *planner)
{
    do
        gp_planner_think_vms(planner);
    while (gp_planner_block_gpus(planner) || gp_planner_block_vms(planner) ||
           gp_planner_block_memory(planner));
}

static void take_goal_findings(struct gp_planner *planner)
{
    for (size_t n = 0; n < planner->goal->finding_count; n++)
        *gp_push(planner->mem, planner->findings, planner->finding_count) =
            planner->goal->findings[n];
}

struct gp_plan *gp_plan(struct gp_arena *mem, const struct gp_plan_input *input)
{
    struct gp_planner planner = {
        .mem = mem,
        .input = input,
        .goal = input->goal,
        .have = input->have,
    };
    struct gp_plan *plan = gp_new(mem, struct gp_plan);

    take_goal_findings(&planner);
    gp_planner_look_at_gpus(&planner);
    gp_planner_look_at_vms(&planner);
    gp_planner_look_at_units(&planner);
    settle(&planner);
    gp_planner_tell_owed(&planner);
    gp_planner_write(&planner, plan);
    if (!input->within) /* between waves nobody asks what differs */
        gp_plan_differences(mem, input, plan);
    plan->findings = planner.findings;
    plan->finding_count = planner.finding_count;
    gp_findings_sort(plan->findings, &plan->finding_count);
    plan->id = gp_plan_id(mem, plan, input->have);
    return plan;
}

bool gp_plan_only_starts(const struct gp_plan *plan, size_t set)
{
    bool any = false;

    for (size_t n = 0; n < plan->step_count; n++) {
        const struct gp_step *step = &plan->steps[n];

        if (step->set != set)
            continue;
        if (step->kind != GP_STEP_START_VM && step->kind != GP_STEP_START_UNIT)
            return false;
        any = true;
    }
    return any;
}

bool gp_plan_changes_gpu(const struct gp_plan *plan, const char *id)
{
    for (size_t n = 0; n < plan->change_count; n++)
        if (gp_starts_with(plan->changes[n].key, "gpu/") && gp_streq(plan->changes[n].key + strlen("gpu/"), id))
            return true;
    return false;
}
