/* run: the daemon. */
#include "command.h"

#include "cleanup.h"
#include "supervisor.h"
#include "text.h"

enum { DEFAULT_INTERVAL_MS = 60000 };

static void add(struct gp_arena *mem, const char ***argv, size_t *count, const char *option, const char *value)
{
    if (!value)
        return;
    *gp_push(mem, *argv, *count) = option;
    *gp_push(mem, *argv, *count) = value;
}

/* The options given to the daemon, for its children. */
static const char *const *child_argv(struct gp_arena *mem, const struct gp_pass_options *options)
{
    const char **argv = NULL;
    size_t count = 0;

    *gp_push(mem, argv, count) = "gpupart";
    *gp_push(mem, argv, count) = "reconcile";
    add(mem, &argv, &count, "--root", options->root);
    add(mem, &argv, &count, "--state", options->state);
    add(mem, &argv, &count, "--connect", options->connect);
    add(mem, &argv, &count, "--config", options->config_given ? options->config : NULL);
    add(mem, &argv, &count, "--dir", options->dir);
    add(mem, &argv, &count, "--git", options->git_url);
    add(mem, &argv, &count, "--ref", options->git_ref);
    add(mem, &argv, &count, "--path", options->git_path);
    add(mem, &argv, &count, "--host", options->host);
    if (options->simulate)
        *gp_push(mem, argv, count) = "--simulate";
    *gp_push(mem, argv, count) = NULL;
    return argv;
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, -1};
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_supervisor_options options = {.argv = child_argv(mem, &cli->pass)};
    struct gp_pass pass;
    struct gp_error *err;

    (void)gp_cli_format(cli, formats);
    /* Configuration and rights are looked at once, here, so that a wrong one ends the start and not each pass. */
    err = gp_pass_open(&cli->pass, &pass);
    if (err)
        return gp_cli_fail(err);
    options.connect = gp_strdup(mem, pass.connect);
    options.interval_ms = pass.agent->interval_ms ? pass.agent->interval_ms : DEFAULT_INTERVAL_MS;
    gp_pass_close(&pass);
    err = gp_supervisor_run(&options);
    return err ? gp_cli_fail(err) : GP_EXIT_OK;
}

const struct gp_command gp_command_run = {
    .name = "run",
    .doc = "the daemon: a pass on interval, event or SIGHUP",
    .run = run,
};
