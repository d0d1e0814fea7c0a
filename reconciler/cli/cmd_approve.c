/* approve: what a policy wants a person to allow: a plan by its id, or the first reshaping of a GPU that somebody else
 * partitioned. */
#include "break_glass.h"
#include "command.h"

#include "objects.h"
#include "text.h"

#include <string.h>

static struct gp_break_glass glass;
static const char *id;

static error_t parse(int key, char *value, struct argp_state *state)
{
    switch (key) {
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "approve takes the id of a plan, or gpu/ADDRESS; `gpupart plan` tells them");
        return EINVAL;
    case ARGP_KEY_ARG:
        if (id)
            argp_error(state, "approve takes one id, not '%s' besides", value);
        if (!gp_starts_with(value, "gpu/") &&
            (strlen(value) != GP_PLAN_ID_DIGITS || strspn(value, "0123456789abcdef") != GP_PLAN_ID_DIGITS))
            argp_error(state, "'%s' is no plan's id (%d hex digits) and not gpu/ADDRESS; `gpupart plan` tells them",
                       value, GP_PLAN_ID_DIGITS);
        id = value;
        return 0;
    default:
        return gp_break_glass_parse(key, value, state, &glass);
    }
}

static struct gp_error *approve(struct gp_pass *pass)
{
    const bool gpu = gp_starts_with(id, "gpu/");
    const char *object = id;
    struct gp_error *err = gpu ? gp_cli_object(pass, id, &object) : NULL;

    return err ? err
               : gp_break_glass_set(pass, &glass, true, object, gpu ? object : gp_printf(pass->mem, "plan %s", object));
}

static int run(struct gp_cli *cli)
{
    return gp_break_glass_run(cli, &cli->pass, approve);
}

const struct gp_command gp_command_approve = {
    .name = "approve",
    .args_doc = "ID|gpu/ADDRESS",
    .doc = "allow a plan that waits for a person, for a while",
    .options = gp_break_glass_options,
    .parser = parse,
    .run = run,
};
