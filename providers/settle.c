#include "settle.h"

#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void gp_gpu_settle(struct gp_gpu *gpu)
{
    enum gp_gpu_status before = gpu->status;
    bool several = false;

    gpu->count = 0;
    gpu->profile = NULL;
    for (size_t i = 0; i < gpu->partition_count; i++) {
        const struct gp_partition *partition = &gpu->partitions[i];

        if (!partition->live)
            continue;
        if (gpu->count++ == 0)
            gpu->profile = partition->profile;
        else if (!gp_streq(gpu->profile, partition->profile))
            several = true;
    }
    if (several)
        gpu->profile = NULL;

    if (gpu->count)
        gpu->mode = GP_MODE_PARTITIONED;
    else if (gp_streq(gpu->driver, "vfio-pci"))
        gpu->mode = GP_MODE_PASSTHROUGH;
    else
        gpu->mode = GP_MODE_NONE;

    if (gpu->status == GP_GPU_NOT_ASSIGNABLE)
        return;
    if (gpu->mode == GP_MODE_PARTITIONED)
        gpu->status = GP_GPU_PARTITIONED;
    else if (gpu->mode == GP_MODE_PASSTHROUGH)
        gpu->status = GP_GPU_READY_FOR_PASSTHROUGH;
    else if (gpu->valid_count)
        gpu->status = GP_GPU_PARTITIONABLE;
    if (gpu->status != before)
        gpu->reason = NULL;
}

struct gp_error *gp_refuse_unfit(const struct gp_gpu *gpu)
{
    switch (gpu->status) {
    case GP_GPU_PARAVIRTUAL:
    case GP_GPU_NOT_ASSIGNABLE:
    case GP_GPU_UNSUPPORTED:
    case GP_GPU_UNKNOWN:
        return gp_error_new(GP_E_UNSUPPORTED, "%s cannot be partitioned: %s", gpu->id,
                            gpu->reason ? gpu->reason : gp_gpu_status_name(gpu->status));
    default:
        return NULL;
    }
}

struct gp_gpu *gp_gpu_scratch(struct gp_arena *mem, const struct gp_gpu *gpu)
{
    struct gp_gpu *copy = gp_memdup(mem, gpu, sizeof *gpu);

    /* Grown anew, so that gp_push() may go on. */
    copy->partitions = NULL;
    copy->partition_count = 0;
    for (size_t i = 0; i < gpu->partition_count; i++)
        *gp_push(mem, copy->partitions, copy->partition_count) = gpu->partitions[i];
    return copy;
}

const char *gp_number_text(struct gp_arena *mem, uint64_t number)
{
    return gp_printf(mem, "%" PRIu64, number);
}

void gp_valid_add(struct gp_arena *mem, struct gp_gpu *gpu, struct gp_valid_count valid)
{
    for (size_t i = 0; i < gpu->valid_count; i++) {
        if (gpu->valid[i].count == valid.count && gp_streq(gpu->valid[i].profile, valid.profile))
            return;
    }
    *gp_push(mem, gpu->valid, gpu->valid_count) = valid;
}

static int by_count_and_profile(const void *a, const void *b)
{
    const struct gp_valid_count *left = a, *right = b;

    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    return gp_strcmp(left->profile, right->profile);
}

void gp_valid_sort(struct gp_gpu *gpu)
{
    if (gpu->valid_count)
        qsort(gpu->valid, gpu->valid_count, sizeof *gpu->valid, by_count_and_profile);
}

static const char *last_word(const char *name)
{
    const char *space = name ? strrchr(name, ' ') : NULL;

    return space ? space + 1 : name;
}

bool gp_profile_eq(const char *a, uint32_t a_type, const char *b, uint32_t b_type)
{
    if (a_type && b_type)
        return a_type == b_type;
    return gp_streq(last_word(a), last_word(b));
}

const struct gp_valid_count *gp_valid_find(const struct gp_gpu *gpu, const char *profile,
                                           uint32_t type_id)
{
    for (size_t i = 0; i < gpu->valid_count; i++) {
        if (gp_profile_eq(gpu->valid[i].profile, gpu->valid[i].type_id, profile, type_id))
            return &gpu->valid[i];
    }
    return NULL;
}
