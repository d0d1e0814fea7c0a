/* Why a GPU may not do what it would: who holds it, who cannot be stopped or started, what is not seen. */
#include "planner.h"

#include "text.h"

/* Whether @vm, which has @beside of it, is off while @gpu changes: for that, or for a reason of its own, in one set with it. */
static bool is_off_meanwhile(const struct gp_planner *planner, const struct gp_work_gpu *gpu, const struct gp_work_vm *vm,
                             struct gp_place beside)
{
    if (vm->stop && &planner->gpus[beside.gpu] == gpu)
        return true;
    for (size_t d = 0; d < vm->vm->live_count; d++)
        if (gp_work_gpu_disturbs(planner, gpu, vm->live[d]))
            return true;
    return false;
}

/* Who runs with something of the IOMMU group of @place and would not stop; NULL: nobody. */
static const struct gp_vm *find_bystander(const struct gp_planner *planner, const struct gp_work_gpu *gpu,
                                          struct gp_place place)
{
    for (size_t n = 0; n < planner->vm_count; n++) {
        const struct gp_work_vm *vm = &planner->vms[n];

        for (size_t d = 0; vm->vm->power != GP_POWER_OFF && d < vm->vm->live_count; d++)
            if (gp_planner_share_group(planner, vm->live[d], place) &&
                !is_off_meanwhile(planner, gpu, vm, vm->live[d]))
                return vm->vm;
    }
    return NULL;
}

static bool block_bystander(struct gp_planner *planner, struct gp_work_gpu *gpu, struct gp_place place, const char *name)
{
    const struct gp_vm *vm = find_bystander(planner, gpu, place);

    if (!vm)
        return false;
    gp_planner_block_gpu(planner, gpu, "GP-E206",
                         gp_printf(planner->mem,
                                   "%s is in one IOMMU group with what VM %s runs with, which would not stop for it",
                                   name, vm->name),
                         false);
    return true;
}

static bool block_held(struct gp_planner *planner, struct gp_work_gpu *gpu,
                       struct gp_work_gpu *there)
{
    const struct gp_gpu *real = there->gpu;
    const int32_t index = (int32_t)(there - planner->gpus);

    for (size_t n = 0; n < real->partition_count; n++) {
        const struct gp_partition *partition = &real->partitions[n];
        const struct gp_place place = {index, (int32_t)n};

        if (partition->held == GP_HELD_NO || !gp_work_gpu_disturbs(planner, gpu, place))
            continue;
        if (block_bystander(planner, gpu, place, gp_partition_symbol(planner->mem, real->id, partition->index)))
            return true;
        if (gp_work_gpu_is_in_vm(there, (int32_t)n))
            continue;
        gp_planner_block_gpu(
            planner, gpu, "GP-E506",
            gp_printf(planner->mem, "%s is held by no VM that is known here: %s",
                      gp_partition_symbol(planner->mem, real->id, partition->index),
                      gp_holder_text(partition->held, partition->holder)),
            false);
        return true;
    }
    if (real->held == GP_HELD_NO || !gp_work_gpu_disturbs(planner, gpu, (struct gp_place){index, -1}))
        return false;
    if (block_bystander(planner, gpu, (struct gp_place){index, -1}, real->id))
        return true;
    if (!gp_work_gpu_is_in_vm(there, -1)) {
        gp_planner_block_gpu(planner, gpu, "GP-E506",
                             gp_printf(planner->mem,
                                       "GPU %s is held by no VM that is known here: %s", real->id,
                                       gp_holder_text(real->held, real->holder)),
                             false);
        return true;
    }
    return false;
}

static const char *why_left_alone(const struct gp_work_vm *vm, const char *otherwise)
{
    return vm->goal && vm->goal->left_alone ? vm->goal->left_alone : otherwise;
}

/* A running guest on what is disturbed must be one that may be stopped, and that can be started
 * again. */
static bool block_live(struct gp_planner *planner, struct gp_work_gpu *gpu, struct gp_work_vm *vm)
{
    for (size_t n = 0; vm->vm->power != GP_POWER_OFF && n < vm->vm->live_count; n++) {
        const char *name, *why;

        if (!gp_work_gpu_disturbs(planner, gpu, vm->live[n]))
            continue;
        name = gp_planner_device_name(planner, vm->vm->live[n].device);
        why = gp_work_vm_unstoppable(vm);
        if (!vm->managed) {
            gp_planner_block_gpu(planner, gpu, "GP-E206",
                                 gp_printf(planner->mem, "%s is in use by VM %s, %s: it may not be stopped", name,
                                           vm->vm->name, why_left_alone(vm, "which no binding names")),
                                 false);
            return true;
        }
        if (vm->block.rule) {
            gp_planner_block_gpu(planner, gpu, vm->block.rule,
                                 gp_printf(planner->mem, "%s is in use by VM %s: %s", name,
                                           vm->vm->name, vm->block.why),
                                 true);
            return true;
        }
        if (why) {
            gp_planner_block_gpu(planner, gpu, "GP-E507",
                                 gp_printf(planner->mem,
                                           "%s is in use by VM %s, which may not be stopped: %s",
                                           name, vm->vm->name, why),
                                 false);
            return true;
        }
    }
    return false;
}

/* Whether what is at @place now is there again, under the same name, when the steps are done. */
static bool is_there_after(const struct gp_work_gpu *gpu, struct gp_place place)
{
    const struct gp_partition *was, *is;

    if (place.part < 0)
        return gpu->after->mode == GP_MODE_PASSTHROUGH;
    was = &gpu->gpu->partitions[place.part];
    is = gp_gpu_partition(gpu->after, was->index);
    return is && is->live && gp_device_eq(was->device, is->device);
}

/* What a domain refers to belongs to that domain: a definition that names what is destroyed must be
 * ours to change, or name what will be there again for it. */
static bool block_definition(struct gp_planner *planner, struct gp_work_gpu *gpu,
                             struct gp_work_vm *vm)
{
    for (size_t n = 0; n < vm->vm->persistent_count; n++) {
        const struct gp_hostdev *dev = &vm->vm->persistent_devs[n];
        const char *name;

        if (!gp_work_gpu_destroys(planner, gpu, vm->persistent[n]))
            continue;
        name = gp_planner_device_name(planner, dev->device);
        if (vm->block.rule) {
            gp_planner_block_gpu(planner, gpu, vm->block.rule,
                                 gp_printf(planner->mem, "%s belongs to VM %s: %s", name,
                                           vm->vm->name, vm->block.why),
                                 true);
            return true;
        }
        if (vm->managed && (dev->ours || gp_device_eq(dev->device, vm->to)))
            continue; /* its own edits see to it */
        /* On the way back only what was made since goes: it was named while it was not there, and
         * is again. */
        if (!planner->goal->cluster || (dev->ours && is_there_after(gpu, vm->persistent[n])))
            continue;
        gp_planner_block_gpu(planner, gpu, "GP-E206",
                             gp_printf(planner->mem, "%s belongs to VM %s, %s", name, vm->vm->name,
                                       why_left_alone(vm, dev->ours
                                                              ? "which keeps it though no binding names it any more"
                                                              : "which was given it by hand")),
                             false);
        return true;
    }
    return false;
}

/* Without libvirt nobody knows who is defined with what: only what does not exist yet may be made.
 */
static bool block_unseen(struct gp_planner *planner, struct gp_work_gpu *gpu)
{
    for (size_t n = 0; planner->have->vms_unknown && n < gpu->gpu->partition_count; n++) {
        if (!gpu->disturbed[n] || !gpu->gpu->partitions[n].live)
            continue;
        gp_planner_block_gpu(
            planner, gpu, "GP-E506",
            gp_printf(
                planner->mem, "who uses %s cannot be told: %s",
                gp_partition_symbol(planner->mem, gpu->gpu->id, gpu->gpu->partitions[n].index),
                planner->have->vms_reason ? planner->have->vms_reason : "libvirt does not answer"),
            false);
        return true;
    }
    return false;
}

/* Whatever reaches the whole driver would reset what is not ours to touch. */
static bool block_host(struct gp_planner *planner, struct gp_work_gpu *gpu,
                       struct gp_work_gpu *there)
{
    if (there == gpu || (there->managed && !there->block.rule) || !there->gpu->count ||
        !gp_work_gpu_reaches(gpu, there))
        return false;
    gp_planner_block_gpu(
        planner, gpu, "GP-E206",
        gp_printf(planner->mem, "GPU %s would be reset with it, has %u partitions and %s",
                  there->gpu->id, (unsigned)there->gpu->count,
                  there->managed ? "may not be touched now" : "is in no pool here"),
        false);
    return true;
}

static bool block_one(struct gp_planner *planner, struct gp_work_gpu *gpu)
{
    if (block_unseen(planner, gpu) || gp_planner_block_unknown_units(planner, gpu))
        return true;
    for (size_t n = 0; n < planner->vm_count; n++)
        if (block_live(planner, gpu, &planner->vms[n]) ||
            block_definition(planner, gpu, &planner->vms[n]))
            return true;
    for (size_t n = 0; n < planner->gpu_count; n++)
        if (block_held(planner, gpu, &planner->gpus[n]) ||
            block_host(planner, gpu, &planner->gpus[n]))
            return true;
    return false;
}

bool gp_planner_block_gpus(struct gp_planner *planner)
{
    bool found = false;

    for (size_t n = 0; n < planner->gpu_count; n++)
        if (gp_work_gpu_acts(&planner->gpus[n]))
            found |= block_one(planner, &planner->gpus[n]);
    return found;
}
