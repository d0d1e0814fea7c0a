/* status: every object of this host, how it is, since when, and why it is not as wanted. */
#include "clock.h"
#include "command.h"

#include "look.h"
#include "pauses_view.h"
#include "plan_json.h"
#include "plan_text.h"
#include "text.h"

#include <string.h>

static const char *only; /* "vm/NAME", "gpu/ID" or an address; NULL: all */
static bool exit_code;

enum { KEY_EXIT_CODE = 2000 };

static const struct argp_option options[] = {
    {"exit-code", KEY_EXIT_CODE, NULL, 0, "exit with 2 if anything differs or waits", 0},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    switch (key) {
    case KEY_EXIT_CODE:
        exit_code = true;
        return 0;
    case ARGP_KEY_ARG:
        if (only || (!gp_starts_with(value, "vm/") && !gp_starts_with(value, "gpu/")))
            argp_error(state, "status takes one vm/NAME or gpu/ADDRESS, not '%s'", value);
        only = value;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct row {
    const char *object, *is, *wanted, *applied, *commit, *state, *reason;
    uint64_t since_us;
};

struct view {
    struct gp_pass *pass;
    struct gp_condition *conditions;
    size_t condition_count;
    struct gp_pauses_view pauses;
    struct row *rows;
    size_t row_count;
};

/* What the state directory remembers of the last pass goes before what is seen now: it knows since when. @applied: NULL where
 * nothing was, and of what is not managed any more, since nobody keeps it so. @blocked: why the object cannot be as it is
 * declared, as seen now; or NULL. */
static void conclude(struct view *view, struct row *row, const struct gp_applied *applied, const char *blocked)
{
    row->applied = applied ? applied->value : NULL;
    row->commit = applied ? applied->commit : NULL;
    row->since_us = applied ? applied->since_us : 0;
    if (applied && !gp_streq(row->is, row->applied)) {
        row->state = "Drifted";
        row->reason = gp_printf(view->pass->mem, "was applied as %s", row->applied);
    } else if (blocked) {
        row->state = "Blocked";
        row->reason = blocked;
    } else if (row->wanted && !gp_streq(row->is, row->wanted)) {
        row->state = "ToDo";
        row->reason = gp_printf(view->pass->mem, "git wants %s", row->wanted);
    } else {
        row->state = applied ? "Applied" : row->wanted ? "AsWanted" : "NotManaged";
    }
    for (size_t i = 0; i < view->condition_count; i++)
        if (gp_streq(view->conditions[i].object, row->object)) {
            row->state = view->conditions[i].type;
            row->reason = view->conditions[i].reason;
            row->since_us = view->conditions[i].since_us;
        }
}

static bool shown(const char *object, const char *address)
{
    return !only || gp_streq(only, object) || (address && gp_starts_with(only, "gpu/") && gp_streq(only + 4, address));
}

static const char *why_blocked(struct gp_arena *mem, const char *rule, const char *blocked)
{
    return blocked && rule ? gp_printf(mem, "%s: %s", rule, blocked) : blocked;
}

static struct row gpu_row(struct view *view, const struct gp_gpu *gpu)
{
    const struct gp_pass *pass = view->pass;
    struct gp_arena *mem = pass->mem;
    const struct gp_applied *applied = gp_memory_applied_gpu(mem, gp_state_memory(pass->state), gpu);
    struct row row = {.object = gp_printf(mem, "gpu/%s", gpu->id), .is = gp_gpu_value(mem, gpu)};
    const char *blocked = NULL;

    for (size_t i = 0; pass->goal && i < pass->goal->gpu_count; i++) {
        const struct gp_goal_gpu *goal = &pass->goal->gpus[i];

        if (!gp_streq(goal->id, gpu->id))
            continue;
        if (goal->managed) {
            row.wanted = gp_layout_value(mem, &goal->want);
            blocked = why_blocked(mem, goal->rule, goal->blocked);
        } else {
            applied = NULL;
        }
    }
    conclude(view, &row, applied, blocked);
    return row;
}

static struct row vm_row(struct view *view, const struct gp_vm *vm)
{
    const struct gp_pass *pass = view->pass;
    struct gp_arena *mem = pass->mem;
    const struct gp_applied *applied =
        gp_memory_applied(gp_state_memory(pass->state), gp_printf(mem, "vm/%s", vm->uuid));
    struct row row = {.object = gp_printf(mem, "vm/%s", vm->name), .is = gp_vm_value(mem, pass->have, vm)};
    const char *blocked = NULL;

    for (size_t i = 0; pass->goal && i < pass->goal->vm_count; i++) {
        const struct gp_goal_vm *goal = &pass->goal->vms[i];

        if (!gp_streq(goal->uuid, vm->uuid))
            continue;
        if (goal->managed) {
            row.wanted = gp_goal_vm_value(mem, pass->goal, pass->have, goal);
            blocked = goal->pending ? "GP-W306: no partition is free for it" : why_blocked(mem, goal->rule, goal->blocked);
        } else {
            applied = NULL;
        }
    }
    conclude(view, &row, applied, blocked);
    return row;
}

static void collect(struct view *view)
{
    const struct gp_pass *pass = view->pass;
    const struct gp_have *have = pass->have;

    for (size_t i = 0; i < have->gpu_count; i++) {
        const struct row row = gpu_row(view, &have->gpus[i]);

        if (shown(row.object, gp_pci_text(pass->mem, have->gpus[i].address)))
            *gp_push(pass->mem, view->rows, view->row_count) = row;
    }
    for (size_t i = 0; i < have->vm_count; i++) {
        const struct row row = vm_row(view, &have->vms[i]);

        if (shown(row.object, NULL))
            *gp_push(pass->mem, view->rows, view->row_count) = row;
    }
}

static json_t *row_json(struct gp_arena *mem, const struct row *row)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "object", gp_text_json(row->object), "observed",
                     gp_text_json(row->is), "wanted", gp_text_json(row->wanted), "applied", gp_text_json(row->applied),
                     "commit", gp_text_json(row->commit), "condition", gp_text_json(row->state), "reason",
                     gp_text_json(row->reason), "since",
                     gp_text_json(row->since_us ? gp_time_text(mem, row->since_us) : NULL));
}

static void print_json(struct view *view)
{
    struct gp_pass *pass = view->pass;
    json_t *objects = json_array(), *conditions = json_array();

    for (size_t i = 0; i < view->row_count; i++)
        (void)json_array_append_new(objects, row_json(pass->mem, &view->rows[i]));
    for (size_t i = 0; i < view->condition_count; i++)
        (void)json_array_append_new(
            conditions,
            json_pack("{s:o, s:o, s:o, s:o}", "object", gp_text_json(view->conditions[i].object), "type",
                      gp_text_json(view->conditions[i].type), "reason", gp_text_json(view->conditions[i].reason), "since",
                      gp_text_json(gp_time_text(pass->mem, view->conditions[i].since_us))));
    gp_json_print(stdout, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "formatVersion", "1.0", "kind", "Status", "host",
                                    gp_text_json(pass->host_name), "cluster",
                                    gp_text_json(pass->goal ? pass->goal->cluster : NULL), "commit",
                                    gp_text_json(gp_state_verified(pass->state)), "objects", objects, "conditions",
                                    conditions, "pauses",
                                    gp_pauses_json(pass->mem, view->pauses.pauses, view->pauses.pause_count), "approvals",
                                    gp_pauses_json(pass->mem, view->pauses.approvals, view->pauses.approval_count)));
}

static void print_text(struct view *view)
{
    struct gp_pass *pass = view->pass;
    const char *commit = gp_state_verified(pass->state);

    (void)printf("host %s, cluster %s, commit %s\n", pass->host_name,
                 pass->goal && pass->goal->cluster ? pass->goal->cluster : "none",
                 commit                              ? gp_strndup(pass->mem, commit, 12)
                 : gp_state_verified_lost(pass->state) ? "not known"
                                                       : "none verified");
    gp_pauses_print(pass->mem, &view->pauses);
    for (size_t i = 0; i < view->condition_count; i++)
        if (gp_streq(view->conditions[i].object, "host"))
            (void)printf("host is %s since %s: %s\n", view->conditions[i].type,
                         gp_time_text(pass->mem, view->conditions[i].since_us), view->conditions[i].reason);
    for (size_t i = 0; i < view->row_count; i++) {
        const struct row *row = &view->rows[i];

        (void)printf("%-24s  %-28s  %s", row->object, row->is, row->state);
        if (row->since_us)
            (void)printf(" since %s", gp_time_text(pass->mem, row->since_us));
        if (row->commit)
            (void)printf(" at %.7s", row->commit);
        if (row->reason && *row->reason)
            (void)printf(": %s", row->reason);
        (void)putchar('\n');
    }
}

static bool named(const struct gp_difference *differences, size_t count, const char *object)
{
    for (size_t i = 0; i < count; i++)
        if (gp_streq(differences[i].object, object))
            return true;
    return false;
}

/* A VM that is off and gets its partition when it starts is in good order, and so is what nobody manages. */
static bool row_differs(const struct gp_plan *plan, const struct row *row)
{
    static const char *const good[] = {"Applied", "AsWanted", "NotManaged", "PendingStart"};

    if (plan && (named(plan->changes, plan->change_count, row->object) || named(plan->drift, plan->drift_count, row->object)))
        return true;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (gp_streq(row->state, good[i]))
            return false;
    return true;
}

/* Whether anything that was asked about differs or waits: one object, or the host with all that is on it. */
static bool differs(const struct view *view)
{
    const struct gp_plan *plan = view->pass->plan;

    for (size_t i = 0; i < view->row_count; i++)
        if (row_differs(plan, &view->rows[i]))
            return true;
    if (only)
        return false;
    for (size_t i = 0; i < view->condition_count; i++)
        if (gp_streq(view->conditions[i].object, "host"))
            return true;
    return plan && (plan->step_count || plan->drift_count || plan->change_count);
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, GP_FORMAT_JSON, -1};
    const enum gp_format format = gp_cli_format(cli, formats);
    struct gp_pass pass;
    struct view view = {.pass = &pass};
    struct gp_error *err;
    int exit;

    cli->pass.offline = !cli->pass.git_url;
    err = gp_pass_open(&cli->pass, &pass);
    if (err)
        return gp_cli_fail(err);
    err = gp_cli_look(&pass, &exit);
    if (!err)
        err = gp_state_conditions(pass.state, pass.mem, &view.conditions, &view.condition_count);
    if (!err)
        err = gp_pauses_view(&pass, &view.pauses);
    if (err) {
        exit = gp_cli_fail(err);
        gp_pass_close(&pass);
        return exit;
    }
    collect(&view);
    if (only && !view.row_count) {
        (void)fprintf(stderr, "gpupart: there is no %s on this host\n", only);
        exit = gp_exit_worse(exit, GP_EXIT_FAILURE);
    } else if (format == GP_FORMAT_JSON) {
        print_json(&view);
    } else {
        print_text(&view);
    }
    if (pass.plan)
        exit = gp_exit_worse(exit, gp_cli_plan_exit(&pass));
    else if (gp_pass_incomplete(&pass))
        exit = gp_exit_worse(exit, GP_EXIT_INCOMPLETE);
    if (exit_code && differs(&view))
        exit = gp_exit_worse(exit, GP_EXIT_DIFFERENCES);
    gp_pass_close(&pass);
    return exit;
}

const struct gp_command gp_command_status = {
    .name = "status",
    .args_doc = "[vm/NAME|gpu/ADDRESS]",
    .doc = "every object, since when, and why it is not as wanted",
    .options = options,
    .parser = parse,
    .run = run,
};
