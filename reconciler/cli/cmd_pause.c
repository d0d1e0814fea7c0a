/* pause: no pass changes the host, a VM or a GPU for a while. Guests that gpupart stopped are started all the same. */
#include "break_glass.h"
#include "command.h"

#include "objects.h"
#include "text.h"

static struct gp_break_glass glass;
static const char *what;

static error_t parse(int key, char *value, struct argp_state *state)
{
    if (key != ARGP_KEY_ARG)
        return gp_break_glass_parse(key, value, state, &glass);
    if (what)
        argp_error(state, "pause takes one of host, vm/NAME and gpu/ADDRESS, not '%s' besides", value);
    if (!gp_cli_is_object(value))
        argp_error(state, "pause takes one of host, vm/NAME and gpu/ADDRESS, not '%s'", value);
    what = value;
    return 0;
}

static struct gp_error *pause_object(struct gp_pass *pass)
{
    const char *object = NULL;
    struct gp_error *err = gp_cli_object(pass, what ? what : "host", &object);

    return err ? err : gp_break_glass_set(pass, &glass, false, object, object);
}

static int run(struct gp_cli *cli)
{
    return gp_break_glass_run(cli, &cli->pass, pause_object);
}

const struct gp_command gp_command_pause = {
    .name = "pause",
    .args_doc = "[host|vm/NAME|gpu/ADDRESS]",
    .doc = "no pass changes it for a while; guests that are owed a start get it",
    .options = gp_break_glass_options,
    .parser = parse,
    .run = run,
};
