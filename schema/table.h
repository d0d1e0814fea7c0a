/* One row for each key that a user may write. Decoder, printer, JSON Schema, explain and the fuzz
 * dictionary all read the same rows; nothing else in the program knows a key. */
#pragma once

#include "model.h"

struct gp_decoder;
struct gp_yaml;

/* How the text of a string key must look. */
struct gp_form {
    const char *what;    /* what is accepted: "a name of letters, digits, '.', '_' and '-'" */
    const char *pattern; /* see pattern.h; NULL: any */
    const char *example;
    /* YAML without types in the schema's sense (an editor, say) reads 8086 as a number. Where a text of
     * this form may look like a number: between which numbers; NULL: it never does. */
    const char *number_min, *number_max;
    /* The one way in which a text of this form is kept, since it is compared as text later; NULL: as it was written. */
    const char *(*canonical)(struct gp_arena *mem, const char *text);
    /* The words there are, ended by NULL; NULL: the pattern says it all. */
    const char *const *(*words)(void);
    const char *const *near; /* words that are often meant, where the pattern takes others too */
    /* More to be said about @text; adds its own mistakes. */
    void (*check)(struct gp_decoder *decoder, const struct gp_yaml *node, const char *key,
                  const char *text);
};

enum gp_field_kind {
    GP_FIELD_CONST,    /* its one word, nowhere kept */
    GP_FIELD_STRING,   /* const char * */
    GP_FIELD_STRINGS,  /* struct gp_strings, each of the form */
    GP_FIELD_U32,      /* uint32_t, min to max */
    GP_FIELD_U64,      /* uint64_t, min to max */
    GP_FIELD_BOOL,     /* bool */
    GP_FIELD_WORD,     /* an enum: index of its word */
    GP_FIELD_EITHER,   /* bool: which of two words */
    GP_FIELD_SIZE,     /* uint64_t bytes, written with its unit */
    GP_FIELD_DURATION, /* uint32_t milliseconds, written with its unit */
    GP_FIELD_TIME,     /* uint16_t minutes after midnight, written "22:00" */
    GP_FIELD_FLAGS,    /* a list of words, bit n for the nth; unsigned */
    GP_FIELD_DAYS,     /* the same in uint8_t */
    GP_FIELD_METHODS,  /* a list of different words, in order; enum gp_stop_method[2] */
    GP_FIELD_OBJECT,   /* further keys */
    GP_FIELD_OBJECTS,  /* a list of objects: pointer and size_t count */
};

struct gp_table;

struct gp_field {
    const char *key, *doc;
    enum gp_field_kind kind;
    bool required;
    bool some; /* of a list: an empty one is refused, where it would read as one that was left out */
    size_t offset;
    size_t count_offset;       /* GP_FIELD_OBJECTS */
    size_t at;                 /* of a struct gp_span that keeps the value's place, plus 1; 0: none */
    size_t given;              /* of a bool that tells whether it was written, plus 1; 0: none */
    uint64_t min, max;         /* numbers; max 0: the type's own */
    uint64_t unset;            /* value of a number that was not written and has no fallback */
    const char *unit;          /* of a plain number, for explain */
    const char *const *words;  /* ended by NULL; "" is a value that cannot be written */
    const struct gp_form *form;
    const struct gp_table *table;
    const char *fallback; /* what it is if not written, as YAML; NULL: nothing */
    const char *needs;    /* another key of the same object that must stand beside it */
};

struct gp_table {
    const char *doc;
    size_t size;      /* of the struct, for elements of a list and whole kinds */
    size_t at;        /* of a struct gp_span that keeps the object's place, plus 1; 0: none */
    uint32_t least;   /* keys that must be written, any of them */
    const struct gp_field *fields;
    size_t field_count;
    /* A rule over several fields, told after all of them were read. */
    void (*check)(struct gp_decoder *decoder, const struct gp_yaml *node, const void *object);
};

/* The offset only of a member of type @want: a row that names any other does not compile. */
#define GP_AT(type, member, want) _Generic(((type *)0)->member, want : offsetof(type, member))
#define GP_SPAN(type, member)     (GP_AT(type, member, struct gp_span) + 1)
#define GP_GIVEN(type, member)    (GP_AT(type, member, bool) + 1)

#define GP_CONST(key_, word, doc_)                                                                 \
    {.key = (key_), .kind = GP_FIELD_CONST, .required = true, .doc = (doc_),                       \
     .words = (const char *const[]){(word), NULL}}
#define GP_STRING(key_, type, member, form_, ...)                                                  \
    {.key = (key_), .kind = GP_FIELD_STRING, .offset = GP_AT(type, member, const char *),          \
     .form = &(form_), __VA_ARGS__}
#define GP_STRINGS(key_, type, member, form_, ...)                                                 \
    {.key = (key_), .kind = GP_FIELD_STRINGS, .offset = GP_AT(type, member, struct gp_strings),    \
     .form = &(form_), __VA_ARGS__}
#define GP_U32(key_, type, member, min_, max_, ...)                                                \
    {.key = (key_), .kind = GP_FIELD_U32, .offset = GP_AT(type, member, uint32_t), .min = (min_),  \
     .max = (max_), __VA_ARGS__}
#define GP_U64(key_, type, member, min_, max_, ...)                                                \
    {.key = (key_), .kind = GP_FIELD_U64, .offset = GP_AT(type, member, uint64_t), .min = (min_),  \
     .max = (max_), __VA_ARGS__}
#define GP_BOOL(key_, type, member, ...)                                                           \
    {.key = (key_), .kind = GP_FIELD_BOOL, .offset = GP_AT(type, member, bool), __VA_ARGS__}
#define GP_WORD(key_, type, member, enum_, words_, ...)                                            \
    {.key = (key_), .kind = GP_FIELD_WORD, .offset = GP_AT(type, member, enum_),                   \
     .words = (words_), __VA_ARGS__}
#define GP_EITHER(key_, type, member, words_, ...)                                                 \
    {.key = (key_), .kind = GP_FIELD_EITHER, .offset = GP_AT(type, member, bool),                  \
     .words = (words_), __VA_ARGS__}
#define GP_SIZE(key_, type, member, ...)                                                           \
    {.key = (key_), .kind = GP_FIELD_SIZE, .offset = GP_AT(type, member, uint64_t), __VA_ARGS__}
#define GP_DURATION(key_, type, member, ...)                                                       \
    {.key = (key_), .kind = GP_FIELD_DURATION, .offset = GP_AT(type, member, uint32_t),            \
     __VA_ARGS__}
#define GP_TIME(key_, type, member, ...)                                                           \
    {.key = (key_), .kind = GP_FIELD_TIME, .offset = GP_AT(type, member, uint16_t), __VA_ARGS__}
#define GP_FLAGS(key_, type, member, words_, ...)                                                  \
    {.key = (key_), .kind = GP_FIELD_FLAGS, .offset = GP_AT(type, member, unsigned),               \
     .words = (words_), __VA_ARGS__}
#define GP_DAYS(key_, type, member, words_, ...)                                                   \
    {.key = (key_), .kind = GP_FIELD_DAYS, .offset = GP_AT(type, member, uint8_t),                 \
     .words = (words_), .some = true, __VA_ARGS__}
#define GP_METHODS(key_, type, member, words_, ...)                                                \
    {.key = (key_), .kind = GP_FIELD_METHODS,                                                      \
     .offset = GP_AT(type, member, enum gp_stop_method *), .words = (words_), .some = true,   \
     __VA_ARGS__}
/* Keys of their own, kept in a member (GP_OBJECT) or in the struct itself (GP_GROUP). */
#define GP_OBJECT(key_, type, member, want, table_, ...)                                           \
    {.key = (key_), .kind = GP_FIELD_OBJECT, .offset = GP_AT(type, member, want),                  \
     .table = &(table_), __VA_ARGS__}
#define GP_GROUP(key_, table_, ...)                                                                \
    {.key = (key_), .kind = GP_FIELD_OBJECT, .table = &(table_), __VA_ARGS__}
#define GP_OBJECTS(key_, type, member, count_, want, table_, ...)                                  \
    {.key = (key_), .kind = GP_FIELD_OBJECTS, .offset = GP_AT(type, member, want *),               \
     .count_offset = GP_AT(type, count_, size_t), .table = &(table_), __VA_ARGS__}

#define GP_FIELDS(name, ...)                                                                       \
    .fields = (const struct gp_field[]){__VA_ARGS__},                                              \
    .field_count = sizeof(const struct gp_field[]){__VA_ARGS__} / sizeof(struct gp_field)

/* A kind: what stands beside apiVersion and kind in its envelope. */
struct gp_kind {
    const char *name, *doc;
    const struct gp_table *table; /* the keys metadata and spec */
};

extern const char gp_api_version[]; /* "gpupart/v1" */
extern const struct gp_kind gp_kind_cluster, gp_kind_binding, gp_kind_agent;
extern const struct gp_kind *const gp_kinds[]; /* ended by NULL */
/* By name; NULL if there is none. */
const struct gp_kind *gp_kind_find(const char *name);

/* "one of spread or pack", "a size such as 3GiB (…)": what @field takes, for messages and explain. */
const char *gp_field_takes(struct gp_arena *mem, const struct gp_field *field);
/* The pattern of a value that is written with its unit (GP_FIELD_SIZE, DURATION, TIME); NULL: not such. */
const char *gp_field_pattern(const struct gp_field *field);

/* Reads the scalar @text into @slot. NULL, or the rule that it breaks: GP-E007 or GP-E009. */
const char *gp_scalar_parse(struct gp_arena *mem, const struct gp_field *field, const char *text,
                            bool plain, void *slot);
/* The reverse, as YAML; NULL for a value that was not given and has no form in YAML. */
const char *gp_scalar_text(struct gp_arena *mem, const struct gp_field *field, const void *slot);
/* @text as YAML: plain where every reader takes it for this text, else in double quotes. */
const char *gp_yaml_word(struct gp_arena *mem, const char *text);

/* Puts into @object what each key of @table is when it is not written. */
void gp_table_defaults(struct gp_arena *mem, const struct gp_table *table, void *object);
