/* A state directory of the test's own, and words for what is looked at again and again. */
#pragma once

#include "rows.h"

#include "cleanup.h"
#include "state.h"
#include "text.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

extern char *scratch; /* not made yet; gone after the test */
extern struct gp_arena *mem;
void scratch_begin(void);
void scratch_end(void);

struct gp_state *opened(bool lock);
/* Fails the test with the error. */
void ok(struct gp_error *err);
/* The error must be of @code, and its line hold @words. */
void refused(struct gp_error *err, enum gp_errc code, const char *words);
/* Below the scratch directory; malloc()ed text, NULL if there is none. */
char *read_scratch(const char *name);
void write_scratch(const char *name, const char *text);
bool exists_scratch(const char *name);
