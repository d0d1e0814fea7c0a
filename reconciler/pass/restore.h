/* The way back: another plan, to what was written down before the first disturbing step. */
#pragma once

#include "work.h"

/* Brings the objects of @record back to what was written down: GP_EXIT_RESTORED, or GP_EXIT_NOT_RESTORED with
 * what is left told by name. While the host goes down nobody is started, and the record stays. @why: what made it
 * necessary, NULL: an earlier pass did not finish. */
int gp_restore(struct gp_pass *pass, const struct gp_record *record, const char *why);

/* The same on a thread of its own, with its @host, from @mem. */
int gp_restore_in(struct gp_pass *pass, struct gp_host *host, struct gp_arena *mem, const struct gp_record *record,
                  const char *why);
