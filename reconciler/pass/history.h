/* Results as lines of JSON in the state directory: {"at", "event", "object", "gpus", "vms", "commit", "plan",
 * "message"}. */
#pragma once

#include "journal.h"
#include "state.h"

struct gp_result {
    enum gp_event event;
    const char *object;     /* the set's id */
    struct gp_strings gpus; /* ids of its GPUs */
    struct gp_strings vms;  /* names of its VMs */
    const char *commit, *plan, *message; /* may be NULL */
};
/* Durable when it returns. */
struct gp_error *gp_history_add(struct gp_state *state, const struct gp_result *result) GP_MUST_CHECK;
