#include "rows.h"
#include "tree.h"

#include "plan.h"
#include "registry.h"
#include "text.h"

#include <string.h>

#define L40S_LIST                                                                                  \
    "ID    : vGPU Name\n742   : NVIDIA A2-1B\n744   : NVIDIA A2-1Q\n745   : NVIDIA A2-2Q\n"       \
    "746   : NVIDIA A2-4Q\n747   : NVIDIA A2-8Q\n748   : NVIDIA A2-16Q\n2999  : NVIDIA A2-8Z\n"

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

TestSuite(nvidia, .init = open_tree, .fini = close_tree);

/* The A2 with vendor VFIO on each VF, type @types[i] on VF i (0 ends it). */
static void vendor_a2(const char *list, const unsigned *types)
{
    tree_a2(&tree, 16);
    for (unsigned i = 0; i < 16; i++) {
        tree_file(&tree, tree_a2_vf(&tree, i, "nvidia/creatable_vgpu_types"), list);
        tree_file(&tree, tree_a2_vf(&tree, i, "nvidia/current_vgpu_type"),
                  gp_printf(tree.mem, "%u\n", types && *types ? *types++ : 0));
    }
}

Test(nvidia, partitions_are_types_not_vfs)
{
    struct gp_gpu *gpu;

    vendor_a2(L40S_LIST, (const unsigned[]){746, 746, 746, 0});
    gpu = tree_gpu(&tree);
    cr_assert(eq(str, (char *)gpu->mechanism, "nvidia-vfio"));
    cr_assert(eq(int, gpu->status, GP_GPU_PARTITIONED));
    cr_assert(eq(u32, gpu->count, 3));
    cr_assert(eq(str, (char *)gpu->profile, "NVIDIA A2-4Q"));
    cr_assert(eq(sz, gpu->partition_count, 16));
    cr_assert(eq(str, (char *)gp_device_text(tree.mem, gpu->partitions[12].device), "0000:08:02.0"));
    cr_assert(eq(i32, gpu->partitions[12].group, 102));
    cr_assert(not(gpu->partitions[3].live));
}

/* The empty host's own list decides which of the catalogue's series there are, and knows some more. */
Test(nvidia, valid_counts_are_the_catalogues_that_the_host_offers)
{
    bool has_z = false;
    struct gp_gpu *gpu;

    vendor_a2(L40S_LIST, NULL);
    gpu = tree_gpu(&tree);
    cr_assert(eq(int, gpu->status, GP_GPU_PARTITIONABLE));
    for (size_t i = 0; i < gpu->valid_count; i++) {
        const struct gp_valid_count *valid = &gpu->valid[i];

        cr_assert(eq(ptr, strstr(valid->profile, "-4C"), NULL), "%s is not offered", valid->profile);
        cr_assert(i == 0 || valid->count <= valid[-1].count);
        if (gp_streq(valid->profile, "NVIDIA A2-8Z")) {
            has_z = true;
            cr_assert(eq(u32, valid->count, 2));
            cr_assert(eq(str, (char *)valid->source, "creatable_vgpu_types"));
        } else {
            cr_assert(eq(str, (char *)valid->source, "catalogue"));
            cr_assert(ne(u32, valid->type_id, 0));
        }
    }
    cr_assert(has_z);
}

Test(nvidia, a_full_gpu_offers_nothing_and_still_has_names)
{
    struct gp_gpu *gpu;

    vendor_a2("ID    : vGPU Name\n", (const unsigned[]){746, 751, 4321, 746, 0});
    gpu = tree_gpu(&tree);
    cr_assert(eq(u32, gpu->count, 4));
    cr_assert(eq(ptr, (void *)gpu->profile, NULL));
    cr_assert(eq(str, (char *)gpu->partitions[1].profile, "NVIDIA A2-4A"));
    cr_assert(eq(str, (char *)gpu->partitions[2].profile, "type 4321"));
    cr_assert(gt(sz, gpu->valid_count, 5));
}

static const struct {
    const char *name, *driver;
    bool tool, iommu, manager;
    enum gp_gpu_status status;
    const char *reason;
} states[] = {
    {"ready", "nvidia", true, true, true, GP_GPU_PARTITIONABLE, NULL},
    {"no tool", "nvidia", false, true, true, GP_GPU_UNSUPPORTED, "nvidia.sriovManage"},
    {"half-way", "pci-pf-stub", true, true, true, GP_GPU_UNHEALTHY, "pci-pf-stub"},
    {"no IOMMU", "nvidia", true, false, true, GP_GPU_PARAVIRTUAL, "IOMMU"},
    {"no manager", "nvidia", true, true, false, GP_GPU_UNSUPPORTED, "nvidia_vgpu_vfio"},
    {"nouveau", "nouveau", true, true, true, GP_GPU_UNSUPPORTED, "nouveau"},
    {"no driver", NULL, true, true, true, GP_GPU_UNSUPPORTED, "no driver"},
    {"given away", "vfio-pci", true, true, true, GP_GPU_READY_FOR_PASSTHROUGH, NULL},
};

GP_ROWS(nvidia_state, status_has_a_reason, states)
{
    struct gp_gpu *gpu;

    open_tree();
    if (!states[*i].tool)
        tree.host.sriov_manage = NULL;
    tree_device(&tree, &(struct tree_device){.address = "0000:08:00.0",
                                             .ids = "10de:25b6:10de:157e",
                                             .class = "0x030200",
                                             .driver = states[*i].driver,
                                             .group = states[*i].iommu ? 38 : -1,
                                             .totalvfs = 16,
                                             .offset = 4,
                                             .stride = 1});
    tree_dir(&tree, "sys/module/nvidia");
    if (states[*i].manager)
        tree_dir(&tree, "sys/module/nvidia_vgpu_vfio");
    gpu = tree_gpu(&tree);
    cr_assert(eq(int, gpu->status, states[*i].status), "%s: %s", states[*i].name,
              gp_gpu_status_name(gpu->status));
    cr_assert(states[*i].reason ? gpu->reason && strstr(gpu->reason, states[*i].reason) : !gpu->reason,
              "%s: %s", states[*i].name, gpu->reason ? gpu->reason : "no reason");
    close_tree();
}

/* Each step as "BEFORE->AFTER", with the partition's number in front; or what the plan says against it. */
static const char *plan_text(const struct gp_gpu *gpu, const struct gp_layout *want)
{
    struct gp_steps steps = {.mem = tree.mem};
    struct gp_text text = {.mem = tree.mem};
    struct gp_error *err = gp_registry_mechanism(gpu->mechanism)->plan(gpu, want, &steps);

    if (err)
        gp_text_addf(&text, "%s", err->message);
    for (size_t i = 0; !err && i < steps.count; i++) {
        const struct gp_step *step = &steps.items[i];

        gp_text_addf(&text, "%s", i ? ", " : "");
        if (step->partition >= 0)
            gp_text_addf(&text, "%lld: ", (long long)step->partition);
        gp_text_addf(&text, "%s->%s", step->before, step->after);
    }
    gp_error_free(err);
    return gp_text_get(&text);
}

/* A run of sriov-manage has enabled the VFs, and ended before the GPU was back on its driver. */
static const struct {
    const char *driver;
    bool mdev, loaded;
    enum gp_gpu_status status;
    const char *reason, *cut, *whole;
} half_way[] = {
    {NULL, false, true, GP_GPU_UNHEALTHY, "no driver is bound to it, as a run of sriov-manage",
     "none->nvidia, 0: none->NVIDIA A2-8Q, 1: none->NVIDIA A2-8Q", "none->nvidia, 16->0, nvidia->vfio-pci"},
    {NULL, true, true, GP_GPU_UNHEALTHY, "no driver is bound to it, as a run of sriov-manage",
     "none->nvidia, 0: none->NVIDIA A2-8Q, 1: none->NVIDIA A2-8Q", "none->nvidia, 16->0, nvidia->vfio-pci"},
    {"pci-pf-stub", false, true, GP_GPU_UNHEALTHY, "it was left on pci-pf-stub",
     "pci-pf-stub->nvidia, 0: none->NVIDIA A2-8Q, 1: none->NVIDIA A2-8Q",
     "pci-pf-stub->nvidia, 16->0, nvidia->vfio-pci"},
    {NULL, false, false, GP_GPU_UNSUPPORTED, "no driver is bound to it; partitions need NVIDIA's vGPU host driver",
     "slot3 cannot be partitioned: no driver is bound to it; partitions need NVIDIA's vGPU host driver",
     "none->nvidia, 16->0, nvidia->vfio-pci"},
};

GP_ROWS(nvidia_state, vfs_without_a_driver_of_their_gpu, half_way)
{
    const struct gp_layout cut = {.mode = GP_MODE_PARTITIONED, .count = 2, .profile = "NVIDIA A2-8Q"},
                           whole = {.mode = GP_MODE_PASSTHROUGH};
    struct gp_gpu *gpu;

    open_tree();
    tree_device(&tree, &(struct tree_device){.address = "0000:08:00.0",
                                             .ids = "10de:25b6:10de:157e",
                                             .class = "0x030200",
                                             .driver = half_way[*i].driver,
                                             .group = 38,
                                             .totalvfs = 16,
                                             .offset = 4,
                                             .stride = 1});
    tree_file(&tree, "sys/bus/pci/slots/3/address", "0000:08:00\n");
    for (int vf = 0; vf < 16; vf++)
        tree_device(&tree, &(struct tree_device){
            .address = gp_pci_text(tree.mem, gp_pci_vf((struct gp_pci){0, 8, 0, 0}, 4, 1, (uint32_t)vf)),
            .ids = "10de:25b6:10de:0000",
            .class = "0x030200",
            .group = 90 + vf,
            .pf = "0000:08:00.0",
            .vf = vf});
    tree_file(&tree, "proc/sys/kernel/osrelease", half_way[*i].mdev ? "6.1.0-31-amd64\n" : "6.12.9-amd64\n");
    if (half_way[*i].mdev)
        tree_dir(&tree, "sys/bus/mdev");
    if (half_way[*i].loaded)
        tree_dir(&tree, "sys/bus/pci/drivers/nvidia");
    gpu = tree_gpu(&tree);
    cr_expect(eq(str, (char *)gpu->mechanism, half_way[*i].mdev ? "mdev" : "nvidia-vfio"));
    cr_expect(eq(int, gpu->status, half_way[*i].status), "%s", gp_gpu_status_name(gpu->status));
    cr_expect(gpu->reason && gp_starts_with(gpu->reason, half_way[*i].reason), "%s", gpu->reason);
    cr_expect(eq(str, (char *)plan_text(gpu, &cut), (char *)half_way[*i].cut));
    cr_expect(eq(str, (char *)plan_text(gpu, &whole), (char *)half_way[*i].whole));
    close_tree();
}

static const struct {
    const char *release;
    bool mdev_bus, holder;
    const char *mechanism;
} kernels[] = {
    {"6.1.0-31-amd64", true, false, "mdev"},       {"6.1.0-31-amd64", false, false, "nvidia-vfio"},
    {"6.8.0-45-generic", true, false, "nvidia-vfio"}, {"5.14.0-503.el9", true, false, "mdev"},
    {"6.12.9-amd64", true, true, "mdev"},          {"7.0.0", true, false, "nvidia-vfio"},
};

GP_ROWS(nvidia_state, framework_before_there_is_a_vf, kernels)
{
    open_tree();
    tree_a2(&tree, 0);
    tree_file(&tree, "proc/sys/kernel/osrelease", gp_printf(tree.mem, "%s\n", kernels[*i].release));
    if (kernels[*i].mdev_bus)
        tree_dir(&tree, "sys/bus/mdev");
    if (kernels[*i].holder)
        tree_dir(&tree, "sys/module/mdev/holders/nvidia_vgpu_vfio");
    cr_assert(eq(str, (char *)tree_gpu(&tree)->mechanism, (char *)kernels[*i].mechanism), "%s",
              kernels[*i].release);
    close_tree();
}

/* A stranger beside a VF cannot be taken from the host, so no guest can have the VF. */
Test(nvidia, a_shared_group_makes_it_not_assignable)
{
    struct gp_gpu *gpu;

    vendor_a2(L40S_LIST, NULL);
    tree_device(&tree, &(struct tree_device){.address = "0000:02:00.0",
                                             .ids = "8086:1533:8086:0000",
                                             .class = "0x020000",
                                             .driver = "igb",
                                             .group = 91});
    gpu = tree_gpu(&tree);
    cr_assert(eq(int, gpu->status, GP_GPU_NOT_ASSIGNABLE));
    cr_assert(ne(ptr, strstr(gpu->reason, "0000:02:00.0"), NULL), "%s", gpu->reason);
}

static struct gp_error *apply(const struct gp_gpu *gpu, enum gp_step_kind kind, int64_t partition,
                              uint64_t type, const char *profile)
{
    struct gp_step step = {.kind = kind, .gpu = gpu->id, .partition = partition, .value = type,
                           .profile = profile, .before = "none", .after = profile ? profile : "none",
                           .timeout_ms = 1500};

    return gp_registry_apply(&tree.host, gpu, &step);
}

Test(nvidia, create_takes_only_what_is_on_offer)
{
    struct gp_gpu *gpu;

    vendor_a2(L40S_LIST, (const unsigned[]){746, 747, 0});
    gpu = tree_gpu(&tree);
    /* Done already: nothing is written, another one is refused. */
    tree_ok(apply(gpu, GP_STEP_CREATE_PARTITION, 0, 746, "NVIDIA A2-4Q"));
    cr_assert(eq(int, tree_code(apply(gpu, GP_STEP_CREATE_PARTITION, 1, 746, "NVIDIA A2-4Q")), GP_E_CHANGED));
    cr_assert(eq(int, tree_code(apply(gpu, GP_STEP_CREATE_PARTITION, 2, 754, "NVIDIA A2-4C")), GP_E_CHANGED));
    cr_assert(eq(str, (char *)tree_text(&tree, tree_a2_vf(&tree, 2, "nvidia/current_vgpu_type")), "0\n"));
    /* By name where the catalogue has no number. */
    tree_ok(apply(gpu, GP_STEP_CREATE_PARTITION, 2, 0, "NVIDIA A2-4Q"));
    cr_assert(gp_starts_with(tree_text(&tree, tree_a2_vf(&tree, 2, "nvidia/current_vgpu_type")), "746"));
    cr_assert(eq(int, tree_code(apply(gpu, GP_STEP_CREATE_PARTITION, 16, 746, "NVIDIA A2-4Q")), GP_E_GONE));
}

Test(nvidia, vfs_need_the_tool)
{
    struct gp_step step = {.kind = GP_STEP_SET_VF_COUNT, .gpu = "slot3", .partition = -1, .value = 16,
                           .before = "0", .after = "16", .timeout_ms = 1000};
    struct gp_gpu *gpu;

    tree_a2(&tree, 0);
    gpu = tree_gpu(&tree);
    cr_assert(gpu->vfs_by_tool);
    tree.host.sriov_manage = NULL;
    cr_assert(eq(int, tree_code(gp_registry_apply(&tree.host, gpu, &step)), GP_E_UNSUPPORTED));
    cr_assert(eq(str, (char *)tree_text(&tree, "sys/devices/pci0000:00/0000:08:00.0/sriov_numvfs"), "0\n"));
    /* Below a root nothing is run. */
    (void)unsetenv("GPUPART_SIMULATED_TOOLS");
    tree.host.sriov_manage = "/usr/lib/nvidia/sriov-manage";
    cr_assert(eq(int, tree_code(gp_registry_apply(&tree.host, gpu, &step)), GP_E_REFUSED));
}
