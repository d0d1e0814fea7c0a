#include "explain_object.h"

#include "clock.h"
#include "look.h"
#include "objects.h"
#include "pauses_view.h"
#include "plan_json.h"
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct fact {
    const char *about, *text;
    struct gp_span at; /* the line of the declaration behind it */
};

struct chain {
    struct gp_pass *pass;
    struct gp_arena *mem;
    const char *object;  /* "vm/NAME", "gpu/ID" */
    const char *key;     /* "vm/UUID", "gpu/ID": as the state directory has it */
    const struct gp_vm *vm;   /* one of the two, or neither: it is not there */
    const struct gp_gpu *gpu;
    struct fact *facts;
    size_t count;
};

static void add(struct chain *chain, const char *about, struct gp_span at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void add(struct chain *chain, const char *about, struct gp_span at, const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    *gp_push(chain->mem, chain->facts, chain->count) = (struct fact){about, gp_strdup(chain->mem, text), at};
    free(text);
}

static const struct gp_span nowhere;

/* ---- what is there ---- */

static void add_device(struct chain *chain, const char *about, const struct gp_hostdev *dev)
{
    struct gp_gpu *gpu = NULL;
    struct gp_partition *partition = NULL;
    const char *device = gp_device_text(chain->mem, dev->device), *place = "no device of a GPU that is here";
    const char *whose = dev->ours         ? "ours"
                        : dev->stray_mark ? "marked, but the mark is of another machine, VM or device: not ours"
                                          : "not ours";

    if (gp_have_find(chain->pass->have, dev->device, &gpu, &partition))
        place = partition ? gp_partition_symbol(chain->mem, gpu->id, partition->index)
                          : gp_printf(chain->mem, "the whole of %s", gpu->id);
    add(chain, about, nowhere, "%s: %s, %s", device, place, whose);
}

static void observe_vm(struct chain *chain)
{
    const struct gp_vm *vm = chain->vm;

    add(chain, "observed", nowhere, "%s%s, UUID %s", gp_power_name(vm->power), vm->persistent ? "" : ", transient",
        vm->uuid);
    if (vm->unstoppable)
        add(chain, "observed", nowhere, "it may not be stopped now: it %s", vm->unstoppable);
    for (size_t i = 0; i < vm->live_count; i++)
        add_device(chain, "runs with", &vm->live[i]);
    for (size_t i = 0; i < vm->persistent_count; i++)
        add_device(chain, "defined with", &vm->persistent_devs[i]);
    if (!vm->live_count && !vm->persistent_count)
        add(chain, "observed", nowhere, "it has no device of the host");
    if (vm->mark)
        add(chain, "marked as", nowhere, "%s of pool %s by binding %s%s", vm->mark->partition, vm->mark->pool,
            vm->mark->binding, vm->mark_fits ? "" : ", on another machine or for another VM: the mark counts for nothing");
}

static const char *user_of(const struct chain *chain, const struct gp_partition *partition)
{
    const struct gp_have *have = chain->pass->have;

    for (size_t i = 0; i < have->vm_count; i++) {
        for (size_t j = 0; j < have->vms[i].live_count; j++)
            if (gp_device_eq(have->vms[i].live[j].device, partition->device))
                return have->vms[i].name;
        for (size_t j = 0; j < have->vms[i].persistent_count; j++)
            if (gp_device_eq(have->vms[i].persistent_devs[j].device, partition->device))
                return have->vms[i].name;
    }
    return NULL;
}

static void observe_gpu(struct chain *chain)
{
    const struct gp_gpu *gpu = chain->gpu;

    add(chain, "observed", nowhere, "%s at %s, driver %s, mechanism %s",
        gpu->model  ? gpu->model
        : gpu->name ? gpu->name
                    : "a GPU that no list names",
        gp_pci_text(chain->mem, gpu->address), gpu->driver ? gpu->driver : "none",
        gpu->mechanism ? gpu->mechanism : "none");
    add(chain, "observed", nowhere, "%s%s%s", gp_gpu_status_name(gpu->status), gpu->reason ? ": " : "",
        gpu->reason ? gpu->reason : "");
    add(chain, "observed", nowhere, "%s", gp_gpu_value(chain->mem, gpu));
    if (gpu->held == GP_HELD_YES)
        add(chain, "observed", nowhere, "held as a whole by %s", gpu->holder ? gpu->holder : "somebody");
    for (size_t i = 0; i < gpu->partition_count; i++) {
        const struct gp_partition *p = &gpu->partitions[i];
        const char *vm = p->live ? user_of(chain, p) : NULL;

        if (!p->live && !p->quarantined)
            continue;
        add(chain, "partition", nowhere, "%s: %s%s%s%s%s%s", gp_partition_symbol(chain->mem, gpu->id, p->index),
            vm ? "VM " : "", vm ? vm : "free", p->held == GP_HELD_YES ? ", in use" : "",
            p->held == GP_HELD_YES && p->holder ? " by " : "", p->held == GP_HELD_YES && p->holder ? p->holder : "",
            p->quarantined ? ", quarantined: it failed its check" : "");
    }
}

/* ---- what was applied ---- */

static void add_applied(struct chain *chain)
{
    const struct gp_memory *memory = gp_state_memory(chain->pass->state);
    const struct gp_applied *applied = chain->gpu ? gp_memory_applied_gpu(chain->mem, memory, chain->gpu)
                                                  : gp_memory_applied(memory, chain->key);

    if (applied)
        add(chain, "applied", nowhere, "%s since %s%s%.12s", applied->value, gp_time_text(chain->mem, applied->since_us),
            applied->commit ? " at commit " : "", applied->commit ? applied->commit : "");
    else
        add(chain, "applied", nowhere, "nothing yet");
}

/* ---- what is wanted ---- */

/* Kept, the VM's NUMA node, placement: in this order a place is looked for. */
static const char *why_there(const struct chain *chain, const struct gp_goal_vm *goal)
{
    const struct gp_gpu *gpu = gp_have_gpu(chain->pass->have, goal->gpu);
    const char *assigned = gp_goal_vm_value(chain->mem, chain->pass->goal, chain->pass->have, goal);

    for (size_t i = 0; gpu && i < chain->vm->persistent_count; i++) {
        struct gp_gpu *on = NULL;
        struct gp_partition *partition = NULL;

        if (gp_have_find(chain->pass->have, chain->vm->persistent_devs[i].device, &on, &partition) && on == gpu &&
            (!partition || partition->index == goal->partition))
            return "it has that already, and keeps it";
    }
    if (chain->vm->mark && chain->vm->mark_fits && gp_streq(chain->vm->mark->partition, assigned))
        return "it had that before, and keeps it";
    if (gpu && gpu->numa_node >= 0 && gpu->numa_node < 64 && chain->vm->numa_nodes >> gpu->numa_node & 1)
        return gp_printf(chain->mem, "the GPU is on NUMA node %d, as the VM's memory is", gpu->numa_node);
    return "the first that was free, as the pool's placement has it";
}

/* Whether the host's word keeps it out of what git says; a note says how. */
static bool is_kept_out(const struct chain *chain)
{
    const struct gp_goal *goal = chain->pass->goal;

    for (size_t i = 0; i < goal->finding_count; i++)
        if (gp_streq(goal->findings[i].rule, "GP-E406") && gp_streq(goal->findings[i].object, chain->object))
            return true;
    return false;
}

/* Why nothing is wanted: for the whole host, by the host's word (@kept_out), or since git does not name it (@unnamed). */
static const char *unmanaged_reason(const struct chain *chain, const char *kept_out, const char *unnamed)
{
    const struct gp_goal *goal = chain->pass->goal;

    if (!goal->declared)
        return "this host is not declared";
    if (goal->drained)
        return "this host is drained";
    return is_kept_out(chain) ? kept_out : unnamed;
}

static void want_vm(struct chain *chain)
{
    const struct gp_goal *goal = chain->pass->goal;
    const struct gp_goal_vm *vm = NULL;

    for (size_t i = 0; i < goal->vm_count; i++)
        if (gp_streq(goal->vms[i].uuid, chain->vm->uuid))
            vm = &goal->vms[i];
    if (!vm || !vm->managed) {
        add(chain, "wanted", nowhere, "nothing: %s, so it is left alone",
            unmanaged_reason(chain, "neverTouch of this host names it or its GPU", "no binding names it"));
        return;
    }
    if (vm->binding)
        add(chain, "wanted", vm->cause, "a partition of pool %s, says binding %s%s", vm->pool, vm->binding,
            vm->next_start ? "; from its next start on" : "");
    else
        add(chain, "wanted", vm->cause, "no partition: %s", gp_goal_unbound_reason(goal, vm));
    if (vm->gpu)
        add(chain, "assigned", nowhere, "%s: %s", gp_goal_vm_value(chain->mem, goal, chain->pass->have, vm),
            why_there(chain, vm));
    else if (vm->pending)
        add(chain, "assigned", nowhere, "nothing: the pool has none left for it");
    if (vm->blocked)
        add(chain, "blocked", vm->cause, "%s%s%s", vm->rule ? vm->rule : "", vm->rule ? ": " : "", vm->blocked);
}

static void want_gpu(struct chain *chain)
{
    const struct gp_goal *goal = chain->pass->goal;
    const struct gp_goal_gpu *gpu = NULL;

    for (size_t i = 0; i < goal->gpu_count; i++)
        if (gp_streq(goal->gpus[i].id, chain->gpu->id))
            gpu = &goal->gpus[i];
    if (!gpu || !gpu->managed) {
        add(chain, "wanted", nowhere, "nothing: %s, so it is left alone",
            unmanaged_reason(chain, "neverTouch of this host names it", "no pool claims it"));
        return;
    }
    if (gpu->blocked)
        add(chain, "blocked", gpu->cause, "%s%s%s", gpu->rule ? gpu->rule : "", gpu->rule ? ": " : "", gpu->blocked);
    else
        add(chain, "wanted", gpu->cause, "%s%s%s", gp_layout_value(chain->mem, &gpu->want),
            gpu->pool ? ", says pool " : "", gpu->pool ? gpu->pool->name : "");
}

/* ---- what differs, and what stands in the way ---- */

static void add_differences(struct chain *chain, const char *about, const struct gp_difference *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (gp_streq(all[i].object, chain->object))
            add(chain, about, all[i].cause, "%s: %s -> %s%s%s%s%s%s", all[i].path, all[i].before, all[i].after,
                all[i].rule ? " (" : "", all[i].rule ? all[i].rule : "", all[i].rule ? ")" : "",
                all[i].reason ? ": " : "", all[i].reason ? all[i].reason : "");
}

/* What is wrong with the host as a whole is so for each of its objects. */
static bool is_about(const struct chain *chain, const struct gp_finding *finding)
{
    return gp_streq(finding->object, chain->object) ||
           (finding->level == GP_LEVEL_ERROR && gp_streq(finding->object, "host"));
}

static void add_findings(struct chain *chain)
{
    const struct gp_plan *plan = chain->pass->plan;

    for (size_t i = 0; i < plan->finding_count; i++)
        if (is_about(chain, &plan->findings[i]))
            add(chain, gp_level_name(plan->findings[i].level), plan->findings[i].at, "%s: %s", plan->findings[i].rule,
                plan->findings[i].message);
}

static struct gp_error *add_state(struct chain *chain)
{
    const struct gp_memory *memory = gp_state_memory(chain->pass->state);
    struct gp_condition *conditions = NULL;
    struct gp_pauses_view view = {0};
    size_t count = 0;
    struct gp_error *err = gp_state_conditions(chain->pass->state, chain->mem, &conditions, &count);

    if (!err)
        err = gp_pauses_view(chain->pass, &view);
    if (err)
        return err;
    for (size_t i = 0; i < count; i++)
        if (gp_streq(conditions[i].object, chain->object) || gp_streq(conditions[i].object, "host"))
            add(chain, "condition", nowhere, "%s%s since %s: %s",
                gp_streq(conditions[i].object, "host") ? "the host is " : "", conditions[i].type,
                gp_time_text(chain->mem, conditions[i].since_us), conditions[i].reason);
    for (size_t i = 0; i < memory->owed_count; i++)
        if (chain->vm && gp_streq(memory->owed[i].vm, chain->vm->uuid))
            add(chain, "owed", nowhere, memory->owed[i].stop_requested ? "a start, once it is down: it was asked to stop"
                                                                        : "a start: gpupart stopped it");
    for (size_t i = 0; i < view.pause_count; i++)
        if (gp_streq(view.pauses[i].object, chain->object) || gp_streq(view.pauses[i].object, "host"))
            add(chain, "paused", nowhere, "%s until %s by %s: %s", view.pauses[i].object,
                gp_time_text(chain->mem, view.pauses[i].until_us), view.pauses[i].user, view.pauses[i].reason);
    return NULL;
}

/* ---- what would be done ---- */

static bool concerns(const struct chain *chain, const struct gp_step *step)
{
    if (chain->gpu)
        return gp_streq(step->gpu, chain->gpu->id);
    if (chain->vm && gp_streq(step->vm, chain->vm->uuid))
        return true;
    for (size_t i = 0; chain->vm && i < step->vms.count; i++)
        if (gp_streq(step->vms.items[i], chain->vm->name))
            return true;
    return false;
}

static bool has_member(const struct chain *chain, const struct gp_set *set)
{
    const struct gp_strings *members = chain->gpu ? &set->gpus : &set->vms;
    const char *me = chain->gpu ? chain->gpu->id : chain->vm ? chain->vm->uuid : NULL;

    for (size_t i = 0; me && i < members->count; i++)
        if (gp_streq(members->items[i], me))
            return true;
    return false;
}

static void add_steps(struct chain *chain)
{
    static const char *const verdicts[] = {
        [GP_VERDICT_RUN] = "would be done now",
        [GP_VERDICT_WAITS] = "waits",
        [GP_VERDICT_REPORTS] = "is only reported",
        [GP_VERDICT_BLOCKED] = "is blocked",
    };
    const struct gp_plan *plan = chain->pass->plan;
    bool any = false;

    for (size_t i = 0; i < plan->set_count; i++) {
        const struct gp_set *set = &plan->sets[i];

        if (!has_member(chain, set))
            continue;
        any = true;
        add(chain, "plan", nowhere, "%s: what is to be done around %s %s%s%s%s%s", plan->id, set->id,
            verdicts[set->verdict], set->rule || set->why ? ": " : "", set->rule ? set->rule : "",
            set->rule && set->why ? ": " : "", set->why ? set->why : "");
        for (size_t n = 0; n < plan->step_count; n++) {
            const struct gp_step *step = &plan->steps[n];

            if (step->set == i && concerns(chain, step))
                add(chain, "step", step->cause, "%" PRIu32 ". %s %s: %s -> %s: %s", step->n, gp_step_kind_name(step->kind),
                    gp_step_target(chain->mem, step), step->before ? step->before : "-", step->after ? step->after : "-",
                    step->reason ? step->reason : "");
        }
    }
    if (!any)
        add(chain, "plan", nowhere, "nothing is to be done");
}

/* ---- all of it ---- */

static struct gp_error *find_object(struct chain *chain, const char *what)
{
    struct gp_pass *pass = chain->pass;
    const char *object = what;
    struct gp_error *err = gp_starts_with(what, "gpu/") ? gp_cli_gpu(pass, what + strlen("gpu/"), &object) : NULL;

    if (err)
        return err;
    chain->object = chain->key = object;
    if (gp_starts_with(object, "gpu/")) {
        chain->gpu = gp_have_gpu(pass->have, object + strlen("gpu/"));
        return NULL;
    }
    for (size_t i = 0; i < pass->have->vm_count && !err; i++) {
        struct gp_vm *vm = &pass->have->vms[i];

        if (!gp_streq(vm->name, object + strlen("vm/")))
            continue;
        err = gp_pass_observe_job(pass, vm);
        chain->vm = vm;
        chain->key = gp_printf(chain->mem, "vm/%s", vm->uuid);
    }
    return err;
}

static struct gp_error *collect(struct chain *chain)
{
    const struct gp_pass *pass = chain->pass;
    struct gp_error *err;

    if (chain->vm) {
        observe_vm(chain);
        add_applied(chain);
    } else if (chain->gpu) {
        observe_gpu(chain);
        add_applied(chain);
    } else if (pass->have->vms_unknown) {
        add(chain, "observed", nowhere, "guests cannot be seen: %s", pass->have->vms_reason);
    } else {
        add(chain, "observed", nowhere, "it is not defined on this host");
    }
    if (!pass->goal) {
        add(chain, "wanted", nowhere, "this host follows no declaration that can be read");
        return add_state(chain);
    }
    if (pass->commit)
        add(chain, "declaration", nowhere, "commit %.12s", pass->commit);
    if (chain->vm)
        want_vm(chain);
    else if (chain->gpu)
        want_gpu(chain);
    add_differences(chain, "drift", pass->plan->drift, pass->plan->drift_count);
    add_differences(chain, "change", pass->plan->changes, pass->plan->change_count);
    add_findings(chain);
    err = add_state(chain);
    if (!err && (chain->vm || chain->gpu))
        add_steps(chain);
    return err;
}

static void print_text(const struct chain *chain)
{
    (void)printf("%s\n", chain->object);
    for (size_t i = 0; i < chain->count; i++) {
        const struct fact *fact = &chain->facts[i];
        const bool same = i && gp_streq(chain->facts[i - 1].about, fact->about);

        (void)printf("  %-12s %s", same ? "" : fact->about, fact->text);
        if (fact->at.line)
            (void)printf(" (%s:%u)", fact->at.source->name, fact->at.line);
        (void)putchar('\n');
    }
}

static void print_json(const struct chain *chain)
{
    json_t *facts = json_array();

    for (size_t i = 0; i < chain->count; i++) {
        const struct fact *fact = &chain->facts[i];

        (void)json_array_append_new(
            facts, json_pack("{s:o, s:o, s:o, s:o}", "about", gp_text_json(fact->about), "text", gp_text_json(fact->text),
                             "file", gp_text_json(fact->at.line ? fact->at.source->name : NULL), "line",
                             fact->at.line ? json_integer(fact->at.line) : json_null()));
    }
    gp_json_print(stdout, json_pack("{s:s, s:s, s:o, s:o, s:o}", "formatVersion", "1.0", "kind", "Explanation", "host",
                                    gp_text_json(chain->pass->host_name), "object", gp_text_json(chain->object), "facts",
                                    facts));
}

int gp_explain_object(struct gp_cli *cli, const char *what)
{
    static const int formats[] = {GP_FORMAT_TEXT, GP_FORMAT_JSON, -1};
    const enum gp_format format = gp_cli_format(cli, formats);
    struct gp_pass pass;
    struct chain chain = {.pass = &pass};
    struct gp_error *err;
    int exit = GP_EXIT_OK;

    cli->pass.offline = !cli->pass.git_url;
    err = gp_pass_open(&cli->pass, &pass);
    if (err)
        return gp_cli_fail(err);
    chain.mem = pass.mem;
    err = gp_cli_look(&pass, &exit);
    if (!err)
        err = find_object(&chain, what);
    if (!err)
        err = collect(&chain);
    if (err) {
        exit = gp_cli_fail(err);
    } else {
        if (format == GP_FORMAT_JSON)
            print_json(&chain);
        else
            print_text(&chain);
        if (pass.have->vms_unknown)
            exit = gp_exit_worse(exit, GP_EXIT_INCOMPLETE);
        else if (!chain.vm && !chain.gpu)
            exit = gp_exit_worse(exit, GP_EXIT_FAILURE);
    }
    gp_pass_close(&pass);
    return exit;
}
