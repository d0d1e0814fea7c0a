/* Results as lines of JSON in the state directory: {"at", "event", "object", "commit", "plan", "message"}. */
#pragma once

#include "journal.h"
#include "state.h"

/* Durable when it returns. Every text may be NULL. */
struct gp_error *gp_history_add(struct gp_state *state, enum gp_event event, const char *object, const char *commit,
                                const char *plan, const char *message) GP_MUST_CHECK;
