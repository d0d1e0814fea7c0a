#include "scan.h"

#include "cleanup.h"
#include "sysfs.h"
#include "text.h"

#include <pci/pci.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* libpci's error callback must not come back, and it has no closure. */
static _Thread_local struct {
    jmp_buf back;
    char message[256];
} failure;

static void fail(char *message, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void fail(char *message, ...)
{
    va_list args;

    va_start(args, message);
    (void)vsnprintf(failure.message, sizeof failure.message, message, args);
    va_end(args);
    longjmp(failure.back, 1);
}

static void say_nothing(char *message, ...) __attribute__((format(printf, 1, 2)));
static void say_nothing(char *message, ...)
{
    (void)message;
}

static void close_access(struct pci_access **access)
{
    if (*access && !setjmp(failure.back))
        pci_cleanup(*access);
}

static bool try_scan(struct pci_access *access)
{
    if (setjmp(failure.back))
        return false;
    pci_init(access);
    pci_scan_bus(access);
    return true;
}

static bool try_fill(struct pci_dev *dev, int fields)
{
    if (setjmp(failure.back))
        return false;
    (void)pci_fill_info(dev, fields);
    return true;
}

static bool displays(const struct pci_dev *dev)
{
    return dev->device_class >> 8 == PCI_BASE_CLASS_DISPLAY || dev->device_class == 0x1200;
}

static struct pci_access *new_access(void)
{
    struct pci_access *access = pci_alloc();

    access->error = fail;
    access->warning = say_nothing;
    access->debug = say_nothing;
    access->method = PCI_ACCESS_SYS_BUS_PCI;
    return access;
}

/* Reading pci.ids takes milliseconds, so it is kept for the next look. A capture brings the names that its host had: the
 * same capture reads the same everywhere, whatever pci.ids or hwdb the reader's machine has. */
static struct pci_access *names_of(struct gp_host *host, struct gp_arena *mem)
{
    if (host->names)
        return host->names;
    host->names = new_access();
    if (!gp_streq(host->root, "/") && gp_host_exists(host, GP_SCAN_NAMES)) {
        pci_set_name_list_path(host->names, strdup(gp_printf(mem, "%s/%s", host->root, GP_SCAN_NAMES)), 1);
        host->names->id_lookup_mode |= PCI_LOOKUP_NO_HWDB;
    }
    return host->names;
}

const char *gp_scan_name(struct gp_host *host, struct gp_arena *mem, enum gp_scan_name which, uint32_t vendor,
                         uint32_t device)
{
    static const int flags[] = {
        [GP_SCAN_NAME_VENDOR] = PCI_LOOKUP_VENDOR,
        [GP_SCAN_NAME_DEVICE] = PCI_LOOKUP_DEVICE,
        [GP_SCAN_NAME_BOTH] = PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE,
    };
    struct pci_access *names = names_of(host, mem);
    char name[256];

    if (setjmp(failure.back))
        return NULL;
    return gp_strdup(mem, pci_lookup_name(names, name, sizeof name, flags[which] | PCI_LOOKUP_NO_NUMBERS, (int)vendor,
                                          (int)device));
}

void gp_scan_forget(struct gp_host *host)
{
    close_access(&host->names);
    host->names = NULL;
}

static void fill(struct gp_host *host, struct gp_arena *mem, struct pci_dev *dev,
                 struct gp_scan_item *item)
{
    if (!try_fill(dev, PCI_FILL_IDENT | PCI_FILL_SUBSYS | PCI_FILL_CLASS_EXT)) {
        item->failure = gp_strdup(mem, failure.message);
        return;
    }
    item->vendor = dev->vendor_id;
    item->device = dev->device_id;
    item->subsystem_vendor = dev->subsys_vendor_id;
    item->subsystem_device = dev->subsys_id;
    item->class_code |= dev->prog_if;
    item->name = gp_scan_name(host, mem, GP_SCAN_NAME_BOTH, dev->vendor_id, dev->device_id);
}

static int by_address(const void *a, const void *b)
{
    return gp_pci_compare(((const struct gp_scan_item *)a)->address,
                          ((const struct gp_scan_item *)b)->address);
}

struct gp_error *gp_scan(struct gp_host *host, struct gp_arena *mem, struct gp_scan_item **ret,
                         size_t *ret_count)
{
    gp_cleanup(close_access) struct pci_access *access = new_access();
    struct gp_scan_item *items = NULL;
    size_t count = 0;

    (void)pci_set_param(access, (char *)"sysfs.path",
                        gp_printf(mem, "%s/sys/bus/pci", gp_streq(host->root, "/") ? "" : host->root));
    if (!try_scan(access))
        return gp_error_new(GP_E_IO, "the PCI bus cannot be listed: %s", failure.message);

    for (struct pci_dev *dev = access->devices; dev; dev = dev->next) {
        /* domain_16 cannot hold the domains above 0xffff, which VMD makes. */
        struct gp_pci address = {(uint32_t)dev->domain, dev->bus, dev->dev, dev->func};
        struct gp_scan_item item = {.address = address};

        if (!try_fill(dev, PCI_FILL_CLASS))
            item.failure = gp_strdup(mem, failure.message);
        else if (!displays(dev))
            continue;
        if (gp_host_exists(host, gp_sysfs_pci(mem, address, "physfn")))
            continue;
        item.class_code = (uint32_t)dev->device_class << 8;
        if (!item.failure)
            fill(host, mem, dev, &item);
        if (item.failure && !gp_host_exists(host, gp_sysfs_pci(mem, address, NULL)))
            continue;
        *gp_push(mem, items, count) = item;
    }
    if (count)
        qsort(items, count, sizeof *items, by_address);
    *ret = items;
    *ret_count = count;
    return NULL;
}
