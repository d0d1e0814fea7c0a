/* The YAML that a declaration may use, as a small tree in which every node knows its place.
 *
 * It is small on purpose: no anchors, aliases, merge keys or tags, no key twice, depth and size limited.
 * The limits are checked on the parser's events, before anything is built from them. */
#pragma once

#include "mistakes.h"

enum {
    GP_YAML_MAX_BYTES = 16 << 20,
    GP_YAML_MAX_DEPTH = 32,
    GP_YAML_MAX_DOCUMENTS = 10000,
    GP_YAML_MAX_NODES = 2000000, /* all documents of a file together */
};

enum gp_yaml_kind {
    GP_YAML_SCALAR,
    GP_YAML_SEQUENCE,
    GP_YAML_MAPPING,
    GP_YAML_BROKEN, /* an alias, say: told already, nothing more to say about it */
};

struct gp_yaml {
    struct gp_yaml *next;  /* item after this item, key after this key */
    struct gp_yaml *first; /* of a sequence its first item, of a mapping its first key */
    struct gp_yaml *value; /* of a key */
    const char *text;      /* of a scalar; ends in NUL and has no other */
    uint32_t count;        /* items or keys */
    uint32_t line, column;
    enum gp_yaml_kind kind;
    bool plain; /* a scalar without quotes */
};

struct gp_yaml_reader;

/* Reads @source, which must outlive the reader. Texts of scalars come from @keep; nodes and texts of keys
 * from @nodes, which may be freed before it. Mistakes (GP-E001, E004, E005, E006) go to @mistakes. */
struct gp_yaml_reader *gp_yaml_open(struct gp_mistakes *mistakes, const struct gp_source *source,
                                    struct gp_arena *keep, struct gp_arena *nodes)
    __attribute__((returns_nonnull));
/* The next document, NULL in @ret_root for an empty one; false after the last, or where the text stops
 * making sense. */
bool gp_yaml_next(struct gp_yaml_reader *reader, struct gp_yaml **ret_root);
void gp_yaml_close(struct gp_yaml_reader *reader);
void gp_yaml_close_p(struct gp_yaml_reader **reader);

struct gp_span gp_yaml_span(const struct gp_source *source, const struct gp_yaml *node);

/* Whether @text is UTF-8 without bytes that have no business in a declaration: control characters, and
 * those that end a line or reverse the order of reading for some programs and not for others, so that a
 * reviewer sees another text than the parser. If not, @ret_at and @ret_why (static) tell the first. */
bool gp_yaml_bytes_ok(const struct gp_source *source, struct gp_span *ret_at, const char **ret_why);
