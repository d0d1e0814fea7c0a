#include "numbers.h"

#include <stddef.h>

static bool take_number(const char **at, uint32_t *ret)
{
    uint32_t value = 0;

    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        value = value * 10 + (uint32_t)(**at - '0');
        if (value >= GP_NUMBERS_MAX)
            return false;
    }
    *ret = value;
    return true;
}

/* "3", "0-3", "^2" */
static bool take_item(const char **at, struct gp_numbers *set)
{
    const bool out = **at == '^';
    uint32_t first, last;

    *at += out;
    if (!take_number(at, &first))
        return false;
    last = first;
    if (**at == '-') {
        (*at)++;
        if (out || !take_number(at, &last) || last < first)
            return false;
    }
    for (uint32_t n = first; n <= last; n++) {
        const uint64_t bit = (uint64_t)1 << n % 64;

        set->bits[n / 64] = out ? set->bits[n / 64] & ~bit : set->bits[n / 64] | bit;
    }
    return true;
}

bool gp_numbers_add(struct gp_numbers *ret, const char *text)
{
    struct gp_numbers set = {0};

    for (const char *at = text; *at;) {
        if (!take_item(&at, &set) || (*at && (*at != ',' || !*++at)))
            return false;
    }
    for (size_t n = 0; n < sizeof set.bits / sizeof *set.bits; n++)
        ret->bits[n] |= set.bits[n];
    return true;
}

bool gp_numbers_meet(const struct gp_numbers *a, const struct gp_numbers *b)
{
    for (size_t n = 0; n < sizeof a->bits / sizeof *a->bits; n++)
        if (a->bits[n] & b->bits[n])
            return true;
    return false;
}
