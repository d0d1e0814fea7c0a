/* One file a command. main.c finds the command by its name and hands it what all commands share. */
#pragma once

#include "pass.h"

#include <argp.h>

enum gp_format { GP_FORMAT_TEXT, GP_FORMAT_JSON, GP_FORMAT_MARKDOWN, GP_FORMAT_SARIF, GP_FORMAT_GITHUB, GP_FORMAT_GITLAB };

struct gp_cli {
    struct gp_pass_options pass;
    const char *format; /* as given; NULL: text */
    const struct gp_command *command;
};

struct gp_command {
    const char *name;
    const char *args_doc; /* for usage: "PATH…" */
    const char *doc;
    const struct argp_option *options; /* its own; NULL: none */
    /* Its own options and arguments, as an argp parser gets them; NULL: it takes none. */
    argp_parser_t parser;
    /* Runs it after the arguments were read; returns the exit status. */
    int (*run)(struct gp_cli *cli);
};

extern const struct gp_command gp_command_validate, gp_command_schema, gp_command_explain, gp_command_inventory,
    gp_command_plan, gp_command_apply, gp_command_reconcile, gp_command_run, gp_command_drift, gp_command_status,
    gp_command_report, gp_command_pause, gp_command_resume,
    gp_command_approve, gp_command_history, gp_command_capture, gp_command_trust;

/* The format asked for, one of @allowed (ended by -1). Ends the program with the usage status if it is not. */
enum gp_format gp_cli_format(const struct gp_cli *cli, const int *allowed);

/* Prints @err for people to stderr, frees it, and returns the exit status it means. */
int gp_cli_fail(struct gp_error *err);
