#include "domain_tree.h"

#include "cleanup.h"
#include "text.h"

#include <libxml/c14n.h>
#include <stdlib.h>
#include <string.h>

/* Blank text between elements is layout; blank text alone in an element is its content. */
static void drop_blanks(xmlNode *parent)
{
    bool elements = xmlFirstElementChild(parent) != NULL;

    for (xmlNode *node = parent->children, *next; node; node = next) {
        next = node->next;
        if (node->type == XML_ELEMENT_NODE) {
            drop_blanks(node);
        } else if (elements && xmlIsBlankNode(node)) {
            gp_tree_drop(node);
        }
    }
}

/* Comments before and after the element, which libvirt does not keep. */
static void drop_outside(const xmlNode *root)
{
    while (root->prev)
        gp_tree_drop(root->prev);
    while (root->next)
        gp_tree_drop(root->next);
}

static void drop_if_empty(xmlNode *node)
{
    if (node && gp_tree_is_empty(node))
        gp_tree_remove(node);
}

static void drop_ours(struct gp_arena *mem, xmlNode *root)
{
    xmlNode *devices = gp_tree_child(root, "devices"), *mark;

    for (xmlNode *node = gp_tree_child(devices, "hostdev"), *next; node; node = next) {
        next = gp_tree_next(node, "hostdev");
        if (gp_alias_is_ours(gp_tree_alias(mem, node)))
            gp_tree_remove(node);
    }
    while ((mark = gp_tree_mark(root, NULL)))
        gp_tree_remove(mark);
    drop_if_empty(gp_tree_child(root, "metadata"));
}

/* Whether any device's guest address is on PCI bus @bus. */
static bool bus_is_used(struct gp_arena *mem, const xmlNode *devices, unsigned long bus)
{
    for (xmlNode *node = xmlFirstElementChild((xmlNode *)devices); node;
         node = xmlNextElementSibling(node)) {
        const xmlNode *address = gp_tree_child(node, "address");
        const char *text = gp_tree_attr(mem, address, "bus");

        if (gp_streq(gp_tree_attr(mem, address, "type"), "pci") && text &&
            strtoul(text, NULL, 0) == bus)
            return true;
    }
    return false;
}

static void drop_empty_ports(struct gp_arena *mem, xmlNode *root)
{
    xmlNode *devices = gp_tree_child(root, "devices");

    for (xmlNode *node = gp_tree_child(devices, "controller"), *next; node; node = next) {
        const char *model = gp_tree_attr(mem, node, "model"),
                   *index = gp_tree_attr(mem, node, "index");

        next = gp_tree_next(node, "controller");
        if (gp_streq(model, "pcie-root-port") && index &&
            !bus_is_used(mem, devices, strtoul(index, NULL, 10)))
            gp_tree_remove(node);
    }
}

static int compare_controllers(struct gp_arena *mem, const xmlNode *a, const xmlNode *b)
{
    int order = gp_strcmp(gp_tree_attr(mem, a, "type"), gp_tree_attr(mem, b, "type"));

    return order ? order
                 : gp_strvercmp(gp_tree_attr(mem, a, "index") ?: "",
                                gp_tree_attr(mem, b, "index") ?: "");
}

/* libvirt puts controllers in an order of its own each time that it reads them, and finds them by
 * type and index (src/conf/domain_conf.c, virDomainControllerInsert()). They come last here, sorted
 * by those. */
static void sort_controllers(struct gp_arena *mem, xmlNode *root)
{
    xmlNode *devices = gp_tree_child(root, "devices"), *sorted = NULL, *node;

    while ((node = gp_tree_child(devices, "controller"))) {
        xmlNode **at = &sorted;

        xmlUnlinkNode(node);
        while (*at && compare_controllers(mem, *at, node) <= 0)
            at = &(*at)->next;
        node->next = *at;
        *at = node;
    }
    while ((node = sorted)) {
        sorted = node->next;
        node->next = NULL;
        if (!xmlAddChild(devices, node))
            abort();
    }
}

struct gp_error *gp_domain_canonical(struct gp_arena *mem, const char *xml, const char **ret)
{
    gp_cleanup(gp_xml_chars_free_p) xmlChar *text = NULL;
    gp_cleanup(gp_xml_doc_free_p) xmlDoc *doc = NULL;
    struct gp_error *err;
    xmlNode *root;
    int size;

    err = gp_tree_parse(xml, strlen(xml), &doc);
    if (err)
        return err;
    root = xmlDocGetRootElement(doc);
    drop_outside(root);
    drop_ours(mem, root);
    drop_empty_ports(mem, root);
    sort_controllers(mem, root);
    drop_if_empty(gp_tree_child(root, "devices"));
    drop_blanks(root);
    size = xmlC14NDocDumpMemory(doc, NULL, XML_C14N_1_0, NULL, 1, &text);
    if (size < 0)
        return gp_error_new(GP_E_INVALID, "the domain definition has no canonical form");
    *ret = gp_strndup(mem, (const char *)text, (size_t)size);
    return NULL;
}
