#include "decode.h"

#include "text.h"

#include <string.h>

struct gp_span gp_decoder_span(const struct gp_decoder *decoder, const struct gp_yaml *node)
{
    return gp_yaml_span(decoder->source, node);
}

const struct gp_yaml *gp_yaml_get(const struct gp_yaml *mapping, const char *key)
{
    if (!mapping || mapping->kind != GP_YAML_MAPPING)
        return NULL;
    for (const struct gp_yaml *k = mapping->first; k; k = k->next)
        if (k->kind == GP_YAML_SCALAR && strcmp(k->text, key) == 0)
            return k->value;
    return NULL;
}

/* What @node is, in the user's terms. */
static const char *what_is(struct gp_arena *mem, const struct gp_yaml *node)
{
    if (node->kind == GP_YAML_SEQUENCE)
        return "a list";
    if (node->kind == GP_YAML_MAPPING)
        return "keys of its own";
    if (node->plain && !*node->text)
        return "nothing";
    return node->plain ? gp_quote(mem, node->text)
                       : gp_printf(mem, "the quoted text %s", gp_quote(mem, node->text));
}

static const char *const *near_words(struct gp_arena *mem, const struct gp_field *field)
{
    static const char *const none[] = {NULL};
    const char **near;
    size_t n = 0;

    if (field->form && field->form->words)
        return field->form->words();
    if (field->form && field->form->near)
        return field->form->near;
    if (!field->words)
        return none;
    while (field->words[n])
        n++;
    near = gp_new_array(mem, const char *, n + 1);
    memcpy(near, field->words, n * sizeof *near);
    return near;
}

static const char *unit_hint(struct gp_arena *mem, const struct gp_field *field, const char *text)
{
    static const char *const size_units[] = {"KiB", "MiB", "GiB", "TiB", NULL};
    static const struct {
        const char *word, *unit;
    } words[] = {{"", "s"},      {"s", "s"},       {"sec", "s"}, {"seconds", "s"}, {"m", "m"},
                 {"min", "m"},   {"minutes", "m"}, {"h", "h"},   {"hr", "h"},      {"hour", "h"},
                 {"hours", "h"}, {"d", "d"},       {"day", "d"}, {"days", "d"},    {NULL, NULL}};
    const size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits + strspn(text + digits, " ");

    if (!digits || *text == '0' || digits > 4)
        return "";
    if (field->kind == GP_FIELD_SIZE) {
        for (size_t i = 0; size_units[i]; i++)
            if (*unit && (*unit | 0x20) == (*size_units[i] | 0x20) && strlen(unit) <= 3)
                return gp_printf(mem, "; did you mean '%.*s%s'?", (int)digits, text, size_units[i]);
        return "";
    }
    for (size_t i = 0; words[i].word; i++)
        if (strcmp(words[i].word, unit) == 0)
            return gp_printf(mem, "; did you mean '%.*s%s'?", (int)digits, text, words[i].unit);
    return "";
}

static void refuse(struct gp_decoder *d, const char *rule, const struct gp_field *field,
                   const struct gp_yaml *node)
{
    struct gp_arena *mem = d->mem;
    const char *hint = "";

    if (node->kind == GP_YAML_SCALAR)
        hint = strcmp(rule, "GP-E009") == 0
                   ? unit_hint(mem, field, node->text)
                   : gp_did_you_mean(mem, node->text, near_words(mem, field));
    gp_mistake(d->mistakes, rule, gp_decoder_span(d, node), "'%s' takes %s, not %s%s", field->key,
               gp_field_takes(mem, field), what_is(mem, node), hint);
}

/* True if @node is a scalar that holds something; tells the mistake if not. */
static bool is_scalar(struct gp_decoder *d, const struct gp_field *field,
                      const struct gp_yaml *node)
{
    if (node->kind == GP_YAML_BROKEN)
        return false;
    if (node->kind == GP_YAML_SCALAR && (!node->plain || *node->text))
        return true;
    refuse(d, "GP-E007", field, node);
    return false;
}

static void decode_scalar(struct gp_decoder *d, const struct gp_field *field,
                          const struct gp_yaml *node, void *slot)
{
    const char *rule;

    if (!is_scalar(d, field, node))
        return;
    rule = gp_scalar_parse(d->mem, field, node->text, node->plain, slot);
    if (rule)
        refuse(d, rule, field, node);
    else if (field->form && field->form->check)
        field->form->check(d, node, field->key, *(const char *const *)slot);
}

static bool is_sequence(struct gp_decoder *d, const struct gp_field *field,
                        const struct gp_yaml *node)
{
    if (node->kind == GP_YAML_SEQUENCE)
        return true;
    if (node->kind != GP_YAML_BROKEN)
        refuse(d, "GP-E007", field, node);
    return false;
}

/* An item of a list is told about as what one item may be. */
static void refuse_item(struct gp_decoder *d, const struct gp_field *field,
                        const struct gp_yaml *item)
{
    const char *takes = field->kind == GP_FIELD_STRINGS
                            ? field->form->what
                            : gp_field_takes(d->mem, field) + strlen("a list of ");

    gp_mistake(d->mistakes, "GP-E007", gp_decoder_span(d, item), "an item of '%s' is %s, not %s%s",
               field->key, takes, what_is(d->mem, item),
               item->kind == GP_YAML_SCALAR
                   ? gp_did_you_mean(d->mem, item->text, near_words(d->mem, field))
                   : "");
}

static void decode_strings(struct gp_decoder *d, const struct gp_field *field,
                           const struct gp_yaml *node, struct gp_strings *slot)
{
    *slot = (struct gp_strings){0};
    for (const struct gp_yaml *item = node->first; item; item = item->next) {
        const char *text = NULL;

        if (item->kind == GP_YAML_BROKEN)
            continue;
        if (item->kind != GP_YAML_SCALAR || (item->plain && !*item->text) ||
            gp_scalar_parse(d->mem, field, item->text, item->plain, &text)) {
            refuse_item(d, field, item);
            continue;
        }
        if (field->form->check)
            field->form->check(d, item, field->key, text);
        *gp_push(d->mem, slot->items, slot->count) = text;
    }
    if (!node->first && field->some)
        gp_mistake(d->mistakes, "GP-E007", gp_decoder_span(d, node),
                   "'%s' is an empty list; leave it out or write at least one item: %s", field->key, field->form->what);
}

static void decode_words(struct gp_decoder *d, const struct gp_field *field,
                         const struct gp_yaml *node, void *slot)
{
    unsigned bits = 0, n = 0;

    if (field->kind == GP_FIELD_METHODS)
        memset(slot, 0, 2 * sizeof(enum gp_stop_method));
    for (const struct gp_yaml *item = node->first; item; item = item->next) {
        unsigned word = 0;

        if (item->kind == GP_YAML_BROKEN)
            continue;
        while (item->kind == GP_YAML_SCALAR && field->words[word] &&
               (!*item->text || strcmp(field->words[word], item->text) != 0))
            word++;
        if (item->kind != GP_YAML_SCALAR || !field->words[word]) {
            refuse_item(d, field, item);
        } else if (bits & 1U << word) {
            gp_mistake(d->mistakes, "GP-E007", gp_decoder_span(d, item),
                       "%s stands a second time in '%s'", gp_quote(d->mem, item->text), field->key);
        } else {
            if (field->kind == GP_FIELD_METHODS)
                ((enum gp_stop_method *)slot)[n++] = word;
            bits |= 1U << word;
        }
    }
    if (field->kind == GP_FIELD_FLAGS)
        *(unsigned *)slot = bits;
    else if (field->kind == GP_FIELD_DAYS)
        *(uint8_t *)slot = (uint8_t)bits;
    if (!node->first && field->some)
        gp_mistake(d->mistakes, "GP-E007", gp_decoder_span(d, node),
                   "'%s' is an empty list; leave it out or name at least one of %s", field->key,
                   gp_field_takes(d->mem, field) + strlen("a list of "));
}

static void decode_object(struct gp_decoder *d, const struct gp_table *table,
                          const struct gp_yaml *node, const char *key, bool item, void *object);

/* The number of items is known, so one allocation holds them all. */
static void decode_objects(struct gp_decoder *d, const struct gp_field *field,
                           const struct gp_yaml *node, char *base)
{
    const size_t size = field->table->size;
    char *items = gp_arena_alloc(d->mem, size * (node->count ? node->count : 1));
    size_t count = 0;

    for (const struct gp_yaml *item = node->first; item; item = item->next)
        decode_object(d, field->table, item, field->key, true, items + size * count++);
    *(char **)(base + field->offset) = count ? items : NULL;
    *(size_t *)(base + field->count_offset) = count;
}

static void decode_field(struct gp_decoder *d, const struct gp_field *field,
                         const struct gp_yaml *node, char *base)
{
    void *slot = base + field->offset;

    if (field->at)
        *(struct gp_span *)(base + field->at - 1) = gp_decoder_span(d, node);
    if (field->given)
        *(bool *)(base + field->given - 1) = true;
    switch (field->kind) {
    case GP_FIELD_CONST: /* gp_decode_document() looked at it */
        break;
    case GP_FIELD_OBJECT:
        decode_object(d, field->table, node, field->key, false, slot);
        break;
    case GP_FIELD_OBJECTS:
        if (is_sequence(d, field, node))
            decode_objects(d, field, node, base);
        break;
    case GP_FIELD_STRINGS:
        if (is_sequence(d, field, node))
            decode_strings(d, field, node, slot);
        break;
    case GP_FIELD_FLAGS:
    case GP_FIELD_DAYS:
    case GP_FIELD_METHODS:
        if (is_sequence(d, field, node))
            decode_words(d, field, node, slot);
        break;
    default:
        decode_scalar(d, field, node, slot);
    }
}

/* Returns the bit of the key that was meant, so that it is not told as missing too; 0: none is
 * near. */
static uint64_t refuse_key(struct gp_decoder *d, const struct gp_table *table,
                           const struct gp_yaml *key)
{
    const char **keys = gp_new_array(d->mem, const char *, table->field_count + 1);
    const char *nearest, *hint;

    for (size_t i = 0; i < table->field_count; i++)
        keys[i] = table->fields[i].key;
    nearest = gp_nearest(key->text, keys);
    hint = nearest ? gp_printf(d->mem, "; did you mean '%s'?", nearest)
                   : gp_printf(d->mem, "; there are %s", gp_list_or(d->mem, keys));
    gp_mistake(d->mistakes, "GP-E002", gp_decoder_span(d, key), "there is no key %s here%s",
               gp_quote(d->mem, key->text), hint);
    for (size_t i = 0; i < table->field_count; i++)
        if (nearest == keys[i])
            return 1ULL << i;
    return 0;
}

/* "'spec'", "an item of 'vms'" */
static const char *object_name(struct gp_arena *mem, const char *key, bool item)
{
    return gp_printf(mem, item ? "an item of %s" : "%s", gp_quote(mem, key));
}

static void check_written(struct gp_decoder *d, const struct gp_table *table,
                          const struct gp_yaml *node, const char *key, bool item, uint64_t seen)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct gp_field *field = &table->fields[i];

        if (field->required && !(seen & 1ULL << i))
            gp_mistake(d->mistakes, "GP-E008", gp_decoder_span(d, node),
                       "%s lacks the key '%s': %s", object_name(d->mem, key, item), field->key,
                       field->doc);
        if (field->needs && seen & 1ULL << i && !gp_yaml_get(node, field->needs))
            gp_mistake(d->mistakes, "GP-E008", gp_decoder_span(d, node),
                       "%s lacks the key '%s', which must stand beside '%s'",
                       object_name(d->mem, key, item), field->needs, field->key);
    }
    if (node->count < table->least) {
        const char **keys = gp_new_array(d->mem, const char *, table->field_count + 1);

        for (size_t i = 0; i < table->field_count; i++)
            keys[i] = table->fields[i].key;
        gp_mistake(d->mistakes, "GP-E008", gp_decoder_span(d, node),
                   "%s is empty; it takes at least one of %s", object_name(d->mem, key, item),
                   gp_list_or(d->mem, keys));
    }
}

static void decode_object(struct gp_decoder *d, const struct gp_table *table,
                          const struct gp_yaml *node, const char *key, bool item, void *object)
{
    uint64_t seen = 0, meant = 0;

    gp_table_defaults(d->mem, table, object);
    if (table->at)
        *(struct gp_span *)((char *)object + table->at - 1) = gp_decoder_span(d, node);
    if (node->kind == GP_YAML_BROKEN)
        return;
    if (node->kind != GP_YAML_MAPPING) {
        gp_mistake(d->mistakes, "GP-E007", gp_decoder_span(d, node),
                   "%s takes keys of its own, not %s", object_name(d->mem, key, item),
                   what_is(d->mem, node));
        return;
    }
    for (const struct gp_yaml *k = node->first; k; k = k->next) {
        size_t i = 0;

        if (k->kind != GP_YAML_SCALAR)
            continue;
        while (i < table->field_count && strcmp(table->fields[i].key, k->text) != 0)
            i++;
        if (i == table->field_count) {
            meant |= refuse_key(d, table, k);
            continue;
        }
        seen |= 1ULL << i;
        decode_field(d, &table->fields[i], k->value, object);
    }
    check_written(d, table, node, key, item, seen | meant);
    if (table->check)
        table->check(d, node, object);
}

static void default_words(const struct gp_field *field, void *slot)
{
    const char *at = field->fallback;
    unsigned bits = 0, n = 0;

    while (*at) {
        const size_t size = strcspn(at, ", ");
        unsigned word = 0;

        while (strncmp(field->words[word], at, size) != 0 || field->words[word][size])
            word++;
        bits |= 1U << word;
        if (field->kind == GP_FIELD_METHODS)
            ((enum gp_stop_method *)slot)[n++] = word;
        at += size + strspn(at + size, ", ");
    }
    if (field->kind == GP_FIELD_FLAGS)
        *(unsigned *)slot = bits;
    else if (field->kind == GP_FIELD_DAYS)
        *(uint8_t *)slot = (uint8_t)bits;
}

void gp_table_defaults(struct gp_arena *mem, const struct gp_table *table, void *object)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct gp_field *field = &table->fields[i];
        void *slot = (char *)object + field->offset;

        if (field->kind == GP_FIELD_OBJECT) {
            gp_table_defaults(mem, field->table, slot);
        } else if (field->kind == GP_FIELD_FLAGS || field->kind == GP_FIELD_DAYS ||
                   field->kind == GP_FIELD_METHODS) {
            if (field->fallback)
                default_words(field, slot);
        } else if (field->fallback) {
            (void)gp_scalar_parse(mem, field, field->fallback, true, slot);
        } else if (field->unset && field->kind == GP_FIELD_U32) {
            *(uint32_t *)slot = (uint32_t)field->unset;
        } else if (field->unset && field->kind == GP_FIELD_U64) {
            *(uint64_t *)slot = field->unset;
        }
    }
}

const char gp_api_version[] = "gpupart/v1";

const struct gp_kind *const gp_kinds[] = {&gp_kind_cluster, &gp_kind_binding, &gp_kind_agent, NULL};

const struct gp_kind *gp_kind_find(const char *name)
{
    for (size_t i = 0; gp_kinds[i]; i++)
        if (strcmp(gp_kinds[i]->name, name) == 0)
            return gp_kinds[i];
    return NULL;
}

static bool check_version(struct gp_decoder *d, const struct gp_yaml *root)
{
    const struct gp_yaml *version = gp_yaml_get(root, "apiVersion");

    if (!version || version->kind == GP_YAML_BROKEN)
        return true; /* decoding the document tells that it is missing */
    if (version->kind == GP_YAML_SCALAR && strcmp(version->text, gp_api_version) == 0)
        return true;
    gp_mistake(d->mistakes, "GP-E003", gp_decoder_span(d, version),
               "'apiVersion' takes %s, not %s: this version of gpupart knows no other",
               gp_api_version, what_is(d->mem, version));
    return false;
}

static const struct gp_kind *read_kind(struct gp_decoder *d, const struct gp_yaml *root)
{
    const struct gp_yaml *kind = gp_yaml_get(root, "kind");
    const struct gp_kind *found;
    const char *names[] = {gp_kind_cluster.name, gp_kind_binding.name, gp_kind_agent.name, NULL};

    if (!kind) {
        gp_mistake(d->mistakes, "GP-E008", gp_decoder_span(d, root),
                   "the document lacks the key 'kind': %s", gp_list_or(d->mem, names));
        return NULL;
    }
    if (kind->kind == GP_YAML_BROKEN)
        return NULL;
    found = kind->kind == GP_YAML_SCALAR ? gp_kind_find(kind->text) : NULL;
    if (!found)
        gp_mistake(d->mistakes, "GP-E003", gp_decoder_span(d, kind), "'kind' takes %s, not %s%s",
                   gp_list_or(d->mem, names), what_is(d->mem, kind),
                   kind->kind == GP_YAML_SCALAR ? gp_did_you_mean(d->mem, kind->text, names) : "");
    return found;
}

void *gp_decode_document(struct gp_decoder *d, const struct gp_yaml *root,
                         const struct gp_kind **ret_kind)
{
    const struct gp_kind *kind;
    void *object;

    if (root->kind == GP_YAML_BROKEN)
        return NULL;
    if (root->kind != GP_YAML_MAPPING) {
        gp_mistake(d->mistakes, "GP-E007", gp_decoder_span(d, root),
                   "a document has the keys apiVersion, kind, metadata and spec; this one is %s",
                   what_is(d->mem, root));
        return NULL;
    }
    if (!check_version(d, root))
        return NULL;
    kind = read_kind(d, root);
    if (!kind)
        return NULL;
    object = gp_arena_alloc(d->mem, kind->table->size);
    decode_object(d, kind->table, root, kind->name, false, object);
    *ret_kind = kind;
    return object;
}
