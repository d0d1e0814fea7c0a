#include "profiles.h"

#include "settle.h"
#include "text.h"

#include <stdlib.h>

/* The vendor's driver refuses to clear a partition for seconds after its guest is gone. */
#define RELEASE_TIMEOUT_MS 40000
#define CREATE_TIMEOUT_MS  30000

static const struct gp_partition *find_exact(const struct gp_layout *want, uint32_t index)
{
    for (size_t i = 0; i < want->exactly_count; i++) {
        if (want->exactly[i].index == index && want->exactly[i].live)
            return &want->exactly[i];
    }
    return NULL;
}

static size_t wanted_count(const struct gp_layout *want)
{
    size_t count = 0;

    if (want->mode != GP_MODE_PARTITIONED)
        return 0;
    if (!want->exactly)
        return want->count;
    for (size_t i = 0; i < want->exactly_count; i++)
        count += want->exactly[i].live;
    return count;
}

/* Whether @partition may stay under @want as far as it alone goes. */
static bool fits(const struct gp_partition *partition, const struct gp_layout *want)
{
    const struct gp_partition *exact;

    if (!partition->live || want->mode != GP_MODE_PARTITIONED)
        return false;
    if (!want->exactly)
        return gp_profile_eq(partition->profile, partition->type_id, want->profile, want->type_id);
    exact = find_exact(want, partition->index);
    /* A VF may have another address than it had; an mdev is named by its UUID alone. */
    return exact &&
           gp_profile_eq(partition->profile, partition->type_id, exact->profile, exact->type_id) &&
           (exact->device.kind != GP_DEVICE_MDEV || gp_device_eq(exact->device, partition->device));
}

bool gp_profiles_matches(const struct gp_gpu *gpu, const struct gp_layout *want)
{
    size_t live = 0;

    for (size_t i = 0; i < gpu->partition_count; i++) {
        if (!gpu->partitions[i].live)
            continue;
        if (!fits(&gpu->partitions[i], want))
            return false;
        live++;
    }
    return live == wanted_count(want);
}

/* Who stays if not all can: sound before quarantined, held before free, low before high. */
static int by_worth(const void *a, const void *b)
{
    const struct gp_partition *left = *(const struct gp_partition *const *)a;
    const struct gp_partition *right = *(const struct gp_partition *const *)b;
    bool left_free = left->held == GP_HELD_NO, right_free = right->held == GP_HELD_NO;

    if (left->quarantined != right->quarantined)
        return left->quarantined ? 1 : -1;
    if (left_free != right_free)
        return left_free ? 1 : -1;
    return left->index < right->index ? -1 : left->index > right->index;
}

static void add_release(struct gp_steps *steps, const struct gp_gpu *gpu,
                        const struct gp_partition *partition, const char *reason)
{
    struct gp_step *step = gp_steps_add(steps, GP_STEP_RELEASE_PARTITION, gpu->id);

    step->partition = partition->index;
    step->reach = GP_REACH_PARTITION;
    step->before = partition->profile ? partition->profile : "unknown";
    step->after = "none";
    step->device_before = partition->device;
    step->reason = reason;
    step->timeout_ms = RELEASE_TIMEOUT_MS;
}

static void add_create(struct gp_steps *steps, const struct gp_gpu *gpu, uint32_t index,
                       const char *profile, uint32_t type_id, struct gp_device device)
{
    struct gp_step *step = gp_steps_add(steps, GP_STEP_CREATE_PARTITION, gpu->id);
    const struct gp_valid_count *valid = gp_valid_find(gpu, profile, type_id);

    step->partition = index;
    step->reach = GP_REACH_NOTHING;
    step->before = "none";
    step->after = profile;
    step->profile = profile;
    step->value = type_id || !valid ? type_id : valid->type_id;
    step->device = device;
    step->reason = "the layout has a partition here";
    step->timeout_ms = CREATE_TIMEOUT_MS;
}

static struct gp_error *create_exactly(struct gp_steps *steps, const struct gp_gpu *gpu,
                                       const struct gp_layout *want, const bool *keep)
{
    for (size_t i = 0; i < want->exactly_count; i++) {
        const struct gp_partition *exact = &want->exactly[i];
        const struct gp_partition *slot = gp_gpu_partition(gpu, exact->index);
        struct gp_device device = exact->device;

        if (!exact->live || (slot && keep[slot - gpu->partitions]))
            continue;
        if (!slot)
            return gp_error_new(GP_E_UNSUPPORTED, "%s has no place for partition %u any more", gpu->id,
                                exact->index);
        if (device.kind == GP_DEVICE_PCI)
            device = slot->device;
        add_create(steps, gpu, exact->index, exact->profile, exact->type_id, device);
    }
    return NULL;
}

static struct gp_error *create_missing(struct gp_steps *steps, const struct gp_gpu *gpu,
                                       const struct gp_layout *want, const bool *keep, size_t missing)
{
    if (missing && !want->profile && !want->type_id)
        return gp_error_new(GP_E_INVALID, "%s needs a profile to be given: its partitions have one", gpu->id);
    /* What failed its check is used last. */
    for (int quarantined = 0; quarantined < 2; quarantined++) {
        for (size_t i = 0; i < gpu->partition_count && missing; i++) {
            const struct gp_partition *slot = &gpu->partitions[i];
            struct gp_device device = slot->device;

            if (keep[i] || slot->quarantined != (quarantined == 1))
                continue;
            /* What is there now goes first, and takes its UUID along. */
            if (slot->live && device.kind == GP_DEVICE_MDEV)
                device = (struct gp_device){0};
            add_create(steps, gpu, slot->index, want->profile, want->type_id, device);
            missing--;
        }
    }
    if (missing)
        return gp_error_new(GP_E_UNSUPPORTED, "%s has room for %zu partitions, not %u", gpu->id,
                            gpu->partition_count, want->count);
    return NULL;
}

struct gp_error *gp_profiles_plan(const struct gp_gpu *gpu, const struct gp_layout *want,
                                  struct gp_steps *steps)
{
    const struct gp_partition **fit = gp_new_array(steps->mem, const struct gp_partition *,
                                                   gpu->partition_count + 1);
    bool *keep = gp_new_array(steps->mem, bool, gpu->partition_count + 1);
    size_t fit_count = 0, want_count = wanted_count(want), kept;

    for (size_t i = 0; i < gpu->partition_count; i++) {
        if (fits(&gpu->partitions[i], want))
            fit[fit_count++] = &gpu->partitions[i];
    }
    qsort(fit, fit_count, sizeof *fit, by_worth);
    kept = fit_count < want_count ? fit_count : want_count;
    for (size_t i = 0; i < kept; i++)
        keep[fit[i] - gpu->partitions] = true;

    for (size_t i = 0; i < gpu->partition_count; i++) {
        if (gpu->partitions[i].live && !keep[i])
            add_release(steps, gpu, &gpu->partitions[i],
                        fits(&gpu->partitions[i], want) ? "it is beyond the count"
                                                        : "it has not the profile of the layout");
    }
    if (want->mode != GP_MODE_PARTITIONED)
        return NULL;
    return want->exactly ? create_exactly(steps, gpu, want, keep)
                         : create_missing(steps, gpu, want, keep, want_count - kept);
}

void gp_profiles_predict(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step)
{
    struct gp_partition *partition = gp_gpu_partition(gpu, (uint32_t)step->partition);

    (void)mem;
    if (!partition)
        return;
    partition->held = GP_HELD_NO;
    partition->holder = NULL;
    if (step->kind == GP_STEP_RELEASE_PARTITION) {
        partition->live = false;
        partition->profile = NULL;
        partition->type_id = 0;
        if (partition->device.kind == GP_DEVICE_MDEV)
            partition->device = (struct gp_device){0};
    } else {
        const struct gp_valid_count *valid = gp_valid_find(gpu, step->profile, (uint32_t)step->value);

        partition->live = true;
        partition->profile = valid ? valid->profile : step->profile;
        partition->type_id = (uint32_t)step->value;
        if (step->device.kind != GP_DEVICE_NONE)
            partition->device = step->device;
    }
    if (partition->device.kind != GP_DEVICE_PCI) {
        partition->driver = NULL;
        partition->group = -1;
    }
}
