/* Laws of gp_resolve() over states made by chance. */
#include "world.h"

#include "cleanup.h"
#include "text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>


#define EACH_STATE(seed, mem, world)                                                               \
    for (uint64_t seed = 0; seed < STATES; seed++)                                                 \
        for (struct gp_arena *mem = gp_arena_new(); mem; gp_arena_free(mem), mem = NULL)           \
            for (struct world *world = world_random(mem, seed); world; world = NULL)

Test(resolve_laws, the_same_facts_give_the_same_goal_in_any_order_of_files)
{
    EACH_STATE(seed, mem, world)
    {
        struct gp_goal *goal = world_resolve(world);
        const char *before = gp_printf(mem, "%s%s", world_text(mem, goal), world_findings(mem, goal));
        struct gp_declaration *declaration = &world->declaration;
        const char *after;
        uint64_t state = seed + 1;

        for (size_t n = declaration->binding_count; n > 1; n--) {
            size_t other = world_next(&state) % n;
            struct gp_binding_decl *binding = declaration->bindings[n - 1];

            declaration->bindings[n - 1] = declaration->bindings[other];
            declaration->bindings[other] = binding;
        }
        goal = world_resolve(world);
        after = gp_printf(mem, "%s%s", world_text(mem, goal), world_findings(mem, goal));
        cr_assert(eq(str, (char *)before, (char *)after), "seed %d", (int)seed);
    }
}

static bool defined_with(const struct world *world, const struct gp_vm *vm, struct gp_device device)
{
    (void)world;
    for (size_t n = 0; n < vm->persistent_count; n++)
        if (gp_device_eq(vm->persistent_devs[n].device, device))
            return true;
    return false;
}

static bool runs_with(const struct gp_vm *vm, struct gp_device device)
{
    for (size_t n = 0; n < vm->live_count; n++)
        if (gp_device_eq(vm->live[n].device, device))
            return true;
    return false;
}

/* A VM that gets a partition that it was not defined with takes it from nobody. */
static void check_new(const struct world *world, const struct gp_goal *goal, size_t n, int seed)
{
    const struct gp_goal_vm *vm = &goal->vms[n];
    struct gp_gpu *gpu = gp_have_gpu(&world->have, vm->gpu);
    const struct gp_goal_gpu *want = &goal->gpus[gpu - world->have.gpus];
    struct gp_partition *partition = gp_gpu_partition(gpu, vm->partition);
    struct gp_device device = partition->device;
    bool holder_known = false;

    cr_assert(want->managed && gp_streq(want->pool->name, vm->pool), "seed %d: %s is not of pool %s", seed,
              vm->gpu, vm->pool);
    if (defined_with(world, &world->have.vms[n], device) || runs_with(&world->have.vms[n], device))
        return;
    cr_assert(not(partition->quarantined && (!partition->live || gpu->count == want->want.count)), "seed %d: quarantined", seed);
    for (size_t other = 0; other < goal->vm_count; other++) {
        const struct gp_vm *have = &world->have.vms[other];
        const struct gp_goal_vm *goal_vm = &goal->vms[other];
        bool leaves = goal_vm->managed && !goal_vm->blocked &&
                      !(goal_vm->gpu && gp_streq(goal_vm->gpu, vm->gpu) &&
                        goal_vm->partition == vm->partition);

        holder_known |= have->power != GP_POWER_OFF && runs_with(have, device);
        if (other == n || !(defined_with(world, have, device) || runs_with(have, device)))
            continue;
        cr_assert(leaves, "seed %d: %s gets what %s keeps", seed, vm->name, have->name);
        cr_assert(not(runs_with(have, device) && (goal_vm->next_start || have->unstoppable)),
                  "seed %d: %s gets what %s runs with", seed, vm->name, have->name);
    }
    cr_assert(partition->held == GP_HELD_NO || holder_known, "seed %d: held", seed);
}

Test(resolve_laws, no_partition_is_given_twice_nor_taken_from_anybody)
{
    size_t given = 0, pending = 0, kept = 0;

    EACH_STATE(seed, mem, world)
    {
        struct gp_goal *goal = world_resolve(world);

        for (size_t n = 0; n < goal->vm_count; n++) {
            const struct gp_goal_vm *vm = &goal->vms[n];

            pending += vm->pending;
            cr_assert(not(vm->pending && vm->gpu));
            if (!vm->gpu || vm->blocked)
                continue;
            given++;
            kept += world->have.vms[n].persistent_count > 0;
            check_new(world, goal, n, (int)seed);
            for (size_t other = 0; other < n; other++)
                cr_assert(not(goal->vms[other].gpu && !goal->vms[other].blocked &&
                              gp_streq(goal->vms[other].gpu, vm->gpu) &&
                              goal->vms[other].partition == vm->partition),
                          "seed %d: %s and %s share %s/%u", (int)seed, goal->vms[other].name, vm->name,
                          vm->gpu, (unsigned)vm->partition);
        }
    }
    /* A law about nothing holds always. */
    cr_assert(gt(sz, given, STATES / 2));
    cr_assert(gt(sz, kept, STATES / 10));
    cr_assert(gt(sz, pending, STATES / 10));
}

Test(resolve_laws, a_layout_is_one_that_the_gpu_has)
{
    size_t layouts = 0;

    EACH_STATE(seed, mem, world)
    {
        struct gp_goal *goal = world_resolve(world);

        for (size_t n = 0; n < goal->gpu_count; n++) {
            const struct gp_gpu *gpu = &world->have.gpus[n];
            bool valid = false;

            if (!goal->gpus[n].managed || goal->gpus[n].blocked)
                continue;
            for (size_t v = 0; v < gpu->valid_count; v++)
                valid |= gpu->valid[v].count == goal->gpus[n].want.count &&
                         gp_streq(gpu->valid[v].profile, goal->gpus[n].want.profile);
            cr_assert(valid, "seed %d", (int)seed);
            cr_assert(eq(u32, goal->gpus[n].want.count, goal->gpus[n].pool->count));
            layouts++;
        }
    }
    cr_assert(gt(sz, layouts, STATES / 2));
}

Test(resolve_laws, a_goal_that_is_reached_stays_the_goal)
{
    size_t reached = 0;

    EACH_STATE(seed, mem, world)
    {
        struct gp_goal *goal = world_resolve(world), *again;

        if (!world_apply(world, goal))
            continue;
        reached++;
        again = world_resolve(world);
        for (size_t n = 0; n < goal->vm_count; n++) {
            const struct gp_goal_vm *before = &goal->vms[n], *after = &again->vms[n];

            cr_assert(eq(int, before->blocked != NULL, after->blocked != NULL), "seed %d: %s\nbefore:\n%safter:\n%s", (int)seed,
                      before->name, world_text(mem, goal), world_text(mem, again));
            if (before->blocked)
                continue;
            cr_assert(gp_streq(before->gpu, after->gpu) && before->partition == after->partition &&
                          before->pending == after->pending,
                      "seed %d: %s\nbefore:\n%safter:\n%s", (int)seed, before->name,
                      world_text(mem, goal), world_text(mem, again));
        }
    }
    cr_assert(gt(sz, reached, STATES / 3));
}

Test(resolve_laws, a_vm_more_moves_nobody)
{
    size_t moved = 0;

    EACH_STATE(seed, mem, world)
    {
        struct gp_goal *goal = world_resolve(world), *again;
        struct gp_vm *vms;
        size_t count = world->have.vm_count;

        if (!world_apply(world, goal))
            continue;
        goal = world_resolve(world);
        /* First by name, so that it is asked first. */
        vms = gp_new_array(mem, struct gp_vm, count + 1);
        if (count)
            memcpy(vms + 1, world->have.vms, sizeof *vms * count);
        vms[0] = (struct gp_vm){.name = "a-new-one", .uuid = "00000000-0000-0000-0000-000000000001",
                                .persistent = true};
        world->have.vms = vms;
        world->have.vm_count++;
        world_bind(world, world->declaration.bindings[0], "a-new-one");
        again = world_resolve(world);
        for (size_t n = 0; n < count; n++) {
            const struct gp_goal_vm *before = &goal->vms[n], *after = &again->vms[n + 1];

            cr_assert(gp_streq(before->gpu, after->gpu) && before->partition == after->partition,
                      "seed %d: %s\nbefore:\n%safter:\n%s", (int)seed, before->name,
                      world_text(mem, goal), world_text(mem, again));
        }
        moved += again->vms[0].gpu != NULL;
    }
    cr_assert(gt(sz, moved, STATES / 20));
}

static bool anybody_has(const struct world *world, const struct gp_vm *but, struct gp_device device)
{
    for (size_t n = 0; n < world->have.vm_count; n++)
        if (&world->have.vms[n] != but &&
            (defined_with(world, &world->have.vms[n], device) || runs_with(&world->have.vms[n], device)))
            return true;
    return false;
}

static bool is_used(const struct world *world, const struct gp_gpu *gpu)
{
    for (size_t n = 0; n < gpu->partition_count; n++)
        if (anybody_has(world, NULL, gpu->partitions[n].device))
            return true;
    return false;
}

/* Every pool is of another mode now; a GPU that somebody uses may not follow, and the others have. */
static void change_modes(struct world *world)
{
    for (size_t n = 0; n < world->cluster.pool_count; n++)
        world->cluster.pools[n].mode = GP_MODE_PASSTHROUGH;
    for (size_t n = 0; n < world->have.gpu_count; n++) {
        struct gp_gpu *gpu = &world->have.gpus[n];

        gpu->boot_vga = is_used(world, gpu);
        if (gpu->boot_vga)
            continue;
        world_cut(world, gpu, 0, 0);
        gpu->mode = GP_MODE_PASSTHROUGH;
    }
}

/* A pool more, before the others, that has all of their GPUs. */
static void overlap(struct world *world)
{
    const size_t count = world->cluster.pool_count;
    struct gp_pool_decl *pools = gp_new_array(world->mem, struct gp_pool_decl, count + 1);

    pools[0] = (struct gp_pool_decl){.name = "all", .mode = GP_MODE_PARTITIONED, .count = 4};
    memcpy(pools + 1, world->cluster.pools, sizeof *pools * count);
    world->cluster.pools = pools;
    world->cluster.pool_count++;
}

static void forbid_all(struct world *world)
{
    for (size_t n = 0; n < world->have.gpu_count; n++)
        if (is_used(world, &world->have.gpus[n]))
            *gp_push(world->mem, world->agent.never_touch_gpus.items, world->agent.never_touch_gpus.count) =
                world->have.gpus[n].id;
}

/* As somebody takes them out of their pools: the host first, then git. */
static void forbid_and_forget(struct world *world)
{
    forbid_all(world);
    for (size_t n = 0; n < world->cluster.pool_count; n++) {
        struct gp_strings *slots = &world->cluster.pools[n].select.slots;

        slots->count = 0;
        *gp_push(world->mem, slots->items, slots->count) = "99"; /* of none: no slots would be all */
    }
}

/* As world_random() makes pools: of every GPU, or of slots. */
static bool is_in_pool(const struct world *world, const struct gp_gpu *gpu, const char *name)
{
    for (size_t n = 0; n < world->cluster.pool_count; n++) {
        const struct gp_pool_decl *pool = &world->cluster.pools[n];

        if (gp_streq(pool->name, name) &&
            (!pool->select.slots.count || gp_strings_have(&pool->select.slots, gpu->slot)))
            return true;
    }
    return false;
}

/* A GPU that neverTouch names stays for whoever has a part of it, whatever git says of him; one that is blocked, for
 * those who are bound to its pool. */
static bool stays(const struct world *world, const struct gp_goal *goal, const struct gp_gpu *gpu, size_t vm)
{
    return gp_strings_have(&world->agent.never_touch_gpus, gpu->id) ||
           (goal->gpus[gpu - world->have.gpus].blocked && goal->vms[vm].binding &&
            is_in_pool(world, gpu, goal->vms[vm].pool));
}

/* How many VMs have something of a GPU that stays as it is, and nobody else has it too. */
static size_t check_staying(const struct world *world, const struct gp_goal *goal, int seed)
{
    size_t count = 0;

    for (size_t n = 0; n < goal->vm_count; n++) {
        const struct gp_vm *vm = &world->have.vms[n];
        struct gp_gpu *gpu;
        struct gp_partition *partition;

        if (!vm->persistent_count ||
            !gp_have_find(&world->have, vm->persistent_devs[0].device, &gpu, &partition) ||
            !stays(world, goal, gpu, n) || anybody_has(world, vm, vm->persistent_devs[0].device))
            continue;
        count++;
        cr_assert(goal->vms[n].blocked || !goal->vms[n].managed, "seed %d: %s is taken from %s, which stays", seed,
                  vm->name, gpu->id);
    }
    return count;
}

Test(resolve_laws, what_a_vm_has_of_a_gpu_that_stays_it_keeps)
{
    static void (*const changes[])(struct world *) = {NULL, change_modes, overlap, forbid_all, forbid_and_forget};
    size_t counts[sizeof changes / sizeof *changes] = {0};

    EACH_STATE(seed, mem, world)
    {
        const size_t which = seed % (sizeof changes / sizeof *changes);

        if (changes[which])
            changes[which](world);
        counts[which] += check_staying(world, world_resolve(world), (int)seed);
    }
    for (size_t n = 0; n < sizeof changes / sizeof *changes; n++)
        cr_assert(gt(sz, counts[n], STATES / 20));
}

Test(resolve_laws, what_nobody_names_is_left_alone)
{
    EACH_STATE(seed, mem, world)
    {
        struct gp_goal *goal = world_resolve(world);

        for (size_t n = 0; n < goal->gpu_count; n++)
            cr_assert(eq(int, goal->gpus[n].managed, goal->gpus[n].pool != NULL), "seed %d", (int)seed);
        for (size_t n = 0; n < goal->vm_count; n++) {
            const struct gp_vm *vm = &world->have.vms[n];
            bool ours = vm->persistent_count && vm->persistent_devs[0].ours;

            cr_assert(not(goal->vms[n].managed && !goal->vms[n].binding && !ours), "seed %d: %s",
                      (int)seed, vm->name);
        }
    }
}
