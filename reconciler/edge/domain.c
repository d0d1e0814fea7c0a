#include "domain_tree.h"

#include "cleanup.h"
#include "text.h"

#include <errno.h>
#include <string.h>

/* Programs that keep whole domains as their own and would fight over an edit or a stop.
 * Fact: the namespaces that each writes into <metadata>: nova/virt/libvirt/config.py,
 * kubevirt pkg/virt-launcher/virtwrap/api/schema.go, vdsm lib/vdsm/virt/xmlconstants.py,
 * one src/vmm/LibVirtDriverKVM.cc. Compared as prefixes: the versions in them change. */
static const struct {
    const char *uri, *name;
} managers[] = {
    {"http://openstack.org/xmlns/libvirt/nova/", "OpenStack Nova"},
    {"http://kubevirt.io", "KubeVirt"},
    {"http://ovirt.org/vm/", "oVirt"},
    {"http://opennebula.org/xmlns/libvirt/", "OpenNebula"},
};

static const char *find_manager(struct gp_arena *mem, const xmlNode *root)
{
    const xmlNode *metadata = gp_tree_child(root, "metadata");

    for (const xmlNode *node = metadata ? metadata->children : NULL; node; node = node->next) {
        const char *uri =
            node->type == XML_ELEMENT_NODE && node->ns ? (const char *)node->ns->href : NULL;

        for (size_t i = 0; uri && i < sizeof managers / sizeof *managers; i++)
            if (gp_starts_with(uri, managers[i].uri))
                return gp_printf(mem, "%s (%s)", managers[i].name, uri);
    }
    return NULL;
}

/* Fact: libosinfo and virt-install write <libosinfo:libosinfo><libosinfo:os id="http://microsoft.com/win/10"/>. An id
 * that no person could read is none. */
static const char *read_guest_os(struct gp_arena *mem, const xmlNode *root)
{
    enum { ID_MAX = 200 };
    const xmlNode *os = gp_tree_osinfo(root);
    const char *id = os ? gp_tree_attr(mem, os, "id") : NULL;

    for (const char *c = id; c && *c; c++)
        if (*c <= ' ' || *c > '~' || c - id >= ID_MAX)
            return NULL;
    return id;
}

/* libvirt prints KiB; files written by hand may say otherwise. Fact: libvirt docs/formatdomain.rst,
 * "Memory Allocation"; KiB where no unit is given. */
static uint64_t read_memory(struct gp_arena *mem, const xmlNode *root)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {
        {"KiB", 1024},       {"k", 1024},           {"b", 1},           {"bytes", 1},
        {"KB", 1000},        {"M", 1u << 20},       {"MiB", 1u << 20},  {"MB", 1000000},
        {"G", 1u << 30},     {"GiB", 1u << 30},     {"GB", 1000000000}, {"T", 1ull << 40},
        {"TiB", 1ull << 40}, {"TB", 1000000000000},
    };
    const xmlNode *memory = gp_tree_child(root, "memory");
    const char *text = gp_tree_content(mem, memory), *unit = gp_tree_attr(mem, memory, "unit");
    uint64_t value = text ? strtoull(text, NULL, 10) : 0;

    for (size_t i = 0; unit && i < sizeof units / sizeof *units; i++)
        if (gp_streq(unit, units[i].name))
            return __builtin_mul_overflow(value, units[i].bytes, &value) ? UINT64_MAX / 1024
                                                                         : value / 1024;
    return value;
}

static void read_agent(struct gp_arena *mem, const xmlNode *devices, struct gp_domain_facts *facts)
{
    for (xmlNode *channel = gp_tree_child(devices, "channel"); channel;
         channel = gp_tree_next(channel, "channel")) {
        const xmlNode *target = gp_tree_child(channel, "target");

        if (!gp_streq(gp_tree_attr(mem, target, "name"), "org.qemu.guest_agent.0"))
            continue;
        facts->agent_channel = true;
        facts->agent_connected = gp_streq(gp_tree_attr(mem, target, "state"), "connected");
    }
}

static bool has_block_job(const xmlNode *devices)
{
    for (xmlNode *disk = gp_tree_child(devices, "disk"); disk; disk = gp_tree_next(disk, "disk"))
        if (gp_tree_child(disk, "mirror"))
            return true;
    return false;
}

static struct gp_mark *read_mark(struct gp_arena *mem, const xmlNode *root)
{
    const xmlNode *element = gp_tree_mark(root, NULL), *device;
    struct gp_mark *mark;

    if (!element)
        return NULL;
    device = element->children;
    while (device && !gp_tree_is_ours(device, "device"))
        device = device->next;
    mark = gp_new(mem, struct gp_mark);
    mark->host = gp_tree_attr(mem, element, "host");
    mark->vm = gp_lower(mem, gp_tree_attr(mem, element, "vm"));
    mark->binding = gp_tree_attr(mem, element, "binding");
    mark->pool = gp_tree_attr(mem, element, "pool");
    mark->partition = gp_tree_attr(mem, device, "partition");
    mark->device = gp_tree_mark_device(mem, device);
    return mark;
}

static bool mark_names(struct gp_arena *mem, const xmlNode *root, struct gp_device device)
{
    const xmlNode *mark = gp_tree_mark(root, NULL);

    for (const xmlNode *node = mark ? mark->children : NULL; node; node = node->next)
        if (gp_tree_is_ours(node, "device") && gp_device_eq(gp_tree_mark_device(mem, node), device))
            return true;
    return false;
}

static void read_hostdevs(struct gp_arena *mem, const xmlNode *root, struct gp_domain_facts *facts)
{
    for (xmlNode *node = gp_tree_child(gp_tree_child(root, "devices"), "hostdev"); node;
         node = gp_tree_next(node, "hostdev")) {
        struct gp_device device = gp_tree_hostdev(mem, node);
        struct gp_hostdev *dev;

        if (device.kind == GP_DEVICE_NONE)
            continue;
        dev = gp_push(mem, facts->devs, facts->dev_count);
        dev->device = device;
        dev->alias = gp_tree_alias(mem, node);
        dev->alias_named = gp_qemu_names_alias(mem, root, dev->alias);
        dev->managed = gp_streq(gp_tree_attr(mem, node, "managed"), "yes");
        if (gp_alias_is_ours(dev->alias)) {
            dev->ours = facts->mark_fits && mark_names(mem, root, device);
            dev->stray_mark = !dev->ours;
        }
    }
}

struct gp_error *gp_domain_read(struct gp_arena *mem, const char *xml, size_t size,
                                const char *machine_id, struct gp_domain_facts *ret)
{
    gp_cleanup(gp_xml_doc_free_p) xmlDoc *doc = NULL;
    struct gp_domain_facts facts = {0};
    const xmlNode *root, *devices;
    struct gp_error *err;

    err = gp_tree_parse_to_read(xml, size, &doc);
    if (err)
        return err;
    root = xmlDocGetRootElement(doc);
    devices = gp_tree_child(root, "devices");
    facts.name = gp_tree_content(mem, gp_tree_child(root, "name"));
    facts.uuid = gp_tree_uuid(mem, root);
    if (!facts.name || !*facts.name || !facts.uuid || !*facts.uuid)
        return gp_error_new(GP_E_INVALID, "no domain definition: it lacks a name or a UUID");
    facts.running = gp_tree_attr(mem, root, "id") != NULL;
    facts.memory_kib = read_memory(mem, root);
    facts.on_poweroff = gp_tree_content(mem, gp_tree_child(root, "on_poweroff")) ?: "destroy";
    facts.on_poweroff_destroy = gp_streq(facts.on_poweroff, "destroy");
    facts.guest_os = read_guest_os(mem, root);
    facts.other_manager = find_manager(mem, root);
    facts.block_job = has_block_job(devices);
    facts.numa_nodes = gp_domain_numa_nodes(mem, root);
    facts.cpus = gp_domain_cpus(mem, root);
    read_agent(mem, devices, &facts);
    facts.mark = read_mark(mem, root);
    facts.mark_fits = machine_id && gp_tree_mark_fits(mem, root, machine_id, facts.uuid);
    read_hostdevs(mem, root, &facts);
    gp_qemu_read_devices(mem, root, &facts);
    *ret = facts;
    return NULL;
}
