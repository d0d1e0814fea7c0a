/* What stdout shows is what was said: names of guests are anybody's, and some characters in them would be commands to a terminal
 * or change the order in which a line is read. */
#pragma once

#include <stdio.h>

/* A stream that passes on to @under what is written to it, where such a character becomes its escape (\u202e), which JSON strings
 * take for the character itself. Newlines and tabs stay; what is no UTF-8 becomes '?'. Lives as long as the program. */
FILE *gp_shown_open(FILE *under);
