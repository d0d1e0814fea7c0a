/* All sets that may run, side by side: stopping eight VMs takes as long as the slowest, not the sum. Those that go on with one
 * record run one after the other: it tells of all of them what goes back. */
#include "pass.h"

#include "applied.h"
#include "cleanup.h"
#include "execute.h"
#include "journal.h"
#include "owed_starts.h"
#include "pauses.h"
#include "records.h"
#include "recover.h"
#include "restore.h"
#include "text.h"
#include "work.h"

struct job {
    pthread_t thread;
    struct gp_pass *pass;
    const struct gp_record *record; /* that all its sets go on with; NULL: its only set begins anew */
    const struct gp_set **sets;
    size_t count;
    int exit;
    bool started;
};

/* What takes one set back takes back all of the record, and ends it; and the record stays while one of them is not begun. */
static void *run_job(void *data)
{
    enum gp_outcome outcome = GP_SET_DONE;
    struct job *job = data;
    bool all_done = true;

    for (size_t i = 0; i < job->count && outcome != GP_SET_TAKEN_BACK; i++) {
        const bool keep_record = i + 1 < job->count || !all_done;

        job->exit = gp_exit_worse(job->exit, gp_execute_set(job->pass, job->sets[i], keep_record, &outcome));
        all_done = all_done && outcome == GP_SET_DONE;
    }
    for (size_t i = 0; i < job->count && outcome == GP_SET_TAKEN_BACK; i++)
        job->pass->taken_back[job->sets[i] - job->pass->plan->sets] = true;
    return NULL;
}

static struct job *job_of_record(struct job *jobs, size_t count, const struct gp_record *record)
{
    for (size_t i = 0; record && i < count; i++)
        if (jobs[i].record == record)
            return &jobs[i];
    return NULL;
}

static struct job *list_jobs(struct gp_pass *pass, size_t *ret_count)
{
    struct job *jobs = gp_new_array(pass->mem, struct job, pass->plan->set_count + 1);
    size_t count = 0;

    for (size_t i = 0; i < pass->plan->set_count; i++) {
        const struct gp_set *set = &pass->plan->sets[i];
        const struct gp_record *record = gp_record_of(pass, set);
        struct job *job;

        if (!gp_pass_runs(pass, i))
            continue;
        job = job_of_record(jobs, count, record);
        if (!job) {
            job = &jobs[count++];
            *job = (struct job){.pass = pass, .record = record};
        }
        *gp_push(pass->mem, job->sets, job->count) = set;
    }
    *ret_count = count;
    return jobs;
}

static int run_sets(struct gp_pass *pass)
{
    size_t count;
    struct job *jobs = list_jobs(pass, &count);
    int exit = GP_EXIT_OK;

    pass->taken_back = gp_new_array(pass->mem, bool, pass->plan->set_count + 1);
    for (size_t i = 0; i < count; i++) {
        struct job *job = &jobs[i];

        job->started = pthread_create(&job->thread, NULL, run_job, job) == 0;
        if (!job->started) /* no thread to be had: then one after the other */
            (void)run_job(job);
    }
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].started)
            (void)pthread_join(jobs[i].thread, NULL);
        exit = gp_exit_worse(exit, jobs[i].exit);
    }
    return exit;
}

/* A set that @record tells of: one that may not run if there is one. NULL: none needs to. */
static const struct gp_set *set_of_record(const struct gp_pass *pass, const struct gp_record *record)
{
    const struct gp_set *found = NULL;

    for (size_t i = 0; i < pass->plan->set_count; i++)
        if (gp_record_touches(record, &pass->plan->sets[i]) && (!found || found->verdict == GP_VERDICT_RUN))
            found = &pass->plan->sets[i];
    return found;
}

/* What was planned for them is not what is there any more. */
static void wait_for_next_pass(struct gp_pass *pass, const struct gp_record *record)
{
    for (size_t i = 0; i < pass->plan->set_count; i++) {
        struct gp_set *set = &pass->plan->sets[i];

        if (set->verdict != GP_VERDICT_RUN || !gp_record_touches(record, set))
            continue;
        set->verdict = GP_VERDICT_WAITS;
        set->why = "what an earlier pass left of it was taken back first";
    }
}

/* Nothing is begun that could not be written down: who is stopped for it might be forgotten. */
static void hold_back(struct gp_pass *pass)
{
    for (size_t i = 0; i < pass->plan->set_count; i++) {
        struct gp_set *set = &pass->plan->sets[i];

        if (set->verdict != GP_VERDICT_RUN || gp_plan_only_starts(pass->plan, i))
            continue;
        set->verdict = GP_VERDICT_WAITS;
        set->why = "the state directory cannot be written";
    }
}

/* The last that the pass that died had to do. It may have done a part of it: twice is harmless. */
static struct gp_error *finish_record(struct gp_pass *pass, const struct gp_record *record)
{
    const struct gp_set all = gp_set_of_record(pass->mem, record);
    struct gp_error *err = gp_applied_remember(pass, &pass->host, pass->have, &all);

    return err ? err : gp_work_remove_record(pass, record, pass->have);
}

/* A record whose set needs nothing more, and that is wanted still, was finished but for its removal; one of whose sets is
 * blocked now goes back, so that no guest stays down for it. Where something else is wanted, or nobody can tell what, its way
 * back has just failed (gp_recover_decide()): it stays for the next pass. */
static int settle_records(struct gp_pass *pass)
{
    int exit = GP_EXIT_OK;

    for (size_t i = 0; i < pass->record_count; i++) {
        const struct gp_record *record = &pass->records[i];
        const struct gp_set *set = set_of_record(pass, record);

        if (set && set->verdict == GP_VERDICT_RUN)
            continue;
        if (set) {
            if (!gp_recover_went_back(pass, record)) /* what has just failed is not tried again at once */
                exit = gp_exit_worse(exit, gp_restore(pass, record, set->why));
            wait_for_next_pass(pass, record);
        } else if (gp_record_is_wanted(pass, record)) {
            gp_pass_unwritten(pass, finish_record(pass, record));
        }
    }
    return exit;
}

/* What waits for a guest or a process to let go is no refusal, nor is a host that no cluster names: both pass by
 * themselves. A partition that somebody else's VM has (GP-E206) does not. */
static bool only_waits(const char *rule)
{
    static const char *const rules[] = {"GP-E404", "GP-E506", "GP-E507"};

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (gp_streq(rule, rules[i]))
            return true;
    return false;
}

static bool refuses(const struct gp_plan *plan)
{
    for (size_t i = 0; i < plan->finding_count; i++)
        if (plan->findings[i].level == GP_LEVEL_ERROR && !only_waits(plan->findings[i].rule))
            return true;
    return false;
}

/* Nobody empties a repository, or takes a host out of it, on which something was applied and never taken back, but by
 * mistake: nothing is done, and that is no success. */
static bool was_left_behind(struct gp_pass *pass)
{
    return !pass->goal->declared && gp_pass_memory(pass, pass->mem)->applied_count > 0;
}

/* Whether something would be done if the host were not paused. */
static bool all_waits(const struct gp_plan *plan)
{
    bool any = false;

    for (size_t i = 0; i < plan->set_count; i++) {
        if (plan->sets[i].verdict == GP_VERDICT_RUN)
            return false;
        any = any || plan->sets[i].verdict == GP_VERDICT_WAITS;
    }
    return any;
}

struct gp_error *gp_pass_apply(struct gp_pass *pass, int *ret_exit)
{
    int exit = pass->desire_exit;
    bool paused = false;
    struct gp_error *err = gp_pauses_host(pass, &paused);

    if (err)
        return err;
    gp_pass_unwritten(pass, gp_pauses_expire(pass));
    if (!pass->virt && pass->have->vms_unknown) {
        *ret_exit = gp_exit_worse(gp_exit_worse(exit, pass->recover_exit), GP_EXIT_INCOMPLETE);
        return gp_pass_tell(pass);
    }
    if (pass->goal->refused)
        exit = gp_exit_worse(exit, GP_EXIT_REFUSED);
    gp_pass_unwritten(pass, gp_pass_tell(pass));
    if (pass->unwritten)
        hold_back(pass);
    exit = gp_exit_worse(exit, settle_records(pass));
    exit = gp_exit_worse(exit, run_sets(pass));
    exit = gp_exit_worse(exit, gp_owed_starts(pass));
    exit = gp_exit_worse(exit, gp_recover_exit(pass));
    if (paused && all_waits(pass->plan))
        exit = gp_exit_worse(exit, GP_EXIT_LOCKED);
    if (gp_pass_incomplete(pass))
        exit = gp_exit_worse(exit, GP_EXIT_INCOMPLETE);
    if (refuses(pass->plan) || was_left_behind(pass))
        exit = gp_exit_worse(exit, GP_EXIT_REFUSED);
    *ret_exit = exit;
    return gp_steal(pass->unwritten);
}
