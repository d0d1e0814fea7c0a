/* plan: every predicted step, with reason, class and verdict. */
#include "command.h"

#include "cleanup.h"
#include "look.h"
#include "plan_json.h"
#include "plan_text.h"

static bool detailed_exitcode;

enum { KEY_DETAILED = 2000 };

static const struct argp_option options[] = {
    {"detailed-exitcode", KEY_DETAILED, NULL, 0, "exit with 2 if there is something to do", 0},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    (void)value, (void)state;
    if (key != KEY_DETAILED)
        return ARGP_ERR_UNKNOWN;
    detailed_exitcode = true;
    return 0;
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, GP_FORMAT_JSON, -1};
    const enum gp_format format = gp_cli_format(cli, formats);
    struct gp_pass pass, *one = &pass;
    int exit = gp_cli_plan(&cli->pass, &pass);

    if (exit != GP_EXIT_OK)
        return exit;
    if (format == GP_FORMAT_JSON)
        gp_json_print(stdout, gp_plan_json(&one, 1, "Plan"));
    else
        gp_plan_text_print(stdout, &pass);
    exit = gp_cli_plan_exit(&pass);
    if (detailed_exitcode && (pass.plan->step_count || pass.plan->change_count || pass.plan->drift_count))
        exit = gp_exit_worse(exit, GP_EXIT_DIFFERENCES);
    gp_pass_close(&pass);
    return exit;
}

const struct gp_command gp_command_plan = {
    .name = "plan",
    .doc = "every step that would be done, why, and whom it stops",
    .options = options,
    .parser = parse,
    .run = run,
};
