/* The look that status and explain begin with. */
#pragma once

#include "pass.h"

/* What is wanted is read if it can be; a host that follows nothing, or something wrong, still has a status. @ret_exit: what
 * became of what is wanted. */
struct gp_error *gp_cli_look(struct gp_pass *pass, int *ret_exit) GP_MUST_CHECK;
