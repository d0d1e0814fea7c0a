/* Laws of resolving and planning together: what one gives, the other can do, and then both are content. */
#include "world.h"

#include "cleanup.h"
#include "text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>


static struct gp_plan_input input_of(struct world *world, const struct gp_goal *goal)
{
    return (struct gp_plan_input){
        .goal = goal, .have = &world->have, .memory = &world->memory, .mechanism = world_mechanism};
}

static const char *steps_text(struct gp_arena *mem, const struct gp_plan *plan)
{
    struct gp_text text = {.mem = mem};

    for (size_t n = 0; n < plan->step_count; n++)
        gp_text_addf(&text, "%s %s%s %s %s -> %s\n", gp_step_kind_name(plan->steps[n].kind),
                     plan->steps[n].gpu ? plan->steps[n].gpu : "",
                     plan->steps[n].vm_name ? plan->steps[n].vm_name : "",
                     plan->steps[n].reason ? plan->steps[n].reason : "",
                     plan->steps[n].before ? plan->steps[n].before : "-",
                     plan->steps[n].after ? plan->steps[n].after : "-");
    for (size_t n = 0; n < plan->finding_count; n++)
        gp_text_addf(&text, "%s %s\n", plan->findings[n].rule, plan->findings[n].message);
    return gp_text_get(&text);
}

/* What was reached is remembered as applied. */
static void remember(struct world *world, const struct gp_goal *goal)
{
    for (size_t n = 0; n < goal->gpu_count; n++) {
        const struct gp_goal_gpu *gpu = &goal->gpus[n];
        const char *value = gp_gpu_value(world->mem, &world->have.gpus[n]);

        if (gpu->managed && !gpu->blocked && gp_streq(value, gp_layout_value(world->mem, &gpu->want)))
            world_applied(world, gp_printf(world->mem, "gpu/%s", gpu->id), value);
    }
    for (size_t n = 0; n < goal->vm_count; n++) {
        const struct gp_goal_vm *vm = &goal->vms[n];
        const char *value = gp_vm_value(world->mem, &world->have, &world->have.vms[n]);
        const char *want = vm->gpu ? gp_partition_symbol(world->mem, vm->gpu, vm->partition) : "-";

        if (vm->managed && !vm->blocked && !vm->pending && gp_streq(value, want))
            world_applied(world, gp_printf(world->mem, "vm/%s", vm->uuid), value);
    }
}

Test(resolve_and_plan, a_plan_keeps_the_laws_and_arrives_where_there_is_nothing_to_do)
{
    size_t steps = 0, blocked = 0;

    for (uint64_t seed = 0; seed < STATES; seed++) {
        gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
        struct world *world = world_random(mem, seed);
        const char *before = world_have_text(mem, &world->have);
        struct gp_goal *goal = world_resolve(world), *again;
        struct gp_plan_input input = input_of(world, goal);
        struct gp_plan *plan = gp_plan(mem, &input), *rest;
        gp_cleanup(gp_error_free_p) struct gp_error *err = gp_plan_check(&input, plan);

        cr_assert(err == NULL, "seed %d: %s\n%s%s%s", (int)seed, err ? err->message : "", before,
                  world_text(mem, goal), steps_text(mem, plan));
        steps += plan->step_count;
        for (size_t n = 0; n < plan->set_count; n++)
            blocked += plan->sets[n].verdict == GP_VERDICT_BLOCKED;
        world->have = *gp_plan_predict(mem, &input, plan, UINT32_MAX);
        remember(world, goal);
        again = world_resolve(world);
        input = input_of(world, again);
        rest = gp_plan(mem, &input);
        cr_assert(eq(sz, rest->step_count, 0), "seed %d\n%sgoal:\n%ssteps:\n%sthen:\n%ssteps:\n%s", (int)seed,
                  before,
                  world_text(mem, goal), steps_text(mem, plan), world_text(mem, again),
                  steps_text(mem, rest));
    }
    /* A law about nothing holds always. */
    cr_assert(gt(sz, steps, STATES));
    cr_assert(gt(sz, blocked, STATES / 100));
}
