#include "recover.h"

#include "clock.h"
#include "records.h"
#include "restore.h"
#include "text.h"

#include <string.h>

static bool is_owed(const struct gp_memory *memory, const char *vm)
{
    for (size_t i = 0; i < memory->owed_count; i++)
        if (gp_streq(memory->owed[i].vm, vm))
            return true;
    return false;
}

struct gp_error *gp_recover_owed(struct gp_pass *pass)
{
    const struct gp_memory *memory = gp_pass_memory(pass, pass->mem);
    struct gp_error *err = gp_state_records(pass->state, pass->mem, &pass->records, &pass->record_count);

    for (size_t i = 0; !err && i < pass->record_count; i++) {
        const struct gp_snapshot *snapshot = pass->records[i].snapshot;

        for (size_t j = 0; j < snapshot->vm_count; j++) {
            const struct gp_owed owed = {
                .vm = snapshot->vms[j].uuid,
                .name = snapshot->vms[j].name,
                .until_us = UINT64_MAX,
            };

            /* That one was asked to stop stays known: it may go down though it runs. */
            if (snapshot->vms[j].ran && !is_owed(memory, owed.vm))
                gp_pass_unwritten(pass, gp_state_set_owed(pass->state, &owed));
        }
        for (size_t j = 0; j < snapshot->units.count; j++)
            gp_pass_unwritten(pass, gp_state_set_owed_unit(pass->state, snapshot->units.items[j]));
    }
    return err;
}

/* A guest that has stayed up for so long after it was asked to stop will not go down for that request any more. One that is
 * down by then may have gone down for it: nobody looked. */
static bool is_paid(const struct gp_pass *pass, const struct gp_owed *owed, uint64_t now_us)
{
    const struct gp_vm *vm = gp_have_vm(pass->have, owed->vm);
    const bool expired = owed->until_us < now_us;

    if (!vm)
        return expired && !pass->have->vms_unknown;
    return vm->power == GP_POWER_RUNNING && (expired || !owed->stop_requested);
}

void gp_recover_forget_paid(struct gp_pass *pass)
{
    const struct gp_memory *memory = gp_pass_memory(pass, pass->mem);

    for (size_t i = 0; i < memory->owed_count; i++)
        if (is_paid(pass, &memory->owed[i], gp_realtime_us()))
            gp_pass_unwritten(pass, gp_state_clear_owed(pass->state, memory->owed[i].vm));
}

/* What ends every pass that works on it fails too, though no pass lived to say so: its guests would be stopped each time. */
static void back_off(struct gp_pass *pass, const struct gp_record *record)
{
    const uint64_t now_us = gp_realtime_us();
    struct gp_failure failure;

    if (gp_state_failure(pass->state, pass->mem, record->set, &failure) && failure.until_us > now_us &&
        gp_streq(failure.commit, record->commit ? record->commit : ""))
        return;
    gp_pass_unwritten(pass, gp_state_add_failure(pass->state, record->set, record->commit,
                                                 "no pass that was to do it came to its end", now_us));
}

/* False where the attempt cannot be counted: it might be made for ever. */
static bool count_attempt(struct gp_pass *pass, struct gp_record *record)
{
    struct gp_error *err;

    record->attempts++;
    err = gp_state_write_record(pass->state, record);
    if (!err)
        return true;
    gp_pass_unwritten(pass, err);
    return false;
}

struct gp_error *gp_recover_decide(struct gp_pass *pass, bool *ret_restored)
{
    struct gp_error *err = NULL;

    *ret_restored = false;
    for (size_t i = 0; i < pass->record_count; i++) {
        struct gp_record *record = &pass->records[i];
        const bool wanted = gp_record_is_wanted(pass, record);
        int exit;

        if (count_attempt(pass, record) && wanted && record->attempts == 1)
            continue;
        if (wanted && record->attempts == 2) /* once for each time that it was begun */
            back_off(pass, record);
        *ret_restored = true;
        exit = gp_restore(pass, record, NULL);
        *gp_push(pass->mem, pass->gone_back, pass->gone_back_count) = (struct gp_gone_back){record->set, exit};
        pass->recover_exit = gp_exit_worse(pass->recover_exit, exit);
    }
    if (*ret_restored)
        err = gp_state_records(pass->state, pass->mem, &pass->records, &pass->record_count);
    return err;
}

bool gp_recover_went_back(const struct gp_pass *pass, const struct gp_record *record)
{
    for (size_t i = 0; i < pass->gone_back_count; i++)
        if (gp_streq(pass->gone_back[i].set, record->set))
            return true;
    return false;
}

static bool is_left(const struct gp_record *records, size_t count, const char *set)
{
    for (size_t i = 0; i < count; i++)
        if (gp_streq(records[i].set, set))
            return true;
    return false;
}

int gp_recover_exit(struct gp_pass *pass)
{
    struct gp_record *records = NULL;
    size_t count = 0;
    struct gp_error *err = pass->gone_back_count ? gp_state_records(pass->state, pass->mem, &records, &count) : NULL;
    int exit = GP_EXIT_OK;

    if (err) {
        gp_error_warn(err);
        return pass->recover_exit;
    }
    for (size_t i = 0; i < pass->gone_back_count; i++) {
        const struct gp_gone_back *gone = &pass->gone_back[i];

        if (gone->exit != GP_EXIT_NOT_RESTORED || is_left(records, count, gone->set))
            exit = gp_exit_worse(exit, gone->exit);
        else
            (void)fprintf(stderr, "gpupart: %s could not be brought back, but is as declared by now: of that, nothing is left to do by hand\n",
                          gone->set);
    }
    return exit;
}

bool gp_recover_failure(const struct gp_pass *pass, const struct gp_set *set, struct gp_failure *ret)
{
    const struct gp_record *record = gp_record_of(pass, set);

    return gp_state_failure(pass->state, pass->mem, record ? record->set : set->id, ret) &&
           gp_streq(ret->commit, pass->commit ? pass->commit : "");
}

/* What policy only reports where it drifts did so by what was begun, which is to be finished: when its time has come. */
static bool drifted_by_itself(const struct gp_pass *pass, const struct gp_set *set, const struct gp_failure *failure)
{
    return set->verdict == GP_VERDICT_REPORTS && set->rule && gp_starts_with(set->rule, "GP-D") &&
           (failure->until_us <= gp_realtime_us() || !gp_streq(failure->commit, pass->commit ? pass->commit : ""));
}

/* The gate let it through when it began, and that holds until it has failed, whatever commit came since: a guest that runs by
 * now is not stopped again in each pass. Where all are down nobody is. */
static bool was_allowed(const struct gp_pass *pass, const struct gp_record *record, const struct gp_set *set)
{
    struct gp_failure failure;
    const bool failed = gp_state_failure(pass->state, pass->mem, record->set, &failure) &&
                        gp_streq(failure.commit, record->commit ? record->commit : "");

    return gp_record_is_wanted(pass, record) &&
           (!(set->stops.count && failed) || drifted_by_itself(pass, set, &failure));
}

void gp_recover_allow(struct gp_pass *pass)
{
    for (size_t i = 0; i < pass->plan->set_count; i++) {
        struct gp_set *set = &pass->plan->sets[i];
        const struct gp_record *record = gp_record_of(pass, set);

        if (record && set->verdict != GP_VERDICT_BLOCKED && gp_record_tells_of(record, pass->plan, set) && was_allowed(pass, record, set)) {
            set->verdict = GP_VERDICT_RUN;
            set->rule = set->why = NULL;
        }
    }
}
