/* SR-IOV of the PCI core: facts/sriov-core.md section 1, whose eight steps sriov_numvfs_store()
 * follows. */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool sim_i915_sriov;

/* Like the kernel's kstrtou16() with base 0. */
static bool parse_u16(const char *text, size_t len, unsigned *ret)
{
    const char *digits = text + (*text == '+');
    unsigned long value;
    char *end;

    if (*digits < '0' || *digits > '9')
        return false;
    errno = 0;
    value = strtoul(digits, &end, 0);
    if (*end == '\n')
        end++;
    if (errno || end != text + len || value > 0xffff)
        return false;
    *ret = (unsigned)value;
    return true;
}

int sim_sriov_callback(const struct device *pf)
{
    static const char *const with[] = {"pci-pf-stub", "xe",        "sriovgpu", "igb",
                                       "ice",         "mlx5_core", NULL};

    if (!pf->driver)
        return -ENOENT;
    if (!strcmp(pf->driver->name, "i915") && sim_i915_sriov)
        return 0;
    for (const char *const *name = with; *name; name++)
        if (!strcmp(*name, pf->driver->name))
            return 0;
    return -ENOENT;
}

static void vf_add(struct device *pf, unsigned index)
{
    struct device *vf = &pf->vfs[index];
    char link[24];

    if (vf->present)
        return; /* a lost one that something still holds on to */
    memset(vf->params, 0, sizeof vf->params);
    vf->wedged = vf->gone = false;
    vf->type = NULL;
    sim_device_add(vf);
    sim_link(vf->dir, "physfn", pf->dir);
    snprintf(link, sizeof link, "virtfn%u", index);
    sim_link(pf->dir, link, vf->dir);
    sim_intel_vf(vf, true);
    sim_device_lock(vf);
    if (vf->present && pf->autoprobe)
        sim_device_probe(vf);
    sim_device_unlock(vf);
}

static void vf_del(struct device *pf, unsigned index)
{
    struct device *vf = &pf->vfs[index];
    char link[24];

    if (!vf->present)
        return;
    sim_device_lock(vf);
    if (vf->present) {
        sim_intel_vf(vf, false);
        snprintf(link, sizeof link, "virtfn%u", index);
        sim_unbind(vf); /* may wait for a guest: the link goes with the device */
        sim_remove_name(pf->dir, link);
        sim_device_del(vf);
    }
    sim_device_unlock(vf);
}

int sim_sriov_enable(struct device *pf, unsigned count)
{
    unsigned made = count < pf->makes ? count : pf->makes;

    sim_delay(100);
    for (unsigned i = 0; i < made && pf->present; i++)
        vf_add(pf, i);
    pf->numvfs = made;
    return 0;
}

int sim_sriov_disable(struct device *pf)
{
    for (unsigned i = 0; i < pf->totalvfs; i++)
        vf_del(pf, i);
    sim_delay(1000);
    pf->numvfs = 0;
    return 0;
}

void sim_sriov_lose(struct device *pf)
{
    for (unsigned i = 0; i < pf->totalvfs; i++)
        pf->vfs[i].gone = true; /* so that nothing is waited for */
    sim_changed();
    for (unsigned i = 0; i < pf->totalvfs; i++) {
        sim_mdevs_lose(&pf->vfs[i]);
        vf_del(pf, i);
    }
    pf->numvfs = 0;
    pf->mixed = false;
    sim_changed();
}

static bool assigned(const struct device *pf)
{
    for (unsigned i = 0; i < pf->totalvfs; i++)
        if (pf->vfs[i].present && pf->vfs[i].group && pf->vfs[i].group->used)
            return true;
    return false;
}

static int numvfs_change(struct device *pf, unsigned count)
{
    int err;

    if (count == pf->numvfs) /* 3 */
        return 0;
    err = sim_sriov_callback(pf); /* 4 and 5 */
    if (err)
        return err;
    if (!count) { /* 6 */
        /* The out-of-tree i915 asks first, the others do not. */
        if (!strcmp(pf->driver->name, "i915") && assigned(pf))
            return -EPERM;
        return sim_sriov_disable(pf);
    }
    if (pf->numvfs) /* 7 */
        return -EBUSY;
    return sim_sriov_enable(pf, count); /* 8 */
}

static int numvfs_store(struct node *node, const char *text, size_t len)
{
    struct device *pf = node->owner;
    unsigned count;
    int err;

    if (!parse_u16(text, len, &count)) /* 1 */
        return -EINVAL;
    if (count > pf->totalvfs) /* 2 */
        return -ERANGE;
    sim_device_lock(pf);
    err = pf->present ? numvfs_change(pf, count) : -ENODEV;
    sim_device_unlock(pf);
    return err;
}

/* Takes the device's lock, so a reader waits for whoever is enabling. */
static int numvfs_show(struct node *node, FILE *out)
{
    struct device *pf = node->owner;

    sim_device_lock(pf);
    fprintf(out, "%u\n", pf->numvfs);
    sim_device_unlock(pf);
    return 0;
}

static int totalvfs_show(struct node *node, FILE *out)
{
    fprintf(out, "%u\n", ((struct device *)node->owner)->totalvfs);
    return 0;
}

static int autoprobe_show(struct node *node, FILE *out)
{
    fprintf(out, "%d\n", ((struct device *)node->owner)->autoprobe);
    return 0;
}

static int autoprobe_store(struct node *node, const char *text, size_t len)
{
    (void)len;
    if (!strchr("01yYnN", *text) || !*text)
        return -EINVAL;
    ((struct device *)node->owner)->autoprobe = strchr("1yY", *text);
    return 0;
}

static const struct attr attrs[] = {
    {"sriov_totalvfs", 0444, totalvfs_show, NULL},
    {"sriov_numvfs", 0644, numvfs_show, numvfs_store},
    {"sriov_drivers_autoprobe", 0644, autoprobe_show, autoprobe_store},
    {0},
};

/* Present only where the device has the capability. */
void sim_sriov_attrs(struct device *pf)
{
    const struct model *model = pf->model;

    if (pf->pf || !(model ? model->totalvfs : pf->totalvfs))
        return;
    pf->autoprobe = true;
    sim_attrs(pf->dir, attrs, pf);
    sim_text(pf->dir, "sriov_offset", 0444, "%u\n", model ? model->offset : 1);
    sim_text(pf->dir, "sriov_stride", 0444, "%u\n", model ? model->stride : 1);
    sim_text(pf->dir, "sriov_vf_device", 0444, "%x\n", model ? sim_vf_device(model) : pf->device);
    sim_text(pf->dir, "sriov_vf_total_msix", 0444, "0\n");
    if (pf->vfs || !pf->totalvfs)
        return;
    pf->vfs = calloc(pf->totalvfs, sizeof *pf->vfs);
    if (!pf->vfs)
        abort();
    for (unsigned i = 0; i < pf->totalvfs; i++) {
        struct device *vf = &pf->vfs[i];

        *vf = (struct device){.pf = pf,
                              .index = i,
                              .domain = pf->domain,
                              .vendor = pf->vendor,
                              .device = model ? sim_vf_device(model) : pf->device,
                              .subvendor = pf->subvendor,
                              .class = pf->class,
                              .model = model,
                              .mechanism = pf->mechanism,
                              .numa = pf->numa,
                              .group_given = pf->group_given == -1 ? -1 : -2,
                              .next = sim_devices};
        /* Routing ids go past eight functions and past the bus (ARI). */
        vf->rid =
            (pf->rid + (model ? model->offset : 1) + i * (model ? model->stride : 1)) & 0xffff;
        sim_device_name(vf);
        if (model && model->vf_driver && pf->mechanism != MECH_NONE)
            snprintf(vf->native, sizeof vf->native, "%s", model->vf_driver);
        sim_devices = vf;
    }
}
