/* From bytes to a declaration, with every mistake told at once. */
#pragma once

#include "model.h"
#include "plan.h"

#include <stdbool.h>
#include <stddef.h>

struct gp_load_state;

/* All documents of several files, decoded into one declaration. Usage: init, one gp_load_file() per file in
 * path order, then gp_load_finish(), which checks what needs more than one document. */
struct gp_load {
    struct gp_arena *mem;
    struct gp_declaration declaration;
    struct gp_agent_decl *agent; /* the GpuAgent document, if one was loaded and allowed */
    struct gp_finding *findings; /* every mistake: rule GP-E0xx, GP-E2xx…, in file order */
    size_t finding_count;
    bool failed; /* some finding is an error */
    bool allow_agent; /* GpuAgent documents are taken (host configuration), else refused */
    bool allow_cluster; /* GpuCluster and GpuBinding documents are taken */
    /* False if the tz database of this machine has no such time zone; NULL: it is not asked. */
    bool (*knows_timezone)(const char *zone);
    struct gp_load_state *state; /* its own */
};
void gp_load_init(struct gp_load *load, struct gp_arena *mem, bool allow_agent, bool allow_cluster);
/* @name and @text are kept by reference until the arena goes. Never fails: mistakes become findings. */
void gp_load_file(struct gp_load *load, const char *name, const char *text, size_t size);
void gp_load_finish(struct gp_load *load);
/* The findings that are errors, as one error for the caller to return or print; NULL if none. */
struct gp_error *gp_load_error(const struct gp_load *load) GP_MUST_CHECK;

/* ---- rules ---- */

struct gp_rule {
    const char *id;      /* "GP-E210" */
    const char *meaning; /* one line */
    const char *help;    /* what it means in full */
    const char *todo;    /* what to do about it */
};
extern const struct gp_rule gp_rules[]; /* by id */
extern const size_t gp_rule_count;
const struct gp_rule *gp_rule_find(const char *id);
