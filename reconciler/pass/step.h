/* One wave of steps against the host: neighbouring stops go out together, all else one after the other. */
#pragma once

#include "pass.h"

/* Units that were to be started and did not come up, with why. */
struct gp_units_down {
    struct gp_unit *items;
    size_t count;
};

struct gp_wave {
    struct gp_pass *pass;
    struct gp_host *host;       /* this thread's own */
    struct gp_arena *mem;
    const struct gp_have *have; /* a fresh look */
    const struct gp_plan *plan; /* made from that look */
    const bool *due;            /* which of its steps belong to this wave */
    const char *commit, *plan_id;
    bool may_be_cancelled;      /* a way back is not */
    struct gp_units_down *down; /* gets those that fail: that ends no wave */
};

/* Does the steps of @wave->plan that are due, in their order. The first that fails ends it. */
struct gp_error *gp_wave_run(const struct gp_wave *wave) GP_MUST_CHECK;
