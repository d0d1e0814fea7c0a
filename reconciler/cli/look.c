#include "look.h"

int gp_cli_plan(const struct gp_pass_options *options, struct gp_pass *pass)
{
    struct gp_error *err = gp_pass_open(options, pass);
    int exit;

    if (err)
        return gp_cli_fail(err);
    err = gp_pass_plan(pass, NULL);
    if (!err)
        return GP_EXIT_OK;
    exit = gp_cli_fail(err);
    gp_pass_close(pass);
    return exit;
}

/* Without a repository the newest verified commit is a name. */
static bool knows_what_is_wanted(const struct gp_pass *pass)
{
    return pass->options.dir || pass->options.git_url ||
           (!pass->captured && (gp_state_verified(pass->state) || gp_state_verified_lost(pass->state)));
}

int gp_cli_plan_exit(const struct gp_pass *pass)
{
    int exit = gp_exit_worse(pass->desire_exit, pass->goal->refused ? GP_EXIT_REFUSED : GP_EXIT_OK);

    return gp_pass_incomplete(pass) ? gp_exit_worse(exit, GP_EXIT_INCOMPLETE) : exit;
}

struct gp_error *gp_cli_look(struct gp_pass *pass, int *ret_exit)
{
    struct gp_error *err;

    *ret_exit = GP_EXIT_OK;
    if (!knows_what_is_wanted(pass))
        return gp_pass_observe(pass, &pass->host, pass->mem, &pass->have);
    err = gp_pass_plan(pass, NULL);
    if (!err && pass->unknown)
        err = gp_error_new(GP_E_REFUSED, "%s", pass->refused);
    if (!err)
        return NULL;
    *ret_exit = gp_exit_of(err->code);
    (void)fputs("gpupart: warning: what is wanted cannot be told: ", stderr);
    gp_error_print(stderr, err);
    gp_error_free(err);
    pass->goal = NULL;
    pass->plan = NULL;
    return pass->have ? NULL : gp_pass_observe(pass, &pass->host, pass->mem, &pass->have);
}
