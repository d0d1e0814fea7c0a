/* What pauses mean to a pass. */
#pragma once

#include "pass.h"

/* Whether the whole host is paused now. */
struct gp_error *gp_pauses_host(struct gp_pass *pass, bool *ret) GP_MUST_CHECK;
/* Forgets the pauses whose time is over, and tells the journal of each. */
struct gp_error *gp_pauses_expire(struct gp_pass *pass) GP_MUST_CHECK;
