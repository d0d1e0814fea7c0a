#include "break_glass.h"

#include "cleanup.h"
#include "clock.h"
#include "table.h"
#include "text.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_FOR = 2100, KEY_REASON };

const struct argp_option gp_break_glass_options[] = {
    {"for", KEY_FOR, "DURATION", 0, "how long: 90s, 30m, 2h, 7d; at most 30d", 0},
    {"reason", KEY_REASON, "TEXT", 0, "why; shown to everybody who asks for the status", 0},
    {0},
};

static uint64_t parse_duration(struct argp_state *state, const char *text)
{
    static const struct gp_field field = {.key = "for", .kind = GP_FIELD_DURATION};
    const uint64_t most_ms = (uint64_t)GP_BREAK_GLASS_DAYS * 24 * 3600 * 1000;
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    uint32_t ms = 0;

    if (gp_scalar_parse(mem, &field, text, true, &ms))
        argp_error(state, "--for takes %s, not '%s'", gp_field_takes(mem, &field), text);
    else if (ms > most_ms)
        argp_error(state, "--for takes at most %dd, not %s", GP_BREAK_GLASS_DAYS, text);
    return (uint64_t)ms * 1000;
}

/* One line that a terminal and the journal can show. */
static bool is_line(const char *text)
{
    const char *end = text + strlen(text);

    for (size_t size; text < end; text += size) {
        size = gp_utf8_printable(text, end);
        if (!size)
            return false;
    }
    return true;
}

error_t gp_break_glass_parse(int key, char *value, struct argp_state *state, struct gp_break_glass *glass)
{
    switch (key) {
    case KEY_FOR:
        glass->for_us = parse_duration(state, value);
        return 0;
    case KEY_REASON:
        if (!value[strspn(value, " ")] || !is_line(value))
            argp_error(state, "--reason takes one line of text");
        glass->reason = value;
        return 0;
    case ARGP_KEY_END:
        if (!glass->for_us)
            argp_error(state, "it needs --for DURATION: for how long");
        if (!glass->reason)
            argp_error(state, "it needs --reason TEXT: why");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The uid that logged in; it stays over su and sudo. Fact: proc(5): 4294967295 where nobody did. */
static bool read_login(uid_t *ret)
{
    gp_cleanup(gp_fclose_p) FILE *file = fopen("/proc/self/loginuid", "re");
    uint32_t uid = UINT32_MAX;

    if (!file || fscanf(file, "%" SCNu32, &uid) != 1 || uid == UINT32_MAX)
        return false;
    *ret = (uid_t)uid;
    return true;
}

const char *gp_break_glass_user(struct gp_arena *mem)
{
    const char *sudo = getenv("SUDO_USER");
    uid_t uid = getuid();
    const struct passwd *user;

    if (sudo && *sudo && is_line(sudo))
        return gp_strdup(mem, sudo);
    (void)read_login(&uid);
    user = getpwuid(uid);
    return user ? gp_strdup(mem, user->pw_name) : gp_printf(mem, "uid %u", (unsigned)uid);
}

void gp_break_glass_tell(const struct gp_pass *pass, enum gp_event event, const char *object, const char *message)
{
    const bool gpu = gp_starts_with(object, "gpu/"), vm = gp_starts_with(object, "vm/");

    gp_journal(&(struct gp_entry){
        .event = event,
        .priority = -1,
        .message = message,
        .cluster = pass->agent->cluster,
        .host = pass->host_name,
        .gpu = gpu ? object + strlen("gpu/") : NULL,
        .vm = vm ? object + strlen("vm/") : NULL,
        .plan = gpu || vm || gp_streq(object, "host") ? NULL : object,
    });
    (void)printf("%s\n", message);
}

struct gp_error *gp_break_glass_may(const struct gp_pass *pass)
{
    return pass->captured ? gp_error_new(GP_E_REFUSED,
                                         "changing something under the root %s needs --simulate: it is not this host",
                                         pass->options.root)
                          : NULL;
}

struct gp_error *gp_break_glass_set(struct gp_pass *pass, const struct gp_break_glass *glass, bool approval,
                                    const char *object, const char *subject)
{
    const uint64_t now_us = gp_realtime_us();
    const struct gp_pause pause = {
        .object = object,
        .user = gp_break_glass_user(pass->mem),
        .reason = glass->reason,
        .since_us = now_us,
        .until_us = now_us + glass->for_us,
    };
    struct gp_error *err = gp_break_glass_may(pass);

    if (!err)
        err = gp_state_set_pause(pass->state, approval, &pause);
    if (!err)
        gp_break_glass_tell(pass, approval ? GP_EVENT_APPROVED : GP_EVENT_PAUSED, object,
                            gp_printf(pass->mem, "%s is %s until %s by %s: %s", subject, approval ? "approved" : "paused",
                                      gp_time_text(pass->mem, pause.until_us), pause.user, pause.reason));
    return err;
}

int gp_break_glass_run(const struct gp_cli *cli, const struct gp_pass_options *options,
                       struct gp_error *(*say)(struct gp_pass *pass))
{
    static const int formats[] = {GP_FORMAT_TEXT, -1};
    struct gp_error *err;
    struct gp_pass pass;
    int exit = GP_EXIT_OK;

    (void)gp_cli_format(cli, formats);
    err = gp_pass_open(options, &pass);
    if (err)
        return gp_cli_fail(err);
    err = say(&pass);
    if (err)
        exit = gp_cli_fail(err);
    gp_pass_close(&pass);
    return exit;
}
