/* Success is only ever declared from a fresh look. */
#include "planner.h"

#include "text.h"

static struct gp_error *verify_unit(const struct gp_goal_unit *goal, const struct gp_have *have)
{
    const struct gp_unit *unit = gp_have_unit(have, goal->name);

    if (!goal->run || (unit && unit->state == GP_UNIT_ACTIVE))
        return NULL;
    return gp_error_new(GP_E_CHANGED, "%s ran before and does not run", goal->name);
}

static struct gp_error *verify_gpu(struct gp_arena *mem, const struct gp_goal_gpu *goal,
                                   const struct gp_have *have, gp_mechanism_lookup *lookup)
{
    const struct gp_gpu *gpu = gp_have_gpu(have, goal->id);
    const struct gp_mechanism *mechanism = gpu && gpu->mechanism ? lookup(gpu->mechanism) : NULL;

    if (!gpu)
        return gp_error_new(GP_E_CHANGED, "GPU %s is not there any more", goal->id);
    if (mechanism ? mechanism->matches(gpu, &goal->want) : goal->want.mode == gpu->mode)
        return NULL;
    return gp_error_new(GP_E_CHANGED, "GPU %s is '%s', not '%s'", goal->id, gp_gpu_value(mem, gpu),
                        gp_layout_value(mem, &goal->want));
}

/* The device that @goal wants, as it is now. */
static bool find_wanted(const struct gp_goal_vm *goal, const struct gp_have *have,
                        struct gp_device *ret)
{
    const struct gp_gpu *gpu = gp_have_gpu(have, goal->gpu);
    const struct gp_partition *partition;

    if (!gpu)
        return false;
    if (gpu->mode == GP_MODE_PASSTHROUGH) {
        *ret = (struct gp_device){.kind = GP_DEVICE_PCI, .pci = gpu->address};
        return true;
    }
    partition = gp_gpu_partition(gpu, goal->partition);
    if (!partition || !partition->live)
        return false;
    *ret = partition->device;
    return true;
}

static const char *wanted_name(struct gp_arena *mem, const struct gp_goal_vm *goal,
                               const struct gp_have *have)
{
    const struct gp_gpu *gpu = gp_have_gpu(have, goal->gpu);

    if (gpu && gpu->mode == GP_MODE_PASSTHROUGH)
        return goal->gpu;
    return gp_partition_symbol(mem, goal->gpu, goal->partition);
}

static struct gp_error *verify_definition(struct gp_arena *mem, const struct gp_goal *whole,
                                          const struct gp_goal_vm *goal, const struct gp_vm *vm,
                                          const struct gp_device *wanted)
{
    bool there = !wanted;

    for (size_t n = 0; n < vm->persistent_count; n++) {
        const struct gp_hostdev *dev = &vm->persistent_devs[n];

        /* The way back does not mark what was made by hand. */
        if (wanted && gp_device_eq(dev->device, *wanted))
            there |= dev->ours || !whole->cluster;
        else if (dev->ours)
            return gp_error_new(GP_E_CHANGED, "VM %s is still defined with %s", goal->name,
                                gp_device_text(mem, dev->device));
    }
    return there ? NULL
                 : gp_error_new(GP_E_CHANGED, "VM %s is not defined with %s as ours", goal->name,
                                gp_device_text(mem, *wanted));
}

static bool is_defined_with(const struct gp_vm *vm, struct gp_device device)
{
    for (size_t n = 0; n < vm->persistent_count; n++)
        if (gp_device_eq(vm->persistent_devs[n].device, device))
            return true;
    return false;
}

static struct gp_error *verify_live(struct gp_arena *mem, const struct gp_goal_vm *goal,
                                    const struct gp_vm *vm, const struct gp_device *wanted)
{
    for (size_t n = 0; wanted && n < vm->live_count; n++)
        if (gp_device_eq(vm->live[n].device, *wanted))
            return NULL;
    if (wanted)
        return gp_error_new(GP_E_CHANGED, "VM %s runs without %s", goal->name,
                            gp_device_text(mem, *wanted));
    /* What it is defined with by hand it keeps, whatever its running instance was marked with. */
    for (size_t n = 0; n < vm->live_count; n++)
        if (vm->live[n].ours && !is_defined_with(vm, vm->live[n].device))
            return gp_error_new(GP_E_CHANGED, "VM %s still runs with %s", goal->name,
                                gp_device_text(mem, vm->live[n].device));
    return NULL;
}

static struct gp_error *verify_vm(struct gp_arena *mem, const struct gp_goal *whole,
                                  const struct gp_goal_vm *goal, const struct gp_have *have,
                                  const struct gp_set *set)
{
    const bool only_power =
        !whole->declared || goal->rule || gp_strings_have(&set->only_start, goal->uuid);
    const struct gp_vm *vm = gp_have_vm(have, goal->uuid);
    const bool wants = goal->managed && goal->gpu && !goal->pending;
    struct gp_device device;
    struct gp_error *err;

    if (!vm)
        return gp_error_new(GP_E_CHANGED, "VM %s is not defined any more", goal->name);
    if (wants && !only_power && goal->lost.kind != GP_DEVICE_NONE)
        return gp_error_new(GP_E_CHANGED, "%s, which VM %s had, is not there any more",
                            gp_device_text(mem, goal->lost), goal->name);
    if (wants && !only_power && !find_wanted(goal, have, &device))
        return gp_error_new(GP_E_CHANGED, "%s, which VM %s shall have, is not there",
                            wanted_name(mem, goal, have), goal->name);
    /* One that was paused before is paused still: nobody stops it. */
    if (goal->run && vm->power == GP_POWER_OFF && !gp_strings_have(&set->not_started, goal->uuid))
        return gp_error_new(GP_E_CHANGED, "VM %s is %s, not running", goal->name,
                            gp_power_name(vm->power));
    if (!goal->managed || only_power)
        return NULL;
    err = verify_definition(mem, whole, goal, vm, wants ? &device : NULL);
    if (!err && vm->power == GP_POWER_RUNNING && !goal->next_start)
        err = verify_live(mem, goal, vm, wants ? &device : NULL);
    return err;
}

struct gp_error *gp_verify(const struct gp_goal *goal, const struct gp_have *have,
                           const struct gp_set *set, gp_mechanism_lookup *mechanism)
{
    struct gp_arena *mem = gp_arena_new();
    struct gp_error *err = NULL;

    for (size_t n = 0; !err && goal->declared && n < goal->gpu_count; n++)
        if (gp_strings_have(&set->gpus, goal->gpus[n].id) && goal->gpus[n].managed && !goal->gpus[n].rule)
            err = verify_gpu(mem, &goal->gpus[n], have, mechanism);
    for (size_t n = 0; !err && n < goal->vm_count; n++)
        if (gp_strings_have(&set->vms, goal->vms[n].uuid))
            err = verify_vm(mem, goal, &goal->vms[n], have, set);
    for (size_t n = 0; !err && n < goal->unit_count; n++)
        if (gp_strings_have(&set->units, goal->units[n].name))
            err = verify_unit(&goal->units[n], have);
    gp_arena_free(mem);
    return err;
}
