/* The journal: one structured entry per event. */
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
    GP_EVENT_BOOT_RESTORED,
    GP_EVENT_BOOT_FAILED,
    GP_EVENT_APPROVED,
    GP_EVENT_COUNT
};
const char *gp_event_name(enum gp_event event); /* "drift-found" */
/* The MESSAGE_ID, 32 hex digits; each has an entry in contrib/journal/gpupart.catalog. */
const char *gp_event_id(enum gp_event event);
int gp_event_priority(enum gp_event event); /* 0 … 7 as syslog */

/* Every member may be NULL: then its field is not sent. */
struct gp_entry {
    enum gp_event event;
    int priority; /* 0 … 7 as syslog; -1: the event's own */
    const char *message;
    const char *cluster, *host, *commit, *plan, *rule, *gpu, *vm, *partition, *before, *after,
        *class;
};
/* Writes to the journal's socket; where there is none (or it does not take it within a second), one
 * line to stderr. Never fails, never blocks for longer. Speaks the journal's protocol itself:
 * sd_journal_send() says success with no socket, and blocks for as long as journald is stopped. */
void gp_journal(const struct gp_entry *entry);
/* The same to the socket at @socket_path. False with errno if it did not take it within a second;
 * ETIMEDOUT makes the entries of the next ten seconds not wait at all. */
bool gp_journal_send(const char *socket_path, const struct gp_entry *entry);
