#include "recover.h"

#include "clock.h"
#include "restore.h"
#include "text.h"

#include <string.h>

static bool has_gpu(const struct gp_record *record, const char *id)
{
    for (size_t i = 0; i < record->snapshot->gpu_count; i++)
        if (gp_streq(record->snapshot->gpus[i].id, id))
            return true;
    return false;
}

static size_t count_vms(const struct gp_record *record, const struct gp_set *set)
{
    size_t count = 0;

    for (size_t i = 0; i < record->snapshot->vm_count; i++)
        count += gp_strings_have(&set->vms, record->snapshot->vms[i].uuid);
    return count;
}

bool gp_recover_touches(const struct gp_record *record, const struct gp_set *set)
{
    for (size_t i = 0; i < set->gpus.count; i++)
        if (has_gpu(record, set->gpus.items[i]))
            return true;
    return count_vms(record, set) > 0;
}

const struct gp_record *gp_recover_record(const struct gp_pass *pass, const struct gp_set *set)
{
    for (size_t i = 0; i < pass->record_count; i++)
        if (gp_recover_touches(&pass->records[i], set))
            return &pass->records[i];
    return NULL;
}

static bool tells_of_object(const struct gp_snapshot *snapshot, const char *gpu_or_vm)
{
    for (size_t i = 0; i < snapshot->gpu_count; i++)
        if (gp_streq(snapshot->gpus[i].id, gpu_or_vm))
            return true;
    for (size_t i = 0; i < snapshot->vm_count; i++)
        if (gp_streq(snapshot->vms[i].uuid, gpu_or_vm))
            return true;
    return false;
}

bool gp_recover_unsettled(const struct gp_pass *pass, const char *gpu_or_vm)
{
    for (size_t i = 0; i < pass->record_count; i++)
        if (tells_of_object(pass->records[i].snapshot, gpu_or_vm))
            return true;
    return false;
}

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

const char *gp_recover_goal_values(struct gp_arena *mem, const struct gp_pass *pass, const struct gp_record *record)
{
    const struct gp_set set = gp_set_of_record(mem, record);

    return gp_goal_values(mem, pass->goal, &set);
}

bool gp_recover_is_wanted(const struct gp_pass *pass, const struct gp_record *record)
{
    return pass->goal->declared && !pass->goal->refused &&
           gp_streq(record->goal_values, gp_recover_goal_values(pass->mem, pass, record));
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
        const bool wanted = gp_recover_is_wanted(pass, record);

        if (count_attempt(pass, record) && wanted && record->attempts == 1)
            continue;
        if (wanted && record->attempts == 2) /* once for each time that it was begun */
            back_off(pass, record);
        *ret_restored = true;
        *gp_push(pass->mem, pass->gone_back.items, pass->gone_back.count) = record->set;
        pass->recover_exit = gp_exit_worse(pass->recover_exit, gp_restore(pass, record, NULL));
    }
    if (*ret_restored)
        err = gp_state_records(pass->state, pass->mem, &pass->records, &pass->record_count);
    return err;
}

bool gp_recover_failure(const struct gp_pass *pass, const struct gp_set *set, struct gp_failure *ret)
{
    const struct gp_record *record = gp_recover_record(pass, set);

    return gp_state_failure(pass->state, pass->mem, record ? record->set : set->id, ret) &&
           gp_streq(ret->commit, pass->commit ? pass->commit : "");
}

/* The gate let it through when it began, and that holds until it has failed: a guest that runs by now is not stopped again in
 * each pass. Where all are down nobody is. */
static bool was_allowed(const struct gp_pass *pass, const struct gp_record *record, const struct gp_set *set)
{
    struct gp_failure failure;

    return gp_recover_is_wanted(pass, record) && !(set->stops.count && gp_recover_failure(pass, set, &failure));
}

/* Whether all of @set is what the gate let through then. A GPU that came to it and only drifted did so by what was begun. */
static bool tells_of(const struct gp_pass *pass, const struct gp_record *record, const struct gp_set *set)
{
    for (size_t i = 0; i < set->gpus.count; i++)
        if (!has_gpu(record, set->gpus.items[i]) && gp_plan_changes_gpu(pass->plan, set->gpus.items[i]))
            return false;
    return count_vms(record, set) == set->vms.count;
}

void gp_recover_allow(struct gp_pass *pass)
{
    for (size_t i = 0; i < pass->plan->set_count; i++) {
        struct gp_set *set = &pass->plan->sets[i];
        const struct gp_record *record = gp_recover_record(pass, set);

        if (record && set->verdict != GP_VERDICT_BLOCKED && tells_of(pass, record, set) && was_allowed(pass, record, set)) {
            set->verdict = GP_VERDICT_RUN;
            set->rule = set->why = NULL;
        }
    }
}
