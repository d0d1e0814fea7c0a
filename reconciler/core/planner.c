/* Who may not do what it would, and why. */
#include "planner.h"

#include "text.h"

static void tell(struct gp_planner *planner, const char *rule, struct gp_span at,
                 const char *object, const char *message)
{
    *gp_push(planner->mem, planner->findings, planner->finding_count) = (struct gp_finding){
        .rule = rule,
        .level = GP_LEVEL_ERROR,
        .at = at,
        .object = object,
        .message = message,
    };
}

void gp_planner_block_gpu(struct gp_planner *planner, struct gp_work_gpu *gpu, const char *rule,
                          const char *why, bool told)
{
    gpu->block = (struct gp_block){rule, why ? why : "", told};
    if (!told)
        tell(planner, rule, gpu->goal->cause, gp_printf(planner->mem, "gpu/%s", gpu->gpu->id), why);
}

void gp_planner_block_vm(struct gp_planner *planner, struct gp_work_vm *vm, const char *rule,
                         const char *why, bool told)
{
    vm->block = (struct gp_block){rule, why ? why : "", told};
    if (!told)
        tell(planner, rule, vm->goal ? vm->goal->cause : (struct gp_span){0},
             gp_printf(planner->mem, "vm/%s", vm->vm->name), why);
}
