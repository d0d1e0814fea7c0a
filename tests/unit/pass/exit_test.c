#include "rows.h"

#include "pass.h"

static const int statuses[] = {
    GP_EXIT_OK,         GP_EXIT_FAILURE, GP_EXIT_DIFFERENCES, GP_EXIT_INVALID, GP_EXIT_REFUSED,    GP_EXIT_RESTORED, GP_EXIT_NOT_RESTORED,
    GP_EXIT_INCOMPLETE, GP_EXIT_LOCKED,  GP_EXIT_REBOOT,      GP_EXIT_USAGE,   GP_EXIT_PERMISSION, GP_EXIT_CONFIG,
};

enum { STATUSES = sizeof statuses / sizeof *statuses };

/* The laws of the one that is told: it is one of the two, whichever comes first, and success only where both are. */
Test(exit, worse_is_one_of_the_two_and_no_success_that_was_none)
{
    for (size_t i = 0; i < STATUSES; i++)
        for (size_t j = 0; j < STATUSES; j++) {
            const int a = statuses[i], b = statuses[j], worse = gp_exit_worse(a, b);

            cr_expect(worse == a || worse == b, "of %d and %d it tells %d", a, b, worse);
            cr_expect(eq(int, worse, gp_exit_worse(b, a)), "of %d and %d", a, b);
            cr_expect(eq(int, worse == GP_EXIT_OK, a == GP_EXIT_OK && b == GP_EXIT_OK), "of %d and %d it tells %d", a, b, worse);
        }
}

/* No error is success. */
Test(exit, every_error_has_a_status_that_is_no_success)
{
    for (int code = GP_E_INVALID; code < GP_E_COUNT; code++)
        cr_expect(ne(int, gp_exit_worse(GP_EXIT_OK, gp_exit_of((enum gp_errc)code)), GP_EXIT_OK), "%s",
                  gp_errc_name((enum gp_errc)code));
}

static const struct {
    int a, b, worse;
} rows[] = {
    {GP_EXIT_OK, GP_EXIT_CONFIG, GP_EXIT_CONFIG},
    {GP_EXIT_OK, GP_EXIT_PERMISSION, GP_EXIT_PERMISSION},
    {GP_EXIT_NOT_RESTORED, GP_EXIT_CONFIG, GP_EXIT_NOT_RESTORED},
    {GP_EXIT_RESTORED, GP_EXIT_PERMISSION, GP_EXIT_RESTORED},
    {GP_EXIT_FAILURE, GP_EXIT_CONFIG, GP_EXIT_FAILURE},
    {GP_EXIT_CONFIG, GP_EXIT_PERMISSION, GP_EXIT_CONFIG},
    {GP_EXIT_PERMISSION, GP_EXIT_REFUSED, GP_EXIT_PERMISSION},
    {GP_EXIT_INCOMPLETE, GP_EXIT_DIFFERENCES, GP_EXIT_INCOMPLETE},
    {GP_EXIT_REBOOT, GP_EXIT_INVALID, GP_EXIT_REBOOT},
};

GP_ROWS(exit, worse, rows)
{
    cr_assert(eq(int, gp_exit_worse(rows[*i].a, rows[*i].b), rows[*i].worse), "of %d and %d", rows[*i].a, rows[*i].b);
}
