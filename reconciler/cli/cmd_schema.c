/* schema: the JSON Schema of a kind or of all, for editors and reviewers' bots. */
#include "command.h"

#include "cleanup.h"
#include "print.h"
#include "text.h"

#include <stdlib.h>

static const char *kind;

static error_t parse(int key, char *value, struct argp_state *state)
{
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (kind)
        argp_error(state, "schema takes one kind, not '%s' besides", value);
    kind = value;
    return 0;
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_JSON, GP_FORMAT_TEXT, -1};
    gp_cleanup(gp_free_p) char *json = gp_schema_json(kind);

    (void)gp_cli_format(cli, formats);
    if (!json) {
        const char *nearest = gp_nearest(kind, gp_schema_kinds());

        (void)fprintf(stderr, "gpupart: there is no kind '%s'", kind);
        if (nearest)
            (void)fprintf(stderr, "; did you mean '%s'?\n", nearest);
        else
            for (const char *const *known = gp_schema_kinds(); *known; known++)
                (void)fprintf(stderr, "%s%s%s", known == gp_schema_kinds() ? "; there is " : ", ", *known,
                              known[1] ? "" : "\n");
        return GP_EXIT_USAGE;
    }
    (void)fputs(json, stdout);
    return GP_EXIT_OK;
}

const struct gp_command gp_command_schema = {
    .name = "schema",
    .args_doc = "[KIND]",
    .doc = "the JSON Schema of one kind or of all",
    .parser = parse,
    .run = run,
};
