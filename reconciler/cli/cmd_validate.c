/* validate: every mistake of a declaration, with no host and no network. */
#include "command.h"

#include "cleanup.h"
#include "findings.h"
#include "git.h"
#include "timezone.h"

static char **paths;
static size_t path_count;

static error_t parse(int key, char *value, struct argp_state *state)
{
    (void)value;
    switch (key) {
    case ARGP_KEY_ARG:
        return ARGP_ERR_UNKNOWN; /* all of them at once, below */
    case ARGP_KEY_ARGS:
        paths = state->argv + state->next;
        path_count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "validate takes one or more files or folders");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char *cluster_of(const struct gp_load *load)
{
    return load->declaration.cluster_count == 1 ? load->declaration.clusters[0]->name : NULL;
}

/* A machine without a tz database cannot say that a name is wrong. */
static bool knows_timezone(const char *zone)
{
    return gp_timezone_find(zone) != GP_TIMEZONE_UNKNOWN;
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, GP_FORMAT_JSON, GP_FORMAT_SARIF, GP_FORMAT_GITHUB, GP_FORMAT_GITLAB, -1};
    static const enum gp_findings_format as[] = {
        [GP_FORMAT_TEXT] = GP_FINDINGS_TEXT,     [GP_FORMAT_JSON] = GP_FINDINGS_JSON,
        [GP_FORMAT_SARIF] = GP_FINDINGS_SARIF,   [GP_FORMAT_GITHUB] = GP_FINDINGS_GITHUB,
        [GP_FORMAT_GITLAB] = GP_FINDINGS_GITLAB,
    };
    const enum gp_format format = gp_cli_format(cli, formats);
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_load load;

    /* A host's own GpuAgent file is checked by the same command, so all kinds are taken. */
    gp_load_init(&load, mem, true, true);
    load.knows_timezone = knows_timezone;
    for (size_t i = 0; i < path_count; i++) {
        struct gp_error *err = gp_dir_load(paths[i], &load);

        if (err)
            return gp_cli_fail(err);
    }
    gp_load_finish(&load);
    gp_findings_print(stdout, as[format], cluster_of(&load), load.findings, load.finding_count);
    if (format == GP_FORMAT_TEXT && !load.failed)
        (void)printf("%zu %s and %zu %s are as they should be\n", load.declaration.cluster_count,
                     load.declaration.cluster_count == 1 ? "cluster" : "clusters", load.declaration.binding_count,
                     load.declaration.binding_count == 1 ? "binding" : "bindings");
    return load.failed ? GP_EXIT_INVALID : GP_EXIT_OK;
}

const struct gp_command gp_command_validate = {
    .name = "validate",
    .args_doc = "PATH…",
    .doc = "check a declaration without host or network",
    .parser = parse,
    .run = run,
};
