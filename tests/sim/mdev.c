/* Mediated devices on VFs or on the PF. facts/sriov-core.md section 4, facts/nvidia-vgpu.md
 * sections 3 and 5. */
#include "sim.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct mdev *sim_mdevs;
int sim_self_remove_ms = -1;

/* One type on one parent; kept for ever, since an open file may still point at it. */
struct offer {
    struct offer *next;
    struct device *parent;
    const struct vgpu_type *type;
    struct node *dir;
};
static struct offer *offers;

static unsigned available(const struct offer *offer)
{
    struct vgpu_use use;
    unsigned placement, instance;

    if (!sim_creatable(offer->parent, offer->type, &placement, &instance))
        return 0;
    if (offer->parent->pf)
        return 1;
    sim_vgpu_use(offer->parent, &use);
    return offer->type->max - use.count;
}

static int available_show(struct node *node, FILE *out)
{
    fprintf(out, "%u\n", available(node->owner));
    return 0;
}

/* As the kernel's guid_parse(): 36 characters, hyphens where they belong, either case. */
static bool parse_uuid(const char *text, char ret[37])
{
    for (unsigned i = 0; i < 36; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

        if (hyphen ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
        ret[i] = (char)tolower((unsigned char)text[i]);
    }
    ret[36] = '\0';
    return true;
}

struct mdev *sim_mdev(const char *uuid)
{
    for (struct mdev *mdev = sim_mdevs; mdev; mdev = mdev->next)
        if (mdev->live && !strcmp(mdev->uuid, uuid))
            return mdev;
    return NULL;
}

static int create_store(struct node *node, const char *text, size_t len)
{
    struct offer *offer = node->owner;
    char uuid[37];

    if (len != 36 && !(len == 37 && text[36] == '\n'))
        return -EINVAL;
    if (!parse_uuid(text, uuid))
        return -EINVAL;
    return sim_mdev_create(offer->parent, offer->type, uuid);
}

static const struct attr available_attr = {"available_instances", 0444, available_show, NULL};
static const struct attr create_attr = {"create", 0200, NULL, create_store};

/* ---- a live one ---- */

static int remove_store(struct node *node, const char *text, size_t len)
{
    struct mdev *mdev = node->owner;
    char *end;
    unsigned long value = strtoul(text, &end, 0);

    (void)len;
    if (end == text || (*end && *end != '\n'))
        return -EINVAL;
    if (!value)
        return 0;
    if (mdev->removing || !mdev->live)
        return -ENODEV;
    sim_mdev_remove(mdev);
    return 0;
}

static int params_show(struct node *node, FILE *out)
{
    fprintf(out, "%s\n", ((struct mdev *)node->owner)->params);
    return 0;
}

static int params_store(struct node *node, const char *text, size_t len)
{
    struct mdev *mdev = node->owner;

    if (len >= sizeof mdev->params)
        return -EINVAL;
    snprintf(mdev->params, sizeof mdev->params, "%.*s", (int)strcspn(text, "\n"), text);
    return 0;
}

static const struct attr remove_attr = {"remove", 0200, NULL, remove_store};
static const struct attr params_attr = {"vgpu_params", 0644, params_show, params_store};

static const struct offer *offer_of(const struct device *parent, const struct vgpu_type *type)
{
    for (const struct offer *offer = offers; offer; offer = offer->next)
        if (offer->parent == parent && offer->type == type)
            return offer;
    return NULL;
}

/* What the driver says when it will not, translated from its own codes; nvidia-vgpu.md section 3.
 */
static int refusal(const struct device *parent, const struct vgpu_type *type)
{
    const struct device *pf = parent->pf ? parent->pf : parent;
    struct vgpu_use use;

    sim_vgpu_use(pf, &use);
    if (parent->pf && parent->mdev_count)
        return -EINVAL; /* the VF carries one already */
    if (!sim_nvidia_driver(pf))
        return -EAGAIN; /* not initialised yet */
    if (use.count && use.gib != type->gib)
        return -EIO; /* another size is in use */
    return use.count ? -ENOSPC : -EIO;
}

int sim_mdev_create(struct device *parent, const struct vgpu_type *type, const char *uuid)
{
    const struct offer *offer = offer_of(parent, type);
    unsigned placement, instance;
    struct mdev *mdev;
    struct node *nvidia;

    if (!offer || !offer->dir || !parent->present)
        return -ENODEV;
    if (sim_mdev(uuid)) /* a list of the whole host, asked before the driver is */
        return -EEXIST;
    if (!sim_creatable(parent, type, &placement, &instance))
        return refusal(parent, type);
    mdev = calloc(1, sizeof *mdev);
    if (!mdev)
        abort();
    *mdev = (struct mdev){.next = sim_mdevs,
                          .parent = parent,
                          .type = type,
                          .placement = placement,
                          .instance = instance,
                          .live = true,
                          .type_dir = offer->dir};
    snprintf(mdev->uuid, sizeof mdev->uuid, "%s", uuid);
    sim_mdevs = mdev;
    parent->mdev_count++;
    mdev->dir = sim_dir(parent->dir, uuid);
    sim_attr(mdev->dir, &remove_attr, mdev);
    sim_link(mdev->dir, "mdev_type", offer->dir);
    sim_link(mdev->dir, "subsystem", sim_mkdirs("sys/bus/mdev"));
    sim_link(mdev->dir, "driver", sim_mkdirs("sys/bus/mdev/drivers/nvidia-vgpu-vfio"));
    nvidia = sim_dir(mdev->dir, "nvidia");
    sim_attr(nvidia, &params_attr, mdev);
    sim_text(nvidia, "vm_name", 0444, "\n");
    sim_link(sim_mkdirs("sys/bus/mdev/devices"), uuid, mdev->dir);
    sim_link(sim_dir(offer->dir, "devices"), uuid, mdev->dir);
    mdev->group = sim_group(sim_group_fresh());
    sim_group_add(mdev->group, uuid, mdev->dir);
    sim_group_vfio(mdev->group, 1);
    sim_changed();
    return 0;
}

static void destroy(struct mdev *mdev)
{
    mdev->live = false;
    mdev->parent->mdev_count--;
    if (mdev->type_dir)
        sim_remove_name(sim_dir(mdev->type_dir, "devices"), mdev->uuid);
    sim_remove_name(sim_mkdirs("sys/bus/mdev/devices"), mdev->uuid);
    sim_group_vfio(mdev->group, -1);
    sim_group_del(mdev->group, mdev->uuid);
    sim_remove(mdev->dir);
    mdev->dir = NULL;
    sim_changed();
}

void sim_mdev_remove(struct mdev *mdev)
{
    if (mdev->removing || !mdev->live)
        return;
    mdev->removing = true;
    sim_remove_name(mdev->dir, "remove"); /* takes itself away, so that of two only one succeeds */
    while (mdev->group->used && mdev->live && !mdev->parent->gone)
        sim_wait(); /* VFIO waits for the last user */
    if (mdev->live)
        destroy(mdev);
}

void sim_mdevs_lose(struct device *parent)
{
    for (struct mdev *mdev = sim_mdevs; mdev; mdev = mdev->next) {
        if (mdev->parent != parent)
            continue;
        if (mdev->live)
            destroy(mdev);
        mdev->wedged = false;
    }
}

/* Drivers 14.4 and 15.x remove the mdev themselves when the guest ends. Who does it first by hand
 * leaves a vGPU in the driver's books until the host is rebooted. */
static void *self_remove(void *arg)
{
    struct mdev *mdev = arg;

    sim_lock();
    sim_delay((unsigned)sim_self_remove_ms);
    if (mdev->live && !mdev->group->used) {
        mdev->self_removed = true;
        sim_mdev_remove(mdev);
    } else if (!mdev->live && !mdev->self_removed && mdev->parent->present) {
        mdev->wedged = true;
    }
    sim_changed();
    sim_unlock();
    return NULL;
}

void sim_mdev_released(struct group *group)
{
    pthread_t thread;

    if (sim_self_remove_ms < 0)
        return;
    for (struct mdev *mdev = sim_mdevs; mdev; mdev = mdev->next)
        if (mdev->live && !mdev->removing && mdev->group == group &&
            !pthread_create(&thread, NULL, self_remove, mdev))
            pthread_detach(thread);
}

/* ---- parents ---- */

static void describe(struct node *dir, const struct device *parent, const struct vgpu_type *type)
{
    char series = type->name[strcspn(type->name, "ABCQ")];
    const char *max = series == 'A' ? "1280x1024" : series == 'C' ? "4096x2400" : "7680x4320";

    if (series == 'B' || (series == 'Q' && type->gib == 1))
        max = "5120x2880";
    sim_text(dir, "name", 0444, "%s%s\n", parent->model->prefix, type->name);
    sim_text(dir, "device_api", 0444, "vfio-pci\n");
    sim_text(dir, "description", 0444,
             "num_heads=%d, frl_config=%d, framebuffer=%uM, max_resolution=%s, max_instance=%u\n",
             series == 'A' || series == 'C' ? 1 : 4, series == 'B' ? 45 : 60, type->gib * 1024, max,
             type->max);
}

void sim_mdev_load(void)
{
    sim_mkdirs("sys/bus/mdev/devices");
    sim_mkdirs("sys/class/mdev_bus");
}

void sim_mdev_parent(struct device *dev)
{
    struct node *types = sim_dir(dev->dir, "mdev_supported_types");

    for (const struct vgpu_type *type = dev->model->types; type && type->id; type++) {
        struct offer *offer = (struct offer *)offer_of(dev, type);
        char name[24];

        if (!offer) {
            offer = calloc(1, sizeof *offer);
            if (!offer)
                abort();
            *offer = (struct offer){offers, dev, type, NULL};
            offers = offer;
        }
        snprintf(name, sizeof name, "nvidia-%u", type->id);
        offer->dir = sim_dir(types, name);
        describe(offer->dir, dev, type);
        sim_attr(offer->dir, &available_attr, offer);
        sim_attr(offer->dir, &create_attr, offer);
        sim_dir(offer->dir, "devices");
    }
    sim_mdev_load();
    sim_link(sim_mkdirs("sys/class/mdev_bus"), dev->name, dev->dir);
}

void sim_mdev_unparent(struct device *dev)
{
    struct node *types = sim_child(dev->dir, "mdev_supported_types");

    if (!types)
        return;
    for (struct offer *offer = offers; offer; offer = offer->next)
        if (offer->parent == dev)
            offer->dir = NULL; /* unregistering: no new ones */
    for (struct mdev *mdev = sim_mdevs; mdev; mdev = mdev->next)
        if (mdev->live && mdev->parent == dev) {
            sim_mdev_remove(mdev);
            while (mdev->live)
                sim_wait(); /* another remover is at it */
        }
    sim_remove_name(sim_mkdirs("sys/class/mdev_bus"), dev->name);
    sim_remove(types);
}
