/* What pauses mean to a pass. */
#pragma once

#include "pass.h"

/* Whether the whole host is paused now. */
struct gp_error *gp_pauses_host(struct gp_pass *pass, bool *ret) GP_MUST_CHECK;
/* Forgets the pauses whose time is over, and tells the journal of each. */
struct gp_error *gp_pauses_expire(struct gp_pass *pass) GP_MUST_CHECK;

/* After the sets that run: starts the guests, and the units, that are owed a start and are in none of those. Their set waits
 * (for a pause, a window, an approval, a budget, its next try) or is blocked, or they wait for a GPU that is. Whoever gpupart
 * stopped comes up, with the partition that the VM has now. GP_EXIT_NOT_RESTORED where one does not, which is named with what
 * is to be done. */
int gp_pauses_start_owed(struct gp_pass *pass);
