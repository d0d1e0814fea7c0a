/* How long a guest is given to go down, and how it is asked. */
#include "rows.h"

#include "cleanup.h"
#include "stage.h"

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
