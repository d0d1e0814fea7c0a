#include "world.h"

#include "gen.h"
#include "text.h"

static bool names(const struct gp_hostdev *devs, size_t count, struct gp_device device)
{
    for (size_t n = 0; n < count; n++)
        if (gp_device_eq(devs[n].device, device))
            return true;
    return false;
}

static const char *runs_with(const struct world *world, struct gp_device device)
{
    for (size_t n = 0; n < world->have->vm_count; n++) {
        const struct gp_vm *vm = &world->have->vms[n];

        if (vm->power != GP_POWER_OFF && names(vm->live, vm->live_count, device))
            return vm->name;
    }
    return NULL;
}

static int32_t group_of(const struct world *world, struct gp_device device)
{
    struct gp_gpu *gpu;
    struct gp_partition *partition;

    if (!gp_have_find(world->have, device, &gpu, &partition))
        return -1;
    return partition ? partition->group : gpu->group;
}

/* Who runs with something of the IOMMU group of @device: nobody else can. */
static const char *runs_in_group(const struct world *world, struct gp_device device)
{
    const int32_t group = group_of(world, device);

    for (size_t n = 0; group >= 0 && n < world->have->vm_count; n++) {
        const struct gp_vm *vm = &world->have->vms[n];

        for (size_t d = 0; vm->power != GP_POWER_OFF && d < vm->live_count; d++)
            if (group_of(world, vm->live[d].device) == group)
                return vm->name;
    }
    return NULL;
}

/* A partition that somebody has cannot be changed; one that nobody has can. What is none yet is held only as the
 * neighbour of one in its IOMMU group, which keeps nobody from making it one. */
static const char *refuse_held(const struct world *world, const struct gp_gpu *gpu,
                               const struct gp_partition *partition)
{
    const char *user = runs_with(world, partition->device);

    if (user)
        return gp_printf(world->mem, "%s/%u is in %s", gpu->id, (unsigned)partition->index, user);
    if (partition->held != GP_HELD_NO && (partition->live || partition->group < 0))
        return gp_printf(world->mem, "%s/%u is held", gpu->id, (unsigned)partition->index);
    return NULL;
}

/* What was quarantined is gone, and what is made in its place is another partition. */
static void forget_quarantine(struct gp_arena *mem, struct gp_memory *memory, const struct gp_step *step)
{
    size_t kept = 0;

    for (size_t n = 0; memory && n < memory->quarantined.count; n++)
        if (!gp_step_takes_away(mem, step, memory->quarantined.items[n]))
            memory->quarantined.items[kept++] = memory->quarantined.items[n];
    if (memory)
        memory->quarantined.count = kept;
}

static const char *do_gpu(struct world *world, const struct gp_step *step)
{
    struct gp_gpu *gpu = gp_have_gpu(world->have, step->gpu);
    const char *refused = NULL;

    if (!gpu)
        return "no such GPU";
    /* What the step does to each partition that is there: all of them for a count, a mode, a
     * driver. */
    for (size_t n = 0; !refused && n < gpu->partition_count; n++)
        if (step->partition < 0 ? step->kind != GP_STEP_PROVISION
                                : gpu->partitions[n].index == step->partition)
            refused = refuse_held(world, gpu, &gpu->partitions[n]);
    if (!refused && step->partition < 0 && step->kind != GP_STEP_PROVISION) {
        const struct gp_device whole = {.kind = GP_DEVICE_PCI, .pci = gpu->address};

        if (runs_with(world, whole))
            refused = "the whole GPU is in a VM";
    }
    for (size_t n = 0; !refused && step->reach >= GP_REACH_GPU && n < world->have->unit_count; n++)
        if (world->have->units[n].listed && world->have->units[n].state == GP_UNIT_ACTIVE)
            refused = gp_printf(world->mem, "%s uses the GPU", world->have->units[n].name);
    /* A driver that is loaded anew lets go of all that it drives. */
    for (size_t g = 0; !refused && step->reach == GP_REACH_HOST && g < world->have->gpu_count; g++)
        for (size_t n = 0; !refused && n < world->have->gpus[g].partition_count; n++)
            if (gp_streq(world->have->gpus[g].mechanism, gpu->mechanism))
                refused = refuse_held(world, &world->have->gpus[g], &world->have->gpus[g].partitions[n]);
    if (!refused && step->kind == GP_STEP_SET_VF_COUNT && step->value && gpu->vf_count)
        refused = "EBUSY: from one count to another";
    if (!refused && (step->kind == GP_STEP_CREATE_PARTITION || step->kind == GP_STEP_BIND_DRIVER) &&
        step->partition >= 0) {
        const struct gp_partition *partition = gp_gpu_partition(gpu, (uint32_t)step->partition);

        if (!partition)
            refused = "there is no place for that partition";
        else if (partition->live && step->kind == GP_STEP_CREATE_PARTITION)
            refused = "there is a partition already";
    }
    if (refused)
        return refused;
    world->mechanism(gpu->mechanism)->predict(world->mem, gpu, step);
    forget_quarantine(world->mem, world->memory, step);
    return NULL;
}

/* The functions of one IOMMU group are held and let go together. */
static void set_held(struct world *world, struct gp_device device, enum gp_held held)
{
    const int32_t group = group_of(world, device);
    struct gp_gpu *gpu;
    struct gp_partition *partition;

    if (!gp_have_find(world->have, device, &gpu, &partition))
        return;
    if (partition)
        partition->held = held;
    else
        gpu->held = held;
    for (size_t g = 0; group >= 0 && g < world->have->gpu_count; g++) {
        gpu = &world->have->gpus[g];
        if (gpu->group == group)
            gpu->held = held;
        for (size_t n = 0; n < gpu->partition_count; n++)
            if (gpu->partitions[n].group == group)
                gpu->partitions[n].held = held;
    }
}

static const char *do_stop(struct world *world, struct gp_vm *vm)
{
    if (vm->power != GP_POWER_RUNNING || vm->unstoppable || !vm->persistent)
        return "it cannot be stopped";
    vm->power = GP_POWER_OFF;
    for (size_t n = 0; n < vm->live_count; n++)
        set_held(world, vm->live[n].device, GP_HELD_NO);
    vm->live_count = 0;
    return NULL;
}

static const char *do_start(struct world *world, struct gp_vm *vm)
{
    if (vm->power != GP_POWER_OFF)
        return "it is not off";
    for (size_t n = 0; n < vm->persistent_count; n++) {
        const struct gp_hostdev *dev = &vm->persistent_devs[n];
        struct gp_gpu *gpu;
        struct gp_partition *partition;

        if (!gp_have_find(world->have, dev->device, &gpu, &partition)) {
            if (dev->ours)
                return "its device is not there";
            continue;
        }
        if (partition && !partition->live)
            return "its device is no partition";
        if (runs_with(world, dev->device))
            return "its device is in another VM";
        if (runs_in_group(world, dev->device))
            return "another VM has the IOMMU group of its device";
        if (partition && partition->held != GP_HELD_NO)
            return "its device is held";
    }
    vm->power = GP_POWER_RUNNING;
    vm->live = NULL;
    vm->live_count = 0;
    for (size_t n = 0; n < vm->persistent_count; n++) {
        *gp_push(world->mem, vm->live, vm->live_count) = vm->persistent_devs[n];
        set_held(world, vm->persistent_devs[n].device, GP_HELD_YES);
    }
    return NULL;
}

static struct gp_hostdev *find(struct gp_vm *vm, struct gp_device device)
{
    for (size_t n = 0; n < vm->persistent_count; n++)
        if (gp_device_eq(vm->persistent_devs[n].device, device))
            return &vm->persistent_devs[n];
    return NULL;
}

/* As the domain's editor does it: only what carries our mark leaves or changes. */
static const char *do_edit(struct world *world, struct gp_vm *vm, const struct gp_step *step)
{
    struct gp_hostdev *old = find(vm, step->device_before);
    struct gp_hostdev *named = find(vm, step->device);

    if (!vm->persistent)
        return "it has no definition";
    if (step->kind != GP_STEP_DETACH && step->device.kind == GP_DEVICE_NONE)
        return "nobody has seen that device yet";
    if ((step->kind == GP_STEP_DETACH || step->kind == GP_STEP_REBIND) && (!old || !old->ours))
        return "what leaves is not there, or not ours";
    if ((step->kind == GP_STEP_ATTACH || step->kind == GP_STEP_REBIND) && named)
        return "it is defined with that already";
    if (step->kind == GP_STEP_MARK && !named)
        return "it is not defined with that";
    gp_step_predict(world->mem, world->have, world->mechanism, step);
    return NULL;
}

static const char *do_unit(struct gp_unit *unit, bool stop)
{
    if (unit->state == GP_UNIT_UNKNOWN || (stop && !unit->listed))
        return "nobody may touch it";
    unit->state = stop ? GP_UNIT_INACTIVE : GP_UNIT_ACTIVE;
    return NULL;
}

const char *world_do(struct world *world, const struct gp_step *step)
{
    struct gp_vm *vm = step->vm ? gp_have_vm(world->have, step->vm) : NULL;
    const char *refused = NULL;

    if (step->unit)
        refused = do_unit(gp_have_unit(world->have, step->unit), step->kind == GP_STEP_STOP_UNIT);
    else if (!step->vm)
        refused = do_gpu(world, step);
    else if (!vm)
        refused = "no such VM";
    else if (step->kind == GP_STEP_STOP_VM)
        refused = do_stop(world, vm);
    else if (step->kind == GP_STEP_START_VM)
        refused = do_start(world, vm);
    else
        refused = do_edit(world, vm, step);
    if (!refused)
        return NULL;
    return gp_printf(world->mem, "step %u, %s %s: %s", (unsigned)step->n,
                     gp_step_kind_name(step->kind), step->vm_name ? step->vm_name : step->gpu,
                     refused);
}

const char *world_wave(struct world *world, const struct gp_plan *plan, uint32_t wave)
{
    for (size_t n = 0; n < plan->step_count; n++) {
        const char *refused = plan->steps[n].wave == wave ? world_do(world, &plan->steps[n]) : NULL;

        if (refused)
            return refused;
    }
    gen_observe(world->mem, world->have);
    return NULL;
}
