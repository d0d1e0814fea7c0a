#include "bases.h"

#include "cleanup.h"
#include "text.h"

#include <criterion/criterion.h>
#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <string.h>

#define HEAD "<domain type='kvm'>\n  <name>desk</name>\n  <uuid>" UUID "</uuid>\n"
#define TAIL "</domain>\n"

const struct base bases[] = {
    {"no devices", HEAD "  <memory unit='KiB'>2097152</memory>\n  <devices/>\n" TAIL},
    {"passwords, entities, comments",
     HEAD "  <title>R&amp;D &lt;3&gt; &quot;x&quot;</title>\n"
          "  <description>tab&#9;, \xc3\xbc, and ]]&gt;\n   two  lines\n</description>\n"
          "  <!-- hand-made, keep -->\n"
          "  <devices>\n"
          "    <graphics type='vnc' port='-1' autoport='yes' passwd='a&apos;b&lt;&amp;&quot;'/>\n"
          "    <disk type='file'><source file='/a "
          "b/&#xe9;.img'/><serial><![CDATA[<raw>&]]></serial></disk>\n"
          "  </devices>\n" TAIL},
    {"others' aliases and hostdevs", HEAD
     "  <devices>\n"
     "    <interface type='network'><alias name='ua-gpupart-1'/></interface>\n"
     "    <disk type='file'><alias name='ua-gpupart-x'/></disk>\n"
     "    <hostdev mode='subsystem' type='usb'><source><address bus='1' "
     "device='3'/></source></hostdev>\n"
     "    <hostdev mode='subsystem' type='pci' managed='yes'>\n"
     "      <driver name='vfio'/>\n"
     "      <source>\n        <address domain='0x0000' bus='0x3b' slot='0x00' function='0x0'/>\n"
     "      </source>\n"
     "      <alias name='ua-nic'/>\n"
     "      <address type='pci' domain='0x0000' bus='0x06' slot='0x00' function='0x0'/>\n"
     "    </hostdev>\n"
     "    <memballoon model='none'/>\n"
     "  </devices>\n" TAIL},
    {"others' metadata, default namespace, arguments",
     "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
     "  <name>desk</name><uuid>" UUID "</uuid>\n"
     "  <metadata>\n"
     "    <libosinfo:libosinfo xmlns:libosinfo='http://libosinfo.org/xmlns/libvirt/domain/1.0'>\n"
     "      <libosinfo:os id='http://debian.org/debian/12'/>\n    </libosinfo:libosinfo>\n"
     "    <note xmlns='http://example.org/note'><binding host='x'/>kept</note>\n"
     "  </metadata>\n"
     "  <devices>\n    <emulator>/usr/bin/qemu</emulator>\n  </devices>\n"
     "  <qemu:commandline>\n    <qemu:arg value='-set'/>\n    <qemu:env name='A' value='b c'/>\n"
     "  </qemu:commandline>\n" TAIL},
    {"a copy's mark and hostdev", HEAD
     "  <devices>\n"
     "    <hostdev mode='subsystem' type='pci' managed='no'>\n"
     "      <source><address domain='0x0000' bus='0x99' slot='0x00' function='0x4'/></source>\n"
     "      <alias name='ua-gpupart-0'/>\n"
     "      <address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>\n"
     "    </hostdev>\n"
     "  </devices>\n" TAIL},
};
const size_t base_count = sizeof bases / sizeof *bases;

const struct gp_device devices[] = {
    {.kind = GP_DEVICE_PCI, .pci = {0, 0x08, 0, 4}},
    {.kind = GP_DEVICE_PCI, .pci = {0x10000, 0xff, 31, 7}},
    {.kind = GP_DEVICE_MDEV, .uuid = MDEV},
    {.kind = GP_DEVICE_MDEV, .uuid = MDEV2},
};
const size_t device_count = sizeof devices / sizeof *devices;

static void drop_blanks(xmlNode *parent)
{
    for (xmlNode *node = parent->children, *next; node; node = next) {
        next = node->next;
        if (node->type == XML_ELEMENT_NODE)
            drop_blanks(node);
        else if (xmlFirstElementChild(parent) && xmlIsBlankNode(node)) {
            xmlUnlinkNode(node);
            xmlFreeNode(node);
        }
    }
}

const char *whole(struct gp_arena *mem, const char *xml)
{
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, 0);
    xmlChar *text = NULL;
    const char *copy;

    cr_assert(doc != NULL, "well-formed: %s", xml);
    drop_blanks(xmlDocGetRootElement(doc));
    cr_assert(xmlC14NDocDumpMemory(doc, NULL, XML_C14N_1_0, NULL, 1, &text) >= 0);
    copy = gp_strdup(mem, (const char *)text);
    xmlFree(text);
    xmlFreeDoc(doc);
    return copy;
}

struct gp_edit edit_of(enum gp_edit_kind kind, struct gp_device before, struct gp_device after)
{
    return (struct gp_edit){
        .kind = kind,
        .uuid = UUID,
        .before = before,
        .after = after,
        .mark = {.host = HOST,
                 .vm = UUID,
                 .binding = "desktops",
                 .pool = "vdi",
                 .partition = "slot3/2"},
    };
}

char *tried(struct gp_arena *mem, const char *xml, struct gp_edit edit, enum gp_errc *ret_code)
{
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    const char *text;

    err = gp_domain_edit(mem, xml, &edit, &text);
    if (err)
        *ret_code = err->code;
    return err ? gp_error_line(err) : NULL;
}

const char *done(struct gp_arena *mem, const char *xml, struct gp_edit edit)
{
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    const char *text = NULL;

    err = gp_domain_edit(mem, xml, &edit, &text);
    cr_assert(err == NULL, "%s: %s", gp_error_line(err), xml);
    return text;
}
