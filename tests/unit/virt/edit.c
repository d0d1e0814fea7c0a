#include "bases.h"

#include "cleanup.h"
#include "rows.h"
#include "text.h"

#include <string.h>

static const struct gp_device none;

static const char *canonical(struct gp_arena *mem, const char *xml)
{
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    const char *text = NULL;

    err = gp_domain_canonical(mem, xml, &text);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    return text;
}

static bool checks(struct gp_arena *mem, const char *xml, struct gp_edit edit)
{
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;

    err = gp_domain_check(mem, xml, &edit);
    return err == NULL;
}

/* What libvirt does to a definition that has a new hostdev: gives it a guest address. */
static const char *with_guest_address(struct gp_arena *mem, const char *xml)
{
    const char *alias = strstr(xml, "<alias name=\"ua-gpupart-"), *end;

    for (const char *later = alias; later; later = strstr(later + 1, "<alias name=\"ua-gpupart-"))
        if (!strstr(later, "ua-gpupart-1\"/></interface>"))
            alias = later;
    cr_assert(alias != NULL);
    end = strstr(alias, "/>") + 2;
    return gp_printf(
        mem, "%.*s<address type='pci' domain='0x0000' bus='0x07' slot='0x00' function='0x0'/>%s",
        (int)(end - xml), xml, end);
}

struct at {
    const struct base *base;
    struct gp_device device, other;
};

/* Each law on each base, from each device to each other. */
static void everywhere(void (*law)(struct gp_arena *mem, const struct at *at))
{
    for (size_t b = 0; b < base_count; b++)
        for (size_t d = 0; d < device_count; d++)
            for (size_t e = 0; e < device_count; e++) {
                gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
                struct at at = {&bases[b], devices[d], devices[e]};

                law(mem, &at);
            }
}

static void way_back(struct gp_arena *mem, const struct at *at)
{
    const char *xml = at->base->xml, *attached, *detached, *moved, *back;

    attached = done(mem, xml, edit_of(GP_EDIT_ATTACH, none, at->device));
    detached = done(mem, attached, edit_of(GP_EDIT_DETACH, at->device, none));
    cr_assert(eq(str, (char *)whole(mem, detached), (char *)whole(mem, xml)), "%s", at->base->name);

    attached = with_guest_address(mem, attached);
    moved = done(mem, attached, edit_of(GP_EDIT_REBIND, at->device, at->other));
    back = done(mem, moved, edit_of(GP_EDIT_REBIND, at->other, at->device));
    cr_assert(eq(str, (char *)whole(mem, back), (char *)whole(mem, attached)), "%s",
              at->base->name);
}

Test(edit, the_reverse_edit_is_the_way_back)
{
    everywhere(way_back);
}

static void rest_stays(struct gp_arena *mem, const struct at *at)
{
    const char *before = canonical(mem, at->base->xml), *attached, *moved, *detached;

    attached = done(mem, at->base->xml, edit_of(GP_EDIT_ATTACH, none, at->device));
    moved = done(mem, attached, edit_of(GP_EDIT_REBIND, at->device, at->other));
    detached = done(mem, moved, edit_of(GP_EDIT_DETACH, at->other, none));
    cr_assert(eq(str, (char *)canonical(mem, attached), (char *)before), "%s", at->base->name);
    cr_assert(eq(str, (char *)canonical(mem, moved), (char *)before), "%s", at->base->name);
    cr_assert(eq(str, (char *)canonical(mem, detached), (char *)before), "%s", at->base->name);
}

Test(edit, nothing_else_changes)
{
    everywhere(rest_stays);
}

static void twice(struct gp_arena *mem, const struct at *at)
{
    struct gp_edit edits[] = {
        edit_of(GP_EDIT_ATTACH, none, at->device),
        edit_of(GP_EDIT_REBIND, at->device, at->other),
        edit_of(GP_EDIT_MARK, at->other, none),
        edit_of(GP_EDIT_DETACH, at->other, none),
    };
    const char *xml = at->base->xml;

    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        bool same = edits[i].kind == GP_EDIT_REBIND && gp_device_eq(at->device, at->other);
        bool marked = edits[i].kind == GP_EDIT_MARK;
        const char *again;

        cr_assert(same || marked || !checks(mem, xml, edits[i]), "%s: edit %zu is not done yet",
                  at->base->name, i);
        xml = done(mem, xml, edits[i]);
        cr_assert(checks(mem, xml, edits[i]), "%s: edit %zu is done", at->base->name, i);
        again = done(mem, xml, edits[i]);
        cr_assert(eq(str, (char *)whole(mem, again), (char *)whole(mem, xml)), "%s: edit %zu",
                  at->base->name, i);
    }
}

Test(edit, twice_is_once)
{
    everywhere(twice);
}

static void becomes_ours(struct gp_arena *mem, const struct at *at)
{
    const char *xml = done(mem, at->base->xml, edit_of(GP_EDIT_ATTACH, none, at->device));
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    struct gp_domain_facts before, facts;
    size_t ours = 0;

    xml = done(mem, xml, edit_of(GP_EDIT_REBIND, at->device, at->other));
    err = gp_domain_read(mem, at->base->xml, strlen(at->base->xml), HOST, &before);
    cr_assert(err == NULL);
    err = gp_domain_read(mem, xml, strlen(xml), HOST, &facts);
    cr_assert(err == NULL);
    cr_assert(eq(sz, facts.dev_count, before.dev_count + 1), "%s", at->base->name);
    for (size_t i = 0; i < facts.dev_count; i++) {
        ours += facts.devs[i].ours;
        if (facts.devs[i].ours)
            cr_assert(gp_device_eq(facts.devs[i].device, at->other) && !facts.devs[i].managed);
    }
    cr_assert(eq(sz, ours, (size_t)1), "%s", at->base->name);
    cr_assert(facts.mark_fits && gp_device_eq(facts.mark->device, at->other));
    cr_assert(eq(str, (char *)facts.mark->partition, "slot3/2"));
    cr_assert(eq(str, (char *)facts.mark->binding, "desktops"));
    cr_assert(eq(str, (char *)facts.mark->pool, "vdi"));
    err = gp_domain_read(mem, xml, strlen(xml), "another machine", &facts);
    cr_assert(err == NULL);
    cr_assert(facts.mark_fits == false, "another machine's");
}

Test(edit, what_is_given_reads_as_ours)
{
    everywhere(becomes_ours);
}

/* The guest sees its device where it was, whatever stands behind it. */
Test(edit, guest_address_stays)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *xml = done(mem, bases[0].xml, edit_of(GP_EDIT_ATTACH, none, devices[0]));

    xml = with_guest_address(mem, xml);
    for (size_t d = 1; d < device_count; d++) {
        xml = done(mem, xml, edit_of(GP_EDIT_REBIND, devices[d - 1], devices[d]));
        cr_assert(strstr(xml, "<address type=\"pci\" domain=\"0x0000\" bus=\"0x07\" slot=\"0x00\" "
                              "function=\"0x0\"/>") != NULL,
                  "%s", xml);
    }
}

#define HAND_MADE                                                                                  \
    "<domain><name>desk</name><uuid>" UUID "</uuid><devices><hostdev mode='subsystem' type='pci' " \
    "managed='yes'><driver name='vfio'/><source><address domain='0x0000' bus='0x08' slot='0x00' "  \
    "function='0x4'/></source>%s<rom bar='off'/><address type='pci' bus='0x05' slot='0x00' "       \
    "function='0x0'/></hostdev></devices></domain>"

/* Adopting adds the alias and the mark: what is left without them is what was there. */
Test(edit, adopts_a_hand_made_hostdev)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    static const char alias[] = "<alias name=\"ua-gpupart-0\"/>";
    struct gp_edit edit = edit_of(GP_EDIT_MARK, devices[0], none);
    const char *before = gp_printf(mem, HAND_MADE, ""), *xml, *at, *from, *to;

    cr_assert(checks(mem, before, edit) == false, "nothing is done yet");
    xml = done(mem, before, edit);
    cr_assert(checks(mem, xml, edit));
    at = strstr(xml, alias);
    cr_assert(at != NULL, "%s", xml);
    xml = gp_printf(mem, "%.*s%s", (int)(at - xml), xml, at + strlen(alias));
    from = strstr(xml, "<metadata>");
    to = strstr(xml, "</metadata>");
    cr_assert(from && to, "%s", xml);
    xml = gp_printf(mem, "%.*s%s", (int)(from - xml), xml, to + strlen("</metadata>"));
    cr_assert(eq(str, (char *)whole(mem, xml), (char *)whole(mem, before)));
}

Test(edit, adopts_in_place_of_another_alias)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *xml = gp_printf(mem, HAND_MADE, "<alias name='ua-mine'/>");

    xml = done(mem, xml, edit_of(GP_EDIT_MARK, devices[0], none));
    cr_assert(strstr(xml, "ua-mine") == NULL && strstr(xml, "ua-gpupart-0") != NULL, "%s", xml);
}

/* What is said to QEMU of a device would be said of another, or of none, and the guest might not start. */
Test(edit, marks_nothing_that_is_named_to_qemu)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *xml = gp_printf(mem, HAND_MADE, ""), *end = strstr(xml, "</domain>");
    gp_cleanup(gp_free_p) char *line = NULL;
    enum gp_errc code = GP_E_COUNT;

    xml = gp_printf(mem,
                    "%.*s<q:override xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:device alias='hostdev0'>"
                    "<q:frontend><q:property name='x-igd-opregion' type='bool' value='true'/></q:frontend></q:device>"
                    "</q:override>%s",
                    (int)(end - xml), xml, end);
    line = tried(mem, xml, edit_of(GP_EDIT_MARK, devices[0], none), &code);
    cr_assert(eq(int, (int)code, (int)GP_E_REFUSED));
    cr_assert(strstr(line, "names hostdev 0000:08:00.4 by its alias") != NULL, "%s", line);
}

/* libvirt always prints <devices>; a file written by hand may not have it. */
Test(edit, attaches_where_there_are_no_devices)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    static const char bare[] = "<domain><name>desk</name><uuid>" UUID "</uuid></domain>";
    struct gp_edit edit = edit_of(GP_EDIT_ATTACH, none, devices[0]);

    cr_assert(checks(mem, done(mem, bare, edit), edit));
    cr_assert(eq(str, (char *)canonical(mem, done(mem, bare, edit)), (char *)canonical(mem, bare)));
}

Test(edit, several_of_ours_are_told_apart)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *one = done(mem, bases[2].xml, edit_of(GP_EDIT_ATTACH, none, devices[0])), *two,
               *left;

    two = done(mem, one, edit_of(GP_EDIT_ATTACH, none, devices[2]));
    cr_assert(checks(mem, two, edit_of(GP_EDIT_ATTACH, none, devices[0])));
    cr_assert(checks(mem, two, edit_of(GP_EDIT_ATTACH, none, devices[2])));
    left = done(mem, two, edit_of(GP_EDIT_DETACH, devices[2], none));
    cr_assert(eq(str, (char *)whole(mem, left), (char *)whole(mem, one)));
}

/* A mark left behind by a copy cannot stay beside ours, and says nothing about this domain. */
Test(edit, a_copied_mark_gives_way)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_edit copied = edit_of(GP_EDIT_ATTACH, none, devices[0]), edit = copied;
    const char *xml;

    copied.mark.host = "the machine that it was copied from";
    xml = done(mem, bases[0].xml, copied);
    edit.after = devices[2];
    xml = done(mem, xml, edit);
    cr_assert(checks(mem, xml, edit));
    cr_assert(strstr(xml, "copied from") == NULL, "%s", xml);
    cr_assert(strstr(xml, "bus=\"0x08\"") != NULL, "the copied hostdev is not ours to take: %s",
              xml);
}

#define BY_ARGUMENT                                                                                \
    "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>desk</name><uuid>" UUID \
    "</uuid><devices/><qemu:commandline><qemu:arg value='-device'/>"                               \
    "<qemu:arg value='vfio-pci,host=08:00.4'/></qemu:commandline></domain>"

/* Given twice, a device keeps the guest from starting; and an argument stays when a hostdev leaves. */
Test(edit, leaves_a_device_given_by_an_argument_alone)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_edit attach = edit_of(GP_EDIT_ATTACH, none, devices[0]),
                   detach = edit_of(GP_EDIT_DETACH, devices[0], none);
    gp_cleanup(gp_free_p) char *attached = NULL, *detached = NULL;
    enum gp_errc code = GP_E_COUNT;

    attached = tried(mem, BY_ARGUMENT, attach, &code);
    cr_assert(eq(int, (int)code, (int)GP_E_CHANGED));
    cr_assert(strstr(attached, "by an argument of QEMU") != NULL, "%s", attached);
    detached = tried(mem, BY_ARGUMENT, detach, &code);
    cr_assert(eq(int, (int)code, (int)GP_E_REFUSED));
    cr_assert(strstr(detached, "by an argument of QEMU") != NULL, "%s", detached);
    cr_assert(checks(mem, BY_ARGUMENT, detach) == false, "it is still there");
}

/* A rebind that libvirt was given but that the mark of an earlier one outlived. */
Test(edit, the_mark_forgets_what_was_before)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_edit edit = edit_of(GP_EDIT_REBIND, devices[0], devices[2]);
    const char *xml = done(mem, bases[0].xml, edit_of(GP_EDIT_ATTACH, none, devices[0])), *at;

    at = strstr(xml, "<gpupart:device");
    xml = gp_printf(mem, "%.*s<gpupart:device source=\"" MDEV "\" partition=\"slot3/1\"/>%s", (int)(at - xml), xml, at);
    xml = done(mem, xml, edit);
    cr_assert(checks(mem, xml, edit), "%s", xml);
    cr_assert(strstr(xml, "0000:08:00.4") == NULL, "%s", xml);
}

Test(edit, a_device_that_is_there_twice_is_nobodys_to_choose)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *xml = done(mem, bases[0].xml, edit_of(GP_EDIT_ATTACH, none, devices[0])), *from, *to;
    gp_cleanup(gp_free_p) char *line = NULL;
    enum gp_errc code = GP_E_COUNT;

    from = strstr(xml, "<hostdev");
    to = strstr(xml, "</hostdev>") + strlen("</hostdev>");
    xml = gp_printf(mem, "%.*s%.*s%s", (int)(to - xml), xml, (int)(to - from), from, to);
    line = tried(mem, xml, edit_of(GP_EDIT_DETACH, devices[0], none), &code);
    cr_assert(eq(int, (int)code, (int)GP_E_CHANGED));
    cr_assert(strstr(line, "2 times") != NULL, "%s", line);
}

/* Comments are as much somebody's as elements are. */
Test(edit, metadata_with_a_comment_stays)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    static const char bare[] =
        "<domain><name>desk</name><uuid>" UUID "</uuid><metadata><!-- keep --></metadata><devices/></domain>";
    const char *xml = done(mem, bare, edit_of(GP_EDIT_ATTACH, none, devices[0]));

    xml = done(mem, xml, edit_of(GP_EDIT_DETACH, devices[0], none));
    cr_assert(eq(str, (char *)whole(mem, xml), (char *)whole(mem, bare)));
}

static const struct {
    const char *name;
    enum gp_edit_kind kind;
    bool hand_made; /* else with our hostdev devices[0] */
    size_t before, after;
    const char *uuid, *host;
    enum gp_errc code;
    const char *says;
} refusals[] = {
    {"detach what is not ours", GP_EDIT_DETACH, true, 0, 0, UUID, HOST, GP_E_REFUSED,
     "is not gpupart's"},
    {"detach with another machine's mark", GP_EDIT_DETACH, false, 0, 0, UUID, "other", GP_E_REFUSED,
     "is not gpupart's"},
    {"rebind what is not ours", GP_EDIT_REBIND, true, 0, 1, UUID, HOST, GP_E_REFUSED,
     "is not gpupart's"},
    {"rebind what is not there", GP_EDIT_REBIND, false, 1, 2, UUID, HOST, GP_E_CHANGED,
     "has no hostdev"},
    {"rebind to what is there by hand", GP_EDIT_REBIND, true, 1, 0, UUID, HOST, GP_E_CHANGED,
     "not given by"},
    {"attach what is there by hand", GP_EDIT_ATTACH, true, 0, 0, UUID, HOST, GP_E_CHANGED,
     "not given by"},
    {"mark what is not there", GP_EDIT_MARK, false, 1, 0, UUID, HOST, GP_E_CHANGED,
     "has no hostdev"},
    {"another domain", GP_EDIT_ATTACH, false, 0, 1, MDEV, HOST, GP_E_BUG,
     "was given the definition of"},
    {"no machine", GP_EDIT_ATTACH, false, 0, 1, UUID, NULL, GP_E_BUG, "names no host"},
};

GP_ROWS(edit, refuses, refusals)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_edit edit =
        edit_of(refusals[*i].kind, devices[refusals[*i].before], devices[refusals[*i].after]);
    const char *xml = refusals[*i].hand_made
                          ? gp_printf(mem, HAND_MADE, "<alias name='ua-gpupart-0'/>")
                          : done(mem, bases[0].xml, edit_of(GP_EDIT_ATTACH, none, devices[0]));
    gp_cleanup(gp_free_p) char *line = NULL;
    enum gp_errc code = GP_E_COUNT;

    edit.uuid = refusals[*i].uuid;
    edit.mark.host = refusals[*i].host;
    line = tried(mem, xml, edit, &code);
    cr_assert(line != NULL, "%s", refusals[*i].name);
    cr_assert(eq(int, (int)code, (int)refusals[*i].code), "%s: %s", refusals[*i].name, line);
    cr_assert(strstr(line, refusals[*i].says) != NULL, "%s: %s", refusals[*i].name, line);
}

/* ---- the canonical form ---- */

static const struct {
    const char *name, *one, *other;
    bool same;
} forms[] = {
    {"layout and order of attributes", "<devices><a b='1' c='2'/></devices>",
     "<devices>\n  <a c=\"2\" b=\"1\"></a>\n</devices>", true},
    {"content", "<title>a</title>", "<title>b</title>", false},
    {"blanks that are content", "<title> </title>", "<title/>", false},
    {"an attribute", "<devices><a b='1'/></devices>", "<devices><a b='2'/></devices>", false},
    {"a hostdev of others", "<devices/>",
     "<devices><hostdev type='pci'><alias name='ua-x'/></hostdev></devices>", false},
    {"an empty port", "<devices/>",
     "<devices><controller type='pci' index='4' model='pcie-root-port'><address type='pci' "
     "bus='0x00'/></controller></devices>",
     true},
    {"a port that something sits in",
     "<devices><disk><address type='pci' bus='0x04'/></disk></devices>",
     "<devices><controller type='pci' index='4' model='pcie-root-port'/><disk><address type='pci' "
     "bus='0x04'/></disk></devices>",
     false},
    {"the order of controllers",
     "<devices><controller type='usb' index='0'/><a/><controller type='pci' "
     "index='10'/><controller type='pci' "
     "index='9'/></devices>",
     "<devices><controller type='pci' index='9'/><controller type='usb' index='0'/><controller "
     "type='pci' "
     "index='10'/><a/></devices>",
     true},
    {"the order of others", "<devices><a/><b/></devices>", "<devices><b/><a/></devices>", false},
    {"no devices and empty devices", "", "<devices/>", true},
    {"no metadata and empty metadata", "", "<metadata>\n</metadata>", true},
};

GP_ROWS(edit, canonical, forms)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *one =
        canonical(mem, gp_printf(mem, "<domain><name>a</name>%s</domain>", forms[*i].one));
    const char *other =
        canonical(mem, gp_printf(mem, "<domain><name>a</name>%s</domain>", forms[*i].other));

    cr_assert(eq(int, gp_streq(one, other), forms[*i].same), "%s:\n%s\n%s", forms[*i].name, one,
              other);
}
