#include "owed_starts.h"

#include "cleanup.h"
#include "work.h"
#include "text.h"

/* By no plan (what is wanted cannot be told) nobody was started. A way back starts whoever ran before, and nobody who was
 * down and owed a start. */
static bool had_its_turn(const struct gp_pass *pass, const char *vm_or_unit)
{
    for (size_t i = 0; pass->plan && i < pass->plan->set_count; i++) {
        const struct gp_set *set = &pass->plan->sets[i];

        if (!gp_pass_runs(pass, i) || (pass->taken_back && pass->taken_back[i]))
            continue;
        if (gp_strings_have(&set->vms, vm_or_unit) || gp_strings_have(&set->units, vm_or_unit))
            return true;
    }
    return false;
}

static bool is_off(const struct gp_have *have, const char *vm)
{
    const struct gp_vm *now = gp_have_vm(have, vm);

    return now && now->power == GP_POWER_OFF;
}

static bool is_inactive(const struct gp_have *have, const char *name)
{
    const struct gp_unit *unit = gp_have_unit(have, name);

    return unit && unit->state == GP_UNIT_INACTIVE;
}

/* A goal that wants nothing but those guests and units up, as pass->goal wants them, that are off in @have. */
static struct gp_goal *only_starts(const struct gp_pass *pass, const struct gp_have *have, size_t *ret_count)
{
    struct gp_goal *goal = gp_memdup(pass->mem, pass->goal, sizeof *pass->goal);

    *ret_count = 0;
    goal->gpus = gp_memdup(pass->mem, goal->gpus, sizeof *goal->gpus * goal->gpu_count);
    goal->vms = gp_memdup(pass->mem, goal->vms, sizeof *goal->vms * goal->vm_count);
    goal->finding_count = 0;
    for (size_t i = 0; i < goal->gpu_count; i++)
        goal->gpus[i].managed = false;
    for (size_t i = 0; i < goal->vm_count; i++) {
        struct gp_goal_vm *vm = &goal->vms[i];

        vm->managed = false;
        vm->run = vm->run && is_off(pass->have, vm->uuid) && is_off(have, vm->uuid) && !had_its_turn(pass, vm->uuid);
        *ret_count += vm->run;
    }
    goal->units = gp_memdup(pass->mem, goal->units, sizeof *goal->units * goal->unit_count);
    for (size_t i = 0; i < goal->unit_count; i++) {
        struct gp_goal_unit *unit = &goal->units[i];

        unit->run = unit->run && is_inactive(have, unit->name) && !had_its_turn(pass, unit->name);
        *ret_count += unit->run;
    }
    return goal;
}

/* Each by itself: one that cannot start keeps no other down, and stays owed. */
static int start_one(struct gp_pass *pass, const struct gp_have *have, const struct gp_plan *plan, size_t step)
{
    const char *unit = plan->steps[step].unit, *name = unit ? unit : plan->steps[step].vm_name;
    bool *due = gp_new_array(pass->mem, bool, plan->step_count);
    struct gp_units_down down = {0};
    const struct gp_wave wave = {
        .pass = pass,
        .host = &pass->host,
        .mem = pass->mem,
        .have = have,
        .plan = plan,
        .due = due,
        .commit = pass->commit,
        .plan_id = plan->id,
        .may_be_cancelled = true,
        .down = &down,
    };
    struct gp_error *err;
    int exit;

    due[step] = true;
    err = gp_wave_run(&wave);
    if (!err && down.count)
        err = gp_error_new(GP_E_IO, "%s", down.items[0].reason);
    if (!err)
        return GP_EXIT_OK;
    exit = err->code == GP_E_LOCKED ? GP_EXIT_LOCKED : GP_EXIT_NOT_RESTORED;
    {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        if (exit == GP_EXIT_NOT_RESTORED)
            (void)fprintf(stderr, "gpupart: left to do by hand: %s\n",
                          unit ? gp_unit_is_down(pass->mem, name, line) : gp_vm_is_down(pass->mem, name, line));
        else
            (void)fprintf(stderr, "gpupart: warning: %s%s stays owed its start: %s\n", unit ? "" : "VM ", name, line);
        gp_error_free(err);
    }
    return exit;
}

/* Takes @err. */
static int not_done(struct gp_error *err, size_t count)
{
    const int exit = gp_exit_of(err->code);

    gp_error_warn(gp_error_wrap(err, "%zu owed %s not done", count, count == 1 ? "start is" : "starts are"));
    return exit;
}

static int start_all(struct gp_pass *pass, const struct gp_have *have, const struct gp_goal *goal, size_t count)
{
    const struct gp_plan_input input = gp_pass_plan_input(pass, pass->mem, goal, have);
    const struct gp_plan *plan = gp_plan(pass->mem, &input);
    struct gp_error *err = gp_plan_check(&input, plan);
    int exit = GP_EXIT_OK;

    if (err)
        return not_done(err, count);
    for (size_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].kind == GP_STEP_START_VM || plan->steps[i].kind == GP_STEP_START_UNIT)
            exit = gp_exit_worse(exit, start_one(pass, have, plan, i));
    return exit;
}

int gp_owed_starts(struct gp_pass *pass)
{
    struct gp_have *have = NULL;
    struct gp_error *err;
    struct gp_goal *goal;
    size_t count = 0;

    (void)only_starts(pass, pass->have, &count);
    if (!count)
        return GP_EXIT_OK;
    err = gp_pass_observe(pass, &pass->host, pass->mem, &have); /* sets may have run since */
    if (err)
        return not_done(err, count);
    goal = only_starts(pass, have, &count);
    return count ? start_all(pass, have, goal, count) : GP_EXIT_OK;
}
