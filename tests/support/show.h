/* A plan as text, as the tests keep it. */
#pragma once

#include "plan.h"

/* Sets with their class, then a line a step: "0 stop-vm vm-01 running -> off [gpu]", then what is
 * blocked. */
const char *show_plan(struct gp_arena *mem, const struct gp_plan *plan);
/* A line each: rule, object, message; then changes and drift. */
const char *show_findings(struct gp_arena *mem, const struct gp_plan *plan);
const char *show_differences(struct gp_arena *mem, const struct gp_plan *plan);
const char *show_have(struct gp_arena *mem, const struct gp_have *have);
const char *show_goal(struct gp_arena *mem, const struct gp_goal *goal);
