/* What this host remembers: applied per object, records of unfinished sets, starts that are owed, the newest
 * verified commit. Files below the state directory (default /var/lib/gpupart), JSON, each replaced
 * atomically: written beside, fsync, rename, fsync of the directory. */
#pragma once

#include "model.h"
#include "plan.h"

struct gp_state;

/* Opens (and makes) the directory. With @lock takes the pass lock: GP_E_LOCKED names the holder (pid, since).
 * A state written by a newer formatVersion is GP_E_CONFIG; a file that is no JSON is kept aside as
 * NAME.corrupt, told in *ret_warning, and taken as empty. */
struct gp_error *gp_state_open(const char *dir, bool lock, struct gp_arena *mem,
                               struct gp_state **ret, const char **ret_warning) GP_MUST_CHECK;
void gp_state_close(struct gp_state *state); /* takes NULL; releases the lock */
void gp_state_close_p(struct gp_state **state);
const char *gp_state_dir(const struct gp_state *state);

/* The memory the core reads; owned by the state, valid until the next change. */
const struct gp_memory *gp_state_memory(const struct gp_state *state);

/* Changes; durable when they return. */
struct gp_error *gp_state_set_applied(struct gp_state *state, const char *key, const char *value,
                                      const char *commit) GP_MUST_CHECK;
struct gp_error *gp_state_forget_applied(struct gp_state *state, const char *key) GP_MUST_CHECK;
struct gp_error *gp_state_set_owed(struct gp_state *state, const struct gp_owed *owed) GP_MUST_CHECK;
struct gp_error *gp_state_clear_owed(struct gp_state *state, const char *vm) GP_MUST_CHECK;
struct gp_error *gp_state_set_quarantined(struct gp_state *state, const char *partition, bool on) GP_MUST_CHECK;
const char *gp_state_verified(const struct gp_state *state); /* newest verified commit, or NULL */
uint64_t gp_state_verified_since_us(const struct gp_state *state);
struct gp_error *gp_state_set_verified(struct gp_state *state, const char *commit) GP_MUST_CHECK;

/* The record of one set, written before its first disturbing step and removed when it is done or restored. */
struct gp_record {
    const char *set;    /* gp_set.id */
    const char *commit, *plan;
    uint64_t since_us;
    uint32_t attempts;  /* recoveries begun so far */
    struct gp_snapshot *snapshot;
    const char *goal_values; /* the goal's values of its objects, one "key value" a line: is it still wanted? */
};
struct gp_error *gp_state_write_record(struct gp_state *state, const struct gp_record *record) GP_MUST_CHECK;
struct gp_error *gp_state_remove_record(struct gp_state *state, const char *set) GP_MUST_CHECK;
/* By set id. */
struct gp_error *gp_state_records(struct gp_state *state, struct gp_arena *mem,
                                  struct gp_record **ret, size_t *ret_count) GP_MUST_CHECK;

/* Drift as it was last told, so that it is logged when it appears, changes or clears and then once a day. */
enum gp_drift_news { GP_DRIFT_OLD, GP_DRIFT_NEW, GP_DRIFT_CHANGED, GP_DRIFT_AGAIN };
/* Compares @drift with what was told before, remembers it, and returns news[i] for each and those that
 * cleared (from @mem). ret_since_us[i]: when it first appeared. */
struct gp_error *gp_state_tell_drift(struct gp_state *state, struct gp_arena *mem,
                                     const struct gp_difference *drift, size_t count, uint64_t now_us,
                                     enum gp_drift_news *ret_news, uint64_t *ret_since_us,
                                     struct gp_difference **ret_cleared, size_t *ret_cleared_count) GP_MUST_CHECK;

/* The last 1,000 results, oldest first, one JSON object each as text. */
struct gp_error *gp_state_add_history(struct gp_state *state, const char *json_line) GP_MUST_CHECK;
struct gp_error *gp_state_history(struct gp_state *state, struct gp_arena *mem, struct gp_strings *ret) GP_MUST_CHECK;

/* Conditions of objects with reason and since ("GitStale", "Degraded", "NotDeclared", …) for status. */
struct gp_condition {
    const char *object, *type, *reason;
    uint64_t since_us;
};
/* Replaces all; since is kept for those that stay. */
struct gp_error *gp_state_set_conditions(struct gp_state *state, const struct gp_condition *conditions,
                                         size_t count, uint64_t now_us) GP_MUST_CHECK;
struct gp_error *gp_state_conditions(struct gp_state *state, struct gp_arena *mem,
                                     struct gp_condition **ret, size_t *ret_count) GP_MUST_CHECK;

/* Pauses and approvals: time-boxed, with user and reason. */
struct gp_pause {
    const char *object, *user, *reason; /* "host", "vm/NAME", "gpu/ID", or a plan id for an approval */
    uint64_t since_us, until_us;
};
struct gp_error *gp_state_set_pause(struct gp_state *state, bool approval, const struct gp_pause *pause) GP_MUST_CHECK;
struct gp_error *gp_state_clear_pause(struct gp_state *state, bool approval, const char *object) GP_MUST_CHECK;
struct gp_error *gp_state_pauses(struct gp_state *state, bool approvals, struct gp_arena *mem,
                                 struct gp_pause **ret, size_t *ret_count) GP_MUST_CHECK;
