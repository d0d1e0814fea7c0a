// SPDX-License-Identifier: GPL-2.0-or-later
/* A VF as NVIDIA's vendor-specific VFIO framework has it: a VFIO device on the driver nvidia, with nvidia/ in sysfs. */
#include "labgpu.h"

#include <linux/jiffies.h>
#include <linux/sysfs.h>
#include <linux/vfio_pci_core.h>

struct lab_vf {
    struct vfio_pci_core_device core; /* first: VFIO frees what it allocated */
    struct lab_gpu *gpu;
    const struct lab_profile *profile;
    bool open, was_open;
    unsigned long closed_at;
    char params[256];
};

static struct lab_vf *vf_of(struct device *dev)
{
    return dev_get_drvdata(dev);
}

static ssize_t creatable_vgpu_types_show(struct device *dev, struct device_attribute *attr, char *buf)
{
    struct lab_vf *vf = vf_of(dev);
    int at = sysfs_emit(buf, "%-6s: %s\n", "ID", "vGPU Name");

    mutex_lock(&vf->gpu->lock);
    for (int i = 0; i < LAB_PROFILES && !vf->profile; i++) {
        if (lab_profile_fits(vf->gpu, &lab_profiles[i]))
            at += sysfs_emit_at(buf, at, "%-6u: %s\n", lab_profiles[i].id, lab_profiles[i].name);
    }
    mutex_unlock(&vf->gpu->lock);
    return at;
}
static DEVICE_ATTR_RO(creatable_vgpu_types);

static ssize_t current_vgpu_type_show(struct device *dev, struct device_attribute *attr, char *buf)
{
    struct lab_vf *vf = vf_of(dev);

    return sysfs_emit(buf, "%u\n", vf->profile ? vf->profile->id : 0);
}

/* The plugin of a guest that is gone still tears down. */
static bool tears_down(const struct lab_vf *vf)
{
    return vf->was_open && time_before(jiffies, vf->closed_at + msecs_to_jiffies(lab_teardown_ms));
}

static int set_profile(struct lab_vf *vf, u32 id)
{
    const struct lab_profile *profile = lab_profile_find(id);

    if (!id) {
        if (vf->open || tears_down(vf))
            return -EPERM;
        if (vf->profile)
            lab_profile_give_back(vf->gpu);
        vf->profile = NULL;
        return 0;
    }
    if (!profile || vf->profile || !lab_profile_fits(vf->gpu, profile)) {
        dev_err(&vf->core.pdev->dev, "NVRM: Failed to add vgpu create request: 0x38\n");
        return -EIO;
    }
    lab_profile_take(vf->gpu, profile);
    vf->profile = profile;
    vf->was_open = false;
    return 0;
}

static ssize_t current_vgpu_type_store(struct device *dev, struct device_attribute *attr, const char *buf,
                                       size_t count)
{
    struct lab_vf *vf = vf_of(dev);
    u32 id;
    int ret = kstrtou32(buf, 10, &id);

    if (ret)
        return ret;
    mutex_lock(&vf->gpu->lock);
    ret = set_profile(vf, id);
    mutex_unlock(&vf->gpu->lock);
    return ret ? ret : count;
}
static DEVICE_ATTR_RW(current_vgpu_type);

static ssize_t vgpu_params_show(struct device *dev, struct device_attribute *attr, char *buf)
{
    return sysfs_emit(buf, "%s\n", vf_of(dev)->params);
}

static ssize_t vgpu_params_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
    struct lab_vf *vf = vf_of(dev);

    if (count >= sizeof(vf->params))
        return -EINVAL;
    memcpy(vf->params, buf, count);
    vf->params[count] = 0;
    strim(vf->params);
    return count;
}
static DEVICE_ATTR_RW(vgpu_params);

/* Without MIG and without a mixed size there is neither. */
static ssize_t none_show(struct device *dev, struct device_attribute *attr, char *buf)
{
    return -ENXIO;
}

static ssize_t none_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
    return -EINVAL;
}
static struct device_attribute dev_attr_gpu_instance_id = __ATTR(gpu_instance_id, 0644, none_show, none_store);
static struct device_attribute dev_attr_placement_id = __ATTR(placement_id, 0644, none_show, none_store);

static struct attribute *attributes[] = {
    &dev_attr_creatable_vgpu_types.attr, &dev_attr_current_vgpu_type.attr, &dev_attr_vgpu_params.attr,
    &dev_attr_gpu_instance_id.attr,      &dev_attr_placement_id.attr,      NULL,
};
static const struct attribute_group group = {.name = "nvidia", .attrs = attributes};

static int vf_open(struct vfio_device *device)
{
    struct lab_vf *vf = container_of(device, struct lab_vf, core.vdev);
    int ret = 0;

    mutex_lock(&vf->gpu->lock);
    if (vf->profile) {
        vf->open = true;
        vf->gpu->opened++;
    } else {
        dev_err(device->dev, "NVRM: no vGPU type is set\n");
        ret = -ENODEV;
    }
    mutex_unlock(&vf->gpu->lock);
    if (ret)
        return ret;
    ret = vfio_pci_core_enable(&vf->core);
    if (!ret) {
        vfio_pci_core_finish_enable(&vf->core);
        return 0;
    }
    mutex_lock(&vf->gpu->lock);
    vf->open = false;
    vf->gpu->opened--;
    mutex_unlock(&vf->gpu->lock);
    return ret;
}

static void vf_close(struct vfio_device *device)
{
    struct lab_vf *vf = container_of(device, struct lab_vf, core.vdev);

    vfio_pci_core_close_device(device);
    mutex_lock(&vf->gpu->lock);
    vf->open = false;
    vf->was_open = true;
    vf->closed_at = jiffies;
    vf->gpu->opened--;
    mutex_unlock(&vf->gpu->lock);
}

static const struct vfio_device_ops ops = {
    .name = "labgpu-vfio",
    .init = vfio_pci_core_init_dev,
    .release = vfio_pci_core_release_dev,
    .open_device = vf_open,
    .close_device = vf_close,
    .ioctl = vfio_pci_core_ioctl,
    .device_feature = vfio_pci_core_ioctl_feature,
    .read = vfio_pci_core_read,
    .write = vfio_pci_core_write,
    .mmap = vfio_pci_core_mmap,
    .request = vfio_pci_core_request,
    .match = vfio_pci_core_match,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
    .bind_iommufd = vfio_iommufd_physical_bind,
    .unbind_iommufd = vfio_iommufd_physical_unbind,
    .attach_ioas = vfio_iommufd_physical_attach_ioas,
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
    .detach_ioas = vfio_iommufd_physical_detach_ioas,
#endif
};

int lab_vfio_probe(struct pci_dev *pdev, struct lab_gpu *gpu)
{
    struct lab_vf *vf = vfio_alloc_device(lab_vf, core.vdev, &pdev->dev, &ops);
    int ret;

    if (IS_ERR(vf))
        return PTR_ERR(vf);
    vf->gpu = gpu;
    dev_set_drvdata(&pdev->dev, &vf->core);
    ret = vfio_pci_core_register_device(&vf->core);
    if (ret)
        goto put;
    ret = sysfs_create_group(&pdev->dev.kobj, &group);
    if (!ret)
        return 0;
    vfio_pci_core_unregister_device(&vf->core);
put:
    vfio_put_device(&vf->core.vdev);
    return ret;
}

void lab_vfio_remove(struct pci_dev *pdev)
{
    struct lab_vf *vf = vf_of(&pdev->dev);

    sysfs_remove_group(&pdev->dev.kobj, &group);
    vfio_pci_core_unregister_device(&vf->core);
    mutex_lock(&vf->gpu->lock);
    if (vf->profile)
        lab_profile_give_back(vf->gpu);
    vf->profile = NULL;
    mutex_unlock(&vf->gpu->lock);
    vfio_put_device(&vf->core.vdev);
}
