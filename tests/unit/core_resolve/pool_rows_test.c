/* Examples of gp_resolve(): which pool owns a GPU, and the words it is told in. */
#include "rows.h"
#include "resolve_rows.h"

#include "text.h"

static void two_pools(struct world *world)
{
    world_pool(world, "cad", 2, NULL);
}

static void two_modes(struct world *world)
{
    world_pool(world, "cad", 0, NULL)->mode = GP_MODE_PASSTHROUGH;
}

static void never_gpu(struct world *world)
{
    *gp_push(world->mem, world->agent.never_touch_gpus.items, world->agent.never_touch_gpus.count) =
        "0000:03:00.0";
}

static void named_host_lacks(struct world *world)
{
    *gp_push(world->mem, world->cluster.pools[0].hosts.items, world->cluster.pools[0].hosts.count) = "kvm-a";
    world->cluster.pools[0].match.model = "NVIDIA L4";
}

static void glob_host_lacks(struct world *world)
{
    named_host_lacks(world);
    world->cluster.pools[0].hosts.items[0] = "kvm-*";
}

static void other_host(struct world *world)
{
    *gp_push(world->mem, world->cluster.pools[0].hosts.items, world->cluster.pools[0].hosts.count) = "kvm-b";
}

static void match_all_ways(struct world *world)
{
    world->cluster.pools[0].match = (struct gp_match){
        .model = "NVIDIA A2", .vendor = "nvidia", .device = "10de:25b6", .vram = 16ULL << 30};
    *gp_push(world->mem, world->cluster.pools[0].select.addresses.items,
             world->cluster.pools[0].select.addresses.count) = "0000:03:00.0";
}

static void vendor_in_hex(struct world *world)
{
    world->cluster.pools[0].match.vendor = "8086";
}

static void left_out(struct world *world)
{
    world_gpu(world, 4);
    *gp_push(world->mem, world->cluster.pools[0].select.slots.items,
             world->cluster.pools[0].select.slots.count) = "3";
}

static void unlike(struct world *world)
{
    struct gp_gpu *gpu = world_gpu(world, 4);

    gpu->model = "NVIDIA A16";
}

static void passthrough(struct world *world)
{
    world->cluster.pools[0].mode = GP_MODE_PASSTHROUGH;
}

static void no_mechanism(struct world *world)
{
    world->have.gpus[0].mechanism = NULL;
    world->have.gpus[0].status = GP_GPU_UNSUPPORTED;
    world->have.gpus[0].reason = "the vGPU driver is not loaded";
}

static void half_way(struct world *world)
{
    world->have.gpus[0].status = GP_GPU_UNHEALTHY;
    world->have.gpus[0].reason = "left on pci-pf-stub";
}

static void no_counts(struct world *world)
{
    world->have.gpus[0].valid_count = 0;
}

static void dropped_pool(struct world *world)
{
    world->cluster.pool_count = 0;
    world->declaration.binding_count = 0;
    world_cut(world, &world->have.gpus[0], 4, 0);
    world_applied(world, "gpu/slot3", "partitioned 4 NVIDIA A2-4Q");
}

static void dropped_pool_pruned(struct world *world)
{
    dropped_pool(world);
    world->cluster.policy.prune_partitions = true;
}

/* VMs a and b run with the first two of the four partitions that slot3 is cut into. */
static void run_both(struct world *world)
{
    struct gp_gpu *gpu = &world->have.gpus[0];

    world_cut(world, gpu, 4, 0);
    world_applied(world, "gpu/slot3", "partitioned 4 NVIDIA A2-4Q");
    for (uint32_t n = 0; n < 2; n++) {
        world_give(world, &world->have.vms[n], gpu, n, true);
        world_run(world, &world->have.vms[n]);
    }
}

static void other_mode_but_blocked(struct world *world)
{
    run_both(world);
    passthrough(world);
    world->have.gpus[0].boot_vga = true;
    world_gpu(world, 4)->mode = GP_MODE_PASSTHROUGH; /* as the pool is now, and free */
}

/* Another pool of the same GPUs, which stands before it. */
static struct gp_pool_decl *pool_before(struct world *world, const char *name, uint32_t count)
{
    struct gp_pool_decl vdi = world->cluster.pools[0];

    world_pool(world, "vdi", 0, NULL);
    world->cluster.pools[1] = vdi;
    world->cluster.pools[0].name = name;
    world->cluster.pools[0].count = count;
    return &world->cluster.pools[0];
}

static void two_pools_in_use(struct world *world)
{
    run_both(world);
    pool_before(world, "cad", 2);
}

static void two_modes_in_use(struct world *world)
{
    run_both(world);
    pool_before(world, "cad", 0)->mode = GP_MODE_PASSTHROUGH;
}

/* VM b is bound and has nothing yet; another GPU of the pool has room for all. */
static void never_gpu_in_use(struct world *world)
{
    run_both(world);
    never_gpu(world);
    world_gpu(world, 4);
    world->have.vms[1].persistent_count = world->have.vms[1].live_count = 0;
    world->have.vms[1].mark = NULL;
    world->have.vms[1].mark_fits = false;
    world->declaration.bindings[0]->vms[0].at.line = 7; /* a line is told once */
}

/* As somebody takes a GPU out of its pool whom its guests' users may not notice: the host first, then git. */
static void never_gpu_selected_no_more(struct world *world)
{
    never_gpu_in_use(world);
    *gp_push(world->mem, world->cluster.pools[0].select.slots.items, world->cluster.pools[0].select.slots.count) = "4";
}

static void never_gpu_other_pool(struct world *world)
{
    never_gpu_selected_no_more(world);
    world_gpu(world, 5);
    world_pool(world, "cad", 4, "5");
    world->declaration.bindings[0]->pool = "cad";
}

static void never_gpu_unbound(struct world *world)
{
    never_gpu_in_use(world);
    world->declaration.bindings[0]->vms[0].name = "b";
}

static void never_gpu_drained(struct world *world)
{
    never_gpu_in_use(world);
    world->cluster.hosts[0].drained = true;
}

/* It would run with what its definition has once it starts anew, which is its user's to do. */
static void never_gpu_until_next_start(struct world *world)
{
    struct gp_vm *vm = &world->have.vms[0];

    never_gpu_in_use(world);
    world_cut(world, &world->have.gpus[1], 4, 0);
    world_applied(world, "gpu/slot4", "partitioned 4 NVIDIA A2-4Q");
    vm->persistent_count = 0;
    world_give(world, vm, &world->have.gpus[1], 2, true);
}

static void never_gpu_by_hand(struct world *world)
{
    never_gpu_in_use(world);
    world->have.vms[0].persistent_devs[0].ours = world->have.vms[0].live[0].ours = false;
    world->have.vms[0].mark = NULL;
    world->have.vms[0].mark_fits = false;
}

/* What it had is remembered only: it is free to have another. */
static void never_gpu_remembered(struct world *world)
{
    never_gpu(world);
    world_gpu(world, 4);
    world_applied(world, gp_printf(world->mem, "vm/%s", world->have.vms[0].uuid), "slot3/0");
}

static const struct resolve_row rows[] = {
    {"two pools", two_pools,
     "slot3: GP-E203 slot3 is in pool 'vdi' and in pool 'cad'; narrow 'match' or 'select'\n"
     "a: GP-E203 slot3 is in pool 'vdi' and in pool 'cad'; narrow 'match' or 'select'\n"
     "b: GP-E203 slot3 is in pool 'vdi' and in pool 'cad'; narrow 'match' or 'select'\n",
     "error GP-E203 gpu/slot3: slot3 is in pool 'vdi' and in pool 'cad'; narrow 'match' or 'select'\n"},
    {"two modes", two_modes,
     "slot3: GP-E302 slot3 is in pool 'vdi' (partitioned) and in pool 'cad' (passthrough); a GPU has one "
     "mode\n"
     "a: GP-E302 slot3 is in pool 'vdi' (partitioned) and in pool 'cad' (passthrough); a GPU has one mode\n"
     "b: GP-E302 slot3 is in pool 'vdi' (partitioned) and in pool 'cad' (passthrough); a GPU has one mode\n",
     "error GP-E302 gpu/slot3: slot3 is in pool 'vdi' (partitioned) and in pool 'cad' (passthrough); a GPU "
     "has one mode\n"},
    /* They were pending, and lost what they ran with. */
    {"two pools, and VMs run with what the second gave them", two_pools_in_use,
     "slot3: GP-E203 slot3 is in pool 'cad' and in pool 'vdi'; narrow 'match' or 'select'\n"
     "a: GP-E203 slot3 is in pool 'cad' and in pool 'vdi'; narrow 'match' or 'select'\n"
     "b: GP-E203 slot3 is in pool 'cad' and in pool 'vdi'; narrow 'match' or 'select'\n",
     "error GP-E203 gpu/slot3: slot3 is in pool 'cad' and in pool 'vdi'; narrow 'match' or 'select'\n"},
    {"two modes, and VMs run with what the second gave them", two_modes_in_use,
     "slot3: GP-E302 slot3 is in pool 'cad' (passthrough) and in pool 'vdi' (partitioned); a GPU has one mode\n"
     "a: GP-E302 slot3 is in pool 'cad' (passthrough) and in pool 'vdi' (partitioned); a GPU has one mode\n"
     "b: GP-E302 slot3 is in pool 'cad' (passthrough) and in pool 'vdi' (partitioned); a GPU has one mode\n",
     "error GP-E302 gpu/slot3: slot3 is in pool 'cad' (passthrough) and in pool 'vdi' (partitioned); a GPU has one mode\n"},
    {"never to be touched", never_gpu, "slot3: left alone\na: pending\nb: pending\n",
     "note GP-E406 gpu/slot3: slot3 fits pool 'vdi' but is in neverTouch of this host: it is left alone\n"
     "warning GP-W306 pool/vdi: pool 'vdi' has 0 partitions on kvm-a, 0 of them for its 2 VMs; pending: "
     "a, b\n"},
    /* It was given a partition of slot4, and stopped for it. */
    {"never to be touched, and a VM runs with a partition of it", never_gpu_in_use,
     "slot3: left alone\nslot4: partitioned 4 NVIDIA A2-4Q\na: left alone\nb: slot4/0\n",
     "note GP-E406 gpu/slot3: slot3 fits pool 'vdi' but is in neverTouch of this host: it is left alone\n"
     "note GP-E406 vm/a: 'a' has slot3/0, and slot3 is in neverTouch of this host: it keeps that and is left alone\n"},
    /* So it was in each of these; where no binding names it any more, its partition went as well. */
    {"never to be touched, and its pool selects it no more", never_gpu_selected_no_more,
     "slot3: left alone\nslot4: partitioned 4 NVIDIA A2-4Q\na: left alone\nb: slot4/0\n",
     "note GP-E406 vm/a: 'a' has slot3/0, and slot3 is in neverTouch of this host: it keeps that and is left alone\n"},
    {"never to be touched, and its VM is bound to another pool", never_gpu_other_pool,
     "slot3: left alone\nslot4: partitioned 4 NVIDIA A2-4Q\nslot5: partitioned 4 NVIDIA A2-4Q\na: left alone\nb: slot5/0\n",
     "note GP-E406 vm/a: 'a' has slot3/0, and slot3 is in neverTouch of this host: it keeps that and is left alone\n"},
    {"never to be touched, and no binding names its VM any more", never_gpu_unbound,
     "slot3: left alone\nslot4: partitioned 4 NVIDIA A2-4Q\na: left alone\nb: slot4/0\n",
     "note GP-E406 gpu/slot3: slot3 fits pool 'vdi' but is in neverTouch of this host: it is left alone\n"
     "note GP-E406 vm/a: 'a' has slot3/0, and slot3 is in neverTouch of this host: it keeps that and is left alone\n"},
    {"never to be touched, and the host is drained", never_gpu_drained,
     "slot3: left alone\nslot4: left alone\na: left alone\nb: left alone\n",
     "note GP-E406 vm/a: 'a' has slot3/0, and slot3 is in neverTouch of this host: it keeps that and is left alone\n"},
    {"never to be touched, and a VM runs with it that is defined with another", never_gpu_until_next_start,
     "slot3: left alone\nslot4: partitioned 4 NVIDIA A2-4Q\na: left alone\nb: slot4/0\n",
     "note GP-E406 gpu/slot3: slot3 fits pool 'vdi' but is in neverTouch of this host: it is left alone\n"
     "note GP-E406 vm/a: 'a' has slot3/0, and slot3 is in neverTouch of this host: it keeps that and is left alone\n"},
    {"never to be touched, and a VM was given a partition of it by hand", never_gpu_by_hand,
     "slot3: left alone\nslot4: partitioned 4 NVIDIA A2-4Q\na: left alone\nb: slot4/0\n",
     "note GP-E406 gpu/slot3: slot3 fits pool 'vdi' but is in neverTouch of this host: it is left alone\n"
     "note GP-E406 vm/a: 'a' has slot3/0, and slot3 is in neverTouch of this host: it keeps that and is left alone\n"},
    {"never to be touched, and a VM had a partition of it", never_gpu_remembered,
     "slot3: left alone\nslot4: partitioned 4 NVIDIA A2-4Q\na: slot4/0\nb: slot4/1\n",
     "note GP-E406 gpu/slot3: slot3 fits pool 'vdi' but is in neverTouch of this host: it is left alone\n"},
    {"the host that is named has no such GPU", named_host_lacks, "slot3: left alone\na: pending\nb: pending\n",
     "error GP-E201 pool/vdi: kvm-a has no GPU for pool 'vdi'; GPUs here: slot3 NVIDIA A2\n"
     "warning GP-W306 pool/vdi: pool 'vdi' has 0 partitions on kvm-a, 0 of them for its 2 VMs; pending: "
     "a, b\n"},
    {"a host that a glob fits has no such GPU", glob_host_lacks,
     "slot3: left alone\na: pending\nb: pending\n",
     "warning GP-W306 pool/vdi: pool 'vdi' has 0 partitions on kvm-a, 0 of them for its 2 VMs; pending: "
     "a, b\n"},
    {"the pool is for another host", other_host, "slot3: left alone\na: pending\nb: pending\n",
     "warning GP-W306 pool/vdi: pool 'vdi' has 0 partitions on kvm-a, 0 of them for its 2 VMs; pending: "
     "a, b\n"},
    {"matched by all that can be said", match_all_ways,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"another vendor", vendor_in_hex, "slot3: left alone\na: pending\nb: pending\n",
     "warning GP-W306 pool/vdi: pool 'vdi' has 0 partitions on kvm-a, 0 of them for its 2 VMs; pending: "
     "a, b\n"},
    {"one of two is selected", left_out,
     "slot3: partitioned 4 NVIDIA A2-4Q\nslot4: left alone\na: slot3/0\nb: slot3/1\n",
     "warning GP-W203 pool/vdi: pool 'vdi' leaves out GPUs of kvm-a that fit it: slot4\n"},
    {"two that differ", unlike,
     "slot3: GP-E205 the GPUs of pool 'vdi' differ: slot3 is NVIDIA A2 (16384 MiB), slot4 is NVIDIA A16 "
     "(16384 MiB)\n"
     "slot4: GP-E205 the GPUs of pool 'vdi' differ: slot3 is NVIDIA A2 (16384 MiB), slot4 is NVIDIA A16 "
     "(16384 MiB)\n"
     "a: GP-E205 the GPUs of pool 'vdi' differ: slot3 is NVIDIA A2 (16384 MiB), slot4 is NVIDIA A16 "
     "(16384 MiB)\n"
     "b: GP-E205 the GPUs of pool 'vdi' differ: slot3 is NVIDIA A2 (16384 MiB), slot4 is NVIDIA A16 "
     "(16384 MiB)\n",
     "error GP-E205 gpu/slot3: the GPUs of pool 'vdi' differ: slot3 is NVIDIA A2 (16384 MiB), slot4 is "
     "NVIDIA A16 (16384 MiB)\n"
     "error GP-E205 gpu/slot4: the GPUs of pool 'vdi' differ: slot3 is NVIDIA A2 (16384 MiB), slot4 is "
     "NVIDIA A16 (16384 MiB)\n"},
    {"a mode that its mechanism does not offer", passthrough,
     "slot3: GP-E110 mode passthrough is not offered by mechanism sim of slot3: no way to do it\n"
     "a: GP-E110 mode passthrough is not offered by mechanism sim of slot3: no way to do it\n"
     "b: GP-E110 mode passthrough is not offered by mechanism sim of slot3: no way to do it\n",
     "error GP-E110 gpu/slot3: mode passthrough is not offered by mechanism sim of slot3: no way to do "
     "it\n"},
    /* They were pending, and lost the partitions of a GPU that stays as it is. */
    {"another mode, but its GPU is blocked", other_mode_but_blocked,
     "slot3: GP-E120 slot3 shows this host's console; if it is to go, the cluster says 'acceptRisk: [boot-display]'\n"
     "slot4: passthrough\n"
     "a: GP-E120 slot3 shows this host's console; if it is to go, the cluster says 'acceptRisk: [boot-display]'\n"
     "b: GP-E120 slot3 shows this host's console; if it is to go, the cluster says 'acceptRisk: [boot-display]'\n",
     "error GP-E120 gpu/slot3: slot3 shows this host's console; if it is to go, the cluster says 'acceptRisk: "
     "[boot-display]'\n"},
    {"no mechanism", no_mechanism,
     "slot3: GP-E110 nothing on this host can make slot3 partitioned: the vGPU driver is not loaded\n"
     "a: GP-E110 nothing on this host can make slot3 partitioned: the vGPU driver is not loaded\n"
     "b: GP-E110 nothing on this host can make slot3 partitioned: the vGPU driver is not loaded\n",
     "error GP-E110 gpu/slot3: nothing on this host can make slot3 partitioned: the vGPU driver is not "
     "loaded\n"},
    {"half-way: its mechanism knows the way out", half_way,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"no valid counts", no_counts,
     "slot3: GP-E202 it is not known how slot3 can be partitioned: neither its driver nor the catalogue "
     "tells a valid count\n"
     "a: GP-E202 it is not known how slot3 can be partitioned: neither its driver nor the catalogue tells a "
     "valid count\n"
     "b: GP-E202 it is not known how slot3 can be partitioned: neither its driver nor the catalogue tells a "
     "valid count\n",
     "error GP-E202 gpu/slot3: it is not known how slot3 can be partitioned: neither its driver nor the "
     "catalogue tells a valid count\n"},
    {"partitions stay when the pool goes", dropped_pool, "slot3: left alone\na: left alone\nb: left alone\n",
     ""},
    {"unless pruning them is asked for", dropped_pool_pruned, "slot3: none\na: left alone\nb: left alone\n",
     ""},
};

GP_ROWS(resolve, pools, rows)
{
    resolve_row_check(&rows[*i]);
}
