/* trust: the newest verified commit and the floor; the one way past a history that was rewritten. */
#include "break_glass.h"
#include "clock.h"
#include "command.h"
#include "git.h"
#include "text.h"

#include <string.h>

enum { COMMIT_DIGITS = 40, KEY_RESET = 3000, KEY_REASON };

static const char *commit, *reason;

static const struct argp_option options[] = {
    {"reset-to", KEY_RESET, "COMMIT", 0, "take this commit as the newest verified one, whatever came before", 0},
    {"reason", KEY_REASON, "TEXT", 0, "why, for the journal", 0},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    switch (key) {
    case KEY_RESET:
        if (strspn(value, "0123456789abcdef") != COMMIT_DIGITS || value[COMMIT_DIGITS])
            argp_error(state, "--reset-to takes a whole commit id (%d hex digits), not '%s'", COMMIT_DIGITS, value);
        commit = value;
        return 0;
    case KEY_REASON:
        reason = value;
        return 0;
    case ARGP_KEY_END:
        if (commit && (!reason || !reason[strspn(reason, " ")] || strpbrk(reason, "\n\r")))
            argp_error(state, "--reset-to needs --reason TEXT, one line: why");
        if (reason && !commit)
            argp_error(state, "--reason belongs to --reset-to COMMIT");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void tell(const struct gp_pass *pass)
{
    const char *verified = gp_state_verified(pass->state), *lost = gp_state_verified_lost(pass->state);

    (void)printf("newest verified commit: %s", verified ? verified : lost ? "not known: " : "none yet");
    if (lost)
        (void)printf("%s", lost);
    if (verified)
        (void)printf(", since %s", gp_time_text(pass->mem, gp_state_verified_since_us(pass->state)));
    (void)printf("\nfloor: %s\nmode: %s\n", pass->agent->floor ? pass->agent->floor : "none",
                 pass->agent->trust_ssh ? "ssh" : "none");
}

/* Saying that a history is meant says nothing of who wrote it: the signature counts as for any other head. The commit was
 * fetched when it was refused. */
static struct gp_error *reset(struct gp_pass *pass)
{
    const char *dir = gp_printf(pass->mem, "%s/git", pass->options.state), *signer = NULL, *message;
    const char *verified = gp_state_verified(pass->state);
    /* A copy: the state's own is gone with the change. */
    const char *before = verified                             ? gp_strndup(pass->mem, verified, 12)
                         : gp_state_verified_lost(pass->state) ? "unknown"
                                                               : "none";
    struct gp_error *err = gp_git_find_commit(dir, commit); /* one that is not there could never be read */

    if (!err && pass->agent->trust_ssh)
        err = gp_git_check_signature(dir, commit, pass->agent->allowed_signers, pass->mem, &signer);
    if (!err)
        err = gp_state_set_verified(pass->state, commit);
    if (err)
        return gp_error_wrap(err, "the newest verified commit stays %s", before);
    message = gp_printf(pass->mem, "the newest verified commit is %.12s now, not %s, says %s: %s", commit,
                        before, gp_break_glass_user(pass->mem), reason);
    gp_break_glass_tell(pass, GP_EVENT_APPROVED, "host", message);
    return NULL;
}

static struct gp_error *say(struct gp_pass *pass)
{
    if (commit)
        return reset(pass);
    tell(pass);
    return NULL;
}

static int run(struct gp_cli *cli)
{
    struct gp_pass_options open = cli->pass;

    open.change = commit != NULL; /* no pass runs meanwhile */
    return gp_break_glass_run(cli, &open, say);
}

const struct gp_command gp_command_trust = {
    .name = "trust",
    .doc = "the newest verified commit; the way past a rewritten history",
    .options = options,
    .parser = parse,
    .run = run,
};
