/* apply: do it now. reconcile: one pass from git, as the timer runs it. They differ in who asked: a person who
 * names the plan's id has approved it. */
#include "command.h"

#include "boot.h"
#include "cleanup.h"
#include "journal.h"
#include "plan_json.h"
#include "plan_text.h"
#include "text.h"
#include "units.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const char *plan_id;
static bool boot;
static uint32_t wait_ms = 60000; /* drivers of GPUs come up within seconds, big ones within half a minute */
static atomic_bool cancelled;

enum { KEY_PLAN = 2000, KEY_BOOT, KEY_WAIT };

static const struct argp_option options[] = {
    {"plan", KEY_PLAN, "ID", 0, "only if the plan still has this id; counts as its approval", 0},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    if (key != KEY_PLAN)
        return ARGP_ERR_UNKNOWN;
    if (strspn(value, "0123456789abcdef") != GP_PLAN_ID_DIGITS || value[GP_PLAN_ID_DIGITS])
        argp_error(state, "--plan takes the id of a plan (%d hex digits), not '%s'; `gpupart plan` tells it",
                   GP_PLAN_ID_DIGITS, value);
    plan_id = value;
    return 0;
}

/* No command of its own: it is a pass as well, towards what the state directory remembers instead of git. */
static const struct argp_option reconcile_options[] = {
    {"boot", KEY_BOOT, NULL, 0, "make the GPUs what they were before this host booted; asks neither git nor libvirt", 0},
    {"wait", KEY_WAIT, "SECONDS", 0, "with --boot: how long GPUs and drivers may take to appear (default: 60)", 0},
    {0},
};

static error_t parse_reconcile(int key, char *value, struct argp_state *state)
{
    unsigned long seconds;
    char *end;

    switch (key) {
    case KEY_BOOT:
        boot = true;
        return 0;
    case KEY_WAIT:
        seconds = strtoul(value, &end, 10);
        if (!*value || *end || *value == '-' || seconds > 3600)
            argp_error(state, "--wait takes 0 to 3600 seconds, not '%s'", value);
        wait_ms = (uint32_t)seconds * 1000;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'reconcile' takes no arguments, not '%s'", value);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* SIGTERM, SIGINT and a terminal that goes away end no step in the middle: no new disturbing one is begun, what was begun is
 * restored. A reader that goes away (a pager, the journal's socket) ends nothing. */
static void on_signal(int signal)
{
    (void)signal;
    atomic_store(&cancelled, true);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static int refuse_other_plan(const struct gp_pass *pass)
{
    const char *message = gp_printf(pass->mem, "GP-E504: the plan is %s now, not %s; nothing was changed. Review the new one: gpupart plan",
                                    pass->plan->id, plan_id);

    gp_journal(&(struct gp_entry){.event = GP_EVENT_REFUSED,
                                  .priority = -1,
                                  .message = message,
                                  .host = pass->host_name,
                                  .commit = pass->commit,
                                  .plan = pass->plan->id,
                                  .rule = "GP-E504"});
    (void)fprintf(stderr, "gpupart: %s\n", message);
    return GP_EXIT_REFUSED;
}

/* What became of the plan, in words that say no more than is so. */
static const char *result(const struct gp_pass *pass, int exit)
{
    size_t run = 0;

    for (size_t i = 0; i < pass->plan->set_count; i++)
        run += pass->plan->sets[i].verdict == GP_VERDICT_RUN;
    if (exit == GP_EXIT_RESTORED)
        return "failed, what was begun is restored";
    if (exit == GP_EXIT_NOT_RESTORED)
        return "failed, and could not be restored: see above";
    if (!pass->plan->set_count)
        return "nothing to do";
    if (!run)
        return "nothing was done: see above what it waits for";
    if (exit != GP_EXIT_OK)
        return "not all of it was done";
    return run == pass->plan->set_count ? "done" : "done, but for what waits: see above";
}

static void print_json(struct gp_pass *pass, int exit)
{
    json_t *json = gp_plan_json(&pass, 1, "Apply");

    (void)json_object_set_new(json, "result", gp_text_json(result(pass, exit)));
    (void)json_object_set_new(json, "exitStatus", json_integer(exit));
    gp_json_print(stdout, json);
}

static int apply_in(struct gp_pass *pass, enum gp_format format)
{
    struct gp_error *err;
    int exit;

    if (gp_pass_host_stops(pass)) {
        (void)fprintf(stderr, "gpupart: the host is shutting down: no pass is begun\n");
        return GP_EXIT_LOCKED;
    }
    err = gp_pass_plan(pass, plan_id);
    exit = pass->recover_exit;
    if (err)
        return gp_exit_worse(exit, gp_cli_fail(err));
    if (plan_id && !gp_streq(plan_id, pass->plan->id))
        return gp_exit_worse(exit, refuse_other_plan(pass));
    if (format == GP_FORMAT_TEXT)
        gp_plan_text_print(stdout, pass);
    (void)fflush(stdout);
    err = gp_pass_apply(pass, &exit);
    if (err)
        return gp_exit_worse(exit, gp_cli_fail(err));
    if (format == GP_FORMAT_JSON)
        print_json(pass, exit);
    else if (pass->plan->step_count)
        (void)printf("\nplan %s: %s\n", pass->plan->id, result(pass, exit));
    return exit;
}

static int boot_in(struct gp_pass *pass)
{
    int exit = GP_EXIT_OK;
    struct gp_error *err = gp_boot_restore(pass, wait_ms, &exit);

    return err ? gp_cli_fail(err) : exit;
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, GP_FORMAT_JSON, -1};
    const enum gp_format format = gp_cli_format(cli, formats);
    struct gp_pass pass;
    struct gp_error *err;
    int exit;

    cli->pass.change = true;
    catch_signals();
    err = gp_pass_open(&cli->pass, &pass);
    if (err)
        return gp_cli_fail(err);
    pass.cancelled = &cancelled;
    exit = boot ? boot_in(&pass) : apply_in(&pass, format);
    gp_pass_close(&pass);
    return exit;
}

const struct gp_command gp_command_apply = {
    .name = "apply",
    .doc = "do it now",
    .options = options,
    .parser = parse,
    .run = run,
};

const struct gp_command gp_command_reconcile = {
    .name = "reconcile",
    .doc = "one pass from git, as the timer runs it",
    .options = reconcile_options,
    .parser = parse_reconcile,
    .run = run,
};
