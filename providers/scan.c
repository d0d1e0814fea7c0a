#include "scan.h"

#include "cleanup.h"
#include "sysfs.h"
#include "text.h"

#include <pci/pci.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEVICES       "sys/bus/pci/devices"
#define CLASS_DISPLAY 0x03
#define CLASS_COMPUTE 0x1200 /* processing accelerator */

/* ---- names from pci.ids ---- */

/* libpci's error callback must not come back, and it has no closure. */
static _Thread_local jmp_buf back;

static void fail(char *message, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void fail(char *message, ...)
{
    (void)message;
    longjmp(back, 1);
}

static void say_nothing(char *message, ...) __attribute__((format(printf, 1, 2)));
static void say_nothing(char *message, ...)
{
    (void)message;
}

/* It only looks names up: it follows any link of the tree that it reads, and waits for what does not answer. */
static struct pci_access *new_access(void)
{
    struct pci_access *access = pci_alloc();

    access->error = fail;
    access->warning = say_nothing;
    access->debug = say_nothing;
    return access;
}

/* libpci opens a list by its path alone, and would follow any link there and wait for any pipe: a capture's is read as
 * everything else of it is. */
static void load_captured(struct gp_host *host, struct gp_arena *mem, struct pci_access *names)
{
    gp_cleanup(gp_close_p) int fd = -1;
    const void *bytes;
    size_t size;
    struct gp_error *err = gp_host_read_bytes(host, mem, GP_SCAN_NAMES, SIZE_MAX, &bytes, &size);

    gp_error_free(err); /* there is nothing that could be called by its name */
    if (err)
        return;
    fd = memfd_create("pci.ids", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        return;
    pci_set_name_list_path(names, strdup(gp_printf(mem, "/proc/self/fd/%d", fd)), 1);
    if (!setjmp(back))
        (void)pci_load_name_list(names);
}

/* Reading pci.ids takes milliseconds, so it is kept for the next look. A capture brings the names that its host had: the
 * same capture reads the same everywhere, whatever pci.ids the reader's machine has. */
static struct pci_access *names_of(struct gp_host *host, struct gp_arena *mem)
{
    if (host->names)
        return host->names;
    host->names = new_access();
    if (!gp_streq(host->root, "/") && gp_host_exists(host, GP_SCAN_NAMES))
        load_captured(host, mem, host->names);
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

    if (setjmp(back))
        return NULL;
    /* Without udev's list: libpci loses a handle each time that udev has none. */
    return gp_text_plain(gp_strdup(mem, pci_lookup_name(names, name, sizeof name,
                                                        flags[which] | PCI_LOOKUP_NO_NUMBERS | PCI_LOOKUP_NO_HWDB,
                                                        (int)vendor, (int)device)));
}

void gp_scan_forget(struct gp_host *host)
{
    if (host->names && !setjmp(back))
        pci_cleanup(host->names);
    host->names = NULL;
}

/* ---- the bus ---- */

static bool displays(uint32_t class_code)
{
    return class_code >> 16 == CLASS_DISPLAY || class_code >> 8 == CLASS_COMPUTE;
}

static struct gp_error *read_ids(struct gp_host *host, struct gp_arena *mem, struct gp_scan_item *item)
{
    const struct {
        const char *leaf;
        uint16_t *id;
    } ids[] = {{"vendor", &item->vendor},
               {"device", &item->device},
               {"subsystem_vendor", &item->subsystem_vendor},
               {"subsystem_device", &item->subsystem_device}};
    struct gp_error *err = NULL;

    for (size_t i = 0; !err && i < sizeof ids / sizeof *ids; i++) {
        uint32_t value = 0;

        err = gp_host_read_u32(host, gp_sysfs_pci(mem, item->address, ids[i].leaf), UINT16_MAX, &value);
        *ids[i].id = (uint16_t)value;
    }
    return err;
}

/* Whether @ret is something that displays and no VF. What cannot be read may be one. */
static bool look_at(struct gp_host *host, struct gp_arena *mem, struct gp_pci address, struct gp_scan_item *ret)
{
    gp_cleanup(gp_free_p) char *line = NULL;
    struct gp_error *err;

    *ret = (struct gp_scan_item){.address = address};
    err = gp_host_read_u32(host, gp_sysfs_pci(mem, address, "class"), 0xffffff, &ret->class_code);
    if (!err && !displays(ret->class_code))
        return false;
    if (gp_host_exists(host, gp_sysfs_pci(mem, address, "physfn"))) {
        gp_error_free(err);
        return false;
    }
    if (!err)
        err = read_ids(host, mem, ret);
    if (!err)
        return true;
    line = gp_error_line(err);
    ret->failure = gp_strdup(mem, line);
    gp_error_free(err);
    return gp_host_exists(host, gp_sysfs_pci(mem, address, NULL)); /* not gone since the listing */
}

static int by_address(const void *a, const void *b)
{
    return gp_pci_compare(((const struct gp_scan_item *)a)->address,
                          ((const struct gp_scan_item *)b)->address);
}

struct gp_error *gp_scan(struct gp_host *host, struct gp_arena *mem, struct gp_scan_item **ret,
                         size_t *ret_count)
{
    struct gp_scan_item *items = NULL;
    struct gp_strings names;
    size_t count = 0;
    struct gp_error *err = NULL;

    if (!gp_host_exists(host, DEVICES))
        return gp_error_new(GP_E_IO, "the PCI bus cannot be listed: there is no " DEVICES " below %s", host->root);
    err = gp_host_list(host, mem, DEVICES, &names);
    if (err)
        return gp_error_wrap(err, "the PCI bus cannot be listed");
    for (size_t i = 0; i < names.count; i++) {
        struct gp_scan_item item;
        struct gp_pci address;

        if (gp_pci_parse(names.items[i], &address) && look_at(host, mem, address, &item))
            *gp_push(mem, items, count) = item;
    }
    if (count)
        qsort(items, count, sizeof *items, by_address);
    *ret = items;
    *ret_count = count;
    return NULL;
}
