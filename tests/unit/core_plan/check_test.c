/* A check that refuses nothing proves nothing: good plans are spoiled, one way at a time. */
#include "rows.h"

#include "cleanup.h"
#include "show.h"
#include "stage.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* "a" runs on slot1/0, "b" is off with slot1/1, "c" runs and gets slot1/2 where slot1 goes from 4
 * to 8; "theirs" runs on slot2/0, which stays. */
static void set_stage(struct stage *stage, struct gp_arena *mem)
{
    struct gp_vm *vm;

    stage_init(stage, mem);
    stage_gpu(stage, "vendor", 4);
    stage_gpu(stage, "vendor", 4);
    stage_want(stage, 1, 8);
    vm = stage_vm(stage, "a");
    stage_give(stage, vm, 1, 0, true);
    stage_run(stage, vm);
    stage_bind(stage, "a", 1, 0);
    vm = stage_vm(stage, "b");
    stage_give(stage, vm, 1, 1, true);
    stage_goal_vm(stage, "b")->managed = true;
    vm = stage_vm(stage, "c");
    stage_run(stage, vm);
    stage_bind(stage, "c", 1, 2);
    vm = stage_vm(stage, "theirs");
    stage_give(stage, vm, 2, 0, false);
    stage_run(stage, vm);
}

static size_t find(const struct gp_plan *plan, enum gp_step_kind kind, const char *vm)
{
    for (size_t n = 0; n < plan->step_count; n++)
        if (plan->steps[n].kind == kind && (!vm || gp_streq(plan->steps[n].vm_name, vm)))
            return n;
    cr_fatal("no such step");
    return 0;
}

static void renumber(struct gp_plan *plan)
{
    for (size_t n = 0; n < plan->step_count; n++) {
        plan->steps[n].n = (uint32_t)n + 1;
        plan->steps[n].depends_count = 0;
    }
}

static void drop(struct gp_plan *plan, size_t at)
{
    memmove(&plan->steps[at], &plan->steps[at + 1],
            (plan->step_count - at - 1) * sizeof *plan->steps);
    plan->step_count--;
    renumber(plan);
}

static void nothing(struct stage *stage, struct gp_plan *plan)
{
    (void)stage;
    (void)plan;
}

static void no_stop(struct stage *stage, struct gp_plan *plan)
{
    (void)stage;
    drop(plan, find(plan, GP_STEP_STOP_VM, "a"));
}

static void no_start(struct stage *stage, struct gp_plan *plan)
{
    (void)stage;
    drop(plan, find(plan, GP_STEP_START_VM, "c"));
}

static void starts_who_was_off(struct stage *stage, struct gp_plan *plan)
{
    struct gp_step *step = &plan->steps[find(plan, GP_STEP_START_VM, "c")];

    (void)stage;
    step->vm = stage_goal_vm(stage, "b")->uuid;
}

static void stops_theirs(struct stage *stage, struct gp_plan *plan)
{
    struct gp_step *step = &plan->steps[find(plan, GP_STEP_STOP_VM, "c")];

    step->vm = stage_goal_vm(stage, "theirs")->uuid;
}

/* As one in neverTouch is: what it has of ours does not make it ours to stop. */
static void stops_who_is_left_alone(struct stage *stage, struct gp_plan *plan)
{
    (void)plan;
    stage_goal_vm(stage, "a")->managed = false;
}

static void stops_for_nothing(struct stage *stage, struct gp_plan *plan)
{
    drop(plan, find(plan, GP_STEP_ATTACH, "c"));
    (void)stage;
}

static void releases_too_early(struct stage *stage, struct gp_plan *plan)
{
    const size_t at = find(plan, GP_STEP_RELEASE_PARTITION, NULL);
    const struct gp_step step = plan->steps[at];

    (void)stage;
    memmove(&plan->steps[1], &plan->steps[0], at * sizeof *plan->steps);
    plan->steps[0] = step;
    renumber(plan);
}

static void somebody_holds_it(struct stage *stage, struct gp_plan *plan)
{
    (void)plan;
    stage_have_gpu(stage, 1)->partitions[3].held = GP_HELD_UNKNOWN;
}

static void somebody_runs_with_it(struct stage *stage, struct gp_plan *plan)
{
    struct gp_vm *theirs = gp_have_vm(&stage->have, stage_goal_vm(stage, "theirs")->uuid);

    (void)plan;
    theirs->live[0].device = stage_have_gpu(stage, 1)->partitions[3].device;
}

static void somebody_is_defined_with_it(struct stage *stage, struct gp_plan *plan)
{
    struct gp_vm *theirs = gp_have_vm(&stage->have, stage_goal_vm(stage, "theirs")->uuid);

    (void)plan;
    theirs->persistent_devs[0].device = stage_have_gpu(stage, 1)->partitions[3].device;
}

static void other_gpu(struct stage *stage, struct gp_plan *plan)
{
    (void)plan;
    stage_goal_gpu(stage, 1)->managed = false;
}

static void given_twice(struct stage *stage, struct gp_plan *plan)
{
    struct gp_step *step = &plan->steps[find(plan, GP_STEP_ATTACH, "c")];

    stage_goal_vm(stage, "c")->partition = 0;
    step->partition = 0;
    step->device = stage_have_gpu(stage, 1)->partitions[0].device;
}

static void not_what_was_asked(struct stage *stage, struct gp_plan *plan)
{
    (void)plan;
    stage_goal_vm(stage, "c")->partition = 5;
}

static void detaches_by_hand(struct stage *stage, struct gp_plan *plan)
{
    struct gp_vm *b = gp_have_vm(&stage->have, stage_goal_vm(stage, "b")->uuid);

    (void)plan;
    b->persistent_devs[0].ours = false;
}

static void may_not_stop(struct stage *stage, struct gp_plan *plan)
{
    (void)plan;
    gp_have_vm(&stage->have, stage_goal_vm(stage, "a")->uuid)->unstoppable = "a backup is running";
}

static void may_not_edit(struct stage *stage, struct gp_plan *plan)
{
    (void)plan;
    gp_have_vm(&stage->have, stage_goal_vm(stage, "b")->uuid)->untouchable = "is managed by somebody else";
}

static void class_too_low(struct stage *stage, struct gp_plan *plan)
{
    (void)stage;
    plan->sets[0].class = GP_CLASS_NONE;
}

static void blocked_set(struct stage *stage, struct gp_plan *plan)
{
    (void)stage;
    plan->sets[0].verdict = GP_VERDICT_BLOCKED;
}

static void needs_later(struct stage *stage, struct gp_plan *plan)
{
    static uint32_t later = 9;

    (void)stage;
    plan->steps[0].depends_on = &later;
    plan->steps[0].depends_count = 1;
}

static void wrong_wave(struct stage *stage, struct gp_plan *plan)
{
    (void)stage;
    plan->steps[0].wave = 3;
}

static const struct {
    const char *name, *says; /* NULL: nothing */
    void (*spoil)(struct stage *stage, struct gp_plan *plan);
} rows[] = {
    {"good", NULL, nothing},
    {"no stop", "law 1", no_stop},
    {"no start", "law 2", no_start},
    {"starts who was off", "law 2", starts_who_was_off},
    {"stops theirs", "law 4", stops_theirs},
    {"stops who is left alone", "law 4", stops_who_is_left_alone},
    {"stops for nothing", "law 8", stops_for_nothing},
    {"releases too early", "law 5", releases_too_early},
    {"somebody holds it", "law 1", somebody_holds_it},
    {"somebody runs with it", "law 1", somebody_runs_with_it},
    {"somebody is defined with it", "law 4", somebody_is_defined_with_it},
    {"a GPU of nobody", "law 4", other_gpu},
    {"given twice", "law 3", given_twice},
    {"not what was asked", "law 4", not_what_was_asked},
    {"detaches what was given by hand", "law 4", detaches_by_hand},
    {"stops who may not be", "law 4", may_not_stop},
    {"edits what may not be", "law 4", may_not_edit},
    {"class too low", "law 5", class_too_low},
    {"of a blocked set", "law 5", blocked_set},
    {"needs a later step", "law 5", needs_later},
    {"in a wave of its own", "law 5", wrong_wave},
};

GP_ROWS(check, spoiled, rows)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    const struct gp_plan_input *input;
    struct gp_plan *plan;
    struct stage stage;

    set_stage(&stage, mem);
    input = stage_ready(&stage);
    plan = gp_plan(mem, input);
    rows[*i].spoil(&stage, plan);
    err = gp_plan_check(input, plan);
    if (!rows[*i].says) {
        cr_assert(err == NULL, "%s: %s", rows[*i].name, err ? err->message : "");
        return;
    }
    cr_assert(err != NULL, "%s was not refused:\n%s", rows[*i].name, show_plan(mem, plan));
    cr_assert(eq(int, err->code, GP_E_BUG));
    cr_assert(gp_starts_with(err->message, rows[*i].says), "%s: %s", rows[*i].name, err->message);
}

/* ---- the rest of a plan ---- */

static void one_more(struct stage *stage, struct gp_plan *fresh)
{
    struct gp_step *step = gp_push(stage->mem, fresh->steps, fresh->step_count);

    *step = fresh->steps[find(fresh, GP_STEP_STOP_VM, "c")];
}

static void one_less(struct stage *stage, struct gp_plan *fresh)
{
    (void)stage;
    drop(fresh, find(fresh, GP_STEP_ATTACH, "c"));
}

static void another_count(struct stage *stage, struct gp_plan *fresh)
{
    (void)stage;
    fresh->steps[find(fresh, GP_STEP_CREATE_PARTITION, NULL)].value++;
}

static void more_disturbing(struct stage *stage, struct gp_plan *fresh)
{
    (void)stage;
    fresh->steps[find(fresh, GP_STEP_ATTACH, "c")].class = GP_CLASS_HOST;
}

static void other_order(struct stage *stage, struct gp_plan *fresh)
{
    const size_t at = find(fresh, GP_STEP_CREATE_PARTITION, NULL);
    const struct gp_step step = fresh->steps[at];

    (void)stage;
    fresh->steps[at] = fresh->steps[at + 1];
    fresh->steps[at + 1] = step;
}

static void addresses_alone(struct stage *stage, struct gp_plan *fresh)
{
    (void)stage;
    fresh->steps[find(fresh, GP_STEP_ATTACH, "c")].device.pci.bus++;
    renumber(fresh);
}

static const struct {
    const char *name;
    bool same;
    void (*spoil)(struct stage *stage, struct gp_plan *fresh);
} rests[] = {
    {"the same", true, nothing},
    {"other addresses", true, addresses_alone},
    {"one more", false, one_more},
    {"one less", false, one_less},
    {"another type", false, another_count},
    {"more disturbing", false, more_disturbing},
    {"another order", false, other_order},
};

GP_ROWS(compare, rest, rests)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    struct gp_plan *planned, *fresh;
    struct stage stage;

    set_stage(&stage, mem);
    planned = gp_plan(mem, stage_ready(&stage));
    fresh = gp_plan(mem, stage_ready(&stage));
    rests[*i].spoil(&stage, fresh);
    err = gp_plan_compare_rest(planned, fresh, "slot1", 0);
    cr_assert(eq(int, err == NULL, rests[*i].same), "%s: %s", rests[*i].name,
              err ? err->message : "the same");
    cr_assert(rests[*i].same || err->code == GP_E_CHANGED);
}

/* Of some vGPU types only the host knows the number, and tells it once their VFs are there. */
Test(compare, the_number_of_a_type_may_be_learnt_on_the_way)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    struct gp_plan *planned, *fresh;
    struct stage stage;

    set_stage(&stage, mem);
    planned = gp_plan(mem, stage_ready(&stage));
    fresh = gp_plan(mem, stage_ready(&stage));
    for (size_t n = 0; n < planned->step_count; n++)
        if (planned->steps[n].kind == GP_STEP_CREATE_PARTITION) {
            planned->steps[n].value = 0;
            fresh->steps[n].value = 611;
        }
    err = gp_plan_compare_rest(planned, fresh, "slot1", 0);
    cr_assert(err == NULL, "%s", err->message);
    err = gp_plan_compare_rest(fresh, planned, "slot1", 0);
    cr_assert(err && err->code == GP_E_CHANGED, "a number that was known is another one now");
}

/* ---- the id ---- */

Test(plan_id, tells_what_is_done_and_to_whom_and_nothing_else)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;
    const char *id;

    set_stage(&stage, mem);
    id = gp_plan(mem, stage_ready(&stage))->id;
    cr_assert(eq(sz, strlen(id), 12));
    stage.goal.commit = "9d04e77";
    stage_goal_gpu(&stage, 1)->cause.line = 24;
    cr_assert(eq(str, (char *)gp_plan(mem, stage_ready(&stage))->id, (char *)id),
              "the commit is in the id");
    stage_goal_vm(&stage, "c")->partition = 3;
    cr_assert(ne(str, (char *)gp_plan(mem, stage_ready(&stage))->id, (char *)id),
              "the partition is not");
    stage_goal_vm(&stage, "c")->partition = 2;
    gp_have_vm(&stage.have, stage_goal_vm(&stage, "a")->uuid)->power = GP_POWER_OFF;
    gp_have_vm(&stage.have, stage_goal_vm(&stage, "a")->uuid)->live_count = 0;
    stage_have_gpu(&stage, 1)->partitions[0].held = GP_HELD_NO;
    stage_goal_vm(&stage, "a")->run = false;
    cr_assert(ne(str, (char *)gp_plan(mem, stage_ready(&stage))->id, (char *)id),
              "who stops is not");
}

Test(plan_id, an_empty_plan_has_one)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct stage stage;

    stage_init(&stage, mem);
    stage_gpu(&stage, "vendor", 4);
    cr_assert(eq(sz, gp_plan(mem, stage_ready(&stage))->step_count, 0));
    cr_assert(eq(sz, strlen(gp_plan(mem, stage_ready(&stage))->id), 12));
}
