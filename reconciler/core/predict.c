/* What a step makes of the host, if it does what it says: the model that the laws are tested on. */
#include "planner.h"

#include "text.h"

#include <string.h>

static bool holds_live(const struct gp_vm *vm, struct gp_device device)
{
    for (size_t n = 0; vm->power != GP_POWER_OFF && n < vm->live_count; n++)
        if (gp_device_eq(vm->live[n].device, device))
            return true;
    return false;
}

static bool anybody_holds(const struct gp_have *have, struct gp_device device)
{
    for (size_t n = 0; n < have->vm_count; n++)
        if (holds_live(&have->vms[n], device))
            return true;
    return false;
}

/* The functions of one IOMMU group are held and let go together. */
static void let_go(struct gp_have *have, struct gp_device device)
{
    struct gp_gpu *gpu;
    struct gp_partition *partition;

    if (!gp_have_find(have, device, &gpu, &partition))
        return;
    for (size_t n = 0; n < gpu->partition_count; n++) {
        struct gp_partition *other = &gpu->partitions[n];
        const int32_t group = partition ? partition->group : gpu->group;

        if ((other == partition || (group >= 0 && other->group == group)) &&
            !anybody_holds(have, other->device)) {
            other->held = GP_HELD_NO;
            other->holder = NULL;
        }
    }
    if (!partition || (partition->group >= 0 && partition->group == gpu->group)) {
        gpu->held = GP_HELD_NO;
        gpu->holder = NULL;
    }
}

static void take(struct gp_have *have, struct gp_device device)
{
    struct gp_gpu *gpu;
    struct gp_partition *partition;

    if (!gp_have_find(have, device, &gpu, &partition))
        return;
    if (partition)
        partition->held = GP_HELD_YES;
    else
        gpu->held = GP_HELD_YES;
}

static void *copy_devs(struct gp_arena *mem, const struct gp_hostdev *devs, size_t count)
{
    struct gp_hostdev *copy = NULL;
    size_t copied = 0;

    while (copied < count) {
        struct gp_hostdev *dev = gp_push(mem, copy, copied);

        *dev = devs[copied - 1];
    }
    return copy;
}

static void stop(struct gp_have *have, struct gp_vm *vm)
{
    const size_t count = vm->live_count;

    vm->power = GP_POWER_OFF;
    vm->live_count = 0;
    for (size_t n = 0; n < count; n++)
        let_go(have, vm->live[n].device);
}

static void start(struct gp_arena *mem, struct gp_have *have, struct gp_vm *vm)
{
    vm->power = GP_POWER_RUNNING;
    vm->live = copy_devs(mem, vm->persistent_devs, vm->persistent_count);
    vm->live_count = vm->persistent_count;
    for (size_t n = 0; n < vm->live_count; n++)
        take(have, vm->live[n].device);
}

static struct gp_hostdev *find_dev(struct gp_vm *vm, struct gp_device device, bool ours)
{
    for (size_t n = 0; n < vm->persistent_count; n++)
        if (vm->persistent_devs[n].ours == ours &&
            gp_device_eq(vm->persistent_devs[n].device, device))
            return &vm->persistent_devs[n];
    return NULL;
}

static void detach(struct gp_vm *vm, struct gp_device device)
{
    struct gp_hostdev *dev = find_dev(vm, device, true);
    size_t at;

    if (!dev)
        return;
    at = (size_t)(dev - vm->persistent_devs);
    memmove(dev, dev + 1, (vm->persistent_count - at - 1) * sizeof *dev);
    vm->persistent_count--;
    if (vm->mark && gp_device_eq(vm->mark->device, device)) {
        vm->mark = NULL;
        vm->mark_fits = false;
    }
}

/* The step's own device, else that of the partition as it is by now. */
static struct gp_device device_of(const struct gp_have *have, const struct gp_step *step)
{
    const struct gp_gpu *gpu = step->gpu ? gp_have_gpu(have, step->gpu) : NULL;
    const struct gp_partition *partition;

    if (step->device.kind != GP_DEVICE_NONE || !gpu || step->partition < 0)
        return step->device;
    partition = gp_gpu_partition(gpu, (uint32_t)step->partition);
    return partition ? partition->device : step->device;
}

static void mark(struct gp_arena *mem, const struct gp_have *have, struct gp_vm *vm,
                 const struct gp_step *step, struct gp_device device)
{
    const char *symbol = step->partition < 0
                             ? step->gpu
                             : gp_partition_symbol(mem, step->gpu, (uint32_t)step->partition);
    struct gp_mark *now = gp_new(mem, struct gp_mark);

    *now = (struct gp_mark){have->machine_id, vm->uuid, step->binding, step->pool, symbol, device};
    vm->mark = now;
    vm->mark_fits = true;
}

static void edit(struct gp_arena *mem, struct gp_have *have, struct gp_vm *vm,
                 const struct gp_step *step)
{
    const struct gp_device device = device_of(have, step);
    struct gp_hostdev *dev = NULL;

    switch (step->kind) {
    case GP_STEP_DETACH:
        detach(vm, step->device_before);
        return;
    case GP_STEP_ATTACH:
        /* Copied first: gp_push() may only grow what it has made itself. */
        vm->persistent_devs = copy_devs(mem, vm->persistent_devs, vm->persistent_count);
        dev = gp_push(mem, vm->persistent_devs, vm->persistent_count);
        break;
    case GP_STEP_REBIND:
        dev = find_dev(vm, step->device_before, true);
        break;
    default:
        dev = find_dev(vm, device, true);
        if (!dev)
            dev = find_dev(vm, device, false);
        break;
    }
    if (!dev)
        return;
    dev->device = device;
    dev->ours = true;
    dev->stray_mark = false;
    if (!dev->alias || !gp_starts_with(dev->alias, "ua-gpupart-"))
        dev->alias = "ua-gpupart-0";
    mark(mem, have, vm, step, device);
}

void gp_step_predict(struct gp_arena *mem, struct gp_have *have, gp_mechanism_lookup *mechanism,
                     const struct gp_step *step)
{
    struct gp_vm *vm = step->vm ? gp_have_vm(have, step->vm) : NULL;
    struct gp_unit *unit = step->unit ? gp_have_unit(have, step->unit) : NULL;
    struct gp_gpu *gpu = step->gpu && !step->vm ? gp_have_gpu(have, step->gpu) : NULL;

    if (vm && step->kind == GP_STEP_STOP_VM) {
        stop(have, vm);
    } else if (vm && step->kind == GP_STEP_START_VM) {
        start(mem, have, vm);
    } else if (unit) {
        unit->state = step->kind == GP_STEP_STOP_UNIT ? GP_UNIT_INACTIVE : GP_UNIT_ACTIVE;
        unit->reason = NULL;
    } else if (vm) {
        edit(mem, have, vm, step);
    } else if (gpu && gpu->mechanism && mechanism(gpu->mechanism)) {
        mechanism(gpu->mechanism)->predict(mem, gpu, step);
        gp_gpu_fill_placeholders(mem, gpu);
    }
}

bool gp_step_takes_away(struct gp_arena *mem, const struct gp_step *step, const char *symbol)
{
    const char *gpu;
    uint32_t index;

    if (step->vm || !step->gpu || !gp_partition_symbol_parse(mem, symbol, &gpu, &index) ||
        !gp_streq(gpu, step->gpu))
        return false;
    return step->kind == GP_STEP_SET_VF_COUNT || step->kind == GP_STEP_SET_MODE ||
           (step->kind == GP_STEP_RELEASE_PARTITION && step->partition == index);
}

struct gp_have *gp_plan_predict(struct gp_arena *mem, const struct gp_plan_input *input,
                                const struct gp_plan *plan, uint32_t set)
{
    struct gp_have *have = gp_have_copy(mem, input->have);

    for (size_t n = 0; n < plan->step_count; n++)
        if (set == UINT32_MAX || plan->steps[n].set == set)
            gp_step_predict(mem, have, input->mechanism, &plan->steps[n]);
    return have;
}
