#include "world.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

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
    *gp_push(world->mem, memory->applied, memory->applied_count) = (struct gp_applied){.key = key, .value = value};
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
