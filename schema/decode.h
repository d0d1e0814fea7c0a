/* A tree of YAML becomes a struct, as a table says. */
#pragma once

#include "mistakes.h"
#include "table.h"
#include "yaml_tree.h"

struct gp_decoder {
    struct gp_arena *mem;
    struct gp_mistakes *mistakes;
    const struct gp_source *source;
};

/* Every key of a table fills its place in a struct that starts out as zero; what is not written is what it
 * is by default. Mistakes are told, and what they concern keeps its default. */

/* Checks the envelope of @root, decodes it as its kind. NULL if it is of no known kind. @ret_kind tells
 * which. */
void *gp_decode_document(struct gp_decoder *decoder, const struct gp_yaml *root,
                         const struct gp_kind **ret_kind);
/* Value of @key in @mapping; NULL if it is not there, or not a mapping. */
const struct gp_yaml *gp_yaml_get(const struct gp_yaml *mapping, const char *key);
struct gp_span gp_decoder_span(const struct gp_decoder *decoder, const struct gp_yaml *node);
