/* What is found while resolving, and what may not be for it. */
#include "resolve.h"

#include "text.h"

void gp_resolve_find(struct gp_resolve *r, const char *rule, enum gp_level level, struct gp_span at,
                     const char *object, const char *format, ...)
{
    struct gp_finding *finding = gp_push(r->mem, r->goal->findings, r->goal->finding_count);
    va_list args;

    va_start(args, format);
    *finding = (struct gp_finding){rule, level, at, object, gp_vprintf(r->mem, format, args)};
    va_end(args);
}

void gp_resolve_block_gpu(struct gp_resolve *r, struct gp_goal_gpu *gpu, const char *rule,
                          struct gp_span at, const char *format, ...)
{
    va_list args;

    if (gpu->blocked)
        return;
    va_start(args, format);
    gpu->rule = rule;
    gpu->blocked = gp_vprintf(r->mem, format, args);
    va_end(args);
    gp_resolve_find(r, rule, GP_LEVEL_ERROR, at, gp_printf(r->mem, "gpu/%s", gpu->id), "%s",
                    gpu->blocked);
}

void gp_resolve_block_vm(struct gp_resolve *r, struct gp_goal_vm *vm, const char *rule,
                         struct gp_span at, const char *format, ...)
{
    va_list args;

    if (vm->blocked)
        return;
    va_start(args, format);
    vm->rule = rule;
    vm->blocked = gp_vprintf(r->mem, format, args);
    va_end(args);
    gp_resolve_find(r, rule, GP_LEVEL_ERROR, at, gp_printf(r->mem, "vm/%s", vm->name), "%s",
                    vm->blocked);
}

void gp_resolve_block_untouchable(struct gp_resolve *r, size_t n)
{
    gp_resolve_block_vm(r, &r->goal->vms[n], "GP-E507", r->goal->vms[n].cause,
                        "the definition of '%s' may not be changed: it %s", r->have->vms[n].name,
                        r->have->vms[n].untouchable);
}
