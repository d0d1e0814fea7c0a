/* Scalars of the tables: text to value and back. */
#include "table.h"

#include "mistakes.h"
#include "pattern.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The digits are limited so that every value fits its type and the pattern alone says what is
 * taken. */
static const char size_pattern[] = "[1-9][0-9]{0,8}[KM]iB|[1-9][0-9]{0,5}GiB|[1-9][0-9]{0,3}TiB";
static const char duration_pattern[] =
    "[1-9][0-9]{0,8}ms|[1-9][0-9]{0,5}s|[1-9][0-9]{0,3}m|[1-9][0-9]{0,2}h|[1-4]?[1-9]d|[1-4]0d";
static const char time_pattern[] = "[01][0-9]:[0-5][0-9]|2[0-3]:[0-5][0-9]";

struct unit {
    const char *name;
    uint64_t factor;
};
static const struct unit sizes[] = {
    {"TiB", 1ULL << 40}, {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {0}};
static const struct unit durations[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                        {"s", 1000},     {"ms", 1},      {0}};

static const struct unit *units(const struct gp_field *field)
{
    return field->kind == GP_FIELD_SIZE ? sizes : durations;
}

const char *gp_field_pattern(const struct gp_field *field)
{
    switch (field->kind) {
    case GP_FIELD_SIZE:
        return size_pattern;
    case GP_FIELD_DURATION:
        return duration_pattern;
    case GP_FIELD_TIME:
        return time_pattern;
    default:
        return NULL;
    }
}

static uint64_t number_max(const struct gp_field *field)
{
    return field->max                    ? field->max
           : field->kind == GP_FIELD_U32 ? UINT32_MAX - 1
                                         : UINT64_MAX >> 11;
}

static const char *const *written_words(struct gp_arena *mem, const struct gp_field *field)
{
    const char **words;
    size_t n = 0, all = 0;

    while (field->words[all])
        all++;
    words = gp_new_array(mem, const char *, all + 1);
    for (size_t i = 0; i < all; i++)
        if (*field->words[i])
            words[n++] = field->words[i];
    return words;
}

const char *gp_field_takes(struct gp_arena *mem, const struct gp_field *field)
{
    switch (field->kind) {
    case GP_FIELD_CONST:
        return field->words[0];
    case GP_FIELD_STRING:
        return field->form->what;
    case GP_FIELD_STRINGS:
        return gp_printf(mem, "a list, each item %s", field->form->what);
    case GP_FIELD_U32:
    case GP_FIELD_U64:
        return gp_printf(mem, "a whole number from %" PRIu64 " to %" PRIu64, field->min,
                         number_max(field));
    case GP_FIELD_BOOL:
        return "true or false";
    case GP_FIELD_WORD:
    case GP_FIELD_EITHER:
        return gp_list_or(mem, written_words(mem, field));
    case GP_FIELD_SIZE:
        return "a size with its unit KiB, MiB, GiB or TiB, such as 3GiB";
    case GP_FIELD_DURATION:
        return "a duration with its unit ms, s, m, h or d, such as 90s";
    case GP_FIELD_TIME:
        return "a time of day from 00:00 to 23:59, such as \"22:00\"";
    case GP_FIELD_FLAGS:
    case GP_FIELD_DAYS:
    case GP_FIELD_METHODS:
        return gp_printf(mem, "a list of %s", gp_list_or(mem, written_words(mem, field)));
    case GP_FIELD_OBJECT:
        return "keys of its own";
    case GP_FIELD_OBJECTS:
        return "a list whose items have keys of their own";
    }
    return "";
}

static const char *parse_number(const struct gp_field *field, const char *text, void *slot)
{
    uint64_t value;

    if (!gp_pattern_match("0|[1-9][0-9]{0,17}", text))
        return "GP-E007";
    value = strtoull(text, NULL, 10);
    if (value < field->min || value > number_max(field))
        return "GP-E007";
    if (field->kind == GP_FIELD_U32)
        *(uint32_t *)slot = (uint32_t)value;
    else
        *(uint64_t *)slot = value;
    return NULL;
}

static const char *parse_bool(const char *text, bool *slot)
{
    /* YAML 1.2 core schema, section 10.3.2: these spellings and no others. */
    if (gp_pattern_match("true|True|TRUE", text))
        *slot = true;
    else if (gp_pattern_match("false|False|FALSE", text))
        *slot = false;
    else
        return "GP-E007";
    return NULL;
}

static const char *parse_word(const struct gp_field *field, const char *text, void *slot)
{
    for (unsigned n = 0; *text && field->words[n]; n++) {
        if (strcmp(field->words[n], text) != 0)
            continue;
        if (field->kind == GP_FIELD_EITHER)
            *(bool *)slot = n != 0;
        else
            *(unsigned *)slot = n;
        return NULL;
    }
    return "GP-E007";
}

static const char *parse_units(const struct gp_field *field, const char *text, void *slot)
{
    char *end;
    uint64_t value;

    if (!gp_pattern_match(gp_field_pattern(field), text))
        return isdigit((unsigned char)*text) ? "GP-E009" : "GP-E007";
    value = strtoull(text, &end, 10);
    for (const struct unit *unit = units(field); unit->name; unit++)
        if (strcmp(unit->name, end) == 0)
            value *= unit->factor;
    if (field->kind == GP_FIELD_SIZE)
        *(uint64_t *)slot = value;
    else
        *(uint32_t *)slot = (uint32_t)value;
    return NULL;
}

static const char *parse_string(struct gp_arena *mem, const struct gp_form *form, const char *text,
                                const char **slot)
{
    if (form->pattern && !gp_pattern_match(form->pattern, text))
        return "GP-E007";
    if (form->words) {
        const char *const *words = form->words();

        while (*words && strcmp(*words, text) != 0)
            words++;
        if (!*words)
            return "GP-E007";
    }
    *slot = form->canonical ? form->canonical(mem, text) : text;
    return NULL;
}

const char *gp_scalar_parse(struct gp_arena *mem, const struct gp_field *field, const char *text,
                            bool plain, void *slot)
{
    switch (field->kind) {
    case GP_FIELD_STRING:
    case GP_FIELD_STRINGS:
        return parse_string(mem, field->form, text, slot);
    case GP_FIELD_U32:
    case GP_FIELD_U64:
        return plain ? parse_number(field, text, slot) : "GP-E007";
    case GP_FIELD_BOOL:
        return plain ? parse_bool(text, slot) : "GP-E007";
    case GP_FIELD_WORD:
    case GP_FIELD_EITHER:
        return parse_word(field, text, slot);
    case GP_FIELD_SIZE:
    case GP_FIELD_DURATION:
        return parse_units(field, text, slot);
    case GP_FIELD_TIME:
        if (!gp_pattern_match(time_pattern, text))
            return "GP-E007";
        *(uint16_t *)slot = (uint16_t)(strtoul(text, NULL, 10) * 60 + strtoul(text + 3, NULL, 10));
        return NULL;
    default:
        return "GP-E007";
    }
}

static const char *units_text(struct gp_arena *mem, const struct gp_field *field, uint64_t value)
{
    const struct unit *unit = units(field);

    if (!value)
        return NULL;
    while (unit[1].name && value % unit->factor)
        unit++;
    return gp_printf(mem, "%" PRIu64 "%s", value / unit->factor, unit->name);
}

const char *gp_scalar_text(struct gp_arena *mem, const struct gp_field *field, const void *slot)
{
    const char *word;

    switch (field->kind) {
    case GP_FIELD_CONST:
        return field->words[0];
    case GP_FIELD_STRING:
        return *(const char *const *)slot ? gp_yaml_word(mem, *(const char *const *)slot) : NULL;
    case GP_FIELD_U32:
        return *(const uint32_t *)slot == field->unset && !field->fallback
                   ? NULL
                   : gp_printf(mem, "%" PRIu32, *(const uint32_t *)slot);
    case GP_FIELD_U64:
        return *(const uint64_t *)slot == field->unset && !field->fallback
                   ? NULL
                   : gp_printf(mem, "%" PRIu64, *(const uint64_t *)slot);
    case GP_FIELD_BOOL:
        return *(const bool *)slot ? "true" : "false";
    case GP_FIELD_WORD:
        word = field->words[*(const unsigned *)slot];
        return *word ? word : NULL;
    case GP_FIELD_EITHER:
        return field->words[*(const bool *)slot];
    case GP_FIELD_SIZE:
        return units_text(mem, field, *(const uint64_t *)slot);
    case GP_FIELD_DURATION:
        return units_text(mem, field, *(const uint32_t *)slot);
    case GP_FIELD_TIME:
        return gp_printf(mem, "\"%02d:%02d\"", *(const uint16_t *)slot / 60,
                         *(const uint16_t *)slot % 60);
    default:
        return NULL;
    }
}

static bool is_plain_everywhere(const char *text)
{
    if (!gp_pattern_match("[A-Za-z/_][A-Za-z0-9/_.*@+-]*", text))
        return false;
    /* Words that some reader of YAML 1.1 or 1.2 takes for something else. */
    return !gp_pattern_match(
        "[Yy]|[Nn]|[Yy][Ee][Ss]|[Nn][Oo]|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Oo][Nn]|"
        "[Oo][Ff][Ff]|[Nn][Uu][Ll][Ll]",
        text);
}

const char *gp_yaml_word(struct gp_arena *mem, const char *text)
{
    struct gp_text out = {.mem = mem};

    if (is_plain_everywhere(text))
        return text;
    gp_text_add(&out, "\"");
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            gp_text_addf(&out, "\\%c", *c);
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            gp_text_addf(&out, "\\x%02x", (unsigned)(unsigned char)*c);
        else
            gp_text_addn(&out, c, 1);
    }
    gp_text_add(&out, "\"");
    return gp_text_get(&out);
}
