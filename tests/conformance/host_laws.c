/* The laws that are seen only by changing a host. What it was is put back at the end. */
#include "laws.h"
#include "registry.h"
#include "text.h"

#define MOST_EFFECTS    400
#define MOST_PARTITIONS 2

struct gp_error *look(struct laws *laws, struct gp_arena *mem, const char *id, struct gp_gpu **ret)
{
    struct gp_gpu *gpus;
    size_t count;
    struct gp_error *err = gp_registry_observe(laws->host, mem, NULL, &gpus, &count);

    for (size_t i = 0; !err && i < count; i++) {
        if (gp_streq(gpus[i].id, id)) {
            *ret = &gpus[i];
            return NULL;
        }
    }
    return err ? err : gp_error_new(GP_E_GONE, "%s is not there", id);
}

/* One step, a look, and the step once more, which changes nothing: the look after the next step tells. */
static const char *do_step(struct laws *laws, struct gp_arena *mem, const struct gp_mechanism *mechanism,
                           const struct gp_gpu *before, const struct gp_step *step)
{
    struct gp_gpu *expected = copy_of(mem, before), *now;
    struct gp_error *err = gp_registry_apply(laws->host, before, step);
    const char *why = NULL, *again = "";

    mechanism->predict(mem, expected, step);
    if (!err)
        err = look(laws, mem, before->id, &now);
    if (!err)
        why = differs(mem, expected, now);
    if (!err && !why) {
        again = ", done again";
        err = gp_registry_apply(laws->host, now, step);
    }
    if (err)
        why = law_error(mem, err);
    return why ? gp_printf(mem, "%s %s of partition %lld%s: %s", gp_step_kind_name(step->kind), step->after,
                           (long long)step->partition, again, why)
               : NULL;
}

/* From what it is to @want, each step checked; NULL if it arrives. */
static const char *go(struct laws *laws, struct gp_arena *mem, const char *id,
                      const struct gp_layout *want, bool checked)
{
    const struct gp_mechanism *mechanism;
    struct gp_steps steps = {.mem = mem}, more = {.mem = mem};
    struct gp_gpu *gpu;
    const char *why = NULL;
    struct gp_error *err = look(laws, mem, id, &gpu);

    if (err)
        return law_error(mem, err);
    mechanism = gp_registry_mechanism(gpu->mechanism);
    err = mechanism->plan(gpu, want, &steps);
    for (size_t i = 0; !err && i < steps.count; i++) {
        if (checked)
            why = do_step(laws, mem, mechanism, gpu, &steps.items[i]);
        else
            err = gp_registry_apply(laws->host, gpu, &steps.items[i]);
        if (why)
            return why;
        /* Partitions come and go without the GPU being another one. */
        if (!err && (checked || i + 1 == steps.count ||
                     steps.items[i].kind == GP_STEP_SET_VF_COUNT ||
                     steps.items[i].kind == GP_STEP_BIND_DRIVER))
            err = look(laws, mem, id, &gpu);
    }
    if (!err && !mechanism->matches(gpu, want))
        return gp_printf(mem, "it is %s and not %s", gp_gpu_value(mem, gpu), layout_text(mem, want));
    if (!err)
        err = mechanism->plan(gpu, want, &more);
    if (!err && more.count)
        return gp_printf(mem, "there are %zu more steps to %s", more.count, layout_text(mem, want));
    return err ? law_error(mem, err) : NULL;
}

static void check_arrival(struct laws *laws, const struct gp_gpu *gpu, const struct gp_layout *layouts,
                          size_t count)
{
    struct gp_arena *mem = gp_arena_new();
    const char *why = NULL;

    for (size_t i = 0; !why && i < count; i++) {
        why = go(laws, mem, gpu->id, &layouts[i], true);
        if (why)
            why = gp_printf(mem, "to %s: %s", layout_text(mem, &layouts[i]), why);
    }
    law_told(laws, gpu, "every step does what was predicted, twice too", why);
    gp_arena_free(mem);
}

/* On the way from @a to @b an effect fails, the first ones each and later ones here and there, and from what is
 * left the way goes on. */
static const char *fail_each(struct laws *laws, struct gp_arena *mem, const char *id,
                             const struct gp_layout *a, const struct gp_layout *b, enum fault fault,
                             unsigned *ret_points)
{
    for (unsigned n = 1; n < MOST_EFFECTS; n += 1 + n / 4) {
        const char *why = go(laws, mem, id, a, false), *broken;

        if (why)
            return gp_printf(mem, "to %s: %s", layout_text(mem, a), why);
        fault_arm(fault, n);
        broken = go(laws, mem, id, b, false);
        if (!fault_disarm())
            return broken;
        ++*ret_points;
        why = go(laws, mem, id, b, false);
        if (why)
            return gp_printf(mem, "to %s, effect %u failed (%s), then: %s", layout_text(mem, b), n,
                             broken ? broken : "and nobody noticed", why);
    }
    return "there is no end of effects";
}

static void check_faults(struct laws *laws, const struct gp_gpu *gpu, const struct gp_layout *layouts,
                         size_t count)
{
    struct gp_arena *mem = gp_arena_new();
    const char *why = NULL;
    unsigned points = 0;

    for (size_t i = 0; !why && i + 1 < count; i++) {
        why = fail_each(laws, mem, gpu->id, &layouts[i], &layouts[i + 1], FAULT_REFUSED, &points);
        if (!why)
            why = fail_each(laws, mem, gpu->id, &layouts[i], &layouts[i + 1],
                            FAULT_DONE_BUT_TOLD_FAILED, &points);
    }
    law_told(laws, gpu, gp_printf(mem, "after each of %u failed effects there is a way on", points), why);
    gp_arena_free(mem);
}

static struct gp_layout layout_of_valid(const struct gp_valid_count *valid)
{
    return (struct gp_layout){.mode = GP_MODE_PARTITIONED,
                              .count = valid->count,
                              .profile = valid->profile,
                              .type_id = valid->type_id};
}

/* Whether @gpu can be brought there at all. Some counts need a reboot. */
static bool is_possible(const struct gp_gpu *gpu, const struct gp_layout *want)
{
    struct gp_arena *mem = gp_arena_new();
    struct gp_steps steps = {.mem = mem};
    struct gp_error *err = gp_registry_mechanism(gpu->mechanism)->plan(gpu, want, &steps);
    bool possible = !err;

    gp_error_free(err);
    gp_arena_free(mem);
    return possible;
}

static bool is_possible_valid(const struct gp_gpu *gpu, const struct gp_valid_count *valid)
{
    struct gp_layout want = layout_of_valid(valid);

    return is_possible(gpu, &want);
}

static const struct gp_valid_count *coarsest(const struct gp_gpu *gpu)
{
    for (size_t i = gpu->valid_count; i-- > 0;) {
        if (is_possible_valid(gpu, &gpu->valid[i]))
            return &gpu->valid[i];
    }
    return NULL;
}

/* Coarsest, finest, another profile of a count in between, nothing, whole. */
static size_t pick_layouts(const struct gp_gpu *gpu, struct gp_layout ret[5])
{
    const size_t picks[] = {gpu->valid_count - 1, 0, gpu->valid_count / 2};
    size_t count = 0;

    for (size_t i = 0; gpu->valid_count && i < sizeof picks / sizeof *picks; i++) {
        ret[count] = layout_of_valid(&gpu->valid[picks[i]]);
        count += is_possible(gpu, &ret[count]);
    }
    ret[count++] = (struct gp_layout){.mode = GP_MODE_NONE};
    ret[count] = (struct gp_layout){.mode = GP_MODE_PASSTHROUGH};
    return count + is_possible(gpu, &ret[count]);
}

/* For faults: how a step fails does not depend on how many of its kind there are. */
static size_t pick_few(const struct gp_gpu *gpu, struct gp_layout *layouts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t n = 0; n < gpu->valid_count && layouts[i].count > MOST_PARTITIONS; n++) {
            const struct gp_valid_count *valid = &gpu->valid[n];

            if (valid->count <= MOST_PARTITIONS && is_possible_valid(gpu, valid))
                layouts[i] = layout_of_valid(valid);
        }
    }
    return count;
}

static const char *why_left_alone(const struct gp_gpu *gpu)
{
    switch (gpu->status) {
    case GP_GPU_UNKNOWN:
    case GP_GPU_NOT_ASSIGNABLE:
    case GP_GPU_PARAVIRTUAL:
        return gpu->reason;
    case GP_GPU_UNSUPPORTED:
        if (gpu->not_whole || !gp_streq(gpu->mechanism, "passthrough"))
            return gpu->reason;
        break;
    default:
        break;
    }
    if (gpu->held != GP_HELD_NO)
        return "somebody holds it";
    for (size_t i = 0; i < gpu->partition_count; i++) {
        if (gpu->partitions[i].held != GP_HELD_NO)
            return "somebody holds a partition of it";
    }
    return NULL;
}

/* Cut and emptied once, a GPU shows which of the catalogue's ways its driver really offers. */
static const char *start_empty(struct laws *laws, struct gp_arena *mem, const char *id,
                               struct gp_gpu **ret)
{
    const struct gp_gpu *gpu = *ret;
    const struct gp_valid_count *last = coarsest(gpu);
    struct gp_layout none = {.mode = GP_MODE_NONE}, some = none;
    struct gp_error *err;
    const char *why;

    if (last)
        some = layout_of_valid(last);
    why = go(laws, mem, id, &some, false);
    if (!why)
        why = go(laws, mem, id, &none, false);
    if (why)
        return why;
    err = look(laws, mem, id, ret);
    return err ? law_error(mem, err) : NULL;
}

void check_host(struct laws *laws, const char *id)
{
    struct gp_arena *mem = gp_arena_new();
    struct gp_layout layouts[5], was;
    struct gp_gpu *gpu;
    struct gp_error *err = look(laws, mem, id, &gpu);
    const char *why;
    size_t count;

    if (err) {
        gp_error_free(err);
        gp_arena_free(mem);
        return;
    }
    why = why_left_alone(gpu);
    if (why) {
        law_skipped(laws, gpu, "changes", why);
        gp_arena_free(mem);
        return;
    }
    was = layout_of(mem, gpu);
    why = start_empty(laws, mem, id, &gpu);
    if (why) {
        law_told(laws, gpu, "it can be cut at all", why);
        gp_arena_free(mem);
        return;
    }
    count = pick_layouts(gpu, layouts);
    check_arrival(laws, gpu, layouts, count);
    check_faults(laws, gpu, layouts, pick_few(gpu, layouts, count));
    law_told(laws, gpu, "what it was is put back", go(laws, mem, id, &was, true));
    gp_arena_free(mem);
}
