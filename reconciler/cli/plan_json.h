/* Plans as JSON: what scripts, bots and policy checks read. Shapes are stable; fields may be added. */
#pragma once

#include "json.h"
#include "pass.h"

#include <jansson.h>

/* One object of kind "Plan" (or @kind) over the hosts given; the caller owns it. The id of several hosts is the
 * hash of their ids. */
json_t *gp_plan_json(struct gp_pass *const *passes, size_t count, const char *kind);

/* Prints @json with sorted keys, indented, ended by a newline, and frees it. */
void gp_json_print(FILE *out, json_t *json);

/* "vdi-01", "slot3/2", "slot3": what a step acts on. */
const char *gp_step_target(struct gp_arena *mem, const struct gp_step *step);
/* When plan->drift[@i] was first seen, by this pass or an earlier one; NULL: it was not told yet. */
const char *gp_drift_since(struct gp_pass *pass, size_t i);
/* Why git was asked and did not answer; NULL: it did, or was not asked. */
const char *gp_stale_why(const struct gp_pass *pass);
/* The id of a report over several hosts; of one host its plan's. */
const char *gp_report_id(struct gp_arena *mem, struct gp_pass *const *passes, size_t count);

/* What the head of a report says. */
struct gp_summary {
    size_t hosts, changed, unknown, vms_stopped, gpus_changed, errors, warnings;
    enum gp_class class;
};
struct gp_summary gp_report_summary(struct gp_pass *const *passes, size_t count);
