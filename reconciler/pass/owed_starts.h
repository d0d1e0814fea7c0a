/* Starts that are owed to guests and units of no set that was done. */
#pragma once

#include "pass.h"

/* After the sets that run: starts the guests, and the units, that are owed a start and are in none that was done. Their set
 * waits (for a pause, a window, an approval, a budget, its next try), is blocked or was taken back, or they wait for a GPU
 * that is. Whoever gpupart stopped comes up, with the partition that the VM has now. GP_EXIT_NOT_RESTORED where one does not,
 * which is named with what is to be done. */
int gp_owed_starts(struct gp_pass *pass);
