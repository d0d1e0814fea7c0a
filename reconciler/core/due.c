/* When a step's turn comes: what is left of a set may have fallen apart since it was planned, and a part that needs less
 * would be done too soon. */
#include "plan.h"
#include "text.h"

/* @set is that of @fresh: a unit that is owed a start has one in each set that stops it, and one of its own. */
static bool is_due(const struct gp_plan *planned, uint32_t wave, const char *set, const struct gp_step *fresh)
{
    for (size_t i = 0; i < planned->step_count; i++) {
        const struct gp_step *step = &planned->steps[i];

        /* A partition made anew may have the device that it had, and its VM needs the mark alone. */
        const bool alike = step->kind == fresh->kind ||
                           (step->kind == GP_STEP_REBIND && fresh->kind == GP_STEP_MARK);

        if (step->wave <= wave && alike && gp_streq(planned->sets[step->set].id, set) &&
            step->partition == fresh->partition && gp_streq(step->gpu, fresh->gpu) && gp_streq(step->vm, fresh->vm) &&
            gp_streq(step->unit, fresh->unit) && gp_streq(step->after, fresh->after))
            return true;
    }
    return false;
}

const bool *gp_plan_due(struct gp_arena *mem, const struct gp_plan *planned, uint32_t wave, const struct gp_plan *fresh,
                        bool *ret_any)
{
    bool *due = gp_new_array(mem, bool, fresh->step_count + 1);

    *ret_any = false;
    for (size_t i = 0; i < fresh->step_count; i++) {
        due[i] = is_due(planned, wave, fresh->sets[fresh->steps[i].set].id, &fresh->steps[i]);
        *ret_any = *ret_any || (due[i] && fresh->steps[i].wave == 0);
    }
    return due;
}
