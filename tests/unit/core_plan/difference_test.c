/* Change and drift, object by object: what the commit wants, what was applied, what is there. */
#include "rows.h"

#include "cleanup.h"
#include "show.h"
#include "stage.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t wanted, applied, there; /* partitions; applied 9: never */
    const char *differences;
} gpus[] = {
    {"at rest", 4, 4, 4, ""},
    {"adopted", 4, 9, 4, ""},
    {"never applied", 4, 9, 0,
     "change gpu/slot1 partitions.count: 0 -> 4 (it is 'none', and 'partitioned 4 GEN 2Q' is "
     "declared)\n"
     "change gpu/slot1 partitions.profile: - -> GEN 2Q (it is 'none', and 'partitioned 4 GEN 2Q' "
     "is declared)\n"},
    {"gone after a reboot", 4, 4, 0,
     "drift gpu/slot1 partitions.count GP-D801: 4 -> 0 (it was 'partitioned 4 GEN 2Q' when last "
     "verified, "
     "and is 'none')\n"},
    {"cut otherwise by somebody", 4, 4, 2,
     "drift gpu/slot1 partitions.count GP-D801: 4 -> 2 (it was 'partitioned 4 GEN 2Q' when last "
     "verified, "
     "and is 'partitioned 2 GEN 4Q')\n"
     "drift gpu/slot1 partitions.profile GP-D809: GEN 2Q -> GEN 4Q (it was 'partitioned 4 GEN 2Q' "
     "when last "
     "verified, and is 'partitioned 2 GEN 4Q')\n"},
    {"a commit", 2, 4, 4,
     "change gpu/slot1 partitions.count: 4 -> 2 (the declaration changed from 'partitioned 4 GEN "
     "2Q' to "
     "'partitioned 2 GEN 4Q')\n"
     "change gpu/slot1 partitions.profile: GEN 2Q -> GEN 4Q (the declaration changed from "
     "'partitioned 4 GEN 2Q' "
     "to 'partitioned 2 GEN 4Q')\n"},
    {"a commit on what drifted is a change alone", 2, 4, 0,
     "change gpu/slot1 partitions.count: 4 -> 2 (the declaration changed from 'partitioned 4 GEN "
     "2Q' to "
     "'partitioned 2 GEN 4Q')\n"
     "change gpu/slot1 partitions.profile: GEN 2Q -> GEN 4Q (the declaration changed from "
     "'partitioned 4 GEN 2Q' "
     "to 'partitioned 2 GEN 4Q')\n"},
};

GP_ROWS(difference, gpu, gpus)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;
    struct gp_layout applied;

    stage_init(&stage, mem);
    stage_gpu(&stage, "vendor", gpus[*i].there);
    stage_want(&stage, 1, gpus[*i].wanted);
    applied = gen_layout(stage_have_gpu(&stage, 1), gpus[*i].applied);
    if (gpus[*i].applied != 9)
        stage_applied(&stage, "gpu/slot1", gp_layout_value(mem, &applied));
    cr_assert(eq(str, (char *)show_differences(mem, gp_plan(mem, stage_ready(&stage))),
                 (char *)gpus[*i].differences),
              "%s", gpus[*i].name);
}

/* Partitions of slot1; -1: none, -2: never applied, or not said by anybody. */
static const struct {
    const char *name;
    int wanted, applied, defined, live;
    bool next_start;
    const char *differences;
} vms[] = {
    {"at rest", 1, 1, 1, 1, false, ""},
    {"adopted", 1, -2, 1, 1, false, ""},
    {"nobody's", -1, -2, -1, -1, false, ""},
    {"new", 1, -2, -1, -1, false,
     "change vm/a partition: - -> slot1/1 (the declaration binds it)\n"},
    {"new, by memory", 1, -1, -1, -1, false,
     "change vm/a partition: - -> slot1/1 (the declaration binds it)\n"},
    {"lost", -1, 1, 1, 1, false,
     "change vm/a partition: slot1/1 -> - (no binding names it any more)\n"},
    {"lost, never applied", -1, -2, 1, 1, false,
     "change vm/a partition: slot1/1 -> - (no binding names it any more)\n"},
    {"moved by a commit", 2, 1, 1, 1, false,
     "change vm/a partition: slot1/1 -> slot1/2 (the declaration binds it)\n"},
    {"taken away", 1, 1, -1, -1, false,
     "drift vm/a partition GP-D803: slot1/1 -> - (its partition was taken from it)\n"},
    {"moved by somebody", 1, 1, 2, 2, false,
     "drift vm/a partition GP-D804: slot1/1 -> slot1/2 (it has another partition than it was "
     "given)\n"},
    {"given by somebody, with our mark", -1, -1, 2, 2, false,
     "drift vm/a partition GP-D804: - -> slot1/2 (it has another partition than it was given)\n"},
    {"runs without it", 1, 1, 1, -1, false,
     "drift vm/a partition GP-D803: slot1/1 -> - (its partition was taken from it)\n"},
    {"runs without it until it is started anew", 1, 1, 1, -1, true, ""},
    /* As a pass leaves it that bound it for its next start; a commit that says "now" is no drift. */
    {"was to have it from its next start on", 1, -2, 1, -1, false,
     "change vm/a partition: - -> slot1/1 (the declaration binds it)\n"},
    {"is to have it from its next start on", 1, -2, 1, -1, true, ""},
    {"runs with another", 1, 1, 1, 2, false,
     "drift vm/a partition GP-D804: slot1/1 -> slot1/2 (it has another partition than it was "
     "given)\n"},
    {"a commit on what drifted", 2, 1, -1, -1, false,
     "change vm/a partition: slot1/1 -> slot1/2 (the declaration binds it)\n"},
};

GP_ROWS(difference, vm, vms)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;
    struct gp_vm *vm;

    stage_init(&stage, mem);
    stage_gpu(&stage, "vendor", 4);
    vm = stage_vm(&stage, "a");
    if (vms[*i].live >= 0)
        stage_give(&stage, vm, 1, (uint32_t)vms[*i].live, true);
    stage_run(&stage, vm);
    vm->persistent_devs = NULL;
    vm->persistent_count = 0;
    vm->mark = NULL;
    if (vms[*i].defined >= 0)
        stage_give(&stage, vm, 1, (uint32_t)vms[*i].defined, true);
    if (vms[*i].wanted >= 0)
        stage_bind(&stage, "a", 1, vms[*i].wanted);
    stage_goal_vm(&stage, "a")->managed = true;
    stage_goal_vm(&stage, "a")->next_start = vms[*i].next_start;
    if (vms[*i].applied > -2)
        stage_applied(&stage, gp_printf(mem, "vm/%s", vm->uuid),
                      vms[*i].applied < 0
                          ? "-"
                          : gp_partition_symbol(mem, "slot1", (uint32_t)vms[*i].applied));
    cr_assert(eq(str, (char *)show_differences(mem, gp_plan(mem, stage_ready(&stage))),
                 (char *)vms[*i].differences),
              "%s", vms[*i].name);
}

Test(difference, what_a_vm_runs_without_awaits_its_start)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;
    struct gp_vm *vm;

    stage_init(&stage, mem);
    stage_gpu(&stage, "vendor", 4);
    vm = stage_vm(&stage, "a");
    stage_give(&stage, vm, 1, 0, true);
    cr_assert(not(gp_vm_awaits_start(vm)), "it is off: its next start is its own");
    stage_run(&stage, vm);
    cr_assert(not(gp_vm_awaits_start(vm)), "it has it");
    vm->live_count = 0;
    cr_assert(gp_vm_awaits_start(vm), "it runs without it");
    vm->persistent_devs[0].ours = false;
    cr_assert(not(gp_vm_awaits_start(vm)), "it was given it by hand");
}

Test(difference, a_lost_mark_is_no_lost_partition)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;
    struct gp_vm *vm;

    stage_init(&stage, mem);
    stage_gpu(&stage, "vendor", 4);
    vm = stage_vm(&stage, "a");
    stage_give(&stage, vm, 1, 1, false);
    stage_run(&stage, vm);
    stage_bind(&stage, "a", 1, 1);
    stage_applied(&stage, gp_printf(mem, "vm/%s", vm->uuid), "slot1/1");
    cr_assert(eq(str, (char *)show_differences(mem, gp_plan(mem, stage_ready(&stage))),
                 "drift vm/a mark GP-D803: slot1/1 -> - (it has its partition, but alias or metadata do not say "
                 "that it is gpupart's any more)\n"));
}

/* Nobody is told that partitions went because an attribute could not be read. */
Test(difference, a_gpu_that_cannot_be_read_did_not_drift)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;

    stage_init(&stage, mem);
    stage_gpu(&stage, "vendor", 0);
    stage_want(&stage, 1, 4);
    stage_applied(&stage, "gpu/slot1", "partitioned 4 GEN 2Q");
    stage_have_gpu(&stage, 1)->status = GP_GPU_UNKNOWN;
    cr_assert(eq(str, (char *)show_differences(mem, gp_plan(mem, stage_ready(&stage))), ""));
}

Test(difference, a_gpu_that_is_gone_drifted)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;

    stage_init(&stage, mem);
    stage_gpu(&stage, "vendor", 4);
    stage_applied(&stage, "gpu/slot7", "partitioned 4 GEN 2Q");
    stage_applied(&stage, "gpu/slot8", "none");
    cr_assert(eq(str, (char *)show_differences(mem, gp_plan(mem, stage_ready(&stage))),
                 "drift gpu/slot7 mode GP-D805: partitioned 4 GEN 2Q -> gone (the GPU is not there "
                 "any more)\n"));
}

/* Another card in the same place is another card: what was applied was not applied to it. */
Test(difference, a_card_that_was_replaced_or_moved)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;

    stage_init(&stage, mem);
    stage_gpu(&stage, "vendor", 0);
    stage_gpu(&stage, "vendor", 0);
    stage_want(&stage, 1, 4);
    stage_have_gpu(&stage, 1)->serial = "222";
    stage_applied(&stage, "gpu/slot1", "partitioned 4 GEN 2Q");
    stage.memory.applied[0].who = gp_printf(
        mem, "%.19s pci0000:00/elsewhere serial 111", gp_gpu_identity(mem, stage_have_gpu(&stage, 1)));
    cr_assert(eq(str, (char *)show_differences(mem, gp_plan(mem, stage_ready(&stage))),
                 "change gpu/slot1 partitions.count: 0 -> 4 (it is 'none', and 'partitioned 4 GEN 2Q' is declared)\n"
                 "change gpu/slot1 partitions.profile: - -> GEN 2Q (it is 'none', and 'partitioned 4 GEN 2Q' is "
                 "declared)\n"
                 "drift gpu/slot1 mode GP-D805: partitioned 4 GEN 2Q -> gone (another card is in its place)\n"));
    stage_have_gpu(&stage, 2)->serial = "111";
    cr_assert(strstr(show_differences(mem, gp_plan(mem, stage_ready(&stage))), "gone (the GPU is slot2 now)") != NULL);
    stage_applied(&stage, "gpu/slot2", "none");
    stage.memory.applied[1].who = gp_gpu_identity(mem, stage_have_gpu(&stage, 2));
    stage.memory.applied[1].since_us = 1;
    cr_assert(strstr(show_differences(mem, gp_plan(mem, stage_ready(&stage))), "GP-D805") == NULL);
}

Test(difference, the_way_back_knows_changes_alone)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;

    stage_init(&stage, mem);
    stage_gpu(&stage, "vendor", 2);
    stage_want(&stage, 1, 4);
    stage_applied(&stage, "gpu/slot1", "partitioned 4 GEN 2Q");
    stage.goal.commit = stage.goal.cluster = NULL;
    cr_assert(eq(
        str, (char *)show_differences(mem, gp_plan(mem, stage_ready(&stage))),
        "change gpu/slot1 partitions.count: 2 -> 4 (it is 'partitioned 2 GEN 4Q', and 'partitioned "
        "4 GEN "
        "2Q' is declared)\n"
        "change gpu/slot1 partitions.profile: GEN 4Q -> GEN 2Q (it is 'partitioned 2 GEN 4Q', and "
        "'partitioned 4 GEN 2Q' is declared)\n"));
}

/* Right by its value, but not done: never silent. */
Test(difference, half_way_is_told)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;
    const struct gp_plan *plan;

    stage_init(&stage, mem);
    stage_gpu(&stage, "sriov", 4);
    stage_want(&stage, 1, 2);
    stage_have_gpu(&stage, 1)->partitions[0].live = stage_have_gpu(&stage, 1)->partitions[1].live =
        false;
    gen_settle(stage_have_gpu(&stage, 1));
    plan = gp_plan(mem, stage_ready(&stage));
    cr_assert(eq(sz, plan->change_count, 1));
    cr_assert(plan->sets[0].change);
    stage_applied(&stage, "gpu/slot1", "partitioned 2");
    plan = gp_plan(mem, stage_ready(&stage));
    cr_assert(eq(sz, plan->change_count, 0));
    cr_assert(eq(str, (char *)show_differences(mem, plan),
                 "drift gpu/slot1 mode GP-D802: partitioned 2 -> half-way (not all that belongs to it is done)\n"));
    cr_assert(plan->sets[0].drift);
}
