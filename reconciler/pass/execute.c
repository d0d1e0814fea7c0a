#include "execute.h"

#include "cleanup.h"
#include "history.h"
#include "journal.h"
#include "recover.h"
#include "registry.h"
#include "resolved.h"
#include "run.h"
#include "step.h"
#include "text.h"

#include <stdlib.h>

enum { WAVES_AT_MOST = 16, LIBVIRT_WAIT_MS = 60000, LIBVIRT_POLL_MS = 250, RELEASE_WAIT_MS = 15000 };

static bool has(const struct gp_strings *strings, const char *text)
{
    for (size_t i = 0; i < strings->count; i++)
        if (gp_streq(strings->items[i], text))
            return true;
    return false;
}

/* @goal with nothing managed but the objects of @set: sets run side by side, and none plans for another. */
static struct gp_goal *goal_of_set(struct gp_arena *mem, const struct gp_goal *goal, const struct gp_set *set)
{
    struct gp_goal *only = gp_memdup(mem, goal, sizeof *goal);

    only->gpus = gp_memdup(mem, goal->gpus, sizeof *goal->gpus * goal->gpu_count);
    only->vms = gp_memdup(mem, goal->vms, sizeof *goal->vms * goal->vm_count);
    for (size_t i = 0; i < only->gpu_count; i++)
        only->gpus[i].managed = only->gpus[i].managed && has(&set->gpus, only->gpus[i].id);
    for (size_t i = 0; i < only->vm_count; i++) {
        const bool ours = has(&set->vms, only->vms[i].uuid);

        only->vms[i].managed = only->vms[i].managed && ours;
        /* Another set may just have stopped it, and will start it itself. */
        only->vms[i].run = only->vms[i].run && ours;
    }
    return only;
}

const char *gp_goal_values(struct gp_arena *mem, const struct gp_goal *goal, const struct gp_set *set)
{
    struct gp_text text = {.mem = mem};

    for (size_t i = 0; i < goal->gpu_count; i++)
        if (has(&set->gpus, goal->gpus[i].id))
            gp_text_addf(&text, "gpu/%s %s\n", goal->gpus[i].id,
                         goal->gpus[i].managed ? gp_layout_value(mem, &goal->gpus[i].want) : "-");
    for (size_t i = 0; i < goal->vm_count; i++)
        if (has(&set->vms, goal->vms[i].uuid))
            gp_text_addf(&text, "vm/%s %s\n", goal->vms[i].uuid,
                         goal->vms[i].gpu ? gp_partition_symbol(mem, goal->vms[i].gpu, goal->vms[i].partition)
                                          : "-");
    return gp_text_get(&text);
}

/* ---- the waves of one set ---- */

struct work {
    struct gp_pass *pass;
    struct gp_host *host; /* this thread's own */
    struct gp_arena *mem;
    const struct gp_goal *goal; /* of this set alone */
    const struct gp_set *set;
    const char *commit;
    const struct gp_plan *allowed; /* what the gate let through; NULL: a way back, which is not reviewed */
    bool may_be_cancelled;
    struct gp_have *have; /* the last look */
};

static struct gp_plan_input input_now(struct work *work)
{
    struct gp_plan_input input = gp_pass_plan_input(work->pass, work->goal, work->have);

    input.memory = gp_pass_memory(work->pass, work->mem);
    input.within = work->set;
    return input;
}

/* A plan from a fresh look may be used if it keeps the laws, is not blocked, and is the rest of what was
 * allowed. */
static struct gp_error *check_fresh(struct work *work, const struct gp_plan_input *input,
                                    const struct gp_plan *planned, const struct gp_plan *fresh, uint32_t wave)
{
    struct gp_error *err = gp_plan_check(input, fresh);

    if (err)
        return err;
    for (size_t i = 0; i < fresh->set_count; i++)
        if (fresh->sets[i].verdict == GP_VERDICT_BLOCKED)
            return gp_error_new(GP_E_CHANGED, "%s: %s", fresh->sets[i].rule ? fresh->sets[i].rule : "blocked",
                                fresh->sets[i].why ? fresh->sets[i].why : "no reason given");
    /* A way back is not reviewed: it goes from wherever it is. */
    return work->allowed ? gp_plan_compare_rest(planned, fresh, work->set->id, wave) : NULL;
}

/* Looks again; a host whose guests cannot be seen is no base for a next step. What was begun waits for a libvirtd
 * that was restarted or died: its guests are stopped, and nobody else starts them. */
static struct gp_error *look(struct work *work)
{
    const uint64_t deadline = gp_host_now_ms() + LIBVIRT_WAIT_MS;

    for (;;) {
        struct gp_error *err = gp_pass_observe(work->pass, work->host, work->mem, &work->have);

        if (err || !work->have->vms_unknown)
            return err;
        if (gp_host_now_ms() >= deadline)
            return gp_error_new(GP_E_IO, "the guests cannot be looked at: %s", work->have->vms_reason);
        gp_host_sleep_ms(LIBVIRT_POLL_MS);
    }
}

/* What is left of a set may have fallen apart since it was planned, and a part that needs less would be done too soon:
 * a step is due when its turn has come in what was planned. */
static bool is_due(const struct gp_plan *planned, uint32_t wave, const struct gp_step *fresh)
{
    for (size_t i = 0; i < planned->step_count; i++) {
        const struct gp_step *step = &planned->steps[i];

        /* A partition made anew may have the device that it had, and its VM needs the mark alone. */
        const bool alike = step->kind == fresh->kind ||
                           (step->kind == GP_STEP_REBIND && fresh->kind == GP_STEP_MARK);

        if (step->wave <= wave && alike && step->partition == fresh->partition &&
            gp_streq(step->gpu, fresh->gpu) && gp_streq(step->vm, fresh->vm) && gp_streq(step->after, fresh->after))
            return true;
    }
    return false;
}

static const bool *due_steps(struct work *work, const struct gp_plan *planned, uint32_t wave,
                             const struct gp_plan *fresh, bool *ret_any)
{
    bool *due = gp_new_array(work->mem, bool, fresh->step_count + 1);

    *ret_any = false;
    for (size_t i = 0; i < fresh->step_count; i++) {
        due[i] = is_due(planned, wave, &fresh->steps[i]);
        *ret_any = *ret_any || due[i];
    }
    return due;
}

/* GPUPART_TRACE=plan: what is planned before each wave. */
static void trace_plan(struct work *work, const struct gp_plan *plan, uint32_t wave)
{
    for (size_t i = 0; i < work->have->vm_count; i++)
        (void)fprintf(stderr, "gpupart: trace: see %s wave %u: %s %s\n", work->set->id, wave, work->have->vms[i].name,
                      gp_power_name(work->have->vms[i].power));
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct gp_step *step = &plan->steps[i];

        (void)fprintf(stderr, "gpupart: trace: plan %s wave %u: %u.%u %s %s %s/%lld -> %s\n", work->set->id, wave,
                      step->set, wave + step->wave, gp_step_kind_name(step->kind), step->vm_name ? step->vm_name : "",
                      step->gpu ? step->gpu : "", (long long)step->partition, step->after ? step->after : "");
    }
}

/* Each wave is planned from a fresh look and must be the rest of what was allowed, or of the first plan. */
static struct gp_error *run_waves(struct work *work)
{
    const struct gp_plan *planned = work->allowed;
    uint32_t first = 0; /* the wave at which @planned begins */

    for (uint32_t wave = 0;; wave++) {
        const struct gp_plan_input input = input_now(work);
        const struct gp_plan *fresh = gp_plan(work->mem, &input);
        struct gp_wave run = {
            .pass = work->pass,
            .host = work->host,
            .mem = work->mem,
            .have = work->have,
            .plan = fresh,
            .commit = work->commit,
            .plan_id = planned ? planned->id : fresh->id,
            .may_be_cancelled = work->may_be_cancelled,
        };
        struct gp_error *err;
        bool any;

        if (!planned)
            planned = fresh;
        if (work->pass->trace_plan)
            trace_plan(work, fresh, wave);
        err = check_fresh(work, &input, planned, fresh, wave);
        if (err)
            return gp_error_wrap(err, "what is there now does not fit the plan any more");
        if (!fresh->step_count)
            break;
        if (wave >= WAVES_AT_MOST)
            return gp_error_new(GP_E_BUG, "the plan did not end after %u waves", wave);
        run.due = due_steps(work, planned, wave - first, fresh, &any);
        if (!any && !work->allowed) {
            /* On the way back something else turned up, or went: whatever is needed now is the plan. */
            planned = fresh;
            first = wave;
            run.due = due_steps(work, planned, 0, fresh, &any);
        }
        err = gp_wave_run(&run);
        if (!err)
            err = look(work);
        if (err)
            return err;
    }
    return gp_verify(work->goal, work->have, work->set, gp_registry_mechanism);
}

/* ---- remembering ---- */

struct gp_error *gp_execute_remember(struct gp_pass *pass, struct gp_host *host, const struct gp_have *have,
                                     const struct gp_set *set)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_error *err = NULL;

    (void)pthread_mutex_lock(&pass->state_lock);
    for (size_t i = 0; !err && i < have->gpu_count; i++)
        if (has(&set->gpus, have->gpus[i].id))
            err = gp_state_set_applied(pass->state, gp_printf(mem, "gpu/%s", have->gpus[i].id),
                                       gp_gpu_value(mem, &have->gpus[i]), pass->commit);
    for (size_t i = 0; !err && i < have->vm_count; i++) {
        const char *key = gp_printf(mem, "vm/%s", have->vms[i].uuid);
        const char *value = gp_vm_value(mem, have, &have->vms[i]);

        if (!has(&set->vms, have->vms[i].uuid))
            continue;
        if (gp_streq(value, "-"))
            err = gp_state_forget_applied(pass->state, key);
        else
            err = gp_state_set_applied(pass->state, key, value, pass->commit);
    }
    if (!err)
        err = gp_resolved_remember(pass, host, have, set);
    (void)pthread_mutex_unlock(&pass->state_lock);
    return err;
}

/* Guests are called by name where they can be. */
static struct gp_strings vm_names(struct gp_arena *mem, const struct gp_have *have, const struct gp_set *set)
{
    struct gp_strings names = {0};

    for (size_t i = 0; i < set->vms.count; i++) {
        const struct gp_vm *vm = have ? gp_have_vm(have, set->vms.items[i]) : NULL;

        *gp_push(mem, names.items, names.count) = vm ? vm->name : set->vms.items[i];
    }
    return names;
}

/* To the journal, which people read, and to the history, which does not rotate as fast. */
static void tell_result(const struct work *work, enum gp_event event, const char *plan, const char *message)
{
    struct gp_pass *pass = work->pass;
    const struct gp_result result = {
        .event = event,
        .object = work->set->id,
        .gpus = work->set->gpus,
        .vms = vm_names(work->mem, work->have, work->set),
        .commit = pass->commit,
        .plan = plan,
        .message = message,
    };
    struct gp_error *err;

    gp_journal(&(struct gp_entry){
        .event = event,
        .priority = -1,
        .message = message,
        .cluster = pass->goal ? pass->goal->cluster : NULL,
        .host = pass->host_name,
        .commit = pass->commit,
        .plan = plan,
        .gpu = work->set->id,
    });
    (void)pthread_mutex_lock(&pass->state_lock);
    err = gp_history_add(pass->state, &result);
    (void)pthread_mutex_unlock(&pass->state_lock);
    if (err) {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        (void)fprintf(stderr, "gpupart: warning: the history lacks this result: %s\n", line);
        gp_error_free(err);
    }
}

static struct gp_error *remove_record(struct gp_pass *pass, const char *set)
{
    struct gp_error *err;

    (void)pthread_mutex_lock(&pass->state_lock);
    err = gp_state_remove_record(pass->state, set);
    (void)pthread_mutex_unlock(&pass->state_lock);
    return err;
}

/* ---- between stop and start ---- */

/* From now until release() nobody but this pass starts these VMs, and what their devices were counts no more: the start
 * hook sees to it. */
static struct gp_error *hold(struct work *work, const char *why)
{
    const struct gp_set *set = work->set;
    struct gp_error *err = NULL;

    for (size_t i = 0; !err && i < set->vms.count; i++)
        err = gp_run_hold(work->pass->run, set->vms.items[i], why);
    if (!err && work->have)
        err = gp_resolved_forget(work->pass, work->have, set);
    return err;
}

/* What only makes a start by somebody else possible is no reason to leave guests down. */
static void warn(struct gp_error *err)
{
    if (!err)
        return;
    {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        (void)fprintf(stderr, "gpupart: warning: %s\n", line);
        gp_error_free(err);
    }
}

static void release(struct gp_pass *pass, const struct gp_set *set)
{
    for (size_t i = 0; i < set->vms.count; i++)
        gp_run_release(pass->run, set->vms.items[i]);
}

/* ---- the way back ---- */

static void objects_of(struct gp_arena *mem, const struct gp_record *record, struct gp_set *ret)
{
    *ret = (struct gp_set){.id = record->set};
    for (size_t i = 0; i < record->snapshot->gpu_count; i++)
        *gp_push(mem, ret->gpus.items, ret->gpus.count) = record->snapshot->gpus[i].id;
    for (size_t i = 0; i < record->snapshot->vm_count; i++)
        *gp_push(mem, ret->vms.items, ret->vms.count) = record->snapshot->vms[i].uuid;
}

/* The planned way back did not work. Guests come first: whoever ran and can be started is started, and whoever
 * cannot is named with the command to do it. Returns what is left to do by hand. */
static const char *start_who_ran(struct work *work, const struct gp_record *record)
{
    enum { START_TIMEOUT_MS = 120000 };
    struct gp_text left = {.mem = work->mem};

    for (size_t i = 0; i < record->snapshot->vm_count; i++) {
        const struct gp_snapshot_vm *vm = &record->snapshot->vms[i];
        struct gp_error *err;

        if (!vm->ran)
            continue;
        gp_run_release(work->pass->run, vm->uuid);
        err = work->pass->virt ? gp_virt_start(work->pass->virt, vm->uuid, START_TIMEOUT_MS)
                               : gp_error_new(GP_E_IO, "libvirt is not there");
        if (err) {
            gp_cleanup(gp_free_p) char *line = gp_error_line(err);

            gp_text_addf(&left, "%sVM %s is down (%s): virsh start %s", left.size ? "; " : "", vm->name, line,
                         vm->name);
            gp_error_free(err);
            continue;
        }
        (void)pthread_mutex_lock(&work->pass->state_lock);
        err = gp_state_clear_owed(work->pass->state, vm->uuid);
        (void)pthread_mutex_unlock(&work->pass->state_lock);
        gp_error_free(err); /* a start that stays owed to a VM that runs does nothing */
    }
    return gp_text_get(&left);
}

static bool is_used(const struct gp_have *have, struct gp_device device)
{
    for (size_t i = 0; i < have->vm_count; i++)
        for (size_t n = 0; n < have->vms[i].live_count; n++)
            if (gp_device_eq(have->vms[i].live[n].device, device))
                return true;
    return false;
}

/* Whether somebody who is no running VM has a partition of the set's GPUs open. */
static bool is_held_by_stranger(const struct work *work)
{
    for (size_t i = 0; i < work->have->gpu_count; i++) {
        const struct gp_gpu *gpu = &work->have->gpus[i];

        for (size_t n = 0; has(&work->set->gpus, gpu->id) && n < gpu->partition_count; n++)
            if (gpu->partitions[n].held == GP_HELD_YES && !is_used(work->have, gpu->partitions[n].device))
                return true;
    }
    return false;
}

/* A guest that was just killed, or whose start was broken off, has its device open for another moment. */
static struct gp_error *look_released(struct work *work)
{
    const uint64_t deadline = gp_host_now_ms() + RELEASE_WAIT_MS;
    struct gp_error *err = look(work);

    while (!err && is_held_by_stranger(work) && gp_host_now_ms() < deadline) {
        gp_host_sleep_ms(LIBVIRT_POLL_MS);
        err = look(work);
    }
    return err;
}

/* Whoever ran is paused now: its start was broken off. It goes on, since it could neither be stopped nor used. */
static void go_on(struct work *work, const struct gp_record *record)
{
    enum { RESUME_TIMEOUT_MS = 30000 };
    bool any = false;

    for (size_t i = 0; i < record->snapshot->vm_count; i++) {
        const struct gp_snapshot_vm *was = &record->snapshot->vms[i];
        const struct gp_vm *vm = gp_have_vm(work->have, was->uuid);

        if (!was->ran || !vm || vm->power != GP_POWER_PAUSED)
            continue;
        warn(gp_virt_start(work->pass->virt, was->uuid, RESUME_TIMEOUT_MS));
        any = true;
    }
    if (any)
        warn(look(work));
}

static int restore_in(struct gp_pass *pass, struct gp_host *host, struct gp_arena *mem,
                      const struct gp_record *record, const char *why)
{
    struct gp_set set;
    struct work work = {.pass = pass, .host = host, .mem = mem, .set = &set, .commit = record->commit};
    const char *because = why ? why : "an earlier pass did not finish";
    struct gp_error *err;

    objects_of(mem, record, &set);
    err = look_released(&work);
    if (!err)
        go_on(&work, record);
    warn(hold(&work, gp_printf(mem, "gpupart brings %s back to what it was (%s)", record->set, because)));
    if (!err) {
        work.goal = goal_of_set(
            mem, gp_snapshot_goal(mem, record->snapshot, work.have, pass->goal ? &pass->goal->policy : NULL),
            &set);
        err = run_waves(&work);
    }
    if (!err)
        warn(gp_resolved_restored(pass, host, work.have, &set));
    if (!err)
        err = remove_record(pass, record->set);
    if (!err) {
        release(pass, &set);
        tell_result(&work, GP_EVENT_RESTORED, record->plan,
                    gp_printf(mem, "%s is as it was before: %s", record->set, because));
        return GP_EXIT_RESTORED;
    }
    {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);
        const char *left = start_who_ran(&work, record);

        gp_error_free(err);
        release(pass, &set);
        tell_result(&work, GP_EVENT_NOT_RESTORED, record->plan,
                    gp_printf(mem, "%s could not be brought back (%s), needed because: %s%s%s", record->set, line,
                              because, *left ? ". Left to do by hand: " : "", left));
        (void)fprintf(stderr, "gpupart: %s could not be brought back: %s\n", record->set, line);
        if (*left)
            (void)fprintf(stderr, "gpupart: left to do by hand: %s\n", left);
        return GP_EXIT_NOT_RESTORED;
    }
}

int gp_execute_restore(struct gp_pass *pass, const struct gp_record *record, const char *why)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();

    return restore_in(pass, &pass->host, mem, record, why);
}

/* ---- one set ---- */

static struct gp_error *begin(struct work *work, struct gp_record *record)
{
    struct gp_pass *pass = work->pass;
    const struct gp_record *earlier = gp_recover_record(pass, work->set);
    struct gp_error *err = NULL;

    *record = (struct gp_record){
        .set = work->set->id,
        .commit = pass->commit,
        .plan = pass->plan->id,
        .since_us = gp_now_us(),
        .snapshot = earlier ? earlier->snapshot : gp_snapshot_take(work->mem, work->have, work->set),
        .attempts = earlier ? earlier->attempts : 0,
        .goal_values = gp_goal_values(work->mem, pass->goal, work->set),
    };
    (void)pthread_mutex_lock(&pass->state_lock);
    if (earlier && !gp_streq(earlier->set, record->set))
        record->set = earlier->set;
    err = gp_state_write_record(pass->state, record);
    (void)pthread_mutex_unlock(&pass->state_lock);
    return err ? gp_error_wrap(err, "nothing was begun: what is there now cannot be written down") : NULL;
}

static struct gp_error *finish(struct work *work, const struct gp_record *record)
{
    struct gp_error *err = gp_execute_remember(work->pass, work->host, work->have, work->set);

    if (!err)
        err = remove_record(work->pass, record->set);
    if (!err) {
        (void)pthread_mutex_lock(&work->pass->state_lock);
        err = gp_state_clear_failure(work->pass->state, work->set->id);
        (void)pthread_mutex_unlock(&work->pass->state_lock);
    }
    return err;
}

/* What failed is tried again later, not at once: its guests would be stopped each time. */
static void back_off(struct work *work, const char *why)
{
    struct gp_error *err;

    (void)pthread_mutex_lock(&work->pass->state_lock);
    err = gp_state_add_failure(work->pass->state, work->set->id, work->commit, why, gp_now_us());
    (void)pthread_mutex_unlock(&work->pass->state_lock);
    warn(err);
}

static bool is_interrupted(const struct gp_pass *pass)
{
    return pass->cancelled && atomic_load(pass->cancelled);
}

static int execute_in(struct gp_pass *pass, struct gp_host *host, struct gp_arena *mem, const struct gp_set *set)
{
    struct work work = {
        .pass = pass,
        .host = host,
        .mem = mem,
        .goal = goal_of_set(mem, pass->goal, set),
        .set = set,
        .commit = pass->commit,
        .allowed = pass->plan,
        .may_be_cancelled = true,
        .have = pass->have,
    };
    struct gp_record record;
    struct gp_error *err = hold(&work, gp_printf(mem, "gpupart is changing %s (plan %s)", set->id, pass->plan->id));
    bool begun;

    if (!err)
        err = begin(&work, &record);
    begun = !err;

    if (!err)
        err = run_waves(&work);
    if (!err)
        err = finish(&work, &record);
    if (!err || !begun)
        release(pass, set);
    if (!err) {
        tell_result(&work, GP_EVENT_APPLIED, pass->plan->id,
                    gp_printf(mem, "%s is as declared", set->id));
        return GP_EXIT_OK;
    }
    {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);
        const int exit = gp_exit_of(err->code);
        const bool hung = err->code == GP_E_HUNG;

        gp_error_free(err);
        (void)fprintf(stderr, "gpupart: %s: %s\n", set->id, line);
        if (!begun)
            return exit;
        if (!is_interrupted(pass))
            back_off(&work, line);
        return gp_exit_worse(restore_in(pass, host, mem, &record, line), hung ? GP_EXIT_REBOOT : GP_EXIT_OK);
    }
}

int gp_execute_set(struct gp_pass *pass, const struct gp_set *set)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_host host;
    struct gp_error *err = gp_pass_host_open(pass, &host);
    int exit;

    if (err) {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        (void)fprintf(stderr, "gpupart: %s was not begun: %s\n", set->id, line);
        exit = gp_exit_of(err->code);
        gp_error_free(err);
        return exit;
    }
    exit = execute_in(pass, &host, mem, set);
    gp_host_close(&host);
    return exit;
}
