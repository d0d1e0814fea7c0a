#include "domain_tree.h"

#include "cleanup.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <string.h>

/* Longer texts do not pass libvirt's protocol: VIR_NET_MESSAGE_STRING_MAX,
 * src/rpc/virnetprotocol.x. */
#define XML_MAX (4u << 20)

static void ctxt_free_p(xmlParserCtxt **ctxt)
{
    if (*ctxt)
        xmlFreeParserCtxt(*ctxt);
}

static void buffer_free_p(xmlBuffer **buffer)
{
    if (*buffer)
        xmlBufferFree(*buffer);
}

void gp_xml_doc_free_p(xmlDoc **doc)
{
    if (*doc)
        xmlFreeDoc(*doc);
}

void gp_xml_chars_free_p(xmlChar **chars)
{
    if (*chars)
        xmlFree(*chars);
}

static struct gp_error *parse(const char *xml, size_t size, int options, xmlDoc **ret)
{
    gp_cleanup(ctxt_free_p) xmlParserCtxt *ctxt = NULL;
    gp_cleanup(gp_xml_doc_free_p) xmlDoc *doc = NULL;
    const xmlNode *root;

    if (size > XML_MAX)
        return gp_error_new(GP_E_INVALID, "a domain definition of %zu bytes: %u are taken", size,
                            XML_MAX);
    ctxt = xmlNewParserCtxt();
    if (!ctxt)
        abort();
    /* Neither NOENT nor HUGE: entities stay unexpanded, and libxml2's own limits (depth 256) hold.
     */
    doc = xmlCtxtReadMemory(ctxt, xml, (int)size, NULL, NULL,
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | options);
    if (!doc) {
        const xmlError *why = xmlCtxtGetLastError(ctxt);
        const char *text = why && why->message ? why->message : "it is empty";

        return gp_error_new(GP_E_INVALID, "no domain definition: line %d: %.*s",
                            why ? why->line : 0, (int)strcspn(text, "\n"), text);
    }
    if (doc->intSubset || doc->extSubset)
        return gp_error_new(GP_E_INVALID, "no domain definition: it has a document type");
    root = xmlDocGetRootElement(doc);
    if (!gp_tree_is(root, "domain"))
        return gp_error_new(GP_E_INVALID, "no domain definition: its element is <%s>, not <domain>",
                            root ? (const char *)root->name : "");
    *ret = gp_steal(doc);
    return NULL;
}

struct gp_error *gp_tree_parse(const char *xml, size_t size, xmlDoc **ret)
{
    return parse(xml, size, 0, ret);
}

struct gp_error *gp_tree_parse_to_read(const char *xml, size_t size, xmlDoc **ret)
{
    return parse(xml, size, XML_PARSE_COMPACT, ret);
}

const char *gp_tree_text(struct gp_arena *mem, xmlDoc *doc, xmlNode *node)
{
    gp_cleanup(buffer_free_p) xmlBuffer *buffer = xmlBufferCreate();

    if (!buffer || xmlNodeDump(buffer, doc, node, 0, 0) < 0)
        abort(); /* only for lack of memory */
    return gp_strndup(mem, (const char *)xmlBufferContent(buffer), (size_t)xmlBufferLength(buffer));
}

bool gp_tree_is(const xmlNode *node, const char *name)
{
    return node && node->type == XML_ELEMENT_NODE && !node->ns &&
           strcmp((const char *)node->name, name) == 0;
}

static xmlNode *first(xmlNode *node, const char *name)
{
    while (node && !gp_tree_is(node, name))
        node = node->next;
    return node;
}

xmlNode *gp_tree_child(const xmlNode *parent, const char *name)
{
    return parent ? first(parent->children, name) : NULL;
}

xmlNode *gp_tree_next(const xmlNode *node, const char *name)
{
    return first(node->next, name);
}

const char *gp_tree_attr(struct gp_arena *mem, const xmlNode *node, const char *name)
{
    gp_cleanup(gp_xml_chars_free_p) xmlChar *value =
        node ? xmlGetNoNsProp(node, (const xmlChar *)name) : NULL;

    return gp_strdup(mem, (const char *)value);
}

const char *gp_tree_content(struct gp_arena *mem, const xmlNode *node)
{
    gp_cleanup(gp_xml_chars_free_p) xmlChar *value = node ? xmlNodeGetContent(node) : NULL;

    return gp_strdup(mem, (const char *)value);
}

bool gp_tree_is_empty(const xmlNode *node)
{
    for (const xmlNode *child = node->children; child; child = child->next)
        if (!xmlIsBlankNode(child))
            return false;
    return true;
}

void gp_tree_drop(xmlNode *node)
{
    xmlUnlinkNode(node);
    xmlFreeNode(node);
}

void gp_tree_remove(xmlNode *node)
{
    xmlNode *before = node->prev;

    if (before && xmlIsBlankNode(before))
        gp_tree_drop(before);
    gp_tree_drop(node);
}

/* ---- libosinfo's words ---- */

bool gp_tree_is_osinfo(const xmlNode *node, const char *name)
{
    return node && node->type == XML_ELEMENT_NODE && node->ns && node->ns->href &&
           gp_starts_with((const char *)node->ns->href, GP_OSINFO_URI) &&
           strcmp((const char *)node->name, name) == 0;
}

xmlNode *gp_tree_osinfo(const xmlNode *root)
{
    const xmlNode *metadata = gp_tree_child(root, "metadata");

    for (xmlNode *node = metadata ? metadata->children : NULL; node; node = node->next)
        for (xmlNode *os = gp_tree_is_osinfo(node, "libosinfo") ? node->children : NULL; os; os = os->next)
            if (gp_tree_is_osinfo(os, "os"))
                return os;
    return NULL;
}

/* ---- the mark ---- */

bool gp_tree_is_ours(const xmlNode *node, const char *name)
{
    return node && node->type == XML_ELEMENT_NODE && node->ns && node->ns->href &&
           strcmp((const char *)node->ns->href, GP_MARK_URI) == 0 &&
           strcmp((const char *)node->name, name) == 0;
}

xmlNode *gp_tree_mark(const xmlNode *root, size_t *ret_count)
{
    const xmlNode *metadata = gp_tree_child(root, "metadata");
    xmlNode *mark = NULL;
    size_t count = 0;

    for (xmlNode *node = metadata ? metadata->children : NULL; node; node = node->next) {
        if (!gp_tree_is_ours(node, "binding"))
            continue;
        count++;
        if (!mark)
            mark = node;
    }
    if (ret_count)
        *ret_count = count;
    return mark;
}

struct gp_device gp_tree_mark_device(struct gp_arena *mem, const xmlNode *device)
{
    const char *source = gp_lower(mem, gp_tree_attr(mem, device, "source"));
    struct gp_device ret = {0};

    if (!source || !gp_device_parse(source, &ret))
        return (struct gp_device){0};
    return ret;
}

bool gp_tree_mark_fits(struct gp_arena *mem, const xmlNode *root, const char *machine_id,
                       const char *uuid)
{
    size_t count;
    const xmlNode *mark = gp_tree_mark(root, &count);

    return count == 1 && (!machine_id || gp_streq(gp_tree_attr(mem, mark, "host"), machine_id)) &&
           uuid && gp_streq(gp_lower(mem, gp_tree_attr(mem, mark, "vm")), uuid);
}

/* ---- hostdevs ---- */

/* As libvirt reads numbers in addresses: C's prefixes (src/conf/device_conf.c,
 * virPCIDeviceAddressParseXML). What is not there is 0. */
static bool number(struct gp_arena *mem, const xmlNode *address, const char *name,
                   unsigned long max, unsigned long *ret)
{
    const char *text = gp_tree_attr(mem, address, name);
    char *end;

    *ret = 0;
    if (!text)
        return true;
    errno = 0;
    *ret = strtoul(text, &end, 0);
    return isdigit((unsigned char)*text) && !*end && !errno && *ret <= max;
}

static struct gp_device pci_source(struct gp_arena *mem, const xmlNode *address)
{
    unsigned long domain, bus, slot, function;

    if (!number(mem, address, "domain", UINT32_MAX, &domain) ||
        !number(mem, address, "bus", 0xff, &bus) || !number(mem, address, "slot", 0x1f, &slot) ||
        !number(mem, address, "function", 7, &function))
        return (struct gp_device){0};
    return (struct gp_device){
        .kind = GP_DEVICE_PCI,
        .pci = {(uint32_t)domain, (uint8_t)bus, (uint8_t)slot, (uint8_t)function},
    };
}

struct gp_device gp_tree_hostdev(struct gp_arena *mem, const xmlNode *hostdev)
{
    const char *type = gp_tree_attr(mem, hostdev, "type");
    const xmlNode *address = gp_tree_child(gp_tree_child(hostdev, "source"), "address");

    if (!address)
        return (struct gp_device){0};
    if (gp_streq(type, "pci"))
        return pci_source(mem, address);
    if (gp_streq(type, "mdev")) {
        const char *uuid = gp_lower(mem, gp_tree_attr(mem, address, "uuid"));
        struct gp_device device;

        if (uuid && gp_device_parse(uuid, &device) && device.kind == GP_DEVICE_MDEV)
            return device;
    }
    return (struct gp_device){0};
}

const char *gp_tree_alias(struct gp_arena *mem, const xmlNode *hostdev)
{
    return gp_tree_attr(mem, gp_tree_child(hostdev, "alias"), "name");
}

bool gp_alias_is_ours(const char *alias)
{
    const char *digits;

    if (!alias || !gp_starts_with(alias, GP_ALIAS_PREFIX))
        return false;
    digits = alias + strlen(GP_ALIAS_PREFIX);
    return *digits && strspn(digits, "0123456789") == strlen(digits);
}

const char *gp_lower(struct gp_arena *mem, const char *text)
{
    char *lower = gp_strdup(mem, text);

    for (char *at = lower; at && *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return lower;
}

const char *gp_tree_uuid(struct gp_arena *mem, const xmlNode *root)
{
    return gp_lower(mem, gp_tree_content(mem, gp_tree_child(root, "uuid")));
}
