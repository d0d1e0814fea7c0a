#include "clients.h"

#include "cleanup.h"
#include "clock.h"
#include "sysfs.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 100

/* Fact: Linux drivers/gpu/drm/drm_sysfs.c: the minors of a device are the children of its "drm". */
static struct gp_error *add_drm(struct gp_host *host, struct gp_arena *mem, struct gp_pci address,
                                struct gp_strings *nodes)
{
    struct gp_strings names;
    struct gp_error *err = gp_host_list(host, mem, gp_sysfs_pci(mem, address, "drm"), &names);

    for (size_t i = 0; !err && i < names.count; i++)
        *gp_push(mem, nodes->items, nodes->count) = gp_printf(mem, "/dev/dri/%s", names.items[i]);
    return err;
}

/* Fact: NVIDIA open-gpu-kernel-modules, kernel-open/nvidia/nv-procfs.c, nv_procfs_read_gpu_info(). */
static struct gp_error *add_nvidia(struct gp_host *host, struct gp_arena *mem, struct gp_pci address,
                                   struct gp_strings *nodes)
{
    static const char minor[] = "Device Minor:";
    const char *text, *at;
    struct gp_error *err = gp_host_read(
        host, mem, gp_printf(mem, "proc/driver/nvidia/gpus/%s/information", gp_pci_text(mem, address)), &text);

    if (err && err->code == GP_E_GONE) { /* another driver has it */
        gp_error_free(err);
        return NULL;
    }
    at = err ? NULL : strstr(text, minor);
    if (at)
        *gp_push(mem, nodes->items, nodes->count) =
            gp_printf(mem, "/dev/nvidia%lu", strtoul(at + sizeof minor - 1, NULL, 10));
    return err;
}

struct gp_error *gp_clients_refuse(struct gp_host *host, struct gp_pci address)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const uint64_t until = gp_monotonic_ms() + host->client_ms;
    struct gp_strings nodes = {0};
    struct gp_error *err = add_drm(host, mem, address, &nodes);
    const char *holder;

    if (!err)
        err = add_nvidia(host, mem, address, &nodes);
    if (err)
        return gp_error_wrap(err, "whether a program of the host uses %s cannot be told", gp_pci_text(mem, address));
    while (nodes.count && gp_host_opened(host, mem, &nodes, &holder) != GP_HELD_NO) {
        if (gp_monotonic_ms() >= until)
            return gp_error_new(GP_E_BUSY,
                                "%s is in use by %s: end that, or list its unit in GpuAgent's hostClients.stop",
                                gp_pci_text(mem, address), holder ? holder : "someone");
        gp_sleep_ms(POLL_MS);
    }
    return NULL;
}
