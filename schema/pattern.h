/* How a text must look, in a language so small that it is a regular expression everywhere.
 *
 * A pattern is alternatives parted by '|'; each is a row of characters or classes ([a-z0-9_], [^/]), each
 * with an optional '?', '*', '+' or {m}, {m,n}. No groups. '\' takes the next character as it is. It
 * always means the whole text. The same string goes into the JSON Schema, so both say the same. */
#pragma once

#include <stdbool.h>

bool gp_pattern_match(const char *pattern, const char *text);
