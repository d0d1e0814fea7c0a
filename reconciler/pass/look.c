/* From what is wanted and what is there to a plan with verdicts; nothing is done here. */
#include "clock.h"
#include "pass.h"

#include "cleanup.h"
#include "owed_starts.h"
#include "recover.h"
#include "registry.h"
#include "text.h"
#include "timezone.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What tz database was asked is the one of this machine: of another one's capture it says nothing. */
static const char *unknown_zone(struct gp_pass *pass, const char *zone, bool database)
{
    const bool here = gp_streq(pass->options.root, "/");

    if (here && database)
        return gp_printf(pass->mem, "the window is closed: the tz database of this host has no time zone '%s'", zone);
    if (here)
        return gp_printf(pass->mem,
                         "the window is closed: this host has no tz database to look up '%s' in; install the package tzdata", zone);
    if (database)
        return gp_printf(pass->mem,
                         "when the window opens cannot be told: the tz database of this machine has no time zone '%s'; the host "
                         "judges by its own",
                         zone);
    return gp_printf(pass->mem,
                     "when the window opens cannot be told: this machine has no tz database to look up '%s' in; the host judges by "
                     "its own",
                     zone);
}

/* A window whose time zone is not known is closed, and says so: the C library would take UTC for it, and guests would stop at
 * some other hour. */
static uint32_t window_now(struct gp_pass *pass, const struct gp_window *window, uint64_t now_us)
{
    const enum gp_timezone_state state = window->timezone ? gp_timezone_find(window->timezone) : GP_TIMEZONE_KNOWN;

    if (state == GP_TIMEZONE_KNOWN)
        return gp_timezone_week_minute((time_t)(now_us / 1000000), window->timezone);
    *gp_push(pass->mem, pass->plan->findings, pass->plan->finding_count) = (struct gp_finding){
        .rule = "GP-W509",
        .level = GP_LEVEL_WARNING,
        .at = window->at,
        .object = "host",
        .message = unknown_zone(pass, window->timezone, state == GP_TIMEZONE_UNKNOWN),
    };
    return GP_WINDOW_CLOSED;
}

static struct gp_error *gate(struct gp_pass *pass, const char *approved)
{
    const struct gp_policy *policy = &pass->goal->policy;
    struct gp_arena *mem = pass->mem;
    const uint64_t now = gp_realtime_us();
    uint32_t *week = gp_new_array(mem, uint32_t, policy->window_count + 1);
    struct gp_approval *approvals = NULL;
    size_t approval_count = 0, count = 0;
    struct gp_strings paused = {0};
    struct gp_pause *pauses = NULL;
    struct gp_gate_input input;
    struct gp_error *err;

    for (size_t i = 0; i < policy->window_count; i++)
        week[i] = window_now(pass, &policy->windows[i], now);
    gp_findings_sort(pass->plan->findings, &pass->plan->finding_count);
    err = gp_state_pauses(pass->state, true, mem, &pauses, &count);
    if (err)
        return err;
    for (size_t i = 0; i < count; i++)
        *gp_push(mem, approvals, approval_count) =
            (struct gp_approval){pauses[i].object, pauses[i].until_us};
    if (approved)
        *gp_push(mem, approvals, approval_count) = (struct gp_approval){approved, UINT64_MAX};
    err = gp_state_pauses(pass->state, false, mem, &pauses, &count);
    if (err)
        return err;
    for (size_t i = 0; i < count; i++)
        if (pauses[i].until_us > now)
            *gp_push(mem, paused.items, paused.count) = pauses[i].object;
    input = (struct gp_gate_input){
        .policy = policy,
        .now_us = now,
        .window_now = week,
        .approvals = approvals,
        .approval_count = approval_count,
        .paused = &paused,
        .dry = !pass->options.change,
    };
    gp_gate(mem, &input, pass->plan);
    return NULL;
}

/* What failed at this commit is not begun again before its time; a person who names the plan's id may. */
static void hold_back_failures(struct gp_pass *pass, const char *approved)
{
    for (size_t i = 0; i < pass->plan->set_count; i++) {
        struct gp_set *set = &pass->plan->sets[i];
        struct gp_failure failure;

        if (set->verdict != GP_VERDICT_RUN || gp_streq(approved, pass->plan->id) ||
            !gp_recover_failure(pass, set, &failure) || failure.until_us <= gp_realtime_us())
            continue;
        set->verdict = GP_VERDICT_WAITS;
        set->why = gp_printf(pass->mem, "it failed %u %s at this commit and is tried again after %s; the last time: %s",
                             failure.count, failure.count == 1 ? "time" : "times",
                             gp_time_text(pass->mem, failure.until_us), failure.reason);
    }
}

/* Approvals that are live: of a plan, or of an object ("gpu/slot3"). */
static struct gp_error *live_approvals(struct gp_pass *pass, struct gp_strings *ret)
{
    struct gp_pause *approvals = NULL;
    size_t count = 0;
    struct gp_error *err = gp_state_pauses(pass->state, true, pass->mem, &approvals, &count);

    for (size_t i = 0; !err && i < count; i++)
        if (approvals[i].until_us > gp_realtime_us())
            *gp_push(pass->mem, ret->items, ret->count) = approvals[i].object;
    return err;
}

static struct gp_error *resolve_as(struct gp_pass *pass, const struct gp_declaration *declaration, const char *approved)
{
    struct gp_strings approvals = {0};
    struct gp_error *err = live_approvals(pass, &approvals);
    const struct gp_resolve_input input = {
        .declaration = declaration,
        .agent = pass->agent,
        .have = pass->have,
        .memory = gp_pass_memory(pass, pass->mem),
        .mechanism = gp_registry_mechanism,
        .unknown = pass->unknown,
        .allowed_removal = pass->allowed_removal,
        .approved = &approvals,
        .removal_warns = pass->options.dir && (!pass->options.change || approved),
    };

    if (!err)
        pass->goal = gp_resolve(pass->mem, &input);
    return err;
}

static struct gp_error *resolve(struct gp_pass *pass, const char *approved)
{
    return resolve_as(pass, &pass->load.declaration, approved);
}

/* Who was owed a start and runs is owed nothing. */
static void forget_paid(struct gp_pass *pass)
{
    gp_pass_unwritten(pass, gp_pass_forget_owed_units(pass));
    gp_recover_forget_paid(pass);
}

static bool owes(struct gp_pass *pass)
{
    const struct gp_memory *memory = gp_pass_memory(pass, pass->mem);

    return pass->record_count || memory->owed_count || memory->owed_units.count;
}

/* Takes back what was begun, and starts who is owed a start: with nothing managed, as on a host that nobody declared. */
static struct gp_error *settle_without_goal(struct gp_pass *pass)
{
    const struct gp_declaration *nothing = gp_new(pass->mem, struct gp_declaration);
    bool restored = false;
    struct gp_error *err = gp_pass_observe(pass, &pass->host, pass->mem, &pass->have);

    pass->unknown = true;
    if (err)
        return err;
    forget_paid(pass);
    err = resolve_as(pass, nothing, NULL);
    if (!err)
        err = gp_recover_decide(pass, &restored);
    if (!err && restored)
        err = gp_pass_observe(pass, &pass->host, pass->mem, &pass->have);
    if (!err && restored)
        err = resolve_as(pass, nothing, NULL);
    if (!err)
        pass->recover_exit = gp_exit_worse(pass->recover_exit, gp_owed_starts(pass));
    return err;
}

/* What is wanted cannot be told: whatever an earlier pass left half-done is taken back all the same, and what is owed is
 * started, so that no guest stays down for it. Returns @why. */
static struct gp_error *recover_without_goal(struct gp_pass *pass, struct gp_error *why)
{
    struct gp_error *err = gp_recover_owed(pass);

    if (!err && owes(pass))
        err = settle_without_goal(pass);
    if (!err)
        return why;
    {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        gp_error_free(err);
        return gp_error_wrap(why, "what an earlier pass left could not be looked at either (%s)", line);
    }
}

/* Of the guests that pass->plan would stop: few, so that the others are not asked. *ret_found: one may not be stopped, and
 * the plan does not hold. */
static struct gp_error *observe_jobs(struct gp_pass *pass, bool *ret_found)
{
    struct gp_error *err = NULL;

    *ret_found = false;
    for (size_t i = 0; !err && i < pass->plan->step_count; i++) {
        const struct gp_step *step = &pass->plan->steps[i];
        struct gp_vm *vm = step->kind == GP_STEP_STOP_VM ? gp_have_vm(pass->have, step->vm) : NULL;

        if (!vm || vm->unstoppable)
            continue;
        err = gp_pass_observe_job(pass, vm);
        *ret_found = *ret_found || vm->unstoppable;
    }
    return err;
}

/* From pass->goal to a plan that keeps the laws. Ends, since each round finds another guest that may not be stopped. */
static struct gp_error *plan(struct gp_pass *pass, const char *approved)
{
    struct gp_plan_input input;
    struct gp_error *err;
    bool found;

    for (;;) {
        input = gp_pass_plan_input(pass, pass->mem, pass->goal, pass->have);
        pass->plan = gp_plan(pass->mem, &input);
        err = observe_jobs(pass, &found);
        if (!err && found)
            err = resolve(pass, approved);
        if (err)
            return err;
        if (!found)
            break;
    }
    err = gp_plan_check(&input, pass->plan);
    return err ? gp_error_wrap(err, "the plan breaks a law and is not used; nothing was changed") : NULL;
}

/* Half a declaration would read as the wish to remove the other half. */
static struct gp_error *desire(struct gp_pass *pass)
{
    struct gp_error *err = gp_pass_desire(pass);

    return !err && pass->load.failed ? gp_load_error(&pass->load) : err;
}

/* From what is wanted to the plan with verdicts; first what an earlier pass left is finished or taken back. */
static struct gp_error *look(struct gp_pass *pass, const char *approved)
{
    struct gp_error *err = pass->options.change ? gp_recover_owed(pass) : NULL;
    bool restored = false;

    if (!err)
        err = gp_pass_observe(pass, &pass->host, pass->mem, &pass->have);
    if (!err && pass->options.change)
        forget_paid(pass);
    if (!err)
        err = resolve(pass, approved);
    if (!err && pass->options.change)
        err = gp_recover_decide(pass, &restored);
    if (!err && restored)
        err = gp_pass_observe(pass, &pass->host, pass->mem, &pass->have);
    if (!err && restored)
        err = resolve(pass, approved);
    if (!err)
        err = plan(pass, approved);
    if (!err)
        err = gate(pass, approved);
    if (err)
        return err;
    hold_back_failures(pass, approved);
    gp_recover_allow(pass);
    return NULL;
}

struct gp_error *gp_pass_plan(struct gp_pass *pass, const char *approved)
{
    struct gp_error *err = desire(pass);
    const bool head = err && !pass->options.dir && (err->code == GP_E_REFUSED || err->code == GP_E_INVALID);

    if (!err)
        err = look(pass, approved);
    else if (pass->options.change)
        err = recover_without_goal(pass, err);
    if (err && pass->options.change)
        gp_pass_unwritten(pass, gp_pass_tell_end(pass, err, head));
    return err;
}
