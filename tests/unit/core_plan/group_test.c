/* Partitions that share an IOMMU group: only one VM can run with any of them. */
#include "cleanup.h"
#include "laws.h"
#include "show.h"
#include "stage.h"
#include "text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* A GPU of four partitions in one group; "a" runs with the first. */
static void set_stage(struct stage *stage, struct gp_arena *mem)
{
    struct gp_gpu *gpu;
    struct gp_vm *vm;

    stage_init(stage, mem);
    stage_gpu(stage, "vendor", 4);
    gpu = stage_have_gpu(stage, 1);
    vm = stage_vm(stage, "a");
    stage_give(stage, vm, 1, 0, true);
    stage_run(stage, vm);
    stage_bind(stage, "a", 1, 0);
    for (uint32_t n = 0; n < 4; n++) {
        gpu->partitions[n].group = 20;
        gpu->partitions[n].held = GP_HELD_YES;
    }
}

static const char *findings(struct gp_arena *mem, const struct gp_plan *plan)
{
    struct gp_text text = {.mem = mem};

    for (size_t n = 0; n < plan->finding_count; n++)
        gp_text_addf(&text, "%s %s: %s\n", plan->findings[n].rule, plan->findings[n].object, plan->findings[n].message);
    return gp_text_get(&text);
}

static void check(const struct stage *stage, const struct gp_plan *plan, const char *told)
{
    gp_cleanup(gp_error_free_p) struct gp_error *err = gp_plan_check(&stage->input, plan);

    cr_assert(err == NULL, "%s", err->message);
    cr_assert(eq(sz, plan->step_count, 0), "%s", show_plan(stage->mem, plan));
    cr_assert(eq(str, (char *)findings(stage->mem, plan), (char *)told));
}

/* The plan that did so broke a law, and nothing was done on the whole host. */
Test(group, a_neighbour_of_what_a_vm_runs_with_is_not_released)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_partition *more;
    struct stage stage;

    set_stage(&stage, mem);
    more = gp_gpu_partition(stage_have_gpu(&stage, 1), 4);
    *more = (struct gp_partition){
        .index = 4,
        .device = more->device,
        .live = true,
        .profile = stage_have_gpu(&stage, 1)->profile,
        .group = 20,
        .held = GP_HELD_YES,
    };
    check(&stage, gp_plan(mem, stage_ready(&stage)),
          "GP-E206 gpu/slot1: slot1/4 is in one IOMMU group with what VM a runs with, which would not stop for it\n");
}

Test(group, a_neighbour_of_what_a_vm_runs_with_is_given_to_no_other)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;

    set_stage(&stage, mem);
    stage_run(&stage, stage_vm(&stage, "b"));
    stage_bind(&stage, "b", 1, 1);
    check(&stage, gp_plan(mem, stage_ready(&stage)),
          "GP-E206 vm/b: slot1/1 is in one IOMMU group with slot1/0 of VM a: one VM at a time can have them\n");
}

/* Nothing is given to it, so nothing is said of who else has the group; but it would be refused its start. */
Test(group, an_owed_start_waits_for_the_group)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;

    set_stage(&stage, mem);
    stage_give(&stage, stage_vm(&stage, "b"), 1, 1, true);
    stage_bind(&stage, "b", 1, 1);
    stage_goal_vm(&stage, "b")->run = true;
    check(&stage, gp_plan(mem, stage_ready(&stage)),
          "GP-W508 vm/b: VM b is owed a start, which waits: slot1/1, which it is defined with, is in an IOMMU group that is "
          "held by VM a\n");
}

static void broken(const char *text)
{
    cr_fatal("%s", text);
}

/* Its guest leaves anyway: the GPU was blocked until it had, and the rest of its set's steps had not been planned. */
Test(group, a_neighbour_of_what_a_vm_leaves_is_released_after_it)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_plan *plan;
    struct gp_partition *more;
    struct stage stage;

    set_stage(&stage, mem);
    stage_goal_vm(&stage, "a")->gpu = NULL;
    more = gp_gpu_partition(stage_have_gpu(&stage, 1), 4);
    *more = (struct gp_partition){
        .index = 4,
        .device = more->device,
        .live = true,
        .profile = stage_have_gpu(&stage, 1)->profile,
        .group = 20,
        .held = GP_HELD_YES,
    };
    plan = gp_plan(mem, stage_ready(&stage));
    cr_assert(eq(str, (char *)show_plan(mem, plan),
                 "set slot1 class vm change stops a\n"
                 "  0 stop-vm a: running -> off [vm]\n"
                 "  0 detach a: slot1/0 -> - [vm]\n"
                 "  0 release-partition slot1/4: GEN 2Q -> none\n"
                 "  1 start-vm a: off -> running [vm]\n"));
}

/* One set, which is done to its end: apart, whoever gets what is in the group would find it in use still. */
static void check_together(struct stage *stage)
{
    struct law_tally tally = {0};
    struct gen_state state = {.have = &stage->have, .goal = &stage->goal, .memory = &stage->memory};
    struct gp_plan *plan;
    struct world world;

    state.input = *stage_ready(stage);
    plan = gp_plan(stage->mem, &state.input);
    cr_assert(eq(sz, plan->set_count, 1), "%s", show_plan(stage->mem, plan));
    cr_assert(eq(int, plan->sets[0].verdict, GP_VERDICT_RUN), "%s", show_plan(stage->mem, plan));
    world = gen_world(stage->mem, &state);
    law_run_set(&(struct law_trial){stage->mem, "group", &state, plan, broken, &tally}, &world, &plan->sets[0]);
    cr_assert(eq(sz, gp_have_vm(world.have, stage->have.vms[0].uuid)->live_count, 0));
    cr_assert(eq(sz, gp_have_vm(world.have, stage->have.vms[1].uuid)->live_count, 1));
}

static void set_leaving(struct stage *stage, struct gp_arena *mem)
{
    set_stage(stage, mem);
    stage_goal_vm(stage, "a")->gpu = NULL;
    stage_vm(stage, "b");
    stage_bind(stage, "b", 1, 1);
    stage_goal_vm(stage, "b")->run = true;
}

Test(group, who_gets_a_neighbour_of_what_another_leaves_waits_for_him)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;

    set_leaving(&stage, mem);
    stage.have.vms[1].power = GP_POWER_RUNNING;
    check_together(&stage);
}

Test(group, an_owed_start_waits_for_whoever_leaves_the_group)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;

    set_leaving(&stage, mem);
    stage_give(&stage, &stage.have.vms[1], 1, 1, true);
    check_together(&stage);
}
