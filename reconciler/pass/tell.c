/* What a plan says, told once: to the journal when it is new, to the state directory for `status`. */
#include "clock.h"
#include "pass.h"

#include "cleanup.h"
#include "execute.h"
#include "journal.h"
#include "records.h"
#include "resolved.h"
#include "text.h"

#include <string.h>

static void tell(struct gp_pass *pass, struct gp_entry entry)
{
    entry.cluster = pass->goal ? pass->goal->cluster : pass->agent->cluster;
    entry.host = pass->host_name;
    entry.commit = pass->commit;
    entry.plan = pass->plan && pass->plan->step_count ? pass->plan->id : NULL;
    entry.priority = -1;
    gp_journal(&entry);
}

/* "gpu/slot3" → slot3 */
static const char *object_name(const char *object, const char *prefix)
{
    return object && gp_starts_with(object, prefix) ? object + strlen(prefix) : NULL;
}

static void tell_drift(struct gp_pass *pass, enum gp_event event, const struct gp_difference *drift,
                       const char *message)
{
    tell(pass, (struct gp_entry){
                   .event = event,
                   .message = message,
                   .rule = drift->rule,
                   .gpu = object_name(drift->object, "gpu/"),
                   .vm = object_name(drift->object, "vm/"),
                   .before = drift->before,
                   .after = drift->after,
               });
}

static struct gp_error *drift(struct gp_pass *pass)
{
    const struct gp_plan *plan = pass->plan;
    struct gp_arena *mem = pass->mem;
    enum gp_drift_news *news = gp_new_array(mem, enum gp_drift_news, plan->drift_count + 1);
    uint64_t *since = gp_new_array(mem, uint64_t, plan->drift_count + 1);
    struct gp_difference *cleared = NULL;
    size_t cleared_count = 0;
    struct gp_error *err;

    err = gp_state_tell_drift(pass->state, mem, plan->drift, plan->drift_count, gp_realtime_us(), news, since,
                              &cleared, &cleared_count);
    if (err)
        return err;
    pass->drift_notes = gp_new_array(mem, struct gp_drift_note, plan->drift_count + 1);
    for (size_t i = 0; i < plan->drift_count; i++) {
        const struct gp_difference *d = &plan->drift[i];

        pass->drift_notes[i] = (struct gp_drift_note){news[i], since[i]};
        if (news[i] == GP_DRIFT_OLD)
            continue;
        tell_drift(pass, news[i] == GP_DRIFT_CHANGED ? GP_EVENT_DRIFT_CHANGED : GP_EVENT_DRIFT_FOUND, d,
                   gp_printf(mem, "%s drifted: %s is %s, was applied as %s (%s)", d->object, d->path, d->after,
                             d->before, d->rule ? d->rule : "drift"));
    }
    for (size_t i = 0; i < cleared_count; i++)
        tell_drift(pass, GP_EVENT_DRIFT_CLEARED, &cleared[i],
                   gp_printf(mem, "%s: %s is as applied again", cleared[i].object, cleared[i].path));
    return NULL;
}

/* ---- objects that are as wanted without a step ---- */

static bool in_some_set(const struct gp_plan *plan, const char *gpu, const char *vm)
{
    for (size_t i = 0; i < plan->set_count; i++) {
        const struct gp_strings *strings = gpu ? &plan->sets[i].gpus : &plan->sets[i].vms;

        for (size_t j = 0; j < strings->count; j++)
            if (gp_streq(strings->items[j], gpu ? gpu : vm))
                return true;
    }
    return false;
}

/* Observed and wanted agree: that is applied now, whoever made it so. The first time it is told; a guest's new name and
 * what tells a card are kept as they are now. */
static struct gp_error *adopt(struct gp_pass *pass, const struct gp_applied *applied, const struct gp_applied *now,
                              const char *object)
{
    if (applied && gp_streq(applied->value, now->value) && gp_streq(applied->who, now->who))
        return NULL;
    if (!applied)
        tell(pass, (struct gp_entry){
                       .event = GP_EVENT_ADOPTED,
                       .message = gp_printf(pass->mem, "%s is as declared already (%s) and is kept so", object,
                                            now->value),
                       .gpu = object_name(object, "gpu/"),
                       .vm = object_name(object, "vm/"),
                       .after = now->value,
                   });
    return gp_state_set_applied(pass->state, now->key, now->value, pass->commit, now->who);
}

static struct gp_error *adopt_gpu(struct gp_pass *pass, const struct gp_memory *memory, const struct gp_goal_gpu *goal)
{
    const struct gp_gpu *gpu = gp_have_gpu(pass->have, goal->id);
    struct gp_arena *mem = pass->mem;
    struct gp_applied now;

    if (!goal->managed || goal->blocked || !gpu || in_some_set(pass->plan, goal->id, NULL) ||
        gp_record_any(pass, goal->id))
        return NULL;
    now = (struct gp_applied){
        .key = gp_printf(mem, "gpu/%s", gpu->id),
        .value = gp_gpu_value(mem, gpu),
        .who = gp_gpu_identity(mem, gpu),
    };
    if (!gp_streq(now.value, gp_layout_value(mem, &goal->want)))
        return NULL;
    return adopt(pass, gp_memory_applied_gpu(mem, memory, gpu), &now, now.key);
}

static struct gp_error *adopt_vm(struct gp_pass *pass, const struct gp_memory *memory, const struct gp_goal_vm *goal)
{
    const struct gp_vm *vm = gp_have_vm(pass->have, goal->uuid);
    const struct gp_gpu *gpu = goal->gpu ? gp_have_gpu(pass->have, goal->gpu) : NULL;
    struct gp_arena *mem = pass->mem;
    struct gp_applied now;

    if (!goal->managed || goal->blocked || !gpu || !vm || gp_vm_awaits_start(vm) ||
        in_some_set(pass->plan, NULL, goal->uuid) || gp_record_any(pass, goal->uuid))
        return NULL;
    now = (struct gp_applied){
        .key = gp_printf(mem, "vm/%s", vm->uuid),
        .value = gp_vm_value(mem, pass->have, vm),
        .who = vm->name,
    };
    if (!gp_streq(now.value, gp_goal_vm_value(mem, pass->goal, pass->have, goal)))
        return NULL;
    return adopt(pass, gp_memory_applied(memory, now.key), &now, gp_printf(mem, "vm/%s", vm->name));
}

static struct gp_error *adopt_all(struct gp_pass *pass)
{
    const struct gp_memory *memory = gp_pass_memory(pass, pass->mem);
    struct gp_error *err = NULL;

    for (size_t i = 0; !err && i < pass->goal->gpu_count; i++)
        err = adopt_gpu(pass, memory, &pass->goal->gpus[i]);
    for (size_t i = 0; !err && i < pass->goal->vm_count; i++)
        err = adopt_vm(pass, memory, &pass->goal->vms[i]);
    return err;
}

/* ---- conditions: what `status` shows ---- */

static bool was_told(const struct gp_condition *before, size_t count, const struct gp_condition *condition)
{
    for (size_t i = 0; i < count; i++)
        if (gp_streq(before[i].object, condition->object) && gp_streq(before[i].type, condition->type) &&
            gp_streq(before[i].reason, condition->reason))
            return true;
    return false;
}

static void add(struct gp_pass *pass, struct gp_condition **items, size_t *count, const char *object,
                const char *type, const char *reason)
{
    const struct gp_condition condition = {.object = object, .type = type, .reason = reason ? reason : ""};

    /* What blocks an object blocks its set, too. */
    if (!was_told(*items, *count, &condition))
        *gp_push(pass->mem, *items, *count) = condition;
}

static const char *const verdict_types[] = {
    [GP_VERDICT_RUN] = NULL,
    [GP_VERDICT_WAITS] = "Waiting",
    [GP_VERDICT_REPORTS] = "Drifted",
    [GP_VERDICT_BLOCKED] = "Blocked",
};

static void set_conditions(struct gp_pass *pass, const struct gp_set *set, struct gp_condition **items,
                           size_t *count)
{
    const char *type = verdict_types[set->verdict];
    const char *reason = set->rule ? gp_printf(pass->mem, "%s: %s", set->rule, set->why ? set->why : "") : set->why;

    if (!type)
        return;
    for (size_t i = 0; i < set->gpus.count; i++)
        add(pass, items, count, gp_printf(pass->mem, "gpu/%s", set->gpus.items[i]), type, reason);
    for (size_t i = 0; i < set->vms.count; i++) {
        const struct gp_vm *vm = gp_have_vm(pass->have, set->vms.items[i]);

        if (vm)
            add(pass, items, count, gp_printf(pass->mem, "vm/%s", vm->name), type, reason);
    }
}

/* Why this host is in no cluster, in two, or a copy (GP-E404, GP-E407, GP-E405). */
static const char *why_not_declared(struct gp_pass *pass)
{
    for (size_t i = 0; i < pass->goal->finding_count; i++) {
        const struct gp_finding *finding = &pass->goal->findings[i];

        if (gp_streq(finding->object, "host") && gp_starts_with(finding->rule, "GP-E4"))
            return gp_printf(pass->mem, "%s: %s", finding->rule, finding->message);
    }
    return "this host is not in exactly one cluster: it is only observed";
}

/* What `status` shows of every object, and of the host itself. */
static struct gp_condition *list_conditions(struct gp_pass *pass, size_t *ret_count)
{
    struct gp_condition *items = NULL;
    size_t count = 0;

    if (!pass->goal->declared && !pass->unknown)
        add(pass, &items, &count, "host", "NotDeclared", why_not_declared(pass));
    if (pass->git_state == GP_GIT_STALE)
        add(pass, &items, &count, "host", "GitStale",
            gp_printf(pass->mem, "git could not be asked, what is applied is kept: %s",
                      pass->git_why ? pass->git_why : "no reason given"));
    if (pass->refused)
        add(pass, &items, &count, "host", "CommitRefused",
            gp_printf(pass->mem, "the head is refused, %s is kept: %s",
                      pass->commit ? gp_strndup(pass->mem, pass->commit, 12) : "what is applied", pass->refused));
    if (pass->have->vms_unknown)
        add(pass, &items, &count, "host", "GuestsUnknown", pass->have->vms_reason);
    for (size_t i = 0; i < pass->plan->set_count; i++)
        set_conditions(pass, &pass->plan->sets[i], &items, &count);
    for (size_t i = 0; i < pass->goal->vm_count; i++) {
        const struct gp_goal_vm *vm = &pass->goal->vms[i];
        const struct gp_vm *have = gp_have_vm(pass->have, vm->uuid);
        const char *object = gp_printf(pass->mem, "vm/%s", vm->name);

        if (vm->blocked)
            add(pass, &items, &count, object, "Blocked", gp_printf(pass->mem, "%s: %s", vm->rule, vm->blocked));
        else if (vm->pending)
            add(pass, &items, &count, object, "Pending", "GP-W306: no partition is free for it");
        else if (vm->gpu && have && (have->power == GP_POWER_OFF || (vm->next_start && gp_vm_awaits_start(have))))
            add(pass, &items, &count, object, "PendingStart", "its partition is resolved when it starts");
    }
    *ret_count = count;
    return items;
}

/* Which conditions are worth an entry of their own; the others are states in good order. */
static enum gp_event event_of(const struct gp_condition *condition)
{
    static const char *const refusals[] = {"NotDeclared", "CommitRefused", "Degraded", "GuestsUnknown", "Waiting", "Blocked"};

    if (gp_streq(condition->type, "GitStale"))
        return GP_EVENT_GIT_STALE;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (gp_streq(condition->type, refusals[i]))
            return GP_EVENT_REFUSED;
    return GP_EVENT_COUNT;
}

/* "GP-E403" of "the head is refused: GP-E403: …": the first rule that @reason names; NULL: none. */
static const char *rule_of(struct gp_arena *mem, const char *reason)
{
    enum { SIZE = 7 };
    static const char digits[] = "0123456789";

    for (const char *at = strstr(reason, "GP-"); at; at = strstr(at + 1, "GP-"))
        if (at[3] && strchr("EWD", at[3]) && strspn(at + 4, digits) == SIZE - 4)
            return gp_strndup(mem, at, SIZE);
    return NULL;
}

/* From @before to @items. A refusal that lasts is told once, not on every pass. */
static struct gp_error *set_all(struct gp_pass *pass, const struct gp_condition *before, size_t before_count,
                                const struct gp_condition *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const enum gp_event event = event_of(&items[i]);

        if (event != GP_EVENT_COUNT && !was_told(before, before_count, &items[i]))
            tell(pass, (struct gp_entry){
                           .event = event,
                           .message = gp_printf(pass->mem, "%s is %s: %s", items[i].object, items[i].type,
                                                items[i].reason),
                           .rule = rule_of(pass->mem, items[i].reason),
                           .gpu = object_name(items[i].object, "gpu/"),
                           .vm = object_name(items[i].object, "vm/"),
                       });
    }
    return gp_state_set_conditions(pass->state, items, count, gp_realtime_us());
}

static struct gp_error *conditions(struct gp_pass *pass)
{
    size_t count = 0, before_count = 0;
    struct gp_condition *items = list_conditions(pass, &count), *before = NULL;
    struct gp_error *err = gp_state_conditions(pass->state, pass->mem, &before, &before_count);

    return err ? err : set_all(pass, before, before_count, items, count);
}

struct gp_error *gp_pass_tell_end(struct gp_pass *pass, const struct gp_error *why, bool head)
{
    const char *const types[] = {"Degraded", "CommitRefused"};
    gp_cleanup(gp_free_p) char *line = gp_error_line(why);
    struct gp_condition *items = NULL, *before = NULL;
    size_t count = 0, before_count = 0;
    struct gp_error *err = gp_state_conditions(pass->state, pass->mem, &before, &before_count);

    if (err)
        return err;
    for (size_t i = 0; i < before_count; i++)
        if (!gp_streq(before[i].object, "host") ||
            (!gp_streq(before[i].type, types[false]) && !gp_streq(before[i].type, types[true])))
            *gp_push(pass->mem, items, count) = before[i];
    add(pass, &items, &count, "host", types[head],
        gp_printf(pass->mem, "%s, what is applied is kept: %s",
                  head ? "the head is refused" : "the pass ended before it had a plan", line));
    return set_all(pass, before, before_count, items, count);
}

/* ---- the pass itself ---- */

static void tell_plan(struct gp_pass *pass)
{
    size_t run = 0;

    for (size_t i = 0; i < pass->plan->set_count; i++)
        run += pass->plan->sets[i].verdict == GP_VERDICT_RUN;
    if (run)
        tell(pass, (struct gp_entry){
                       .event = GP_EVENT_PLAN,
                       .message = gp_printf(pass->mem, "plan %s: %zu steps, class %s, %zu of %zu sets may run",
                                            pass->plan->id, pass->plan->step_count, gp_class_name(pass->plan->class),
                                            run, pass->plan->set_count),
                       .class = gp_class_name(pass->plan->class),
                   });
}

/* A guest that was asked to stop, did not in time, and did later: the start is owed and comes now. It is told once, and the
 * request is over: from now on the start is owed until it runs, by whosever hand. Whoever is down for what a killed pass
 * began may have stopped in time: nobody was left to see it. */
static struct gp_error *late_stops(struct gp_pass *pass)
{
    const struct gp_memory *memory = gp_pass_memory(pass, pass->mem);
    struct gp_error *err = NULL;

    for (size_t i = 0; !err && i < memory->owed_count; i++) {
        const struct gp_owed *owed = &memory->owed[i];
        const struct gp_vm *vm = gp_have_vm(pass->have, owed->vm);

        if (!vm || vm->power != GP_POWER_OFF || !owed->stop_requested)
            continue;
        if (!gp_record_any(pass, owed->vm))
            tell(pass, (struct gp_entry){
                           .event = GP_EVENT_LATE_STOP,
                           .message = gp_printf(pass->mem, "VM %s stopped after its time was over; it is started again",
                                                vm->name),
                           .vm = vm->name,
                       });
        err = gp_state_set_owed(pass->state,
                                &(struct gp_owed){.vm = owed->vm, .name = owed->name, .until_us = UINT64_MAX});
    }
    return err;
}

struct gp_error *gp_pass_tell(struct gp_pass *pass)
{
    struct gp_error *err;

    tell_plan(pass);
    err = late_stops(pass);
    if (!err && !pass->unknown) /* else no drift was looked for */
        err = drift(pass);
    if (!err)
        err = adopt_all(pass);
    if (!err)
        err = gp_resolved_remember(pass, &pass->host, pass->have, NULL);
    if (!err)
        err = conditions(pass);
    return err;
}
