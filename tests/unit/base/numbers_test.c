#include "rows.h"

#include "numbers.h"

static const struct {
    const char *text;
    bool fits;
    uint64_t low; /* the first 64 */
} rows[] = {
    {"", true, 0},
    {"0", true, 1},
    {"0-3,8", true, 0x10f},
    {"0-7,^3", true, 0xf7},
    {"^3,0-7", true, 0xff},
    {"63-64", true, 1ULL << 63},
    {"8191", true, 0},
    {"8192", false, 0},
    {"99999999999999999999", false, 0},
    {"3-1", false, 0},
    {"1,", false, 0},
    {",1", false, 0},
    {"1-", false, 0},
    {"-1", false, 0},
    {"^", false, 0},
    {"^0-1", false, 0},
    {"1 2", false, 0},
    {"all", false, 0},
};

GP_ROWS(numbers, add, rows)
{
    struct gp_numbers set = {0};

    cr_assert(eq(int, gp_numbers_add(&set, rows[*i].text), rows[*i].fits), "'%s'", rows[*i].text);
    cr_assert(eq(u64, set.bits[0], rows[*i].low), "'%s'", rows[*i].text);
}

Test(numbers, one_set_takes_nothing_out_of_another)
{
    struct gp_numbers set = {0}, other = {0};

    cr_assert(gp_numbers_add(&set, "0-3") && gp_numbers_add(&set, "4,^2"));
    cr_assert(eq(u64, set.bits[0], 0x1f));
    cr_assert(gp_numbers_add(&other, "5,8191") && !gp_numbers_meet(&set, &other));
    cr_assert(gp_numbers_add(&set, "8190-8191") && gp_numbers_meet(&set, &other));
}
