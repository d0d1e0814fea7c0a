#include "rows.h"
#include "tree.h"

#include "clients.h"

#include "text.h"

#include <string.h>

#define BDF "0000:65:00.0"

/* Process 77 has @node open. */
static const struct {
    const char *name, *driver, *node;
    bool busy;
} rows[] = {
    {"a player on the render node", "xe", "/dev/dri/renderD129", true},
    {"the console's program on the card's", "xe", "/dev/dri/card1", true},
    {"another GPU's", "xe", "/dev/dri/renderD128", false},
    {"a job on NVIDIA's", "nvidia", "/dev/nvidia1", true},
    {"another of NVIDIA's", "nvidia", "/dev/nvidia0", false},
    {"whose number only begins alike", "nvidia", "/dev/nvidia10", false},
    {"all of NVIDIA's", "nvidia", "/dev/nvidiactl", false},
    {"the same of a container", "nvidia", "/newroot/dev/nvidia1", true},
    {"nobody", "nvidia", NULL, false},
    {"a driver without nodes", "sriovgpu", "/dev/nvidia1", false},
};

GP_ROWS(clients, who_has_it_open_is_named, rows)
{
    struct tree tree;
    struct gp_error *err;
    struct gp_pci address;

    tree_open(&tree);
    tree.host.client_ms = 0;
    tree_device(&tree, &(struct tree_device){.address = BDF,
                                             .ids = "10de:1eb8:10de:12a2",
                                             .class = "0x030200",
                                             .driver = rows[*i].driver,
                                             .group = 5});
    if (strcmp(rows[*i].driver, "xe") == 0) {
        tree_dir(&tree, "sys/devices/pci0000:00/" BDF "/drm/card1");
        tree_dir(&tree, "sys/devices/pci0000:00/" BDF "/drm/renderD129");
    }
    if (strcmp(rows[*i].driver, "nvidia") == 0)
        tree_file(&tree, "proc/driver/nvidia/gpus/" BDF "/information",
                  "Model: \t\t Tesla T4\nBus Location: \t " BDF "\nDevice Minor: \t 1\nGPU Excluded:\t No\n");
    tree_file(&tree, "proc/77/comm", "python3\n");
    tree_link(&tree, "proc/77/fd/4", "/dev/null");
    if (rows[*i].node)
        tree_link(&tree, "proc/77/fd/5", rows[*i].node);
    cr_assert(gp_pci_parse(BDF, &address));
    err = gp_clients_refuse(&tree.host, address);
    cr_expect(eq(int, err != NULL, rows[*i].busy), "%s", rows[*i].name);
    if (err) {
        cr_expect(eq(int, err->code, GP_E_BUSY));
        cr_expect(gp_starts_with(err->message, BDF " is in use by pid 77 (python3): end that"), "%s", err->message);
    }
    gp_error_free(err);
    tree_close(&tree);
}

Test(clients, an_answer_that_does_not_come_is_no_answer)
{
    struct tree tree;
    struct gp_pci address;

    tree_open(&tree);
    cr_assert(gp_pci_parse(BDF, &address));
    tree_dir(&tree, "proc/driver/nvidia/gpus/" BDF "/information");
    cr_expect(ne(int, tree_code(gp_clients_refuse(&tree.host, address)), GP_E_COUNT));
    tree_close(&tree);
}
