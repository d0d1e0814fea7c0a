/* NVIDIA: who has the GPU open, which vGPU types can be created, and the vendor's VFIO framework.
 * facts/nvidia-vgpu.md sections 2, 4 and 6. The names of what is in proc: NVIDIA's open kernel modules,
 * kernel-open/nvidia/nv-procfs.c. */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

unsigned sim_teardown_ms = 1000;

bool sim_nvidia_driver(const struct device *dev)
{
    return dev->driver && !strcmp(dev->driver->name, "nvidia");
}

static const struct device *gpu_of(const struct device *dev)
{
    return dev->pf ? dev->pf : dev;
}

bool sim_nvidia_busy(const struct device *pf)
{
    if (*pf->client)
        return true;
    for (unsigned i = 0; pf->vfs && i < pf->totalvfs; i++)
        if (pf->vfs[i].present && pf->vfs[i].group && pf->vfs[i].group->used)
            return true;
    for (struct mdev *mdev = sim_mdevs; mdev; mdev = mdev->next)
        if (mdev->live && gpu_of(mdev->parent) == pf && mdev->group->used)
            return true;
    return false;
}

/* ---- who has it open ---- */

/* proc/PID of the client, with the GPU's node open in it. The PID is above those that Linux gives. */
static void show_client(struct device *pf)
{
    enum { FIRST_PID = 5000000 };
    char pid[16], target[32];

    sim_remove(pf->opener);
    pf->opener = NULL;
    if (!*pf->client || !pf->proc)
        return;
    snprintf(pid, sizeof pid, "%u", FIRST_PID + pf->minor);
    snprintf(target, sizeof target, "/dev/nvidia%u", pf->minor);
    pf->opener = sim_dir(sim_mkdirs("proc"), pid);
    sim_text(pf->opener, "comm", 0644, "%s\n", pf->client);
    sim_bytes(pf->opener, "cmdline", 0444, pf->client, strlen(pf->client) + 1);
    sim_link_text(sim_dir(pf->opener, "fd"), "5", target);
}

void sim_client(struct device *pf, const char *name)
{
    snprintf(pf->client, sizeof pf->client, "%.31s", name);
    show_client(pf);
}

/* The lowest that no other GPU has. */
static unsigned free_minor(void)
{
    unsigned minor = 0;

    for (const struct device *dev = sim_devices; dev;) {
        const bool taken = dev->proc && dev->minor == minor;

        minor += taken;
        dev = taken ? sim_devices : dev->next;
    }
    return minor;
}

/* ---- what fits ---- */

struct use {
    const struct vgpu_type *type;
    unsigned placement, instance;
};

static unsigned uses(const struct device *pf, struct use ret[64])
{
    unsigned n = 0;

    for (unsigned i = 0; pf->vfs && i < pf->totalvfs && n < 64; i++)
        if (pf->vfs[i].present && pf->vfs[i].type)
            ret[n++] = (struct use){pf->vfs[i].type, pf->vfs[i].placement, pf->vfs[i].instance};
    for (struct mdev *mdev = sim_mdevs; mdev && n < 64; mdev = mdev->next)
        if ((mdev->live || mdev->wedged) && gpu_of(mdev->parent) == pf)
            ret[n++] = (struct use){mdev->type, mdev->placement, mdev->instance};
    return n;
}

void sim_vgpu_use(const struct device *pf, struct vgpu_use *ret)
{
    struct use used[64];

    *ret = (struct vgpu_use){.count = uses(pf, used)};
    for (unsigned i = 0; i < ret->count; i++) {
        ret->gib = used[i].type->gib;
        ret->total_gib += used[i].type->gib;
    }
}

/* The lowest free start for @gib among vGPUs of one GPU or GPU instance; starts are multiples of
 * the size. */
static bool place(const struct use *used, unsigned count, unsigned instance, unsigned room,
                  unsigned gib, unsigned *ret)
{
    for (unsigned start = 0; start + gib <= room; start += gib) {
        bool free = true;

        for (unsigned i = 0; i < count; i++)
            if (used[i].instance == instance && used[i].placement < start + gib &&
                start < used[i].placement + used[i].type->gib)
                free = false;
        if (free) {
            *ret = start;
            return true;
        }
    }
    return false;
}

/* Several vGPUs of one size to a GPU instance of the right number of slices. */
static bool fits_instance(const struct device *pf, const struct vgpu_type *type,
                          const struct use *used, unsigned count, unsigned *ret_placement,
                          unsigned *ret_instance)
{
    for (unsigned g = 0; g < pf->instance_count; g++) {
        unsigned id = pf->instances[g].id,
                 room = pf->model->gib / pf->model->slices * pf->instances[g].slices;
        bool other_size = false;

        if (pf->instances[g].slices != type->slices)
            continue;
        for (unsigned i = 0; i < count; i++)
            other_size |= used[i].instance == id && used[i].type->gib != type->gib;
        if (!other_size && place(used, count, id, room, type->gib, ret_placement)) {
            *ret_instance = id;
            return true;
        }
    }
    return false;
}

/* Whether one more vGPU of @type can be made on @parent now. The rules: the parent is free; one
 * size to a GPU unless it is in mixed-size mode; the type's maximum, 32 without MIG; with MIG only
 * types that need it. */
bool sim_creatable(const struct device *parent, const struct vgpu_type *type,
                   unsigned *ret_placement, unsigned *ret_instance)
{
    const struct device *pf = gpu_of(parent);
    struct use used[64];
    unsigned count = uses(pf, used);

    *ret_instance = 0;
    if (parent->wedged || (parent->pf && (parent->type || parent->mdev_count)))
        return false;
    if (!sim_nvidia_driver(pf)) /* the PF is still starting, or away on pci-pf-stub */
        return false;
    if (pf->instance_count || type->slices)
        return pf->instance_count && type->slices &&
               fits_instance(pf, type, used, count, ret_placement, ret_instance);
    if (count >= 32)
        return false;
    if (!pf->mixed && count && (used[0].type->gib != type->gib || count >= type->max))
        return false;
    return place(used, count, 0, pf->model->gib, type->gib, ret_placement);
}

/* ---- the nvidia/ directory of a VF ---- */

static int creatable_show(struct node *node, FILE *out)
{
    struct device *vf = node->owner;
    unsigned placement, instance;

    fprintf(out, "%-6s: %s\n", "ID", "vGPU Name");
    for (const struct vgpu_type *type = vf->model->types; type && type->id; type++)
        if (sim_creatable(vf, type, &placement, &instance))
            fprintf(out, "%-6u: %s%s\n", type->id, vf->model->prefix, type->name);
    return 0;
}

static int current_show(struct node *node, FILE *out)
{
    struct device *vf = node->owner;

    fprintf(out, "%u\n", vf->type ? vf->type->id : 0);
    return 0;
}

int sim_vgpu_set(struct device *vf, unsigned id)
{
    const struct vgpu_type *type = sim_type(vf->model, id);
    unsigned placement, instance;

    if (!id) {
        /* "Operation not permitted" while a guest has it and while the plugin winds up after it. */
        if (vf->group->used ||
            (vf->type && vf->group->released_ms &&
             sim_now_ms() < vf->group->released_ms + sim_scaled(sim_teardown_ms)))
            return -EPERM;
        vf->type = NULL;
        vf->group->released_ms = 0;
        return 0;
    }
    if (!type || !sim_creatable(vf, type, &placement, &instance))
        return -EIO; /* "NVRM: Failed to add vgpu create request: 0x38" */
    vf->type = type;
    vf->placement = placement;
    vf->instance = instance;
    vf->group->released_ms = 0;
    return 0;
}

/* Like kstrtou32() with base 10. */
static bool parse_u32(const char *text, size_t len, unsigned *ret)
{
    unsigned long value;
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    value = strtoul(text, &end, 10);
    if (*end == '\n')
        end++;
    *ret = (unsigned)value;
    return !errno && end == text + len && value <= UINT32_MAX;
}

static int current_store(struct node *node, const char *text, size_t len)
{
    unsigned id;

    return parse_u32(text, len, &id) ? sim_vgpu_set(node->owner, id) : -EINVAL;
}

static int instance_show(struct node *node, FILE *out)
{
    struct device *vf = node->owner;

    if (!vf->type)
        return -ENXIO;
    fprintf(out, "%u\n", vf->instance);
    return 0;
}

static int placement_show(struct node *node, FILE *out)
{
    struct device *vf = node->owner;

    if (!vf->type)
        return -ENXIO;
    fprintf(out, "%u\n", vf->placement);
    return 0;
}

/* Choosing a GPU instance or a slot by hand is not simulated: nothing in the facts says how it
 * answers. */
static int choice_store(struct node *node, const char *text, size_t len)
{
    (void)node;
    (void)text;
    (void)len;
    return -EINVAL;
}

static int params_show(struct node *node, FILE *out)
{
    fprintf(out, "%s\n", ((struct device *)node->owner)->params);
    return 0;
}

static int params_store(struct node *node, const char *text, size_t len)
{
    struct device *vf = node->owner;

    if (len >= sizeof vf->params)
        return -EINVAL;
    snprintf(vf->params, sizeof vf->params, "%.*s", (int)strcspn(text, "\n"), text);
    return 0;
}

static int warm_show(struct node *node, FILE *out)
{
    (void)node;
    fputs("0\n", out);
    return 0;
}

static const struct attr vf_attrs[] = {
    {"creatable_vgpu_types", 0444, creatable_show, NULL},
    {"current_vgpu_type", 0644, current_show, current_store},
    {"gpu_instance_id", 0644, instance_show, choice_store},
    {"placement_id", 0644, placement_show, choice_store},
    {"vgpu_params", 0644, params_show, params_store},
    {"warm_update", 0644, warm_show, choice_store},
    {0},
};

/* ---- the unbind lock ---- */

static int unbind_lock_show(struct node *node, FILE *out)
{
    fprintf(out, "%d\n", ((struct device *)node->owner)->unbind_lock);
    return 0;
}

/* Always takes the write; that the lock is had is told by reading it back. */
static int unbind_lock_store(struct node *node, const char *text, size_t len)
{
    struct device *pf = node->owner;
    unsigned value;

    if (!parse_u32(text, len, &value) || value > 1)
        return -EINVAL;
    pf->unbind_lock = value && !sim_nvidia_busy(pf);
    return 0;
}

static const struct attr unbind_lock = {"unbindLock", 0644, unbind_lock_show, unbind_lock_store};

void sim_nvidia_bound(struct device *dev)
{
    if (!sim_nvidia_driver(dev) || !dev->model)
        return;
    if (dev->pf) {
        if (dev->mechanism == MECH_NVIDIA_VFIO)
            sim_attrs(sim_dir(dev->dir, "nvidia"), vf_attrs, dev);
        else if (dev->mechanism == MECH_NVIDIA_MDEV)
            sim_mdev_parent(dev);
        return;
    }
    dev->minor = free_minor();
    dev->proc = sim_dir(sim_mkdirs("proc/driver/nvidia/gpus"), dev->name);
    dev->unbind_lock = false;
    sim_text(dev->proc, "information", 0444,
             "Model: \t\t %.*s\nBus Location: \t %s\nDevice Minor: \t %u\n",
             (int)strcspn(dev->model->prefix, "-"), dev->model->prefix, dev->name, dev->minor);
    sim_attr(dev->proc, &unbind_lock, dev);
    show_client(dev);
    if (dev->mechanism == MECH_MDEV_PF)
        sim_mdev_parent(dev);
}

void sim_nvidia_unbound(struct device *dev)
{
    if (!sim_nvidia_driver(dev) || !dev->model)
        return;
    if (dev->mechanism == MECH_NVIDIA_MDEV || dev->mechanism == MECH_MDEV_PF)
        sim_mdev_unparent(dev);
    if (dev->pf) {
        sim_remove_name(dev->dir, "nvidia");
        dev->type = NULL;
        dev->wedged = true; /* "breaks it until VFs are cycled"; section 4 */
        return;
    }
    sim_remove(dev->proc);
    dev->proc = NULL;
    show_client(dev);
    dev->mixed = false;
    dev->instance_count = 0; /* cycling VFs destroys GPU instances; nvidia-mig.md */
    for (unsigned i = 0; dev->vfs && i < dev->totalvfs; i++)
        dev->vfs[i].type = NULL;
}
