#include "gen.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { GPUS = 4, VMS = 12, DEVICES = GPUS * 8 + GPUS };

/* ---- chance ---- */

uint64_t gen_next(struct gen *gen)
{
    gen->state ^= gen->state >> 12;
    gen->state ^= gen->state << 25;
    gen->state ^= gen->state >> 27;
    return gen->state * 0x2545f4914f6cdd1dULL;
}

struct gen gen_seed(uint64_t seed)
{
    /* splitmix64: neighbouring seeds give unlike states. */
    uint64_t z = seed + 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return (struct gen){(z ^ (z >> 31)) | 1};
}

uint32_t gen_below(struct gen *gen, uint32_t limit)
{
    return limit ? (uint32_t)((gen_next(gen) >> 32) % limit) : 0;
}

bool gen_chance(struct gen *gen, uint32_t percent)
{
    return gen_below(gen, 100) < percent;
}

/* ---- GPUs ---- */

static uint32_t some_count(struct gen *gen)
{
    static const uint32_t counts[] = {1, 2, 2, 4, 4, 4, 8};

    return counts[gen_below(gen, sizeof counts / sizeof *counts)];
}

/* Some partitions missing, some of another size, VFs without a driver for guests. */
static void spoil(struct gen *gen, struct gp_gpu *gpu)
{
    for (size_t n = 0; n < gpu->partition_count; n++) {
        struct gp_partition *partition = &gpu->partitions[n];

        if (!partition->live || !gen_chance(gen, 40))
            continue;
        if (gen_chance(gen, 50) && partition->profile) {
            const struct gp_valid_count *other =
                &gpu->valid[gen_below(gen, (uint32_t)gpu->valid_count)];

            partition->profile = other->profile;
            partition->type_id = other->type_id;
        } else if (!gp_streq(gpu->mechanism, "loaded")) {
            partition->live = false;
            partition->profile = NULL;
            partition->type_id = 0;
            partition->driver = NULL;
        }
    }
    gen_settle(gpu);
}

static void trouble(struct gen *gen, struct gp_gpu *gpu)
{
    const bool held = gen_chance(gen, 12), unknown = gen_chance(gen, 8), bad = gen_chance(gen, 12);

    for (size_t n = 0; n < gpu->partition_count; n++) {
        struct gp_partition *partition = &gpu->partitions[n];

        if (held && partition->live && gen_chance(gen, 20)) {
            partition->held = GP_HELD_YES;
            partition->holder = "pid 812 (something)";
        } else if (unknown && partition->live && gen_chance(gen, 20)) {
            partition->held = GP_HELD_UNKNOWN;
        }
        partition->quarantined = bad && partition->live && gen_chance(gen, 20);
    }
    if (gpu->mode == GP_MODE_PASSTHROUGH && gen_chance(gen, 20))
        gpu->held = gen_chance(gen, 50) ? GP_HELD_YES : GP_HELD_UNKNOWN;
}

static void some_gpu(struct gp_arena *mem, struct gen *gen, struct gp_gpu *gpu, uint32_t number)
{
    static const char *const mechanisms[] = {"vendor", "vendor", "sriov", "sriov",
                                             "mdev",   "mdev",   "loaded"};
    const uint32_t chance = gen_below(gen, 100);
    struct gp_layout layout = {.mode = GP_MODE_NONE};

    gen_gpu_init(mem, gpu, number,
                 mechanisms[gen_below(gen, sizeof mechanisms / sizeof *mechanisms)]);
    if (gp_streq(gpu->mechanism, "loaded") && gen_chance(gen, 50))
        gen_gpu_init(mem, gpu, number, "vendor");
    if (chance < 75)
        layout = gen_layout(gpu, some_count(gen));
    else if (chance < 82 && !gp_streq(gpu->mechanism, "loaded"))
        layout.mode = GP_MODE_PASSTHROUGH;
    gen_gpu_cut(mem, gpu, &layout);
    if (gen_chance(gen, 20))
        spoil(gen, gpu);
    for (size_t n = 0; n < gpu->partition_count; n++)
        if (gpu->partitions[n].live && gpu->partitions[n].device.kind == GP_DEVICE_NONE &&
            gen_chance(gen, 30))
            gpu->partitions[n].device = (struct gp_device){
                .kind = GP_DEVICE_MDEV,
                .uuid = gp_printf(mem, "%08x-0000-4000-8000-%012x", (unsigned)number, (unsigned)n),
            };
    trouble(gen, gpu);
}

/* ---- VMs ---- */

struct pool {
    struct gp_have *have;
    struct gp_device devices[DEVICES]; /* of the host's GPUs, to hand out */
    const struct gp_gpu *gpus[DEVICES];
    int64_t parts[DEVICES];
    bool live_taken[DEVICES], defined[DEVICES];
    size_t count;
};

static void fill_pool(struct pool *pool)
{
    for (size_t g = 0; g < pool->have->gpu_count; g++) {
        const struct gp_gpu *gpu = &pool->have->gpus[g];

        for (size_t n = 0; n < gpu->partition_count; n++) {
            if (gpu->partitions[n].device.kind == GP_DEVICE_NONE)
                continue;
            pool->devices[pool->count] = gpu->partitions[n].device;
            pool->gpus[pool->count] = gpu;
            pool->parts[pool->count++] = gpu->partitions[n].index;
        }
        if (gpu->mode == GP_MODE_PARTITIONED)
            continue;
        pool->devices[pool->count] = (struct gp_device){.kind = GP_DEVICE_PCI, .pci = gpu->address};
        pool->gpus[pool->count] = gpu;
        pool->parts[pool->count++] = -1;
    }
}

static bool is_live(const struct pool *pool, size_t n)
{
    const struct gp_partition *partition;

    if (pool->parts[n] < 0)
        return pool->gpus[n]->mode == GP_MODE_PASSTHROUGH;
    partition = gp_gpu_partition(pool->gpus[n], (uint32_t)pool->parts[n]);
    return partition && partition->live;
}

/* Mostly one that exists and nobody else is defined with; pool->count: none. */
static size_t pick(struct pool *pool, struct gen *gen)
{
    for (int tries = 0; tries < 6; tries++) {
        const size_t n = gen_below(gen, (uint32_t)pool->count);

        if (!pool->count)
            break;
        if ((is_live(pool, n) && !pool->defined[n]) || gen_chance(gen, 4))
            return n;
    }
    return pool->count;
}

static void set_mark(struct gp_arena *mem, struct pool *pool, struct gp_vm *vm, size_t n)
{
    vm->mark = gp_new(mem, struct gp_mark);
    *vm->mark = (struct gp_mark){
        .host = pool->have->machine_id,
        .vm = vm->uuid,
        .binding = "desktops",
        .pool = "vdi",
        .partition = pool->parts[n] < 0
                         ? pool->gpus[n]->id
                         : gp_partition_symbol(mem, pool->gpus[n]->id, (uint32_t)pool->parts[n]),
        .device = pool->devices[n],
    };
    vm->mark_fits = true;
}

static void define_with(struct gp_arena *mem, struct gen *gen, struct pool *pool, struct gp_vm *vm)
{
    const size_t n = pick(pool, gen);
    const uint32_t whose = gen_below(gen, 100);
    struct gp_hostdev *dev;

    if (n == pool->count)
        return;
    for (size_t d = 0; d < vm->persistent_count; d++)
        if (gp_device_eq(vm->persistent_devs[d].device, pool->devices[n]))
            return; /* libvirt defines no domain with one device twice */
    pool->defined[n] = true;
    dev = gp_push(mem, vm->persistent_devs, vm->persistent_count);
    dev->device = pool->devices[n];
    if (whose < 72 && !vm->mark) {
        dev->ours = true;
        dev->alias = "ua-gpupart-0";
        set_mark(mem, pool, vm, n);
    } else if (whose > 92) {
        dev->stray_mark = true;
        dev->alias = "ua-gpupart-3";
    }
}

/* Ours, but what it names is gone: after a reboot, say. */
static void define_with_nothing(struct gp_arena *mem, struct pool *pool, struct gp_vm *vm)
{
    struct gp_hostdev *dev = gp_push(mem, vm->persistent_devs, vm->persistent_count);

    dev->device =
        (struct gp_device){.kind = GP_DEVICE_MDEV, .uuid = "deadbeef-0000-4000-8000-000000000000"};
    dev->ours = true;
    dev->alias = "ua-gpupart-0";
    vm->mark = gp_new(mem, struct gp_mark);
    *vm->mark = (struct gp_mark){
        pool->have->machine_id, vm->uuid, "desktops", "vdi", "slot1/1", dev->device};
    vm->mark_fits = true;
}

static bool take_live(struct gen *gen, struct pool *pool, struct gp_device device)
{
    for (size_t n = 0; n < pool->count; n++) {
        struct gp_gpu *gpu;
        struct gp_partition *partition;

        if (!gp_device_eq(pool->devices[n], device))
            continue;
        if (pool->live_taken[n] || !is_live(pool, n))
            return false;
        pool->live_taken[n] = true;
        if (!gp_have_find(pool->have, device, &gpu, &partition))
            return false;
        if (partition)
            partition->held = gen_chance(gen, 95) ? GP_HELD_YES : GP_HELD_UNKNOWN;
        else
            gpu->held = GP_HELD_YES;
        return true;
    }
    return device.kind == GP_DEVICE_PCI; /* a network card, say; no mdev that is gone */
}

static void run_with(struct gp_arena *mem, struct gen *gen, struct pool *pool, struct gp_vm *vm)
{
    if (gen_chance(gen, 85)) {
        for (size_t n = 0; n < vm->persistent_count; n++)
            if (take_live(gen, pool, vm->persistent_devs[n].device))
                *gp_push(mem, vm->live, vm->live_count) = vm->persistent_devs[n];
    } else if (gen_chance(gen, 70)) {
        const size_t n = pick(pool, gen);

        if (n < pool->count && take_live(gen, pool, pool->devices[n])) {
            struct gp_hostdev *dev = gp_push(mem, vm->live, vm->live_count);

            pool->defined[n] = true;
            dev->device = pool->devices[n];
            dev->ours = gen_chance(gen, 70);
        }
    }
}

static void some_vm(struct gp_arena *mem, struct gen *gen, struct pool *pool, struct gp_vm *vm,
                    uint32_t number)
{
    static const struct gp_hostdev nic = {.device = {.kind = GP_DEVICE_PCI, .pci = {.bus = 0xf0}}};
    const uint32_t power = gen_below(gen, 100);

    vm->name = gp_printf(mem, "vm-%02u", (unsigned)number);
    vm->uuid = gp_printf(mem, "00000000-0000-4000-8000-%012u", (unsigned)number);
    vm->power = power < 60   ? GP_POWER_RUNNING
                : power < 95 ? GP_POWER_OFF
                : power < 98 ? GP_POWER_PAUSED
                             : GP_POWER_OTHER;
    vm->persistent = vm->power == GP_POWER_OFF || gen_chance(gen, 97);
    vm->memory_kib = 1048576 * (1 + gen_below(gen, 8));
    if (gen_chance(gen, 5))
        *gp_push(mem, vm->persistent_devs, vm->persistent_count) = nic;
    if (gen_chance(gen, 65))
        define_with(mem, gen, pool, vm);
    else if (gen_chance(gen, 8))
        define_with_nothing(mem, pool, vm);
    if (gen_chance(gen, 3))
        define_with(mem, gen, pool, vm);
    if (vm->power != GP_POWER_OFF)
        run_with(mem, gen, pool, vm);
    if (vm->power == GP_POWER_PAUSED)
        vm->unstoppable = "it is paused";
    else if (vm->power == GP_POWER_RUNNING && gen_chance(gen, 6))
        vm->unstoppable = "a backup is running";
}

struct gp_have *gen_have(struct gp_arena *mem, struct gen *gen)
{
    struct gp_have *have = gp_new(mem, struct gp_have);
    struct pool *pool = gp_new(mem, struct pool);
    const uint32_t gpus = 1 + gen_below(gen, GPUS), vms = gen_below(gen, VMS + 1);

    have->host = "kvm-a";
    have->machine_id = "5e0f6a0c7d6b4b2f9a0c1d2e3f405162";
    for (uint32_t n = 0; n < gpus; n++)
        some_gpu(mem, gen, gp_push(mem, have->gpus, have->gpu_count), n + 1);
    gen_observe(mem, have);
    pool->have = have;
    fill_pool(pool);
    for (uint32_t n = 0; n < vms; n++)
        some_vm(mem, gen, pool, gp_push(mem, have->vms, have->vm_count), n);
    if (gen_chance(gen, 1)) {
        have->vms_unknown = true;
        have->vms_reason = "no libvirt";
    }
    return have;
}

/* ---- goals ---- */

static struct gp_layout some_layout(struct gen *gen, const struct gp_gpu *gpu)
{
    const uint32_t chance = gen_below(gen, 100);

    if (chance < 45 && gpu->count)
        return gen_layout(gpu, gpu->count);
    if (chance < 90)
        return gen_layout(gpu, some_count(gen));
    return (struct gp_layout){.mode = chance < 96 ? GP_MODE_PASSTHROUGH : GP_MODE_NONE};
}

static void some_goal_gpu(struct gen *gen, const struct gp_gpu *gpu, struct gp_goal_gpu *goal)
{
    const uint32_t chance = gen_below(gen, 100);

    goal->id = gpu->id;
    goal->managed = chance < 85;
    goal->want = some_layout(gen, gpu);
    if (chance >= 80 && chance < 90) {
        goal->rule = "GP-E210";
        goal->blocked = "the count is not one of the valid ones";
    }
}

/* What somebody has or wants: partitions of the layout that is wanted, less what cannot be given.
 */
struct offers {
    const char *gpu[DEVICES];
    int64_t part[DEVICES];
    struct gp_device device[DEVICES];
    bool taken[DEVICES];
    size_t count;
};

static bool is_named(const struct gp_have *have, struct gp_device device,
                     const struct gp_vm *except)
{
    for (size_t v = 0; v < have->vm_count; v++) {
        const struct gp_vm *vm = &have->vms[v];

        for (size_t n = 0; vm != except && n < vm->persistent_count; n++)
            if (gp_device_eq(vm->persistent_devs[n].device, device) && !vm->persistent_devs[n].ours)
                return true;
    }
    return false;
}

static void offer_gpu(struct gp_arena *mem, struct gen *gen, const struct gp_have *have,
                      const struct gp_gpu *gpu, const struct gp_goal_gpu *goal,
                      struct offers *offers)
{
    struct gp_gpu after = *gpu;

    if ((!goal->managed || goal->rule) && !gen_chance(gen, 10))
        return;
    after.partitions = NULL;
    after.partition_count = 0;
    for (size_t n = 0; n < gpu->partition_count; n++)
        *gp_push(mem, after.partitions, after.partition_count) = gpu->partitions[n];
    if (goal->managed && !goal->rule)
        gen_gpu_cut(mem, &after, &goal->want);
    if (after.mode == GP_MODE_PASSTHROUGH) {
        offers->gpu[offers->count] = gpu->id;
        offers->part[offers->count++] = -1;
    }
    for (size_t n = 0; n < after.partition_count; n++) {
        const struct gp_partition *partition = &after.partitions[n];

        if (!partition->live)
            continue;
        if ((partition->quarantined || partition->held == GP_HELD_UNKNOWN ||
             is_named(have, partition->device, NULL)) &&
            !gen_chance(gen, 10))
            continue;
        offers->gpu[offers->count] = gpu->id;
        offers->device[offers->count] = partition->device;
        offers->part[offers->count++] = partition->index;
    }
}

static bool is_offer_of(const struct offers *offers, size_t n, const struct gp_mark *mark,
                        struct gp_arena *mem)
{
    return mark && offers->part[n] >= 0 &&
           gp_streq(mark->partition,
                    gp_partition_symbol(mem, offers->gpu[n], (uint32_t)offers->part[n]));
}

/* Keeps what it has where that is on offer, mostly; a hand-made one counts. */
static size_t choose(struct gp_arena *mem, struct gen *gen, const struct offers *offers,
                     const struct gp_vm *vm)
{
    const bool sticky = gen_chance(gen, 80);

    for (size_t n = 0; sticky && n < offers->count; n++) {
        if (offers->taken[n])
            continue;
        if (is_offer_of(offers, n, vm->mark, mem))
            return n;
        for (size_t d = 0; d < vm->persistent_count; d++)
            if (gp_device_eq(vm->persistent_devs[d].device, offers->device[n]))
                return n;
    }
    for (int tries = 0; offers->count && tries < 8; tries++) {
        const size_t n = gen_below(gen, (uint32_t)offers->count);

        if (!offers->taken[n])
            return n;
    }
    return offers->count;
}

static void some_goal_vm(struct gp_arena *mem, struct gen *gen, const struct gp_vm *vm,
                         struct offers *offers, struct gp_goal_vm *goal)
{
    size_t n;

    *goal = (struct gp_goal_vm){
        .uuid = vm->uuid,
        .name = vm->name,
        .managed = gen_chance(gen, vm->mark ? 90 : 60),
        .run = vm->power != GP_POWER_OFF || gen_chance(gen, 15),
        .stop = {.timeout_ms = 60000, .method = {GP_STOP_AGENT, GP_STOP_ACPI}},
    };
    if (gen_chance(gen, 3)) {
        goal->rule = "GP-E303";
        goal->blocked = "it is defined on another host";
    }
    if (!goal->managed || gen_chance(gen, 20))
        return;
    goal->binding = gen_chance(gen, 85) ? "desktops" : "cad";
    goal->pool = "vdi";
    goal->next_start = gen_chance(gen, 15);
    n = choose(mem, gen, offers, vm);
    if (n == offers->count || gen_chance(gen, 6)) {
        goal->pending = true;
        return;
    }
    offers->taken[n] = true;
    goal->gpu = offers->gpu[n];
    goal->partition = offers->part[n] < 0 ? 0 : (uint32_t)offers->part[n];
}

static int compare_applied(const void *a, const void *b)
{
    return gp_strcmp(((const struct gp_applied *)a)->key, ((const struct gp_applied *)b)->key);
}

static void some_memory(struct gp_arena *mem, struct gen *gen, struct gen_state *state)
{
    struct gp_memory *memory = state->memory;

    for (size_t n = 0; n < state->goal->gpu_count; n++) {
        const struct gp_goal_gpu *goal = &state->goal->gpus[n];

        if (gen_chance(gen, 60))
            *gp_push(mem, memory->applied, memory->applied_count) = (struct gp_applied){
                .key = gp_printf(mem, "gpu/%s", goal->id),
                .value = gen_chance(gen, 50)
                             ? gp_layout_value(mem, &goal->want)
                             : gp_gpu_value(mem, gp_have_gpu(state->have, goal->id)),
                .commit = "0123456789",
            };
    }
    for (size_t n = 0; n < state->goal->vm_count; n++) {
        const struct gp_goal_vm *goal = &state->goal->vms[n];

        if (gen_chance(gen, 60))
            *gp_push(mem, memory->applied, memory->applied_count) = (struct gp_applied){
                .key = gp_printf(mem, "vm/%s", goal->uuid),
                .value = goal->gpu && gen_chance(gen, 50)
                             ? gp_partition_symbol(mem, goal->gpu, goal->partition)
                             : gp_vm_value(mem, state->have, &state->have->vms[n]),
                .commit = "0123456789",
            };
    }
    if (memory->applied_count)
        qsort(memory->applied, memory->applied_count, sizeof *memory->applied, compare_applied);
}

static bool differs(const struct gp_vm *vm)
{
    if (vm->live_count != vm->persistent_count)
        return true;
    for (size_t n = 0; n < vm->live_count; n++)
        if (!gp_device_eq(vm->live[n].device, vm->persistent_devs[n].device))
            return true;
    return false;
}

static void note_traits(struct gen_state *state)
{
    const struct gp_have *have = state->have;

    for (size_t n = 1; n < have->gpu_count; n++)
        if (have->gpu_count >= 3 && !gp_streq(have->gpus[n].mechanism, have->gpus[0].mechanism))
            state->traits.many_gpus = true;
    for (size_t v = 0; v < have->vm_count; v++) {
        const struct gp_vm *vm = &have->vms[v];
        const bool running = vm->power != GP_POWER_OFF;

        state->traits.live_differs |= running && differs(vm);
        state->traits.unstoppable |= running && (vm->unstoppable || !vm->persistent);
        for (size_t n = 0; running && n < vm->live_count; n++) {
            struct gp_gpu *gpu;
            struct gp_partition *partition;

            state->traits.foreign_holder |=
                !vm->live[n].ours && !state->goal->vms[v].managed &&
                gp_have_find(have, vm->live[n].device, &gpu, &partition);
        }
    }
}

struct gen_state gen_state(struct gp_arena *mem, uint64_t seed)
{
    struct gen gen = gen_seed(seed);
    struct gen_state state = {
        .have = gen_have(mem, &gen),
        .goal = gp_new(mem, struct gp_goal),
        .memory = gp_new(mem, struct gp_memory),
    };
    struct offers *offers = gp_new(mem, struct offers);

    state.goal->commit = "0123456789";
    state.goal->cluster = "edge";
    state.goal->declared = gen_chance(&gen, 98);
    for (size_t n = 0; n < state.have->gpu_count; n++) {
        struct gp_goal_gpu *goal = gp_push(mem, state.goal->gpus, state.goal->gpu_count);

        some_goal_gpu(&gen, &state.have->gpus[n], goal);
        offer_gpu(mem, &gen, state.have, &state.have->gpus[n], goal, offers);
    }
    for (size_t n = 0; n < state.have->vm_count; n++)
        some_goal_vm(mem, &gen, &state.have->vms[n], offers,
                     gp_push(mem, state.goal->vms, state.goal->vm_count));
    some_memory(mem, &gen, &state);
    note_traits(&state);
    state.input = (struct gp_plan_input){
        .goal = state.goal,
        .have = state.have,
        .memory = state.memory,
        .mechanism = gen_mechanism,
        .host_memory = gen_chance(&gen, 20) ? (uint64_t)(8 + gen_below(&gen, 40)) << 30 : 0,
        .reserve_memory = (uint64_t)1 << 30,
    };
    return state;
}
