/* run: the daemon. */
#include "command.h"

#include "cleanup.h"
#include "supervisor.h"
#include "text.h"

#include <stdlib.h>

enum { DEFAULT_INTERVAL_MS = 60000 };
/* An honest pass waits for stop.timeout at most, and for the kernel, by deadlines of its own. Told to end, it waits for no
 * guest to stop; it starts again those that it stopped. The unit's TimeoutStopSec is longer than the second. */
enum { DEADLINE_S = 2 * 3600, PATIENCE_S = 15 * 60 };

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

/* Opens a pass as its children will: a wrong configuration, a missing right or a root that is not this host ends the start,
 * and not each pass. One that runs at this moment (the timer's, a person's) holds the lock, which is no mistake. */
static struct gp_error *open_as_child(const struct gp_pass_options *options, struct gp_pass *pass)
{
    struct gp_pass_options once = *options;
    struct gp_error *err;

    once.change = true;
    err = gp_pass_open(&once, pass);
    if (!err || err->code != GP_E_LOCKED)
        return err;
    gp_error_free(err);
    once.change = false;
    return gp_pass_open(&once, pass);
}

static uint32_t interval_of(const struct gp_pass *pass)
{
    return pass->agent->interval_ms ? pass->agent->interval_ms : DEFAULT_INTERVAL_MS;
}

static uint64_t reread(void *data, uint64_t now_ms)
{
    const struct gp_pass_options *options = data;
    struct gp_pass pass;
    struct gp_error *err = gp_pass_open(options, &pass);

    if (err) {
        (void)gp_cli_fail(err);
        return now_ms;
    }
    now_ms = interval_of(&pass);
    gp_pass_close(&pass);
    return now_ms;
}

/* Whole seconds from the environment: for hosts whose guests take longer to stop than others' passes. */
static struct gp_error *seconds_of(const char *name, uint32_t fallback, uint32_t *ret)
{
    const char *text = getenv(name);
    char *end = NULL;
    unsigned long value = text ? strtoul(text, &end, 10) : fallback;

    if (text && (*text < '0' || *text > '9' || *end || !value || value > UINT32_MAX))
        return gp_error_new(GP_E_CONFIG, "%s is '%s', not a number of seconds", name, text);
    *ret = (uint32_t)value;
    return NULL;
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, -1};
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_supervisor_options options = {
        .argv = child_argv(mem, &cli->pass), .reread = reread, .data = &cli->pass};
    struct gp_pass pass;
    struct gp_error *err;

    (void)gp_cli_format(cli, formats);
    err = seconds_of("GPUPART_PASS_DEADLINE", DEADLINE_S, &options.deadline_s);
    if (!err)
        err = seconds_of("GPUPART_PASS_PATIENCE", PATIENCE_S, &options.patience_s);
    if (!err)
        err = open_as_child(&cli->pass, &pass);
    if (err)
        return gp_cli_fail(err);
    options.connect = gp_strdup(mem, pass.connect);
    options.interval_ms = interval_of(&pass);
    gp_pass_close(&pass);
    err = gp_supervisor_run(&options);
    return err ? gp_cli_fail(err) : GP_EXIT_OK;
}

const struct gp_command gp_command_run = {
    .name = "run",
    .doc = "the daemon: a pass on interval, event or SIGHUP",
    .run = run,
};
