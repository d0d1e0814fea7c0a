/* What may run now: policy, windows, approvals, budgets and pauses, set by set. */
#include "plan.h"

#include "resolve.h"
#include "text.h"

#include <string.h>

struct gate {
    struct gp_arena *mem;
    const struct gp_gate_input *input;
    struct gp_plan *plan;
    uint32_t vms_stopped, gpus_changed; /* by the sets allowed so far */
    uint64_t units_ms; /* of the sets allowed so far that stop units: those take turns */
    size_t stops;      /* of all sets that may still run: their guests are asked in turns, in any order */
};

static void decide(struct gp_set *set, enum gp_verdict verdict, const char *rule, const char *why)
{
    set->verdict = verdict;
    set->rule = rule;
    set->why = why;
}

/* ---- policy ---- */

static bool has_class(const struct gate *gate, size_t index, enum gp_class class)
{
    if (gate->plan->sets[index].class == class)
        return true;
    for (size_t n = 0; n < gate->plan->step_count; n++)
        if (gate->plan->steps[n].set == index && gate->plan->steps[n].class == class)
            return true;
    return false;
}

/* The strictest of what the policy says of the classes in the set; @ret_cause names the field. */
static enum gp_allow allowed(const struct gate *gate, size_t index, const char **ret_cause)
{
    const struct gp_set *set = &gate->plan->sets[index];
    enum gp_allow allow = GP_ALLOW_AUTO;

    *ret_cause = "";
    for (enum gp_class class = GP_CLASS_COUNT; class-- > GP_CLASS_NONE;) {
        enum gp_allow on_commit = gate->input->policy->on_commit[class];
        enum gp_allow on_drift = gate->input->policy->on_drift[class];

        if (!has_class(gate, index, class))
            continue;
        if (set->change && on_commit < allow) {
            allow = on_commit;
            *ret_cause = gp_printf(gate->mem, "onCommit.%s", gp_class_name(class));
        }
        if ((set->drift || !set->change) && on_drift < allow) {
            allow = on_drift;
            *ret_cause = gp_printf(gate->mem, "onDrift.%s", gp_class_name(class));
        }
    }
    return allow;
}

/* ---- pauses ---- */

static const char *paused_as(const struct gate *gate, const char *kind, const char *name)
{
    const char *object = kind ? gp_printf(gate->mem, "%s/%s", kind, name) : name;

    return gp_strings_have(gate->input->paused, object) ? object : NULL;
}

static const char *paused_name(const struct gate *gate, const struct gp_strings *names,
                               const char *kind)
{
    const char *found = NULL;

    for (size_t n = 0; !found && n < names->count; n++)
        found = paused_as(gate, kind, names->items[n]);
    return found;
}

/* "vm/NAME" of what is paused in the set; NULL: nothing is. A GPU that keeps its layout is in no set, but whose its
 * partitions are is left alone as well. */
static const char *find_pause(const struct gate *gate, size_t index)
{
    const struct gp_set *set = &gate->plan->sets[index];
    const char *found = NULL;

    if (!gate->input->paused || !gate->input->paused->count)
        return NULL;
    found = paused_as(gate, NULL, "host");
    if (!found)
        found = paused_name(gate, &set->gpus, "gpu");
    if (!found)
        found = paused_name(gate, &set->uses, "gpu");
    if (!found)
        found = paused_name(gate, &set->vms, "vm");
    if (!found)
        found = paused_name(gate, &set->stops, "vm");
    for (size_t n = 0; !found && n < gate->plan->step_count; n++) {
        const struct gp_step *step = &gate->plan->steps[n];

        if (step->set != index)
            continue;
        if (step->vm_name)
            found = paused_as(gate, "vm", step->vm_name);
        if (!found)
            found = paused_name(gate, &step->vms, "vm");
    }
    return found;
}

/* ---- windows ---- */

enum { DAY_MINUTES = 24 * 60, WEEK_MINUTES = 7 * DAY_MINUTES };

/* One opening of a window, in minutes from now; open < 0: it began before. */
struct opening {
    int32_t open, close;
    const struct gp_window *window;
    int day;
};

struct openings {
    struct opening *items;
    size_t count;
};

/* From the week before to the week after: what is open now may have begun last week. */
static struct openings list_openings(const struct gate *gate)
{
    const struct gp_policy *policy = gate->input->policy;
    struct openings list = {0};

    for (size_t n = 0; n < policy->window_count; n++) {
        const struct gp_window *window = &policy->windows[n];
        int32_t length = window->end > window->start ? window->end - window->start
                                                     : window->end + DAY_MINUTES - window->start;

        if (gate->input->window_now[n] == GP_WINDOW_CLOSED)
            continue;
        for (int day = 0; day < 7; day++) {
            int32_t start =
                day * DAY_MINUTES + window->start - (int32_t)gate->input->window_now[n];

            for (int week = -1; (window->days >> day & 1) && week <= 1; week++)
                *gp_push(gate->mem, list.items, list.count) =
                    (struct opening){start + week * WEEK_MINUTES,
                                     start + week * WEEK_MINUTES + length, window, day};
        }
    }
    return list;
}

/* How long it stays open from @from on, in minutes: openings that touch are one. */
static int32_t open_until(const struct openings *list, int32_t from)
{
    int32_t until = from;
    bool further = true;

    while (further) {
        further = false;
        for (size_t n = 0; n < list->count; n++)
            if (list->items[n].open <= until && list->items[n].close > until) {
                until = list->items[n].close;
                further = true;
            }
    }
    return until;
}

static const struct opening *next_opening(const struct openings *list, uint64_t duration_ms)
{
    const struct opening *next = NULL;

    for (size_t n = 0; n < list->count; n++) {
        const struct opening *opening = &list->items[n];
        int32_t minutes = open_until(list, opening->open) - opening->open;

        if (opening->open > 0 && (uint64_t)minutes * 60000 >= duration_ms &&
            (!next || opening->open < next->open))
            next = opening;
    }
    return next;
}

static const char *span_text(struct gp_arena *mem, uint64_t minutes)
{
    if (minutes >= DAY_MINUTES)
        return gp_printf(mem, "%llu d %llu h", (unsigned long long)(minutes / DAY_MINUTES),
                         (unsigned long long)(minutes % DAY_MINUTES / 60));
    if (minutes >= 60)
        return gp_printf(mem, "%llu h %llu min", (unsigned long long)(minutes / 60),
                         (unsigned long long)(minutes % 60));
    return gp_printf(mem, "%llu min", (unsigned long long)minutes);
}

static const char *opening_text(struct gp_arena *mem, const struct opening *opening)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

    return gp_printf(mem, "opens in %s (%s %02u:%02u %s)",
                     span_text(mem, (uint64_t)opening->open), days[opening->day],
                     opening->window->start / 60U, opening->window->start % 60U,
                     opening->window->timezone ? opening->window->timezone : "local time");
}

/* "; one counts as closed, …" of the first whose time zone is not known; "" if there is none. */
static const char *closed_text(const struct gate *gate)
{
    const struct gp_policy *policy = gate->input->policy;

    for (size_t n = 0; n < policy->window_count; n++)
        if (gate->input->window_now[n] == GP_WINDOW_CLOSED)
            return gp_printf(gate->mem, "; one counts as closed, since its time zone '%s' is not known here",
                             policy->windows[n].timezone);
    return "";
}

/* What its guests may wait for those of other sets, beside the turns among themselves that its duration has. */
static uint64_t wait_for_others_ms(const struct gate *gate, const struct gp_set *set)
{
    if (!set->stops.count)
        return 0;
    return ((gate->stops - 1) / GP_STOPS_AT_ONCE - (set->stops.count - 1) / GP_STOPS_AT_ONCE) * GP_STOP_TURN_MS;
}

static void gate_by_window(struct gate *gate, struct gp_set *set, const char *cause)
{
    struct openings list = list_openings(gate);
    int32_t minutes = open_until(&list, 0);
    /* window_now is whole minutes: what of the present one has passed is lost. */
    uint64_t lost_ms = gate->input->now_us / 1000 % 60000;
    const uint64_t needed_ms =
        set->duration_ms + (set->units.count ? gate->units_ms : 0) + wait_for_others_ms(gate, set);
    uint64_t needed_min = (needed_ms + 59999) / 60000;
    const struct opening *next;
    const char *when;

    if (minutes > 0 && (uint64_t)minutes * 60000 - lost_ms >= needed_ms) {
        decide(set, GP_VERDICT_RUN, NULL, NULL);
        return;
    }
    next = next_opening(&list, needed_ms);
    if (!list.count)
        when = gate->input->policy->window_count ? "none can open" : "there is none";
    else if (!next)
        when = gp_printf(gate->mem, "none is as long as the %s that it may take",
                         span_text(gate->mem, needed_min));
    else
        when = opening_text(gate->mem, next);
    if (minutes > 0 && next)
        when = gp_printf(gate->mem, "it may take %s and the present one closes in %s; the next %s",
                         span_text(gate->mem, needed_min), span_text(gate->mem, (uint64_t)minutes),
                         when);
    decide(set, GP_VERDICT_WAITS, "GP-E502",
           gp_printf(gate->mem, "%s waits for a window: %s%s", cause, when, closed_text(gate)));
}

/* ---- approvals ---- */

static bool is_approved(const struct gate *gate, const struct gp_set *set)
{
    for (size_t n = 0; n < gate->input->approval_count; n++) {
        const struct gp_approval *approval = &gate->input->approvals[n];

        if (approval->until_us > gate->input->now_us &&
            (gp_streq(approval->plan_id, gate->plan->id) || gp_streq(approval->plan_id, set->id)))
            return true;
    }
    return false;
}

static void gate_by_approval(struct gate *gate, struct gp_set *set, const char *cause)
{
    if (is_approved(gate, set))
        decide(set, GP_VERDICT_RUN, NULL, NULL);
    else
        decide(set, GP_VERDICT_WAITS, "GP-E503",
               gp_printf(gate->mem,
                         "%s asks for approval: gpupart approve %s --for 1h --reason WHY", cause,
                         gate->plan->id));
}

/* ---- reports ---- */

static bool is_in(const struct gp_set *set, const char *key)
{
    return (gp_starts_with(key, "gpu/") && gp_strings_have(&set->gpus, key + strlen("gpu/"))) ||
           (gp_starts_with(key, "vm/") && gp_strings_have(&set->vms, key + strlen("vm/")));
}

/* Drift has a rule of its own; a change that nobody lets happen waits for a person, who changes the policy. */
static const char *rule_of_report(const struct gate *gate, const struct gp_set *set)
{
    for (size_t n = 0; n < gate->plan->drift_count; n++)
        if (gate->plan->drift[n].rule && is_in(set, gate->plan->drift[n].key))
            return gate->plan->drift[n].rule;
    return "GP-E503";
}

/* ---- budgets ---- */

static uint32_t left_of(uint32_t limit, uint32_t used)
{
    return used < limit ? limit - used : 0;
}

static void gate_by_budget(struct gate *gate, struct gp_set *set)
{
    const struct gp_policy *policy = gate->input->policy;
    uint32_t vms = (uint32_t)set->stops.count, gpus = set->gpus_changed;
    uint32_t vms_left = left_of(policy->max_vms_stopped, gate->vms_stopped);
    uint32_t gpus_left = left_of(policy->max_gpus_changed, gate->gpus_changed);

    if (vms > vms_left && policy->max_vms_stopped != UINT32_MAX) {
        decide(set, GP_VERDICT_WAITS, "GP-E501",
               gp_printf(gate->mem, "it stops %u VMs; maxVmsStopped is %u, of which %u are left",
                         (unsigned)vms, (unsigned)policy->max_vms_stopped, (unsigned)vms_left));
        return;
    }
    if (gpus > gpus_left && policy->max_gpus_changed != UINT32_MAX) {
        decide(set, GP_VERDICT_WAITS, "GP-E501",
               gp_printf(gate->mem, "it changes %u GPUs; maxGpusChanged is %u, of which %u are left",
                         (unsigned)gpus, (unsigned)policy->max_gpus_changed, (unsigned)gpus_left));
        return;
    }
    if (!gate->input->dry) {
        gate->vms_stopped += vms;
        gate->gpus_changed += gpus;
    }
}

static void gate_set(struct gate *gate, size_t index)
{
    struct gp_set *set = &gate->plan->sets[index];
    const char *cause, *pause;

    if (set->verdict == GP_VERDICT_BLOCKED)
        return;
    decide(set, GP_VERDICT_RUN, NULL, NULL);
    if (gp_plan_only_starts(gate->plan, index))
        return;
    pause = find_pause(gate, index);
    if (pause) {
        decide(set, GP_VERDICT_WAITS, "GP-E503",
               gp_printf(gate->mem, "paused: %s; gpupart resume %s", pause, gp_shell_word(gate->mem, pause)));
        return;
    }
    switch (allowed(gate, index, &cause)) {
    case GP_ALLOW_AUTO:
        break;
    case GP_ALLOW_WINDOW:
        gate_by_window(gate, set, cause);
        break;
    case GP_ALLOW_APPROVE:
        gate_by_approval(gate, set, cause);
        break;
    case GP_ALLOW_REPORT:
    case GP_ALLOW_UNSET: /* nobody said that it may happen */
    case GP_ALLOW_COUNT:
        decide(set, GP_VERDICT_REPORTS, rule_of_report(gate, set),
               gp_printf(gate->mem, "%s says report", cause));
        break;
    }
    if (set->verdict == GP_VERDICT_RUN)
        gate_by_budget(gate, set);
    if (set->verdict == GP_VERDICT_RUN && set->units.count)
        gate->units_ms += set->duration_ms;
}

void gp_gate(struct gp_arena *mem, const struct gp_gate_input *input, struct gp_plan *plan)
{
    struct gate gate = {.mem = mem, .input = input, .plan = plan};

    for (size_t n = 0; n < plan->set_count; n++)
        if (plan->sets[n].verdict != GP_VERDICT_BLOCKED)
            gate.stops += plan->sets[n].stops.count;
    for (size_t n = 0; n < plan->set_count; n++)
        gate_set(&gate, n);
}
