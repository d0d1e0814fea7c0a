/* The waves of one set: each is planned from a fresh look, done, and looked at. */
#pragma once

#include "work.h"

/* From work->have to work->goal, then verified. Every fresh plan must keep the laws, not be blocked, and be the rest of
 * what was allowed; where nothing was reviewed (a way back), of the first plan. */
struct gp_error *gp_waves_run(struct gp_work *work) GP_MUST_CHECK;
