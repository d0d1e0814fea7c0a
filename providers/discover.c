#include "discover.h"

#include "catalog.h"
#include "cleanup.h"
#include "scan.h"
#include "settle.h"
#include "sysfs.h"
#include "text.h"
#include "vpd.h"

#include <stdlib.h>
#include <string.h>

#define MDEVCTL "etc/mdevctl.d"

/* A slot that the firmware names: "3" for the device 0000:08:00. */
struct slot {
    const char *name, *address;
};

static struct gp_error *read_slots(struct gp_host *host, struct gp_arena *mem, struct slot **ret,
                                   size_t *ret_count)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    struct gp_strings names;
    struct gp_error *err = gp_host_list(host, mem, "sys/bus/pci/slots", &names);

    *ret = NULL;
    *ret_count = 0;
    if (err)
        return err;
    for (size_t i = 0; i < names.count; i++) {
        struct slot slot = {.name = names.items[i]};

        if (strspn(slot.name, letters) != strlen(slot.name))
            continue;
        err = gp_host_read(host, mem, gp_printf(mem, "sys/bus/pci/slots/%s/address", slot.name),
                           &slot.address);
        if (err && err->code != GP_E_GONE)
            return err;
        if (err)
            gp_error_free(err);
        else
            *gp_push(mem, *ret, *ret_count) = slot;
    }
    return NULL;
}

/* The name of the slot that has @address and no other; NULL if there is none or several. */
static const char *find_slot(struct gp_arena *mem, const struct slot *slots, size_t count,
                             struct gp_pci address)
{
    char *text = gp_strdup(mem, gp_pci_text(mem, address));
    const char *found = NULL;

    *strrchr(text, '.') = 0;
    for (size_t i = 0; i < count; i++) {
        if (!gp_streq(slots[i].address, text))
            continue;
        if (found)
            return NULL;
        found = slots[i].name;
    }
    return found;
}

static struct gp_error *read_sriov(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    const struct {
        const char *leaf;
        uint32_t *field;
    } fields[] = {{"sriov_totalvfs", &gpu->vf_total},
                  {"sriov_offset", &gpu->vf_offset},
                  {"sriov_stride", &gpu->vf_stride}};
    struct gp_error *err = NULL;

    for (size_t i = 0; !err && i < sizeof fields / sizeof *fields; i++) {
        uint32_t value = 0;

        /* Fact: PCI Express Base Specification, "SR-IOV Extended Capability": all three are registers of 16 bits. */
        err = gp_host_read_u32(host, gp_sysfs_pci(mem, gpu->address, fields[i].leaf), UINT16_MAX, &value);
        /* offset and stride are younger than totalvfs. */
        if (err && err->code == GP_E_GONE && i > 0) {
            gp_error_free(err);
            err = NULL;
        }
        *fields[i].field = value;
    }
    return err;
}

/* Fact: Linux drivers/gpu/drm/drm_sysfs.c: the minors of a device are the children of its "drm". */
static struct gp_error *read_render_node(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    struct gp_strings names;
    struct gp_error *err = gp_host_list(host, mem, gp_sysfs_pci(mem, gpu->address, "drm"), &names);

    for (size_t i = 0; !err && i < names.count; i++)
        if (gp_starts_with(names.items[i], "renderD"))
            gpu->render_node = names.items[i];
    return err;
}

static struct gp_error *read_attributes(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    gp_cleanup(gp_error_free_p) struct gp_error *ignored = NULL;
    const char *dir = gp_sysfs_pci(mem, gpu->address, NULL), *target, *numa;
    struct gp_strings names;
    uint64_t boot = 0;
    struct gp_error *err = gp_host_list(host, mem, dir, &names);

    if (!err)
        err = gp_host_readlink_full(host, mem, dir, &target);
    if (!err)
        err = gp_host_readlink(host, mem, gp_printf(mem, "%s/driver", dir), &gpu->driver);
    if (!err)
        err = gp_sysfs_group(host, mem, gp_printf(mem, "%s/iommu_group", dir), &gpu->group);
    if (err)
        return err;
    if (target && strstr(target, "devices/"))
        gpu->path = strstr(target, "devices/") + strlen("devices/");
    ignored = gp_host_read(host, mem, gp_printf(mem, "%s/numa_node", dir), &numa);
    if (!ignored && numa[0] >= '0' && numa[0] <= '9' && strlen(numa) < 10)
        gpu->numa_node = (int32_t)strtol(numa, NULL, 10);
    if (gp_strings_have(&names, "boot_vga")) {
        err = gp_host_read_u64(host, gp_printf(mem, "%s/boot_vga", dir), &boot);
        if (err)
            return err;
        gpu->boot_vga = boot == 1;
    }
    if (gp_strings_have(&names, "vpd"))
        gpu->serial = gp_vpd_read_serial(host, mem, gpu->address);
    if (gp_strings_have(&names, "drm")) {
        err = read_render_node(host, mem, gpu);
        if (err)
            return err;
    }
    for (size_t i = 0; i < names.count; i++)
        gpu->vf_count += gp_sysfs_is_vf_link(names.items[i]);
    return gp_strings_have(&names, "sriov_totalvfs") ? read_sriov(host, mem, gpu) : NULL;
}

static bool is_part_of(const struct gp_gpu *gpu, struct gp_pci address)
{
    if (gp_pci_compare(gpu->address, address) == 0)
        return true;
    for (uint32_t i = 0; i < gpu->vf_total; i++)
        if (gp_pci_compare(gp_pci_vf(gpu->address, gpu->vf_offset, gpu->vf_stride, i), address) == 0)
            return true;
    return false;
}

/* mdevctl makes mediated devices when their parent appears: a folder for each parent, a file for each device.
 * Fact: mdevctl README, "Architecture". What is not readable there is no reason to know less of the GPU. */
static void read_mdevctl(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpus, size_t count)
{
    gp_cleanup(gp_error_free_p) struct gp_error *ignored = NULL;
    struct gp_strings parents, devices;

    ignored = gp_host_list(host, mem, MDEVCTL, &parents);
    for (size_t i = 0; !ignored && i < parents.count; i++) {
        const char *folder = gp_printf(mem, MDEVCTL "/%s", parents.items[i]);
        struct gp_pci address;

        if (!gp_pci_parse(parents.items[i], &address))
            continue;
        ignored = gp_host_list(host, mem, folder, &devices);
        if (ignored || !devices.count || !gp_host_exists(host, gp_printf(mem, "%s/%s", folder, devices.items[0])))
            continue;
        for (size_t n = 0; n < count; n++)
            if (is_part_of(&gpus[n], address))
                gpus[n].other_tool = gp_printf(mem, "mdevctl (/%s)", folder);
    }
}

static void identify(struct gp_gpu *gpu)
{
    const struct gp_catalog_gpu *entry =
        gp_catalog_identify(gpu->vendor, gpu->device, gpu->subsystem_vendor, gpu->subsystem_device);

    if (!entry)
        return;
    gpu->model = entry->model;
    gpu->family = entry->family;
    gpu->vram_mib = entry->vram_mib;
}

static void unknown(struct gp_arena *mem, struct gp_gpu *gpu, struct gp_error *err)
{
    gp_cleanup(gp_free_p) char *line = gp_error_line(err);

    gpu->status = GP_GPU_UNKNOWN;
    gpu->held = GP_HELD_UNKNOWN;
    gpu->reason = gp_strdup(mem, line);
    gp_error_free(err);
}

struct gp_error *gp_discover(struct gp_host *host, struct gp_arena *mem, struct gp_gpu **ret,
                             size_t *ret_count)
{
    struct gp_scan_item *items;
    struct gp_gpu *gpus = NULL;
    struct slot *slots;
    size_t item_count, slot_count, count = 0;
    struct gp_error *err = gp_scan(host, mem, &items, &item_count);

    if (!err && item_count)
        err = read_slots(host, mem, &slots, &slot_count);
    if (err)
        return err;
    for (size_t i = 0; i < item_count; i++) {
        const struct gp_scan_item *item = &items[i];
        struct gp_gpu *gpu = gp_push(mem, gpus, count);

        *gpu = (struct gp_gpu){
            .address = item->address,
            .vendor = item->vendor,
            .device = item->device,
            .subsystem_vendor = item->subsystem_vendor,
            .subsystem_device = item->subsystem_device,
            .class_code = item->class_code,
            .numa_node = -1,
            .group = -1,
            .status = GP_GPU_UNSUPPORTED,
            .slot = find_slot(mem, slots, slot_count, item->address),
        };
        identify(gpu);
        if (!item->failure && (!gpu->model || host->all_names))
            gpu->name = gp_scan_name(host, mem, GP_SCAN_NAME_BOTH, gpu->vendor, gpu->device);
        err = item->failure ? gp_error_new(GP_E_IO, "%s", item->failure) : read_attributes(host, mem, gpu);
        if (err)
            unknown(mem, gpu, err);
    }
    for (size_t i = 0; i < count; i++) {
        bool unique = gpus[i].slot != NULL;

        for (size_t other = 0; other < count; other++)
            unique = unique && (other == i || !gp_streq(gpus[other].slot, gpus[i].slot));
        gpus[i].id = unique ? gp_printf(mem, "slot%s", gpus[i].slot) : gp_pci_text(mem, gpus[i].address);
    }
    read_mdevctl(host, mem, gpus, count);
    *ret = gpus;
    *ret_count = count;
    return NULL;
}
