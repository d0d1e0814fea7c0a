#include "world.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { VFS = 16 };

static bool matches(const struct gp_gpu *gpu, const struct gp_layout *want)
{
    if (want->mode == GP_MODE_NONE)
        return gpu->mode == GP_MODE_NONE;
    return gpu->mode == want->mode && gpu->count == want->count &&
           gp_streq(gpu->profile, want->profile);
}

static void add(struct gp_steps *steps, enum gp_step_kind kind, const struct gp_gpu *gpu, uint32_t index,
                const char *before, const char *after)
{
    struct gp_step *step = gp_steps_add(steps, kind, gpu->id);

    step->partition = index;
    step->reach = GP_REACH_GPU;
    step->before = before;
    step->after = step->profile = after;
    step->timeout_ms = 1000;
}

/* All partitions go, and those that are wanted are made on the first VFs. */
static struct gp_error *plan(const struct gp_gpu *gpu, const struct gp_layout *want,
                             struct gp_steps *steps)
{
    if (want->mode != GP_MODE_PARTITIONED && want->mode != GP_MODE_NONE)
        return gp_error_new(GP_E_UNSUPPORTED, "no way to do it");
    if (matches(gpu, want))
        return NULL;
    for (size_t n = 0; n < gpu->partition_count; n++)
        if (gpu->partitions[n].live)
            add(steps, GP_STEP_RELEASE_PARTITION, gpu, gpu->partitions[n].index, gpu->partitions[n].profile,
                NULL);
    for (uint32_t n = 0; n < want->count; n++)
        add(steps, GP_STEP_CREATE_PARTITION, gpu, n, NULL, want->profile);
    return NULL;
}

static void predict(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step)
{
    struct gp_partition *partition = gp_gpu_partition(gpu, (uint32_t)step->partition);

    if (!partition) {
        partition = gp_push(mem, gpu->partitions, gpu->partition_count);
        partition->index = (uint32_t)step->partition;
        partition->device.kind = GP_DEVICE_PCI;
        partition->device.pci = gp_pci_vf(gpu->address, gpu->vf_offset, gpu->vf_stride, partition->index);
    }
    partition->quarantined &= step->kind != GP_STEP_RELEASE_PARTITION; /* a new one is sound */
    partition->live = step->kind == GP_STEP_CREATE_PARTITION;
    partition->profile = partition->live ? step->profile : NULL;
    gpu->count = 0;
    gpu->profile = NULL;
    for (size_t n = 0; n < gpu->partition_count; n++)
        if (gpu->partitions[n].live) {
            gpu->count++;
            gpu->profile = gpu->partitions[n].profile;
        }
    gpu->mode = gpu->count ? GP_MODE_PARTITIONED : GP_MODE_NONE;
    gpu->status = gpu->count ? GP_GPU_PARTITIONED : GP_GPU_PARTITIONABLE;
}

const struct gp_mechanism *world_mechanism(const char *name)
{
    static const struct gp_mechanism sim = {"sim", matches, plan, predict};
    static const struct gp_mechanism nvidia = {"nvidia-vfio", matches, plan, predict};

    return gp_streq(name, "sim") ? &sim : gp_streq(name, "nvidia-vfio") ? &nvidia : NULL;
}

struct world *world_new(struct gp_arena *mem)
{
    struct world *world = gp_new(mem, struct world);
    struct gp_host_decl *host = gp_push(mem, world->cluster.hosts, world->cluster.host_count);

    world->mem = mem;
    world->agent.name = "kvm-a";
    world->agent.cluster = "c";
    world->agent.ceiling_vms_stopped = world->agent.ceiling_gpus_changed = UINT32_MAX;
    host->name = "kvm-a";
    world->cluster.name = "c";
    world->cluster.policy.prune_bindings = true;
    world->cluster.policy.max_vms_stopped = world->cluster.policy.max_gpus_changed = UINT32_MAX;
    world->clusters[0] = &world->cluster;
    world->declaration.clusters = world->clusters;
    world->declaration.cluster_count = 1;
    world->have.host = "kvm-a";
    world->have.machine_id = "5e0f6a0c7d6b4b2f9a0c1d2e3f405162";
    world->allowed_removal = UINT32_MAX;
    return world;
}

struct gp_goal *world_resolve(struct world *world)
{
    return gp_resolve(world->mem, &(struct gp_resolve_input){
                                      .declaration = &world->declaration,
                                      .agent = &world->agent,
                                      .have = &world->have,
                                      .memory = &world->memory,
                                      .mechanism = world_mechanism,
                                      .allowed_removal = world->allowed_removal,
                                      .approved = &world->approved,
                                  });
}

struct gp_gpu *world_gpu(struct world *world, uint8_t bus)
{
    static const char series[] = "ACQ";
    struct gp_gpu *gpu = gp_push(world->mem, world->have.gpus, world->have.gpu_count);

    gpu->id = gp_printf(world->mem, "slot%u", (unsigned)bus);
    gpu->slot = gp_printf(world->mem, "%u", (unsigned)bus);
    gpu->address = (struct gp_pci){.bus = bus};
    gpu->vendor = 0x10de;
    gpu->device = 0x25b6;
    gpu->model = "NVIDIA A2";
    gpu->vram_mib = 16384;
    gpu->numa_node = -1;
    gpu->group = bus * 32 + 31;
    gpu->mechanism = "sim";
    gpu->vf_total = VFS;
    gpu->vf_offset = 4;
    gpu->vf_stride = 1;
    for (uint32_t count = VFS; count > 0; count /= 2)
        for (const char *s = series; *s; s++) {
            struct gp_valid_count *way = gp_push(world->mem, gpu->valid, gpu->valid_count);

            way->count = count;
            way->profile = gp_printf(world->mem, "NVIDIA A2-%u%c", VFS / (unsigned)count, *s);
            way->vram_mib = 16384 / count;
        }
    for (uint32_t n = 0; n < VFS; n++) {
        struct gp_partition *partition =
            gp_push(world->mem, gpu->partitions, gpu->partition_count);

        partition->index = n;
        partition->group = bus * 32 + (int32_t)n;
        partition->device.kind = GP_DEVICE_PCI;
        partition->device.pci = gp_pci_vf(gpu->address, gpu->vf_offset, gpu->vf_stride, n);
    }
    return gpu;
}

void world_cut(struct world *world, struct gp_gpu *gpu, uint32_t count, uint32_t first)
{
    gpu->count = count;
    gpu->mode = count ? GP_MODE_PARTITIONED : GP_MODE_NONE;
    gpu->status = count ? GP_GPU_PARTITIONED : GP_GPU_PARTITIONABLE;
    gpu->profile = count ? gp_printf(world->mem, "NVIDIA A2-%uQ", VFS / (unsigned)count) : NULL;
    for (size_t n = 0; n < gpu->partition_count; n++) {
        gpu->partitions[n].live = n >= first && n < first + count;
        gpu->partitions[n].profile = gpu->partitions[n].live ? gpu->profile : NULL;
    }
}

struct gp_pool_decl *world_pool(struct world *world, const char *name, uint32_t count,
                                const char *slot)
{
    struct gp_pool_decl *pool = gp_push(world->mem, world->cluster.pools, world->cluster.pool_count);

    pool->name = name;
    pool->mode = GP_MODE_PARTITIONED;
    pool->count = count;
    if (slot)
        *gp_push(world->mem, pool->select.slots.items, pool->select.slots.count) = slot;
    return pool;
}

struct gp_binding_decl *world_binding(struct world *world, const char *name, const char *pool)
{
    struct gp_binding_decl *binding = gp_new(world->mem, struct gp_binding_decl);

    *gp_push(world->mem, world->declaration.bindings, world->declaration.binding_count) = binding;
    binding->name = name;
    binding->cluster = "c";
    binding->pool = pool;
    binding->gpu_count = 1;
    return binding;
}

struct gp_vm_decl *world_bind(struct world *world, struct gp_binding_decl *binding, const char *vm)
{
    struct gp_vm_decl *decl = gp_push(world->mem, binding->vms, binding->vm_count);

    decl->name = vm;
    return decl;
}

struct gp_vm *world_vm(struct world *world, const char *name)
{
    struct gp_vm *vm = gp_push(world->mem, world->have.vms, world->have.vm_count);

    vm->name = name;
    vm->uuid = gp_uuid5(world->mem, "vm", name);
    vm->persistent = true;
    return vm;
}

static void mark(struct world *world, struct gp_vm *vm, struct gp_gpu *gpu, uint32_t index,
                 struct gp_device device)
{
    vm->mark = gp_new(world->mem, struct gp_mark);
    vm->mark->host = world->have.machine_id;
    vm->mark->vm = vm->uuid;
    vm->mark->partition = gp_partition_symbol(world->mem, gpu->id, index);
    vm->mark->device = device;
    vm->mark_fits = true;
}

struct gp_hostdev *world_give(struct world *world, struct gp_vm *vm, struct gp_gpu *gpu,
                              uint32_t index, bool ours)
{
    struct gp_hostdev *dev = gp_push(world->mem, vm->persistent_devs, vm->persistent_count);

    dev->device = gp_gpu_partition(gpu, index)->device;
    dev->ours = ours;
    if (ours)
        mark(world, vm, gpu, index, dev->device);
    return dev;
}

void world_run(struct world *world, struct gp_vm *vm)
{
    vm->power = GP_POWER_RUNNING;
    vm->live_count = 0;
    vm->live = NULL;
    for (size_t n = 0; n < vm->persistent_count; n++)
        *gp_push(world->mem, vm->live, vm->live_count) = vm->persistent_devs[n];
}

static int compare_applied(const void *a, const void *b)
{
    return gp_strcmp(((const struct gp_applied *)a)->key, ((const struct gp_applied *)b)->key);
}

void world_applied(struct world *world, const char *key, const char *value)
{
    struct gp_memory *memory = &world->memory;

    for (size_t n = 0; n < memory->applied_count; n++)
        if (gp_streq(memory->applied[n].key, key)) {
            memory->applied[n].value = value;
            return;
        }
    *gp_push(world->mem, memory->applied, memory->applied_count) = (struct gp_applied){key, value, NULL, 0};
    qsort(memory->applied, memory->applied_count, sizeof *memory->applied, compare_applied);
}

/* ---- doing what a goal says ---- */

static bool names_live_of(const struct world *world, const struct gp_vm *vm, const struct gp_gpu *gpu)
{
    for (size_t side = 0; side < 2; side++) {
        const struct gp_hostdev *devs = side ? vm->live : vm->persistent_devs;
        size_t count = side ? vm->live_count : vm->persistent_count;

        for (size_t n = 0; n < count; n++) {
            struct gp_gpu *of;
            struct gp_partition *partition;

            if (gp_have_find(&world->have, devs[n].device, &of, &partition) && of == gpu &&
                partition && partition->live)
                return true;
        }
    }
    return false;
}

static bool runs_on(const struct world *world, struct gp_device device)
{
    for (size_t n = 0; n < world->have.vm_count; n++)
        for (size_t d = 0; d < world->have.vms[n].live_count; d++)
            if (gp_device_eq(world->have.vms[n].live[d].device, device))
                return true;
    return false;
}

static bool may_cut(const struct world *world, const struct gp_goal *goal, const struct gp_gpu *gpu)
{
    for (size_t n = 0; n < gpu->partition_count; n++)
        if (gpu->partitions[n].held != GP_HELD_NO && !runs_on(world, gpu->partitions[n].device))
            return false;
    for (size_t n = 0; n < goal->vm_count; n++) {
        const struct gp_vm *vm = &world->have.vms[n];

        if (names_live_of(world, vm, gpu) &&
            (!goal->vms[n].managed || goal->vms[n].blocked || vm->unstoppable ||
             vm->power == GP_POWER_PAUSED))
            return false;
    }
    return true;
}

static bool apply_vm(struct world *world, const struct gp_goal *goal, size_t n)
{
    const struct gp_goal_vm *want = &goal->vms[n];
    struct gp_vm *vm = &world->have.vms[n];
    struct gp_gpu *gpu = want->gpu ? gp_have_gpu(&world->have, want->gpu) : NULL;
    struct gp_hostdev *devs = NULL;
    size_t count = 0;
    bool there = false, changes;

    if (!want->managed || want->blocked)
        return true;
    for (size_t d = 0; d < vm->persistent_count; d++) {
        struct gp_hostdev dev = vm->persistent_devs[d];

        if (gpu && gp_device_eq(dev.device, gp_gpu_partition(gpu, want->partition)->device))
            dev.ours = there = true;
        else if (dev.ours)
            continue;
        *gp_push(world->mem, devs, count) = dev;
    }
    if (gpu && !there)
        *gp_push(world->mem, devs, count) = (struct gp_hostdev){
            .device = gp_gpu_partition(gpu, want->partition)->device, .ours = true};
    changes = count != vm->persistent_count || (gpu && !there);
    if (changes && !want->next_start && vm->power != GP_POWER_OFF &&
        (vm->unstoppable || vm->power == GP_POWER_PAUSED))
        return false;
    vm->persistent_devs = devs;
    vm->persistent_count = count;
    if (gpu)
        mark(world, vm, gpu, want->partition, gp_gpu_partition(gpu, want->partition)->device);
    if (vm->power == GP_POWER_RUNNING && !want->next_start)
        world_run(world, vm);
    world_applied(world, gp_printf(world->mem, "vm/%s", vm->uuid),
                  gp_vm_value(world->mem, &world->have, vm));
    return true;
}

bool world_apply(struct world *world, const struct gp_goal *goal)
{
    bool *held_before = gp_new_array(world->mem, bool, world->have.gpu_count * VFS);

    for (size_t n = 0; n < world->have.gpu_count; n++)
        for (size_t p = 0; p < world->have.gpus[n].partition_count; p++)
            held_before[n * VFS + p] = runs_on(world, world->have.gpus[n].partitions[p].device);
    for (size_t n = 0; n < goal->gpu_count; n++) {
        struct gp_gpu *gpu = &world->have.gpus[n];
        const struct gp_goal_gpu *want = &goal->gpus[n];

        if (!want->managed || want->blocked)
            continue;
        if (!matches(gpu, &want->want)) {
            if (!may_cut(world, goal, gpu))
                return false;
            for (size_t p = 0; p < gpu->partition_count; p++)
                gpu->partitions[p].quarantined &= !gpu->partitions[p].live; /* else made anew */
            world_cut(world, gpu, want->want.count, 0);
            gpu->profile = want->want.profile;
        }
        world_applied(world, gp_printf(world->mem, "gpu/%s", gpu->id), gp_gpu_value(world->mem, gpu));
    }
    for (size_t n = 0; n < goal->vm_count; n++)
        if (!apply_vm(world, goal, n))
            return false;
    /* Who held it as a known VM does no more. */
    for (size_t n = 0; n < world->have.gpu_count; n++)
        for (size_t p = 0; p < world->have.gpus[n].partition_count; p++)
            if (held_before[n * VFS + p])
                world->have.gpus[n].partitions[p].held =
                    runs_on(world, world->have.gpus[n].partitions[p].device) ? GP_HELD_YES : GP_HELD_NO;
    return true;
}

/* ---- by chance ---- */

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
            world_give(world, vm, gpu, index, false)->stray_mark = true;
            mark(world, vm, gpu, index, vm->persistent_devs[0].device);
            vm->mark_fits = false;
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

const char *world_text(struct gp_arena *mem, const struct gp_goal *goal)
{
    struct gp_text text = {.mem = mem};

    for (size_t n = 0; n < goal->gpu_count; n++) {
        const struct gp_goal_gpu *gpu = &goal->gpus[n];

        if (!gpu->managed)
            gp_text_addf(&text, "%s: left alone\n", gpu->id);
        else if (gpu->blocked)
            gp_text_addf(&text, "%s: %s %s\n", gpu->id, gpu->rule, gpu->blocked);
        else
            gp_text_addf(&text, "%s: %s\n", gpu->id, gp_layout_value(mem, &gpu->want));
    }
    for (size_t n = 0; n < goal->vm_count; n++) {
        const struct gp_goal_vm *vm = &goal->vms[n];

        if (!vm->managed)
            gp_text_addf(&text, "%s: left alone\n", vm->name);
        else if (vm->blocked)
            gp_text_addf(&text, "%s: %s %s\n", vm->name, vm->rule, vm->blocked);
        else if (vm->pending)
            gp_text_addf(&text, "%s: pending\n", vm->name);
        else if (vm->gpu)
            gp_text_addf(&text, "%s: %s/%u\n", vm->name, vm->gpu, (unsigned)vm->partition);
        else
            gp_text_addf(&text, "%s: -\n", vm->name);
    }
    return gp_text_get(&text);
}

static void devices_text(struct gp_text *text, const struct gp_have *have, const char *kind,
                         const struct gp_hostdev *devs, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        struct gp_gpu *gpu;
        struct gp_partition *partition;

        if (gp_have_find(have, devs[n].device, &gpu, &partition) && partition)
            gp_text_addf(text, " %s %s/%u%s", kind, gpu->id, (unsigned)partition->index,
                         devs[n].ours         ? ""
                         : devs[n].stray_mark ? " (stray)"
                                              : " (by hand)");
    }
}

const char *world_have_text(struct gp_arena *mem, const struct gp_have *have)
{
    struct gp_text text = {.mem = mem};

    for (size_t n = 0; n < have->gpu_count; n++) {
        const struct gp_gpu *gpu = &have->gpus[n];

        gp_text_addf(&text, "%s: %s;", gpu->id, gp_gpu_value(mem, gpu));
        for (size_t p = 0; p < gpu->partition_count; p++) {
            const struct gp_partition *partition = &gpu->partitions[p];

            if (partition->live || partition->quarantined || partition->held != GP_HELD_NO)
                gp_text_addf(&text, " %u%s%s%s", (unsigned)partition->index, partition->live ? "" : " not live",
                             partition->quarantined ? " quarantined" : "",
                             partition->held != GP_HELD_NO ? " held" : "");
        }
        gp_text_add(&text, "\n");
    }
    for (size_t n = 0; n < have->vm_count; n++) {
        const struct gp_vm *vm = &have->vms[n];

        gp_text_addf(&text, "%s: %s%s;", vm->name, gp_power_name(vm->power),
                     vm->unstoppable ? ", cannot be stopped" : "");
        devices_text(&text, have, "runs with", vm->live, vm->live_count);
        devices_text(&text, have, "has", vm->persistent_devs, vm->persistent_count);
        gp_text_add(&text, "\n");
    }
    return gp_text_get(&text);
}

const char *world_findings(struct gp_arena *mem, const struct gp_goal *goal)
{
    struct gp_text text = {.mem = mem};

    for (size_t n = 0; n < goal->finding_count; n++)
        gp_text_addf(&text, "%s %s %s: %s\n", gp_level_name(goal->findings[n].level),
                     goal->findings[n].rule, goal->findings[n].object, goal->findings[n].message);
    return gp_text_get(&text);
}
