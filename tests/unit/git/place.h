/* A folder with remotes made by git itself, and the options of a host that follows them. */
#pragma once

#include "rows.h"

#include "cleanup.h"
#include "git.h"
#include "text.h"

#include <string.h>

extern char *place; /* the folder, gone after the test */
extern struct gp_arena *mem;
extern struct gp_git_options options; /* follows remotes[0..remote_count) into PLACE/state/git */
extern struct gp_remote_decl remotes[4];
void place_begin(void);
void place_end(void);

/* Runs a shell script in the folder, with git's own configuration shut out; fails the test if it
 * does. */
void sh(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Its output, without the last newline. */
const char *sh_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* PLACE/NAME, a bare repository with one commit that has west/a.yaml; returns the commit. */
const char *make_remote(const char *name);
/* One more commit on main of PLACE/NAME; returns it. */
const char *commit_more(const char *name);
const char *in_place(const char *name); /* PLACE/NAME */

void ok(struct gp_error *err);
/* The error must be of @code, and its line hold @words; returns the line. */
const char *refused(struct gp_error *err, enum gp_errc code, const char *words);
/* The same, and its line be @says word by word; commits are COMMIT there, and the folder is PLACE. */
void said(struct gp_error *err, enum gp_errc code, const char *says);
/* gp_git_sync() must succeed with this. */
void synced(enum gp_git_state state, const char *commit);
extern const char *why; /* of the last synced() */
