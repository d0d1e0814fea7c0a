#include "rows.h"
#include "tree.h"

#include "mdev/mdev.h"
#include "plan.h"
#include "registry.h"
#include "text.h"

#include <string.h>

static struct tree tree;

static void open_tree(void)
{
    tree_open(&tree);
    tree.host.sriov_manage = "/usr/lib/nvidia/sriov-manage";
}

static void close_tree(void)
{
    tree_close(&tree);
}

TestSuite(mdev, .init = open_tree, .fini = close_tree);

static void mdev_type(const char *parent, const char *dir, const char *name, const char *description,
                      const char *available)
{
    const char *path = gp_printf(tree.mem, "%s/mdev_supported_types/%s", parent, dir);

    if (name)
        tree_file(&tree, gp_printf(tree.mem, "%s/name", path), name);
    if (description)
        tree_file(&tree, gp_printf(tree.mem, "%s/description", path), description);
    tree_file(&tree, gp_printf(tree.mem, "%s/available_instances", path), available);
    tree_file(&tree, gp_printf(tree.mem, "%s/create", path), "");
}

static void nvidia_types(const char *parent)
{
    mdev_type(parent, "nvidia-745", "NVIDIA A2-2Q\n", "framebuffer=2048M, max_instance=8\n", "0\n");
    mdev_type(parent, "nvidia-746", "NVIDIA A2-4Q\n", "framebuffer=4096M, max_instance=4\n", "1\n");
    mdev_type(parent, "nvidia-754", "NVIDIA A2-4C\n", "framebuffer=4096M, max_instance=4\n", "1\n");
}

static void mdev(const char *parent, const char *uuid, const char *type, int group)
{
    tree_link(&tree, gp_printf(tree.mem, "%s/%s/mdev_type", parent, uuid),
              gp_printf(tree.mem, "../mdev_supported_types/%s", type));
    tree_link(&tree, gp_printf(tree.mem, "%s/%s/iommu_group", parent, uuid),
              gp_printf(tree.mem, "../../../../kernel/iommu_groups/%d", group));
    tree_file(&tree, gp_printf(tree.mem, "%s/%s/remove", parent, uuid), "");
    tree_link(&tree, gp_printf(tree.mem, "sys/bus/mdev/devices/%s", uuid),
              gp_printf(tree.mem, "../../../devices/%s/%s", parent + strlen("sys/devices/"), uuid));
}

/* The recorded host: three of its 16 VFs carry what somebody made by hand. */
Test(mdev, recorded_mdevs_on_vfs_keep_their_uuids)
{
    struct gp_gpu *gpu;

    tree_a2(&tree, 16);
    for (unsigned i = 0; i < 16; i++)
        nvidia_types(tree_a2_vf(&tree, i, ""));
    mdev(gp_printf(tree.mem, "sys/devices/pci0000:00/0000:08:00.4"), "f715f63c-0d00-4007-9c5a-b07b0c6c05de",
         "nvidia-754", 106);
    mdev(gp_printf(tree.mem, "sys/devices/pci0000:00/0000:08:00.6"), "3deab9a4-200a-4c54-99b1-5eb0722d1d81",
         "nvidia-746", 108);
    mdev(gp_printf(tree.mem, "sys/devices/pci0000:00/0000:08:02.0"), "c728e022-f16f-434b-ad2c-9665ee634d3d",
         "nvidia-746", 107);
    gpu = tree_gpu(&tree);
    cr_assert(eq(str, (char *)gpu->mechanism, "mdev"));
    cr_assert(eq(u32, gpu->count, 3));
    cr_assert(eq(ptr, (void *)gpu->profile, NULL), "several profiles have none in common");
    cr_assert(eq(str, (char *)gpu->partitions[0].device.uuid, "f715f63c-0d00-4007-9c5a-b07b0c6c05de"));
    cr_assert(eq(str, (char *)gpu->partitions[2].profile, "NVIDIA A2-4Q"));
    cr_assert(eq(u32, gpu->partitions[2].type_id, 746));
    cr_assert(eq(i32, gpu->partitions[12].group, 107));
    cr_assert(not(gpu->partitions[1].live));
    cr_assert(eq(str, (char *)gpu->partitions[1].device.uuid,
                 (char *)gp_mdev_uuid(&tree.host, tree.mem, gpu, 1)));
    cr_assert(eq(sz, gpu->valid_count, 3));
    cr_assert(eq(u32, gpu->valid[0].count, 8));
    cr_assert(eq(str, (char *)gpu->valid[0].source, "mdev_supported_types"));
    cr_assert(eq(u32, gpu->valid[1].vram_mib, 4096), "what the catalogue does not know the type tells");
}

/* ---- on the GPU itself ---- */

#define IGPU "sys/devices/pci0000:00/0000:00:02.0"

static void gvt(void)
{
    tree_device(&tree, &(struct tree_device){.address = "0000:00:02.0",
                                             .ids = "8086:5912:8086:0000",
                                             .class = "0x030000",
                                             .driver = "i915",
                                             .group = 0});
}

Test(mdev, other_drivers_tell_how_many_more_there_can_be)
{
    struct gp_gpu *gpu;

    gvt();
    mdev_type(IGPU, "i915-GVTg_V5_4", NULL, "low_gm_size: 128MB\n", "1\n");
    mdev_type(IGPU, "i915-GVTg_V5_8", "GVTg_V5_8\n", NULL, "2\n");
    gpu = tree_gpu(&tree);
    cr_assert(eq(int, gpu->status, GP_GPU_PARTITIONABLE));
    cr_assert(eq(sz, gpu->valid_count, 2));
    cr_assert(eq(u32, gpu->valid[0].count, 2));
    cr_assert(eq(str, (char *)gpu->valid[0].profile, "GVTg_V5_8"));
    cr_assert(eq(str, (char *)gpu->valid[1].profile, "i915-GVTg_V5_4"), "without a name it is the type's");
    cr_assert(eq(sz, gpu->partition_count, 2));
}

/* Beside one of the larger type nobody knows how many of the smaller there could be; as they are tried there is none left. */
Test(mdev, what_is_not_told_beside_another_type_is_said)
{
    struct gp_gpu *gpu;

    gvt();
    mdev_type(IGPU, "i915-small", NULL, NULL, "2\n");
    mdev_type(IGPU, "i915-large", NULL, NULL, "1\n");
    mdev(IGPU, "11111111-2222-3333-4444-555555555555", "i915-large", 21);
    gpu = tree_gpu(&tree);
    cr_assert(eq(int, gpu->status, GP_GPU_PARTITIONED));
    cr_assert(eq(sz, gpu->valid_count, 1));
    cr_assert(eq(str, (char *)gpu->valid[0].profile, "i915-large"));
    cr_assert(eq(u32, gpu->valid[0].count, 2));
    cr_assert(eq(str, (char *)gpu->reason, "while it has partitions of another profile its driver does not tell how many it "
                                           "could have of i915-small"));
}

Test(mdev, ours_have_their_number_and_others_the_rest)
{
    const char *other = "11111111-2222-3333-4444-555555555555", *ours;
    struct gp_gpu *gpu;

    gvt();
    mdev_type(IGPU, "i915-GVTg_V5_8", "GVTg_V5_8\n", NULL, "2\n");
    gpu = tree_gpu(&tree);
    ours = gp_mdev_uuid(&tree.host, tree.mem, gpu, 1);
    mdev(IGPU, ours, "i915-GVTg_V5_8", 20);
    mdev(IGPU, other, "i915-GVTg_V5_8", 21);
    tree_file(&tree, IGPU "/mdev_supported_types/i915-GVTg_V5_8/available_instances", "0\n");
    gpu = tree_gpu(&tree);
    cr_assert(eq(u32, gpu->count, 2));
    cr_assert(eq(str, (char *)gpu->partitions[0].device.uuid, (char *)other));
    cr_assert(eq(str, (char *)gpu->partitions[1].device.uuid, (char *)ours));
    cr_assert(eq(u32, gpu->valid[0].count, 2), "what exists counts");
    cr_assert(eq(str, (char *)gpu->profile, "GVTg_V5_8"));
}

static struct gp_error *apply(const struct gp_gpu *gpu, enum gp_step_kind kind, int64_t partition)
{
    struct gp_step step = {.kind = kind, .gpu = gpu->id, .partition = partition, .profile = "GVTg_V5_8",
                           .before = "none", .after = "GVTg_V5_8", .timeout_ms = 300};

    return gp_registry_apply(&tree.host, gpu, &step);
}

/* Plain files answer nothing, so what was asked for does not happen: that has to be noticed. */
Test(mdev, what_did_not_happen_is_noticed)
{
    struct gp_gpu *gpu;

    gvt();
    mdev_type(IGPU, "i915-GVTg_V5_8", "GVTg_V5_8\n", NULL, "2\n");
    gpu = tree_gpu(&tree);
    cr_assert(eq(int, tree_code(apply(gpu, GP_STEP_CREATE_PARTITION, 0)), GP_E_IO));
    cr_assert(eq(str, (char *)tree_text(&tree, IGPU "/mdev_supported_types/i915-GVTg_V5_8/create"),
                 (char *)gp_mdev_uuid(&tree.host, tree.mem, gpu, 0)));
    mdev(IGPU, gp_mdev_uuid(&tree.host, tree.mem, gpu, 0), "i915-GVTg_V5_8", 20);
    tree_ok(apply(gpu, GP_STEP_CREATE_PARTITION, 0));
    gpu = tree_gpu(&tree);
    cr_assert(eq(int, tree_code(apply(gpu, GP_STEP_RELEASE_PARTITION, 0)), GP_E_IO));
    tree_ok(apply(gpu, GP_STEP_RELEASE_PARTITION, 1));
}

Test(mdev, on_vfio_pci_it_is_still_ours_to_cut)
{
    const struct gp_mechanism *mechanism;
    struct gp_steps steps = {.mem = tree.mem};
    struct gp_layout want = {.mode = GP_MODE_PARTITIONED, .count = 4};
    struct gp_gpu *gpu;

    tree_device(&tree, &(struct tree_device){.address = "0000:84:00.0",
                                             .ids = "10de:1b38:10de:11d9",
                                             .class = "0x030200",
                                             .driver = "vfio-pci",
                                             .group = 60});
    gpu = tree_gpu(&tree);
    cr_assert(eq(str, (char *)gpu->mechanism, "mdev"));
    cr_assert(eq(int, gpu->status, GP_GPU_READY_FOR_PASSTHROUGH));
    for (size_t i = 0; i < gpu->valid_count && !want.profile; i++) {
        if (gpu->valid[i].count == 4)
            want.profile = gpu->valid[i].profile;
    }
    mechanism = gp_registry_mechanism(gpu->mechanism);
    tree_ok(mechanism->plan(gpu, &want, &steps));
    cr_assert(eq(sz, steps.count, 5));
    cr_assert(eq(int, steps.items[0].kind, GP_STEP_BIND_DRIVER));
    cr_assert(eq(int, steps.items[4].kind, GP_STEP_CREATE_PARTITION));
}
