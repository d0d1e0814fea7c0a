/* Hosts as a pass that was cut off, or a hand, leaves them: cases that the laws found. */
#include "rows.h"

#include "cleanup.h"
#include "show.h"
#include "stage.h"
#include "text.h"

#include <string.h>

static const struct gp_step *find_step(const struct gp_plan *plan, enum gp_step_kind kind)
{
    for (size_t n = 0; n < plan->step_count; n++)
        if (plan->steps[n].kind == kind)
            return &plan->steps[n];
    return NULL;
}

static bool is_told(const struct gp_plan *plan, const char *rule)
{
    for (size_t n = 0; n < plan->finding_count; n++)
        if (gp_streq(plan->findings[n].rule, rule))
            return true;
    return false;
}

/* Nobody but its owner may take away what was given by hand, so it is not given it in a plan that may have to be
 * taken back. */
Test(half_way, a_start_with_what_was_given_by_hand_waits_for_its_gpu)
{
    static const bool blocked[] = {false, true};

    for (size_t n = 0; n < sizeof blocked / sizeof *blocked; n++) {
        gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
        const struct gp_plan *plan;
        struct gp_goal_vm *goal;
        struct stage stage;

        stage_init(&stage, mem);
        stage_gpu(&stage, "mdev", 0);
        stage_want(&stage, 1, 4);
        stage_give(&stage, stage_vm(&stage, "desk"), 1, 1, false);
        goal = stage_goal_vm(&stage, "desk");
        goal->managed = goal->run = true;
        if (blocked[n]) {
            stage_bind(&stage, "desk", 1, 1);
            goal->rule = "GP-E301";
            goal->blocked = "it is bound twice";
        }
        plan = gp_plan(mem, stage_ready(&stage));
        cr_assert(find_step(plan, GP_STEP_CREATE_PARTITION) != NULL);
        cr_assert(find_step(plan, GP_STEP_START_VM) == NULL, "%s", show_plan(mem, plan));
        cr_assert(is_told(plan, "GP-W508"));
    }
}

/* Its VF is not there yet, so it says nothing of which GPU it is of; but the plan makes it. */
Test(half_way, a_start_belongs_to_the_gpu_that_makes_its_device)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_step *start, *bind;
    const struct gp_plan *plan;
    struct gp_hostdev *dev;
    struct stage stage;
    struct gp_vm *vm;
    bool waits = false;

    stage_init(&stage, mem);
    stage_gpu(&stage, "sriov", 0);
    stage_want(&stage, 1, 1);
    vm = stage_vm(&stage, "desk");
    dev = gp_push(mem, vm->persistent_devs, vm->persistent_count);
    dev->device = (struct gp_device){.kind = GP_DEVICE_PCI,
                                     .pci = gp_pci_vf(stage_have_gpu(&stage, 1)->address, 4, 1, 0)};
    dev->ours = true;
    stage_goal_vm(&stage, "desk")->run = true;
    plan = gp_plan(mem, stage_ready(&stage));
    start = find_step(plan, GP_STEP_START_VM);
    bind = find_step(plan, GP_STEP_BIND_DRIVER);
    cr_assert(start != NULL && bind != NULL, "%s", show_plan(mem, plan));
    cr_assert(eq(u32, start->set, bind->set));
    for (size_t n = 0; n < start->depends_count; n++)
        waits |= start->depends_on[n] == bind->n;
    cr_assert(waits, "%s", show_plan(mem, plan));
}

/* Its owner took our name off the definition while it ran with it. */
Test(half_way, what_it_is_defined_with_by_hand_it_may_run_with)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    const struct gp_plan *plan;
    struct stage stage;
    struct gp_set set = {.id = "desk"};
    struct gp_vm *vm;

    stage_init(&stage, mem);
    stage_gpu(&stage, "vendor", 4);
    vm = stage_vm(&stage, "desk");
    stage_give(&stage, vm, 1, 2, false);
    stage_run(&stage, vm);
    vm->live[0].ours = true;
    stage_goal_vm(&stage, "desk")->managed = true;
    plan = gp_plan(mem, stage_ready(&stage));
    cr_assert(eq(sz, plan->step_count, 0), "%s", show_plan(mem, plan));
    *gp_push(mem, set.vms.items, set.vms.count) = vm->uuid;
    err = gp_verify(&stage.goal, &stage.have, &set, gen_mechanism);
    cr_assert(err == NULL, "%s", err->message);
    /* Without that it is a guest that runs with what is not its own any more. */
    vm->persistent_count = 0;
    err = gp_verify(&stage.goal, &stage.have, &set, gen_mechanism);
    cr_assert(err != NULL);
}

/* It has a whole GPU by hand, which cannot be asked for now; what the pass gave it beside that goes all the same. */
Test(half_way, what_was_given_beside_what_is_by_hand_is_taken_back)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_snapshot *snapshot;
    const struct gp_goal *goal;
    const struct gp_plan *plan;
    struct gp_set set = {.id = "desk"};
    struct gp_hostdev *dev;
    struct stage stage;
    struct gp_vm *vm;

    stage_init(&stage, mem);
    stage_gpu(&stage, "sriov", 4);
    stage_gpu(&stage, "mdev", 0);
    vm = stage_vm(&stage, "desk");
    dev = gp_push(mem, vm->persistent_devs, vm->persistent_count);
    dev->device = (struct gp_device){.kind = GP_DEVICE_PCI, .pci = stage_have_gpu(&stage, 2)->address};
    *gp_push(mem, set.vms.items, set.vms.count) = vm->uuid;
    snapshot = gp_snapshot_take(mem, &stage.have, &set);
    stage_give(&stage, vm, 1, 3, true);
    goal = gp_snapshot_goal(mem, snapshot, &stage.have, NULL);
    cr_assert(goal->vms[0].managed && !goal->vms[0].gpu);
    stage.input.within = &set;
    stage_ready(&stage);
    stage.input.goal = goal;
    plan = gp_plan(mem, &stage.input);
    cr_assert(eq(sz, plan->step_count, 1), "%s", show_plan(mem, plan));
    cr_assert(eq(int, plan->steps[0].kind, GP_STEP_DETACH));
    cr_assert(gp_device_eq(plan->steps[0].device_before, vm->persistent_devs[1].device));
}

/* Nobody stops who is paused, so nobody owes it that it runs; what it has is its own all the same. */
Test(half_way, who_was_paused_is_not_made_to_run)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_snapshot *snapshot;
    const struct gp_goal *goal;
    struct gp_set set = {.id = "desk"};
    struct stage stage;
    struct gp_vm *vm;

    stage_init(&stage, mem);
    stage_gpu(&stage, "sriov", 4);
    vm = stage_vm(&stage, "desk");
    stage_give(&stage, vm, 1, 2, true);
    stage_run(&stage, vm);
    vm->power = GP_POWER_PAUSED;
    *gp_push(mem, set.vms.items, set.vms.count) = vm->uuid;
    snapshot = gp_snapshot_take(mem, &stage.have, &set);
    cr_assert(not(snapshot->vms[0].ran));
    cr_assert(gp_device_eq(snapshot->vms[0].live, vm->live[0].device));
    goal = gp_snapshot_goal(mem, snapshot, &stage.have, NULL);
    cr_assert(goal->vms[0].next_start, "it is left alone");
    /* Its owner ended it meanwhile. */
    vm->power = GP_POWER_OFF;
    vm->live_count = 0;
    goal = gp_snapshot_goal(mem, snapshot, &stage.have, NULL);
    cr_assert(not(goal->vms[0].run));
}

/* ---- who ran with what is not there for it ---- */

/* A guest that runs with slot1/2, in @set. */
static struct gp_vm *desk_of(struct stage *stage, struct gp_arena *mem, struct gp_set *set)
{
    struct gp_vm *vm;

    stage_init(stage, mem);
    stage_gpu(stage, "mdev", 4);
    vm = stage_vm(stage, "desk");
    stage_give(stage, vm, 1, 2, true);
    stage_run(stage, vm);
    *gp_push(mem, set->vms.items, set->vms.count) = vm->uuid;
    return vm;
}

static void nothing_happens(struct stage *stage)
{
    (void)stage;
}

static void somebody_holds_it(struct stage *stage)
{
    gp_gpu_partition(stage_have_gpu(stage, 1), 2)->held = GP_HELD_YES;
}

static void nobody_knows_who_holds_it(struct stage *stage)
{
    gp_gpu_partition(stage_have_gpu(stage, 1), 2)->held = GP_HELD_UNKNOWN;
}

static void the_gpu_falls_off_the_bus(struct stage *stage)
{
    stage->have.gpu_count = 0;
    stage->goal.gpu_count = 0;
}

static void the_partition_goes(struct stage *stage)
{
    gp_gpu_partition(stage_have_gpu(stage, 1), 2)->live = false;
}

static void another_takes_its_number(struct stage *stage)
{
    gp_gpu_partition(stage_have_gpu(stage, 1), 2)->device =
        (struct gp_device){.kind = GP_DEVICE_MDEV, .uuid = "c728e022-f16f-434b-ad2c-9665ee634d3d"};
}

static void it_gets_another_number(struct stage *stage)
{
    struct gp_partition *partitions = stage_have_gpu(stage, 1)->partitions;
    const struct gp_device device = partitions[2].device;

    partitions[2].device = partitions[1].device;
    partitions[1].device = device;
}

static void the_gpu_is_cut_no_more(struct stage *stage)
{
    struct gp_gpu *gpu = stage_have_gpu(stage, 1);

    for (size_t n = 0; n < gpu->partition_count; n++)
        gpu->partitions[n].live = false;
    gpu->mode = GP_MODE_PASSTHROUGH;
}

static void the_card_is_exchanged(struct stage *stage)
{
    stage_have_gpu(stage, 1)->serial = "9990000000001";
    stage_have_gpu(stage, 1)->partitions[3].live = false;
}

static const struct {
    const char *name;
    bool in_set; /* its GPU is */
    void (*happens)(struct stage *stage);
    bool starts;
} lost[] = {
    {"it is there", false, nothing_happens, true},
    {"somebody holds it", false, somebody_holds_it, false},
    {"somebody holds it, and its GPU is taken back too", true, somebody_holds_it, false},
    {"nobody knows who holds it", false, nobody_knows_who_holds_it, false},
    {"its GPU is gone", false, the_gpu_falls_off_the_bus, false},
    {"its GPU is gone that was to be taken back", true, the_gpu_falls_off_the_bus, false},
    {"its partition is gone", false, the_partition_goes, false},
    {"its partition is gone and made anew", true, the_partition_goes, true},
    {"another partition has its number", false, another_takes_its_number, false},
    {"it has another number", false, it_gets_another_number, true},
    {"its GPU is whole now", false, the_gpu_is_cut_no_more, false},
    {"another card is there", true, the_card_is_exchanged, false},
};

/* It ran with a GPU: only its binding may say that it comes up without. */
GP_ROWS(half_way, who_ran_with_it_is_not_started_without, lost)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    const struct gp_snapshot *snapshot;
    const struct gp_goal *goal;
    const struct gp_plan *plan;
    struct gp_set set = {.id = "slot1"};
    struct stage stage;
    struct gp_vm *vm = desk_of(&stage, mem, &set);

    stage_have_gpu(&stage, 1)->serial = "1320222000103";
    if (lost[*i].in_set)
        *gp_push(mem, set.gpus.items, set.gpus.count) = "slot1";
    snapshot = gp_snapshot_take(mem, &stage.have, &set);

    vm->power = GP_POWER_OFF;
    vm->live_count = 0;
    gp_gpu_partition(stage_have_gpu(&stage, 1), 2)->held = GP_HELD_NO;
    lost[*i].happens(&stage);
    stage.input.within = &set;
    stage_ready(&stage);
    goal = gp_snapshot_goal(mem, snapshot, &stage.have, NULL);
    stage.input.goal = goal;
    plan = gp_plan(mem, &stage.input);
    cr_assert(eq(int, find_step(plan, GP_STEP_START_VM) != NULL, lost[*i].starts), "%s: %s", lost[*i].name,
              show_plan(mem, plan));
    if (lost[*i].starts)
        return;
    cr_assert(eq(sz, plan->step_count, 0), "%s: %s", lost[*i].name, show_plan(mem, plan));
    err = gp_verify(goal, &stage.have, &set, gen_mechanism);
    cr_assert(err != NULL, "%s: it is taken for what it was before", lost[*i].name);
}

/* Its GPU is gone for good, and somebody took it out of its definition and started it: there is nothing left to be done for it. */
Test(half_way, who_was_got_up_without_its_lost_gpu_is_done_with)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    const struct gp_snapshot *snapshot;
    const struct gp_goal *goal;
    const struct gp_plan *plan;
    struct gp_set set = {.id = "slot1"};
    struct stage stage;
    struct gp_vm *vm = desk_of(&stage, mem, &set);

    *gp_push(mem, set.gpus.items, set.gpus.count) = "slot1";
    snapshot = gp_snapshot_take(mem, &stage.have, &set);

    the_gpu_falls_off_the_bus(&stage);
    vm->persistent_count = vm->live_count = 0;
    vm->mark = NULL;
    stage.input.within = &set;
    stage_ready(&stage);
    goal = gp_snapshot_goal(mem, snapshot, &stage.have, NULL);
    stage.input.goal = goal;
    plan = gp_plan(mem, &stage.input);
    cr_expect(eq(sz, plan->step_count, 0), "%s", show_plan(mem, plan));
    err = gp_verify(goal, &stage.have, &set, gen_mechanism);
    cr_assert(err == NULL, "%s", gp_error_line(err));
}

/* Who came up on what is taken back is stopped once more, as his binding says, and where nobody can tell, as the product does. */
Test(half_way, a_guest_is_stopped_for_the_way_back_as_its_binding_says)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_snapshot *snapshot;
    struct gp_goal wanted = {.policy.stop = {.timeout_ms = 2000, .force = true, .on_timeout_given = true}};
    const struct gp_goal *goal;
    struct gp_set set = {.id = "slot1"};
    struct stage stage;
    struct gp_vm *vm = desk_of(&stage, mem, &set);

    snapshot = gp_snapshot_take(mem, &stage.have, &set);

    goal = gp_snapshot_goal(mem, snapshot, &stage.have, &wanted);
    cr_expect(goal->vms[0].stop.force);
    cr_expect(eq(u32, goal->vms[0].stop.timeout_ms, 2000));
    *gp_push(mem, wanted.vms, wanted.vm_count) =
        (struct gp_goal_vm){.uuid = vm->uuid, .stop = {.timeout_ms = 600000, .on_timeout_given = true}};
    goal = gp_snapshot_goal(mem, snapshot, &stage.have, &wanted);
    cr_expect(not(goal->vms[0].stop.force));
    cr_expect(eq(u32, goal->vms[0].stop.timeout_ms, 600000));
    goal = gp_snapshot_goal(mem, snapshot, &stage.have, NULL);
    cr_expect(not(goal->vms[0].stop.force));
    cr_expect(gt(u32, goal->vms[0].stop.late_within_ms, 0));
}

/* A set that goes on with what was begun may have grown: what came to it is written down as it is now, but for a GPU that
 * drifted by what was begun. */
Test(half_way, what_comes_to_a_set_is_written_down_with_it)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_difference change = {.key = "gpu/slot2"};
    const struct gp_plan plan = {.changes = &change, .change_count = 1};
    const struct gp_snapshot *earlier, *all;
    struct gp_set set = {.id = "slot1"};
    struct stage stage;
    struct gp_vm *desk, *late;

    stage_init(&stage, mem);
    stage_gpu(&stage, "mdev", 4);
    stage_gpu(&stage, "mdev", 4);
    stage_gpu(&stage, "mdev", 4);
    desk = stage_vm(&stage, "desk");
    stage_give(&stage, desk, 1, 2, true);
    stage_run(&stage, desk);
    *gp_push(mem, set.vms.items, set.vms.count) = desk->uuid;
    earlier = gp_snapshot_take(mem, &stage.have, &set);

    desk->power = GP_POWER_OFF;
    desk->live_count = 0;
    late = stage_vm(&stage, "late");
    stage_run(&stage, late);
    *gp_push(mem, set.vms.items, set.vms.count) = late->uuid;
    *gp_push(mem, set.gpus.items, set.gpus.count) = "slot2";
    *gp_push(mem, set.gpus.items, set.gpus.count) = "slot3";
    all = gp_snapshot_grow(mem, earlier, &stage.have, &plan, &set);
    cr_assert(eq(sz, all->vm_count, 2));
    cr_expect(all->vms[0].ran, "desk ran before the first attempt");
    cr_expect(all->vms[1].ran && gp_streq(all->vms[1].name, "late"));
    cr_assert(eq(sz, all->gpu_count, 1));
    cr_expect(eq(str, (char *)all->gpus[0].id, "slot2"));
}

/* ---- what ends a quarantine ---- */

static const struct {
    const char *symbol;
    struct gp_step step;
    bool taken_away;
} ends[] = {
    {"slot1/2", {.kind = GP_STEP_RELEASE_PARTITION, .gpu = "slot1", .partition = 2}, true},
    {"slot1/2", {.kind = GP_STEP_RELEASE_PARTITION, .gpu = "slot1", .partition = 1}, false},
    {"slot1/12", {.kind = GP_STEP_RELEASE_PARTITION, .gpu = "slot1", .partition = 1}, false},
    {"slot11/2", {.kind = GP_STEP_RELEASE_PARTITION, .gpu = "slot1", .partition = 2}, false},
    {"slot1/2", {.kind = GP_STEP_SET_VF_COUNT, .gpu = "slot1", .partition = -1}, true},
    {"slot11/2", {.kind = GP_STEP_SET_VF_COUNT, .gpu = "slot1", .partition = -1}, false},
    {"slot1/2", {.kind = GP_STEP_SET_MODE, .gpu = "slot1", .partition = -1}, true},
    {"slot1", {.kind = GP_STEP_SET_MODE, .gpu = "slot1", .partition = -1}, false},
    {"slot1/2", {.kind = GP_STEP_BIND_DRIVER, .gpu = "slot1", .partition = 2}, false},
    {"slot1/2", {.kind = GP_STEP_CREATE_PARTITION, .gpu = "slot1", .partition = 2}, false},
    {"slot1/2", {.kind = GP_STEP_DETACH, .gpu = "slot1", .vm = "7", .partition = 2}, false},
};

GP_ROWS(half_way, takes_away, ends)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();

    cr_assert(eq(int, gp_step_takes_away(mem, &ends[*i].step, ends[*i].symbol), ends[*i].taken_away));
}

/* A partition that is made anew is not the one that was quarantined. */
Test(half_way, a_quarantine_ends_with_its_partition)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_plan *planned, *rest;
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    struct stage stage;
    struct world world = {.mem = mem, .mechanism = gen_mechanism, .memory = &stage.memory};

    stage_init(&stage, mem);
    stage_gpu(&stage, "vendor", 2);
    stage_want(&stage, 1, 4);
    (void)stage_vm(&stage, "desk");
    stage_bind(&stage, "desk", 1, 1);
    *gp_push(mem, stage.memory.quarantined.items, stage.memory.quarantined.count) = "slot1/1";
    planned = gp_plan(mem, stage_ready(&stage));
    cr_assert(find_step(planned, GP_STEP_ATTACH) != NULL, "%s", show_plan(mem, planned));
    world.have = &stage.have;
    cr_assert(eq(ptr, (void *)world_wave(&world, planned, 0), NULL));
    stage.input.within = &planned->sets[0];
    rest = gp_plan(mem, &stage.input);
    err = gp_plan_compare_rest(planned, rest, "slot1", 1);
    cr_assert(err == NULL, "%s", err->message);
}
