/* explain: what a key or a rule means; why a VM or a GPU is as it is. */
#include "command.h"

#include "explain_object.h"
#include "print.h"
#include "text.h"

static const char *what;

static error_t parse(int key, char *value, struct argp_state *state)
{
    if (key == ARGP_KEY_NO_ARGS)
        argp_error(state, "explain takes a key or a rule, as spec.pools.partitions.count or GP-E210, or vm/NAME or gpu/ADDRESS");
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (what)
        argp_error(state, "explain takes one key, rule, VM or GPU, not '%s' besides", value);
    what = value;
    return 0;
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, -1};
    struct gp_error *err;

    if (gp_starts_with(what, "vm/") || gp_starts_with(what, "gpu/"))
        return gp_explain_object(cli, what);
    (void)gp_cli_format(cli, formats);
    err = gp_explain(stdout, what);
    if (!err)
        return GP_EXIT_OK;
    (void)gp_cli_fail(err);
    return GP_EXIT_USAGE;
}

const struct gp_command gp_command_explain = {
    .name = "explain",
    .args_doc = "KEY|RULE|vm/NAME|gpu/ADDRESS",
    .doc = "what a key or a rule means; why a VM or a GPU is as it is",
    .parser = parse,
    .run = run,
};
