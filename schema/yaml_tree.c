#include "yaml_tree.h"

#include "cleanup.h"
#include "text.h"

#include <string.h>
#include <yaml.h>

struct gp_yaml_reader {
    yaml_parser_t parser;
    struct gp_mistakes *mistakes;
    const struct gp_source *source;
    struct gp_arena *keep, *nodes;
    size_t documents, node_count;
    bool ended; /* nothing more can be read */
};

struct gp_span gp_yaml_span(const struct gp_source *source, const struct gp_yaml *node)
{
    return (struct gp_span){source, node->line, node->column};
}

static struct gp_span span(const struct gp_yaml_reader *r, yaml_mark_t mark)
{
    return (struct gp_span){r->source, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

struct gp_yaml_reader *gp_yaml_open(struct gp_mistakes *mistakes, const struct gp_source *source,
                                    struct gp_arena *keep, struct gp_arena *nodes)
{
    struct gp_yaml_reader *r = calloc(1, sizeof *r);
    struct gp_span at;
    const char *why;

    if (!r || !yaml_parser_initialize(&r->parser))
        abort(); /* out of memory, see arena.h */
    r->mistakes = mistakes;
    r->source = source;
    r->keep = keep;
    r->nodes = nodes;
    if (source->size > GP_YAML_MAX_BYTES) {
        gp_mistake(mistakes, "GP-E006", (struct gp_span){source, 1, 1},
                   "the file has %zu bytes; at most %d MiB are read", source->size,
                   GP_YAML_MAX_BYTES >> 20);
        r->ended = true;
    } else if (!gp_yaml_bytes_ok(source, &at, &why)) {
        gp_mistake(mistakes, "GP-E001", at, "%s", why);
        r->ended = true;
    }
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)source->text, source->size);
    return r;
}

void gp_yaml_close(struct gp_yaml_reader *reader)
{
    if (!reader)
        return;
    yaml_parser_delete(&reader->parser);
    free(reader);
}

void gp_yaml_close_p(struct gp_yaml_reader **reader)
{
    gp_yaml_close(*reader);
}

static void event_done(yaml_event_t *event)
{
    yaml_event_delete(event);
}

static bool stop(struct gp_yaml_reader *r)
{
    r->ended = true;
    return false;
}

static bool next_event(struct gp_yaml_reader *r, yaml_event_t *ret)
{
    const yaml_parser_t *p = &r->parser;

    if (yaml_parser_parse(&r->parser, ret))
        return true;
    memset(ret, 0, sizeof *ret);
    if (p->error == YAML_MEMORY_ERROR)
        abort();
    gp_mistake(r->mistakes, "GP-E001", span(r, p->problem_mark), "this is not YAML: %s%s%s",
               p->problem ? p->problem : "unreadable", p->context ? ", " : "",
               p->context ? p->context : "");
    return stop(r);
}

static struct gp_yaml *node_new(struct gp_yaml_reader *r, const yaml_event_t *event,
                                enum gp_yaml_kind kind)
{
    struct gp_yaml *node = gp_new(r->nodes, struct gp_yaml);

    node->kind = kind;
    node->line = (uint32_t)event->start_mark.line + 1;
    node->column = (uint32_t)event->start_mark.column + 1;
    return node;
}

/* Tells what the small YAML leaves out; @anchor and @tag may be NULL. */
static void refuse_properties(struct gp_yaml_reader *r, const yaml_event_t *event,
                              const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        gp_mistake(r->mistakes, "GP-E005", span(r, event->start_mark),
                   "anchor %s: a declaration has no anchors or aliases; write the value out",
                   gp_quote(r->mistakes->mem, (const char *)anchor));
    if (tag)
        gp_mistake(r->mistakes, "GP-E005", span(r, event->start_mark),
                   "tag %s: a declaration has no tags; the key decides what its value is",
                   gp_quote(r->mistakes->mem, (const char *)tag));
}

/* One comparison of all pairs is cheaper than sorting where there are few. */
enum { FEW_KEYS = 16 };

static int by_text(const void *a, const void *b)
{
    const struct gp_yaml *const *x = a, *const *y = b;
    const int order = strcmp((*x)->text, (*y)->text);

    if (order)
        return order;
    return (*x)->line != (*y)->line ? ((*x)->line < (*y)->line ? -1 : 1)
                                    : ((*x)->column > (*y)->column) - ((*x)->column < (*y)->column);
}

static void told_twice(struct gp_yaml_reader *r, const struct gp_yaml *first, struct gp_yaml *again)
{
    gp_mistake(r->mistakes, "GP-E004", gp_yaml_span(r->source, again),
               "key %s stands here a second time; the first is in line %u",
               gp_quote(r->mistakes->mem, again->text), first->line);
    again->kind = GP_YAML_BROKEN;
}

static void refuse_duplicates(struct gp_yaml_reader *r, struct gp_yaml *mapping)
{
    struct gp_yaml **keys;
    size_t n = 0;

    if (mapping->count <= FEW_KEYS) {
        for (struct gp_yaml *a = mapping->first; a; a = a->next)
            for (struct gp_yaml *b = a->next; b && a->kind == GP_YAML_SCALAR; b = b->next)
                if (b->kind == GP_YAML_SCALAR && strcmp(a->text, b->text) == 0)
                    told_twice(r, a, b);
        return;
    }
    keys = gp_new_array(r->nodes, struct gp_yaml *, mapping->count);
    for (struct gp_yaml *key = mapping->first; key; key = key->next)
        if (key->kind == GP_YAML_SCALAR)
            keys[n++] = key;
    qsort(keys, n, sizeof *keys, by_text);
    for (size_t i = 1, first = 0; i < n; i++) {
        if (strcmp(keys[first]->text, keys[i]->text) == 0)
            told_twice(r, keys[first], keys[i]);
        else
            first = i;
    }
}

static bool build(struct gp_yaml_reader *r, const yaml_event_t *event, unsigned depth, bool is_key,
                  struct gp_yaml **ret);

static bool build_scalar(struct gp_yaml_reader *r, const yaml_event_t *event, bool is_key,
                         struct gp_yaml **ret)
{
    const char *text = (const char *)event->data.scalar.value;
    const size_t size = event->data.scalar.length;
    struct gp_yaml *node = node_new(r, event, GP_YAML_SCALAR);

    refuse_properties(r, event, event->data.scalar.anchor, event->data.scalar.tag);
    if (memchr(text, '\0', size)) {
        gp_mistake(r->mistakes, "GP-E001", span(r, event->start_mark),
                   "the text holds a NUL byte; no name or value has one");
        node->kind = GP_YAML_BROKEN;
    }
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = gp_strndup(is_key ? r->nodes : r->keep, text, size);
    *ret = node;
    return true;
}

static bool build_sequence(struct gp_yaml_reader *r, const yaml_event_t *event, unsigned depth,
                           struct gp_yaml **ret)
{
    struct gp_yaml *node = node_new(r, event, GP_YAML_SEQUENCE), **link = &node->first;

    refuse_properties(r, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    for (;;) {
        gp_cleanup(event_done) yaml_event_t item = {0};

        if (!next_event(r, &item))
            return false;
        if (item.type == YAML_SEQUENCE_END_EVENT)
            break;
        if (!build(r, &item, depth + 1, false, link))
            return false;
        link = &(*link)->next;
        node->count++;
    }
    *ret = node;
    return true;
}

static void check_key(struct gp_yaml_reader *r, struct gp_yaml *key)
{
    if (key->kind == GP_YAML_SEQUENCE || key->kind == GP_YAML_MAPPING) {
        gp_mistake(r->mistakes, "GP-E001", gp_yaml_span(r->source, key),
                   "a key is one word, not a list or further keys");
        key->kind = GP_YAML_BROKEN;
    } else if (key->kind == GP_YAML_SCALAR && key->plain && strcmp(key->text, "<<") == 0) {
        gp_mistake(r->mistakes, "GP-E005", gp_yaml_span(r->source, key),
                   "merge key '<<': a declaration has none; write the keys out");
        key->kind = GP_YAML_BROKEN;
    }
}

static bool build_mapping(struct gp_yaml_reader *r, const yaml_event_t *event, unsigned depth,
                          struct gp_yaml **ret)
{
    struct gp_yaml *node = node_new(r, event, GP_YAML_MAPPING), **link = &node->first;

    refuse_properties(r, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    for (;;) {
        gp_cleanup(event_done) yaml_event_t key = {0}, value = {0};

        if (!next_event(r, &key))
            return false;
        if (key.type == YAML_MAPPING_END_EVENT)
            break;
        if (!build(r, &key, depth + 1, true, link))
            return false;
        check_key(r, *link);
        if (!next_event(r, &value) || !build(r, &value, depth + 1, false, &(*link)->value))
            return false;
        link = &(*link)->next;
        node->count++;
    }
    refuse_duplicates(r, node);
    *ret = node;
    return true;
}

/* Builds the node that begins with @event. Depth is bounded, so recursion is. */
static bool build(struct gp_yaml_reader *r, const yaml_event_t *event, unsigned depth, bool is_key,
                  struct gp_yaml **ret)
{
    if (++r->node_count > GP_YAML_MAX_NODES) {
        gp_mistake(r->mistakes, "GP-E006", span(r, event->start_mark),
                   "the file has more than %d values; divide it", GP_YAML_MAX_NODES);
        return stop(r);
    }
    if (event->type == YAML_SCALAR_EVENT)
        return build_scalar(r, event, is_key, ret);
    if (event->type == YAML_ALIAS_EVENT) {
        gp_mistake(r->mistakes, "GP-E005", span(r, event->start_mark),
                   "alias %s: a declaration has no anchors or aliases; write the value out",
                   gp_quote(r->mistakes->mem, (const char *)event->data.alias.anchor));
        *ret = node_new(r, event, GP_YAML_BROKEN);
        return true;
    }
    if (depth > GP_YAML_MAX_DEPTH) {
        gp_mistake(r->mistakes, "GP-E006", span(r, event->start_mark),
                   "lists and keys are nested more than %d deep", GP_YAML_MAX_DEPTH);
        return stop(r);
    }
    return event->type == YAML_SEQUENCE_START_EVENT ? build_sequence(r, event, depth, ret)
                                                    : build_mapping(r, event, depth, ret);
}

static bool check_directives(struct gp_yaml_reader *r, const yaml_event_t *event)
{
    const yaml_version_directive_t *version = event->data.document_start.version_directive;

    if (version && (version->major != 1 || version->minor != 2)) {
        gp_mistake(r->mistakes, "GP-E001", span(r, event->start_mark),
                   "%%YAML %d.%d: a declaration is YAML 1.2; leave the directive out",
                   version->major, version->minor);
        return stop(r);
    }
    if (event->data.document_start.tag_directives.start !=
        event->data.document_start.tag_directives.end)
        gp_mistake(r->mistakes, "GP-E005", span(r, event->start_mark),
                   "%%TAG: a declaration has no tags");
    return true;
}

bool gp_yaml_next(struct gp_yaml_reader *reader, struct gp_yaml **ret_root)
{
    while (!reader->ended) {
        gp_cleanup(event_done) yaml_event_t event = {0};

        if (!next_event(reader, &event))
            return false;
        if (event.type == YAML_STREAM_END_EVENT)
            return stop(reader);
        if (event.type == YAML_DOCUMENT_START_EVENT) {
            if (++reader->documents > GP_YAML_MAX_DOCUMENTS) {
                gp_mistake(reader->mistakes, "GP-E006", span(reader, event.start_mark),
                           "the file has more than %d documents; divide it", GP_YAML_MAX_DOCUMENTS);
                return stop(reader);
            }
            if (!check_directives(reader, &event))
                return false;
        } else if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_END_EVENT) {
            *ret_root = NULL;
            if (!build(reader, &event, 1, false, ret_root))
                return false;
            if ((*ret_root)->kind == GP_YAML_SCALAR && (*ret_root)->plain && !*(*ret_root)->text)
                *ret_root = NULL;
            return true;
        }
    }
    return false;
}
