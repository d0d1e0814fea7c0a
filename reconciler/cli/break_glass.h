/* What pause, resume, approve and trust share: who does it, for how long, why, and on what. */
#pragma once

#include "command.h"
#include "journal.h"
#include "pass.h"

#include <argp.h>

enum { GP_BREAK_GLASS_DAYS = 30 }; /* nothing is put off, or allowed, for longer */

/* --for and --reason as given; both are needed. */
struct gp_break_glass {
    uint64_t for_us;    /* 0: not given */
    const char *reason; /* NULL: not given */
};
extern const struct argp_option gp_break_glass_options[];
/* An argp parser's half for them; ARGP_ERR_UNKNOWN for any other key. Ends the program with the usage status where one
 * of them is no duration of at most 30 days, empty, or missing. */
error_t gp_break_glass_parse(int key, char *value, struct argp_state *state, struct gp_break_glass *glass);

/* Who asks: the user behind sudo, else who logged in, else whose rights these are: a name, else "uid 1000". From @mem. */
const char *gp_break_glass_user(struct gp_arena *mem);

/* To the journal, with the names of the GPU or VM in @object ("host", "gpu/ID", "vm/NAME" or a plan's id), and to whoever
 * asks. */
void gp_break_glass_tell(const struct gp_pass *pass, enum gp_event event, const char *object, const char *message);

/* GP_E_REFUSED where what @pass remembers is a capture's: what people say there is said of no host. */
struct gp_error *gp_break_glass_may(const struct gp_pass *pass) GP_MUST_CHECK;

/* Pauses @object, or approves it, for the time and the reason of @glass, and tells so: "SUBJECT is paused until …". */
struct gp_error *gp_break_glass_set(struct gp_pass *pass, const struct gp_break_glass *glass, bool approval,
                                    const char *object, const char *subject) GP_MUST_CHECK;

/* Runs a command that says something for people about an open pass; what @say returns is told. The exit status. */
int gp_break_glass_run(const struct gp_cli *cli, const struct gp_pass_options *options,
                       struct gp_error *(*say)(struct gp_pass *pass));
