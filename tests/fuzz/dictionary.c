#include "print.h"

#include <stdlib.h>

int main(void)
{
    gp_schema_dictionary(stdout);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
