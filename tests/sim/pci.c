/* PCI devices and the attributes that all have. facts/sriov-core.md sections 1 and 3. */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct device *sim_devices;

bool sim_is_gpu(const struct device *dev)
{
    return dev->model;
}

static struct device *find(const char *name, size_t len)
{
    for (struct device *dev = sim_devices; dev; dev = dev->next) {
        if (!dev->present)
            continue;
        if (strlen(dev->name) == len && !strncmp(dev->name, name, len))
            return dev;
        if (*dev->slot && !dev->pf && len == strlen(dev->slot) + 4 && !strncmp(name, "slot", 4) &&
            !strncmp(name + 4, dev->slot, len - 4))
            return dev;
    }
    return NULL;
}

struct device *sim_device(const char *name)
{
    return find(name, strlen(name));
}

/* As the kernel's sysfs_streq(): one newline at the end does not count. */
struct device *sim_device_written(const char *text, size_t len)
{
    return *text == 's' ? NULL : find(text, len && text[len - 1] == '\n' ? len - 1 : len);
}

void sim_device_lock(struct device *dev)
{
    while (dev->locked)
        sim_wait();
    dev->locked = true;
}

void sim_device_unlock(struct device *dev)
{
    dev->locked = false;
    sim_changed();
}

/* The kernel's pci_rescan_remove_lock: devices come and go one at a time. */
static bool hotplug;

void sim_hotplug_lock(void)
{
    while (hotplug)
        sim_wait();
    hotplug = true;
}

void sim_hotplug_unlock(void)
{
    hotplug = false;
    sim_changed();
}

void sim_device_name(struct device *dev)
{
    snprintf(dev->name, sizeof dev->name, "%04x:%02x:%02x.%x", dev->domain, dev->rid >> 8 & 0xff,
             dev->rid >> 3 & 0x1f, dev->rid & 7);
}

/* ---- attributes of any device ---- */

static int override_show(struct node *node, FILE *out)
{
    struct device *dev = node->owner;

    fprintf(out, "%s\n", *dev->override ? dev->override : "(null)");
    return 0;
}

static int override_store(struct node *node, const char *text, size_t len)
{
    struct device *dev = node->owner;

    if (len >= sizeof dev->override)
        return -EINVAL;
    sim_device_lock(dev);
    snprintf(dev->override, sizeof dev->override, "%.*s", (int)strcspn(text, "\n"), text);
    sim_device_unlock(dev);
    return 0;
}

static const char *reset_methods(const struct device *dev)
{
    return dev->pf ? "flr" : "flr bus"; /* recorded on an A2: real-world-samples.md section 1 */
}

static int reset_method_show(struct node *node, FILE *out)
{
    struct device *dev = node->owner;

    if (*dev->reset_method)
        fprintf(out, "%s\n", dev->reset_method);
    return 0;
}

static int reset_method_store(struct node *node, const char *text, size_t len)
{
    struct device *dev = node->owner;
    char copy[64], all[64], *rest = copy, *word;

    if (len >= sizeof copy)
        return -EINVAL;
    snprintf(copy, sizeof copy, "%.*s", (int)strcspn(text, "\n"), text);
    snprintf(all, sizeof all, " %s ", reset_methods(dev));
    if (!strcmp(copy, "default"))
        snprintf(copy, sizeof copy, "%s", reset_methods(dev));
    snprintf(dev->reset_method, sizeof dev->reset_method, "%.31s", copy);
    while ((word = strsep(&rest, " "))) {
        char padded[70];

        snprintf(padded, sizeof padded, " %s ", word);
        if (*word && !strstr(all, padded)) {
            snprintf(dev->reset_method, sizeof dev->reset_method, "%s", reset_methods(dev));
            return -EINVAL;
        }
    }
    return 0;
}

static int reset_store(struct node *node, const char *text, size_t len)
{
    struct device *dev = node->owner;

    (void)len;
    if (strtoul(text, NULL, 0) != 1)
        return -EINVAL;
    if (!*dev->reset_method)
        return -ENOTTY;
    sim_sriov_lose(dev);
    return 0;
}

static int remove_store(struct node *node, const char *text, size_t len)
{
    struct device *dev = node->owner;

    (void)len;
    if (!strtoul(text, NULL, 0))
        return 0;
    sim_remove(node); /* the attribute takes itself away first */
    sim_hotplug_lock();
    sim_device_lock(dev);
    if (dev->present)
        sim_device_del(dev);
    sim_device_unlock(dev);
    sim_hotplug_unlock();
    return 0;
}

static int rescan_store(struct node *node, const char *text, size_t len)
{
    (void)node;
    (void)len;
    if (!strtoul(text, NULL, 0))
        return 0;
    sim_hotplug_lock();
    for (struct device *dev = sim_devices; dev; dev = dev->next)
        if (!dev->present && !dev->absent && !dev->pf) {
            sim_device_lock(dev);
            if (!dev->present)
                sim_device_add(dev);
            sim_device_probe(dev);
            sim_device_unlock(dev);
        }
    sim_hotplug_unlock();
    return 0;
}

static int uevent_show(struct node *node, FILE *out)
{
    struct device *dev = node->owner;

    if (dev->driver)
        fprintf(out, "DRIVER=%s\n", dev->driver->name);
    fprintf(out, "PCI_CLASS=%X\nPCI_ID=%04X:%04X\nPCI_SUBSYS_ID=%04X:%04X\nPCI_SLOT_NAME=%s\n",
            dev->class, dev->vendor, dev->device, dev->subvendor, dev->subdevice, dev->name);
    return 0;
}

static const struct attr device_attrs[] = {
    {"driver_override", 0644, override_show, override_store},
    {"reset_method", 0644, reset_method_show, reset_method_store},
    {"reset", 0200, NULL, reset_store},
    {"remove", 0200, NULL, remove_store},
    {"uevent", 0644, uevent_show, NULL},
    {0},
};
static const struct attr rescan_attr = {"rescan", 0200, NULL, rescan_store};

/* A VF's configuration space reads FFFF for vendor and device; sriov-core.md section 1. */
static void config(struct device *dev)
{
    unsigned char bytes[256] = {0};
    unsigned vendor = dev->pf ? 0xffff : dev->vendor, device = dev->pf ? 0xffff : dev->device;

    bytes[0] = vendor & 0xff, bytes[1] = (unsigned char)(vendor >> 8);
    bytes[2] = device & 0xff, bytes[3] = (unsigned char)(device >> 8);
    bytes[4] = dev->pf ? 0 : 6;
    bytes[6] = 0x10; /* there is a list of capabilities */
    bytes[8] = 0xa1;
    bytes[9] = dev->class & 0xff, bytes[10] = dev->class >> 8 & 0xff,
    bytes[11] = dev->class >> 16 & 0xff;
    bytes[0x34] = 0x78;
    bytes[0x78] = 0x10;                      /* PCI Express, */
    bytes[0x7a] = dev->bridge ? 0x42 : 0x02; /* root port or endpoint, */
    bytes[0x7f] = 0x10;                      /* with FLR */
    if (dev->bridge) {
        bytes[0x0e] = 1;
        bytes[0x18] = dev->rid >> 8 & 0xff;
        bytes[0x19] = bytes[0x1a] = dev->secondary & 0xff;
    } else {
        bytes[0x2c] = dev->subvendor & 0xff, bytes[0x2d] = (unsigned char)(dev->subvendor >> 8);
        bytes[0x2e] = dev->subdevice & 0xff, bytes[0x2f] = (unsigned char)(dev->subdevice >> 8);
    }
    sim_bytes(dev->dir, "config", 0644, bytes, sizeof bytes);
}

/* Vital product data with a serial number, as lspci -vv decodes it. */
static void vpd(struct device *dev)
{
    unsigned char bytes[128];
    size_t name = strlen(dev->model ? dev->model->name : "device"), serial = strlen(dev->serial),
           at = 0;
    unsigned char sum = 0;

    bytes[at++] = 0x82, bytes[at++] = (unsigned char)name, bytes[at++] = 0;
    memcpy(bytes + at, dev->model ? dev->model->name : "device", name), at += name;
    bytes[at++] = 0x90, bytes[at++] = (unsigned char)(3 + serial + 4), bytes[at++] = 0;
    bytes[at++] = 'S', bytes[at++] = 'N', bytes[at++] = (unsigned char)serial;
    memcpy(bytes + at, dev->serial, serial), at += serial;
    bytes[at++] = 'R', bytes[at++] = 'V', bytes[at++] = 1;
    for (size_t i = 0; i < at; i++)
        sum = (unsigned char)(sum + bytes[i]);
    bytes[at++] = (unsigned char)-sum;
    bytes[at++] = 0x78;
    sim_bytes(dev->dir, "vpd", 0600, bytes, at);
}

static struct node *parent_dir(const struct device *dev)
{
    if (dev->pf)
        return dev->pf->dir->parent;
    for (struct device *bridge = sim_devices; bridge; bridge = bridge->next)
        if (bridge->present && bridge->bridge && bridge->domain == dev->domain &&
            bridge->secondary == dev->rid >> 8)
            return bridge->dir;
    return sim_mkdirs("sys/devices/pci%04x:%02x", dev->domain, dev->rid >> 8);
}

void sim_device_add(struct device *dev)
{
    struct node *dir = dev->dir = sim_dir(parent_dir(dev), dev->name),
                *bus = sim_mkdirs("sys/bus/pci");
    static const char none[] = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";

    dev->present = true;
    *dev->override = '\0';
    snprintf(dev->reset_method, sizeof dev->reset_method, "%s", reset_methods(dev));
    sim_text(dir, "vendor", 0444, "0x%04x\n", dev->vendor);
    sim_text(dir, "device", 0444, "0x%04x\n", dev->device);
    sim_text(dir, "subsystem_vendor", 0444, "0x%04x\n", dev->subvendor);
    sim_text(dir, "subsystem_device", 0444, "0x%04x\n", dev->subdevice);
    sim_text(dir, "class", 0444, "0x%06x\n", dev->class);
    sim_text(dir, "revision", 0444, "0xa1\n");
    sim_text(dir, "modalias", 0444, "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X\n", dev->vendor,
             dev->device, dev->subvendor, dev->subdevice, dev->class >> 16, dev->class >> 8 & 0xff,
             dev->class & 0xff);
    sim_text(dir, "irq", 0444, "%d\n", dev->pf ? 0 : 16);
    sim_text(dir, "enable", 0644, "1\n");
    sim_text(dir, "ari_enabled", 0444, "1\n");
    sim_text(dir, "power_state", 0444, "D0\n");
    sim_text(dir, "numa_node", 0644, "%d\n", dev->numa);
    sim_text(dir, "local_cpulist", 0444, "0-1\n");
    sim_text(dir, "max_link_speed", 0444, "16.0 GT/s PCIe\n");
    sim_text(dir, "max_link_width", 0444, "16\n");
    sim_text(dir, "current_link_speed", 0444, "%s\n", dev->pf ? "Unknown" : "16.0 GT/s PCIe");
    sim_text(dir, "current_link_width", 0444, "%d\n", dev->pf ? 0 : 16);
    sim_text(dir, "resource", 0444,
             "0x0000000093000000 0x0000000093ffffff 0x0000000000040200\n%s%s%s%s%s%s%s%s%s%s%s%s%s",
             dev->model ? dev->model->bar1 : none, dev->model ? "\n" : "", none, none, none, none,
             none, none, none, none, none, none, none);
    if (dev->class >> 8 == 0x0300)
        sim_text(dir, "boot_vga", 0444, "%d\n", dev->boot_vga);
    sim_attrs(dir, device_attrs, dev);
    config(dev);
    if (*dev->serial && !dev->pf)
        vpd(dev);
    sim_link(sim_dir(bus, "devices"), dev->name, dir);
    sim_link(dir, "subsystem", bus);
    if (*dev->slot && !dev->pf)
        sim_text(sim_mkdirs("sys/bus/pci/slots/%s", dev->slot), "address", 0444, "%.*s\n",
                 (int)strcspn(dev->name, "."), dev->name);
    if (!sim_child(bus, "rescan"))
        sim_attr(bus, &rescan_attr, NULL);
    if (dev->group_given != -1) {
        dev->group = sim_group(dev->group_given == -2 ? sim_group_fresh() : dev->group_given);
        sim_group_add(dev->group, dev->name, dir);
    }
    if (dev->totalvfs || dev->model)
        sim_sriov_attrs(dev);
    sim_changed();
}

/* Whatever is behind a bridge goes with it. */
static void del_behind(const struct device *bridge)
{
    for (struct device *dev = sim_devices; dev; dev = dev->next) {
        if (!dev->present || dev->pf || dev->dir->parent != bridge->dir)
            continue;
        sim_device_lock(dev);
        if (dev->present)
            sim_device_del(dev);
        sim_device_unlock(dev);
    }
}

void sim_device_del(struct device *dev)
{
    if (dev->bridge)
        del_behind(dev);
    if (dev->numvfs)
        sim_sriov_disable(dev);
    sim_unbind(dev);
    if (dev->group)
        sim_group_del(dev->group, dev->name);
    dev->group = NULL;
    sim_remove_name(sim_mkdirs("sys/bus/pci/devices"), dev->name);
    sim_remove(dev->dir);
    dev->dir = NULL;
    dev->present = false;
    sim_changed();
}
