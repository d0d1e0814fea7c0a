/* Small steps on libxml2's tree that reading and editing share. Private to domain*.c. */
#pragma once

#include "domain.h"

#include <libxml/tree.h>
#include <string.h>

/* NULL-taking destructors for gp_cleanup(). */
void gp_xml_doc_free_p(xmlDoc **doc);
void gp_xml_chars_free_p(xmlChar **chars);

/* Parses one <domain>. GP_E_INVALID with libxml2's reason and line. The caller frees *ret. */
struct gp_error *gp_tree_parse(const char *xml, size_t size, xmlDoc **ret) GP_MUST_CHECK;
/* The same for a tree that is only read, never edited: short texts lie in their nodes. Blanks stay: in an element of mixed
 * content they are part of what it says, and the outline must say the same. */
struct gp_error *gp_tree_parse_to_read(const char *xml, size_t size, xmlDoc **ret) GP_MUST_CHECK;
/* @node and what is below as text, without an XML declaration. */
const char *gp_tree_text(struct gp_arena *mem, xmlDoc *doc, xmlNode *node);

/* The first element child called @name (without a namespace), and the next one after @node; NULL:
 * none. */
xmlNode *gp_tree_child(const xmlNode *parent, const char *name);
xmlNode *gp_tree_next(const xmlNode *node, const char *name);
bool gp_tree_is(const xmlNode *node, const char *name);
/* In @mem; NULL if there is none (or no @node). */
const char *gp_tree_attr(struct gp_arena *mem, const xmlNode *node, const char *name);
const char *gp_tree_content(struct gp_arena *mem, const xmlNode *node);
/* Whether nothing but blanks is in it. */
bool gp_tree_is_empty(const xmlNode *node);
void gp_tree_drop(xmlNode *node); /* takes it out */
/* Takes @node out, and blanks before it, so that putting in and taking out again leaves nothing. */
void gp_tree_remove(xmlNode *node);

/* The mark: the element of ours in /domain/metadata. *ret_count (may be NULL) is how many there
 * are. */
xmlNode *gp_tree_mark(const xmlNode *root, size_t *ret_count);
bool gp_tree_is_ours(const xmlNode *node, const char *name); /* <gpupart:NAME> */
/* The device of one <gpupart:device>; NONE if it names none. */
struct gp_device gp_tree_mark_device(struct gp_arena *mem, const xmlNode *device);
/* Whether @mark is the only mark, and names @machine_id (NULL: any machine) and @uuid. */
bool gp_tree_mark_fits(struct gp_arena *mem, const xmlNode *root, const char *machine_id,
                       const char *uuid);

#define GP_OSINFO_URI "http://libosinfo.org/xmlns/libvirt/domain/"
/* libosinfo's <os> in /domain/metadata, NULL: none. */
xmlNode *gp_tree_osinfo(const xmlNode *root);

/* Bit n: the memory of the domain is bound to node n of the host. 0: it is not, or somewhere that cannot be told. */
uint64_t gp_domain_numa_nodes(struct gp_arena *mem, const xmlNode *root);
/* The CPUs of the host that its vCPUs are pinned to; NULL: they are not, or to what cannot be told. */
const struct gp_numbers *gp_domain_cpus(struct gp_arena *mem, const xmlNode *root);
/* Whether @node is of that namespace. */
bool gp_tree_is_osinfo(const xmlNode *node, const char *name);

/* What a <hostdev> gives the guest; NONE unless it is a PCI device or an mdev. */
struct gp_device gp_tree_hostdev(struct gp_arena *mem, const xmlNode *hostdev);
const char *gp_tree_alias(struct gp_arena *mem, const xmlNode *hostdev);
bool gp_alias_is_ours(const char *alias); /* NULL is not */
/* Fact: libvirt docs/formatdomain.rst, "Devices": any other is libvirt's own. */
static inline bool gp_alias_of_user(const char *alias)
{
    return alias && strncmp(alias, "ua-", strlen("ua-")) == 0;
}
/* Lower case, in @mem. */
const char *gp_tree_uuid(struct gp_arena *mem, const xmlNode *root);
const char *gp_lower(struct gp_arena *mem, const char *text);

/* ---- domain_qemu.c ---- */

#define GP_QEMU_URI "http://libvirt.org/schemas/domain/qemu/1.0"
/* Adds the devices that QEMU's arguments give the guest. */
void gp_qemu_read_devices(struct gp_arena *mem, const xmlNode *root, struct gp_domain_facts *facts);
bool gp_qemu_gives(struct gp_arena *mem, const xmlNode *root, struct gp_device device);
/* Whether an argument or override names a hostdev whose alias is @alias (NULL, or libvirt's own: any that libvirt names). */
bool gp_qemu_names_alias(struct gp_arena *mem, const xmlNode *root, const char *alias);
