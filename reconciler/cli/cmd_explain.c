/* explain: what a key or a rule means. */
#include "command.h"

#include "print.h"

static const char *what;

static error_t parse(int key, char *value, struct argp_state *state)
{
    if (key == ARGP_KEY_NO_ARGS)
        argp_error(state, "explain takes a key or a rule, as spec.pools.partitions.count or GP-E210");
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (what)
        argp_error(state, "explain takes one key or rule, not '%s' besides", value);
    what = value;
    return 0;
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, -1};
    struct gp_error *err;

    (void)gp_cli_format(cli, formats);
    err = gp_explain(stdout, what);
    if (!err)
        return GP_EXIT_OK;
    (void)gp_cli_fail(err);
    return GP_EXIT_USAGE;
}

const struct gp_command gp_command_explain = {
    .name = "explain",
    .args_doc = "KEY|RULE",
    .doc = "what a key or a rule means",
    .parser = parse,
    .run = run,
};
