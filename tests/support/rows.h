/* Table-driven tests: Criterion runs each case in a new process image, where a pointer made elsewhere
 * means nothing, so a case is handed the number of its row. */
#pragma once

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

/* GP_ROWS(suite, name, rows) { … rows[*i] … } */
#define GP_ROWS(suite, name, rows)                                                                 \
    ParameterizedTestParameters(suite, name)                                                       \
    {                                                                                              \
        static size_t numbers[sizeof rows / sizeof *rows];                                         \
        for (size_t n = 0; n < sizeof rows / sizeof *rows; n++)                                    \
            numbers[n] = n;                                                                        \
        return cr_make_param_array(size_t, numbers, sizeof rows / sizeof *rows);                   \
    }                                                                                              \
    ParameterizedTest(const size_t *i, suite, name)
