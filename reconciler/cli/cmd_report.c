/* report: what a change does, host by host, for code review. */
#include "command.h"

#include "cleanup.h"
#include "look.h"
#include "plan_json.h"
#include "report_fleet.h"
#include "report_markdown.h"
#include "text.h"

#include <stdlib.h>

static char **captures;
static size_t capture_count;

static error_t parse(int key, char *value, struct argp_state *state)
{
    (void)value;
    switch (key) {
    case ARGP_KEY_ARG:
        return ARGP_ERR_UNKNOWN; /* all of them at once, below */
    case ARGP_KEY_ARGS:
        captures = state->argv + state->next;
        capture_count = (size_t)(state->argc - state->next);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* @first: what it read is wanted on every host; NULL: this is the first. */
static struct gp_error *plan_one(struct gp_cli *cli, const char *capture, const struct gp_pass *first,
                                 struct gp_pass *pass)
{
    struct gp_pass_options options = cli->pass;
    struct gp_error *err;

    options.like = first;
    if (capture) {
        options.root = capture;
        options.capture = true;
    }
    err = gp_pass_open(&options, pass);
    if (err)
        return err;
    err = gp_pass_plan(pass, NULL);
    return err ? gp_error_wrap(err, "no report on %s", capture ? capture : "this host") : NULL;
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_MARKDOWN, GP_FORMAT_JSON, -1};
    const enum gp_format format = gp_cli_format(cli, formats);
    const size_t count = capture_count ? capture_count : 1;
    gp_cleanup(gp_free_p) struct gp_pass *passes = calloc(count, sizeof *passes);
    gp_cleanup(gp_free_p) struct gp_pass **pointers = calloc(count, sizeof *pointers);
    int exit = GP_EXIT_OK;
    size_t opened = 0;

    if (!passes || !pointers)
        abort();
    for (; opened < count && exit == GP_EXIT_OK; opened++) {
        struct gp_error *err = plan_one(cli, capture_count ? captures[opened] : NULL,
                                       opened ? passes : NULL, &passes[opened]);

        pointers[opened] = &passes[opened];
        if (err)
            exit = gp_cli_fail(err);
    }
    if (exit == GP_EXIT_OK && capture_count)
        gp_report_fleet(pointers, count);
    if (exit == GP_EXIT_OK && format == GP_FORMAT_JSON)
        gp_json_print(stdout, gp_plan_json(pointers, count, "Report"));
    else if (exit == GP_EXIT_OK)
        gp_report_markdown_print(stdout, pointers, count);
    for (size_t i = 0; i < opened; i++) {
        if (passes[i].plan)
            exit = gp_exit_worse(exit, gp_cli_plan_exit(&passes[i]));
        gp_pass_close(&passes[i]);
    }
    return exit;
}

const struct gp_command gp_command_report = {
    .name = "report",
    .args_doc = "[CAPTURE…]",
    .doc = "what a change does, for code review",
    .parser = parse,
    .run = run,
};
