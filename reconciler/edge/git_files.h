/* Which files of a commit or a directory are declarations, and how much of them is taken. The same
 * for both, so that what an author's working tree says is what the commit will say. */
#pragma once

#include "schema.h"

/* "*.yaml" or "*.yml" */
bool gp_declaration_name(const char *name);
/* Names that begin with a dot (.git, .github, .pre-commit-config.yaml) are other tools'. */
bool gp_declaration_hidden(const char *name);

/* What was taken so far; starts zeroed. */
struct gp_file_budget {
    size_t files, bytes;
};
/* GP_E_INVALID for a file past 16 MiB, more than 10,000 files or 256 MiB in all. */
struct gp_error *gp_file_budget_take(struct gp_file_budget *budget, const char *name,
                                     uint64_t size) GP_MUST_CHECK;
/* Adds the finding that @name was not read since it is @what. */
void gp_file_not_read(struct gp_load *load, const char *name, const char *what,
                      enum gp_level level);
/* @size bytes of @data and a NUL; in @mem. */
char *gp_strndup_bytes(struct gp_arena *mem, const void *data, size_t size);
