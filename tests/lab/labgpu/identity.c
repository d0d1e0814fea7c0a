// SPDX-License-Identifier: GPL-2.0-or-later
/* Who the device says it is. Reads of configuration space go through a filter, and then the bus is enumerated anew: so
 * sysfs, lspci, modalias, libvirt and a guest all see the same GPU, and nobody had to be told. */
#include "labgpu.h"

static struct lab_gpu *gpu_of_bus(struct pci_bus *bus)
{
    struct lab_gpu *gpu;

    /* VFs may be on buses below. */
    for (; bus; bus = bus->parent) {
        list_for_each_entry(gpu, &lab_gpus, node) {
            if (gpu->bus == bus)
                return gpu;
        }
    }
    return NULL;
}

/* Puts @with, a value of @length bytes at @offset, into what was read: @size bytes from @where. */
static void replace(u32 *value, int where, int size, int offset, int length, u32 with)
{
    for (int i = 0; i < size; i++) {
        int byte = where + i - offset;

        if (byte < 0 || byte >= length)
            continue;
        *value &= ~(0xffu << (8 * i));
        *value |= (with >> (8 * byte) & 0xff) << (8 * i);
    }
}

static int filtered_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
    struct lab_gpu *gpu = gpu_of_bus(bus);
    const struct lab_model *model = gpu->model;
    bool is_pf = bus == gpu->bus && devfn == gpu->devfn;
    int ret = gpu->original->read(bus, devfn, where, size, value);
    u32 header;

    if (ret)
        return ret;
    if (where < PCI_COMMAND) {
        /* A VF reads ffff:ffff there, as one of silicon does. */
        if (is_pf)
            replace(value, where, size, PCI_VENDOR_ID, 4, (u32)model->device << 16 | model->vendor);
    } else if (where < PCI_CAPABILITY_LIST) {
        if (gpu->original->read(bus, devfn, PCI_HEADER_TYPE, 1, &header) || header == 0xff)
            return 0; /* nobody is there */
        replace(value, where, size, PCI_CLASS_PROG, 3, model->class);
        /* A VF has the vendor's id and no board's. */
        replace(value, where, size, PCI_SUBSYSTEM_VENDOR_ID, 4,
                model->subsystem_vendor | (is_pf ? (u32)model->subsystem_device << 16 : 0));
    } else if (is_pf && model->kind == LAB_SAMPLE) {
        /* A capability of nobody's. */
        replace(value, where, size, gpu->sriov, 2, PCI_EXT_CAP_ID_VNDR);
    } else if (is_pf && gpu->sriov) {
        replace(value, where, size, gpu->sriov + PCI_SRIOV_VF_DID, 2, model->device);
    }
    return 0;
}

static int filtered_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
    return gpu_of_bus(bus)->original->write(bus, devfn, where, size, value);
}

int lab_identity_take(struct lab_gpu *gpu, struct pci_dev *pdev)
{
    gpu->bus = pdev->bus;
    gpu->sriov = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_SRIOV);
    if (!gpu->sriov)
        return -ENODEV;
    gpu->ops = *gpu->bus->ops;
    gpu->ops.read = filtered_read;
    gpu->ops.write = filtered_write;
    gpu->original = gpu->bus->ops;
    /* The filter finds its GPU in the list. */
    list_add_tail(&gpu->node, &lab_gpus);
    pci_bus_set_ops(gpu->bus, &gpu->ops);
    pci_stop_and_remove_bus_device_locked(pdev);
    pci_lock_rescan_remove();
    pci_rescan_bus(gpu->bus);
    pci_unlock_rescan_remove();
    return 0;
}

void lab_identity_give_back(struct lab_gpu *gpu)
{
    pci_bus_set_ops(gpu->bus, gpu->original);
}
