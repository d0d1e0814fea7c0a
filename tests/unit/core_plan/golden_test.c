/* Plans that are read by people: one function a story, one file a plan. UPDATE_GOLDEN=1 writes the
 * files. */
#include "rows.h"

#include "cleanup.h"
#include "show.h"
#include "stage.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static const char *name_of(struct stage *stage, unsigned number)
{
    return gp_printf(stage->mem, "vdi-%02u", number);
}

/* Two GPUs without partitions, eight VMs, four of them running. */
static void from_nothing(struct stage *stage)
{
    stage_gpu(stage, "vendor", 0);
    stage_gpu(stage, "sriov", 0);
    stage_want(stage, 1, 4);
    stage_want(stage, 2, 4);
    for (unsigned n = 0; n < 8; n++) {
        struct gp_vm *vm = stage_vm(stage, name_of(stage, n));

        if (n % 2 == 0)
            stage_run(stage, vm);
        stage_bind(stage, vm->name, 1 + n / 4, (int)(n % 4));
    }
}

/* Eight VMs on slot1, five of them running; four lose their binding, two of which run. slot2 stays
 * as it is. */
static void eight_to_four(struct stage *stage)
{
    stage_gpu(stage, "vendor", 8);
    stage_gpu(stage, "vendor", 2);
    stage_want(stage, 1, 4);
    for (unsigned n = 0; n < 10; n++) {
        struct gp_vm *vm = stage_vm(stage, name_of(stage, n));

        stage_give(stage, vm, n < 8 ? 1 : 2, n < 8 ? n : n - 8, true);
        if (n < 3 || n == 5 || n == 6 || n >= 8)
            stage_run(stage, vm);
        if (n >= 4 && n < 8)
            stage_goal_vm(stage, vm->name)->managed = true;
        else
            stage_bind(stage, vm->name, n < 8 ? 1 : 2, (int)(n < 8 ? n : n - 8));
    }
}

/* VFs go to 0 and then to the new number; addresses stay, so no definition changes. */
static void plain_sriov(struct stage *stage)
{
    struct gp_vm *a, *b;

    stage_gpu(stage, "sriov", 2);
    stage_want(stage, 1, 4);
    a = stage_vm(stage, "a");
    b = stage_vm(stage, "b");
    stage_give(stage, a, 1, 0, true);
    stage_give(stage, b, 1, 1, true);
    stage_run(stage, a);
    stage_bind(stage, "a", 1, 0);
    stage_bind(stage, "b", 1, 1);
}

/* Two of four partitions are there already, one of another size. The VM on a good one keeps
 * running. */
static void half_made(struct stage *stage)
{
    struct gp_vm *vm;

    stage_gpu(stage, "vendor", 4);
    stage_have_gpu(stage, 1)->partitions[2].profile = "GEN 8Q";
    stage_have_gpu(stage, 1)->partitions[3].live = false;
    gen_settle(stage_have_gpu(stage, 1));
    vm = stage_vm(stage, "a");
    stage_give(stage, vm, 1, 0, true);
    stage_run(stage, vm);
    stage_bind(stage, "a", 1, 0);
}

/* Nobody knows the UUIDs before they are made. */
static void mediated(struct stage *stage)
{
    struct gp_vm *vm;

    stage_gpu(stage, "mdev", 2);
    stage_want(stage, 1, 4);
    vm = stage_vm(stage, "a");
    stage_give(stage, vm, 1, 1, true);
    stage_run(stage, vm);
    stage_bind(stage, "a", 1, 1);
    stage_vm(stage, "b");
    stage_bind(stage, "b", 1, 3);
}

/* What was given by hand, and is what the binding gives: marked, and nobody stops. */
static void by_hand(struct stage *stage)
{
    struct gp_vm *vm;

    stage_gpu(stage, "vendor", 4);
    vm = stage_vm(stage, "a");
    stage_give(stage, vm, 1, 2, false);
    stage_run(stage, vm);
    stage_bind(stage, "a", 1, 2);
}

/* The same, but its definition says something to QEMU about that device by its alias: it stays as it is. */
static void by_hand_and_named(struct stage *stage)
{
    struct gp_vm *vm;

    stage_gpu(stage, "vendor", 4);
    vm = stage_vm(stage, "a");
    stage_give(stage, vm, 1, 2, false);
    vm->persistent_devs[0].alias_named = true;
    stage_run(stage, vm);
    stage_bind(stage, "a", 1, 2);
}

/* Each gets what the other has: both stop first. */
static void swapped(struct stage *stage)
{
    struct gp_vm *a, *b;

    stage_gpu(stage, "vendor", 4);
    a = stage_vm(stage, "a");
    b = stage_vm(stage, "b");
    stage_give(stage, a, 1, 0, true);
    stage_give(stage, b, 1, 1, true);
    stage_run(stage, a);
    stage_run(stage, b);
    stage_bind(stage, "a", 1, 1);
    stage_bind(stage, "b", 1, 0);
}

/* Takes effect when it next starts: only its definition changes. The one after it must wait for the
 * partition. */
static void next_start(struct stage *stage)
{
    struct gp_vm *vm;

    stage_gpu(stage, "vendor", 4);
    vm = stage_vm(stage, "a");
    stage_give(stage, vm, 1, 0, true);
    stage_run(stage, vm);
    stage_bind(stage, "a", 1, 1);
    stage_goal_vm(stage, "a")->next_start = true;
    stage_vm(stage, "b");
    stage_bind(stage, "b", 1, 0);
}

/* One VM of the pool may not be stopped; the others get theirs. */
static void one_cannot(struct stage *stage)
{
    struct gp_vm *vm;

    stage_gpu(stage, "vendor", 4);
    for (unsigned n = 0; n < 3; n++) {
        vm = stage_vm(stage, name_of(stage, n));
        stage_run(stage, vm);
        stage_bind(stage, vm->name, 1, (int)n);
        if (n == 1)
            vm->unstoppable = "a backup is running";
    }
}

/* The same one on a GPU that is cut anew holds up the GPU and those who wait for it, and nobody
 * else. */
static void one_holds_up(struct stage *stage)
{
    struct gp_vm *vm;

    stage_gpu(stage, "vendor", 4);
    stage_gpu(stage, "vendor", 4);
    stage_want(stage, 1, 2);
    vm = stage_vm(stage, "a");
    stage_give(stage, vm, 1, 0, true);
    stage_run(stage, vm);
    vm->unstoppable = "a backup is running";
    stage_bind(stage, "a", 1, 0);
    stage_vm(stage, "b");
    stage_bind(stage, "b", 1, 1);
    stage_vm(stage, "c");
    stage_bind(stage, "c", 2, 1);
}

/* Another manager's, which are off: neither the definition nor the partition that it names is changed. */
static void not_to_be_edited(struct stage *stage)
{
    struct gp_vm *vm;

    stage_gpu(stage, "vendor", 4);
    stage_vm(stage, "a")->untouchable = "is managed by OpenStack Nova";
    stage_bind(stage, "a", 1, 0);
    vm = stage_vm(stage, "b");
    stage_give(stage, vm, 1, 1, true);
    vm->untouchable = "is managed by OpenStack Nova";
    stage_bind(stage, "b", 1, 2);
    stage_vm(stage, "c");
    stage_bind(stage, "c", 1, 3);
}

/* Somebody whom no binding names was given a partition by hand; another is held by a process. */
static void not_ours(struct stage *stage)
{
    struct gp_vm *vm;

    stage_gpu(stage, "vendor", 4);
    stage_gpu(stage, "vendor", 4);
    stage_gpu(stage, "vendor", 4);
    stage_want(stage, 1, 2);
    stage_want(stage, 2, 2);
    stage_want(stage, 3, 2);
    vm = stage_vm(stage, "theirs");
    stage_give(stage, vm, 1, 3, false);
    stage_run(stage, vm);
    vm = stage_vm(stage, "theirs-off");
    stage_give(stage, vm, 3, 3, false);
    stage_have_gpu(stage, 2)->partitions[1].held = GP_HELD_YES;
    stage_have_gpu(stage, 2)->partitions[1].holder = "pid 812 (dpdk-testpmd)";
}

/* What three VMs have is ours, and they are left alone all the same: one runs, of the two that are off only one will find
 * its partition again. "waits" shall have one beside the one that runs. */
static void left_alone(struct stage *stage)
{
    static const char *const names[] = {"back", "gone", "runs"};

    for (uint32_t n = 0; n < 3; n++) {
        struct gp_vm *vm;

        stage_gpu(stage, "vendor", 4);
        stage_want(stage, n + 1, 2);
        vm = stage_vm(stage, names[n]);
        stage_give(stage, vm, n + 1, n == 1 ? 3 : 0, true);
        stage_goal_vm(stage, names[n])->left_alone = "which is in neverTouch of this host";
        if (n == 2)
            stage_run(stage, vm);
    }
    stage_vm(stage, "waits");
    stage_bind(stage, "waits", 3, 1);
}

/* It was stopped by us and a crash came: it is started though nothing else is to be done; one whose
 * partition is not there, or is somebody else's, waits. */
static void owed(struct stage *stage)
{
    struct gp_vm *vm;

    stage_gpu(stage, "vendor", 4);
    vm = stage_vm(stage, "a");
    stage_give(stage, vm, 1, 0, true);
    stage_bind(stage, "a", 1, 0);
    stage_goal_vm(stage, "a")->run = true;
    vm = stage_vm(stage, "b");
    stage_give(stage, vm, 1, 6, true);
    stage_goal_vm(stage, "b")->run = true;
    vm = stage_vm(stage, "c");
    stage_give(stage, vm, 1, 1, true);
    stage_bind(stage, "c", 1, 1);
    stage_goal_vm(stage, "c")->run = true;
    stage_have_gpu(stage, 1)->partitions[1].held = GP_HELD_YES;
    stage_have_gpu(stage, 1)->partitions[1].holder = "pid 812 (dpdk-testpmd)";
}

/* After a reboot VFs and types are gone, definitions are not. */
static void after_reboot(struct stage *stage)
{
    struct gp_vm *vm;

    stage_gpu(stage, "vendor", 4);
    for (unsigned n = 0; n < 2; n++) {
        vm = stage_vm(stage, name_of(stage, n));
        stage_give(stage, vm, 1, n, true);
        stage_bind(stage, vm->name, 1, (int)n);
    }
    stage_goal_vm(stage, "vdi-01")->run = true;
    stage_applied(stage, "gpu/slot1", "partitioned 4 GEN 2Q");
    stage_have_gpu(stage, 1)->partition_count = 0;
    stage_have_gpu(stage, 1)->vf_count = 0;
    gen_settle(stage_have_gpu(stage, 1));
}

/* The driver is loaded anew: every guest with a GPU of it stops. */
static void whole_host(struct stage *stage)
{
    struct gp_vm *vm;

    stage_gpu(stage, "loaded", 2);
    stage_gpu(stage, "loaded", 2);
    stage_want(stage, 1, 4);
    for (unsigned n = 0; n < 2; n++) {
        vm = stage_vm(stage, name_of(stage, n));
        stage_give(stage, vm, 1 + n, 0, true);
        stage_run(stage, vm);
        stage_bind(stage, vm->name, 1 + n, 0);
    }
}

/* The whole GPU goes to a VM; who had a partition of it has none any more. */
static void to_passthrough(struct stage *stage)
{
    struct gp_vm *vm;

    stage_gpu(stage, "sriov", 2);
    stage_goal_gpu(stage, 1)->want = (struct gp_layout){.mode = GP_MODE_PASSTHROUGH};
    vm = stage_vm(stage, "a");
    stage_give(stage, vm, 1, 0, true);
    stage_run(stage, vm);
    stage_goal_vm(stage, "a")->managed = true;
    vm = stage_vm(stage, "b");
    stage_run(stage, vm);
    stage_bind(stage, "b", 1, -1);
}

/* 4 GiB each, 12 GiB in all, 2 GiB kept free: two fit. */
static void memory_pinned(struct stage *stage)
{
    stage_gpu(stage, "vendor", 4);
    for (unsigned n = 0; n < 3; n++) {
        struct gp_vm *vm = stage_vm(stage, name_of(stage, n));

        stage_run(stage, vm);
        stage_bind(stage, vm->name, 1, (int)n);
    }
    stage->input.host_memory = (uint64_t)12 << 30;
    stage->input.reserve_memory = (uint64_t)2 << 30;
}

static const struct {
    const char *name;
    void (*story)(struct stage *stage);
} rows[] = {
    {"from-nothing", from_nothing},
    {"eight-to-four", eight_to_four},
    {"plain-sriov", plain_sriov},
    {"half-made", half_made},
    {"mediated", mediated},
    {"by-hand", by_hand},
    {"by-hand-and-named", by_hand_and_named},
    {"swapped", swapped},
    {"next-start", next_start},
    {"one-cannot", one_cannot},
    {"one-holds-up", one_holds_up},
    {"not-to-be-edited", not_to_be_edited},
    {"not-ours", not_ours},
    {"left-alone", left_alone},
    {"owed", owed},
    {"after-reboot", after_reboot},
    {"whole-host", whole_host},
    {"to-passthrough", to_passthrough},
    {"memory-pinned", memory_pinned},
};

static const char *read_file(struct gp_arena *mem, const char *path)
{
    gp_cleanup(gp_fclose_p) FILE *file = fopen(path, "re");
    char *text = gp_new_array(mem, char, 65536);

    if (file)
        (void)fread(text, 1, 65535, file);
    return text;
}

static void write_file(const char *path, const char *text)
{
    gp_cleanup(gp_fclose_p) FILE *file = fopen(path, "we");

    cr_assert(file != NULL, "%s cannot be written", path);
    cr_assert(fputs(text, file) >= 0, "%s cannot be written", path);
}

GP_ROWS(golden, plans, rows)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *path = gp_printf(mem, "%s/%s.txt", GOLDEN_DIR, rows[*i].name), *got, *want;
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    const struct gp_plan_input *input;
    const struct gp_plan *plan;
    struct stage stage;

    stage_init(&stage, mem);
    rows[*i].story(&stage);
    input = stage_ready(&stage);
    plan = gp_plan(mem, input);
    got = gp_printf(mem, "%s\n%s%s", show_plan(mem, plan), show_findings(mem, plan),
                    show_differences(mem, plan));
    err = gp_plan_check(input, plan);
    cr_assert(err == NULL, "%s: %s\n%s", rows[*i].name, err ? err->message : "", got);
    if (getenv("UPDATE_GOLDEN"))
        write_file(path, got);
    want = read_file(mem, path);
    cr_assert(eq(str, (char *)got, (char *)want), "%s", rows[*i].name);
}
