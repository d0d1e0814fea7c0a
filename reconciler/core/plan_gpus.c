/* Which GPUs are reshaped, and what that disturbs and destroys. */
#include "planner.h"

#include "cleanup.h"
#include "text.h"

#include <string.h>

struct gp_device gp_device_placeholder(struct gp_arena *mem, const char *gpu_id, uint32_t index)
{
    return (struct gp_device){.kind = GP_DEVICE_MDEV,
                              .uuid = gp_partition_symbol(mem, gpu_id, index)};
}

bool gp_device_is_placeholder(struct gp_device device)
{
    return device.kind == GP_DEVICE_MDEV && device.uuid && strchr(device.uuid, '/');
}

void gp_gpu_fill_placeholders(struct gp_arena *mem, struct gp_gpu *gpu)
{
    for (size_t n = 0; n < gpu->partition_count; n++) {
        struct gp_partition *partition = &gpu->partitions[n];

        if (partition->live && partition->device.kind == GP_DEVICE_NONE)
            partition->device = gp_device_placeholder(mem, gpu->id, partition->index);
    }
}

bool gp_work_gpu_acts(const struct gp_work_gpu *gpu)
{
    return gpu->reshape && !gpu->block.rule;
}

const struct gp_gpu *gp_work_gpu_world(const struct gp_work_gpu *gpu)
{
    return gp_work_gpu_acts(gpu) ? gpu->after : gpu->gpu;
}

bool gp_work_gpu_reaches(const struct gp_work_gpu *gpu, const struct gp_work_gpu *there)
{
    return gpu->reach == GP_REACH_HOST && gpu->gpu->mechanism && gp_streq(gpu->gpu->mechanism, there->gpu->mechanism);
}

bool gp_work_gpu_disturbs(const struct gp_planner *planner, const struct gp_work_gpu *gpu,
                          struct gp_place place)
{
    const struct gp_work_gpu *there;

    if (place.gpu < 0)
        return false;
    there = &planner->gpus[place.gpu];
    if (gp_work_gpu_reaches(gpu, there))
        return true;
    if (there != gpu)
        return false;
    return place.part < 0 ? gpu->whole : gpu->disturbed[place.part];
}

bool gp_work_gpu_destroys(const struct gp_planner *planner, const struct gp_work_gpu *gpu,
                          struct gp_place place)
{
    if (place.gpu < 0 || &planner->gpus[place.gpu] != gpu)
        return false;
    /* Whoever is defined with the whole GPU could not start any more, whatever is made of it. */
    return place.part < 0 ? true : gpu->destroyed[place.part];
}

bool gp_work_gpu_is_in_vm(const struct gp_work_gpu *gpu, int32_t part)
{
    const struct gp_partition *partitions = gpu->gpu->partitions;
    const int32_t group = part < 0 ? gpu->gpu->group : partitions[part].group;

    if (part < 0 ? gpu->whole_users : gpu->live_users[part])
        return true;
    /* One VFIO device per IOMMU group: who holds a neighbour holds this one too. */
    for (size_t n = 0; group >= 0 && n < gpu->gpu->partition_count; n++)
        if (partitions[n].group == group && gpu->live_users[n])
            return true;
    return group >= 0 && group == gpu->gpu->group && gpu->whole_users;
}

/* ---- what the mechanism asks for ---- */

static struct gp_gpu *copy_gpu(struct gp_arena *mem, const struct gp_gpu *gpu)
{
    struct gp_gpu *copy = gp_memdup(mem, gpu, sizeof *gpu);
    size_t room = 8;

    while (room < gpu->partition_count)
        room *= 2; /* what gp_grow() takes for granted */
    copy->partitions = gp_new_array(mem, struct gp_partition, room);
    if (gpu->partition_count)
        memcpy(copy->partitions, gpu->partitions, gpu->partition_count * sizeof *gpu->partitions);
    return copy;
}

static bool is_still(const struct gp_partition *was, const struct gp_partition *is)
{
    if (!is || !gp_device_eq(was->device, is->device))
        return false;
    return !was->live ||
           (is->live && was->type_id == is->type_id && gp_streq(was->profile, is->profile));
}

/* Both sorted by index. */
static void note_destroyed(struct gp_work_gpu *work)
{
    const struct gp_gpu *gpu = work->gpu, *now = work->after;
    size_t other = 0;

    for (size_t n = 0; n < gpu->partition_count; n++) {
        const struct gp_partition *was = &gpu->partitions[n];
        const struct gp_partition *is = NULL;

        while (other < now->partition_count && now->partitions[other].index < was->index)
            other++;
        if (other < now->partition_count && now->partitions[other].index == was->index)
            is = &now->partitions[other];
        if (was->device.kind != GP_DEVICE_NONE && !is_still(was, is))
            work->destroyed[n] = true;
    }
}

static void note_disturbed(struct gp_work_gpu *work, const struct gp_step *step)
{
    const struct gp_gpu *gpu = work->gpu;

    if (step->reach > work->reach)
        work->reach = step->reach;
    if (step->reach >= GP_REACH_GPU || (step->reach == GP_REACH_PARTITION && step->partition < 0))
        work->whole = true;
    for (size_t n = 0; n < gpu->partition_count; n++)
        if (step->reach >= GP_REACH_GPU ||
            ((step->reach == GP_REACH_PARTITION || step->kind == GP_STEP_RELEASE_PARTITION) &&
             step->partition == (int64_t)gpu->partitions[n].index))
            work->disturbed[n] = true;
}

static void follow_steps(struct gp_planner *planner, struct gp_work_gpu *work,
                         const struct gp_mechanism *mechanism)
{
    const size_t count = work->gpu->partition_count;

    work->disturbed = gp_new_array(planner->mem, bool, count + 1);
    work->destroyed = gp_new_array(planner->mem, bool, count + 1);
    work->after = copy_gpu(planner->mem, work->gpu);
    for (size_t n = 0; n < work->steps.count; n++) {
        const struct gp_step *step = &work->steps.items[n];

        note_disturbed(work, step);
        mechanism->predict(planner->mem, work->after, step);
        note_destroyed(work);
        if (step->kind == GP_STEP_RELEASE_PARTITION)
            for (size_t p = 0; p < count; p++)
                if ((int64_t)work->gpu->partitions[p].index == step->partition)
                    work->destroyed[p] = true;
    }
    gp_gpu_fill_placeholders(planner->mem, work->after);
    /* What is destroyed is disturbed, whatever the mechanism said. */
    for (size_t n = 0; n < count; n++)
        work->disturbed[n] |= work->destroyed[n];
}

static void ask_mechanism(struct gp_planner *planner, struct gp_work_gpu *work)
{
    const struct gp_gpu *gpu = work->gpu;
    const struct gp_layout *want = &work->goal->want;
    const struct gp_mechanism *mechanism =
        gpu->mechanism ? planner->input->mechanism(gpu->mechanism) : NULL;
    struct gp_error *err;

    if (mechanism && mechanism->matches(gpu, want))
        return;
    if (!mechanism) {
        if (want->mode == GP_MODE_NONE && gpu->mode == GP_MODE_NONE)
            return;
        gp_planner_block_gpu(planner, work, "GP-E110",
                             gp_printf(planner->mem, "nothing here can change GPU %s%s%s", gpu->id,
                                       gpu->reason ? ": " : "", gpu->reason ? gpu->reason : ""),
                             false);
        return;
    }
    if (gpu->status == GP_GPU_UNKNOWN) {
        gp_planner_block_gpu(planner, work, "GP-E202",
                             gp_printf(planner->mem, "GPU %s cannot be observed%s%s", gpu->id,
                                       gpu->reason ? ": " : "", gpu->reason ? gpu->reason : ""),
                             false);
        return;
    }
    err = mechanism->plan(gpu, want, &work->steps);
    if (err) {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        gp_error_free(err);
        gp_planner_block_gpu(planner, work, "GP-E202", gp_strdup(planner->mem, line), false);
        return;
    }
    work->reshape = work->steps.count > 0;
    follow_steps(planner, work, mechanism);
}

static bool is_within(const struct gp_plan_input *input, const char *id)
{
    if (!input->within)
        return true;
    for (size_t n = 0; n < input->within->gpus.count; n++)
        if (gp_streq(input->within->gpus.items[n], id))
            return true;
    return false;
}

static const struct gp_goal_gpu *goal_of(const struct gp_goal *goal, size_t hint, const char *id)
{
    if (hint < goal->gpu_count && gp_streq(goal->gpus[hint].id, id))
        return &goal->gpus[hint];
    for (size_t n = 0; n < goal->gpu_count; n++)
        if (gp_streq(goal->gpus[n].id, id))
            return &goal->gpus[n];
    return NULL;
}

void gp_planner_look_at_gpus(struct gp_planner *planner)
{
    planner->gpu_count = planner->have->gpu_count;
    planner->gpus = gp_new_array(planner->mem, struct gp_work_gpu, planner->gpu_count + 1);
    for (size_t n = 0; n < planner->gpu_count; n++) {
        struct gp_work_gpu *work = &planner->gpus[n];

        work->gpu = &planner->have->gpus[n];
        work->goal = goal_of(planner->goal, n, work->gpu->id);
        work->steps.mem = planner->mem;
        work->managed = planner->goal->declared && work->goal && work->goal->managed &&
                        is_within(planner->input, work->gpu->id);
        work->live_users = gp_new_array(planner->mem, uint32_t, work->gpu->partition_count + 1);
    }
    for (size_t n = 0; n < planner->gpu_count; n++) {
        struct gp_work_gpu *work = &planner->gpus[n];

        if (!work->managed)
            continue;
        if (work->goal->rule)
            gp_planner_block_gpu(planner, work, work->goal->rule, work->goal->blocked, true);
        else
            ask_mechanism(planner, work);
    }
}
