/* What a pause of a GPU holds up that keeps its layout: whatever its guests have of it, had of it or would get of it. */
#include "rows.h"

#include "cleanup.h"
#include "show.h"
#include "stage.h"

/* slot1 and slot2 have four partitions and keep them; "desk" is bound to slot1/2. */
static struct gp_vm *set_stage(struct stage *stage, struct gp_arena *mem)
{
    struct gp_vm *vm;

    stage_init(stage, mem);
    stage_gpu(stage, "vendor", 4);
    stage_gpu(stage, "vendor", 4);
    vm = stage_vm(stage, "desk");
    stage_bind(stage, "desk", 1, 2);
    return vm;
}

static void gets_it(struct stage *stage, struct gp_vm *vm)
{
    (void)stage;
    vm->power = GP_POWER_OFF;
}

/* Its definition has it already: it was to have it from its next start on, or somebody took it away from its guest. */
static void runs_without_it(struct stage *stage, struct gp_vm *vm)
{
    stage_run(stage, vm);
    stage_give(stage, vm, 1, 2, true);
}

static void moves_away(struct stage *stage, struct gp_vm *vm)
{
    stage_give(stage, vm, 1, 0, true);
    stage_run(stage, vm);
    stage_bind(stage, "desk", 2, 0);
}

static void moves_away_while_off(struct stage *stage, struct gp_vm *vm)
{
    stage_give(stage, vm, 1, 0, true);
    stage_bind(stage, "desk", 2, 0);
}

static void loses_it(struct stage *stage, struct gp_vm *vm)
{
    stage_give(stage, vm, 1, 0, true);
    stage_goal_vm(stage, vm->name)->gpu = NULL;
}

/* Its definition does not name it any more. */
static void runs_with_it_only(struct stage *stage, struct gp_vm *vm)
{
    stage_give(stage, vm, 1, 0, true);
    stage_run(stage, vm);
    vm->persistent_count = 0;
    stage_give(stage, vm, 2, 0, true);
    stage_bind(stage, "desk", 2, 0);
}

static void other_gpu(struct stage *stage, struct gp_vm *vm)
{
    stage_give(stage, vm, 2, 1, true);
    stage_run(stage, vm);
    stage_bind(stage, "desk", 2, 0);
}

/* What is owed waits for nothing. */
static void owed(struct stage *stage, struct gp_vm *vm)
{
    stage_give(stage, vm, 1, 2, true);
    stage_goal_vm(stage, vm->name)->run = true;
}

static const struct {
    const char *name;
    void (*set)(struct stage *stage, struct gp_vm *vm);
    enum gp_verdict verdict;
} rows[] = {
    {"it is attached", gets_it, GP_VERDICT_WAITS},
    {"a guest only has to start anew to have it", runs_without_it, GP_VERDICT_WAITS},
    {"a guest that runs with it gets another", moves_away, GP_VERDICT_WAITS},
    {"a guest that is off gets another", moves_away_while_off, GP_VERDICT_WAITS},
    {"it is detached", loses_it, GP_VERDICT_WAITS},
    {"a guest has to start anew to be rid of it", runs_with_it_only, GP_VERDICT_WAITS},
    {"a guest of another GPU", other_gpu, GP_VERDICT_RUN},
    {"a start that is owed", owed, GP_VERDICT_RUN},
};

GP_ROWS(pause, of_a_gpu_that_keeps_its_layout, rows)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_policy policy = {.max_vms_stopped = UINT32_MAX, .max_gpus_changed = UINT32_MAX};
    const char *object = "gpu/slot1";
    const struct gp_strings paused = {&object, 1};
    struct stage stage;
    struct gp_plan *plan;

    for (int class = 0; class < GP_CLASS_COUNT; class++)
        policy.on_commit[class] = policy.on_drift[class] = GP_ALLOW_AUTO;
    rows[*i].set(&stage, set_stage(&stage, mem));
    plan = gp_plan(mem, stage_ready(&stage));
    cr_assert(eq(sz, plan->set_count, 1), "%s: %s", rows[*i].name, show_plan(mem, plan));
    gp_gate(mem, &(struct gp_gate_input){.policy = &policy, .paused = &paused}, plan);
    cr_assert(eq(int, plan->sets[0].verdict, rows[*i].verdict), "%s: %s", rows[*i].name, show_plan(mem, plan));
}
