#include "tree.h"

#include "cleanup.h"
#include "registry.h"
#include "rows.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void tree_ok(struct gp_error *err)
{
    if (!err)
        return;
    gp_cleanup(gp_free_p) char *line = gp_error_line(err);

    gp_error_free(err);
    cr_assert(false, "%s", line);
}

enum gp_errc tree_code(struct gp_error *err)
{
    enum gp_errc code = err ? err->code : GP_E_COUNT;

    gp_error_free(err);
    return code;
}

void tree_open(struct tree *tree)
{
    (void)snprintf(tree->root, sizeof tree->root, "/tmp/gp-tree-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(tree->root), NULL));
    tree->mem = gp_arena_new();
    tree_ok(gp_host_open(tree->root, true, &tree->host));
    tree->host.machine_id = "0123456789abcdef0123456789abcdef";
    tree_dir(tree, "sys/bus/pci/devices");
}

static int delete_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void tree_close(struct tree *tree)
{
    gp_host_close(&tree->host);
    gp_arena_free(tree->mem);
    (void)nftw(tree->root, delete_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *absolute(struct tree *tree, const char *path)
{
    char *full = gp_printf(tree->mem, "%s/%s", tree->root, path);

    for (char *slash = full + strlen(tree->root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        (void)mkdir(full, 0755);
        *slash = '/';
    }
    return full;
}

void tree_dir(struct tree *tree, const char *path)
{
    (void)mkdir(absolute(tree, path), 0755);
}

void tree_file(struct tree *tree, const char *path, const char *text)
{
    gp_cleanup(gp_fclose_p) FILE *file = fopen(absolute(tree, path), "we");

    cr_assert(ne(ptr, file, NULL), "%s", path);
    (void)fputs(text, file);
}

void tree_link(struct tree *tree, const char *path, const char *target)
{
    cr_assert(zero(int, symlink(target, absolute(tree, path))), "%s", path);
}

const char *tree_text(struct tree *tree, const char *path)
{
    char text[4096];
    gp_cleanup(gp_fclose_p) FILE *file = fopen(absolute(tree, path), "re");

    cr_assert(ne(ptr, file, NULL), "%s", path);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    return gp_strdup(tree->mem, text);
}

static void number(struct tree *tree, const char *dir, const char *leaf, unsigned value)
{
    tree_file(tree, gp_printf(tree->mem, "%s/%s", dir, leaf), gp_printf(tree->mem, "%u\n", value));
}

void tree_device(struct tree *tree, const struct tree_device *device)
{
    static const char *const leaves[] = {"vendor", "device", "subsystem_vendor", "subsystem_device"};
    struct gp_arena *mem = tree->mem;
    const char *dir = gp_printf(mem, "sys/devices/pci0000:00/%s", device->address);

    for (int i = 0; i < 4; i++)
        tree_file(tree, gp_printf(mem, "%s/%s", dir, leaves[i]),
                  gp_printf(mem, "0x%.4s\n", device->ids + 5 * i));
    tree_file(tree, gp_printf(mem, "%s/class", dir), gp_printf(mem, "%s\n", device->class));
    tree_file(tree, gp_printf(mem, "%s/numa_node", dir), "0\n");
    tree_file(tree, gp_printf(mem, "%s/driver_override", dir), "(null)\n");
    tree_link(tree, gp_printf(mem, "sys/bus/pci/devices/%s", device->address),
              gp_printf(mem, "../../../devices/pci0000:00/%s", device->address));
    if (device->driver) {
        tree_dir(tree, gp_printf(mem, "sys/bus/pci/drivers/%s", device->driver));
        tree_link(tree, gp_printf(mem, "%s/driver", dir),
                  gp_printf(mem, "../../../bus/pci/drivers/%s", device->driver));
    }
    if (device->group >= 0) {
        tree_link(tree, gp_printf(mem, "%s/iommu_group", dir),
                  gp_printf(mem, "../../../kernel/iommu_groups/%d", device->group));
        tree_link(tree,
                  gp_printf(mem, "sys/kernel/iommu_groups/%d/devices/%s", device->group, device->address),
                  gp_printf(mem, "../../../../devices/pci0000:00/%s", device->address));
    }
    if (device->pf) {
        tree_link(tree, gp_printf(mem, "%s/physfn", dir), gp_printf(mem, "../%s", device->pf));
        tree_link(tree, gp_printf(mem, "sys/devices/pci0000:00/%s/virtfn%d", device->pf, device->vf),
                  gp_printf(mem, "../%s", device->address));
    }
    if (device->totalvfs) {
        number(tree, dir, "sriov_totalvfs", device->totalvfs);
        number(tree, dir, "sriov_offset", device->offset);
        number(tree, dir, "sriov_stride", device->stride);
        number(tree, dir, "sriov_drivers_autoprobe", 1);
        number(tree, dir, "sriov_numvfs", 0);
    }
}

static struct gp_pci a2_vf(unsigned index)
{
    return gp_pci_vf((struct gp_pci){0, 8, 0, 0}, 4, 1, index);
}

const char *tree_a2_vf(struct tree *tree, unsigned index, const char *leaf)
{
    return gp_printf(tree->mem, "sys/devices/pci0000:00/%s/%s", gp_pci_text(tree->mem, a2_vf(index)), leaf);
}

void tree_a2(struct tree *tree, unsigned vfs)
{
    tree_device(tree, &(struct tree_device){.address = "0000:08:00.0",
                                            .ids = "10de:25b6:10de:157e",
                                            .class = "0x030200",
                                            .driver = "nvidia",
                                            .group = 38,
                                            .totalvfs = 16,
                                            .offset = 4,
                                            .stride = 1});
    tree_file(tree, "sys/bus/pci/slots/3/address", "0000:08:00\n");
    for (unsigned i = 0; i < vfs; i++)
        tree_device(tree, &(struct tree_device){.address = gp_pci_text(tree->mem, a2_vf(i)),
                                                .ids = "10de:25b6:10de:0000",
                                                .class = "0x030200",
                                                .driver = "nvidia",
                                                .group = (int)(90 + i),
                                                .pf = "0000:08:00.0",
                                                .vf = (int)i});
}

struct gp_gpu *tree_gpu(struct tree *tree)
{
    struct gp_gpu *gpus;
    size_t count;

    tree_ok(gp_registry_observe(&tree->host, tree->mem, NULL, &gpus, &count));
    cr_assert(eq(sz, count, 1));
    return gpus;
}
