#include "world.h"

#include "text.h"

#include <stdlib.h>

uint64_t world_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1dULL >> 16;
}

static uint32_t below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)(world_next(state) % limit);
}

static bool one_in(uint64_t *state, uint32_t n)
{
    return below(state, n) == 0;
}

static void random_gpus(struct world *world, uint64_t *state)
{
    uint32_t count = 1 + below(state, 3);

    for (uint32_t n = 0; n < count; n++) {
        struct gp_gpu *gpu = world_gpu(world, (uint8_t)(n + 1));
        uint32_t cut = 1U << below(state, 4);

        gpu->numa_node = (int32_t)below(state, 3) - 1;
        if (!one_in(state, 3))
            world_cut(world, gpu, cut, below(state, VFS - cut));
        if (one_in(state, 2))
            world_applied(world, gp_printf(world->mem, "gpu/%s", gpu->id), "none");
        if (one_in(state, 12)) {
            gpu->status = GP_GPU_UNHEALTHY;
            gpu->reason = "half-way";
        }
        if (one_in(state, 6))
            gpu->partitions[below(state, VFS)].quarantined = true;
        if (one_in(state, 6)) {
            struct gp_partition *partition = &gpu->partitions[below(state, VFS)];

            if (partition->live)
                partition->held = one_in(state, 2) ? GP_HELD_YES : GP_HELD_UNKNOWN;
        }
    }
}

static void random_pools(struct world *world, uint64_t *state)
{
    static const uint32_t counts[] = {1, 2, 4, 8, 4, 2, 3};
    uint32_t pools = 1 + below(state, 2);

    for (uint32_t n = 0; n < pools; n++) {
        struct gp_pool_decl *pool =
            world_pool(world, n ? "beta" : "alpha", counts[below(state, 7)],
                       n || pools > 1 ? (n ? "2" : "1") : NULL);

        pool->placement = one_in(state, 2) ? GP_PLACEMENT_PACK : GP_PLACEMENT_SPREAD;
        pool->takeover = !one_in(state, 3);
        if (!n && pools > 1 && one_in(state, 2))
            *gp_push(world->mem, pool->select.slots.items, pool->select.slots.count) = "3";
    }
}

static void random_vm(struct world *world, uint64_t *state, uint32_t number)
{
    struct gp_vm *vm =
        world_vm(world, gp_printf(world->mem, "vm-%c-%02u", "ab"[number % 2], (unsigned)number));
    struct gp_gpu *gpu = &world->have.gpus[below(state, (uint32_t)world->have.gpu_count)];
    uint32_t index = below(state, one_in(state, 4) ? VFS : 5);

    switch (below(state, 8)) {
    case 0:
    case 1:
    case 2:
        world_give(world, vm, gpu, index, true);
        break;
    case 3:
        world_give(world, vm, gpu, index, false);
        break;
    case 4:
        if (one_in(state, 3)) {
            struct gp_hostdev *dev = world_give(world, vm, gpu, index, true);

            dev->ours = vm->mark_fits = false;
            dev->stray_mark = true;
        }
        break;
    case 5:
        world_applied(world, gp_printf(world->mem, "vm/%s", vm->uuid),
                      gp_partition_symbol(world->mem, gpu->id, index));
        break;
    default:
        break;
    }
    /* Only what exists can be run with, by one VM. */
    if (one_in(state, 2) && (!vm->persistent_count || (gp_gpu_partition(gpu, index)->live &&
                                                       gp_gpu_partition(gpu, index)->held == GP_HELD_NO)))
        world_run(world, vm);
    if (vm->live_count)
        gp_gpu_partition(gpu, index)->held = GP_HELD_YES;
    if (one_in(state, 20))
        vm->unstoppable = "a backup is running";
    if (one_in(state, 30))
        vm->untouchable = vm->unstoppable = "is managed by somebody else";
    if (one_in(state, 20) && vm->power == GP_POWER_RUNNING)
        vm->power = GP_POWER_PAUSED;
    if (one_in(state, 30))
        vm->persistent = false;
    if (one_in(state, 3))
        vm->numa_nodes = 1ULL << below(state, 2);
}

static int compare_vms(const void *a, const void *b)
{
    return gp_strcmp(((const struct gp_vm *)a)->name, ((const struct gp_vm *)b)->name);
}

static void random_bindings(struct world *world, uint64_t *state)
{
    static const char *const names[] = {"desktops", "cad", "lab"};
    uint32_t count = 1 + below(state, 3);

    for (uint32_t n = 0; n < count; n++) {
        struct gp_binding_decl *binding =
            world_binding(world, names[n], one_in(state, 2) ? "alpha" : "beta");

        binding->next_start = one_in(state, 5);
        if (world->cluster.pool_count == 1)
            binding->pool = "alpha";
        if (one_in(state, 6))
            binding->vram.min = 4ULL << 30;
        if (one_in(state, 2))
            world_bind(world, binding, n % 2 ? "vm-a-*" : "vm-b-*");
        for (size_t v = 0; v < world->have.vm_count; v++)
            if (one_in(state, 3))
                world_bind(world, binding, world->have.vms[v].name);
    }
}

struct world *world_random(struct gp_arena *mem, uint64_t seed)
{
    struct world *world = world_new(mem);
    uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15ULL;
    uint32_t vms = below(&state, 11);

    random_gpus(world, &state);
    random_pools(world, &state);
    for (uint32_t n = 0; n < vms; n++)
        random_vm(world, &state, n);
    if (vms)
        qsort(world->have.vms, vms, sizeof *world->have.vms, compare_vms);
    random_bindings(world, &state);
    world->cluster.policy.prune_bindings = !one_in(&state, 5);
    return world;
}
