/* Pauses and approvals that hold now, as every status shows them. */
#pragma once

#include "pass.h"

#include <jansson.h>

struct gp_pauses_view {
    struct gp_pause *pauses, *approvals;
    size_t pause_count, approval_count;
};
/* From pass->mem; those whose time is over are left out. */
struct gp_error *gp_pauses_view(struct gp_pass *pass, struct gp_pauses_view *ret) GP_MUST_CHECK;
/* "paused: host until … by ada: why", a line each; nothing where there is none. */
void gp_pauses_print(struct gp_arena *mem, const struct gp_pauses_view *view);
/* [{"object", "user", "reason", "since", "until"}]; the caller owns it. */
json_t *gp_pauses_json(struct gp_arena *mem, const struct gp_pause *pauses, size_t count);
