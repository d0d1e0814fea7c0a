/* One wave of steps against the host: neighbouring stops go out together, all else one after the other. */
#pragma once

#include "pass.h"

struct gp_wave {
    struct gp_pass *pass;
    struct gp_host *host;       /* this thread's own */
    struct gp_arena *mem;
    const struct gp_have *have; /* a fresh look */
    const struct gp_plan *plan; /* made from that look */
    const char *commit, *plan_id;
    bool may_be_cancelled;      /* a way back is not */
};

/* Does wave @number of @plan (all its sets). The first step that fails ends it. */
struct gp_error *gp_wave_run(const struct gp_wave *wave, uint32_t number) GP_MUST_CHECK;
