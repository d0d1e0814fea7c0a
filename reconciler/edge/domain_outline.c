/* A definition cut down to what gp_domain_read() looks at. What is kept is listed, so that whatever
 * else libvirt learns to store (passwords, paths, arguments) stays out of captures. */
#include "domain_tree.h"

#include "cleanup.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

struct keep {
    const char *path;
    const char *attrs; /* " a b " */
    bool text;
};

static const struct keep kept[] = {
    {"/domain", " type id ", false},
    {"/domain/name", "", true},
    {"/domain/uuid", "", true},
    {"/domain/memory", " unit ", true},
    {"/domain/vcpu", " cpuset ", true},
    {"/domain/cputune", "", false},
    {"/domain/cputune/vcpupin", " vcpu cpuset ", false},
    {"/domain/numatune", "", false},
    {"/domain/numatune/memory", " mode nodeset placement ", false},
    {"/domain/numatune/memnode", " cellid mode nodeset ", false},
    {"/domain/on_poweroff", "", true},
    {"/domain/metadata", "", false},
    {"/domain/devices", "", false},
    {"/domain/devices/channel", " type ", false},
    {"/domain/devices/channel/target", " type name state ", false},
    {"/domain/devices/disk", "", false},
    {"/domain/devices/disk/mirror", "", false},
    {"/domain/devices/hostdev", " mode type managed model ", false},
    {"/domain/devices/hostdev/source", "", false},
    {"/domain/devices/hostdev/source/address", " domain bus slot function uuid ", false},
    {"/domain/devices/hostdev/alias", " name ", false},
    {"/domain/devices/hostdev/address", " type domain bus slot function ", false},
};

static void drop_children(xmlNode *node)
{
    while (node->children)
        gp_tree_drop(node->children);
}

static void drop_attrs(struct gp_arena *mem, xmlNode *node, const char *but)
{
    for (xmlAttr *attr = node->properties, *next; attr; attr = next) {
        next = attr->next;
        if (attr->ns || !strstr(but, gp_printf(mem, " %s ", (const char *)attr->name)))
            (void)xmlRemoveProp(attr);
    }
}

static const struct keep *find_kept(const char *path)
{
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (gp_streq(kept[i].path, path))
            return &kept[i];
    return NULL;
}

/* The id of the guest's system. */
static void prune_osinfo(struct gp_arena *mem, xmlNode *osinfo)
{
    drop_attrs(mem, osinfo, "");
    for (xmlNode *node = osinfo->children, *next; node; node = next) {
        next = node->next;
        if (!gp_tree_is_osinfo(node, "os")) {
            gp_tree_drop(node);
            continue;
        }
        drop_attrs(mem, node, " id ");
        drop_children(node);
    }
}

/* Other programs' metadata: that it is there, but not what it says. */
static void prune_metadata(struct gp_arena *mem, xmlNode *metadata)
{
    for (xmlNode *node = metadata->children, *next; node; node = next) {
        next = node->next;
        if (node->type != XML_ELEMENT_NODE) {
            gp_tree_drop(node);
        } else if (gp_tree_is_osinfo(node, "libosinfo")) {
            prune_osinfo(mem, node);
        } else if (!gp_tree_is_ours(node, "binding")) {
            drop_attrs(mem, node, "");
            drop_children(node);
        }
    }
}

/* As it is read, in one piece. */
static void keep_text(struct gp_arena *mem, xmlNode *node)
{
    xmlNode *text = xmlNewText((const xmlChar *)gp_tree_content(mem, node));

    drop_children(node);
    if (!text || !xmlAddChild(node, text))
        abort();
}

static void prune(struct gp_arena *mem, xmlNode *parent, const char *path)
{
    const struct keep *keep = find_kept(path);

    drop_attrs(mem, parent, keep->attrs);
    if (keep->text) {
        keep_text(mem, parent);
        return;
    }
    if (gp_streq(path, "/domain/metadata")) {
        prune_metadata(mem, parent);
        return;
    }
    for (xmlNode *node = parent->children, *next; node; node = next) {
        const char *below =
            gp_printf(mem, "%s/%s", path, node->name ? (const char *)node->name : "");
        bool element = node->type == XML_ELEMENT_NODE && !node->ns;

        next = node->next;
        if (element && find_kept(below))
            prune(mem, node, below);
        else if (!(node->type == XML_TEXT_NODE && xmlIsBlankNode(node)))
            gp_tree_remove(node);
    }
}

static xmlNode *add_qemu(xmlNode *parent, const char *name, const char *attr, const char *value)
{
    xmlNode *node = xmlNewChild(parent, NULL, (const xmlChar *)name, NULL);
    xmlNs *ns = !node                                ? NULL
                : gp_streq((const char *)parent->name, "domain") ? xmlNewNs(node, (const xmlChar *)GP_QEMU_URI, (const xmlChar *)"qemu")
                                                     : parent->ns;

    if (!ns || (attr && !xmlSetProp(node, (const xmlChar *)attr, (const xmlChar *)value)))
        abort();
    xmlSetNs(node, ns);
    return node;
}

/* The devices that arguments give, which come last in @facts, from @first on; and the hostdevs that something names. */
static void add_said_to_qemu(struct gp_arena *mem, xmlNode *root, const struct gp_domain_facts *facts, size_t first)
{
    xmlNode *line = first < facts->dev_count ? add_qemu(root, "commandline", NULL, NULL) : NULL, *override = NULL;

    for (size_t i = first; i < facts->dev_count; i++)
        (void)add_qemu(line, "arg", "value", gp_printf(mem, "vfio-pci,sysfsdev=/%s", gp_device_text(mem, facts->devs[i].device)));
    for (size_t i = 0; i < first; i++) {
        const struct gp_hostdev *dev = &facts->devs[i];

        if (!dev->alias_named)
            continue;
        override = override ? override : add_qemu(root, "override", NULL, NULL);
        (void)add_qemu(override, "device", "alias", gp_alias_of_user(dev->alias) ? dev->alias : "hostdev0");
    }
}

static void set_attr(xmlNode *node, const char *name, const char *value)
{
    if (!xmlSetProp(node, (const xmlChar *)name, (const xmlChar *)value))
        abort();
}

static void redact_alias(struct gp_arena *mem, xmlNode *root, xmlNode *node, const char *attr)
{
    const char *alias = gp_tree_attr(mem, node, attr);

    if (!gp_alias_is_ours(alias))
        set_attr(node, attr,
                 !gp_qemu_names_alias(mem, root, alias) ? "ua-other"
                 : gp_alias_of_user(alias)              ? "ua-named"
                                                        : "hostdev0");
}

/* A VM may be called "pci" or "domain": names are replaced where they are names. What is known by its form is replaced in
 * the text of the whole. */
static void redact_names(struct gp_arena *mem, xmlNode *root, struct gp_redact *redact)
{
    xmlNode *name = gp_tree_child(root, "name"), *mark = gp_tree_mark(root, NULL),
            *devices = gp_tree_child(root, "devices");

    if (name) {
        const char *standin = gp_redact_vm(redact, gp_tree_content(mem, name));

        xmlNodeSetContent(name, (const xmlChar *)standin);
    }
    if (mark)
        set_attr(mark, "binding", gp_redact_known(redact, gp_tree_attr(mem, mark, "binding")));
    /* What somebody calls a device or a channel is their own; only ours and the agent's are read. */
    for (xmlNode *dev = gp_tree_child(devices, "hostdev"); dev; dev = gp_tree_next(dev, "hostdev")) {
        xmlNode *alias = gp_tree_child(dev, "alias");

        if (alias)
            redact_alias(mem, root, alias, "name");
    }
    for (xmlNode *override = root->children; override; override = override->next)
        for (xmlNode *dev = gp_streq((const char *)override->name, "override") ? override->children : NULL; dev; dev = dev->next)
            redact_alias(mem, root, dev, "alias");
    for (xmlNode *dev = gp_tree_child(devices, "channel"); dev; dev = gp_tree_next(dev, "channel")) {
        xmlNode *target = gp_tree_child(dev, "target");
        const char *called = target ? gp_tree_attr(mem, target, "name") : NULL;

        if (called && !gp_starts_with(called, "org.qemu."))
            set_attr(target, "name", "other");
    }
}

struct gp_error *gp_domain_outline(struct gp_arena *mem, const char *xml, struct gp_redact *redact, const char **ret)
{
    gp_cleanup(gp_xml_doc_free_p) xmlDoc *doc = NULL;
    struct gp_domain_facts facts;
    struct gp_error *err;
    size_t hostdevs = 0;
    xmlNode *root;

    err = gp_domain_read(mem, xml, strlen(xml), NULL, &facts);
    if (err)
        return err;
    err = gp_tree_parse(xml, strlen(xml), &doc);
    if (err)
        return err;
    root = xmlDocGetRootElement(doc);
    prune(mem, root, "/domain");
    for (xmlNode *node = gp_tree_child(gp_tree_child(root, "devices"), "hostdev"); node;
         node = gp_tree_next(node, "hostdev"))
        hostdevs += gp_tree_hostdev(mem, node).kind != GP_DEVICE_NONE;
    add_said_to_qemu(mem, root, &facts, hostdevs);
    if (redact)
        redact_names(mem, root, redact);
    *ret = gp_printf(mem, "%s\n", gp_tree_text(mem, doc, root));
    if (redact)
        *ret = gp_redact_text(redact, *ret);
    return NULL;
}
