/* Where a domain's memory and CPUs are, as its definition says. */
#include "domain_tree.h"

#include "numbers.h"
#include "text.h"

/* Fact: libvirt docs/formatdomain.rst, "NUMA Node Tuning": <memory> for the whole guest, <memnode> for one of its cells;
 * placement='auto' has no nodeset, and numad chooses at the start. */
uint64_t gp_domain_numa_nodes(struct gp_arena *mem, const xmlNode *root)
{
    struct gp_numbers nodes = {0};
    const xmlNode *tune = gp_tree_child(root, "numatune");

    for (const xmlNode *node = tune ? tune->children : NULL; node; node = node->next) {
        const bool binds = node->type == XML_ELEMENT_NODE && (gp_streq((const char *)node->name, "memory") ||
                                                              gp_streq((const char *)node->name, "memnode"));
        const char *set = binds ? gp_tree_attr(mem, node, "nodeset") : NULL;

        if (set && !gp_numbers_add(&nodes, set))
            return 0;
    }
    return nodes.bits[0];
}

/* Fact: libvirt docs/formatdomain.rst, "CPU Tuning": <vcpupin> of a vCPU goes before the cpuset of <vcpu>. */
const struct gp_numbers *gp_domain_cpus(struct gp_arena *mem, const xmlNode *root)
{
    struct gp_numbers *cpus = gp_new(mem, struct gp_numbers);
    const char *set = NULL;
    bool any = false;

    for (xmlNode *pin = gp_tree_child(gp_tree_child(root, "cputune"), "vcpupin"); pin; pin = gp_tree_next(pin, "vcpupin")) {
        set = gp_tree_attr(mem, pin, "cpuset");
        if (!set || !gp_numbers_add(cpus, set))
            return NULL;
        any = true;
    }
    if (any)
        return cpus;
    set = gp_tree_attr(mem, gp_tree_child(root, "vcpu"), "cpuset");
    return set && *set && gp_numbers_add(cpus, set) ? cpus : NULL;
}
