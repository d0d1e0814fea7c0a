/* A partition that fails its check is given to nobody, across reboots, until somebody says otherwise or it is made anew. */
#pragma once

#include "step.h"

/* @failed is the step of @wave that failed with @err. Where the GPU is sound and only this partition is not, it is
 * quarantined from now on; returns what to say of it, from wave->mem, or NULL. A state directory that cannot be
 * written is a warning: the step failed for a reason of its own. */
const char *gp_quarantine_begin(const struct gp_wave *wave, const struct gp_step *failed, const struct gp_error *err);

/* What @done has taken away takes its quarantine along: what is made in its place is another partition. */
struct gp_error *gp_quarantine_end(const struct gp_wave *wave, const struct gp_step *done) GP_MUST_CHECK;
