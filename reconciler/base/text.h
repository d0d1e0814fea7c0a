/* Text: building it, comparing it, finding the word that was meant. */
#pragma once

#include "arena.h"

#include <stdbool.h>

/* A string that grows in an arena. Starts as {.mem = mem}; always ends in NUL once written to. */
struct gp_text {
    struct gp_arena *mem;
    char *chars;
    size_t size, room;
};

void gp_text_add(struct gp_text *text, const char *chars);
void gp_text_addn(struct gp_text *text, const char *chars, size_t size);
void gp_text_addf(struct gp_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What was built so far; "" if nothing was. */
const char *gp_text_get(const struct gp_text *text);

/* The first byte of line @line (from 1) of @text and, in @ret_end, one past its last byte before the
 * newline. NULL if there are fewer lines. */
const char *gp_text_line(const char *text, size_t size, uint32_t line, const char **ret_end);

/* The bytes of the character at @at, before @end; 0 if it is no UTF-8 (RFC 3629) or a control character (C0, DEL, C1),
 * which a terminal could take for a command, or one that changes the order in which a line is read (UAX #9). */
size_t gp_utf8_printable(const char *at, const char *end);

/* @text in place, in one line that a terminal prints as it is: newlines and tabs become blanks, what else is not
 * printable '?'. Returns @text, which may be NULL. */
char *gp_text_plain(char *text);

/* @text as one word of a POSIX shell command, for commands that people are told to run: as it is where that is one already,
 * else in single quotes. */
const char *gp_shell_word(struct gp_arena *mem, const char *text);

bool gp_streq(const char *a, const char *b); /* NULL equals only NULL */
bool gp_starts_with(const char *text, const char *prefix);
/* strcmp() that takes NULL, which sorts first; for qsort. */
int gp_strcmp(const char *a, const char *b);
/* As gp_strcmp(), but runs of digits compare as numbers: virtfn2 before virtfn10. */
int gp_strvercmp(const char *a, const char *b);

/* Whether @text matches the glob @pattern: '*' any run, '?' one byte, all else itself. Linear in
 * practice, never worse than the product of both lengths. */
bool gp_glob_match(const char *pattern, const char *text);
/* Whether @pattern has a '*' or '?' at all. */
bool gp_glob_is(const char *pattern);

/* The nearest of @words (ended by NULL) to @word, if it is near enough to have been meant (a third of
 * its letters wrong at most), else NULL. */
const char *gp_nearest(const char *word, const char *const *words);

/* "1, 2, 4" */
const char *gp_join_u32(struct gp_arena *mem, const uint32_t *numbers, size_t count);

/* Lower-case hex of the first @chars / 2 bytes of the SHA-256 of @data. @chars even, at most 64. */
const char *gp_sha256_hex(struct gp_arena *mem, const void *data, size_t size, unsigned chars);
/* UUID version 5 (RFC 9562) of @name in namespace @ns, both any text; 36 characters, lower case. */
const char *gp_uuid5(struct gp_arena *mem, const char *ns, const char *name);
