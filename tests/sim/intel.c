/* xe's sriov_admin directory, and what xe and i915 do with their VFs when they go.
 * facts/intel-sriov.md sections 2 and 3. The quotas are kept and shown; nothing is shared out by
 * them. */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool sim_xe_admin = true;

enum { QUANTUM, TIMEOUT, PRIORITY };
static const char *const words[] = {"low", "normal", "high"};
static const unsigned long long VRAM_ALIGN = 2ull << 20;

static bool on_xe(const struct device *dev)
{
    return dev->driver && !strcmp(dev->driver->name, "xe") && !dev->pf && dev->totalvfs &&
           sim_xe_admin;
}

static int parse(const char *text, unsigned long long *ret)
{
    char *end;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    *ret = strtoull(text, &end, 10);
    return *end && *end != '\n' ? -EINVAL : 0;
}

static int priority(const char *text, unsigned count, unsigned *ret)
{
    for (unsigned i = 0; i < count; i++)
        if (!strncmp(text, words[i], strlen(words[i])) && strchr("\n", text[strlen(words[i])])) {
            *ret = i;
            return 0;
        }
    return -EINVAL;
}

/* ---- one function's profile ---- */

static int quantum_show(struct node *node, FILE *out)
{
    fprintf(out, "%u\n", ((struct device *)node->owner)->profile[QUANTUM]);
    return 0;
}

static int timeout_show(struct node *node, FILE *out)
{
    fprintf(out, "%u\n", ((struct device *)node->owner)->profile[TIMEOUT]);
    return 0;
}

static int priority_show(struct node *node, FILE *out)
{
    struct device *dev = node->owner;

    for (unsigned i = 0; i < (dev->pf ? 2 : 3); i++)
        fprintf(out, i == dev->profile[PRIORITY] ? "%s[%s]" : "%s%s", i ? " " : "", words[i]);
    fputs("\n", out);
    return 0;
}

static int vram_show(struct node *node, FILE *out)
{
    fprintf(out, "%llu\n", ((struct device *)node->owner)->vram_quota);
    return 0;
}

static int number_store(struct device *dev, unsigned which, const char *text)
{
    unsigned long long value;
    int err = parse(text, &value);

    if (!err)
        dev->profile[which] = (unsigned)value;
    return err;
}

static int quantum_store(struct node *node, const char *text, size_t len)
{
    (void)len;
    return number_store(node->owner, QUANTUM, text);
}

static int timeout_store(struct node *node, const char *text, size_t len)
{
    (void)len;
    return number_store(node->owner, TIMEOUT, text);
}

static int priority_store(struct node *node, const char *text, size_t len)
{
    (void)len;
    return priority(text, 3, &((struct device *)node->owner)->profile[PRIORITY]);
}

static int vram_store(struct node *node, const char *text, size_t len)
{
    unsigned long long value;
    int err = parse(text, &value);

    (void)len;
    if (!err)
        ((struct device *)node->owner)->vram_quota =
            (value + VRAM_ALIGN - 1) / VRAM_ALIGN * VRAM_ALIGN;
    return err;
}

static int stop_store(struct node *node, const char *text, size_t len)
{
    (void)node;
    (void)len;
    return *text && strchr("1yYtT0nNfF", *text) ? 0 : strncmp(text, "on", 2) ? -EINVAL : 0;
}

static const struct attr pf_attrs[] = {
    {"exec_quantum_ms", 0644, quantum_show, quantum_store},
    {"preempt_timeout_us", 0644, timeout_show, timeout_store},
    {"sched_priority", 0644, priority_show, priority_store},
    {0},
};
static const struct attr vf_attrs[] = {
    {"exec_quantum_ms", 0644, quantum_show, quantum_store},
    {"preempt_timeout_us", 0644, timeout_show, timeout_store},
    {"sched_priority", 0444, priority_show, NULL}, /* set for all VFs at once */
    {"vram_quota", 0644, vram_show, vram_store},
    {0},
};
static const struct attr stop_attr = {"stop", 0200, NULL, stop_store};

/* ---- all VFs at once ---- */

static int bulk(struct node *node, const char *text, size_t len,
                int (*store)(struct node *node, const char *text, size_t len))
{
    struct device *pf = node->owner;
    int err = 0;

    for (unsigned i = 0; i < pf->totalvfs && !err; i++)
        err = store(&(struct node){.owner = &pf->vfs[i]}, text, len);
    return err;
}

static int bulk_quantum(struct node *node, const char *text, size_t len)
{
    return bulk(node, text, len, quantum_store);
}

static int bulk_timeout(struct node *node, const char *text, size_t len)
{
    return bulk(node, text, len, timeout_store);
}

static int bulk_vram(struct node *node, const char *text, size_t len)
{
    return bulk(node, text, len, vram_store);
}

/* "low or normal; high gives EINVAL" */
static int bulk_priority(struct node *node, const char *text, size_t len)
{
    unsigned value;

    return priority(text, 2, &value) ? -EINVAL : bulk(node, text, len, priority_store);
}

static const struct attr bulk_attrs[] = {
    {"exec_quantum_ms", 0200, NULL, bulk_quantum},
    {"preempt_timeout_us", 0200, NULL, bulk_timeout},
    {"sched_priority", 0200, NULL, bulk_priority},
    {"vram_quota", 0200, NULL, bulk_vram},
    {0},
};

void sim_intel_bound(struct device *dev)
{
    struct node *admin, *dir;
    char name[16];

    if (!on_xe(dev))
        return;
    admin = sim_dir(dev->dir, "sriov_admin");
    sim_attrs(sim_dir(admin, ".bulk_profile"), bulk_attrs, dev);
    dir = sim_dir(admin, "pf");
    sim_link(dir, "device", dev->dir);
    sim_attrs(sim_dir(dir, "profile"), pf_attrs, dev);
    for (unsigned i = 0; i < dev->totalvfs; i++) {
        snprintf(name, sizeof name, "vf%u", i + 1);
        dir = sim_dir(admin, name);
        sim_attr(dir, &stop_attr, &dev->vfs[i]);
        sim_attrs(sim_dir(dir, "profile"), vf_attrs, &dev->vfs[i]);
    }
}

/* Unlike NVIDIA's, these drivers do not leave VFs behind. Inferred: the facts only tell of the
 * warning that the PCI core gives to drivers that do. */
void sim_intel_unbound(struct device *dev)
{
    if (dev->pf || !dev->driver ||
        (strcmp(dev->driver->name, "xe") && strcmp(dev->driver->name, "i915")))
        return;
    if (dev->numvfs)
        sim_sriov_disable(dev);
    sim_remove_name(dev->dir, "sriov_admin");
}

void sim_intel_vf(struct device *vf, bool present)
{
    struct node *admin = sim_child(vf->pf->dir, "sriov_admin"), *dir;
    char name[16];

    snprintf(name, sizeof name, "vf%u", vf->index + 1);
    dir = admin ? sim_child(admin, name) : NULL;
    if (dir && present)
        sim_link(dir, "device", vf->dir);
    else if (dir)
        sim_remove_name(dir, "device");
}
