#include "rows.h"
#include "tree.h"

#include "discover.h"
#include "registry.h"
#include "scan.h"
#include "sysfs.h"
#include "text.h"
#include "vpd.h"

#include <stdlib.h>
#include <string.h>

static struct tree tree;

static void open_tree(void)
{
    tree_open(&tree);
}

static void close_tree(void)
{
    tree_close(&tree);
}

TestSuite(discover, .init = open_tree, .fini = close_tree);

static struct gp_gpu *discover(size_t want)
{
    struct gp_gpu *gpus;
    size_t count;

    tree_ok(gp_discover(&tree.host, tree.mem, &gpus, &count));
    cr_assert(eq(sz, count, want));
    return gpus;
}

Test(discover, the_recorded_a2)
{
    struct gp_gpu *gpu;

    tree_a2(&tree, 16);
    gpu = discover(1);
    cr_assert(eq(str, (char *)gpu->id, "slot3"));
    cr_assert(eq(str, (char *)gpu->slot, "3"));
    cr_assert(eq(str, (char *)gpu->path, "pci0000:00/0000:08:00.0"));
    cr_assert(eq(str, (char *)gpu->model, "NVIDIA A2"));
    cr_assert(eq(str, (char *)gpu->driver, "nvidia"));
    cr_assert(eq(u32, gpu->class_code, 0x030200));
    cr_assert(eq(u32, gpu->vram_mib, 16384));
    cr_assert(eq(i32, gpu->group, 38));
    cr_assert(eq(i32, gpu->numa_node, 0));
    cr_assert(eq(u32, gpu->vf_total, 16));
    cr_assert(eq(u32, gpu->vf_count, 16));
    cr_assert(eq(u32, gpu->vf_offset, 4));
    cr_assert(eq(u32, gpu->vf_stride, 1));
}

Test(discover, a_host_without_gpus_has_none_and_one_without_bus_is_an_error)
{
    struct gp_gpu *gpus;
    struct gp_host empty;
    size_t count;

    (void)discover(0);
    tree_dir(&tree, "elsewhere");
    tree_ok(gp_host_open(gp_printf(tree.mem, "%s/elsewhere", tree.root), false, &empty));
    cr_assert(eq(int, tree_code(gp_discover(&empty, tree.mem, &gpus, &count)), GP_E_IO));
    gp_host_close(&empty);
}

static const struct {
    const char *class;
    bool gpu;
} classes[] = {
    {"0x030000", true},  {"0x030200", true},  {"0x038000", true},  {"0x120000", true},
    {"0x120100", false}, {"0x020000", false}, {"0x010802", false}, {"0x060400", false},
    {"0x040300", false},
};

GP_ROWS(discover_class, only_what_displays_or_computes, classes)
{
    struct gp_scan_item *items;
    size_t count;

    open_tree();
    tree_device(&tree, &(struct tree_device){.address = "0000:08:00.0",
                                             .ids = "1234:5678:1234:0000",
                                             .class = classes[*i].class,
                                             .group = -1});
    tree_ok(gp_scan(&tree.host, tree.mem, &items, &count));
    cr_assert(eq(sz, count, classes[*i].gpu), "%s", classes[*i].class);
    close_tree();
}

Test(discover, domains_of_every_size_in_order)
{
    static const char *const addresses[] = {"10000:e1:00.0", "0001:04:00.0", "0000:41:00.0", "0000:08:1f.7"};
    struct gp_gpu *gpus;

    for (size_t i = 0; i < 4; i++)
        tree_device(&tree, &(struct tree_device){.address = addresses[i],
                                                 .ids = "8086:56c0:8086:0000",
                                                 .class = "0x038000",
                                                 .group = -1});
    gpus = discover(4);
    for (size_t i = 0; i < 4; i++)
        cr_assert(eq(str, (char *)gpus[i].id, (char *)addresses[3 - i]));
    cr_assert(eq(u32, gpus[3].address.domain, 0x10000));
}

/* A slot names a GPU only if it is one's own, and its name can stand in a plan. */
Test(discover, slots_name_gpus_where_they_can)
{
    static const char *const addresses[] = {"0000:08:00.0", "0000:08:00.1", "0000:09:00.0", "0000:0a:00.0",
                                            "0000:0b:00.0"};
    static const char *const ids[] = {"0000:08:00.0", "0000:08:00.1", "slot9-1", "0000:0a:00.0",
                                      "0000:0b:00.0"};
    struct gp_gpu *gpus;

    for (size_t i = 0; i < 5; i++)
        tree_device(&tree, &(struct tree_device){.address = addresses[i],
                                                 .ids = "8086:56c0:8086:0000",
                                                 .class = "0x038000",
                                                 .group = -1});
    tree_file(&tree, "sys/bus/pci/slots/3/address", "0000:08:00\n");
    tree_file(&tree, "sys/bus/pci/slots/9-1/address", "0000:09:00\n");
    tree_file(&tree, "sys/bus/pci/slots/a b/address", "0000:0a:00\n");
    tree_file(&tree, "sys/bus/pci/slots/11/address", "0000:0b:00\n");
    tree_file(&tree, "sys/bus/pci/slots/12/address", "0000:0b:00\n");
    tree_dir(&tree, "sys/bus/pci/slots/13");
    gpus = discover(5);
    for (size_t i = 0; i < 5; i++)
        cr_assert(eq(str, (char *)gpus[i].id, (char *)ids[i]));
}

Test(discover, what_cannot_be_read_is_unknown_and_the_rest_is_told)
{
    struct gp_gpu *gpus;
    size_t count;

    tree_a2(&tree, 0);
    tree_device(&tree, &(struct tree_device){.address = "0000:09:00.0",
                                             .ids = "8086:e212:8086:0000",
                                             .class = "0x030000",
                                             .driver = "xe",
                                             .group = 3,
                                             .totalvfs = 12});
    tree_file(&tree, "sys/devices/pci0000:00/0000:08:00.0/sriov_totalvfs", "lots\n");
    tree_ok(gp_registry_observe(&tree.host, tree.mem, NULL, &gpus, &count));
    cr_assert(eq(sz, count, 2));
    cr_assert(eq(int, gpus[0].status, GP_GPU_UNKNOWN));
    cr_assert(eq(int, gpus[0].held, GP_HELD_UNKNOWN));
    cr_assert(ne(ptr, (void *)gpus[0].reason, NULL));
    cr_assert(eq(int, gpus[1].status, GP_GPU_PARTITIONABLE));
}

/* ---- groups ---- */

static bool own_none(const void *closure, struct gp_pci address)
{
    (void)closure;
    (void)address;
    return false;
}

static const struct {
    const char *class, *driver;
    bool foreign, mate;
} neighbours[] = {
    {"0x020000", "igb", true, true},         {"0x020000", NULL, false, true},
    {"0x020000", "vfio-pci", false, true},   {"0x060400", "pcieport", false, false},
    {"0x040300", "snd_hda_intel", true, true}, {"0x020000", "pci-stub", false, true},
};

GP_ROWS(group, endpoints_on_a_driver_of_the_host_are_in_the_way, neighbours)
{
    const char *who;

    open_tree();
    tree_device(&tree, &(struct tree_device){.address = "0000:02:00.0",
                                             .ids = "8086:1533:8086:0000",
                                             .class = neighbours[*i].class,
                                             .driver = neighbours[*i].driver,
                                             .group = 7});
    tree_ok(gp_sysfs_foreigner(&tree.host, tree.mem, 7, own_none, NULL, &who));
    cr_assert(eq(int, who != NULL, neighbours[*i].foreign), "%s", who ? who : "nobody");
    tree_ok(gp_sysfs_group_mate(&tree.host, tree.mem, 7, own_none, NULL, &who));
    cr_assert(eq(int, gp_streq(who, "0000:02:00.0"), neighbours[*i].mate), "%s", who ? who : "nobody");
    tree_ok(gp_sysfs_foreigner(&tree.host, tree.mem, -1, own_none, NULL, &who));
    cr_assert(eq(ptr, (void *)who, NULL));
    close_tree();
}

/* ---- vital product data ---- */

#define NAME "\x82\x05\0CardX"

static const struct {
    const char *data;
    size_t size;
    const char *serial; /* NULL: none */
} vpds[] = {
#define VPD(text, serial_) {text, sizeof text - 1, serial_}
    VPD(NAME "\x90\x10\0PN\x03" "A-1SN\x05" "12345V0\0\x78", "12345"),
    VPD(NAME "\x90\x0a\0SN\x07" " 12 34 ", "12 34"),
    VPD("\x90\x08\0SN\x05" "12345", "12345"),
    /* In what may be written, it is nobody's word. */
    VPD(NAME "\x91\x08\0SN\x05" "12345\x78", NULL),
    VPD(NAME "\x78\x90\x08\0SN\x05" "12345", NULL),
    VPD(NAME "\x90\x08\0SN\x05" "12", NULL),
    VPD(NAME "\x90\x08\0SN\xff" "12345", NULL),
    VPD(NAME "\x90\x08\0SN\x05" "1\x1b[2m", NULL),
    VPD(NAME "\x90\x03\0SN\0", NULL),
    VPD(NAME "\x90\xff\xffSN\x05" "12345", "12345"),
    VPD("\x82\xff\xff", NULL),
    VPD("\xff\xff\xff\xff", NULL),
    VPD("\x90", NULL),
    VPD("", NULL),
};

GP_ROWS(vpd, serial_numbers, vpds)
{
    struct gp_arena *mem = gp_arena_new();
    /* An allocation of its own size, so that reading past it is seen. */
    char *exact = malloc(vpds[*i].size + 1);

    memcpy(exact + 1, vpds[*i].data, vpds[*i].size);
    cr_assert(gp_streq(gp_vpd_serial(mem, exact + 1, vpds[*i].size), vpds[*i].serial), "row %zu", *i);
    free(exact);
    gp_arena_free(mem);
}

/* ---- what else is set up on it, and what else could use it ---- */

Test(discover, a_render_node_is_what_a_graphics_driver_makes)
{
    const struct gp_gpu *gpu;

    tree_a2(&tree, 0);
    gpu = discover(1);
    cr_assert(eq(ptr, (void *)gpu->render_node, NULL));
    tree_dir(&tree, "sys/bus/pci/devices/0000:08:00.0/drm/card1");
    tree_dir(&tree, "sys/bus/pci/devices/0000:08:00.0/drm/renderD129");
    gpu = discover(1);
    cr_assert(eq(str, (char *)gpu->render_node, "renderD129"));
}

static const struct {
    const char *name, *file, *tool;
} mdevctl[] = {
    {"of the GPU", "etc/mdevctl.d/0000:08:00.0/3deab9a4-0000-4000-8000-000000000001",
     "mdevctl (/etc/mdevctl.d/0000:08:00.0)"},
    {"of its last VF", "etc/mdevctl.d/0000:08:02.3/3deab9a4-0000-4000-8000-000000000001",
     "mdevctl (/etc/mdevctl.d/0000:08:02.3)"},
    {"of what is past its last VF", "etc/mdevctl.d/0000:08:02.4/3deab9a4-0000-4000-8000-000000000001", NULL},
    {"of another parent", "etc/mdevctl.d/matrix/3deab9a4-0000-4000-8000-000000000001", NULL},
    {"scripts", "etc/mdevctl.d/scripts.d/notifiers", NULL},
};

GP_ROWS(discover, mdevctl_makes_partitions_too, mdevctl)
{
    const struct gp_gpu *gpu;

    tree_a2(&tree, 0);
    tree_file(&tree, mdevctl[*i].file, "{}\n");
    gpu = discover(1);
    cr_assert(gp_streq(gpu->other_tool, mdevctl[*i].tool), "%s: %s", mdevctl[*i].name, gpu->other_tool);
}

Test(discover, an_empty_folder_of_mdevctl_says_nothing)
{
    const struct gp_gpu *gpu;

    tree_a2(&tree, 0);
    tree_dir(&tree, "etc/mdevctl.d/0000:08:00.0");
    gpu = discover(1);
    cr_assert(eq(ptr, (void *)gpu->other_tool, NULL));
}
