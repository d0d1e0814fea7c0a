/* Sets of small numbers as the kernel and libvirt write them: "0-3,8", "0-7,^3". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { GP_NUMBERS_MAX = 8192 }; /* as many CPUs as Linux can have */

struct gp_numbers {
    uint64_t bits[GP_NUMBERS_MAX / 64];
};

/* Adds to @ret what @text says; '^' takes out what stands before it in @text. False, and @ret as it was, for anything
 * else, numbers of GP_NUMBERS_MAX and more among it. "" is the empty set. */
bool gp_numbers_add(struct gp_numbers *ret, const char *text);
bool gp_numbers_meet(const struct gp_numbers *a, const struct gp_numbers *b);
