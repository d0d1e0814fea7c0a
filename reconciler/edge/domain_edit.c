/* The one edit. It works on libvirt's own text and touches the <hostdev> of ours, its alias and
 * source, and the mark; all other nodes are printed as they were read. */
#include "domain_tree.h"

#include "cleanup.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

struct work {
    struct gp_arena *mem;
    const struct gp_edit *edit;
    xmlNode *root;
    const char *uuid;
};

static const xmlChar *chars(const char *text)
{
    return (const xmlChar *)text;
}

static xmlNode *find_hostdev(struct work *work, struct gp_device device)
{
    for (xmlNode *node = gp_tree_child(gp_tree_child(work->root, "devices"), "hostdev"); node;
         node = gp_tree_next(node, "hostdev"))
        if (gp_device_eq(gp_tree_hostdev(work->mem, node), device))
            return node;
    return NULL;
}

static xmlNode *find_mark_device(struct work *work, struct gp_device device)
{
    xmlNode *mark = gp_tree_mark(work->root, NULL);

    for (xmlNode *node = mark ? mark->children : NULL; node; node = node->next)
        if (gp_tree_is_ours(node, "device") &&
            gp_device_eq(gp_tree_mark_device(work->mem, node), device))
            return node;
    return NULL;
}

static bool mark_fits(struct work *work)
{
    return gp_tree_mark_fits(work->mem, work->root, work->edit->mark.host, work->uuid);
}

static bool is_ours(struct work *work, xmlNode *hostdev, struct gp_device device)
{
    return gp_alias_is_ours(gp_tree_alias(work->mem, hostdev)) && mark_fits(work) &&
           find_mark_device(work, device);
}

/* ---- the mark ---- */

static xmlNode *new_child(xmlNode *parent, xmlNs *ns, const char *name)
{
    xmlNode *node = xmlNewChild(parent, ns, chars(name), NULL);

    if (!node)
        abort();
    return node;
}

static void set(xmlNode *node, const char *name, const char *value)
{
    if (value && !xmlSetProp(node, chars(name), chars(value)))
        abort();
    if (!value)
        (void)xmlUnsetProp(node, chars(name));
}

static xmlNode *get_metadata(struct work *work)
{
    xmlNode *metadata = gp_tree_child(work->root, "metadata"), *after;

    if (metadata)
        return metadata;
    metadata = xmlNewNode(NULL, chars("metadata"));
    after = gp_tree_child(work->root, "uuid");
    if (!metadata || !xmlAddNextSibling(after, metadata))
        abort();
    return metadata;
}

/* A mark that does not fit came along with a copy of another domain: it says nothing about this one
 * and would make ours one of two, which libvirt does not keep. */
static void remove_strays(struct work *work)
{
    xmlNode *mark;

    while ((mark = gp_tree_mark(work->root, NULL)) && !mark_fits(work))
        gp_tree_remove(mark);
}

static xmlNode *get_mark(struct work *work)
{
    xmlNode *mark, *metadata;
    xmlNs *ns;

    remove_strays(work);
    mark = gp_tree_mark(work->root, NULL);
    if (mark)
        return mark;
    metadata = get_metadata(work);
    mark = new_child(metadata, NULL, "binding");
    ns = xmlNewNs(mark, chars(GP_MARK_URI), chars("gpupart"));
    if (!ns)
        abort();
    xmlSetNs(mark, ns);
    return mark;
}

static void unlist(struct work *work, struct gp_device device)
{
    xmlNode *listed;

    while ((listed = find_mark_device(work, device)))
        gp_tree_remove(listed);
}

/* Makes the mark say that @after is ours; it takes the place of @before, if that is there. */
static void write_mark(struct work *work, struct gp_device before, struct gp_device after)
{
    const struct gp_mark *says = &work->edit->mark;
    xmlNode *mark = get_mark(work), *device = find_mark_device(work, after);

    if (!device)
        device = find_mark_device(work, before);
    if (!device)
        device = new_child(mark, mark->ns, "device");
    set(mark, "host", says->host);
    set(mark, "vm", work->uuid);
    set(mark, "binding", says->binding);
    set(mark, "pool", says->pool);
    set(device, "source", gp_device_text(work->mem, after));
    set(device, "partition", says->partition);
    if (!gp_device_eq(before, after))
        unlist(work, before);
}

static void remove_from_mark(struct work *work, struct gp_device device)
{
    xmlNode *mark = gp_tree_mark(work->root, NULL),
            *metadata = gp_tree_child(work->root, "metadata");

    if (!mark || !mark_fits(work))
        return;
    unlist(work, device);
    for (xmlNode *node = mark->children; node; node = node->next)
        if (gp_tree_is_ours(node, "device"))
            return;
    gp_tree_remove(mark);
    if (gp_tree_is_empty(metadata))
        gp_tree_remove(metadata);
}

/* ---- the hostdev ---- */

static const char *free_alias(struct work *work)
{
    for (unsigned n = 0;; n++) {
        const char *alias = gp_printf(work->mem, GP_ALIAS_PREFIX "%u", n);
        bool taken = false;

        for (xmlNode *node = xmlFirstElementChild(gp_tree_child(work->root, "devices"));
             node && !taken; node = xmlNextElementSibling(node))
            taken = gp_streq(gp_tree_alias(work->mem, node), alias);
        if (!taken)
            return alias;
    }
}

static void write_alias(struct work *work, xmlNode *hostdev)
{
    xmlNode *alias = gp_tree_child(hostdev, "alias");
    const char *name = free_alias(work);

    if (!alias)
        alias = new_child(hostdev, NULL, "alias");
    set(alias, "name", name);
}

static void write_source(struct work *work, xmlNode *hostdev, struct gp_device device)
{
    xmlNode *source = gp_tree_child(hostdev, "source"), *address;

    while ((address = gp_tree_child(source, "address")))
        gp_tree_remove(address);
    address = new_child(source, NULL, "address");
    if (device.kind == GP_DEVICE_MDEV) {
        set(address, "uuid", device.uuid);
        return;
    }
    set(address, "domain", gp_printf(work->mem, "0x%04x", device.pci.domain));
    set(address, "bus", gp_printf(work->mem, "0x%02x", device.pci.bus));
    set(address, "slot", gp_printf(work->mem, "0x%02x", device.pci.device));
    set(address, "function", gp_printf(work->mem, "0x%x", device.pci.function));
}

/* The kind of a hostdev is part of its source: a partition may be an mdev on one GPU and a VF on
 * the next. What only the other kind knows has to go then, the guest's address stays. Fact: libvirt
 * src/conf/domain_conf.c, virDomainHostdevDefParseXMLSubsys(): model, display and ramfb are of
 * mdevs, <driver> of PCI devices. */
static void write_kind(xmlNode *hostdev, struct gp_device device)
{
    bool mdev = device.kind == GP_DEVICE_MDEV;
    xmlNode *driver = gp_tree_child(hostdev, "driver");

    set(hostdev, "type", mdev ? "mdev" : "pci");
    set(hostdev, "model", mdev ? "vfio-pci" : NULL);
    if (mdev && driver)
        gp_tree_remove(driver);
    if (!mdev) {
        set(hostdev, "display", NULL);
        set(hostdev, "ramfb", NULL);
    }
}

static void add_hostdev(struct work *work, struct gp_device device)
{
    xmlNode *devices = gp_tree_child(work->root, "devices"), *hostdev, *last = NULL;

    if (!devices)
        devices = new_child(work->root, NULL, "devices");
    hostdev = xmlNewNode(NULL, chars("hostdev"));
    if (!hostdev)
        abort();
    /* After the hostdevs that are there: so libvirt gives the new one the next guest address. */
    for (xmlNode *node = gp_tree_child(devices, "hostdev"); node;
         node = gp_tree_next(node, "hostdev"))
        last = node;
    if (!(last ? xmlAddNextSibling(last, hostdev) : xmlAddChild(devices, hostdev)))
        abort();
    set(hostdev, "mode", "subsystem");
    set(hostdev, "type", device.kind == GP_DEVICE_MDEV ? "mdev" : "pci");
    set(hostdev, "managed", "no");
    if (device.kind == GP_DEVICE_MDEV)
        set(hostdev, "model", "vfio-pci");
    new_child(hostdev, NULL, "source");
    write_source(work, hostdev, device);
    write_alias(work, hostdev);
}

/* ---- the four edits; each is harmless when it is done already ---- */

static struct gp_error *refuse(struct work *work, struct gp_device device)
{
    return gp_error_new(GP_E_REFUSED,
                        "its hostdev %s is not gpupart's: alias and mark do not say so",
                        gp_device_text(work->mem, device));
}

static struct gp_error *attach(struct work *work)
{
    struct gp_device device = work->edit->after;
    xmlNode *hostdev = find_hostdev(work, device);

    if (hostdev && !is_ours(work, hostdev, device))
        return gp_error_new(GP_E_CHANGED, "it has hostdev %s already, not given by gpupart",
                            gp_device_text(work->mem, device));
    if (!hostdev)
        add_hostdev(work, device);
    write_mark(work, (struct gp_device){0}, device);
    return NULL;
}

static struct gp_error *detach(struct work *work)
{
    struct gp_device device = work->edit->before;
    xmlNode *hostdev = find_hostdev(work, device);

    if (hostdev && !is_ours(work, hostdev, device))
        return refuse(work, device);
    if (hostdev)
        gp_tree_remove(hostdev);
    remove_from_mark(work, device);
    return NULL;
}

static struct gp_error *rebind(struct work *work)
{
    struct gp_device before = work->edit->before, after = work->edit->after;
    xmlNode *old = find_hostdev(work, before), *new = find_hostdev(work, after);

    if (new && !is_ours(work, new, after))
        return gp_error_new(GP_E_CHANGED, "it has hostdev %s already, not given by gpupart",
                            gp_device_text(work->mem, after));
    if (new &&old &&new != old)
        return gp_error_new(GP_E_CHANGED, "it has hostdevs %s and %s both",
                            gp_device_text(work->mem, before), gp_device_text(work->mem, after));
    if (!new && !old)
        return gp_error_new(GP_E_CHANGED, "it has no hostdev %s",
                            gp_device_text(work->mem, before));
    if (!new) {
        if (!is_ours(work, old, before))
            return refuse(work, before);
        if (before.kind != after.kind)
            write_kind(old, after);
        write_source(work, old, after);
    }
    write_mark(work, before, after);
    return NULL;
}

static struct gp_error *adopt(struct work *work)
{
    struct gp_device device = work->edit->before;
    xmlNode *hostdev = find_hostdev(work, device);
    const char *alias;

    if (!hostdev)
        return gp_error_new(GP_E_CHANGED, "it has no hostdev %s",
                            gp_device_text(work->mem, device));
    alias = gp_tree_alias(work->mem, hostdev);
    if (!gp_alias_is_ours(alias) && gp_qemu_names_alias(work->mem, work->root, alias))
        return gp_error_new(GP_E_REFUSED,
                            "its definition names hostdev %s by its alias (<qemu:override>, -set), which a mark would change",
                            gp_device_text(work->mem, device));
    if (!gp_alias_is_ours(alias))
        write_alias(work, hostdev);
    write_mark(work, (struct gp_device){0}, device);
    return NULL;
}

/* QEMU's arguments are the guest owner's. Given twice, a device keeps the guest from starting; given by an argument, it
 * does not leave with a hostdev. */
static struct gp_error *refuse_arguments(struct work *work)
{
    const struct gp_edit *edit = work->edit;
    bool before = gp_qemu_gives(work->mem, work->root, edit->before);

    if (!before && !gp_qemu_gives(work->mem, work->root, edit->after))
        return NULL;
    return gp_error_new(before ? GP_E_REFUSED : GP_E_CHANGED,
                        "its definition gives it %s by an argument of QEMU (<qemu:commandline>), which gpupart does not "
                        "touch",
                        gp_device_text(work->mem, before ? edit->before : edit->after));
}

/* libvirt keeps a definition that names a device twice; which of the two is meant cannot be told. */
static struct gp_error *refuse_twice(struct work *work, struct gp_device device)
{
    size_t count = 0;

    for (xmlNode *node = gp_tree_child(gp_tree_child(work->root, "devices"), "hostdev"); node;
         node = gp_tree_next(node, "hostdev"))
        count += gp_device_eq(gp_tree_hostdev(work->mem, node), device);
    return count < 2 ? NULL
                     : gp_error_new(GP_E_CHANGED, "its definition has hostdev %s %zu times: leave one (virsh edit)",
                                    gp_device_text(work->mem, device), count);
}

static struct gp_error *begin(struct gp_arena *mem, xmlDoc *doc, const struct gp_edit *edit,
                              struct work *ret)
{
    *ret = (struct work){.mem = mem, .edit = edit, .root = xmlDocGetRootElement(doc)};
    ret->uuid = gp_tree_uuid(mem, ret->root);
    if (!ret->uuid)
        return gp_error_new(GP_E_INVALID, "its definition has no UUID");
    if (edit->uuid && !gp_streq(gp_lower(mem, edit->uuid), ret->uuid))
        return gp_error_new(GP_E_BUG, "an edit of %s was given the definition of %s", edit->uuid,
                            ret->uuid);
    if (edit->kind != GP_EDIT_DETACH && !edit->mark.host)
        return gp_error_new(GP_E_BUG, "its mark names no host");
    return NULL;
}

struct gp_error *gp_domain_edit(struct gp_arena *mem, const char *xml, const struct gp_edit *edit,
                                const char **ret)
{
    static struct gp_error *(*const edits[])(struct work *) = {
        [GP_EDIT_ATTACH] = attach,
        [GP_EDIT_DETACH] = detach,
        [GP_EDIT_REBIND] = rebind,
        [GP_EDIT_MARK] = adopt,
    };
    gp_cleanup(gp_xml_doc_free_p) xmlDoc *doc = NULL;
    struct gp_error *err;
    struct work work;

    err = gp_tree_parse(xml, strlen(xml), &doc);
    if (err)
        return err;
    err = begin(mem, doc, edit, &work);
    if (err)
        return err;
    err = refuse_arguments(&work) ?: refuse_twice(&work, edit->before) ?: refuse_twice(&work, edit->after);
    if (!err)
        err = edits[edit->kind](&work);
    if (err)
        return err;
    *ret = gp_tree_text(mem, doc, work.root);
    return NULL;
}

struct gp_error *gp_domain_check(struct gp_arena *mem, const char *xml, const struct gp_edit *edit)
{
    struct gp_device gone = edit->before, there = edit->after;
    gp_cleanup(gp_xml_doc_free_p) xmlDoc *doc = NULL;
    struct gp_error *err;
    struct work work;
    xmlNode *hostdev;

    if (edit->kind == GP_EDIT_MARK) {
        gone = (struct gp_device){0};
        there = edit->before;
    }
    err = gp_tree_parse(xml, strlen(xml), &doc);
    if (err)
        return err;
    err = begin(mem, doc, edit, &work);
    if (err)
        return err;
    if (edit->kind != GP_EDIT_ATTACH && !gp_device_eq(gone, there) &&
        (find_hostdev(&work, gone) || gp_qemu_gives(mem, work.root, gone) ||
         (mark_fits(&work) && find_mark_device(&work, gone))))
        return gp_error_new(GP_E_CHANGED, "%s is still in its definition",
                            gp_device_text(mem, gone));
    if (edit->kind == GP_EDIT_DETACH)
        return NULL;
    hostdev = find_hostdev(&work, there);
    if (!hostdev)
        return gp_error_new(GP_E_CHANGED, "%s is not in its definition",
                            gp_device_text(mem, there));
    if (!is_ours(&work, hostdev, there))
        return gp_error_new(GP_E_CHANGED, "%s is in its definition, but alias or mark are not",
                            gp_device_text(mem, there));
    return NULL;
}
