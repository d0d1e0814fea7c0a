/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gives the kernel's sample mdevs (samples/vfio-mdev) a GPU as parent: included in front of their source, which is the
 * distribution's and unchanged. By themselves they hang from a device below /sys/devices/virtual that is on no bus, and
 * which no pool can name, because a pool is of GPUs. Types, devices and all that they do are theirs. */
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/pci.h>

static struct device *sample_gpu;

static int sample_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
    sample_gpu = &pdev->dev;
    return 0;
}

static const struct pci_device_id sample_ids[] = {{PCI_DEVICE(SAMPLE_VENDOR, SAMPLE_DEVICE)}, {}};

/* The samples know no parent that goes away: the module is unloaded first. */
static struct pci_driver sample_driver = {
    .name = KBUILD_MODNAME,
    .id_table = sample_ids,
    .probe = sample_probe,
    .driver = {.suppress_bind_attrs = true},
};

static int sample_register(struct mdev_parent *parent, struct mdev_driver *driver, struct mdev_type **types,
                           unsigned int count)
{
    int ret = pci_register_driver(&sample_driver);

    if (ret)
        return ret;
    ret = sample_gpu ? mdev_register_parent(parent, sample_gpu, driver, types, count) : -ENODEV;
    if (ret)
        pci_unregister_driver(&sample_driver);
    return ret;
}

static void sample_unregister(struct mdev_parent *parent)
{
    mdev_unregister_parent(parent);
    pci_unregister_driver(&sample_driver);
}

#define mdev_register_parent(parent, device, driver, types, count) sample_register(parent, driver, types, count)
#define mdev_unregister_parent(parent) sample_unregister(parent)
