#include "rows.h"
#include "tree.h"

#include "plan.h"
#include "registry.h"
#include "text.h"

#include <string.h>

#define PF "sys/devices/pci0000:00/0000:03:00.0"

static struct tree tree;

static void open_tree(void)
{
    tree_open(&tree);
}

static void close_tree(void)
{
    tree_close(&tree);
}

TestSuite(sriov, .init = open_tree, .fini = close_tree);

/* A GPU that no catalogue knows, with 7 VFs at most; @drivers has one for each VF that is there. */
static void card(const char *driver, const char *const *drivers)
{
    tree_device(&tree, &(struct tree_device){.address = "0000:03:00.0",
                                             .ids = "1234:5678:1234:0001",
                                             .class = "0x030000",
                                             .driver = driver,
                                             .group = 21,
                                             .totalvfs = 7,
                                             .offset = 1,
                                             .stride = 1});
    for (int i = 0; drivers && drivers[i]; i++)
        tree_device(&tree, &(struct tree_device){.address = gp_printf(tree.mem, "0000:03:00.%d", 1 + i),
                                                 .ids = "1234:5678:1234:0000",
                                                 .class = "0x030000",
                                                 .driver = *drivers[i] ? drivers[i] : NULL,
                                                 .group = 90 + i,
                                                 .pf = "0000:03:00.0",
                                                 .vf = i});
}

Test(sriov, any_number_up_to_the_total)
{
    struct gp_gpu *gpu;

    card("xe", NULL);
    gpu = tree_gpu(&tree);
    cr_assert(eq(str, (char *)gpu->mechanism, "sriov"));
    cr_assert(eq(int, gpu->status, GP_GPU_PARTITIONABLE));
    cr_assert(eq(sz, gpu->valid_count, 7));
    cr_assert(eq(u32, gpu->valid[0].count, 7));
    cr_assert(eq(u32, gpu->valid[6].count, 1));
    cr_assert(eq(str, (char *)gpu->valid[0].source, "sriov_totalvfs"));
}

Test(sriov, only_what_is_on_vfio_pci_is_live)
{
    struct gp_gpu *gpu;

    card("xe", (const char *const[]){"vfio-pci", "xe", "", NULL});
    gpu = tree_gpu(&tree);
    cr_assert(eq(u32, gpu->vf_count, 3));
    cr_assert(eq(u32, gpu->count, 1));
    cr_assert(gpu->partitions[0].live);
    cr_assert(not(gpu->partitions[1].live));
    cr_assert(eq(ptr, (void *)gpu->partitions[2].driver, NULL));
    cr_assert(ne(ptr, strstr(gpu->reason, "2 of its 3 VFs"), NULL), "%s", gpu->reason);
}

static const char *plan_text(const struct gp_gpu *gpu, const struct gp_layout *want)
{
    struct gp_steps steps = {.mem = tree.mem};
    struct gp_text text = {.mem = tree.mem};
    struct gp_error *err = gp_registry_mechanism(gpu->mechanism)->plan(gpu, want, &steps);

    if (err) {
        gp_text_addf(&text, "%s", gp_errc_name(err->code));
        gp_error_free(err);
        return gp_text_get(&text);
    }
    for (size_t i = 0; i < steps.count; i++)
        gp_text_addf(&text, "%s%s", i ? ", " : "",
                     steps.items[i].partition >= 0
                         ? gp_printf(tree.mem, "%lld->%s", (long long)steps.items[i].partition,
                                     steps.items[i].after)
                         : gp_printf(tree.mem, "%s->%s", steps.items[i].before, steps.items[i].after));
    return gp_text_get(&text);
}

static const struct {
    const char *driver;
    const char *const drivers[5];
    struct gp_layout want;
    const char *plan;
} plans[] = {
    {"xe", {0}, {.mode = GP_MODE_PARTITIONED, .count = 2}, "0->2, 0->vfio-pci, 1->vfio-pci"},
    {"xe", {"vfio-pci", "vfio-pci"}, {.mode = GP_MODE_PARTITIONED, .count = 2}, ""},
    {"xe", {"vfio-pci", "xe"}, {.mode = GP_MODE_PARTITIONED, .count = 2}, "1->vfio-pci"},
    {"xe", {"vfio-pci", "vfio-pci"}, {.mode = GP_MODE_PARTITIONED, .count = 1},
     "2->0, 0->1, 0->vfio-pci"},
    {"xe", {"vfio-pci"}, {.mode = GP_MODE_NONE}, "1->0"},
    {"xe", {"vfio-pci"}, {.mode = GP_MODE_PASSTHROUGH}, "1->0, xe->vfio-pci"},
    {"vfio-pci", {0}, {.mode = GP_MODE_PARTITIONED, .count = 1},
     "vfio-pci->(the host's driver), 0->1, 0->vfio-pci"},
    {"vfio-pci", {0}, {.mode = GP_MODE_NONE}, "vfio-pci->(the host's driver) or none"},
    {"vfio-pci", {0}, {.mode = GP_MODE_PARAVIRTUAL}, "vfio-pci->(the host's driver)"},
    {"xe", {0}, {.mode = GP_MODE_PARTITIONED, .count = 8}, "unsupported"},
    {"gim", {"vfio-pci"}, {.mode = GP_MODE_PARTITIONED, .count = 1}, ""},
    {"gim", {"vfio-pci"}, {.mode = GP_MODE_PARTITIONED, .count = 2}, "unsupported"},
    {"gim", {"vfio-pci"}, {.mode = GP_MODE_NONE}, "0->none"},
    {"gim", {"vfio-pci"}, {.mode = GP_MODE_PASSTHROUGH}, "unsupported"},
};

GP_ROWS(sriov_plan, zero_between_and_drivers_after, plans)
{
    open_tree();
    card(plans[*i].driver, plans[*i].drivers);
    cr_assert(eq(str, (char *)plan_text(tree_gpu(&tree), &plans[*i].want), (char *)plans[*i].plan), "row %zu",
              *i);
    close_tree();
}

static struct gp_error *set(const struct gp_gpu *gpu, unsigned count)
{
    struct gp_step step = {.kind = GP_STEP_SET_VF_COUNT, .gpu = gpu->id, .partition = -1, .value = count,
                           .before = "0", .after = gp_printf(tree.mem, "%u", count), .timeout_ms = 1000};

    return gp_registry_apply(&tree.host, gpu, &step);
}

/* Plain files make no VFs, like a driver that says nothing. */
Test(sriov, fewer_than_asked_is_an_error_and_autoprobe_is_put_back)
{
    struct gp_error *err;

    card("xe", NULL);
    err = set(tree_gpu(&tree), 4);
    cr_assert(err && err->code == GP_E_IO && strstr(err->message, "made 0 VFs"), "%s",
              err ? err->message : "no error");
    gp_error_free(err);
    cr_assert(eq(str, (char *)tree_text(&tree, PF "/sriov_numvfs"), "4\n"));
    cr_assert(eq(str, (char *)tree_text(&tree, PF "/sriov_drivers_autoprobe"), "1\n"));
}

Test(sriov, a_number_that_is_there_is_not_written)
{
    card("xe", (const char *const[]){"vfio-pci", "vfio-pci", NULL});
    tree_ok(set(tree_gpu(&tree), 2));
    cr_assert(eq(str, (char *)tree_text(&tree, PF "/sriov_numvfs"), "0\n"));
    cr_assert(eq(int, tree_code(set(tree_gpu(&tree), 3)), GP_E_CHANGED));
}

/* Vendors' variants of vfio-pci have names of their own (xe-vfio-pci, nvgrace-gpu-vfio-pci), and libvirt takes them by
 * itself. */
Test(sriov, who_holds_a_device_is_asked_whatever_its_driver_is_called)
{
    struct gp_step step = {.kind = GP_STEP_BIND_DRIVER, .partition = 0, .driver = "vfio-pci", .timeout_ms = 1000};
    struct gp_gpu *gpu;

    card("variant-of-vfio-pci", (const char *const[]){"xe-vfio-pci", "xe", NULL});
    tree_dir(&tree, "sys/bus/pci/drivers/vfio-pci");
    tree_file(&tree, "dev/vfio/21", "held by pid 812 (qemu-system-x86)\n");
    tree_file(&tree, "dev/vfio/90", "held by pid 813 (qemu-system-x86)\n");
    gpu = tree_gpu(&tree);
    cr_assert(eq(int, gpu->held, GP_HELD_YES));
    cr_assert(eq(str, (char *)gpu->holder, "pid 812 (qemu-system-x86)"));
    cr_assert(eq(int, gpu->partitions[0].held, GP_HELD_YES));
    cr_assert(eq(str, (char *)gpu->partitions[0].holder, "pid 813 (qemu-system-x86)"));
    cr_assert(eq(int, gpu->partitions[1].held, GP_HELD_NO));
    step.gpu = gpu->id;
    cr_assert(eq(int, tree_code(gp_registry_apply(&tree.host, gpu, &step)), GP_E_BUSY));
    step.partition = -1;
    cr_assert(eq(int, tree_code(gp_registry_apply(&tree.host, gpu, &step)), GP_E_BUSY));
    cr_assert(eq(str, (char *)tree_text(&tree, PF "/driver_override"), "(null)\n"));
}

static const struct {
    const char *ids, *driver;
    int group;
    enum gp_gpu_status status;
    const char *reason;
} whole[] = {
    {"10de:1eb1:10de:12a0", "nouveau", 5, GP_GPU_UNSUPPORTED, "as a whole"},
    {"10de:1eb1:10de:12a0", NULL, 5, GP_GPU_READY_FOR_PASSTHROUGH, NULL},
    {"10de:1eb1:10de:12a0", "vfio-pci", 5, GP_GPU_READY_FOR_PASSTHROUGH, NULL},
    {"10de:1eb1:10de:12a0", "nouveau", -1, GP_GPU_NOT_ASSIGNABLE, "IOMMU"},
    {"10de:25b6:10de:157e", "nvidia", 5, GP_GPU_PARAVIRTUAL, "SR-IOV"},
};

GP_ROWS(whole, a_gpu_without_a_knife, whole)
{
    struct gp_gpu *gpu;

    open_tree();
    tree_device(&tree, &(struct tree_device){.address = "0000:65:00.0",
                                             .ids = whole[*i].ids,
                                             .class = "0x030000",
                                             .driver = whole[*i].driver,
                                             .group = whole[*i].group});
    gpu = tree_gpu(&tree);
    cr_assert(eq(str, (char *)gpu->mechanism, "passthrough"));
    cr_assert(eq(int, gpu->status, whole[*i].status), "%s", gp_gpu_status_name(gpu->status));
    cr_assert(whole[*i].reason ? gpu->reason && strstr(gpu->reason, whole[*i].reason) : !gpu->reason, "%s",
              gpu->reason ? gpu->reason : "no reason");
    close_tree();
}
