/* resume: ends a pause before its time. A GPU's quarantined partitions are trusted again. */
#include "break_glass.h"
#include "clock.h"
#include "command.h"

#include "cleanup.h"
#include "objects.h"
#include "text.h"

#include <string.h>

static const char *what;

static error_t parse(int key, char *value, struct argp_state *state)
{
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (what)
        argp_error(state, "resume takes one of host, vm/NAME and gpu/ADDRESS, not '%s' besides", value);
    if (!gp_cli_is_object(value))
        argp_error(state, "resume takes one of host, vm/NAME and gpu/ADDRESS, not '%s'", value);
    what = value;
    return 0;
}

/* A VM that is not defined any more, or a GPU that is gone, can still be paused: its name as given will do. */
static struct gp_error *find_object(struct gp_pass *pass, const char **ret, bool *ret_was_paused)
{
    struct gp_pause *pauses = NULL;
    size_t count = 0;
    struct gp_error *err = gp_state_pauses(pass->state, false, pass->mem, &pauses, &count);

    if (err)
        return err;
    *ret = what ? what : "host";
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++)
            if (gp_streq(pauses[i].object, *ret)) {
                *ret_was_paused = pauses[i].until_us > gp_realtime_us();
                return NULL;
            }
        if (round == 0) {
            err = gp_cli_object(pass, *ret, ret);
            if (err)
                return err;
        }
    }
    *ret_was_paused = false;
    return NULL;
}

/* Quarantine is the pass's own memory, and needs its lock. */
static struct gp_error *release_quarantine(struct gp_pass *pass, const char *object, size_t *ret_count)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = NULL;
    const struct gp_memory *memory = gp_pass_memory(pass, pass->mem);
    const char *prefix, *warning = NULL;
    struct gp_strings ours = {0};
    struct gp_error *err = NULL;

    *ret_count = 0;
    if (!gp_starts_with(object, "gpu/"))
        return NULL;
    prefix = gp_printf(pass->mem, "%s/", object + strlen("gpu/"));
    for (size_t i = 0; i < memory->quarantined.count; i++)
        if (gp_starts_with(memory->quarantined.items[i], prefix))
            *gp_push(pass->mem, ours.items, ours.count) = memory->quarantined.items[i];
    if (!ours.count)
        return NULL;
    err = gp_state_open(pass->options.state, true, pass->mem, &state, &warning);
    for (size_t i = 0; !err && i < ours.count; i++)
        err = gp_state_set_quarantined(state, ours.items[i], false);
    if (err)
        return gp_error_wrap(err, "partitions of %s stay quarantined", object);
    *ret_count = ours.count;
    return NULL;
}

static void tell(struct gp_pass *pass, const char *object, bool was_paused, size_t released)
{
    const char *user = gp_break_glass_user(pass->mem), *message;

    if (was_paused) {
        message = gp_printf(pass->mem, "%s is no longer paused, says %s", object, user);
        gp_break_glass_tell(pass, GP_EVENT_RESUMED, object, message);
    }
    if (released) {
        message = gp_printf(pass->mem, "%s: %zu quarantined %s may be used again, says %s", object, released,
                            released == 1 ? "partition" : "partitions", user);
        gp_break_glass_tell(pass, GP_EVENT_RESUMED, object, message);
    }
    if (!was_paused && !released)
        (void)printf("%s was not paused\n", object);
}

static struct gp_error *resume(struct gp_pass *pass)
{
    const char *object = NULL;
    bool was_paused = false;
    size_t released = 0;
    struct gp_error *err = gp_break_glass_may(pass), *more;

    if (!err)
        err = find_object(pass, &object, &was_paused);
    if (!err)
        err = gp_state_clear_pause(pass->state, false, object);
    if (err)
        return err;
    more = release_quarantine(pass, object, &released);
    tell(pass, object, was_paused, released);
    return more;
}

static int run(struct gp_cli *cli)
{
    return gp_break_glass_run(cli, &cli->pass, resume);
}

const struct gp_command gp_command_resume = {
    .name = "resume",
    .args_doc = "[host|vm/NAME|gpu/ADDRESS]",
    .doc = "end a pause; trust a GPU's quarantined partitions again",
    .parser = parse,
    .run = run,
};
