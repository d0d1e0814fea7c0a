/* Doing what a plan says, one connected set at a time, and taking it back where that fails. */
#pragma once

#include "pass.h"

/* Does the steps of @set of pass->plan, wave by wave with a fresh look after each, verifies, remembers.
 * Returns the exit status of this set; everything worth telling has been told to the journal. */
int gp_execute_set(struct gp_pass *pass, const struct gp_set *set);

/* Brings the objects of @record back to what was written down: GP_EXIT_RESTORED, or GP_EXIT_NOT_RESTORED with
 * what is left told by name. @why: what made it necessary, NULL: an earlier pass did not finish. */
int gp_execute_restore(struct gp_pass *pass, const struct gp_record *record, const char *why);

/* Remembers as applied what was just verified in @have for the objects of @set. */
struct gp_error *gp_execute_remember(struct gp_pass *pass, struct gp_host *host, const struct gp_have *have,
                                     const struct gp_set *set) GP_MUST_CHECK;

/* What @goal wants of the objects of @set, one "key value" a line: whether a record's goal is still wanted. */
const char *gp_goal_values(struct gp_arena *mem, const struct gp_goal *goal, const struct gp_set *set);
