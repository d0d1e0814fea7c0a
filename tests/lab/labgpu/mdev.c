// SPDX-License-Identifier: GPL-2.0-or-later
/* A VF as NVIDIA's older framework has it: the parent of at most one mdev, whose types are nvidia-ID. The mdev is a PCI
 * device with a configuration space and one BAR of memory, which is enough for a firmware to find it. */
#include "labgpu.h"

#include <linux/mdev.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#define CONFIG_SIZE 256
#define BAR_AT      PAGE_SIZE
#define BAR_SIZE    PAGE_SIZE

struct lab_type {
    struct mdev_type type;
    const struct lab_profile *profile;
    struct lab_parent *parent;
    char id[8];
};

/* The mdev core puts its own things into each type, so no two parents share them. */
struct lab_parent {
    struct mdev_parent parent;
    struct lab_gpu *gpu;
    bool used;
    struct lab_type types[LAB_PROFILES];
    struct mdev_type *list[LAB_PROFILES];
};

struct lab_mdev {
    struct vfio_device vdev; /* first: VFIO frees what it allocated */
    struct lab_parent *parent;
    struct mutex lock;
    u8 config[CONFIG_SIZE];
    u8 *bar;
};

static struct lab_mdev *mdev_of(struct vfio_device *device)
{
    return container_of(device, struct lab_mdev, vdev);
}

/* ---- types ---- */

static unsigned int get_available(struct mdev_type *type)
{
    struct lab_type *of = container_of(type, struct lab_type, type);
    struct lab_gpu *gpu = of->parent->gpu;
    unsigned int ret;

    mutex_lock(&gpu->lock);
    ret = !of->parent->used && lab_profile_fits(gpu, of->profile);
    mutex_unlock(&gpu->lock);
    return ret;
}

static ssize_t show_description(struct mdev_type *type, char *buf)
{
    const struct lab_type *of = container_of(type, struct lab_type, type);
    const struct lab_profile *profile = of->profile;

    return sysfs_emit(buf, "num_heads=%u, frl_config=%u, framebuffer=%uM, max_resolution=%s, max_instance=%u\n",
                      profile->heads, profile->frl, profile->gib * 1024, profile->resolution,
                      of->parent->gpu->model->gib / profile->gib);
}

/* ---- the device ---- */

static int init_device(struct vfio_device *device)
{
    struct lab_mdev *mdev = mdev_of(device);

    mutex_init(&mdev->lock);
    mdev->bar = (u8 *)get_zeroed_page(GFP_KERNEL);
    return mdev->bar ? 0 : -ENOMEM;
}

static void release_device(struct vfio_device *device)
{
    free_page((unsigned long)mdev_of(device)->bar);
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
    vfio_free_device(device);
#endif
}

static void write_config(struct lab_mdev *mdev, loff_t at, size_t count, const u8 *from)
{
    u32 bar;

    if (at == PCI_BASE_ADDRESS_0 && count == sizeof(bar)) {
        memcpy(&bar, from, sizeof(bar));
        bar &= ~(BAR_SIZE - 1);
        memcpy(mdev->config + at, &bar, sizeof(bar));
    } else if (at == PCI_COMMAND || at == PCI_INTERRUPT_LINE) {
        memcpy(mdev->config + at, from, count);
    }
}

static int access_config(struct lab_mdev *mdev, char __user *buf, loff_t at, size_t count, bool write)
{
    u8 bytes[8];

    if (!write)
        return copy_to_user(buf, mdev->config + at, count) ? -EFAULT : 0;
    if (count > sizeof(bytes) || copy_from_user(bytes, buf, count))
        return -EFAULT;
    write_config(mdev, at, count, bytes);
    return 0;
}

static int access_bar(struct lab_mdev *mdev, char __user *buf, loff_t at, size_t count, bool write)
{
    return (write ? copy_from_user(mdev->bar + at, buf, count) : copy_to_user(buf, mdev->bar + at, count)) ? -EFAULT : 0;
}

static ssize_t access_device(struct lab_mdev *mdev, char __user *buf, size_t count, loff_t *at, bool write)
{
    int ret = -EINVAL;

    mutex_lock(&mdev->lock);
    if (*at >= 0 && *at + count <= CONFIG_SIZE)
        ret = access_config(mdev, buf, *at, count, write);
    else if (*at >= BAR_AT && *at + count <= BAR_AT + BAR_SIZE)
        ret = access_bar(mdev, buf, *at - BAR_AT, count, write);
    mutex_unlock(&mdev->lock);
    if (ret)
        return ret;
    *at += count;
    return count;
}

static ssize_t read_device(struct vfio_device *device, char __user *buf, size_t count, loff_t *at)
{
    return access_device(mdev_of(device), buf, count, at, false);
}

static ssize_t write_device(struct vfio_device *device, const char __user *buf, size_t count, loff_t *at)
{
    return access_device(mdev_of(device), (char __user *)buf, count, at, true);
}

static void tell_device(struct vfio_device_info *info)
{
    info->flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
    info->num_regions = VFIO_PCI_NUM_REGIONS;
    info->num_irqs = VFIO_PCI_NUM_IRQS;
}

static void tell_region(struct vfio_region_info *info)
{
    bool is_config = info->index == VFIO_PCI_CONFIG_REGION_INDEX, is_bar = info->index == VFIO_PCI_BAR0_REGION_INDEX;

    info->flags = is_config || is_bar ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0;
    info->cap_offset = 0;
    info->offset = is_bar ? BAR_AT : 0;
    info->size = is_config ? CONFIG_SIZE : is_bar ? BAR_SIZE : 0;
}

/* One of VFIO's questions: the caller's struct in, @tell's answer out. */
#define ANSWER(type, last, most, tell)                                                  \
    ({                                                                                  \
        struct type info;                                                               \
        size_t least = offsetofend(struct type, last);                                  \
                                                                                        \
        if (copy_from_user(&info, to, least))                                           \
            return -EFAULT;                                                             \
        if (info.argsz < least || (most))                                               \
            return -EINVAL;                                                             \
        tell(&info);                                                                    \
        copy_to_user(to, &info, least) ? -EFAULT : 0;                                   \
    })

static void tell_no_interrupts(struct vfio_irq_info *info)
{
    info->flags = 0;
    info->count = 0;
}

static long device_ioctl(struct vfio_device *device, unsigned int command, unsigned long argument)
{
    void __user *to = (void __user *)argument;

    switch (command) {
    case VFIO_DEVICE_GET_INFO:
        return ANSWER(vfio_device_info, num_irqs, false, tell_device);
    case VFIO_DEVICE_GET_REGION_INFO:
        return ANSWER(vfio_region_info, offset, info.index >= VFIO_PCI_NUM_REGIONS, tell_region);
    case VFIO_DEVICE_GET_IRQ_INFO:
        return ANSWER(vfio_irq_info, count, info.index >= VFIO_PCI_NUM_IRQS, tell_no_interrupts);
    case VFIO_DEVICE_SET_IRQS:
        return -EINVAL;
    case VFIO_DEVICE_RESET:
        return 0;
    default:
        return -ENOTTY;
    }
}

static int open_mdev(struct vfio_device *device)
{
    struct lab_gpu *gpu = mdev_of(device)->parent->gpu;

    mutex_lock(&gpu->lock);
    gpu->opened++;
    mutex_unlock(&gpu->lock);
    return 0;
}

static void close_mdev(struct vfio_device *device)
{
    struct lab_gpu *gpu = mdev_of(device)->parent->gpu;

    mutex_lock(&gpu->lock);
    gpu->opened--;
    mutex_unlock(&gpu->lock);
}

static const struct vfio_device_ops ops = {
    .name = "labgpu-mdev",
    .init = init_device,
    .release = release_device,
    .open_device = open_mdev,
    .close_device = close_mdev,
    .read = read_device,
    .write = write_device,
    .ioctl = device_ioctl,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
    .bind_iommufd = vfio_iommufd_emulated_bind,
    .unbind_iommufd = vfio_iommufd_emulated_unbind,
    .attach_ioas = vfio_iommufd_emulated_attach_ioas,
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
    .detach_ioas = vfio_iommufd_emulated_detach_ioas,
#endif
};

/* ---- creation ---- */

static void put_ids(struct lab_mdev *mdev, const struct lab_model *model)
{
    const __le16 vendor = cpu_to_le16(model->vendor), device = cpu_to_le16(model->device);

    memcpy(mdev->config + PCI_VENDOR_ID, &vendor, sizeof(vendor));
    memcpy(mdev->config + PCI_DEVICE_ID, &device, sizeof(device));
    memcpy(mdev->config + PCI_SUBSYSTEM_VENDOR_ID, &vendor, sizeof(vendor));
    mdev->config[PCI_CLASS_PROG] = model->class & 0xff;
    mdev->config[PCI_CLASS_DEVICE] = model->class >> 8 & 0xff;
    mdev->config[PCI_CLASS_DEVICE + 1] = model->class >> 16;
}

static void give_back(struct lab_parent *parent)
{
    mutex_lock(&parent->gpu->lock);
    parent->used = false;
    lab_profile_give_back(parent->gpu);
    mutex_unlock(&parent->gpu->lock);
}

static int probe(struct mdev_device *device)
{
    struct lab_type *type = container_of(device->type, struct lab_type, type);
    struct lab_parent *parent = type->parent;
    struct lab_mdev *mdev;
    int ret = -EIO;

    mutex_lock(&parent->gpu->lock);
    if (!parent->used && lab_profile_fits(parent->gpu, type->profile)) {
        lab_profile_take(parent->gpu, type->profile);
        parent->used = true;
        ret = 0;
    }
    mutex_unlock(&parent->gpu->lock);
    if (ret)
        return ret;
    mdev = vfio_alloc_device(lab_mdev, vdev, &device->dev, &ops);
    ret = PTR_ERR_OR_ZERO(mdev);
    if (ret)
        goto fail;
    mdev->parent = parent;
    put_ids(mdev, parent->gpu->model);
    ret = vfio_register_emulated_iommu_dev(&mdev->vdev);
    if (!ret) {
        dev_set_drvdata(&device->dev, mdev);
        return 0;
    }
    vfio_put_device(&mdev->vdev);
fail:
    give_back(parent);
    return ret;
}

static void remove(struct mdev_device *device)
{
    struct lab_mdev *mdev = dev_get_drvdata(&device->dev);
    struct lab_parent *parent = mdev->parent;

    vfio_unregister_group_dev(&mdev->vdev);
    vfio_put_device(&mdev->vdev);
    give_back(parent);
}

static struct mdev_driver driver = {
    .device_api = VFIO_DEVICE_API_PCI_STRING,
    .driver = {.name = "nvidia-vgpu-vfio", .owner = THIS_MODULE, .mod_name = KBUILD_MODNAME},
    .probe = probe,
    .remove = remove,
    .get_available = get_available,
    .show_description = show_description,
};

int lab_mdev_probe(struct pci_dev *pdev, struct lab_gpu *gpu)
{
    struct lab_parent *parent = kzalloc(sizeof(*parent), GFP_KERNEL);
    int ret;

    if (!parent)
        return -ENOMEM;
    parent->gpu = gpu;
    for (int i = 0; i < LAB_PROFILES; i++) {
        struct lab_type *type = &parent->types[i];

        type->profile = &lab_profiles[i];
        type->parent = parent;
        snprintf(type->id, sizeof(type->id), "%u", type->profile->id);
        type->type.sysfs_name = type->id;
        type->type.pretty_name = type->profile->name;
        parent->list[i] = &type->type;
    }
    dev_set_drvdata(&pdev->dev, parent);
    ret = mdev_register_parent(&parent->parent, &pdev->dev, &driver, parent->list, LAB_PROFILES);
    if (ret)
        kfree(parent);
    return ret;
}

void lab_mdev_remove(struct pci_dev *pdev)
{
    struct lab_parent *parent = dev_get_drvdata(&pdev->dev);

    mdev_unregister_parent(&parent->parent);
    kfree(parent);
}

int lab_mdev_init(void)
{
    return mdev_register_driver(&driver);
}

void lab_mdev_exit(void)
{
    mdev_unregister_driver(&driver);
}
