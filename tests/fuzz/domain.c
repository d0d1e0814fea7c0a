/* Any bytes as a domain's definition: a guest's owner may write parts of it, and captures come from elsewhere.
 *
 * Every reader ends with facts or an error. The outline reads as the definition does. The canonical form of a
 * canonical form is itself. An edit changes our hostdev and the mark and nothing else, is done as the check has it,
 * done twice is done once, what was set is what is read, and the reverse edit is the way back. */
#include "fuzz.h"

#include "cleanup.h"
#include "domain_tree.h"
#include "text.h"

#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST      "5e0f6a0c7d6b4b2f9a0c1d2e3f405162"
#define HAVE_MOST 2 /* hostdevs of the definition that are edited */

/* Where edits move hostdevs to. */
static const struct gp_device news[] = {
    {.kind = GP_DEVICE_PCI, .pci = {0x10000, 0xff, 31, 7}},
    {.kind = GP_DEVICE_MDEV, .uuid = "c2177883-f1bb-47f0-914d-32a22e3a8804"},
};
#define NEW_COUNT (sizeof news / sizeof *news)

static void must(bool holds, const char *law, const char *before, const char *after)
{
    if (holds)
        return;
    (void)fprintf(stderr, "%s:\n%s\n%s\n", law, before, after ? after : "");
    abort();
}

/* Whether it went well; an error says something, in one line. */
static bool went_well(struct gp_error *err, const char *xml)
{
    gp_cleanup(gp_free_p) char *line = err ? gp_error_line(err) : NULL;

    must(!line || *line, "an error without words", xml, NULL);
    gp_error_free(err);
    return !line;
}

/* ---- reading ---- */

static void facts_hold(const struct gp_domain_facts *facts, const char *xml)
{
    must(facts->name && *facts->name && facts->uuid && *facts->uuid, "a domain without name or UUID", xml, NULL);
    must(facts->on_poweroff_destroy == gp_streq(facts->on_poweroff, "destroy"), "on_poweroff", xml, NULL);
    must(facts->memory_kib <= UINT64_MAX / 1024 || facts->memory_kib == UINT64_MAX, "memory", xml, NULL);
    must(!facts->mark_fits || facts->mark, "no mark that fits", xml, NULL);
    for (size_t i = 0; i < facts->dev_count; i++) {
        const struct gp_hostdev *dev = &facts->devs[i];

        must(dev->device.kind != GP_DEVICE_NONE, "a hostdev of no device", xml, NULL);
        must((dev->ours || dev->stray_mark) == gp_alias_is_ours(dev->alias), "whose hostdev it is", xml, NULL);
        must(!dev->ours || (!dev->stray_mark && facts->mark_fits), "ours without a mark", xml, NULL);
    }
}

static bool same_mark(const struct gp_mark *a, const struct gp_mark *b)
{
    if (!a || !b)
        return a == b;
    return gp_streq(a->host, b->host) && gp_streq(a->vm, b->vm) && gp_streq(a->binding, b->binding) &&
           gp_streq(a->pool, b->pool) && gp_streq(a->partition, b->partition) &&
           a->device.kind == b->device.kind && (!a->device.kind || gp_device_eq(a->device, b->device));
}

static bool same_facts(const struct gp_domain_facts *a, const struct gp_domain_facts *b)
{
    bool same = gp_streq(a->name, b->name) && gp_streq(a->uuid, b->uuid) && a->running == b->running &&
                a->memory_kib == b->memory_kib && a->agent_channel == b->agent_channel &&
                a->agent_connected == b->agent_connected && gp_streq(a->on_poweroff, b->on_poweroff) &&
                a->block_job == b->block_job && gp_streq(a->other_manager, b->other_manager) &&
                gp_streq(a->guest_os, b->guest_os) &&
                same_mark(a->mark, b->mark) && a->mark_fits == b->mark_fits && a->dev_count == b->dev_count;

    for (size_t i = 0; same && i < a->dev_count; i++) {
        const struct gp_hostdev *left = &a->devs[i], *right = &b->devs[i];

        same = gp_device_eq(left->device, right->device) && gp_streq(left->alias, right->alias) &&
               left->managed == right->managed && left->ours == right->ours && left->stray_mark == right->stray_mark &&
               left->alias_named == right->alias_named;
    }
    return same;
}

static void outline_holds(struct gp_arena *mem, const char *xml, const char *host, const struct gp_domain_facts *facts)
{
    const char *outline;
    struct gp_domain_facts read;

    must(went_well(gp_domain_outline(mem, xml, NULL, &outline), xml), "what can be read has no outline", xml, NULL);
    must(went_well(gp_domain_read(mem, outline, strlen(outline), host, &read), xml), "its outline cannot be read", xml,
         outline);
    must(same_facts(facts, &read), "its outline says something else", xml, outline);
}

/* Blanks beside a tag are layout. */
static void drop_blanks(char *text)
{
    static const char blanks[] = " \t\r\n";
    char *to = text;

    for (const char *at = text; *at; at++) {
        while (*at == '<' && to > text && strchr(blanks, to[-1]))
            to--;
        *to++ = *at;
        if (*at == '>')
            at += strspn(at + 1, blanks);
    }
    *to = '\0';
}

/* NULL: it has none. */
static const char *canonical(struct gp_arena *mem, const char *xml)
{
    const char *text = NULL;

    return went_well(gp_domain_canonical(mem, xml, &text), xml) ? text : NULL;
}

/* Text between elements, which only metadata has, is joined where an edit takes out what is between. */
static bool same_form(struct gp_arena *mem, const char *form, const char *other)
{
    char *one = gp_strdup(mem, form), *two = gp_strdup(mem, other);

    if (!one || !two)
        return one == two;
    drop_blanks(one);
    drop_blanks(two);
    return gp_streq(one, two);
}

/* Whether libxml2 reads what it prints as what it printed: it does not escape every blank in namespaces. */
static bool prints_true(struct gp_arena *mem, const char *xml)
{
    const char *text[2] = {NULL, NULL};

    for (int i = 0; i < 2; i++) {
        gp_cleanup(gp_xml_doc_free_p) xmlDoc *doc = NULL;
        const char *from = i ? text[0] : xml;

        if (!went_well(gp_tree_parse(from, strlen(from), &doc), xml))
            return false;
        text[i] = gp_tree_text(mem, doc, xmlDocGetRootElement(doc));
    }
    return gp_streq(text[0], text[1]);
}

/* ---- editing ---- */

static void drop_if_bare(xmlNode *node)
{
    if (node && gp_tree_is_empty(node) && !node->properties)
        gp_tree_remove(node);
}

/* What @edit may change of @hostdev. */
static void blur(const struct gp_edit *edit, xmlNode *hostdev)
{
    xmlNode *source = gp_tree_child(hostdev, "source"), *node;
    bool new_kind = edit->kind == GP_EDIT_REBIND && edit->before.kind != edit->after.kind;

    if (edit->kind == GP_EDIT_ATTACH || edit->kind == GP_EDIT_DETACH || new_kind) {
        gp_tree_remove(hostdev);
        return;
    }
    while (edit->kind == GP_EDIT_REBIND && (node = gp_tree_child(source, "address")))
        gp_tree_remove(node);
    node = gp_tree_child(hostdev, "alias");
    if (edit->kind == GP_EDIT_MARK && node)
        gp_tree_remove(node);
}

/* All that @edit may not change, in a form to compare. NULL: it has none. */
static const char *rest(struct gp_arena *mem, const char *xml, const struct gp_edit *edit)
{
    gp_cleanup(gp_xml_doc_free_p) xmlDoc *doc = NULL;
    gp_cleanup(gp_xml_chars_free_p) xmlChar *text = NULL;
    xmlNode *root, *mark;
    int size;

    if (!went_well(gp_tree_parse(xml, strlen(xml), &doc), xml))
        return NULL;
    root = xmlDocGetRootElement(doc);
    for (xmlNode *node = gp_tree_child(gp_tree_child(root, "devices"), "hostdev"), *next; node; node = next) {
        struct gp_device device = gp_tree_hostdev(mem, node);

        next = gp_tree_next(node, "hostdev");
        if (gp_device_eq(device, edit->before) || gp_device_eq(device, edit->after))
            blur(edit, node);
    }
    while ((mark = gp_tree_mark(root, NULL)))
        gp_tree_remove(mark);
    while (root->prev)
        gp_tree_drop(root->prev);
    while (root->next)
        gp_tree_drop(root->next);
    drop_if_bare(gp_tree_child(root, "metadata"));
    drop_if_bare(gp_tree_child(root, "devices"));
    size = xmlC14NDocDumpMemory(doc, NULL, XML_C14N_1_0, NULL, 1, &text);
    if (size >= 0)
        drop_blanks((char *)text);
    return size < 0 ? NULL : gp_strdup(mem, (const char *)text);
}

static const struct gp_hostdev *find(const struct gp_domain_facts *facts, struct gp_device device)
{
    for (size_t i = 0; i < facts->dev_count; i++)
        if (gp_device_eq(facts->devs[i].device, device))
            return &facts->devs[i];
    return NULL;
}

struct base {
    struct gp_arena *mem;
    const char *xml, *host, *form; /* form: NULL if it has no canonical one */
    struct gp_domain_facts facts;
};

/* What was set is what is read; the other hostdevs are as many as they were. */
static void reads_as_set(const struct base *base, const struct gp_edit *edit, const char *edited)
{
    bool keeps = edit->kind != GP_EDIT_DETACH;
    struct gp_device there = edit->kind == GP_EDIT_MARK ? edit->before : edit->after;
    const struct gp_hostdev *dev;
    struct gp_domain_facts facts;
    size_t expected = base->facts.dev_count;

    must(went_well(gp_domain_read(base->mem, edited, strlen(edited), base->host, &facts), edited),
         "what was edited cannot be read", base->xml, edited);
    facts_hold(&facts, edited);
    expected += edit->kind == GP_EDIT_ATTACH && !find(&base->facts, edit->after);
    expected -= edit->kind == GP_EDIT_DETACH && find(&base->facts, edit->before);
    must(facts.dev_count == expected, "the number of hostdevs", base->xml, edited);
    dev = find(&facts, there);
    if (!keeps)
        return;
    must(dev && dev->ours, "what was given is not ours", base->xml, edited);
    must(facts.mark_fits && gp_streq(facts.mark->binding, "desktops") && gp_streq(facts.mark->pool, "vdi"),
         "the mark says something else", base->xml, edited);
}

/* NULL: it was refused. */
static const char *done(const struct base *base, const char *xml, const struct gp_edit *edit)
{
    const char *edited = NULL;

    return went_well(gp_domain_edit(base->mem, xml, edit, &edited), xml) ? edited : NULL;
}

static void edit_holds(const struct base *base, enum gp_edit_kind kind, struct gp_device before,
                       struct gp_device after)
{
    const struct gp_edit edit = {
        .kind = kind,
        .before = before,
        .after = after,
        .mark = {.host = base->host, .binding = "desktops", .pool = "vdi", .partition = "slot3/2"},
    };
    const struct gp_edit undo = {
        .kind = kind == GP_EDIT_ATTACH ? GP_EDIT_DETACH : GP_EDIT_REBIND,
        .before = after,
        .after = before,
        .mark = edit.mark,
    };
    const char *edited = done(base, base->xml, &edit), *again, *back;

    if (!edited)
        return;
    must(gp_streq(rest(base->mem, base->xml, &edit), rest(base->mem, edited, &edit)), "something else has changed",
         base->xml, edited);
    must(went_well(gp_domain_check(base->mem, edited, &edit), edited), "it is not done", base->xml, edited);
    reads_as_set(base, &edit, edited);
    again = done(base, edited, &edit);
    must(again && gp_streq(again, edited), "twice is not once", edited, again);
    if (kind != GP_EDIT_MARK)
        must(same_form(base->mem, base->form, canonical(base->mem, edited)), "the canonical form has changed",
             base->xml, edited);
    if ((kind != GP_EDIT_ATTACH && kind != GP_EDIT_REBIND) || find(&base->facts, after))
        return;
    back = done(base, edited, &undo);
    must(back != NULL, "there is no way back", edited, NULL);
    must(same_form(base->mem, base->form, canonical(base->mem, back)), "the way back leads elsewhere", base->xml,
         back);
    must(!find(&base->facts, after) && (kind == GP_EDIT_ATTACH || gp_streq(rest(base->mem, base->xml, &edit),
                                                                           rest(base->mem, back, &edit))),
         "something is left behind", base->xml, back);
}

static void edits_hold(const struct base *base)
{
    static const struct gp_device none;
    size_t most = base->facts.dev_count < HAVE_MOST ? base->facts.dev_count : HAVE_MOST;

    for (size_t i = 0; i < NEW_COUNT; i++)
        edit_holds(base, GP_EDIT_ATTACH, none, news[i]);
    for (size_t i = 0; i < most; i++) {
        struct gp_device device = base->facts.devs[i].device;

        edit_holds(base, GP_EDIT_ATTACH, none, device);
        edit_holds(base, GP_EDIT_DETACH, device, none);
        edit_holds(base, GP_EDIT_MARK, device, none);
        for (size_t n = 0; n < NEW_COUNT; n++)
            edit_holds(base, GP_EDIT_REBIND, device, news[n]);
    }
}

static void say_nothing(void *data, const char *format, ...)
{
    (void)data;
    (void)format;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *xml = gp_strndup(mem, (const char *)data, strnlen((const char *)data, size)), *again;
    struct base base = {.mem = mem, .xml = xml, .host = HOST};
    struct gp_domain_facts facts;

    xmlSetGenericErrorFunc(NULL, say_nothing);
    (void)went_well(gp_domain_read(mem, (const char *)data, size, HOST, &facts), xml); /* what has NULs in it */
    base.form = canonical(mem, xml);
    again = base.form ? canonical(mem, base.form) : NULL;
    must(!base.form || gp_streq(base.form, again), "the canonical form of the canonical form is another", base.form,
         again);
    if (!went_well(gp_domain_read(mem, xml, strlen(xml), HOST, &facts), xml))
        return 0;
    facts_hold(&facts, xml);
    if (facts.mark && facts.mark->host)
        base.host = facts.mark->host;
    must(went_well(gp_domain_read(mem, xml, strlen(xml), base.host, &base.facts), xml), "read again it fails", xml,
         NULL);
    if (!prints_true(mem, xml))
        return 0;
    outline_holds(mem, xml, base.host, &base.facts);
    edits_hold(&base);
    return 0;
}
