/* What stands against a VM's own steps. */
#include "planner.h"

#include "text.h"

static bool block(struct gp_planner *planner, struct gp_work_vm *vm, const char *rule,
                  const char *why)
{
    gp_planner_block_vm(planner, vm, rule, why, false);
    return true;
}

static bool block_wish(struct gp_planner *planner, struct gp_work_vm *vm)
{
    const struct gp_work_gpu *gpu;

    if (vm->want_gpu < 0 && !vm->lacks)
        return false;
    gpu = vm->want_gpu >= 0 ? &planner->gpus[vm->want_gpu] : NULL;
    if (gpu && gpu->block.rule && (vm->lacks || vm->edit_count || (vm->stop & GP_WHY_OWN))) {
        gp_planner_block_vm(planner, vm, gpu->block.rule,
                            gp_printf(planner->mem, "GPU %s is not made ready for it: %s",
                                      gpu->gpu->id, gpu->block.why),
                            true);
        return true;
    }
    if (!vm->lacks)
        return false;
    return block(planner, vm, gpu ? "GP-E202" : "GP-E201",
                 gpu ? gp_printf(planner->mem, "GPU %s will have no partition %u for it",
                                 gpu->gpu->id, (unsigned)vm->goal->partition)
                     : gp_printf(planner->mem, "there is no GPU %s", vm->goal->gpu));
}

/* One partition per VM: a second one that was given by hand is the user's, and is told. */
static bool block_second(struct gp_planner *planner, struct gp_work_vm *vm)
{
    for (size_t n = 0; vm->want_gpu >= 0 && vm->edit_count && n < vm->vm->persistent_count; n++) {
        const struct gp_hostdev *dev = &vm->vm->persistent_devs[n];
        const struct gp_place place = vm->persistent[n];

        if (dev->ours || place.gpu < 0 || gp_device_eq(dev->device, vm->to) ||
            (place.part < 0 && !planner->gpus[place.gpu].managed))
            continue;
        return block(planner, vm, "GP-E301",
                     gp_printf(planner->mem,
                               "VM %s was given %s by hand already: take it away, or the binding",
                               vm->vm->name, gp_planner_device_name(planner, dev->device)));
    }
    return false;
}

static bool gives(const struct gp_work_vm *vm)
{
    for (size_t e = 0; e < vm->edit_count; e++)
        if (vm->edits[e].kind != GP_STEP_DETACH)
            return true;
    return false;
}

static bool is_quarantined(const struct gp_planner *planner, struct gp_place place)
{
    const struct gp_work_gpu *gpu = &planner->gpus[place.gpu];
    const struct gp_memory *memory = planner->input->memory;
    const char *symbol;

    if (place.part < 0 || (gp_work_gpu_acts(gpu) && gpu->destroyed[place.part]))
        return false;
    if (gpu->gpu->partitions[place.part].quarantined)
        return true;
    if (!memory || !memory->quarantined.count)
        return false;
    symbol =
        gp_partition_symbol(planner->mem, gpu->gpu->id, gpu->gpu->partitions[place.part].index);
    for (size_t n = 0; n < memory->quarantined.count; n++)
        if (gp_streq(memory->quarantined.items[n], symbol))
            return true;
    return false;
}

/* What @vm, which others cannot run beside, has of the group of @place, at the end or until it is started anew. */
static bool find_neighbour(const struct gp_planner *planner, const struct gp_work_vm *vm, struct gp_place place,
                           struct gp_device *ret)
{
    for (size_t n = 0; n < vm->final_count; n++)
        if (gp_planner_share_group(planner, gp_planner_place(planner, vm->final[n]), place)) {
            *ret = vm->final[n];
            return true;
        }
    for (size_t n = 0; vm->vm->power != GP_POWER_OFF && !vm->stop && n < vm->vm->live_count; n++)
        if (gp_planner_share_group(planner, vm->live[n], place)) {
            *ret = vm->vm->live[n].device;
            return true;
        }
    return false;
}

/* Nobody is given what he could not run with beside others. */
static bool block_group(struct gp_planner *planner, struct gp_work_vm *vm, struct gp_place place)
{
    for (size_t n = 0; n < planner->vm_count; n++) {
        const struct gp_work_vm *other = &planner->vms[n];
        struct gp_device device;

        if (other != vm && find_neighbour(planner, other, place, &device))
            return block(planner, vm, "GP-E206",
                         gp_printf(planner->mem,
                                   "%s is in one IOMMU group with %s of VM %s: one VM at a time can have them",
                                   gp_planner_device_name(planner, vm->to), gp_planner_device_name(planner, device),
                                   other->vm->name));
    }
    return false;
}

/* No partition is given twice. */
static bool block_taken(struct gp_planner *planner, struct gp_work_vm *vm)
{
    const bool only_mark = vm->edit_count == 1 && vm->edits[0].kind == GP_STEP_MARK;
    struct gp_place place;
    const char *name, *stranger;

    if (!gives(vm))
        return false;
    place = gp_planner_place(planner, vm->to);
    name = gp_planner_device_name(planner, vm->to);
    /* The way back gives nobody anything that it had not. */
    if (place.gpu >= 0 && planner->goal->cluster && is_quarantined(planner, place))
        return block(planner, vm, "GP-E202",
                     gp_printf(planner->mem, "%s is quarantined and is given to nobody", name));
    for (size_t n = 0; n < planner->vm_count; n++) {
        const struct gp_work_vm *other = &planner->vms[n];

        if (other == vm)
            continue;
        if (gp_work_vm_ends_defined_with(other, vm->to))
            return block(
                planner, vm, "GP-E305",
                gp_printf(planner->mem, "VM %s is defined with %s too", other->vm->name, name));
        if (gp_work_vm_ends_holding(other, vm->to))
            return block(planner, vm, "GP-E206",
                         gp_printf(planner->mem, "%s is in use by VM %s until that is started anew",
                                   name, other->vm->name));
    }
    /* The way back gives what was had side by side. */
    if (!only_mark && planner->goal->cluster && block_group(planner, vm, place))
        return true;
    stranger = !only_mark && planner->goal->cluster && place.gpu >= 0 ? gp_planner_stranger(planner, place) : NULL;
    if (stranger)
        return block(planner, vm, "GP-E506",
                     gp_printf(planner->mem, "%s is held by no VM that is known here: %s", name, stranger));
    return false;
}

static bool holds_live(const struct gp_work_vm *vm, struct gp_device device)
{
    for (size_t n = 0; n < vm->vm->live_count; n++)
        if (gp_device_eq(vm->vm->live[n].device, device))
            return true;
    return false;
}

/* The way back must be open before anything begins: what was given by hand is not ours to take
 * away, so a guest that could not start with it now is not stopped. */
static bool block_no_return(struct gp_planner *planner, struct gp_work_vm *vm)
{
    for (size_t n = 0; n < vm->vm->persistent_count; n++) {
        const struct gp_hostdev *dev = &vm->vm->persistent_devs[n];
        const struct gp_place place = vm->persistent[n];
        const struct gp_gpu *gpu;
        bool fit;

        if (dev->ours || place.gpu < 0 || holds_live(vm, dev->device))
            continue;
        gpu = planner->gpus[place.gpu].gpu;
        fit = place.part < 0 ? gpu->held == GP_HELD_NO
                             : gpu->partitions[place.part].live &&
                                   gpu->partitions[place.part].held == GP_HELD_NO;
        if (!fit)
            return block(planner, vm, "GP-E507",
                         gp_printf(planner->mem,
                                   "VM %s must stop, but was given %s by hand, without which it "
                                   "runs: it would not "
                                   "start again if this failed",
                                   vm->vm->name, gp_planner_device_name(planner, dev->device)));
    }
    return false;
}

/* A device that was given by hand and is named to QEMU by its alias would be another one after it was marked. */
static bool block_named(struct gp_planner *planner, struct gp_work_vm *vm)
{
    for (size_t n = 0; n < vm->vm->persistent_count; n++) {
        const struct gp_hostdev *dev = &vm->vm->persistent_devs[n];

        for (size_t e = 0; dev->alias_named && e < vm->edit_count; e++)
            if (vm->edits[e].kind == GP_STEP_MARK && gp_device_eq(vm->edits[e].from, dev->device))
                return block(planner, vm, "GP-E507",
                             gp_printf(planner->mem,
                                       "the definition of VM %s may not be changed: it names %s by its alias (<qemu:override>, "
                                       "-set), which a mark would change",
                                       vm->vm->name, gp_planner_device_name(planner, dev->device)));
    }
    return false;
}

static bool block_one(struct gp_planner *planner, struct gp_work_vm *vm)
{
    const char *why = gp_work_vm_unstoppable(vm);

    if (block_wish(planner, vm) || block_second(planner, vm) || block_taken(planner, vm))
        return true;
    if (vm->edit_count && !vm->vm->persistent)
        return block(planner, vm, "GP-E507",
                     gp_printf(planner->mem, "VM %s is transient: it has no definition to edit",
                               vm->vm->name));
    if (vm->edit_count && vm->vm->untouchable)
        return block(planner, vm, "GP-E507",
                     gp_printf(planner->mem, "the definition of VM %s may not be changed: it %s", vm->vm->name,
                               vm->vm->untouchable));
    if (block_named(planner, vm))
        return true;
    if ((vm->stop & GP_WHY_OWN) && why)
        return block(planner, vm, "GP-E507",
                     gp_printf(planner->mem, "VM %s must stop for its own device, but may not: %s",
                               vm->vm->name, why));
    if (!vm->stop)
        return false;
    if (block_no_return(planner, vm))
        return true;
    why = gp_planner_unstartable(planner, vm);
    if (why)
        return block(planner, vm, "GP-E206",
                     gp_printf(planner->mem, "VM %s would not start again: %s", vm->vm->name, why));
    return false;
}

bool gp_planner_block_vms(struct gp_planner *planner)
{
    bool found = false;

    for (size_t n = 0; n < planner->vm_count; n++)
        if (!planner->vms[n].block.rule)
            found |= block_one(planner, &planner->vms[n]);
    return found;
}

/* ---- memory: all of a guest's is pinned while it has a device ---- */

/* By its definition alone, so that the answer is the same before and after it was stopped. */
static bool is_newcomer(const struct gp_work_vm *vm)
{
    return !vm->block.rule && vm->edit_count && !vm->vm->persistent_count;
}

static bool ends_running(const struct gp_work_vm *vm)
{
    return vm->vm->power != GP_POWER_OFF || vm->run;
}

static bool block_unfitting(struct gp_planner *planner, struct gp_work_vm *vm, uint64_t pinned_kib,
                            uint64_t room_kib)
{
    return block(
        planner, vm, "GP-E121",
        gp_printf(
            planner->mem,
            "VM %s pins %llu MiB with its first device, beside %llu MiB of the others: this host "
            "has %llu MiB for guests",
            vm->vm->name, (unsigned long long)(vm->vm->memory_kib / 1024),
            (unsigned long long)(pinned_kib / 1024), (unsigned long long)(room_kib / 1024)));
}

bool gp_planner_block_memory(struct gp_planner *planner)
{
    const uint64_t host = planner->input->host_memory;
    const uint64_t reserve = planner->input->reserve_memory;
    const uint64_t room = (host > reserve ? host - reserve : 0) / 1024;
    uint64_t pinned = 0;
    bool found = false;

    if (!host || !planner->goal->cluster)
        return false;
    for (size_t n = 0; n < planner->vm_count; n++) {
        const struct gp_work_vm *vm = &planner->vms[n];

        /* Who gives its device up counts still: it may be in another set, which waits or fails. */
        if (!is_newcomer(vm) && ends_running(vm) &&
            (vm->final_count || vm->vm->persistent_count || vm->vm->live_count))
            pinned += vm->vm->memory_kib;
    }
    /* By name; those that stay off last: they pin nothing yet, and are checked beside all that
     * runs. */
    for (size_t n = 0; n < 2 * planner->vm_count; n++) {
        struct gp_work_vm *vm = &planner->vms[n % planner->vm_count];
        const uint64_t needed = pinned + vm->vm->memory_kib;

        if (!is_newcomer(vm) || ends_running(vm) != (n < planner->vm_count))
            continue;
        if (needed > room)
            found = block_unfitting(planner, vm, pinned, room);
        else if (ends_running(vm))
            pinned = needed;
    }
    return found;
}
