#include "waves.h"

#include "registry.h"
#include "step.h"
#include "text.h"

enum { WAVES_AT_MOST = 16 };

static struct gp_plan_input input_now(struct gp_work *work)
{
    struct gp_plan_input input = gp_pass_plan_input(work->pass, work->mem, work->goal, work->have);

    input.within = work->set;
    return input;
}

/* A plan from a fresh look may be used if it keeps the laws, is not blocked, and is the rest of what was
 * allowed. */
static struct gp_error *check_fresh(struct gp_work *work, const struct gp_plan_input *input,
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

/* GPUPART_TRACE=plan: what is planned before each wave. */
static void trace_plan(struct gp_work *work, const struct gp_plan *plan, uint32_t wave)
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

/* Units serve the whole host, so one set at a time has them down; what was seen before its turn came is seen anew. */
static struct gp_error *take_units(struct gp_work *work, const struct gp_plan *fresh, bool *ret_again)
{
    bool needed = false;

    *ret_again = false;
    for (size_t i = 0; i < fresh->step_count; i++)
        needed = needed || fresh->steps[i].unit;
    if (!needed || work->has_units)
        return NULL;
    *ret_again = pthread_mutex_trylock(&work->pass->units_lock) != 0;
    if (*ret_again)
        (void)pthread_mutex_lock(&work->pass->units_lock);
    work->has_units = true;
    return *ret_again ? gp_work_look(work) : NULL;
}

/* Nobody waits for a unit that does not come up: it stays owed its start. */
static void give_up_units(struct gp_work *work)
{
    for (size_t i = 0; i < work->down.count; i++)
        for (size_t n = 0; n < work->goal->unit_count; n++)
            if (gp_streq(work->goal->units[n].name, work->down.items[i].name))
                work->goal->units[n].run = false;
}

/* What is planned again and again says which effect is not seen. */
static struct gp_error *no_end(const struct gp_plan *fresh, uint32_t waves)
{
    const struct gp_step *step = &fresh->steps[0];

    return gp_error_new(GP_E_BUG, "the plan did not end after %u waves; next would be step %s %s%s%s -> %s", waves,
                        gp_step_kind_name(step->kind), step->vm_name ? step->vm_name : "",
                        step->vm_name && step->gpu ? " on " : "", step->gpu ? step->gpu : "",
                        step->after ? step->after : "nothing");
}

/* The first wave goes by what was seen through the host of the pass, which has its own record of since when what is held by
 * nobody (unheld.h). */
static void ask_who_holds(struct gp_work *work)
{
    for (size_t i = 0; i < work->have->gpu_count; i++)
        if (gp_strings_have(&work->set->gpus, work->have->gpus[i].id))
            gp_host_held_ask(work->host, work->mem, &work->have->gpus[i]);
}

/* Each wave is planned from a fresh look and must be the rest of what was allowed, or of the first plan. */
struct gp_error *gp_waves_run(struct gp_work *work)
{
    const struct gp_plan *planned = work->allowed;
    uint32_t first = 0; /* the wave at which @planned begins */

    ask_who_holds(work);
    for (uint32_t wave = 0;;) {
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
            .down = &work->down,
        };
        struct gp_error *err;
        bool any, again;

        err = take_units(work, fresh, &again);
        if (err)
            return err;
        if (again)
            continue;
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
            return no_end(fresh, wave);
        run.due = gp_plan_due(work->mem, planned, wave - first, fresh, &any);
        if (!any && !work->allowed) {
            /* On the way back something else turned up, or went: whatever is needed now is the plan. */
            planned = fresh;
            first = wave;
            run.due = gp_plan_due(work->mem, planned, 0, fresh, &any);
        }
        err = gp_wave_run(&run);
        give_up_units(work);
        if (!err)
            err = gp_work_look(work);
        if (err)
            return err;
        wave++;
    }
    return gp_verify(work->goal, work->have, work->set, gp_registry_mechanism);
}
