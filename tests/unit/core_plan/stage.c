#include "stage.h"

#include "text.h"

#include <stdlib.h>

void stage_init(struct stage *stage, struct gp_arena *mem)
{
    *stage = (struct stage){
        .mem = mem,
        .have = {.host = "kvm-a", .machine_id = "5e0f6a0c7d6b4b2f9a0c1d2e3f405162"},
        .goal = {.commit = "3f2c1ab", .cluster = "edge", .declared = true},
    };
}

struct gp_gpu *stage_have_gpu(struct stage *stage, uint32_t slot)
{
    return &stage->have.gpus[slot - 1];
}

struct gp_goal_gpu *stage_goal_gpu(struct stage *stage, uint32_t slot)
{
    return &stage->goal.gpus[slot - 1];
}

void stage_want(struct stage *stage, uint32_t slot, uint32_t count)
{
    stage_goal_gpu(stage, slot)->want = gen_layout(stage_have_gpu(stage, slot), count);
}

void stage_gpu(struct stage *stage, const char *mechanism, uint32_t count)
{
    struct gp_gpu *gpu = gp_push(stage->mem, stage->have.gpus, stage->have.gpu_count);
    struct gp_goal_gpu *goal = gp_push(stage->mem, stage->goal.gpus, stage->goal.gpu_count);
    struct gp_layout layout;

    gen_gpu_init(stage->mem, gpu, (uint32_t)stage->have.gpu_count, mechanism);
    layout = gen_layout(gpu, count);
    gen_gpu_cut(stage->mem, gpu, &layout);
    gen_observe(stage->mem, &stage->have);
    *goal = (struct gp_goal_gpu){.id = gpu->id, .managed = true, .want = layout};
}

struct gp_vm *stage_vm(struct stage *stage, const char *name)
{
    struct gp_vm *vm = gp_push(stage->mem, stage->have.vms, stage->have.vm_count);
    struct gp_goal_vm *goal = gp_push(stage->mem, stage->goal.vms, stage->goal.vm_count);

    *vm = (struct gp_vm){
        .name = name,
        .uuid = gp_uuid5(stage->mem, "stage", name),
        .persistent = true,
        .memory_kib = 4 << 20,
    };
    *goal = (struct gp_goal_vm){.uuid = vm->uuid, .name = name};
    return vm;
}

struct gp_goal_vm *stage_goal_vm(struct stage *stage, const char *name)
{
    for (size_t n = 0; n < stage->goal.vm_count; n++)
        if (gp_streq(stage->goal.vms[n].name, name))
            return &stage->goal.vms[n];
    return NULL;
}

void stage_give(struct stage *stage, struct gp_vm *vm, uint32_t slot, uint32_t index, bool ours)
{
    const struct gp_gpu *gpu = stage_have_gpu(stage, slot);
    struct gp_hostdev *dev = gp_push(stage->mem, vm->persistent_devs, vm->persistent_count);

    dev->device = gp_gpu_partition(gpu, index)->device;
    if (!ours)
        return;
    dev->ours = true;
    dev->alias = "ua-gpupart-0";
    vm->mark = gp_new(stage->mem, struct gp_mark);
    *vm->mark = (struct gp_mark){
        stage->have.machine_id,
        vm->uuid,
        "desktops",
        "vdi",
        gp_partition_symbol(stage->mem, gpu->id, index),
        dev->device,
    };
    vm->mark_fits = true;
}

void stage_run(struct stage *stage, struct gp_vm *vm)
{
    vm->power = GP_POWER_RUNNING;
    stage_goal_vm(stage, vm->name)->run = true;
    for (size_t n = 0; n < vm->persistent_count; n++) {
        struct gp_gpu *gpu;
        struct gp_partition *partition;

        *gp_push(stage->mem, vm->live, vm->live_count) = vm->persistent_devs[n];
        if (gp_have_find(&stage->have, vm->persistent_devs[n].device, &gpu, &partition) &&
            partition)
            partition->held = GP_HELD_YES;
    }
}

void stage_bind(struct stage *stage, const char *name, uint32_t slot, int index)
{
    struct gp_goal_vm *goal = stage_goal_vm(stage, name);

    goal->managed = true;
    goal->gpu = stage_have_gpu(stage, slot)->id;
    goal->partition = index < 0 ? 0 : (uint32_t)index;
    goal->binding = "desktops";
    goal->pool = "vdi";
}

static int compare(const void *a, const void *b)
{
    return gp_strcmp(((const struct gp_applied *)a)->key, ((const struct gp_applied *)b)->key);
}

void stage_applied(struct stage *stage, const char *key, const char *value)
{
    *gp_push(stage->mem, stage->memory.applied, stage->memory.applied_count) =
        (struct gp_applied){.key = key, .value = value, .commit = "3f2c1ab"};
    qsort(stage->memory.applied, stage->memory.applied_count, sizeof *stage->memory.applied,
          compare);
}

const struct gp_plan_input *stage_ready(struct stage *stage)
{
    stage->input.goal = &stage->goal;
    stage->input.have = &stage->have;
    stage->input.memory = &stage->memory;
    stage->input.mechanism = gen_mechanism;
    return &stage->input;
}
