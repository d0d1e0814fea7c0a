/* What commands that show a host begin with. */
#pragma once

#include "command.h"
#include "pass.h"

/* Opens @pass and plans: for commands that have nothing to say without a plan. GP_EXIT_OK, or the error has been told and
 * @pass is closed. */
int gp_cli_plan(const struct gp_pass_options *options, struct gp_pass *pass);

/* What a command that shows the plan of @pass ends with, whatever is in the plan: the head may not be what is in use, and what
 * was not seen is no "nothing to do". */
int gp_cli_plan_exit(const struct gp_pass *pass);

/* The look that status and explain begin with: what is wanted is read if it can be; a host that follows nothing, or something wrong, still has a status. @ret_exit: what
 * became of what is wanted. */
struct gp_error *gp_cli_look(struct gp_pass *pass, int *ret_exit) GP_MUST_CHECK;
