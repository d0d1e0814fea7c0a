/* validate: every mistake of a declaration, with no host and no network. */
#include "command.h"

#include "cleanup.h"
#include "findings.h"
#include "git.h"
#include "text.h"
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

static const char *counted(struct gp_arena *mem, size_t count, const char *one, const char *many)
{
    return gp_printf(mem, "%zu %s", count, count == 1 ? one : many);
}

/* What was found, where nothing is wrong with it. */
static void tell_good(struct gp_arena *mem, const struct gp_load *load)
{
    const struct gp_declaration *declared = &load->declaration;

    if (load->agent && !declared->cluster_count && !declared->binding_count)
        (void)printf("1 GpuAgent is as it should be\n");
    else
        (void)printf("%s%s%s%s are as they should be\n", counted(mem, declared->cluster_count, "cluster", "clusters"),
                     load->agent ? ", " : " and ", counted(mem, declared->binding_count, "binding", "bindings"),
                     load->agent ? " and 1 GpuAgent" : "");
}

/* A path that holds nothing is most likely the wrong one, and a check that looks there would be green for ever. */
static bool holds_nothing(const struct gp_load *load)
{
    return !load->agent && !load->declaration.cluster_count && !load->declaration.binding_count;
}

static void tell_nothing(void)
{
    (void)fputs("gpupart: nothing is declared in", stderr);
    for (size_t i = 0; i < path_count; i++)
        (void)fprintf(stderr, "%s %s", i ? "," : "", paths[i]);
    (void)fputs(": no GpuCluster, GpuBinding or GpuAgent in a file that ends in .yaml or .yml; is the path right?\n", stderr);
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
    if (!load.failed && holds_nothing(&load)) {
        tell_nothing();
        return GP_EXIT_INVALID;
    }
    if (format == GP_FORMAT_TEXT && !load.failed)
        tell_good(mem, &load);
    return load.failed ? GP_EXIT_INVALID : GP_EXIT_OK;
}

const struct gp_command gp_command_validate = {
    .name = "validate",
    .args_doc = "PATH…",
    .doc = "check a declaration without host or network",
    .parser = parse,
    .run = run,
};
