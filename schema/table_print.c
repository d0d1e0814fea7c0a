/* Values as YAML, by the tables. */
#include "print.h"

#include "cleanup.h"
#include "table.h"
#include "text.h"

#include <string.h>

struct printer {
    FILE *out;
    struct gp_arena *mem;
};

static void print_table(struct printer *p, const struct gp_table *table, const char *object,
                        int indent, bool in_item);

static void print_key(struct printer *p, const char *key, int indent, bool *in_item)
{
    if (*in_item)
        *in_item = false; /* "- " stands there already */
    else
        (void)fprintf(p->out, "%*s", indent, "");
    (void)fprintf(p->out, "%s:", key);
}

/* "[a, b]" of the words whose bits are set, or of the methods in their order. */
static const char *words_text(struct printer *p, const struct gp_field *field, const void *slot)
{
    struct gp_text text = {.mem = p->mem};
    const unsigned bits = field->kind == GP_FIELD_DAYS    ? *(const uint8_t *)slot
                          : field->kind == GP_FIELD_FLAGS ? *(const unsigned *)slot
                                                          : 0;

    gp_text_add(&text, "");
    if (field->kind == GP_FIELD_METHODS) {
        const enum gp_stop_method *methods = slot;

        for (size_t n = 0; n < 2 && methods[n] != GP_STOP_NONE; n++)
            gp_text_addf(&text, "%s%s", n ? ", " : "", field->words[methods[n]]);
    }
    for (unsigned n = 0; field->words[n]; n++)
        if (bits & 1U << n)
            gp_text_addf(&text, "%s%s", text.size ? ", " : "", field->words[n]);
    return gp_text_get(&text);
}

static const char *strings_text(struct printer *p, const struct gp_strings *strings)
{
    struct gp_text text = {.mem = p->mem};

    for (size_t i = 0; i < strings->count; i++)
        gp_text_addf(&text, "%s%s", i ? ", " : "", gp_yaml_word(p->mem, strings->items[i]));
    return gp_text_get(&text);
}

/* The value of @field as YAML on one line, NULL if it need not be written. */
static const char *value_text(struct printer *p, const struct gp_field *field, const char *object)
{
    const void *slot = object + field->offset;
    const char *text;
    uint64_t fallback[2] = {0}; /* room for any scalar */

    if (field->given && !*(const bool *)(object + field->given - 1))
        return NULL;
    if (field->kind == GP_FIELD_STRINGS) {
        text = strings_text(p, slot);
        return *text ? gp_printf(p->mem, "[%s]", text) : NULL;
    }
    if (field->kind == GP_FIELD_FLAGS || field->kind == GP_FIELD_DAYS ||
        field->kind == GP_FIELD_METHODS) {
        text = words_text(p, field, slot);
        return *text && !gp_streq(text, field->fallback) ? gp_printf(p->mem, "[%s]", text) : NULL;
    }
    text = gp_scalar_text(p->mem, field, slot);
    if (!text || field->required || field->given || !field->fallback)
        return text;
    (void)gp_scalar_parse(p->mem, field, field->fallback, true, fallback);
    return gp_streq(text, gp_scalar_text(p->mem, field, fallback)) ? NULL : text;
}

static bool is_written(struct printer *p, const struct gp_field *field, const char *object)
{
    if (field->kind == GP_FIELD_OBJECTS)
        return field->required || *(const size_t *)(object + field->count_offset) > 0;
    if (field->kind != GP_FIELD_OBJECT)
        return value_text(p, field, object) != NULL;
    if (field->required)
        return true;
    for (size_t i = 0; i < field->table->field_count; i++)
        if (is_written(p, &field->table->fields[i], object + field->offset))
            return true;
    return false;
}

static void print_objects(struct printer *p, const struct gp_field *field, const char *object,
                          int indent)
{
    const char *items = *(const char *const *)(object + field->offset);
    const size_t count = *(const size_t *)(object + field->count_offset);

    (void)fputs(count ? "\n" : " []\n", p->out);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(p->out, "%*s- ", indent + 2, "");
        print_table(p, field->table, items + i * field->table->size, indent + 4, true);
    }
}

static void print_table(struct printer *p, const struct gp_table *table, const char *object,
                        int indent, bool in_item)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct gp_field *field = &table->fields[i];

        if (!is_written(p, field, object))
            continue;
        print_key(p, field->key, indent, &in_item);
        if (field->kind == GP_FIELD_OBJECTS) {
            print_objects(p, field, object, indent);
        } else if (field->kind == GP_FIELD_OBJECT) {
            (void)fputc('\n', p->out);
            print_table(p, field->table, object + field->offset, indent + 2, false);
        } else {
            (void)fprintf(p->out, " %s\n", value_text(p, field, object));
        }
    }
}

static void print_kind(FILE *out, const struct gp_kind *kind, const void *object)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct printer printer = {out, mem};

    print_table(&printer, kind->table, object, 0, false);
}

void gp_cluster_print(FILE *out, const struct gp_cluster_decl *cluster)
{
    print_kind(out, &gp_kind_cluster, cluster);
}

void gp_binding_print(FILE *out, const struct gp_binding_decl *binding)
{
    print_kind(out, &gp_kind_binding, binding);
}

void gp_agent_print(FILE *out, const struct gp_agent_decl *agent)
{
    print_kind(out, &gp_kind_agent, agent);
}

void gp_declaration_print(FILE *out, const struct gp_declaration *declaration)
{
    for (size_t i = 0; i < declaration->cluster_count; i++) {
        (void)fputs(i ? "---\n" : "", out);
        gp_cluster_print(out, declaration->clusters[i]);
    }
    for (size_t i = 0; i < declaration->binding_count; i++) {
        (void)fputs(i || declaration->cluster_count ? "---\n" : "", out);
        gp_binding_print(out, declaration->bindings[i]);
    }
}
