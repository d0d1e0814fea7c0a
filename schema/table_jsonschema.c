/* The tables as JSON Schema: it takes exactly what the decoder takes, as far as one document's form
 * goes. Fact: https://json-schema.org/draft/2020-12 */
#include "print.h"

#include "cleanup.h"
#include "table.h"
#include "text.h"

#include <jansson.h>
#include <string.h>

static const char dialect[] = "https://json-schema.org/draft/2020-12/schema";

static json_t *must(json_t *value)
{
    if (!value)
        abort(); /* out of memory, see arena.h; or text that is not UTF-8, which tables have not */
    return value;
}

static void put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, must(value)) < 0)
        abort();
}

static void add(json_t *array, json_t *value)
{
    if (json_array_append_new(array, must(value)) < 0)
        abort();
}

static json_t *words_json(const char *const *words)
{
    json_t *list = json_array();

    for (; *words; words++)
        if (**words)
            add(list, json_string(*words));
    return list;
}

/* Each alternative begins at the first character and ends at the last. */
static json_t *pattern_json(struct gp_arena *mem, const char *pattern)
{
    return json_string(gp_printf(mem, "^(?:%s)$", pattern));
}

static json_t *string_json(struct gp_arena *mem, const struct gp_form *form)
{
    json_t *schema = json_object();

    if (form->words) {
        put(schema, "enum", words_json(form->words()));
        return schema;
    }
    if (form->pattern)
        put(schema, "pattern", pattern_json(mem, form->pattern));
    if (form->number_min) {
        /* A plain scalar is text for such a key, whatever a reader with types makes of it. */
        put(schema, "type", json_pack("[s, s, s]", "string", "number", "boolean"));
        put(schema, "minimum", json_real(strtod(form->number_min, NULL)));
        put(schema, "maximum", json_real(strtod(form->number_max, NULL)));
    } else {
        put(schema, "type", json_string("string"));
    }
    return schema;
}

static json_t *list_json(const struct gp_field *field, json_t *items)
{
    json_t *schema = json_pack("{s:s, s:o}", "type", "array", "items", must(items));

    if (field->some)
        put(schema, "minItems", json_integer(1));
    return schema;
}

static json_t *word_list_json(const struct gp_field *field)
{
    json_t *schema = list_json(field, json_pack("{s:o}", "enum", words_json(field->words)));

    put(schema, "uniqueItems", json_true());
    return schema;
}

static json_t *number_json(const struct gp_field *field)
{
    json_t *schema = json_pack("{s:s, s:I}", "type", "integer", "minimum", (json_int_t)field->min);

    if (field->max)
        put(schema, "maximum", json_integer((json_int_t)field->max));
    return schema;
}

static json_t *table_json(struct gp_arena *mem, const struct gp_table *table);

static json_t *kind_json(struct gp_arena *mem, const struct gp_field *field)
{
    switch (field->kind) {
    case GP_FIELD_CONST:
        return json_pack("{s:s}", "const", field->words[0]);
    case GP_FIELD_STRING:
        return string_json(mem, field->form);
    case GP_FIELD_STRINGS:
        return list_json(field, string_json(mem, field->form));
    case GP_FIELD_U32:
    case GP_FIELD_U64:
        return number_json(field);
    case GP_FIELD_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case GP_FIELD_WORD:
    case GP_FIELD_EITHER:
        return json_pack("{s:o}", "enum", words_json(field->words));
    case GP_FIELD_SIZE:
    case GP_FIELD_DURATION:
    case GP_FIELD_TIME:
        return json_pack("{s:s, s:o}", "type", "string", "pattern",
                         pattern_json(mem, gp_field_pattern(field)));
    case GP_FIELD_FLAGS:
    case GP_FIELD_DAYS:
    case GP_FIELD_METHODS:
        return word_list_json(field);
    case GP_FIELD_OBJECT:
        return table_json(mem, field->table);
    case GP_FIELD_OBJECTS:
        return list_json(field, table_json(mem, field->table));
    }
    return NULL;
}

static json_t *default_json(const struct gp_field *field)
{
    switch (field->kind) {
    case GP_FIELD_BOOL:
        return json_boolean(strcmp(field->fallback, "true") == 0);
    case GP_FIELD_U32:
    case GP_FIELD_U64:
        return json_integer(strtoll(field->fallback, NULL, 10));
    case GP_FIELD_DAYS:
    case GP_FIELD_FLAGS:
    case GP_FIELD_METHODS: {
        json_t *list = json_array();

        for (const char *at = field->fallback; *at;) {
            const size_t size = strcspn(at, ", ");

            add(list, json_stringn(at, size));
            at += size + strspn(at + size, ", ");
        }
        return list;
    }
    default:
        return json_string(field->fallback);
    }
}

static json_t *field_json(struct gp_arena *mem, const struct gp_field *field)
{
    json_t *schema = must(kind_json(mem, field));

    put(schema, "description", json_string(field->doc));
    if (field->fallback)
        put(schema, "default", default_json(field));
    if (field->form && field->form->example && field->kind == GP_FIELD_STRING)
        put(schema, "examples", json_pack("[s]", field->form->example));
    return schema;
}

static json_t *table_json(struct gp_arena *mem, const struct gp_table *table)
{
    json_t *schema = json_pack("{s:s, s:b}", "type", "object", "additionalProperties", 0);
    json_t *properties = json_object(), *required = json_array(), *needs = json_object();

    for (size_t i = 0; i < table->field_count; i++) {
        const struct gp_field *field = &table->fields[i];

        put(properties, field->key, field_json(mem, field));
        if (field->required)
            add(required, json_string(field->key));
        if (field->needs)
            put(needs, field->key, json_pack("[s]", field->needs));
    }
    put(schema, "properties", properties);
    if (json_array_size(required))
        put(schema, "required", json_incref(required));
    if (json_object_size(needs))
        put(schema, "dependentRequired", json_incref(needs));
    if (table->least)
        put(schema, "minProperties", json_integer(table->least));
    json_decref(required);
    json_decref(needs);
    return schema;
}

static json_t *one_kind(struct gp_arena *mem, const struct gp_kind *kind)
{
    json_t *schema = table_json(mem, kind->table);

    put(schema, "title", json_string(kind->name));
    put(schema, "description", json_string(kind->doc));
    return schema;
}

/* One schema for all: the kind decides which, so that a message is about that kind and no other. */
static json_t *all_kinds(struct gp_arena *mem)
{
    json_t *branches = json_array(), *definitions = json_object(), *names = json_array();

    for (size_t i = 0; gp_kinds[i]; i++) {
        const char *name = gp_kinds[i]->name;

        put(definitions, name, one_kind(mem, gp_kinds[i]));
        add(names, json_string(name));
        add(branches, json_pack("{s:{s:{s:{s:s}}}, s:{s:s}}", "if", "properties", "kind", "const",
                                name, "then", "$ref", gp_printf(mem, "#/$defs/%s", name)));
    }
    return json_pack("{s:s, s:s, s:s, s:[s, s], s:{s:{s:s}, s:{s:o}}, s:o, s:o}", "title",
                     "gpupart", "description", "What gpupart reads: one document of any kind",
                     "type", "object", "required", "apiVersion", "kind", "properties", "apiVersion",
                     "const", gp_api_version, "kind", "enum", names, "allOf", branches, "$defs",
                     definitions);
}

const char *const *gp_schema_kinds(void)
{
    static const char *names[4];

    for (size_t i = 0; gp_kinds[i]; i++)
        names[i] = gp_kinds[i]->name;
    return names;
}

char *gp_schema_json(const char *kind)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_kind *one = kind ? gp_kind_find(kind) : NULL;
    json_auto_t *schema = NULL;
    char *text, *line;

    if (kind && !one)
        return NULL;
    schema = must(one ? one_kind(mem, one) : all_kinds(mem));
    put(schema, "$schema", json_string(dialect));
    text = json_dumps(schema, JSON_INDENT(2) | JSON_SORT_KEYS);
    if (!text || asprintf(&line, "%s\n", text) < 0)
        abort();
    free(text);
    return line;
}
