/* What becomes of the programs of the host that use its GPUs: they are off while a GPU that must be free as a whole is
 * changed, and run again after it. */
#include "planner.h"

#include "text.h"

static const struct gp_goal_unit *goal_of(const struct gp_goal *goal, const char *name)
{
    for (size_t n = 0; n < goal->unit_count; n++)
        if (gp_streq(goal->units[n].name, name))
            return &goal->units[n];
    return NULL;
}

/* Between waves those of the set alone, as it was allowed; the way back needs whatever may stand in it. */
static bool is_within(const struct gp_planner *planner, const char *name)
{
    const struct gp_set *within = planner->input->within;

    return !within || !planner->goal->cluster || gp_strings_have(&within->units, name);
}

void gp_planner_look_at_units(struct gp_planner *planner)
{
    planner->unit_count = planner->have->unit_count;
    planner->units = gp_new_array(planner->mem, struct gp_work_unit, planner->unit_count + 1);
    for (size_t n = 0; n < planner->unit_count; n++) {
        struct gp_work_unit *work = &planner->units[n];
        const struct gp_goal_unit *goal = goal_of(planner->goal, planner->have->units[n].name);

        work->unit = &planner->have->units[n];
        if (!goal || !is_within(planner, work->unit->name))
            continue;
        work->may_stop = work->unit->listed && planner->goal->declared;
        work->run = goal->run;
    }
}

bool gp_work_gpu_needs_units_off(const struct gp_work_gpu *gpu)
{
    return gp_work_gpu_acts(gpu) && gpu->whole;
}

bool gp_step_needs_units_off(const struct gp_step *step)
{
    return !step->vm && !step->unit &&
           (step->reach >= GP_REACH_GPU || (step->reach == GP_REACH_PARTITION && step->partition < 0));
}

/* One that is owed a start runs by the time that the next set begins: it is started first of all. */
bool gp_work_unit_stops(const struct gp_planner *planner, const struct gp_work_unit *unit)
{
    if (!unit->may_stop)
        return false;
    return unit->unit->state == GP_UNIT_ACTIVE ||
           (unit->unit->state == GP_UNIT_INACTIVE && unit->run && !planner->input->within);
}

bool gp_work_unit_starts_alone(const struct gp_planner *planner, const struct gp_work_unit *unit)
{
    if (!unit->run || unit->unit->state != GP_UNIT_INACTIVE)
        return false;
    for (size_t n = 0; planner->input->within && n < planner->gpu_count; n++)
        if (gp_work_gpu_needs_units_off(&planner->gpus[n]))
            return false;
    return true;
}

/* The way back is not held up by a service manager that does not answer: guests wait for it. */
bool gp_planner_block_unknown_units(struct gp_planner *planner, struct gp_work_gpu *gpu)
{
    for (size_t n = 0; planner->goal->cluster && gpu->whole && n < planner->unit_count; n++) {
        const struct gp_work_unit *work = &planner->units[n];

        if (!work->may_stop || work->unit->state != GP_UNIT_UNKNOWN)
            continue;
        gp_planner_block_gpu(planner, gpu, "GP-E506",
                             gp_printf(planner->mem,
                                       "whether %s uses GPU %s cannot be told: %s", work->unit->name,
                                       gpu->gpu->id,
                                       work->unit->reason ? work->unit->reason
                                                          : "its state is unknown"),
                             false);
        return true;
    }
    return false;
}
