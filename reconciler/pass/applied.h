/* What was last verified, object by object: what drift is measured against. */
#pragma once

#include "pass.h"

/* Remembers as applied what was just verified in @have for the objects of @set. */
struct gp_error *gp_applied_remember(struct gp_pass *pass, struct gp_host *host, const struct gp_have *have,
                                     const struct gp_set *set) GP_MUST_CHECK;
