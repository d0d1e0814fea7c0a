// SPDX-License-Identifier: GPL-2.0-or-later
/* The drivers nvidia and xe as sysfs shows them, and which device is which GPU. */
#include "labgpu.h"

#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

static char *gpus = "0000:01:00.0=b50";
module_param(gpus, charp, 0444);
MODULE_PARM_DESC(gpus, "ADDRESS=MODEL,...; models: b50 (Intel, xe), a2 (NVIDIA, VFIO), a2-mdev (NVIDIA, mdev), mdpy and mbochs (parents "
                       "of the kernel's sample mdevs)");

unsigned int lab_teardown_ms = 1000;
module_param_named(teardown_ms, lab_teardown_ms, uint, 0644);
MODULE_PARM_DESC(teardown_ms, "how long after its guest a vGPU type cannot be cleared");

static int refuse;
module_param(refuse, int, 0644);
MODULE_PARM_DESC(refuse, "errno that xe answers when VFs are asked for, for instance 28 (ENOSPC: no fair share)");

static bool in_use;
module_param(in_use, bool, 0644);
MODULE_PARM_DESC(in_use, "something has NVIDIA's GPUs open, so that nobody gets the unbindLock");

static int probe_fails;
module_param(probe_fails, int, 0644);
MODULE_PARM_DESC(probe_fails, "how many times the driver nvidia fails to take a GPU");

LIST_HEAD(lab_gpus);

static const struct lab_model models[] = {
    {"b50", LAB_XE, 0x8086, 0xe212, 0x8086, 0x1114, 0x030000, 16},
    {"a2", LAB_VFIO, 0x10de, 0x25b6, 0x10de, 0x157e, 0x030200, 16},
    {"a2-mdev", LAB_MDEV, 0x10de, 0x25b6, 0x10de, 0x157e, 0x030200, 16},
    /* What the samples' guests see, the host has. */
    {"mdpy", LAB_SAMPLE, 0x1b36, 0x000f, 0x1b36, 0x0001, 0x038000, 0},
    {"mbochs", LAB_SAMPLE, 0x1234, 0x1111, 0x1af4, 0x1100, 0x038000, 0},
};

struct lab_gpu *lab_gpu_of(struct pci_dev *pdev)
{
    struct pci_dev *pf = pci_physfn(pdev);
    struct lab_gpu *gpu;

    list_for_each_entry(gpu, &lab_gpus, node) {
        if (gpu->domain == pci_domain_nr(pf->bus) && gpu->bus_number == pf->bus->number && gpu->devfn == pf->devfn)
            return gpu;
    }
    return NULL;
}

/* ---- /proc/driver/nvidia/gpus/ADDRESS/unbindLock ---- */

static struct proc_dir_entry *proc_nvidia, *proc_gpus;

static int lock_show(struct seq_file *file, void *unused)
{
    struct lab_gpu *gpu = file->private;

    seq_printf(file, "%d\n", gpu->unbind_locked);
    return 0;
}

static int lock_open(struct inode *inode, struct file *file)
{
    return single_open(file, lock_show, pde_data(inode));
}

/* Nobody gets it while somebody has the GPU open, and the write does not fail for it: it is to be read back. */
static ssize_t lock_write(struct file *file, const char __user *buf, size_t count, loff_t *at)
{
    struct lab_gpu *gpu = pde_data(file_inode(file));
    bool want;
    int ret = kstrtobool_from_user(buf, count, &want);

    if (ret)
        return ret;
    mutex_lock(&gpu->lock);
    gpu->unbind_locked = want && !in_use && !gpu->opened;
    pr_info("NVRM: %s\n", !want ? "UnbindLock released"
                                : gpu->unbind_locked ? "UnbindLock acquired" : "Could not acquire UnbindLock");
    mutex_unlock(&gpu->lock);
    return count;
}

static const struct proc_ops lock_ops = {
    .proc_open = lock_open,
    .proc_read = seq_read,
    .proc_lseek = seq_lseek,
    .proc_release = single_release,
    .proc_write = lock_write,
};

/* ---- the drivers ---- */

static int nvidia_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
    struct lab_gpu *gpu = lab_gpu_of(pdev);

    if (!gpu || gpu->model->vendor != PCI_VENDOR_ID_NVIDIA)
        return -ENODEV;
    if (pdev->is_virtfn)
        return gpu->model->kind == LAB_MDEV ? lab_mdev_probe(pdev, gpu) : lab_vfio_probe(pdev, gpu);
    if (probe_fails > 0) {
        probe_fails--;
        return -EIO;
    }
    gpu->unbind_locked = false;
    gpu->proc = proc_mkdir(pci_name(pdev), proc_gpus);
    if (!gpu->proc || !proc_create_data("unbindLock", 0600, gpu->proc, &lock_ops, gpu))
        return -ENOMEM;
    return 0;
}

static void nvidia_remove(struct pci_dev *pdev)
{
    struct lab_gpu *gpu = lab_gpu_of(pdev);

    if (!pdev->is_virtfn) {
        proc_remove(gpu->proc);
        gpu->proc = NULL;
    } else if (gpu->model->kind == LAB_MDEV) {
        lab_mdev_remove(pdev);
    } else {
        lab_vfio_remove(pdev);
    }
}

/* The kernel wants it to be told that a driver hands devices to user space itself; see vfio-pci. */
static const struct pci_device_id nvidia_ids[] = {
    {PCI_DEVICE(0x10de, PCI_ANY_ID)},
    {PCI_DEVICE_DRIVER_OVERRIDE(PCI_ANY_ID, PCI_ANY_ID, PCI_ID_F_VFIO_DRIVER_OVERRIDE)},
    {},
};

/* It has no callback for sriov_numvfs: that is why NVIDIA ships sriov-manage. */
static struct pci_driver nvidia_driver = {
    .name = "nvidia",
    .id_table = nvidia_ids,
    .probe = nvidia_probe,
    .remove = nvidia_remove,
    .driver_managed_dma = true,
    .driver = {.probe_type = PROBE_FORCE_SYNCHRONOUS},
};

static int xe_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
    struct lab_gpu *gpu = lab_gpu_of(pdev);

    return gpu && gpu->model->kind == LAB_XE ? 0 : -ENODEV;
}

static void xe_remove(struct pci_dev *pdev)
{
    /* xe takes its VFs away with it. */
    if (!pdev->is_virtfn)
        pci_disable_sriov(pdev);
}

static int xe_sriov_configure(struct pci_dev *pdev, int count)
{
    int ret;

    if (!count) {
        pci_disable_sriov(pdev);
        pci_info(pdev, "PF: Disabled VFs\n");
        return 0;
    }
    ret = refuse ? -refuse : pci_enable_sriov(pdev, count);
    if (ret) {
        pci_notice(pdev, "PF: Failed to enable %d VFs (%pe)\n", count, ERR_PTR(ret));
        return ret;
    }
    pci_info(pdev, "PF: Enabled %d of %d VFs\n", count, pci_sriov_get_totalvfs(pdev));
    return count;
}

static const struct pci_device_id xe_ids[] = {{PCI_DEVICE(0x8086, 0xe212)}, {}};

static struct pci_driver xe_driver = {
    .name = "xe",
    .id_table = xe_ids,
    .probe = xe_probe,
    .remove = xe_remove,
    .sriov_configure = xe_sriov_configure,
};

/* ---- what vfio-pci is refused ---- */

/* The real driver's VFs cannot be bound to vfio-pci, whose probe fails with EINVAL. vfio-pci refuses what is no endpoint. */
static int on_bus(struct notifier_block *block, unsigned long event, void *data)
{
    struct pci_dev *pdev = to_pci_dev(data);
    struct lab_gpu *gpu = pdev->is_virtfn ? lab_gpu_of(pdev) : NULL;

    if (!gpu || gpu->model->kind == LAB_XE)
        return NOTIFY_DONE;
    if (event == BUS_NOTIFY_BIND_DRIVER && pdev->dev.driver && !strcmp(pdev->dev.driver->name, "vfio-pci"))
        pdev->hdr_type = 0x7f;
    else if (event == BUS_NOTIFY_BOUND_DRIVER || event == BUS_NOTIFY_DRIVER_NOT_BOUND ||
             event == BUS_NOTIFY_UNBOUND_DRIVER)
        pdev->hdr_type = PCI_HEADER_TYPE_NORMAL;
    return NOTIFY_DONE;
}

static struct notifier_block bus_block = {.notifier_call = on_bus};

/* ---- the module ---- */

static int add_gpu(const char *text)
{
    unsigned int domain, bus, slot, function;
    const struct lab_model *model = NULL;
    struct pci_dev *pdev;
    struct lab_gpu *gpu;
    char name[16];
    int ret;

    if (sscanf(text, "%x:%x:%x.%x=%15s", &domain, &bus, &slot, &function, name) != 5)
        return -EINVAL;
    for (int i = 0; i < ARRAY_SIZE(models); i++) {
        if (!strcmp(models[i].name, name))
            model = &models[i];
    }
    pdev = model ? pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function)) : NULL;
    if (!pdev)
        return -ENODEV;
    gpu = kzalloc(sizeof(*gpu), GFP_KERNEL);
    if (!gpu) {
        pci_dev_put(pdev);
        return -ENOMEM;
    }
    mutex_init(&gpu->lock);
    gpu->model = model;
    gpu->domain = domain;
    gpu->bus_number = bus;
    gpu->devfn = PCI_DEVFN(slot, function);
    ret = lab_identity_take(gpu, pdev);
    if (ret)
        kfree(gpu);
    pci_dev_put(pdev);
    return ret;
}

static int add_gpus(void)
{
    char *copy = kstrdup(gpus, GFP_KERNEL), *rest = copy, *one;
    int ret = copy ? 0 : -ENOMEM;

    while (!ret && (one = strsep(&rest, ","))) {
        ret = add_gpu(one);
        if (ret)
            pr_err("labgpu: %s cannot be a GPU (%pe)\n", one, ERR_PTR(ret));
    }
    kfree(copy);
    return ret;
}

static void forget_gpus(void)
{
    struct lab_gpu *gpu, *next;

    list_for_each_entry_safe(gpu, next, &lab_gpus, node) {
        lab_identity_give_back(gpu);
        list_del(&gpu->node);
        kfree(gpu);
    }
}

static int __init labgpu_init(void)
{
    int ret;

    proc_nvidia = proc_mkdir("driver/nvidia", NULL);
    proc_gpus = proc_mkdir("gpus", proc_nvidia);
    bus_register_notifier(&pci_bus_type, &bus_block);
    ret = lab_mdev_init();
    if (ret)
        goto no_mdev;
    ret = add_gpus();
    if (ret)
        goto no_gpus;
    ret = pci_register_driver(&nvidia_driver);
    if (ret)
        goto no_gpus;
    ret = pci_register_driver(&xe_driver);
    if (!ret)
        return 0;
    pci_unregister_driver(&nvidia_driver);
no_gpus:
    forget_gpus();
    lab_mdev_exit();
no_mdev:
    bus_unregister_notifier(&pci_bus_type, &bus_block);
    proc_remove(proc_nvidia);
    return ret;
}

static void __exit labgpu_exit(void)
{
    pci_unregister_driver(&xe_driver);
    pci_unregister_driver(&nvidia_driver);
    forget_gpus();
    lab_mdev_exit();
    bus_unregister_notifier(&pci_bus_type, &bus_block);
    proc_remove(proc_nvidia);
}

module_init(labgpu_init);
module_exit(labgpu_exit);
MODULE_DESCRIPTION("SR-IOV GPUs made of other devices, for tests");
MODULE_LICENSE("GPL");
