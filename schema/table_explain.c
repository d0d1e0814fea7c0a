/* What a key or rule means, from the tables; and all their words for the fuzzer. */
#include "print.h"

#include "cleanup.h"
#include "mistakes.h"
#include "table.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

struct key {
    const char *path; /* "GpuCluster.spec.pools.mode" */
    const struct gp_field *field;
    const struct gp_kind *kind;
};

struct keys {
    struct gp_arena *mem;
    struct key *items;
    size_t count;
};

static void collect(struct keys *keys, const struct gp_kind *kind, const struct gp_table *table,
                    const char *path)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct gp_field *field = &table->fields[i];
        struct key *key = gp_push(keys->mem, keys->items, keys->count);
        const char *own = gp_printf(keys->mem, "%s.%s", path, field->key);

        *key = (struct key){own, field, kind};
        if (field->table)
            collect(keys, kind, field->table, own);
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct key *)a)->path, ((const struct key *)b)->path);
}

static struct keys all_keys(struct gp_arena *mem)
{
    struct keys keys = {.mem = mem};

    for (size_t i = 0; gp_kinds[i]; i++)
        collect(&keys, gp_kinds[i], gp_kinds[i]->table, gp_kinds[i]->name);
    qsort(keys.items, keys.count, sizeof *keys.items, by_path);
    return keys;
}

/* Whether @path is @end, or ends with it after a dot. */
static bool ends_with(const char *path, const char *end)
{
    const size_t n = strlen(path), m = strlen(end);

    return m && (n == m || (n > m && path[n - m - 1] == '.')) && strcmp(path + n - m, end) == 0;
}

static void print_keys_of(FILE *out, const struct gp_table *table)
{
    (void)fputs("  keys:\n", out);
    for (size_t i = 0; i < table->field_count; i++)
        (void)fprintf(out, "    %-16s %s%s\n", table->fields[i].key, table->fields[i].doc,
                      table->fields[i].required ? " (required)" : "");
}

static void print_key(FILE *out, struct gp_arena *mem, const struct key *key)
{
    const struct gp_field *field = key->field;

    (void)fprintf(out, "%s\n  %s.\n", key->path, field->doc);
    (void)fprintf(out, "  takes: %s%s%s\n", gp_field_takes(mem, field), field->unit ? ", in " : "",
                  field->unit ? field->unit : "");
    if (field->form && field->form->example)
        (void)fprintf(out, "  example: %s\n", gp_yaml_word(mem, field->form->example));
    if (field->required)
        (void)fputs("  required\n", out);
    else if (field->fallback)
        (void)fprintf(out, "  default: %s\n", field->fallback);
    if (field->needs)
        (void)fprintf(out, "  beside it must stand: %s\n", field->needs);
    if (field->table)
        print_keys_of(out, field->table);
}

static void print_rule(FILE *out, const struct gp_rule *rule)
{
    static const char *const levels[] = {"drift", "error", "warning"};
    const char letter = rule->id[strlen("GP-")];

    (void)fprintf(out, "%s (%s): %s\n  %s\nTo do: %s\n", rule->id,
                  levels[letter == 'D'   ? 0
                         : letter == 'E' ? 1
                                         : 2],
                  rule->meaning, rule->help, rule->todo);
}

static struct gp_error *nothing(struct gp_arena *mem, const struct keys *keys, const char *what)
{
    const size_t room = 2 * keys->count + gp_rule_count + 1;
    const char **names = gp_new_array(mem, const char *, room);
    size_t n = 0;

    /* Last words first: those are what people remember. */
    for (size_t i = 0; i < keys->count; i++)
        names[n++] = keys->items[i].field->key;
    for (size_t i = 0; i < keys->count; i++)
        names[n++] = keys->items[i].path;
    for (size_t i = 0; i < gp_rule_count; i++)
        names[n++] = gp_rules[i].id;
    return gp_error_new(GP_E_INVALID, "no key and no rule is called %s%s", gp_quote(mem, what),
                        gp_did_you_mean(mem, what, names));
}

struct gp_error *gp_explain(FILE *out, const char *what)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_rule *rule = gp_rule_find(what);
    const struct gp_kind *kind = gp_kind_find(what);
    const struct keys keys = all_keys(mem);
    size_t found = 0;

    if (rule) {
        print_rule(out, rule);
        return NULL;
    }
    if (kind) {
        (void)fprintf(out, "%s\n  %s.\n", kind->name, kind->doc);
        print_keys_of(out, kind->table);
        return NULL;
    }
    for (size_t i = 0; i < keys.count; i++) {
        if (!ends_with(keys.items[i].path, what))
            continue;
        if (found++)
            (void)fputc('\n', out);
        print_key(out, mem, &keys.items[i]);
    }
    return found ? NULL : nothing(mem, &keys, what);
}

void gp_explain_list(FILE *out)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct keys keys = all_keys(mem);

    for (size_t i = 0; i < keys.count; i++)
        (void)fprintf(out, "%s\n", keys.items[i].path);
    for (size_t i = 0; i < gp_rule_count; i++)
        (void)fprintf(out, "%s\n", gp_rules[i].id);
}

static void print_word(FILE *out, const char *word)
{
    (void)fputc('"', out);
    for (; *word; word++)
        (void)fprintf(out, *word == '"' || *word == '\\' ? "\\%c" : "%c", *word);
    (void)fputs("\"\n", out);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void gp_schema_dictionary(FILE *out)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct keys keys = all_keys(mem);
    const char **words = NULL;
    size_t count = 0;

    for (size_t i = 0; i < keys.count; i++) {
        const struct gp_field *field = keys.items[i].field;

        *gp_push(mem, words, count) = gp_printf(mem, "%s: ", field->key);
        for (size_t n = 0; field->words && field->words[n]; n++)
            *gp_push(mem, words, count) = field->words[n];
        if (field->form && field->form->example)
            *gp_push(mem, words, count) = field->form->example;
    }
    qsort(words, count, sizeof *words, by_text);
    for (size_t i = 0; i < count; i++)
        if (*words[i] && (!i || strcmp(words[i], words[i - 1]) != 0))
            print_word(out, words[i]);
}
