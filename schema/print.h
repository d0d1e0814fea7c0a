/* What else the tables tell: declarations as YAML, the JSON Schema, what a key means. */
#pragma once

#include "schema.h"

#include <stdio.h>

/* As YAML, without what is its default anyway. Reading it again gives the same value. */
void gp_cluster_print(FILE *out, const struct gp_cluster_decl *cluster);
void gp_binding_print(FILE *out, const struct gp_binding_decl *binding);
void gp_agent_print(FILE *out, const struct gp_agent_decl *agent);
/* All documents, clusters first, parted by "---". */
void gp_declaration_print(FILE *out, const struct gp_declaration *declaration);

/* JSON Schema (2020-12) of @kind ("GpuCluster", …), of all kinds if it is NULL. malloc()ed text that ends
 * with a newline, keys sorted; NULL if there is no such kind. */
char *gp_schema_json(const char *kind);
/* "GpuCluster", "GpuBinding", "GpuAgent", NULL. */
const char *const *gp_schema_kinds(void);

/* What @what means: a rule id, a kind, a key by its full path ("GpuCluster.spec.pools.partitions.count")
 * or by an end of it ("partitions.count", "count"). An end that several keys have is explained for each of
 * them. GP_E_INVALID, with the nearest, if nothing is called so. */
struct gp_error *gp_explain(FILE *out, const char *what) GP_MUST_CHECK;
/* Every path that gp_explain() takes, one a line, sorted: for completion. */
void gp_explain_list(FILE *out);

/* All keys and words, as a dictionary of libFuzzer. */
void gp_schema_dictionary(FILE *out);
