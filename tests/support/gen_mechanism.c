#include "gen.h"

#include "text.h"

#include <string.h>

enum { SLOTS = 8 };

void gen_settle(struct gp_gpu *gpu)
{
    gpu->count = 0;
    gpu->profile = NULL;
    for (size_t n = 0; n < gpu->partition_count; n++) {
        const struct gp_partition *partition = &gpu->partitions[n];

        if (!partition->live)
            continue;
        gpu->profile =
            !gpu->count || gp_streq(gpu->profile, partition->profile) ? partition->profile : NULL;
        gpu->count++;
    }
    if (gpu->count)
        gpu->mode = GP_MODE_PARTITIONED;
    else
        gpu->mode = gp_streq(gpu->driver, "vfio-pci") ? GP_MODE_PASSTHROUGH : GP_MODE_NONE;
    gpu->status = gpu->count ? GP_GPU_PARTITIONED : GP_GPU_PARTITIONABLE;
}

/* ---- what they have in common ---- */

static struct gp_step *add(struct gp_steps *steps, const struct gp_gpu *gpu, enum gp_step_kind kind,
                           enum gp_reach reach, int64_t partition)
{
    struct gp_step *step = gp_steps_add(steps, kind, gpu->id);

    step->reach = reach;
    step->partition = partition;
    return step;
}

static void set_vfs(struct gp_arena *mem, struct gp_gpu *gpu, uint32_t count)
{
    gpu->vf_count = count;
    gpu->partitions = NULL;
    gpu->partition_count = 0;
    for (uint32_t n = 0; n < count; n++)
        *gp_push(mem, gpu->partitions, gpu->partition_count) = (struct gp_partition){
            .index = n,
            .device = {.kind = GP_DEVICE_PCI,
                       .pci = gp_pci_vf(gpu->address, gpu->vf_offset, gpu->vf_stride, n)},
            .group = (int32_t)(gpu->address.bus * 100 + n),
        };
}

static void add_vf_count(struct gp_steps *steps, const struct gp_gpu *gpu, uint32_t from,
                         uint32_t to, enum gp_reach reach)
{
    struct gp_step *step = add(steps, gpu, GP_STEP_SET_VF_COUNT, reach, -1);

    step->before = gp_printf(steps->mem, "%u", (unsigned)from);
    step->after = gp_printf(steps->mem, "%u", (unsigned)to);
    step->value = to;
}

static void add_driver(struct gp_steps *steps, const struct gp_gpu *gpu, int64_t partition,
                       const char *driver)
{
    struct gp_step *step = add(steps, gpu, GP_STEP_BIND_DRIVER,
                               partition < 0 ? GP_REACH_GPU : GP_REACH_PARTITION, partition);

    step->driver = driver;
}

static bool fits(const struct gp_partition *partition, const struct gp_layout *want)
{
    if (!partition->live || want->mode != GP_MODE_PARTITIONED)
        return false;
    if (!want->exactly)
        return gp_streq(partition->profile, want->profile);
    for (size_t n = 0; n < want->exactly_count; n++)
        if (want->exactly[n].index == partition->index)
            return gp_streq(want->exactly[n].profile, partition->profile) &&
                   (partition->device.kind != GP_DEVICE_MDEV ||
                    gp_device_eq(want->exactly[n].device, partition->device));
    return false;
}

static bool by_profile_matches(const struct gp_gpu *gpu, const struct gp_layout *want)
{
    const size_t count = want->mode != GP_MODE_PARTITIONED ? 0
                         : want->exactly                   ? want->exactly_count
                                                           : want->count;
    size_t live = 0;

    for (size_t n = 0; n < gpu->partition_count; n++) {
        if (gpu->partitions[n].live && !fits(&gpu->partitions[n], want))
            return false;
        live += gpu->partitions[n].live;
    }
    return live == count &&
           (want->mode == GP_MODE_PASSTHROUGH) == gp_streq(gpu->driver, "vfio-pci");
}

static void add_create(struct gp_steps *steps, const struct gp_gpu *gpu, uint32_t index,
                       const struct gp_layout *want)
{
    struct gp_step *step = add(steps, gpu, GP_STEP_CREATE_PARTITION, GP_REACH_NOTHING, index);

    const struct gp_partition *slot = gp_gpu_partition(gpu, index);

    step->before = "none";
    step->profile = want->profile;
    step->value = want->type_id;
    if (slot && !slot->live)
        step->device = slot->device; /* what is there now goes first, and takes its UUID along */
    for (size_t n = 0; n < want->exactly_count; n++)
        if (want->exactly[n].index == index) {
            step->profile = want->exactly[n].profile;
            step->value = want->exactly[n].type_id;
            step->device = want->exactly[n].device;
        }
    step->after = step->profile;
}

static bool is_wanted(const struct gp_layout *want, uint32_t index, size_t made)
{
    if (!want->exactly)
        return made < want->count;
    for (size_t n = 0; n < want->exactly_count; n++)
        if (want->exactly[n].index == index)
            return true;
    return false;
}

/* Releases what does not fit or is too much, then makes what is missing: @slots places there are.
 */
static void by_profile_plan(const struct gp_gpu *gpu, const struct gp_layout *want, uint32_t slots,
                            struct gp_steps *steps)
{
    const size_t count = want->mode == GP_MODE_PARTITIONED ? want->count : 0;
    size_t kept = 0;
    bool keep[SLOTS] = {false};

    for (size_t n = 0; n < gpu->partition_count; n++) {
        const struct gp_partition *partition = &gpu->partitions[n];

        if (!partition->live)
            continue;
        if (fits(partition, want) && (want->exactly || kept < count)) {
            keep[partition->index] = true;
            kept++;
            continue;
        }
        add(steps, gpu, GP_STEP_RELEASE_PARTITION, GP_REACH_PARTITION, partition->index)->before =
            partition->profile;
    }
    for (uint32_t n = 0; want->mode == GP_MODE_PARTITIONED && n < slots; n++) {
        if (keep[n] || !is_wanted(want, n, kept))
            continue;
        add_create(steps, gpu, n, want);
        kept++;
    }
}

static void by_profile_predict(struct gp_gpu *gpu, const struct gp_step *step)
{
    struct gp_partition *partition = gp_gpu_partition(gpu, (uint32_t)step->partition);
    const bool made = step->kind == GP_STEP_CREATE_PARTITION;

    if (!partition)
        return;
    partition->live = made;
    partition->profile = made ? step->profile : NULL;
    partition->type_id = made ? (uint32_t)step->value : 0;
    partition->held = GP_HELD_NO;
    partition->quarantined = false;
    if (made && step->device.kind != GP_DEVICE_NONE)
        partition->device = step->device;
    else if (!made && partition->device.kind == GP_DEVICE_MDEV)
        partition->device = (struct gp_device){0};
}

static struct gp_error *add_passthrough(const struct gp_gpu *gpu, const struct gp_layout *want,
                                        struct gp_steps *steps)
{
    if (want->mode == GP_MODE_PARAVIRTUAL)
        return gp_error_new(GP_E_UNSUPPORTED, "%s cannot be shared", gpu->id);
    if (want->mode == GP_MODE_PASSTHROUGH && !gp_streq(gpu->driver, "vfio-pci"))
        add_driver(steps, gpu, -1, "vfio-pci");
    if (want->mode != GP_MODE_PASSTHROUGH && gp_streq(gpu->driver, "vfio-pci"))
        add_driver(steps, gpu, -1, "host");
    return NULL;
}

static void bind(struct gp_gpu *gpu, const struct gp_step *step)
{
    struct gp_partition *partition =
        step->partition >= 0 ? gp_gpu_partition(gpu, (uint32_t)step->partition) : NULL;

    if (step->partition < 0) {
        gpu->driver = step->driver;
    } else if (partition) {
        partition->driver = step->driver;
        partition->live = true;
    }
}

static uint32_t count_of(const struct gp_layout *want)
{
    if (want->mode != GP_MODE_PARTITIONED)
        return 0;
    if (!want->exactly)
        return want->count;
    return want->exactly_count ? want->exactly[want->exactly_count - 1].index + 1 : 0;
}

/* Whether VF @index shall be one for guests. */
static bool is_for_guests(const struct gp_layout *want, uint32_t index)
{
    for (size_t n = 0; n < want->exactly_count; n++)
        if (want->exactly[n].index == index)
            return true;
    return !want->exactly;
}

/* ---- vendor ---- */

static struct gp_error *vendor_plan(const struct gp_gpu *gpu, const struct gp_layout *want,
                                    struct gp_steps *steps)
{
    struct gp_error *err = NULL;

    if (want->mode == GP_MODE_PARTITIONED)
        err = add_passthrough(gpu, want, steps);
    if (want->mode == GP_MODE_PARTITIONED && !gpu->vf_count) {
        if (!gpu->vfs_by_tool)
            return gp_error_new(GP_E_UNSUPPORTED, "%s needs the vendor's tool", gpu->id);
        add_vf_count(steps, gpu, 0, SLOTS, GP_REACH_GPU);
    }
    by_profile_plan(gpu, want, SLOTS, steps);
    if (want->mode == GP_MODE_PASSTHROUGH && gpu->vf_count)
        add_vf_count(steps, gpu, gpu->vf_count, 0, GP_REACH_GPU);
    if (want->mode != GP_MODE_PARTITIONED)
        err = add_passthrough(gpu, want, steps);
    return err;
}

static void vendor_predict(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step)
{
    if (step->kind == GP_STEP_SET_VF_COUNT)
        set_vfs(mem, gpu, (uint32_t)step->value);
    else if (step->kind == GP_STEP_BIND_DRIVER)
        bind(gpu, step);
    else
        by_profile_predict(gpu, step);
    gen_settle(gpu);
}

/* ---- sriov ---- */

/* VFs beyond those that shall be there again disturb nobody, and are not worth taking all away. */
static bool has_vfs(const struct gp_gpu *gpu, const struct gp_layout *want)
{
    const uint32_t count = count_of(want);

    return gpu->vf_count == count || (want->exactly && count && gpu->vf_count > count);
}

static bool sriov_matches(const struct gp_gpu *gpu, const struct gp_layout *want)
{
    for (size_t n = 0; n < gpu->partition_count; n++)
        if (!gpu->partitions[n].live && is_for_guests(want, gpu->partitions[n].index))
            return false;
    return has_vfs(gpu, want) &&
           (want->mode == GP_MODE_PASSTHROUGH) == gp_streq(gpu->driver, "vfio-pci");
}

static struct gp_error *sriov_plan(const struct gp_gpu *gpu, const struct gp_layout *want,
                                   struct gp_steps *steps)
{
    const uint32_t count = count_of(want);
    struct gp_error *err = NULL;

    if (count > gpu->vf_total)
        return gp_error_new(GP_E_UNSUPPORTED, "%s has at most %u VFs", gpu->id,
                            (unsigned)gpu->vf_total);
    if (gpu->vf_count && !has_vfs(gpu, want))
        add_vf_count(steps, gpu, gpu->vf_count, 0, GP_REACH_GPU);
    err = add_passthrough(gpu, want, steps);
    if (err)
        return err;
    if (count && !has_vfs(gpu, want)) {
        add(steps, gpu, GP_STEP_PROVISION, GP_REACH_NOTHING, -1)->after =
            gp_printf(steps->mem, "1/%u each", (unsigned)count);
        add_vf_count(steps, gpu, 0, count, GP_REACH_NOTHING);
    }
    for (uint32_t n = 0; n < count; n++) {
        const struct gp_partition *partition = has_vfs(gpu, want) ? gp_gpu_partition(gpu, n) : NULL;

        if ((!partition || !partition->live) && is_for_guests(want, n))
            add_driver(steps, gpu, n, "vfio-pci");
    }
    return NULL;
}

static void sriov_predict(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step)
{
    if (step->kind == GP_STEP_SET_VF_COUNT)
        set_vfs(mem, gpu, (uint32_t)step->value);
    else if (step->kind == GP_STEP_BIND_DRIVER)
        bind(gpu, step);
    gen_settle(gpu);
}

/* ---- mdev ---- */

static struct gp_error *mdev_plan(const struct gp_gpu *gpu, const struct gp_layout *want,
                                  struct gp_steps *steps)
{
    struct gp_error *err = NULL;

    if (want->mode == GP_MODE_PARTITIONED)
        err = add_passthrough(gpu, want, steps);
    by_profile_plan(gpu, want, SLOTS, steps);
    return want->mode == GP_MODE_PARTITIONED ? err : add_passthrough(gpu, want, steps);
}

static void mdev_predict(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step)
{
    (void)mem;
    if (step->kind == GP_STEP_BIND_DRIVER)
        bind(gpu, step);
    else
        by_profile_predict(gpu, step);
    gen_settle(gpu);
}

/* ---- loaded ---- */

static struct gp_error *loaded_plan(const struct gp_gpu *gpu, const struct gp_layout *want,
                                    struct gp_steps *steps)
{
    struct gp_step *step;

    if (want->mode == GP_MODE_PASSTHROUGH || want->mode == GP_MODE_PARAVIRTUAL)
        return gp_error_new(GP_E_UNSUPPORTED, "%s can only be partitioned", gpu->id);
    step = add(steps, gpu, GP_STEP_SET_MODE, GP_REACH_HOST, -1);
    step->before = gp_printf(steps->mem, "%u", (unsigned)gpu->vf_count);
    step->after = gp_printf(steps->mem, "%u", (unsigned)count_of(want));
    step->value = count_of(want);
    return NULL;
}

static void loaded_predict(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step)
{
    if (step->kind == GP_STEP_SET_MODE)
        set_vfs(mem, gpu, (uint32_t)step->value);
    for (size_t n = 0; n < gpu->partition_count; n++)
        gpu->partitions[n].live = true;
    gen_settle(gpu);
}

const struct gp_mechanism *gen_mechanism(const char *name)
{
    static const struct gp_mechanism mechanisms[] = {
        {"vendor", by_profile_matches, vendor_plan, vendor_predict},
        {"sriov", sriov_matches, sriov_plan, sriov_predict},
        {"mdev", by_profile_matches, mdev_plan, mdev_predict},
        {"loaded", sriov_matches, loaded_plan, loaded_predict},
    };

    for (size_t n = 0; n < sizeof mechanisms / sizeof *mechanisms; n++)
        if (gp_streq(mechanisms[n].name, name))
            return &mechanisms[n];
    return NULL;
}

/* ---- GPUs of them ---- */

static bool has_profiles(const struct gp_gpu *gpu)
{
    return gp_streq(gpu->mechanism, "vendor") || gp_streq(gpu->mechanism, "mdev");
}

void gen_gpu_init(struct gp_arena *mem, struct gp_gpu *gpu, uint32_t number, const char *mechanism)
{
    static const char *const profiles[] = {"GEN 1Q", "GEN 2Q", "GEN 4Q", "GEN 8Q"};

    *gpu = (struct gp_gpu){
        .id = gp_printf(mem, "slot%u", (unsigned)number),
        .slot = gp_printf(mem, "%u", (unsigned)number),
        .address = {.bus = (uint8_t)(8 * number)},
        .mechanism = mechanism,
        .driver = "host",
        .numa_node = -1,
        .group = (int32_t)(1000 + number),
        .vfs_by_tool = true,
    };
    if (!gp_streq(mechanism, "mdev")) {
        gpu->vf_total = SLOTS;
        gpu->vf_offset = 4;
        gpu->vf_stride = 1;
    }
    for (uint32_t n = 0; n < 4; n++)
        *gp_push(mem, gpu->valid, gpu->valid_count) = (struct gp_valid_count){
            .count = (uint32_t)SLOTS >> n,
            .profile = has_profiles(gpu) ? profiles[n] : NULL,
            .type_id = has_profiles(gpu) ? 100 + n : 0,
        };
    for (uint32_t n = 0; gp_streq(mechanism, "mdev") && n < SLOTS; n++)
        *gp_push(mem, gpu->partitions, gpu->partition_count) =
            (struct gp_partition){.index = n, .group = -1};
    gen_settle(gpu);
}

struct gp_layout gen_layout(const struct gp_gpu *gpu, uint32_t count)
{
    for (size_t n = 0; n < gpu->valid_count; n++)
        if (gpu->valid[n].count == count)
            return (struct gp_layout){
                .mode = GP_MODE_PARTITIONED,
                .count = count,
                .profile = gpu->valid[n].profile,
                .type_id = gpu->valid[n].type_id,
            };
    return (struct gp_layout){.mode = GP_MODE_NONE};
}

void gen_gpu_cut(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_layout *want)
{
    const struct gp_mechanism *mechanism = gen_mechanism(gpu->mechanism);
    struct gp_steps steps = {.mem = mem};

    if (mechanism->matches(gpu, want))
        return;
    gp_error_free(mechanism->plan(gpu, want, &steps));
    for (size_t n = 0; n < steps.count; n++)
        mechanism->predict(mem, gpu, &steps.items[n]);
}

void gen_observe(struct gp_arena *mem, struct gp_have *have)
{
    for (size_t g = 0; g < have->gpu_count; g++) {
        struct gp_gpu *gpu = &have->gpus[g];

        for (size_t n = 0; n < gpu->partition_count; n++) {
            struct gp_partition *partition = &gpu->partitions[n];
            const bool unseen =
                partition->device.kind == GP_DEVICE_NONE ||
                (partition->device.kind == GP_DEVICE_MDEV && strchr(partition->device.uuid, '/'));

            if (unseen && gp_streq(gpu->mechanism, "mdev"))
                partition->device = (struct gp_device){
                    .kind = GP_DEVICE_MDEV,
                    .uuid = gp_printf(mem, "00000000-0000-5000-8000-%04x%08x",
                                      (unsigned)gpu->address.bus, (unsigned)partition->index),
                };
        }
    }
}
