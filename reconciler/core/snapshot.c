/* What was there before the first disturbing step, and the goal that brings it back. */
#include "planner.h"

#include "text.h"

static struct gp_layout layout_of(struct gp_arena *mem, const struct gp_gpu *gpu)
{
    struct gp_layout layout = {.mode = gpu->mode, .count = gpu->count, .profile = gpu->profile};
    struct gp_partition *exactly = NULL;

    for (size_t n = 0; n < gpu->partition_count; n++)
        if (gpu->partitions[n].live)
            *gp_push(mem, exactly, layout.exactly_count) = gpu->partitions[n];
    layout.exactly = exactly;
    if (layout.exactly_count && gpu->profile)
        layout.type_id = exactly[0].type_id;
    return layout;
}

/* Ours; else one of our GPUs that was given by hand, so that the way back does not take it for ours
 * if it was marked in between. */
static const struct gp_hostdev *device_to_keep(const struct gp_have *have, const struct gp_vm *vm)
{
    struct gp_gpu *gpu;
    struct gp_partition *partition;

    for (size_t n = 0; n < vm->persistent_count; n++)
        if (vm->persistent_devs[n].ours)
            return &vm->persistent_devs[n];
    for (size_t n = 0; n < vm->persistent_count; n++)
        if (gp_have_find(have, vm->persistent_devs[n].device, &gpu, &partition))
            return &vm->persistent_devs[n];
    return NULL;
}

static void take_vm(struct gp_arena *mem, const struct gp_have *have, const struct gp_vm *vm,
                    struct gp_snapshot_vm *ret)
{
    const struct gp_hostdev *dev = device_to_keep(have, vm);
    struct gp_gpu *gpu = NULL;
    struct gp_partition *partition = NULL;

    *ret = (struct gp_snapshot_vm){
        .uuid = vm->uuid,
        .name = vm->name,
        .ran = vm->power != GP_POWER_OFF && vm->power != GP_POWER_PAUSED,
    };
    for (size_t n = 0; vm->power != GP_POWER_OFF && n < vm->live_count; n++)
        if (ret->live.kind == GP_DEVICE_NONE &&
            gp_have_find(have, vm->live[n].device, &gpu, &partition))
            ret->live = vm->live[n].device;
    if (!dev)
        return;
    ret->device = dev->device;
    if (dev->ours && vm->mark && vm->mark_fits) {
        ret->binding = vm->mark->binding;
        ret->pool = vm->mark->pool;
    }
    if (gp_have_find(have, dev->device, &gpu, &partition)) {
        ret->gpu = gpu->id;
        ret->partition = partition ? partition->index : 0;
    } else if (vm->mark && vm->mark_fits && vm->mark->partition &&
               gp_device_eq(vm->mark->device, dev->device)) {
        if (!gp_partition_symbol_parse(mem, vm->mark->partition, &ret->gpu, &ret->partition))
            ret->gpu = vm->mark->partition;
    }
}

struct gp_snapshot *gp_snapshot_take(struct gp_arena *mem, const struct gp_have *have,
                                     const struct gp_set *set)
{
    struct gp_snapshot *snapshot = gp_new(mem, struct gp_snapshot);

    for (size_t n = 0; n < have->gpu_count; n++)
        if (gp_strings_have(&set->gpus, have->gpus[n].id))
            *gp_push(mem, snapshot->gpus, snapshot->gpu_count) =
                (struct gp_snapshot_gpu){have->gpus[n].id, gp_gpu_identity(mem, &have->gpus[n]),
                                         layout_of(mem, &have->gpus[n]), have->gpus[n].vf_count};
    for (size_t n = 0; n < have->vm_count; n++)
        if (gp_strings_have(&set->vms, have->vms[n].uuid))
            take_vm(mem, have, &have->vms[n], gp_push(mem, snapshot->vms, snapshot->vm_count));
    for (size_t n = 0; n < have->unit_count; n++)
        if (have->units[n].state == GP_UNIT_ACTIVE && gp_strings_have(&set->units, have->units[n].name))
            *gp_push(mem, snapshot->units.items, snapshot->units.count) = have->units[n].name;
    return snapshot;
}

static const struct gp_snapshot_gpu *gpu_of(const struct gp_snapshot *snapshot, const char *id)
{
    for (size_t n = 0; n < snapshot->gpu_count; n++)
        if (gp_streq(snapshot->gpus[n].id, id))
            return &snapshot->gpus[n];
    return NULL;
}

static const struct gp_snapshot_vm *vm_of(const struct gp_snapshot *snapshot, const char *uuid)
{
    for (size_t n = 0; n < snapshot->vm_count; n++)
        if (gp_streq(snapshot->vms[n].uuid, uuid))
            return &snapshot->vms[n];
    return NULL;
}

struct gp_snapshot *gp_snapshot_grow(struct gp_arena *mem, const struct gp_snapshot *earlier, const struct gp_have *have,
                                     const struct gp_plan *plan, const struct gp_set *set)
{
    const struct gp_snapshot *now = gp_snapshot_take(mem, have, set);
    struct gp_snapshot *all = gp_new(mem, struct gp_snapshot);

    for (size_t n = 0; n < earlier->gpu_count; n++)
        *gp_push(mem, all->gpus, all->gpu_count) = earlier->gpus[n];
    for (size_t n = 0; n < now->gpu_count; n++)
        if (!gpu_of(earlier, now->gpus[n].id) && gp_plan_changes_gpu(plan, now->gpus[n].id))
            *gp_push(mem, all->gpus, all->gpu_count) = now->gpus[n];
    for (size_t n = 0; n < earlier->vm_count; n++)
        *gp_push(mem, all->vms, all->vm_count) = earlier->vms[n];
    for (size_t n = 0; n < now->vm_count; n++)
        if (!vm_of(earlier, now->vms[n].uuid))
            *gp_push(mem, all->vms, all->vm_count) = now->vms[n];
    for (size_t n = 0; n < earlier->units.count; n++)
        *gp_push(mem, all->units.items, all->units.count) = earlier->units.items[n];
    for (size_t n = 0; n < now->units.count; n++)
        if (!gp_strings_have(&earlier->units, now->units.items[n]))
            *gp_push(mem, all->units.items, all->units.count) = now->units.items[n];
    return all;
}

/* The card that is meant by @id: NULL where it is not there, or another one is in its place. */
static const struct gp_gpu *card_of(struct gp_arena *mem, const struct gp_snapshot *snapshot,
                                    const struct gp_have *have, const char *id)
{
    const struct gp_snapshot_gpu *was = gpu_of(snapshot, id);
    const struct gp_gpu *gpu = gp_have_gpu(have, id);

    if (gpu && was && was->identity && !gp_identity_eq(was->identity, gp_gpu_identity(mem, gpu)))
        return NULL;
    return gpu;
}

/* Whether it runs with what it ran with then, or with what it was not given then: such a one was
 * never stopped, and is left alone though its definition may say otherwise. */
static bool was_left_alone(const struct gp_snapshot_vm *was, const struct gp_have *have,
                           const struct gp_vm *vm)
{
    struct gp_gpu *gpu;
    struct gp_partition *partition;

    if (vm->power == GP_POWER_OFF)
        return false;
    for (size_t n = 0; n < vm->live_count; n++)
        if (gp_have_find(have, vm->live[n].device, &gpu, &partition))
            return gp_device_eq(vm->live[n].device, was->live);
    return was->live.kind == GP_DEVICE_NONE;
}

static bool holds(const struct gp_vm *vm, struct gp_device device)
{
    for (size_t n = 0; vm->power != GP_POWER_OFF && n < vm->live_count; n++)
        if (gp_device_eq(vm->live[n].device, device))
            return true;
    return false;
}

static bool may_start(const struct gp_snapshot_vm *was, const struct gp_vm *vm, enum gp_held held)
{
    const bool runs = was->ran || vm->power != GP_POWER_OFF;

    return !runs || held == GP_HELD_NO || holds(vm, was->device);
}

/* Whether the partition of @gpu that it was defined with will be there for it on the way back. */
static bool will_be_there(const struct gp_snapshot *snapshot, const struct gp_gpu *gpu,
                          const struct gp_snapshot_vm *was, const struct gp_vm *vm)
{
    const struct gp_snapshot_gpu *then = gpu_of(snapshot, was->gpu);
    const struct gp_partition *partition;

    if (was->device.kind == GP_DEVICE_PCI && gp_pci_compare(was->device.pci, gpu->address) == 0)
        return then ? then->layout.mode == GP_MODE_PASSTHROUGH
                    : gpu->mode == GP_MODE_PASSTHROUGH && may_start(was, vm, gpu->held);
    partition = gp_gpu_partition(gpu, was->partition);
    if (partition && gp_device_eq(partition->device, was->device) &&
        !may_start(was, vm, partition->held))
        return false;
    if (!then)
        return partition && partition->live && gp_device_eq(partition->device, was->device);
    for (size_t n = 0; n < then->layout.exactly_count; n++)
        if (gp_device_eq(then->layout.exactly[n].device, was->device))
            return then->layout.exactly[n].index == was->partition;
    return false;
}

/* Fills @ret with the number that its device has on @card (NULL: not there) now, there or not yet; false: none, so that
 * whoever asked for its old number might get something else. */
static bool find_number(const struct gp_have *have, const struct gp_gpu *card,
                        const struct gp_snapshot_vm *was, uint32_t *ret)
{
    struct gp_gpu *gpu;
    struct gp_partition *partition;

    if (!gp_have_find(have, was->device, &gpu, &partition) || gpu != card)
        return false;
    if (!partition)
        return gpu->mode == GP_MODE_PASSTHROUGH;
    *ret = partition->index;
    return gpu->mode != GP_MODE_PASSTHROUGH;
}

static bool ran_with_it(const struct gp_snapshot_vm *was)
{
    return was->ran && gp_device_eq(was->live, was->device);
}

static bool is_defined_with(const struct gp_vm *vm, struct gp_device device)
{
    for (size_t n = 0; n < vm->persistent_count; n++)
        if (gp_device_eq(vm->persistent_devs[n].device, device))
            return true;
    return false;
}

/* Whether it has something of ours beside @was, which it has by hand. */
static bool was_given_since(const struct gp_vm *vm, struct gp_device was)
{
    bool by_hand = false, ours = false;

    for (size_t n = 0; n < vm->persistent_count; n++) {
        const struct gp_hostdev *dev = &vm->persistent_devs[n];

        if (gp_device_eq(dev->device, was))
            by_hand |= !dev->ours;
        else
            ours |= dev->ours;
    }
    return by_hand && ours;
}

static bool is_up_without(const struct gp_vm *vm)
{
    for (size_t n = 0; n < vm->persistent_count; n++)
        if (vm->persistent_devs[n].ours)
            return false;
    for (size_t n = 0; n < vm->live_count; n++)
        if (vm->live[n].ours)
            return false;
    return vm->power != GP_POWER_OFF;
}

static void set_vm(struct gp_goal_vm *goal, const struct gp_snapshot_vm *was,
                   const struct gp_have *have, const struct gp_vm *vm)
{
    goal->managed = true;
    goal->run |= was->ran;
    goal->gpu = was->gpu;
    goal->partition = was->partition;
    goal->binding = was->binding;
    goal->pool = was->pool;
    goal->next_start = was_left_alone(was, have, vm);
}

/* Its binding may say otherwise than the cluster. */
static struct gp_stop_policy stop_of(const struct gp_goal *wanted, const char *uuid, const struct gp_stop_policy *usual)
{
    for (size_t n = 0; wanted && n < wanted->vm_count; n++)
        if (gp_streq(wanted->vms[n].uuid, uuid) && wanted->vms[n].stop.timeout_ms)
            return wanted->vms[n].stop;
    return *usual;
}

struct gp_goal *gp_snapshot_goal(struct gp_arena *mem, const struct gp_snapshot *snapshot,
                                 const struct gp_have *have, const struct gp_goal *wanted)
{
    struct gp_goal *goal = gp_new(mem, struct gp_goal);

    goal->declared = true;
    if (wanted)
        goal->policy = wanted->policy;
    goal->policy.stop = gp_stop_effective(&goal->policy.stop, &(struct gp_stop_policy){0});
    for (size_t n = 0; n < have->gpu_count; n++) {
        struct gp_goal_gpu *gpu = gp_push(mem, goal->gpus, goal->gpu_count);
        const struct gp_snapshot_gpu *was = gpu_of(snapshot, have->gpus[n].id);

        gpu->id = have->gpus[n].id;
        gpu->managed = was && card_of(mem, snapshot, have, was->id);
        if (gpu->managed)
            gpu->want = was->layout;
    }
    for (size_t n = 0; n < have->vm_count; n++) {
        const struct gp_vm *vm = &have->vms[n];
        const struct gp_snapshot_vm *was = vm_of(snapshot, vm->uuid);
        const struct gp_gpu *gpu = was ? card_of(mem, snapshot, have, was->gpu) : NULL;
        struct gp_goal_vm *now = gp_push(mem, goal->vms, goal->vm_count);

        now->uuid = vm->uuid;
        now->name = vm->name;
        now->run = vm->power != GP_POWER_OFF;
        now->stop = stop_of(wanted, vm->uuid, &goal->policy.stop);
        if (!was)
            continue;
        if (!was->gpu || (gpu && will_be_there(snapshot, gpu, was, vm))) {
            set_vm(now, was, have, vm);
            continue;
        }
        /* It ran with that: whether it comes up without is its binding's to say (pass/rescue.c). */
        if (ran_with_it(was)) {
            if (is_up_without(vm))
                continue; /* somebody has seen to it */
            set_vm(now, was, have, vm);
            if (!find_number(have, gpu, was, &now->partition))
                now->lost = was->device;
            continue;
        }
        /* It was defined with what was not there to begin with (after a reboot, say), which cannot
         * be asked for. One that ran did so without, and comes up without; one that was edited
         * since, or was given something beside what it had by hand, goes without; any other keeps
         * its definition, as does one that nobody may edit. */
        now->run |= was->ran;
        now->next_start = was_left_alone(was, have, vm);
        now->managed = !vm->untouchable &&
                       ((now->run && !now->next_start) || !is_defined_with(vm, was->device) ||
                        was_given_since(vm, was->device));
    }
    for (size_t n = 0; n < have->unit_count; n++)
        *gp_push(mem, goal->units, goal->unit_count) = (struct gp_goal_unit){
            .name = have->units[n].name,
            .run = have->units[n].state == GP_UNIT_ACTIVE || gp_strings_have(&snapshot->units, have->units[n].name),
        };
    return goal;
}
