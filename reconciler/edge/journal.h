/* The journal: one structured entry per event, and its copy in the history file. */
#pragma once

#include "model.h"
#include "plan.h"

enum gp_event {
    GP_EVENT_PLAN,
    GP_EVENT_STEP_START,
    GP_EVENT_STEP_DONE,
    GP_EVENT_STEP_FAILED,
    GP_EVENT_DRIFT_FOUND,
    GP_EVENT_DRIFT_CHANGED,
    GP_EVENT_DRIFT_CLEARED,
    GP_EVENT_REFUSED,
    GP_EVENT_ADOPTED,
    GP_EVENT_APPLIED,
    GP_EVENT_RESTORED,
    GP_EVENT_NOT_RESTORED,
    GP_EVENT_LATE_STOP,
    GP_EVENT_GIT_STALE,
    GP_EVENT_PAUSED,
    GP_EVENT_RESUMED,
    GP_EVENT_COUNT
};
const char *gp_event_name(enum gp_event event); /* "drift-found" */
/* The MESSAGE_ID, 32 hex digits; each has an entry in contrib/journal/gpupart.catalog. */
const char *gp_event_id(enum gp_event event);

/* Every member may be NULL: then its field is not sent. */
struct gp_entry {
    enum gp_event event;
    int priority; /* 0 … 7 as syslog; -1: the event's own */
    const char *message;
    const char *cluster, *host, *commit, *plan, *rule, *gpu, *vm, *partition, *before, *after, *class;
};
/* Writes to the journal's socket; where there is none (or it does not take it within a second), to stderr.
 * sd_journal_send() says success with no socket, so the socket is looked at first. Never fails, never blocks
 * for longer. */
void gp_journal(const struct gp_entry *entry);
