#include "gen.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { GPUS = 4, VMS = 12, DEVICES = GPUS * 8 + GPUS };

/* ---- chance ---- */

struct gen gen_bytes(const uint8_t *bytes, size_t count)
{
    return (struct gen){.bytes = bytes ? bytes : (const uint8_t *)"", .left = count};
}

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
    return (struct gen){.state = (z ^ (z >> 31)) | 1};
}

uint32_t gen_below(struct gen *gen, uint32_t limit)
{
    if (gen->bytes) {
        if (!gen->left || !limit)
            return limit ? limit - 1 : 0;
        gen->left--;
        return *gen->bytes++ % limit;
    }
    return limit ? (uint32_t)((gen_next(gen) >> 32) % limit) : 0;
}

bool gen_chance(struct gen *gen, uint32_t percent)
{
    return gen_below(gen, 100) < percent;
}

/* ---- GPUs ---- */

uint32_t gen_count(struct gen *gen)
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

/* Has its VFs stand two by two in one IOMMU group: only those that stay, since of others nobody knows it before they are
 * there. With dice of its own: whatever comes next is drawn as it was before there were such GPUs. */
static void some_pairs(struct gen gen, struct gp_gpu *gpu)
{
    if (!gen.bytes)
        gen = gen_seed(gen.state);
    if (!gp_streq(gpu->mechanism, "vendor") || !gen_chance(&gen, 25))
        return;
    for (size_t n = 1; n < gpu->partition_count; n += 2)
        gpu->partitions[n].group = gpu->partitions[n - 1].group;
}

/* The functions of one IOMMU group are held together. */
static void spread_held(struct gp_gpu *gpu)
{
    for (size_t n = 0; n < gpu->partition_count; n++)
        for (size_t m = 0; m < gpu->partition_count; m++) {
            const struct gp_partition *from = &gpu->partitions[n];
            struct gp_partition *to = &gpu->partitions[m];

            if (from->group >= 0 && from->group == to->group && from->held > to->held) {
                to->held = from->held;
                to->holder = from->holder;
            }
        }
}

static void some_gpu(struct gp_arena *mem, struct gen *gen, struct gp_gpu *gpu, uint32_t number)
{
    static const char *const mechanisms[] = {"vendor", "vendor", "sriov", "sriov",
                                             "mdev",   "mdev",   "loaded"};
    const uint32_t chance = gen_below(gen, 100);
    struct gp_layout layout = {.mode = GP_MODE_NONE};

    gen_gpu_init(mem, gpu, number,
                 mechanisms[gen_below(gen, sizeof mechanisms / sizeof *mechanisms)]);
    if (gp_streq(gpu->mechanism, "loaded") && gen_chance(gen, 40))
        gen_gpu_init(mem, gpu, number, "vendor");
    if (chance < 75)
        layout = gen_layout(gpu, gen_count(gen));
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
    some_pairs(*gen, gpu);
    trouble(gen, gpu);
    spread_held(gpu);
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
    } else {
        dev->alias_named = gen_below(gen, 8) == 0;
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

/* Whether somebody runs with the partition's neighbour in its group. */
static bool is_taken_beside(const struct pool *pool, size_t n)
{
    const struct gp_partition *mine = pool->parts[n] < 0 ? NULL : gp_gpu_partition(pool->gpus[n], (uint32_t)pool->parts[n]);

    for (size_t other = 0; mine && mine->group >= 0 && other < pool->count; other++) {
        const struct gp_partition *partition =
            pool->parts[other] < 0 ? NULL : gp_gpu_partition(pool->gpus[other], (uint32_t)pool->parts[other]);

        if (pool->live_taken[other] && partition && partition->group == mine->group)
            return true;
    }
    return false;
}

static bool take_live(struct gen *gen, struct pool *pool, struct gp_device device)
{
    for (size_t n = 0; n < pool->count; n++) {
        struct gp_gpu *gpu;
        struct gp_partition *partition;

        if (!gp_device_eq(pool->devices[n], device))
            continue;
        if (pool->live_taken[n] || !is_live(pool, n) || is_taken_beside(pool, n))
            return false;
        pool->live_taken[n] = true;
        if (!gp_have_find(pool->have, device, &gpu, &partition))
            return false;
        if (partition)
            partition->held = gen_chance(gen, 95) ? GP_HELD_YES : GP_HELD_UNKNOWN;
        else
            gpu->held = GP_HELD_YES;
        spread_held(gpu);
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

/* With dice of its own: whoever comes next throws what he threw before there were such VMs. */
static void someone_elses(struct gen gen, struct gp_vm *vm)
{
    (void)gen_below(&gen, 100);
    if (gen_chance(&gen, 4))
        vm->untouchable = vm->unstoppable = "is managed by somebody else";
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
    someone_elses(*gen, vm);
}

static void some_units(struct gp_arena *mem, struct gen *gen, struct gp_have *have)
{
    static const char *const names[] = {"nvidia-persistenced.service", "dcgm-exporter.service"};
    const uint32_t count = gen_below(gen, 100) < 60 ? 0 : 1 + gen_below(gen, 2);

    for (uint32_t n = 0; n < count; n++) {
        struct gp_unit *unit = gp_push(mem, have->units, have->unit_count);
        const uint32_t chance = gen_below(gen, 100);

        unit->name = names[n];
        unit->listed = gen_chance(gen, 95);
        unit->state = chance < 65 ? GP_UNIT_ACTIVE : chance < 95 ? GP_UNIT_INACTIVE : GP_UNIT_UNKNOWN;
        if (unit->state == GP_UNIT_UNKNOWN)
            unit->reason = "systemd does not answer";
    }
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
    some_units(mem, gen, have);
    if (gen_chance(gen, 1)) {
        have->vms_unknown = true;
        have->vms_reason = "no libvirt";
    }
    return have;
}
