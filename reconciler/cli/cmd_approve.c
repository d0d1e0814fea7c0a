/* approve: what a policy wants a person to allow: a plan by its id, or the first reshaping of a GPU that somebody else
 * partitioned. */
#include "break_glass.h"
#include "clock.h"
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

static struct gp_error *approve_in(struct gp_pass *pass, struct gp_pause *ret)
{
    const uint64_t now = gp_realtime_us();
    const char *object = id;
    struct gp_error *err = gp_starts_with(id, "gpu/") ? gp_cli_object(pass, id, &object) : NULL;

    if (err)
        return err;
    *ret = (struct gp_pause){
        .object = object,
        .user = gp_break_glass_user(pass->mem),
        .reason = glass.reason,
        .since_us = now,
        .until_us = now + glass.for_us,
    };
    return gp_state_set_pause(pass->state, true, ret);
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, -1};
    struct gp_pause approval = {0};
    const char *message;
    struct gp_pass pass;
    struct gp_error *err;
    int exit = GP_EXIT_OK;

    (void)gp_cli_format(cli, formats);
    err = gp_pass_open(&cli->pass, &pass);
    if (err)
        return gp_cli_fail(err);
    err = approve_in(&pass, &approval);
    if (err) {
        exit = gp_cli_fail(err);
    } else {
        message = gp_printf(pass.mem, "%s%s is approved until %s by %s: %s",
                            gp_starts_with(approval.object, "gpu/") ? "" : "plan ", approval.object,
                            gp_time_text(pass.mem, approval.until_us), approval.user, approval.reason);
        gp_break_glass_tell(&pass, GP_EVENT_APPROVED, approval.object, message);
        (void)printf("%s\n", message);
    }
    gp_pass_close(&pass);
    return exit;
}

const struct gp_command gp_command_approve = {
    .name = "approve",
    .args_doc = "ID|gpu/ADDRESS",
    .doc = "allow a plan that waits for a person, for a while",
    .options = gp_break_glass_options,
    .parser = parse,
    .run = run,
};
