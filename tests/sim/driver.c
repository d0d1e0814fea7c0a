/* Drivers, and how devices come to them and go. facts/sriov-core.md sections 3 and 5. */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct driver *drivers;
static int next_vfio;

bool sim_is_vfio(const struct device *dev)
{
    /* The vendor's framework makes "nvidia" itself a VFIO driver of its VFs; nvidia-vgpu.md
     * section 4. */
    return dev->driver && (dev->driver->vfio || (dev->pf && dev->mechanism == MECH_NVIDIA_VFIO &&
                                                 sim_nvidia_driver(dev)));
}

static bool matches(const struct device *dev, const struct driver *driver)
{
    if (*dev->override)
        return !strcmp(dev->override, driver->name);
    for (unsigned i = 0; i < driver->id_count; i++)
        if (driver->ids[i].vendor == dev->vendor && driver->ids[i].device == dev->device)
            return true;
    return !strcmp(dev->native, driver->name);
}

/* @dev's lock is held. */
int sim_bind(struct device *dev, struct driver *driver)
{
    char vfio[16];

    if (dev->driver)
        return -EBUSY;
    /* Linux pci_device_can_probe(): autoprobe governs VFs without an override. */
    if (dev->pf && !dev->pf->autoprobe && !*dev->override)
        return -ENODEV;
    if (!strcmp(driver->name, "vfio-pci") &&
        (!dev->group || (dev->pf && dev->mechanism == MECH_NVIDIA_VFIO)))
        return -EINVAL;
    /* "Aborting probe for VF ... since IOMMU is not present"; nvidia-vgpu.md section 2. */
    if (dev->pf && !strcmp(driver->name, "nvidia") && (!dev->group || dev->mechanism == MECH_NONE))
        return -ENODEV;
    dev->driver = driver;
    sim_link(dev->dir, "driver", driver->dir);
    sim_link(driver->dir, dev->name, dev->dir);
    if (sim_is_vfio(dev)) {
        dev->vfio_number = next_vfio++;
        snprintf(vfio, sizeof vfio, "vfio%d", dev->vfio_number);
        sim_dir(sim_dir(dev->dir, "vfio-dev"), vfio);
        sim_text(sim_mkdirs("dev/vfio/devices"), vfio, 0660, "%s", "")->group = dev->group;
        sim_group_vfio(dev->group, 1);
    }
    sim_nvidia_bound(dev);
    sim_intel_bound(dev);
    sim_changed();
    return 0;
}

/* @dev's lock is held. Waits for whom a kernel would wait for. */
void sim_unbind(struct device *dev)
{
    char vfio[16];

    if (!dev->driver)
        return;
    /* "blocked until released by user"; sriov-core.md section 1. */
    while (sim_is_vfio(dev) && dev->group->used && !dev->gone)
        sim_wait();
    /* "with non-zero usage count"; nvidia-vgpu.md section 8. */
    while (!dev->pf && sim_nvidia_driver(dev) && *dev->client && !dev->gone)
        sim_wait();
    sim_intel_unbound(dev);
    sim_nvidia_unbound(dev);
    if (sim_is_vfio(dev)) {
        snprintf(vfio, sizeof vfio, "vfio%d", dev->vfio_number);
        sim_remove_name(sim_mkdirs("dev/vfio/devices"), vfio);
        sim_remove_name(dev->dir, "vfio-dev");
        sim_group_vfio(dev->group, -1);
    }
    sim_remove_name(dev->dir, "driver");
    sim_remove_name(dev->driver->dir, dev->name);
    dev->driver = NULL;
    sim_changed();
}

void sim_device_probe(struct device *dev)
{
    for (struct driver *driver = drivers; driver && !dev->driver; driver = driver->next)
        if (matches(dev, driver))
            sim_bind(dev, driver);
}

static int bind_store(struct node *node, const char *text, size_t len)
{
    struct device *dev = sim_device_written(text, len);
    int err;

    if (!dev || !matches(dev, node->owner))
        return -ENODEV;
    sim_device_lock(dev);
    err = dev->present ? sim_bind(dev, node->owner) : -ENODEV;
    sim_device_unlock(dev);
    return err;
}

static int unbind_store(struct node *node, const char *text, size_t len)
{
    struct device *dev = sim_device_written(text, len);

    if (!dev || dev->driver != node->owner)
        return -ENODEV;
    sim_device_lock(dev);
    if (dev->present && dev->driver == node->owner)
        sim_unbind(dev);
    sim_device_unlock(dev);
    return 0;
}

static int probe_store(struct node *node, const char *text, size_t len)
{
    struct device *dev = sim_device_written(text, len);

    (void)node;
    if (!dev)
        return -ENODEV;
    sim_device_lock(dev);
    if (dev->present)
        sim_device_probe(dev); /* a probe that fails is not told here */
    sim_device_unlock(dev);
    return 0;
}

static int new_id_store(struct node *node, const char *text, size_t len)
{
    struct driver *driver = node->owner;
    unsigned vendor, device;

    (void)len;
    if (sscanf(text, "%x %x", &vendor, &device) != 2)
        return -EINVAL;
    for (unsigned i = 0; i < driver->id_count; i++)
        if (driver->ids[i].vendor == vendor && driver->ids[i].device == device)
            return -EEXIST;
    if (driver->id_count == sizeof driver->ids / sizeof *driver->ids)
        return -ENOMEM;
    driver->ids[driver->id_count].vendor = vendor;
    driver->ids[driver->id_count++].device = device;
    for (struct device *dev = sim_devices; dev; dev = dev->next)
        if (dev->present && !dev->driver && matches(dev, driver)) {
            sim_device_lock(dev);
            if (dev->present)
                sim_bind(dev, driver);
            sim_device_unlock(dev);
        }
    return 0;
}

static int remove_id_store(struct node *node, const char *text, size_t len)
{
    struct driver *driver = node->owner;
    unsigned vendor, device;

    (void)len;
    if (sscanf(text, "%x %x", &vendor, &device) != 2)
        return -EINVAL;
    for (unsigned i = 0; i < driver->id_count; i++)
        if (driver->ids[i].vendor == vendor && driver->ids[i].device == device) {
            driver->ids[i] = driver->ids[--driver->id_count];
            return 0;
        }
    return -ENODEV;
}

static const struct attr driver_attrs[] = {
    {"bind", 0200, NULL, bind_store},
    {"unbind", 0200, NULL, unbind_store},
    {"new_id", 0200, NULL, new_id_store},
    {"remove_id", 0200, NULL, remove_id_store},
    {0},
};
static const struct attr probe_attr = {"drivers_probe", 0200, NULL, probe_store};

struct driver *sim_driver(const char *name)
{
    struct driver *driver;

    for (driver = drivers; driver; driver = driver->next)
        if (!strcmp(driver->name, name))
            return driver;
    driver = calloc(1, sizeof *driver);
    if (!driver)
        abort();
    snprintf(driver->name, sizeof driver->name, "%s", name);
    driver->vfio = !strcmp(name, "vfio-pci");
    driver->dir = sim_mkdirs("sys/bus/pci/drivers/%s", name);
    sim_attrs(driver->dir, driver_attrs, driver);
    sim_mkdirs("sys/module/%s", name);
    if (!sim_child(sim_mkdirs("sys/bus/pci"), "drivers_probe"))
        sim_attr(sim_mkdirs("sys/bus/pci"), &probe_attr, NULL);
    driver->next = drivers;
    drivers = driver;
    return driver;
}
