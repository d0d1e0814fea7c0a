#include "plan.h"

struct gp_step *gp_steps_add(struct gp_steps *steps, enum gp_step_kind kind, const char *gpu)
{
    struct gp_step *step = gp_push(steps->mem, steps->items, steps->count);

    step->kind = kind;
    step->gpu = gpu;
    step->partition = -1;
    return step;
}
