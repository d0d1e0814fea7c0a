/* How long a guest is given to go down, and how it is asked. */
#include "rows.h"

#include "cleanup.h"
#include "stage.h"
#include "text.h"

static const struct {
    const char *name;
    struct gp_stop_policy own, cluster;
    uint32_t timeout_ms;
    enum gp_stop_method first, second;
} rows[] = {
    {"nobody says", {0}, {0}, 180000, GP_STOP_AGENT, GP_STOP_ACPI},
    {"the cluster's policy", {0}, {.timeout_ms = 90000}, 90000, GP_STOP_AGENT, GP_STOP_ACPI},
    {"its own", {.timeout_ms = 45000}, {.timeout_ms = 90000}, 45000, GP_STOP_AGENT, GP_STOP_ACPI},
    {"its own way, in the cluster's time", {.method = {GP_STOP_ACPI}}, {.timeout_ms = 90000}, 90000, GP_STOP_ACPI,
     GP_STOP_NONE},
};

GP_ROWS(stop, as_long_as_its_policy_says, rows)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_step *stop = NULL;
    const struct gp_plan *plan;
    struct stage stage;
    struct gp_vm *vm;

    stage_init(&stage, mem);
    stage_gpu(&stage, "sriov", 2);
    stage_want(&stage, 1, 4);
    vm = stage_vm(&stage, "desk");
    stage_give(&stage, vm, 1, 0, true);
    stage_run(&stage, vm);
    stage_bind(&stage, "desk", 1, 0);
    stage_goal_vm(&stage, "desk")->stop = rows[*i].own;
    stage.goal.policy.stop = rows[*i].cluster;
    plan = gp_plan(mem, stage_ready(&stage));
    for (size_t n = 0; n < plan->step_count; n++)
        if (plan->steps[n].kind == GP_STEP_STOP_VM)
            stop = &plan->steps[n];
    cr_assert(stop != NULL, "%s: it is not stopped", rows[*i].name);
    cr_assert(eq(u32, stop->stop.timeout_ms, rows[*i].timeout_ms), "%s", rows[*i].name);
    cr_assert(eq(u32, stop->timeout_ms, rows[*i].timeout_ms), "%s", rows[*i].name);
    cr_assert(eq(int, stop->stop.method[0], rows[*i].first), "%s", rows[*i].name);
    cr_assert(eq(int, stop->stop.method[1], rows[*i].second), "%s", rows[*i].name);
}

/* What a window must have room for: the whole time of a guest, and before it the turns of those that are asked before it. */
static const struct {
    uint32_t gpus; /* of four guests each */
    uint64_t waiting_ms;
} turns[] = {{1, 0}, {3, 0}, {4, 70000}, {6, 70000}, {7, 140000}};

static uint64_t longest(const struct gp_plan *plan, enum gp_step_kind kind)
{
    uint64_t ms = 0;

    for (size_t n = 0; n < plan->step_count; n++)
        if (plan->steps[n].kind == kind && plan->steps[n].timeout_ms > ms)
            ms = plan->steps[n].timeout_ms;
    return ms;
}

/* GPU @slot gets more partitions. Its first guest goes to the next GPU, so that all of them are one set. */
static void add_gpu(struct stage *stage, uint32_t slot, uint32_t gpus)
{
    for (uint32_t n = 0; n < 4; n++) {
        const char *name = gp_printf(stage->mem, "desk-%u-%u", slot, n);
        struct gp_vm *vm = stage_vm(stage, name);

        stage_give(stage, vm, slot, n, true);
        stage_run(stage, vm);
        stage_bind(stage, name, n ? slot : slot % gpus + 1, n || gpus == 1 ? (int)n : 4);
    }
    stage_want(stage, slot, 8);
}

GP_ROWS(stop, many_are_asked_in_turns, turns)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const uint32_t gpus = turns[*i].gpus;
    const struct gp_plan *plan;
    struct stage stage;
    uint64_t ms;

    stage_init(&stage, mem);
    for (uint32_t n = 0; n < gpus; n++)
        stage_gpu(&stage, "sriov", 4);
    for (uint32_t slot = 1; slot <= gpus; slot++)
        add_gpu(&stage, slot, gpus);
    plan = gp_plan(mem, stage_ready(&stage));
    cr_assert(eq(sz, plan->set_count, 1), "%u GPUs", gpus);
    cr_assert(eq(sz, plan->sets[0].stops.count, 4 * gpus), "%u GPUs", gpus);
    ms = longest(plan, GP_STEP_STOP_VM) + turns[*i].waiting_ms;
    for (size_t n = 0; n < plan->step_count; n++)
        if (plan->steps[n].kind != GP_STEP_STOP_VM)
            ms += plan->steps[n].timeout_ms;
    cr_assert(eq(u64, plan->sets[0].duration_ms, ms), "%u GPUs", gpus);
}
