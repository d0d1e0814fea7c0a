/* Any host and any goal: each byte makes a choice of the generator. The planner ends, its plans keep the laws, done they
 * arrive at what they say, wherever they break off there is a way back, and what is not ours is as it was. */
#include "fuzz.h"

#include "cleanup.h"
#include "laws.h"

#include <stdio.h>
#include <stdlib.h>

static void broken(const char *text)
{
    (void)fprintf(stderr, "%s\n", text);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gen gen = gen_bytes(data, size);
    const struct gen_state state = gen_state(mem, &gen);
    struct law_tally tally = {0};

    law_try(mem, "this input", &state, &gen, broken, &tally);
    return 0;
}
