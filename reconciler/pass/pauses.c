#include "pauses.h"

#include "cleanup.h"
#include "clock.h"
#include "journal.h"
#include "registry.h"
#include "step.h"
#include "text.h"

#include <string.h>

struct gp_error *gp_pauses_host(struct gp_pass *pass, bool *ret)
{
    struct gp_pause *pauses = NULL;
    size_t count = 0;
    struct gp_error *err = gp_state_pauses(pass->state, false, pass->mem, &pauses, &count);

    if (err)
        return err;
    *ret = false;
    for (size_t i = 0; i < count; i++)
        *ret = *ret || (gp_streq(pauses[i].object, "host") && pauses[i].until_us > gp_realtime_us());
    return NULL;
}

struct gp_error *gp_pauses_expire(struct gp_pass *pass)
{
    struct gp_pause *ended = NULL;
    size_t count = 0;
    struct gp_error *err = gp_state_end_pauses(pass->state, false, gp_realtime_us(), pass->mem, &ended, &count);

    for (size_t i = 0; !err && i < count; i++) {
        const char *object = ended[i].object;

        gp_journal(&(struct gp_entry){
            .event = GP_EVENT_RESUMED,
            .priority = -1,
            .message = gp_printf(pass->mem, "%s is no longer paused: the time that %s gave has passed", object,
                                 ended[i].user),
            .cluster = pass->agent->cluster,
            .host = pass->host_name,
            .gpu = gp_starts_with(object, "gpu/") ? object + strlen("gpu/") : NULL,
            .vm = gp_starts_with(object, "vm/") ? object + strlen("vm/") : NULL,
        });
    }
    return err;
}

/* ---- owed starts ---- */

static bool waits(const struct gp_plan *plan, const char *vm)
{
    for (size_t i = 0; i < plan->set_count; i++) {
        const struct gp_set *set = &plan->sets[i];

        if (set->verdict != GP_VERDICT_WAITS && set->verdict != GP_VERDICT_REPORTS)
            continue;
        for (size_t j = 0; j < set->vms.count; j++)
            if (gp_streq(set->vms.items[j], vm))
                return true;
    }
    return false;
}

/* A goal that wants nothing but those guests up. */
static struct gp_goal *only_starts(const struct gp_pass *pass, size_t *ret_count)
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
        const struct gp_vm *now = gp_have_vm(pass->have, vm->uuid);

        vm->managed = false;
        vm->run = vm->run && now && now->power == GP_POWER_OFF && waits(pass->plan, vm->uuid);
        *ret_count += vm->run;
    }
    return goal;
}

/* Each by itself: one that cannot start keeps no other down, and stays owed. */
static void start_one(struct gp_pass *pass, const struct gp_plan *plan, size_t step)
{
    bool *due = gp_new_array(pass->mem, bool, plan->step_count);
    const struct gp_wave wave = {
        .pass = pass,
        .host = &pass->host,
        .mem = pass->mem,
        .have = pass->have,
        .plan = plan,
        .due = due,
        .commit = pass->commit,
        .plan_id = plan->id,
        .may_be_cancelled = true,
    };
    struct gp_error *err;

    due[step] = true;
    err = gp_wave_run(&wave);
    if (err) {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        (void)fprintf(stderr, "gpupart: warning: VM %s stays owed its start: %s\n", plan->steps[step].vm_name, line);
        gp_error_free(err);
    }
}

void gp_pauses_start_owed(struct gp_pass *pass)
{
    size_t count = 0;
    struct gp_goal *goal = only_starts(pass, &count);
    struct gp_plan_input input;
    struct gp_error *err;
    struct gp_plan *plan;

    if (!count)
        return;
    input = gp_pass_plan_input(pass, pass->mem, goal, pass->have);
    plan = gp_plan(pass->mem, &input);
    err = gp_plan_check(&input, plan);
    if (err) {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        (void)fprintf(stderr, "gpupart: warning: %zu owed %s not done: %s\n", count, count == 1 ? "start is" : "starts are",
                      line);
        gp_error_free(err);
        return;
    }
    for (size_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].kind == GP_STEP_START_VM)
            start_one(pass, plan, i);
}
