/* Mistakes gathered while a file is read, so that one look shows all of them. */
#pragma once

#include "plan.h"

struct gp_mistakes {
    struct gp_arena *mem;
    struct gp_finding *items;
    size_t count;
    size_t begin; /* of the file (or check) being read: each is cut after GP_MISTAKES_MAX */
    bool cut;
};

/* More than these of one file help nobody, and a hostile file could ask for millions. */
enum { GP_MISTAKES_MAX = 1000 };

/* Another file, or another check over all of them, begins. */
void gp_mistakes_begin(struct gp_mistakes *mistakes);
/* The level follows from @rule's letter: E error, W warning. */
void gp_mistake(struct gp_mistakes *mistakes, const char *rule, struct gp_span at,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
void gp_mistake_level(struct gp_mistakes *mistakes, const char *rule, enum gp_level level,
                      struct gp_span at, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* "'lots'": the user's word, cut where it is long, with '?' for what a terminal could take for a command.
 * NULL is "'?'". */
const char *gp_quote(struct gp_arena *mem, const char *word);
/* "a, b or c"; names ended by NULL. */
const char *gp_list_or(struct gp_arena *mem, const char *const *names);
/* "; did you mean 'pool'?" if one of @names (ended by NULL) is near, else "". */
const char *gp_did_you_mean(struct gp_arena *mem, const char *word, const char *const *names);
