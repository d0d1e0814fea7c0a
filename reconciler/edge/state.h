/* What this host remembers: applied per object, records of unfinished sets, starts that are owed,
 * the newest verified commit. Files below the state directory (default /var/lib/gpupart), JSON,
 * each replaced atomically: written beside, fsync, rename, fsync of the directory.
 *
 * Changes return GP_E_IO where the disk is full or read-only (what was there before is kept, in the
 * file and in memory) and GP_E_BUG for a state opened without the lock; pauses and approvals need
 * no lock. */
#pragma once

#include "model.h"
#include "plan.h"
#include "redact.h"

struct gp_state;

/* With @lock opens (and makes) the directory and takes the pass lock: GP_E_LOCKED names the holder
 * (pid, since). Without it the use is read-only: nothing is made or renamed, a directory that does
 * not exist is an empty memory, and no right beyond reading is needed. A state written by a newer
 * formatVersion is GP_E_CONFIG; a file that is not what gpupart writes is kept aside as
 * NAME.corrupt (with @lock), told in *ret_warning (from
 * @mem, NULL: nothing to tell; one line a file), and taken as empty; see also gp_state_verified_lost(). */
struct gp_error *gp_state_open(const char *dir, bool lock, struct gp_arena *mem,
                               struct gp_state **ret, const char **ret_warning) GP_MUST_CHECK;
void gp_state_close(struct gp_state *state); /* takes NULL; releases the lock */
void gp_state_close_p(struct gp_state **state);
/* The lock stays with whoever else has it open (a write that hangs has what this process has), until that ends. To be
 * called last before gp_state_close(). */
void gp_state_leave_locked(struct gp_state *state);
const char *gp_state_dir(const struct gp_state *state);

/* Where a capture in @root has what its host remembers: ROOT/state, from @mem. It is opened without @lock. */
const char *gp_state_of_capture(struct gp_arena *mem, const char *root);
/* Saves there what a plan is made from and judged by: what was applied, owed, quarantined, told as drift and verified, pauses,
 * approvals and failures; the same files, and none for what holds nothing. Without the repository, the history, the conditions, the
 * way back of sets that were begun and the layout for the boot, which no plan reads. @redact (NULL: nothing is replaced): with
 * stand-ins, and without what people and errors said in words. As it was when @state was opened. GP_E_IO and GP_E_PERM where it
 * cannot be written. */
struct gp_error *gp_state_capture(const struct gp_state *state, const char *root, struct gp_redact *redact) GP_MUST_CHECK;

/* For whoever brings the repository in the state directory up to date, pass or not: one at a time. *ret_fd is the lock, for
 * gp_state_unlock_git(); -1: somebody else still has it after @wait_ms. GP_E_IO and GP_E_PERM where its file cannot be made. */
struct gp_error *gp_state_lock_git(struct gp_state *state, uint32_t wait_ms, int *ret_fd) GP_MUST_CHECK;
void gp_state_unlock_git(int fd); /* also from children that still have it open; takes -1 */

/* The memory the core reads; owned by the state, valid until the next change. */
const struct gp_memory *gp_state_memory(const struct gp_state *state);

/* Changes; durable when they return; one that changes nothing writes nothing. Since is kept while
 * the value stays. @who as in struct gp_applied. */
struct gp_error *gp_state_set_applied(struct gp_state *state, const char *key, const char *value,
                                      const char *commit, const char *who) GP_MUST_CHECK;
struct gp_error *gp_state_forget_applied(struct gp_state *state, const char *key) GP_MUST_CHECK;
struct gp_error *gp_state_set_owed(struct gp_state *state,
                                   const struct gp_owed *owed) GP_MUST_CHECK;
struct gp_error *gp_state_set_owed_unit(struct gp_state *state, const char *unit) GP_MUST_CHECK;
struct gp_error *gp_state_clear_owed(struct gp_state *state, const char *vm_or_unit) GP_MUST_CHECK;
struct gp_error *gp_state_set_quarantined(struct gp_state *state, const char *partition,
                                          bool on) GP_MUST_CHECK;
const char *gp_state_verified(const struct gp_state *state); /* newest verified commit, or NULL */
/* Why that commit is not known though there was one: its file is corrupt, or gone while others tell of commits. NULL: it is
 * known, or there never was one. While it is lost no head may be believed, since any would do. */
const char *gp_state_verified_lost(const struct gp_state *state);
uint64_t gp_state_verified_since_us(const struct gp_state *state);
struct gp_error *gp_state_set_verified(struct gp_state *state, const char *commit) GP_MUST_CHECK;

/* The resolved layout of this host as last verified, for the boot unit, which has neither git nor
 * libvirt. */
struct gp_boot_gpu {
    const char *id;
    const char *
        identity; /* whatever tells this card from another in its slot, compared as text; or NULL */
    struct gp_layout layout; /* with exactly: partition to device */
};
/* Replaces all. */
struct gp_error *gp_state_set_boot(struct gp_state *state, const struct gp_boot_gpu *gpus,
                                   size_t count) GP_MUST_CHECK;
/* By id; from @mem. */
void gp_state_boot(const struct gp_state *state, struct gp_arena *mem, struct gp_boot_gpu **ret,
                   size_t *ret_count);

/* The record of one set, written before its first disturbing step and removed when it is done or
 * restored. */
struct gp_record {
    const char *set; /* gp_set.id */
    const char *commit, *plan;
    uint64_t since_us;
    uint32_t attempts; /* recoveries begun so far */
    struct gp_snapshot *snapshot;
    const char *goal_values; /* the goal's values of its objects, one "key value" a line: is it
                                still wanted? */
};
struct gp_error *gp_state_write_record(struct gp_state *state,
                                       const struct gp_record *record) GP_MUST_CHECK;
struct gp_error *gp_state_remove_record(struct gp_state *state, const char *set) GP_MUST_CHECK;
/* By set id; from @mem. Those that are corrupt were told and kept aside by gp_state_open(). */
struct gp_error *gp_state_records(struct gp_state *state, struct gp_arena *mem,
                                  struct gp_record **ret, size_t *ret_count) GP_MUST_CHECK;

/* Drift as it was last told, so that it is logged when it appears, changes or clears and then once
 * a day. */
enum gp_drift_news { GP_DRIFT_OLD, GP_DRIFT_NEW, GP_DRIFT_CHANGED, GP_DRIFT_AGAIN };
/* A drift is known by its key, path and rule; it changed if before, after or object did. Needs the
 * lock only if there is news to remember. Compares @drift with what was told before, remembers it,
 * and returns news[i] for each and those that cleared (from @mem). ret_since_us[i]: when it first
 * appeared. */
struct gp_error *gp_state_tell_drift(struct gp_state *state, struct gp_arena *mem,
                                     const struct gp_difference *drift, size_t count,
                                     uint64_t now_us, enum gp_drift_news *ret_news,
                                     uint64_t *ret_since_us, struct gp_difference **ret_cleared,
                                     size_t *ret_cleared_count) GP_MUST_CHECK;

/* When @drift first appeared, as last told; 0 if it never was. Reads only. */
uint64_t gp_state_drift_since_us(const struct gp_state *state, const struct gp_difference *drift);

/* The last 1,000 results, oldest first, one JSON object each as text. GP_E_BUG for a line that is
 * no JSON object or more than one line. A line that a crash cut short is left out. */
struct gp_error *gp_state_add_history(struct gp_state *state, const char *json_line) GP_MUST_CHECK;
struct gp_error *gp_state_history(struct gp_state *state, struct gp_arena *mem,
                                  struct gp_strings *ret) GP_MUST_CHECK;

/* Conditions of objects with reason and since ("GitStale", "Degraded", "NotDeclared", …) for
 * status. */
struct gp_condition {
    const char *object, *type, *reason;
    uint64_t since_us;
};
/* Replaces all; since is kept for those that stay. */
struct gp_error *gp_state_set_conditions(struct gp_state *state,
                                         const struct gp_condition *conditions, size_t count,
                                         uint64_t now_us) GP_MUST_CHECK;
struct gp_error *gp_state_conditions(struct gp_state *state, struct gp_arena *mem,
                                     struct gp_condition **ret, size_t *ret_count) GP_MUST_CHECK;

/* Pauses and approvals: time-boxed, with user and reason. Always read afresh, and changed under a
 * lock of their own that is held for a moment: so somebody can pause a host while a pass works, and
 * the pass sees it. GP_E_LOCKED if that lock is not free within five seconds. Setting one forgets
 * those that ended before it began. */
struct gp_pause {
    const char *object, *user,
        *reason; /* "host", "vm/NAME", "gpu/ID", or a plan id for an approval */
    uint64_t since_us, until_us;
};
struct gp_error *gp_state_set_pause(struct gp_state *state, bool approval,
                                    const struct gp_pause *pause) GP_MUST_CHECK;
struct gp_error *gp_state_clear_pause(struct gp_state *state, bool approval,
                                      const char *object) GP_MUST_CHECK;
/* Forgets those that ended at @now_us or before, and returns them (by object, from @mem). */
struct gp_error *gp_state_end_pauses(struct gp_state *state, bool approvals, uint64_t now_us,
                                     struct gp_arena *mem, struct gp_pause **ret,
                                     size_t *ret_count) GP_MUST_CHECK;
struct gp_error *gp_state_pauses(struct gp_state *state, bool approvals, struct gp_arena *mem,
                                 struct gp_pause **ret, size_t *ret_count) GP_MUST_CHECK;

/* Sets that failed and were restored: not begun again before until_us, unless another commit is
 * wanted. The wait doubles from a minute to an hour while the same commit keeps failing. */
struct gp_failure {
    const char *commit, *reason;
    uint32_t count;
    uint64_t until_us;
};
struct gp_error *gp_state_add_failure(struct gp_state *state, const char *set, const char *commit,
                                      const char *reason, uint64_t now_us) GP_MUST_CHECK;
struct gp_error *gp_state_clear_failure(struct gp_state *state, const char *set) GP_MUST_CHECK;
/* False if @set has not failed since it was last done. */
bool gp_state_failure(const struct gp_state *state, struct gp_arena *mem, const char *set,
                      struct gp_failure *ret);
