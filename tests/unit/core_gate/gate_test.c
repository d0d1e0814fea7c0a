/* gp_gate(): which sets may run now, and the words in which the others are told to wait. */
#include "rows.h"

#include "plan.h"

#include "cleanup.h"
#include "text.h"

#include <string.h>

enum { MON, TUE, WED, THU, FRI, SAT, SUN };

static uint32_t minute_of(int day, int hour, int minute)
{
    return (uint32_t)(day * 24 * 60 + hour * 60 + minute);
}

/* A set of one GPU and one VM, with a step of class @class. */
struct one {
    struct gp_plan plan;
    struct gp_set set;
    struct gp_step steps[2];
    const char *gpus[1], *vms[1], *stops[1];
    struct gp_policy policy;
    struct gp_window windows[2];
    uint32_t window_now[2];
    struct gp_approval approval;
    struct gp_strings paused;
    const char *paused_items[1];
    struct gp_gate_input input;
};

static struct one *one_new(struct gp_arena *mem, enum gp_class class, bool change, bool drift)
{
    struct one *one = gp_new(mem, struct one);

    one->gpus[0] = "slot3";
    one->vms[0] = "7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10";
    one->stops[0] = "vdi-1";
    one->set = (struct gp_set){
        .id = "slot3",
        .gpus = {one->gpus, 1},
        .vms = {one->vms, 1},
        .class = class,
        .change = change,
        .drift = drift,
        .gpus_changed = 1,
    };
    if (class >= GP_CLASS_VM)
        one->set.stops = (struct gp_strings){one->stops, 1};
    one->steps[0] = (struct gp_step){.kind = GP_STEP_SET_VF_COUNT, .class = GP_CLASS_NONE, .gpu = "slot3"};
    one->steps[1] = (struct gp_step){
        .kind = GP_STEP_STOP_VM, .class = class, .vm = one->vms[0], .vm_name = "vdi-1"};
    one->plan = (struct gp_plan){
        .id = "9f31c2a4b7de", .steps = one->steps, .step_count = 2, .sets = &one->set, .set_count = 1};
    one->policy.max_vms_stopped = one->policy.max_gpus_changed = UINT32_MAX;
    for (int n = 0; n < GP_CLASS_COUNT; n++)
        one->policy.on_commit[n] = one->policy.on_drift[n] = GP_ALLOW_AUTO;
    one->policy.windows = one->windows;
    one->input = (struct gp_gate_input){
        .policy = &one->policy, .now_us = 0, .window_now = one->window_now, .paused = &one->paused};
    return one;
}

static void expect(const struct gp_set *set, enum gp_verdict verdict, const char *rule, const char *why)
{
    cr_assert(eq(int, set->verdict, verdict), "%s", set->why ? set->why : "");
    cr_assert(gp_streq(set->rule, rule), "%s", set->rule ? set->rule : "NULL");
    cr_assert(gp_streq(set->why, why), "%s", set->why ? set->why : "NULL");
}

/* ---- laws ---- */

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1dULL >> 16;
}

/* Sets of all kinds, under a policy of all kinds. */
static struct gp_plan *random_plan(struct gp_arena *mem, uint64_t *state)
{
    struct gp_plan *plan = gp_new(mem, struct gp_plan);

    plan->id = "9f31c2a4b7de";
    for (uint32_t n = 1 + (uint32_t)(next(state) % 6), s = 0; s < n; s++) {
        struct gp_set *set = gp_push(mem, plan->sets, plan->set_count);

        set->id = gp_printf(mem, "slot%u", (unsigned)s);
        set->class = (enum gp_class)(next(state) % GP_CLASS_COUNT);
        set->change = next(state) % 2;
        set->drift = next(state) % 2;
        set->gpus_changed = (uint32_t)(next(state) % 3);
        set->duration_ms = next(state) % (4 * 3600 * 1000);
        set->verdict = next(state) % 8 ? GP_VERDICT_RUN : GP_VERDICT_BLOCKED;
        *gp_push(mem, set->gpus.items, set->gpus.count) = set->id;
        for (uint64_t stops = set->class ? 1 + next(state) % 4 : 0; stops > 0; stops--)
            *gp_push(mem, set->stops.items, set->stops.count) =
                gp_printf(mem, "vm-%u-%u", (unsigned)s, (unsigned)stops);
        for (int class = GP_CLASS_NONE; class <= (int)set->class; class++) {
            struct gp_step *step = gp_push(mem, plan->steps, plan->step_count);

            step->set = s;
            step->class = (enum gp_class)class;
            step->kind = GP_STEP_SET_VF_COUNT;
        }
    }
    return plan;
}

static struct gp_gate_input *random_input(struct gp_arena *mem, uint64_t *state)
{
    struct gp_gate_input *input = gp_new(mem, struct gp_gate_input);
    struct gp_policy *policy = gp_new(mem, struct gp_policy);
    struct gp_window *window = gp_push(mem, policy->windows, policy->window_count);
    uint32_t *now = gp_new_array(mem, uint32_t, 1);
    struct gp_strings *paused = gp_new(mem, struct gp_strings);

    for (int n = 0; n < GP_CLASS_COUNT; n++) {
        policy->on_commit[n] = (enum gp_allow)(next(state) % GP_ALLOW_COUNT);
        policy->on_drift[n] = (enum gp_allow)(next(state) % GP_ALLOW_COUNT);
    }
    policy->max_vms_stopped = next(state) % 2 ? UINT32_MAX : (uint32_t)(next(state) % 6);
    policy->max_gpus_changed = next(state) % 2 ? UINT32_MAX : (uint32_t)(next(state) % 4);
    *window = (struct gp_window){.days = (uint8_t)(next(state) % 128),
                                 .start = (uint16_t)(next(state) % 1440),
                                 .end = (uint16_t)(next(state) % 1440)};
    *now = (uint32_t)(next(state) % (7 * 24 * 60));
    if (next(state) % 4 == 0)
        *gp_push(mem, paused->items, paused->count) = "gpu/slot0";
    input->policy = policy;
    input->window_now = now;
    input->now_us = next(state) % 60000000;
    input->paused = paused;
    if (next(state) % 2) {
        struct gp_approval *approval = gp_new(mem, struct gp_approval);

        *approval = (struct gp_approval){"9f31c2a4b7de", next(state) % 60000000};
        input->approvals = approval;
        input->approval_count = 1;
    }
    return input;
}

/* Minute by minute, knowing nothing of intervals. */
static bool in_window(const struct gp_window *window, uint32_t minute)
{
    uint32_t day = minute / 1440 % 7, of_day = minute % 1440, yesterday = (day + 6) % 7;

    if (window->end > window->start)
        return (window->days >> day & 1) && of_day >= window->start && of_day < window->end;
    return ((window->days >> day & 1) && of_day >= window->start) ||
           ((window->days >> yesterday & 1) && of_day < window->end);
}

static bool fits_window(const struct gp_gate_input *input, const struct gp_set *set)
{
    uint64_t begin_ms = input->now_us / 1000 % 60000, end_ms = begin_ms + set->duration_ms;

    for (uint64_t at = 0; at == 0 || at * 60000 < end_ms; at++)
        if (!in_window(&input->policy->windows[0], input->window_now[0] + (uint32_t)at))
            return false;
    return true;
}

static enum gp_allow allow_of(const struct gp_policy *policy, const struct gp_set *set)
{
    enum gp_allow allow = GP_ALLOW_AUTO;

    for (int class = GP_CLASS_NONE; class <= (int)set->class; class++) {
        if (set->change && policy->on_commit[class] < allow)
            allow = policy->on_commit[class];
        if ((set->drift || !set->change) && policy->on_drift[class] < allow)
            allow = policy->on_drift[class];
    }
    return allow;
}

static bool is_paused(const struct gp_gate_input *input, const struct gp_set *set)
{
    return input->paused->count && gp_streq(set->id, "slot0");
}

static bool may_run(const struct gp_gate_input *input, const struct gp_set *set)
{
    switch (allow_of(input->policy, set)) {
    case GP_ALLOW_AUTO:
        return true;
    case GP_ALLOW_WINDOW:
        return fits_window(input, set);
    case GP_ALLOW_APPROVE:
        return input->approval_count && input->approvals[0].until_us > input->now_us;
    default:
        return false;
    }
}

Test(gate_laws, what_runs_is_allowed_and_what_is_allowed_runs)
{
    size_t ran = 0, waited = 0, reported = 0, budgeted = 0, in_windows = 0;
    uint64_t state = 1;

    for (int round = 0; round < 20000; round++) {
        gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
        struct gp_plan *plan = random_plan(mem, &state);
        struct gp_gate_input *input = random_input(mem, &state);
        uint32_t vms = 0, gpus = 0;

        gp_gate(mem, input, plan);
        for (size_t s = 0; s < plan->set_count; s++) {
            const struct gp_set *set = &plan->sets[s];
            bool allowed = !is_paused(input, set) && may_run(input, set);

            if (set->verdict == GP_VERDICT_BLOCKED)
                continue;
            cr_assert(eq(int, set->verdict == GP_VERDICT_RUN, set->rule == NULL && set->why == NULL));
            if (set->verdict == GP_VERDICT_REPORTS) {
                cr_assert(le(int, allow_of(input->policy, set), GP_ALLOW_REPORT), "round %d", round);
                reported++;
                continue;
            }
            if (gp_streq(set->rule, "GP-E501")) {
                cr_assert(allowed, "round %d", round);
                cr_assert(vms + set->stops.count > input->policy->max_vms_stopped ||
                              gpus + set->gpus_changed > input->policy->max_gpus_changed,
                          "round %d", round);
                budgeted++;
                continue;
            }
            cr_assert(eq(int, set->verdict == GP_VERDICT_RUN, allowed), "round %d, set %d: %s", round,
                      (int)s, set->why ? set->why : "runs");
            waited += set->verdict == GP_VERDICT_WAITS;
            if (set->verdict != GP_VERDICT_RUN)
                continue;
            ran++;
            in_windows += allow_of(input->policy, set) == GP_ALLOW_WINDOW;
            vms += (uint32_t)set->stops.count;
            gpus += set->gpus_changed;
        }
        cr_assert(le(u32, vms, input->policy->max_vms_stopped), "round %d", round);
        cr_assert(le(u32, gpus, input->policy->max_gpus_changed), "round %d", round);
    }
    /* A law about nothing holds always. */
    cr_assert(gt(sz, ran, 1000));
    cr_assert(gt(sz, waited, 1000));
    cr_assert(gt(sz, reported, 1000));
    cr_assert(gt(sz, budgeted, 500));
    cr_assert(gt(sz, in_windows, 200));
}

/* ---- policy ---- */

static const struct {
    enum gp_allow on_commit, on_drift;
    bool change, drift;
    enum gp_verdict verdict;
    const char *rule, *why;
} policies[] = {
    {GP_ALLOW_AUTO, GP_ALLOW_REPORT, true, false, GP_VERDICT_RUN, NULL, NULL},
    {GP_ALLOW_AUTO, GP_ALLOW_REPORT, false, true, GP_VERDICT_REPORTS, "GP-D801",
     "onDrift.gpu says report"},
    {GP_ALLOW_AUTO, GP_ALLOW_REPORT, true, true, GP_VERDICT_REPORTS, "GP-D801",
     "onDrift.gpu says report"},
    {GP_ALLOW_REPORT, GP_ALLOW_AUTO, true, false, GP_VERDICT_REPORTS, "GP-E503",
     "onCommit.gpu says report"},
    {GP_ALLOW_APPROVE, GP_ALLOW_AUTO, true, true, GP_VERDICT_WAITS, "GP-E503",
     "onCommit.gpu asks for approval: gpupart approve 9f31c2a4b7de --for 1h --reason WHY"},
    {GP_ALLOW_WINDOW, GP_ALLOW_AUTO, true, false, GP_VERDICT_WAITS, "GP-E502",
     "onCommit.gpu waits for a window: there is none"},
    {GP_ALLOW_AUTO, GP_ALLOW_UNSET, false, false, GP_VERDICT_REPORTS, "GP-E503",
     "onDrift.gpu says report"},
};

GP_ROWS(gate, policy, policies)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_GPU, policies[*i].change, policies[*i].drift);
    struct gp_difference drift = {.key = "gpu/slot3", .rule = "GP-D801"};

    one->policy.on_commit[GP_CLASS_GPU] = policies[*i].on_commit;
    one->policy.on_drift[GP_CLASS_GPU] = policies[*i].on_drift;
    one->plan.drift = &drift;
    one->plan.drift_count = policies[*i].drift;
    gp_gate(mem, &one->input, &one->plan);
    expect(&one->set, policies[*i].verdict, policies[*i].rule, policies[*i].why);
}

Test(gate, every_class_in_the_set_counts)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_GPU, true, false);

    one->policy.on_commit[GP_CLASS_NONE] = GP_ALLOW_APPROVE;
    gp_gate(mem, &one->input, &one->plan);
    expect(&one->set, GP_VERDICT_WAITS, "GP-E503",
           "onCommit.none asks for approval: gpupart approve 9f31c2a4b7de --for 1h --reason WHY");
}

Test(gate, what_is_blocked_stays_blocked)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_NONE, true, false);

    one->set.verdict = GP_VERDICT_BLOCKED;
    one->set.rule = "GP-E507";
    one->set.why = "a backup is running";
    gp_gate(mem, &one->input, &one->plan);
    expect(&one->set, GP_VERDICT_BLOCKED, "GP-E507", "a backup is running");
}

/* ---- approvals ---- */

static const struct {
    const char *id;
    uint64_t until_us;
    enum gp_verdict verdict;
} approvals[] = {
    {"9f31c2a4b7de", 101, GP_VERDICT_RUN},
    {"9f31c2a4b7de", 100, GP_VERDICT_WAITS},
    {"slot3", 101, GP_VERDICT_RUN},
    {"slot4", 101, GP_VERDICT_WAITS},
};

GP_ROWS(gate, approval, approvals)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_GPU, true, false);

    one->policy.on_commit[GP_CLASS_GPU] = GP_ALLOW_APPROVE;
    one->approval = (struct gp_approval){approvals[*i].id, approvals[*i].until_us};
    one->input.approvals = &one->approval;
    one->input.approval_count = 1;
    one->input.now_us = 100;
    gp_gate(mem, &one->input, &one->plan);
    cr_assert(eq(int, one->set.verdict, approvals[*i].verdict));
}

/* It is for what asks for one: it opens no window, and what is only reported it does not let happen. */
static const struct {
    enum gp_allow allow;
    enum gp_verdict verdict;
    const char *rule, *why;
} not_asking[] = {
    {GP_ALLOW_WINDOW, GP_VERDICT_WAITS, "GP-E502", "onCommit.gpu waits for a window: there is none"},
    {GP_ALLOW_REPORT, GP_VERDICT_REPORTS, "GP-E503", "onCommit.gpu says report"},
    {GP_ALLOW_UNSET, GP_VERDICT_REPORTS, "GP-E503", "onCommit.gpu says report"},
};

GP_ROWS(gate, approval_is_for_what_asks_for_one, not_asking)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_GPU, true, false);

    one->policy.on_commit[GP_CLASS_GPU] = not_asking[*i].allow;
    one->approval = (struct gp_approval){one->plan.id, UINT64_MAX};
    one->input.approvals = &one->approval;
    one->input.approval_count = 1;
    gp_gate(mem, &one->input, &one->plan);
    expect(&one->set, not_asking[*i].verdict, not_asking[*i].rule, not_asking[*i].why);
}

/* ---- windows: Tuesday and Thursday 22:00 to 04:00 ---- */

static const struct {
    int day, hour, minute;
    uint64_t duration_ms, now_us;
    enum gp_verdict verdict;
    const char *why;
} windows[] = {
    {TUE, 22, 0, 3600000, 0, GP_VERDICT_RUN, NULL},
    {TUE, 21, 59, 0, 0, GP_VERDICT_WAITS,
     "onCommit.gpu waits for a window: opens in 1 min (Tue 22:00 Europe/Berlin)"},
    {WED, 3, 0, 3600000, 0, GP_VERDICT_RUN, NULL},
    {WED, 3, 0, 3600000, 1000, GP_VERDICT_WAITS,
     "onCommit.gpu waits for a window: it may take 1 h 0 min and the present one closes in 1 h 0 min; the next "
     "opens in 1 d 19 h (Thu 22:00 Europe/Berlin)"},
    {WED, 3, 30, 3600000, 0, GP_VERDICT_WAITS,
     "onCommit.gpu waits for a window: it may take 1 h 0 min and the present one closes in 30 min; the next opens "
     "in 1 d 18 h (Thu 22:00 Europe/Berlin)"},
    {WED, 4, 0, 0, 0, GP_VERDICT_WAITS,
     "onCommit.gpu waits for a window: opens in 1 d 18 h (Thu 22:00 Europe/Berlin)"},
    {SUN, 23, 0, 0, 0, GP_VERDICT_WAITS,
     "onCommit.gpu waits for a window: opens in 1 d 23 h (Tue 22:00 Europe/Berlin)"},
    {TUE, 23, 0, 7 * 3600000, 0, GP_VERDICT_WAITS,
     "onCommit.gpu waits for a window: none is as long as the 7 h 0 min that it may take"},
};

GP_ROWS(gate, window, windows)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_GPU, true, false);

    one->policy.on_commit[GP_CLASS_GPU] = GP_ALLOW_WINDOW;
    one->windows[0] = (struct gp_window){.days = 1 << TUE | 1 << THU,
                                         .start = 22 * 60,
                                         .end = 4 * 60,
                                         .timezone = "Europe/Berlin"};
    one->policy.window_count = 1;
    one->window_now[0] = minute_of(windows[*i].day, windows[*i].hour, windows[*i].minute);
    one->input.now_us = windows[*i].now_us * 1000;
    one->set.duration_ms = windows[*i].duration_ms;
    gp_gate(mem, &one->input, &one->plan);
    expect(&one->set, windows[*i].verdict, windows[*i].why ? "GP-E502" : NULL, windows[*i].why);
}

/* Twelve guests of the host are asked at a time, whichever sets they are of; who does not run takes nobody's turn. */
static const struct {
    size_t others;
    enum gp_verdict verdict; /* of the other set, before the gate */
    uint64_t waiting_ms;
} turns[] = {
    {0, GP_VERDICT_RUN, 0},
    {11, GP_VERDICT_RUN, 0},
    {12, GP_VERDICT_RUN, GP_STOP_TURN_MS},
    {36, GP_VERDICT_RUN, 3 * GP_STOP_TURN_MS},
    {36, GP_VERDICT_BLOCKED, 0},
};

GP_ROWS(gate, a_window_has_room_for_the_turns_of_all_sets, turns)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_GPU, true, false);
    struct gp_set sets[2] = {{0}};

    one->policy.on_commit[GP_CLASS_GPU] = GP_ALLOW_WINDOW;
    one->windows[0] = (struct gp_window){.days = 1 << MON, .start = 60, .end = 120};
    one->policy.window_count = 1;
    one->window_now[0] = minute_of(MON, 1, 0);
    one->input.now_us = 0;
    sets[0] = one->set;
    sets[1] = (struct gp_set){.id = "other", .verdict = turns[*i].verdict};
    for (size_t n = 0; n < turns[*i].others; n++)
        *gp_push(mem, sets[1].stops.items, sets[1].stops.count) = "guest";
    one->plan.sets = sets;
    one->plan.set_count = 2;
    sets[0].duration_ms = 3600000 - turns[*i].waiting_ms;
    gp_gate(mem, &one->input, &one->plan);
    cr_expect(eq(int, sets[0].verdict, GP_VERDICT_RUN), "%zu others", turns[*i].others);
    sets[0].duration_ms++;
    gp_gate(mem, &one->input, &one->plan);
    cr_expect(eq(int, sets[0].verdict, GP_VERDICT_WAITS), "%zu others", turns[*i].others);
}

/* Where the edge does not know a window's time zone, it is no time of any day. */
static const struct {
    size_t count;
    uint32_t first, second;
    enum gp_verdict verdict;
    const char *rule, *why;
} closed[] = {
    {1, GP_WINDOW_CLOSED, 0, GP_VERDICT_WAITS, "GP-E502",
     "onCommit.gpu waits for a window: none can open; one counts as closed, since its time zone 'Europe/Berln' is not known here"},
    {2, GP_WINDOW_CLOSED, 21 * 60 + 59, GP_VERDICT_WAITS, "GP-E502",
     "onCommit.gpu waits for a window: opens in 1 min (Mon 22:00 UTC); one counts as closed, since its time zone "
     "'Europe/Berln' is not known here"},
    {2, GP_WINDOW_CLOSED, 22 * 60, GP_VERDICT_RUN, NULL, NULL},
};

GP_ROWS(gate, window_of_an_unknown_zone_is_closed, closed)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_GPU, true, false);

    one->policy.on_commit[GP_CLASS_GPU] = GP_ALLOW_WINDOW;
    one->windows[0] = (struct gp_window){.days = 0x7f, .start = 0, .end = 0, .timezone = "Europe/Berln"};
    one->windows[1] = (struct gp_window){.days = 1 << MON, .start = 22 * 60, .end = 23 * 60, .timezone = "UTC"};
    one->policy.window_count = closed[*i].count;
    one->window_now[0] = closed[*i].first;
    one->window_now[1] = closed[*i].second;
    gp_gate(mem, &one->input, &one->plan);
    expect(&one->set, closed[*i].verdict, closed[*i].rule, closed[*i].why);
}

Test(gate, windows_that_touch_are_one_whatever_their_time_zones)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_GPU, true, false);

    one->policy.on_commit[GP_CLASS_GPU] = GP_ALLOW_WINDOW;
    /* Sunday 22:00 to midnight here; where it is an hour later, Monday 01:00 to 03:00. */
    one->windows[0] = (struct gp_window){.days = 1 << SUN, .start = 22 * 60, .end = 0};
    one->windows[1] = (struct gp_window){.days = 1 << MON, .start = 60, .end = 180};
    one->policy.window_count = 2;
    one->window_now[0] = minute_of(SUN, 23, 0);
    one->window_now[1] = minute_of(MON, 0, 0);
    one->set.duration_ms = 3 * 3600000;
    gp_gate(mem, &one->input, &one->plan);
    expect(&one->set, GP_VERDICT_RUN, NULL, NULL);
    one->set.duration_ms++;
    gp_gate(mem, &one->input, &one->plan);
    cr_assert(eq(int, one->set.verdict, GP_VERDICT_WAITS));
}

/* ---- pauses ---- */

/* What a person is told to run is one command, whatever a guest is called. */
Test(gate, a_paused_name_is_one_word_for_the_shell)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_VM, true, false);

    one->stops[0] = one->steps[1].vm_name = "Bo's PC; reboot";
    one->paused_items[0] = "vm/Bo's PC; reboot";
    one->paused = (struct gp_strings){one->paused_items, 1};
    gp_gate(mem, &one->input, &one->plan);
    expect(&one->set, GP_VERDICT_WAITS, "GP-E503",
           "paused: vm/Bo's PC; reboot; gpupart resume 'vm/Bo'\\''s PC; reboot'");
}

static const struct {
    const char *paused;
    enum gp_verdict verdict;
    const char *why;
} pauses[] = {
    {"host", GP_VERDICT_WAITS, "paused: host; gpupart resume host"},
    {"gpu/slot3", GP_VERDICT_WAITS, "paused: gpu/slot3; gpupart resume gpu/slot3"},
    {"vm/vdi-1", GP_VERDICT_WAITS, "paused: vm/vdi-1; gpupart resume vm/vdi-1"},
    {"gpu/slot4", GP_VERDICT_RUN, NULL},
    {"vm/vdi-2", GP_VERDICT_RUN, NULL},
};

GP_ROWS(gate, pause, pauses)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_NONE, true, false);

    one->paused_items[0] = pauses[*i].paused;
    one->paused = (struct gp_strings){one->paused_items, 1};
    gp_gate(mem, &one->input, &one->plan);
    expect(&one->set, pauses[*i].verdict, pauses[*i].why ? "GP-E503" : NULL, pauses[*i].why);
}

/* The GPU has its layout already, and so is none of the set's; whose its partition is changes. */
Test(gate, nobody_gets_a_partition_of_a_paused_gpu)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_VM, true, false);

    one->paused_items[0] = "gpu/slot3";
    one->paused = (struct gp_strings){one->paused_items, 1};
    one->set.gpus_changed = 0;
    one->set.uses = one->set.gpus;
    one->set.gpus = (struct gp_strings){0};
    one->steps[0] = (struct gp_step){.kind = GP_STEP_START_VM, .vm = one->vms[0], .vm_name = "vdi-1"};
    gp_gate(mem, &one->input, &one->plan);
    expect(&one->set, GP_VERDICT_WAITS, "GP-E503", "paused: gpu/slot3; gpupart resume gpu/slot3");
    one->gpus[0] = "slot4";
    gp_gate(mem, &one->input, &one->plan);
    expect(&one->set, GP_VERDICT_RUN, NULL, NULL);
}

Test(gate, an_owed_start_waits_for_nothing)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_NONE, false, true);

    one->paused_items[0] = "host";
    one->paused = (struct gp_strings){one->paused_items, 1};
    one->policy.on_drift[GP_CLASS_NONE] = GP_ALLOW_REPORT;
    one->steps[1].kind = GP_STEP_START_VM;
    one->plan.steps = &one->steps[1];
    one->plan.step_count = 1;
    gp_gate(mem, &one->input, &one->plan);
    expect(&one->set, GP_VERDICT_RUN, NULL, NULL);
}

/* ---- budgets ---- */

static const struct {
    uint32_t vms, gpus;
    bool dry;
    const char *first, *rule, *second; /* why */
} budgets[] = {
    {UINT32_MAX, UINT32_MAX, false, NULL, NULL, NULL},
    {2, 2, false, NULL, NULL, NULL},
    {1, 2, false, NULL, "GP-E501", "it stops 1 VMs; maxVmsStopped is 1, of which 0 are left"},
    {2, 1, false, NULL, "GP-E501", "it changes 1 GPUs; maxGpusChanged is 1, of which 0 are left"},
    {0, 2, false, "it stops 1 VMs; maxVmsStopped is 0, of which 0 are left", "GP-E501",
     "it stops 1 VMs; maxVmsStopped is 0, of which 0 are left"},
    {1, 2, true, NULL, NULL, NULL},
};

GP_ROWS(gate, budget, budgets)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct one *one = one_new(mem, GP_CLASS_GPU, true, false);
    struct gp_set sets[2] = {one->set, one->set};

    sets[1].id = "slot4";
    one->plan.sets = sets;
    one->plan.set_count = 2;
    one->policy.max_vms_stopped = budgets[*i].vms;
    one->policy.max_gpus_changed = budgets[*i].gpus;
    one->input.dry = budgets[*i].dry;
    gp_gate(mem, &one->input, &one->plan);
    cr_assert(gp_streq(sets[0].why, budgets[*i].first), "%s", sets[0].why ? sets[0].why : "NULL");
    cr_assert(gp_streq(sets[1].why, budgets[*i].second), "%s", sets[1].why ? sets[1].why : "NULL");
    cr_assert(gp_streq(sets[1].rule, budgets[*i].rule), "%s", sets[1].rule ? sets[1].rule : "NULL");
}
