#include "execute.h"

#include "applied.h"
#include "cleanup.h"
#include "clock.h"
#include "records.h"
#include "recover.h"
#include "restore.h"
#include "result.h"
#include "text.h"
#include "units.h"
#include "waves.h"

#include <stdlib.h>

/* The record that the set goes on with, as the sets that went on with it before in this pass have left it; *ret NULL: it begins
 * anew. Under the state lock. */
static struct gp_error *find_earlier(struct gp_work *work, const struct gp_record **ret)
{
    const struct gp_record *known = gp_record_of(work->pass, work->set);
    struct gp_record *records = NULL;
    size_t count = 0;
    struct gp_error *err = known ? gp_state_records(work->pass->state, work->mem, &records, &count) : NULL;

    *ret = known;
    for (size_t i = 0; !err && i < count; i++)
        if (gp_streq(records[i].set, known->set))
            *ret = &records[i];
    return err;
}

static struct gp_error *write_record(struct gp_work *work, struct gp_record *record)
{
    struct gp_pass *pass = work->pass;
    const struct gp_record *earlier = NULL;
    struct gp_error *err = find_earlier(work, &earlier);

    *record = (struct gp_record){
        .set = earlier ? earlier->set : work->set->id,
        .commit = pass->commit,
        .plan = pass->plan->id,
        .since_us = gp_realtime_us(),
        .snapshot = earlier ? gp_snapshot_grow(work->mem, earlier->snapshot, work->have, pass->plan, work->set)
                            : gp_snapshot_take(work->mem, work->have, work->set),
        .attempts = earlier ? 1 : 0, /* begun again: a pass that is killed in it counts again */
    };
    record->goal_values = gp_record_goal_values(work->mem, pass, record);
    return err ? err : gp_state_write_record(pass->state, record);
}

static struct gp_error *begin(struct gp_work *work, struct gp_record *record)
{
    struct gp_error *err;

    (void)pthread_mutex_lock(&work->pass->state_lock);
    err = write_record(work, record);
    (void)pthread_mutex_unlock(&work->pass->state_lock);
    return err ? gp_error_wrap(err, "nothing was begun: what is there now cannot be written down") : NULL;
}

/* What is owed is written down already: nobody who is only started stays down for what cannot be written besides. Takes
 * @err. */
static struct gp_error *unless_starts(struct gp_work *work, struct gp_error *err)
{
    const struct gp_plan *plan = work->pass->plan;

    if (!err || !gp_plan_only_starts(plan, (size_t)(work->set - plan->sets)))
        return err;
    gp_pass_unwritten(work->pass, err);
    return NULL;
}

/* Nothing of it is applied before the last set that goes on with its record is done: till then all may be taken back. */
static struct gp_error *finish(struct gp_work *work, const struct gp_record *record, bool keep_record)
{
    const struct gp_set all = gp_set_of_record(work->mem, record);
    struct gp_error *err;

    if (keep_record)
        return NULL;
    err = gp_applied_remember(work->pass, work->host, work->have, &all);
    if (!err)
        err = gp_work_remove_record(work->pass, record, work->have);
    if (!err) {
        (void)pthread_mutex_lock(&work->pass->state_lock);
        err = gp_state_clear_failure(work->pass->state, record->set);
        (void)pthread_mutex_unlock(&work->pass->state_lock);
    }
    return err;
}

/* What failed is tried again later, not at once: its guests would be stopped each time. A part of what was taken up again
 * counts for the whole, which is what begins anew. */
static void back_off(struct gp_work *work, const struct gp_record *record, const char *why)
{
    struct gp_error *err;

    (void)pthread_mutex_lock(&work->pass->state_lock);
    err = gp_state_add_failure(work->pass->state, record->set, work->commit, why, gp_realtime_us());
    (void)pthread_mutex_unlock(&work->pass->state_lock);
    gp_error_warn(err);
}

static bool is_interrupted(const struct gp_pass *pass)
{
    return (pass->cancelled && atomic_load(pass->cancelled)) || gp_pass_host_stops(pass);
}

static int tell_done(struct gp_work *work)
{
    const char *id = work->set->id, *down = gp_work_down(work);

    gp_work_end(work);
    gp_result_tell(work, GP_EVENT_APPLIED, work->pass->plan->id,
                   *down ? gp_printf(work->mem, "%s is as declared. Left to do by hand: %s", id, down)
                         : gp_printf(work->mem, "%s is as declared", id));
    if (*down)
        (void)fprintf(stderr, "gpupart: left to do by hand: %s\n", down);
    return *down ? GP_EXIT_NOT_RESTORED : GP_EXIT_OK;
}

static int execute_in(struct gp_pass *pass, struct gp_host *host, struct gp_arena *mem, const struct gp_set *set,
                      bool keep_record, enum gp_outcome *ret)
{
    struct gp_work work = {
        .pass = pass,
        .host = host,
        .mem = mem,
        .goal = gp_goal_of_set(mem, pass->goal, set),
        .set = set,
        .commit = pass->commit,
        .allowed = pass->plan,
        .may_be_cancelled = true,
        .have = pass->have,
    };
    struct gp_record record;
    const char *why = gp_printf(mem, "gpupart is changing %s (plan %s)", set->id, pass->plan->id);
    struct gp_error *err = unless_starts(&work, gp_work_hold(&work, why));
    bool begun;

    if (!err)
        err = unless_starts(&work, begin(&work, &record));
    begun = !err;

    if (!err)
        err = gp_waves_run(&work);
    if (!err)
        err = unless_starts(&work, finish(&work, &record, keep_record));
    *ret = !err ? GP_SET_DONE : begun ? GP_SET_TAKEN_BACK : GP_SET_NOT_BEGUN;
    if (!err || !begun)
        gp_work_release(pass, set);
    if (!err)
        return tell_done(&work);
    {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);
        int exit = gp_exit_of(err->code);

        gp_error_free(err);
        (void)fprintf(stderr, "gpupart: %s: %s\n", set->id, line);
        if (begun && !is_interrupted(pass))
            back_off(&work, &record, line);
        if (begun)
            exit = gp_restore_in(pass, host, mem, &record, line);
        gp_work_end(&work);
        return exit;
    }
}

int gp_execute_set(struct gp_pass *pass, const struct gp_set *set, bool keep_record, enum gp_outcome *ret)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_host host;
    struct gp_error *err = gp_pass_host_open(pass, &host);
    int exit;

    *ret = GP_SET_NOT_BEGUN;
    if (err) {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        (void)fprintf(stderr, "gpupart: %s was not begun: %s\n", set->id, line);
        exit = gp_exit_of(err->code);
        gp_error_free(err);
        return exit;
    }
    exit = execute_in(pass, &host, mem, set, keep_record, ret);
    gp_host_close(&host);
    return exit;
}
