/* What gp_resolve() decides that a text does not show. */
#include "rows.h"
#include "resolve_rows.h"

#include "cleanup.h"
#include "text.h"

static const struct {
    const char *name;
    uint32_t owned, removed, allowed;
    bool prune, refused;
    const char *says; /* NULL: nothing */
} removals[] = {
    {"three of three", 3, 3, 0, true, false, NULL},
    {"four of four", 4, 4, 0, true, true,
     "error GP-E311 host: 4 of the 4 bindings of this host are gone from the declaration; if that is meant, the commit's "
     "message says 'Gpupart-Allow-Removal: 4'\n"},
    {"four of sixteen", 16, 4, 0, true, false, NULL},
    {"four of fifteen", 15, 4, 0, true, true,
     "error GP-E311 host: 4 of the 15 bindings of this host are gone from the declaration; if that is meant, the "
     "commit's message says 'Gpupart-Allow-Removal: 4'\n"},
    {"four of fifteen, allowed", 15, 4, 4, true, false, NULL},
    {"five of fifteen, four allowed", 15, 5, 4, true, true,
     "error GP-E311 host: 5 of the 15 bindings of this host are gone from the declaration; if that is meant, the "
     "commit's message says 'Gpupart-Allow-Removal: 5'\n"},
    {"nothing is pruned", 8, 8, 0, false, false, NULL},
};

GP_ROWS(resolve, mass_removal, removals)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct world *world = world_new(mem);
    struct gp_gpu *gpu = world_gpu(world, 3);
    struct gp_binding_decl *binding = world_binding(world, "desktops", "vdi");
    struct gp_goal *goal;

    world_pool(world, "vdi", 16, NULL);
    world->allowed_removal = removals[*i].allowed;
    world->cluster.policy.prune_bindings = removals[*i].prune;
    for (uint32_t n = 0; n < removals[*i].owned; n++) {
        struct gp_vm *vm = world_vm(world, gp_printf(mem, "vm-%02u", (unsigned)n));

        world_give(world, vm, gpu, n, true);
        if (n >= removals[*i].removed)
            world_bind(world, binding, vm->name);
    }
    goal = world_resolve(world);
    cr_assert(eq(u32, goal->owned, removals[*i].owned));
    cr_assert(eq(u32, goal->removed, removals[*i].prune ? removals[*i].removed : 0));
    cr_assert(eq(int, goal->refused, removals[*i].refused), "%s", removals[*i].name);
    for (size_t n = 0; goal->refused && n < goal->vm_count; n++)
        cr_assert(eq(str, (char *)goal->vms[n].rule, "GP-E311"));
    cr_assert(eq(str, (char *)world_findings(mem, goal), (char *)(removals[*i].says ? removals[*i].says : "")));
}

static const struct {
    enum gp_power power;
    bool owed, stop_requested, want;
} powers[] = {
    {GP_POWER_OFF, false, false, false},    {GP_POWER_RUNNING, false, false, true},
    {GP_POWER_PAUSED, false, false, true},  {GP_POWER_OFF, true, false, true},
    {GP_POWER_OFF, true, true, true},       {GP_POWER_OTHER, true, true, false},
    {GP_POWER_RUNNING, true, true, true},   {GP_POWER_OTHER, false, false, false},
};

GP_ROWS(resolve, runs_what_ran_and_what_is_owed, powers)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct world *world = resolve_rows_world(mem);

    world->have.vms[0].power = powers[*i].power;
    if (powers[*i].owed)
        *gp_push(mem, world->memory.owed, world->memory.owed_count) = (struct gp_owed){
            .vm = world->have.vms[0].uuid, .stop_requested = powers[*i].stop_requested};
    cr_assert(eq(int, world_resolve(world)->vms[0].run, powers[*i].want));
}

Test(resolve, the_stricter_of_host_and_repository_holds)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct world *world = resolve_rows_world(mem);
    struct gp_policy *policy;

    world->cluster.policy.on_commit[GP_CLASS_VM] = GP_ALLOW_APPROVE;
    world->cluster.policy.on_commit[GP_CLASS_GPU] = GP_ALLOW_AUTO;
    world->cluster.policy.max_vms_stopped = 9;
    world->agent.ceiling_on_commit[GP_CLASS_VM] = GP_ALLOW_AUTO;
    world->agent.ceiling_on_commit[GP_CLASS_GPU] = GP_ALLOW_WINDOW;
    world->agent.ceiling_on_drift[GP_CLASS_NONE] = GP_ALLOW_REPORT;
    world->agent.ceiling_vms_stopped = 12;
    world->agent.ceiling_gpus_changed = 2;
    policy = &world_resolve(world)->policy;
    cr_assert(eq(int, policy->on_commit[GP_CLASS_NONE], GP_ALLOW_AUTO));
    cr_assert(eq(int, policy->on_commit[GP_CLASS_VM], GP_ALLOW_APPROVE));
    cr_assert(eq(int, policy->on_commit[GP_CLASS_GPU], GP_ALLOW_WINDOW));
    cr_assert(eq(int, policy->on_commit[GP_CLASS_HOST], GP_ALLOW_APPROVE));
    cr_assert(eq(int, policy->on_drift[GP_CLASS_NONE], GP_ALLOW_REPORT));
    cr_assert(eq(int, policy->on_drift[GP_CLASS_VM], GP_ALLOW_REPORT));
    cr_assert(eq(u32, policy->max_vms_stopped, 9));
    cr_assert(eq(u32, policy->max_gpus_changed, 2));
}

Test(resolve, how_a_vm_is_stopped_is_the_binding_s_then_the_cluster_s_then_ours)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct world *world = resolve_rows_world(mem);
    const struct gp_stop_policy *stop;

    world->cluster.policy.stop.timeout_ms = 1000;
    world->cluster.policy.stop.force = world->cluster.policy.stop.on_timeout_given = true;
    world->declaration.bindings[0]->stop.method[0] = GP_STOP_ACPI;
    stop = &world_resolve(world)->vms[0].stop;
    cr_assert(eq(u32, stop->timeout_ms, 1000));
    cr_assert(eq(int, stop->method[0], GP_STOP_ACPI));
    cr_assert(eq(int, stop->method[1], GP_STOP_NONE));
    cr_assert(stop->force);
    cr_assert(eq(u32, stop->late_within_ms, 3600 * 1000));
    world->declaration.bindings[0]->stop.on_timeout_given = true;
    cr_assert(not(world_resolve(world)->vms[0].stop.force));
}

Test(resolve, findings_come_by_place)
{
    static const struct gp_source first = {"a.yaml", "", 0}, second = {"b.yaml", "", 0};
    struct gp_finding findings[] = {
        {"GP-E301", GP_LEVEL_ERROR, {&second, 1, 1}, NULL, "x"},
        {"GP-E302", GP_LEVEL_ERROR, {&first, 9, 1}, NULL, "x"},
        {"GP-E301", GP_LEVEL_ERROR, {&first, 9, 1}, NULL, "x"},
        {"GP-E301", GP_LEVEL_ERROR, {&second, 1, 1}, NULL, "x"},
        {"GP-E404", GP_LEVEL_ERROR, {NULL, 0, 0}, NULL, "x"},
    };
    size_t count = sizeof findings / sizeof *findings;

    gp_findings_sort(findings, &count);
    cr_assert(eq(sz, count, 4));
    cr_assert(eq(str, (char *)findings[0].rule, "GP-E404"));
    cr_assert(eq(str, (char *)findings[1].rule, "GP-E301"));
    cr_assert(eq(str, (char *)findings[2].rule, "GP-E302"));
    cr_assert(eq(ptr, (void *)findings[3].at.source, (void *)&second));
}
