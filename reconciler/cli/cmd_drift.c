/* drift: what differs from what was last applied, told apart from what a commit changes. */
#include "command.h"

#include "look.h"
#include "plan_json.h"
#include "plan_text.h"

#include <jansson.h>

static void print_json(struct gp_pass *pass)
{
    json_t *plan = gp_plan_json(&pass, 1, "Drift");

    (void)json_object_del(plan, "actions");
    (void)json_object_del(plan, "sets");
    (void)json_object_del(plan, "findings");
    gp_json_print(stdout, plan);
}

static void print_text(struct gp_pass *pass)
{
    if (pass->unknown)
        (void)printf("what is wanted cannot be told: %s\n", pass->refused);
    else if (!pass->plan->drift_count)
        (void)printf("no drift: this host is as it was applied\n");
    gp_drift_text_print(stdout, pass);
    if (pass->plan->change_count)
        (void)printf("%zu %s wanted by git and not applied yet are no drift: gpupart plan\n", pass->plan->change_count,
                     pass->plan->change_count == 1 ? "change" : "changes");
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, GP_FORMAT_JSON, -1};
    const enum gp_format format = gp_cli_format(cli, formats);
    struct gp_pass pass;
    int exit;

    cli->pass.offline = !cli->pass.git_url;
    exit = gp_cli_plan(&cli->pass, &pass);
    if (exit != GP_EXIT_OK)
        return exit;
    if (format == GP_FORMAT_JSON)
        print_json(&pass);
    else
        print_text(&pass);
    exit = gp_exit_worse(gp_cli_plan_exit(&pass), pass.plan->drift_count ? GP_EXIT_DIFFERENCES : GP_EXIT_OK);
    gp_pass_close(&pass);
    return exit;
}

const struct gp_command gp_command_drift = {
    .name = "drift",
    .doc = "what differs from what was applied; exits with 2 if any",
    .run = run,
};
