/* pause: no pass changes the host, a VM or a GPU for a while. Guests that gpupart stopped are started all the same. */
#include "break_glass.h"
#include "clock.h"
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

static struct gp_error *pause_in(struct gp_pass *pass, const char **ret_object, struct gp_pause *ret)
{
    const uint64_t now = gp_realtime_us();
    struct gp_error *err = gp_cli_object(pass, what ? what : "host", ret_object);

    if (err)
        return err;
    *ret = (struct gp_pause){
        .object = *ret_object,
        .user = gp_break_glass_user(pass->mem),
        .reason = glass.reason,
        .since_us = now,
        .until_us = now + glass.for_us,
    };
    return gp_state_set_pause(pass->state, false, ret);
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, -1};
    const char *object = NULL, *message;
    struct gp_pause pause = {0};
    struct gp_pass pass;
    struct gp_error *err;
    int exit = GP_EXIT_OK;

    (void)gp_cli_format(cli, formats);
    err = gp_pass_open(&cli->pass, &pass);
    if (err)
        return gp_cli_fail(err);
    err = pause_in(&pass, &object, &pause);
    if (err) {
        exit = gp_cli_fail(err);
    } else {
        message = gp_printf(pass.mem, "%s is paused until %s by %s: %s", object,
                            gp_time_text(pass.mem, pause.until_us), pause.user, pause.reason);
        gp_break_glass_tell(&pass, GP_EVENT_PAUSED, object, message);
        (void)printf("%s\n", message);
    }
    gp_pass_close(&pass);
    return exit;
}

const struct gp_command gp_command_pause = {
    .name = "pause",
    .args_doc = "[host|vm/NAME|gpu/ADDRESS]",
    .doc = "no pass changes it for a while; guests that are owed a start get it",
    .options = gp_break_glass_options,
    .parser = parse,
    .run = run,
};
