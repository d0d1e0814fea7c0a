/* Whether a GPU can be cut anew at all, for those who are on it: asked before anybody is given a place there.
 * The planner asks again, of whatever it is handed. */
#include "resolve.h"

#include "text.h"

/* Why VM @vm may not be stopped now; NULL: it may, or is off. */
static const char *unstoppable(const struct gp_vm *vm)
{
    if (vm->power == GP_POWER_OFF)
        return NULL;
    if (vm->unstoppable)
        return vm->unstoppable;
    if (!vm->persistent)
        return "it is transient and would be gone";
    return vm->power == GP_POWER_RUNNING ? NULL : "it is paused, or something else than running";
}

static bool is_disturbed(const struct gp_claim *claim, struct gp_spot spot)
{
    return spot.whole || claim->all_disturbed || gp_claim_makes_anew(claim, spot.index);
}

static bool block(struct gp_resolve *r, size_t gpu, const char *rule, struct gp_spot spot,
                  const struct gp_vm *vm, const char *why)
{
    struct gp_goal_gpu *goal = &r->goal->gpus[gpu];

    gp_resolve_block_gpu(r, goal, rule, goal->cause, "%s is not changed: %s belongs to VM '%s', %s", goal->id,
                         gp_spot_text(r, spot), vm->name, why);
    return true;
}

/* Who is left alone is told why, and that the rest is for a person to do. */
static bool block_by_left_alone(struct gp_resolve *r, size_t gpu, struct gp_spot spot, size_t n, const char *remedy)
{
    const char *why = r->goal->vms[n].left_alone;

    return block(r, gpu, "GP-E206", spot, &r->have->vms[n],
                 gp_printf(r->mem, "%s: %s, or leave the GPU as it is", why ? why : "which no binding names", remedy));
}

static bool block_by_live(struct gp_resolve *r, size_t gpu, size_t n)
{
    const struct gp_vm *vm = &r->have->vms[n];
    const struct gp_goal_vm *goal = &r->goal->vms[n];
    const char *why = unstoppable(vm);

    for (size_t d = 0; vm->power != GP_POWER_OFF && d < vm->live_count; d++) {
        struct gp_spot spot;

        if (!gp_spot_of_hostdev(r->have, vm, &vm->live[d], &spot) || spot.gpu != gpu ||
            !is_disturbed(&r->claims[gpu], spot))
            continue;
        if (!goal->managed)
            return block_by_left_alone(r, gpu, spot, n, "shut it down yourself");
        if (goal->blocked)
            return block(r, gpu, goal->rule, spot, vm,
                         gp_printf(r->mem, "which is blocked: %s", goal->blocked));
        if (why)
            return block(r, gpu, "GP-E507", spot, vm,
                         gp_printf(r->mem, "which may not be stopped: %s", why));
    }
    return false;
}

/* What a VM is defined with is its own, unless it is ours to change or will be there again. */
static bool block_by_definition(struct gp_resolve *r, size_t gpu, size_t n)
{
    const struct gp_vm *vm = &r->have->vms[n];
    const struct gp_goal_vm *goal = &r->goal->vms[n];

    for (size_t d = 0; d < vm->persistent_count; d++) {
        const struct gp_hostdev *dev = &vm->persistent_devs[d];
        const struct gp_partition *after;
        struct gp_spot spot;

        if (!gp_spot_of_hostdev(r->have, vm, dev, &spot) || spot.gpu != gpu ||
            !(spot.whole || gp_claim_makes_anew(&r->claims[gpu], spot.index)))
            continue;
        if (goal->blocked)
            return block(r, gpu, goal->rule, spot, vm,
                         gp_printf(r->mem, "which is blocked: %s", goal->blocked));
        if (vm->untouchable && goal->managed)
            return block(r, gpu, "GP-E507", spot, vm,
                         gp_printf(r->mem, "whose definition may not be changed: it %s", vm->untouchable));
        if (goal->managed)
            continue;
        after = spot.whole ? NULL : gp_gpu_partition(r->claims[gpu].after, spot.index);
        if (!dev->ours || !after || !after->live || !gp_device_eq(after->device, dev->device))
            return block_by_left_alone(r, gpu, spot, n, "take that out of its definition");
    }
    return false;
}

static bool block_by_stranger(struct gp_resolve *r, size_t gpu)
{
    const struct gp_gpu *have = &r->have->gpus[gpu];
    struct gp_goal_gpu *goal = &r->goal->gpus[gpu];

    for (size_t p = 0; p < have->partition_count; p++) {
        const struct gp_partition *partition = &have->partitions[p];
        struct gp_spot spot = {gpu, partition->index, false};

        if (!is_disturbed(&r->claims[gpu], spot) || !gp_spot_held_by_stranger(r->have, spot))
            continue;
        gp_resolve_block_gpu(r, goal, "GP-E506", goal->cause,
                             "%s is not changed: %s is held by no VM that is known here (%s)", goal->id,
                             gp_spot_text(r, spot),
                             gp_holder_text(partition->held, partition->holder));
        return true;
    }
    return false;
}

bool gp_resolve_reshape(struct gp_resolve *r, size_t gpu)
{
    if (!r->goal->gpus[gpu].managed || r->goal->gpus[gpu].blocked || r->claims[gpu].matches ||
        !r->claims[gpu].after)
        return false;
    for (size_t n = 0; n < r->have->vm_count; n++)
        if (block_by_live(r, gpu, n) || block_by_definition(r, gpu, n))
            return true;
    return block_by_stranger(r, gpu);
}
