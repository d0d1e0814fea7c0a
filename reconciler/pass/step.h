/* One wave of steps against the host: neighbouring stops go out together, all else one after the other. */
#pragma once

#include "pass.h"

struct gp_wave {
    struct gp_pass *pass;
    struct gp_host *host;       /* this thread's own */
    struct gp_arena *mem;
    const struct gp_have *have; /* a fresh look */
    const struct gp_plan *plan; /* made from that look */
    const bool *due;            /* which of its steps belong to this wave */
    const char *commit, *plan_id;
    bool may_be_cancelled;      /* a way back is not */
};

/* Does the steps of @wave->plan that are due, in their order. The first that fails ends it. */
struct gp_error *gp_wave_run(const struct gp_wave *wave) GP_MUST_CHECK;
