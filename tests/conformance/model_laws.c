/* The laws that need the facts of a GPU and no host: they hold on a capture as well. */
#include "laws.h"
#include "registry.h"
#include "text.h"

/* What is wrong with the form of a step; NULL: nothing. */
static const char *step_is_odd(struct gp_arena *mem, const struct gp_gpu *gpu, const struct gp_step *step)
{
    const char *kind = gp_step_kind_name(step->kind);

    if (!gp_streq(step->gpu, gpu->id))
        return gp_printf(mem, "step %s is about %s", kind, step->gpu ? step->gpu : "nothing");
    if (!step->timeout_ms || !step->reason)
        return gp_printf(mem, "step %s has no %s", kind, step->reason ? "timeout" : "reason");
    if (!step->before || !step->after || gp_streq(step->before, step->after))
        return gp_printf(mem, "step %s changes %s to %s", kind, step->before ? step->before : "(null)",
                         step->after ? step->after : "(null)");
    return NULL;
}

/* Plans from @gpu to @want and does the steps in the model, on @gpu. NULL if it arrives or is refused;
 * *ret_refused tells which. @ret_steps may be NULL. */
static const char *travel(struct gp_arena *mem, const struct gp_mechanism *mechanism, struct gp_gpu *gpu,
                          const struct gp_layout *want, bool *ret_refused, struct gp_steps *ret_steps)
{
    struct gp_steps steps = {.mem = mem}, more = {.mem = mem};
    struct gp_error *err = mechanism->plan(gpu, want, &steps);

    *ret_refused = err != NULL;
    if (err && err->code != GP_E_UNSUPPORTED)
        return gp_printf(mem, "plan to %s fails instead of refusing: %s", layout_text(mem, want),
                         law_error(mem, err));
    gp_error_free(err);
    if (*ret_refused)
        return NULL;
    for (size_t i = 0; i < steps.count; i++) {
        const char *odd = step_is_odd(mem, gpu, &steps.items[i]);

        if (odd)
            return odd;
        mechanism->predict(mem, gpu, &steps.items[i]);
    }
    if (!mechanism->matches(gpu, want))
        return gp_printf(mem, "the plan to %s arrives at %s", layout_text(mem, want),
                         gp_gpu_value(mem, gpu));
    err = mechanism->plan(gpu, want, &more);
    if (err)
        return gp_printf(mem, "the plan after the plan to %s fails: %s", layout_text(mem, want),
                         law_error(mem, err));
    if (more.count)
        return gp_printf(mem, "the plan after the plan to %s has %zu steps, first %s", layout_text(mem, want),
                         more.count, gp_step_kind_name(more.items[0].kind));
    if (ret_steps)
        *ret_steps = steps;
    return NULL;
}

static void check_rest(struct laws *laws, const struct gp_mechanism *mechanism, const struct gp_gpu *gpu)
{
    struct gp_arena *mem = gp_arena_new();
    struct gp_layout now = layout_of(mem, gpu);
    struct gp_steps steps = {.mem = mem};
    struct gp_error *err = mechanism->plan(gpu, &now, &steps);
    const char *why = NULL;

    if (err)
        why = law_error(mem, err);
    else if (steps.count)
        why = gp_printf(mem, "%zu steps, first %s", steps.count, gp_step_kind_name(steps.items[0].kind));
    else if (!mechanism->matches(gpu, &now))
        why = gp_printf(mem, "it does not match %s", layout_text(mem, &now));
    law_told(laws, gpu, "the plan to what it is has no steps", why);
    gp_arena_free(mem);
}

/* From @gpu to @a, from every point on the way to @b, and from @b back to exactly what it was. */
static const char *check_way(struct gp_arena *mem, const struct gp_mechanism *mechanism,
                             const struct gp_gpu *gpu, const struct gp_layout *a,
                             const struct gp_layout *b)
{
    struct gp_gpu *at_a = copy_of(mem, gpu), *at_b;
    struct gp_layout was;
    struct gp_steps steps = {.mem = mem};
    bool refused;
    const char *why = travel(mem, mechanism, at_a, a, &refused, NULL);

    if (why || refused)
        return why;
    was = layout_of(mem, at_a);
    at_b = copy_of(mem, at_a);
    why = travel(mem, mechanism, at_b, b, &refused, &steps);
    if (why || refused)
        return why;
    why = travel(mem, mechanism, at_b, &was, &refused, NULL);
    if (why || refused)
        return why ? gp_printf(mem, "back from %s: %s", layout_text(mem, b), why)
                   : gp_printf(mem, "the way back from %s to %s is refused", layout_text(mem, b),
                               layout_text(mem, &was));
    for (size_t i = 0; i < steps.count; i++) {
        struct gp_gpu *half;

        mechanism->predict(mem, at_a, &steps.items[i]);
        half = copy_of(mem, at_a);
        why = travel(mem, mechanism, half, b, &refused, NULL);
        if (why || refused)
            return gp_printf(mem, "after step %zu (%s) of the way to %s: %s", i + 1,
                             gp_step_kind_name(steps.items[i].kind), layout_text(mem, b),
                             why ? why : "refused");
    }
    return NULL;
}

void check_model(struct laws *laws, const struct gp_gpu *gpu)
{
    const struct gp_mechanism *mechanism = gp_registry_mechanism(gpu->mechanism);
    struct gp_arena *mem = gp_arena_new();
    struct gp_layout *layouts = NULL;
    size_t count = 0;
    const char *why = NULL;

    if (!mechanism || gpu->status == GP_GPU_UNKNOWN) {
        law_told(laws, gpu, "it can be read", gpu->reason ? gpu->reason : "no mechanism claims it");
        gp_arena_free(mem);
        return;
    }
    check_rest(laws, mechanism, gpu);
    *gp_push(mem, layouts, count) = (struct gp_layout){.mode = GP_MODE_NONE};
    *gp_push(mem, layouts, count) = (struct gp_layout){.mode = GP_MODE_PASSTHROUGH};
    for (size_t i = 0; i < gpu->valid_count; i++)
        *gp_push(mem, layouts, count) = (struct gp_layout){.mode = GP_MODE_PARTITIONED,
                                                           .count = gpu->valid[i].count,
                                                           .profile = gpu->valid[i].profile,
                                                           .type_id = gpu->valid[i].type_id};
    for (size_t a = 0; !why && a < count; a++) {
        for (size_t b = 0; !why && b < count; b++) {
            struct gp_arena *own = gp_arena_new();

            why = check_way(own, mechanism, gpu, &layouts[a], &layouts[b]);
            if (why)
                why = gp_printf(mem, "from %s: %s", layout_text(mem, &layouts[a]), why);
            gp_arena_free(own);
        }
    }
    law_told(laws, gpu, "plans arrive from anywhere, half-way too, and lead back", why);
    gp_arena_free(mem);
}
