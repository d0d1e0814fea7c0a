/* What differs, object by object: by the commit (change) or by somebody else (drift). */
#include "planner.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

struct differ {
    struct gp_arena *mem;
    const struct gp_plan_input *input;
    const struct gp_goal *goal;
    const struct gp_have *have;
    struct gp_plan *plan;
    bool way_back;
};

static const struct gp_applied *applied_of(const struct differ *differ, const char *key)
{
    if (differ->way_back || !differ->input->memory)
        return NULL;
    return gp_memory_applied(differ->input->memory, key);
}

static void add(struct differ *differ, bool drift, const struct gp_difference *difference)
{
    if (drift)
        *gp_push(differ->mem, differ->plan->drift, differ->plan->drift_count) = *difference;
    else
        *gp_push(differ->mem, differ->plan->changes, differ->plan->change_count) = *difference;
}

/* ---- GPUs ---- */

/* "partitioned 4 NVIDIA A2-4Q" in its parts. */
struct value {
    const char *mode, *count, *profile;
};

static struct value split(struct gp_arena *mem, const char *text)
{
    struct value value = {"none", "0", "-"};
    char *rest = gp_strdup(mem, text);
    char *space;

    value.mode = rest;
    for (space = rest; *space && *space != ' '; space++)
        ;
    if (!*space)
        return value;
    *space++ = '\0';
    value.count = space;
    for (; *space && *space != ' '; space++)
        ;
    if (!*space)
        return value;
    *space++ = '\0';
    value.profile = space;
    return value;
}

/* One row a field that differs: the mode alone, else count and profile. */
static void add_layout(struct differ *differ, bool drift, struct gp_difference difference,
                       const char *before, const char *after)
{
    const struct value a = split(differ->mem, before), b = split(differ->mem, after);
    const struct {
        const char *path, *rule, *before, *after;
    } rows[] = {
        {"mode", "GP-D802", a.mode, b.mode},
        {"partitions.count", "GP-D801", a.count, b.count},
        {"partitions.profile", "GP-D809", a.profile, b.profile},
    };
    /* No partition left is a matter of their number, not of a mode that somebody set. */
    const bool by_count = (gp_streq(a.mode, "partitioned") && gp_streq(b.mode, "none")) ||
                          (gp_streq(a.mode, "none") && gp_streq(b.mode, "partitioned"));

    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        if (gp_streq(rows[n].before, rows[n].after) || (n == 0 && by_count) ||
            (n == 2 && by_count && drift))
            continue;
        difference.path = rows[n].path;
        difference.rule = drift ? rows[n].rule : NULL;
        difference.before = rows[n].before;
        difference.after = rows[n].after;
        add(differ, drift, &difference);
        if (n == 0)
            return; /* the rest follows from it */
    }
}

/* By its value it is right, but its mechanism has something to do still: VFs too many, a driver not
 * bound. */
static void add_half_way(struct differ *differ, bool drift, struct gp_difference difference,
                         const char *wanted)
{
    difference.path = "mode";
    difference.rule = drift ? "GP-D802" : NULL;
    difference.before = drift ? wanted : "half-way";
    difference.after = drift ? "half-way" : wanted;
    difference.reason = "not all that belongs to it is done";
    add(differ, drift, &difference);
}

static bool matches(const struct differ *differ, const struct gp_gpu *gpu,
                    const struct gp_layout *want)
{
    const struct gp_mechanism *mechanism =
        gpu->mechanism ? differ->input->mechanism(gpu->mechanism) : NULL;

    return mechanism ? mechanism->matches(gpu, want) : want->mode == gpu->mode;
}

static void differ_gpu(struct differ *differ, const struct gp_goal_gpu *goal)
{
    const struct gp_gpu *gpu = gp_have_gpu(differ->have, goal->id);
    const char *key = gp_printf(differ->mem, "gpu/%s", goal->id);
    const struct gp_applied *applied = NULL;
    const char *observed, *wanted;
    struct gp_difference difference = {.object = key, .key = key, .cause = goal->cause};
    bool met;

    if (!goal->managed || !gpu || gpu->status == GP_GPU_UNKNOWN)
        return; /* what could not be read is not known to differ */
    if (!differ->way_back)
        applied = gp_memory_applied_gpu(differ->mem, differ->input->memory, gpu);
    observed = gp_gpu_value(differ->mem, gpu);
    if (!goal->rule) {
        wanted = gp_layout_value(differ->mem, &goal->want);
        met = matches(differ, gpu, &goal->want);
        if (applied ? !gp_streq(applied->value, wanted) : !met) {
            difference.reason =
                applied
                    ? gp_printf(differ->mem, "the declaration changed from '%s' to '%s'",
                                applied->value, wanted)
                    : gp_printf(differ->mem, "it is '%s', and '%s' is declared", observed, wanted);
            if (!applied && gp_streq(observed, wanted))
                add_half_way(differ, false, difference, wanted);
            else
                add_layout(differ, false, difference, applied ? applied->value : observed, wanted);
            return;
        }
        if (met)
            return; /* as declared, whatever made it */
        if (gp_streq(observed, wanted)) {
            add_half_way(differ, true, difference, wanted);
            return;
        }
    }
    if (!applied || gp_streq(applied->value, observed))
        return;
    difference.reason = gp_printf(differ->mem, "it was '%s' when last verified, and is '%s'",
                                  applied->value, observed);
    add_layout(differ, true, difference, applied->value, observed);
}

/* Where the card is that @applied tells of; NULL: nowhere. What was not written down is the card in that place. */
static const struct gp_gpu *find_card(const struct differ *differ, const struct gp_applied *applied)
{
    const struct gp_gpu *there = gp_have_gpu(differ->have, applied->key + strlen("gpu/"));

    if (there && gp_memory_applied_gpu(differ->mem, differ->input->memory, there) == applied)
        return there;
    for (size_t n = 0; applied->who && n < differ->have->gpu_count; n++)
        if (gp_identity_eq(applied->who, gp_gpu_identity(differ->mem, &differ->have->gpus[n])))
            return &differ->have->gpus[n];
    return NULL;
}

/* Once a card was applied in a new place, nothing of it is missing in the old one. */
static bool is_superseded(const struct gp_memory *memory, const struct gp_applied *applied)
{
    for (size_t n = 0; n < memory->applied_count; n++) {
        const struct gp_applied *other = &memory->applied[n];

        if (gp_starts_with(other->key, "gpu/") && gp_identity_eq(other->who, applied->who) &&
            other->since_us > applied->since_us)
            return true;
    }
    return false;
}

/* What was applied to a card that is not in its place any more, whatever is there now. */
static void differ_gone(struct differ *differ)
{
    const struct gp_memory *memory = differ->input->memory;

    for (size_t n = 0; memory && !differ->way_back && n < memory->applied_count; n++) {
        const struct gp_applied *applied = &memory->applied[n];
        const struct gp_gpu *card, *there;

        if (!gp_starts_with(applied->key, "gpu/") || gp_streq(applied->value, "none"))
            continue;
        card = find_card(differ, applied);
        there = gp_have_gpu(differ->have, applied->key + strlen("gpu/"));
        if ((card && card == there) || is_superseded(memory, applied))
            continue;
        add(differ, true,
            &(struct gp_difference){
                .object = applied->key,
                .key = applied->key,
                .path = "mode",
                .rule = "GP-D805",
                .before = applied->value,
                .after = "gone",
                .reason = card    ? gp_printf(differ->mem, "the GPU is %s now", card->id)
                          : there ? "another card is in its place"
                                  : "the GPU is not there any more",
            });
    }
}

/* ---- VMs ---- */

static const char *device_value(const struct differ *differ, struct gp_device device)
{
    struct gp_gpu *gpu;
    struct gp_partition *partition;

    if (!gp_have_find(differ->have, device, &gpu, &partition))
        return gp_device_text(differ->mem, device);
    return partition ? gp_partition_symbol(differ->mem, gpu->id, partition->index) : gpu->id;
}

/* What it is given: by its definition; and where that is as wanted, by what it runs with, unless it
 * may run on until it is started anew. */
static const char *observed_value(const struct differ *differ, const struct gp_goal_vm *goal,
                                  const struct gp_vm *vm, const char *wanted)
{
    const char *defined = gp_vm_value(differ->mem, differ->have, vm);
    const char *live = "-";

    if (!gp_streq(defined, wanted) || vm->power == GP_POWER_OFF || goal->next_start)
        return defined;
    for (size_t n = 0; n < vm->live_count; n++) {
        const char *value = device_value(differ, vm->live[n].device);

        if (gp_streq(value, wanted) && !gp_streq(wanted, "-"))
            live = wanted;
        else if (vm->live[n].ours)
            return value;
    }
    return live;
}

/* Whether the persistent definition has @value, and nothing says that it is ours. */
static bool is_given_by_hand(const struct differ *differ, const struct gp_vm *vm, const char *value)
{
    for (size_t n = 0; n < vm->persistent_count; n++)
        if (!vm->persistent_devs[n].ours && gp_streq(device_value(differ, vm->persistent_devs[n].device), value))
            return true;
    return false;
}

const char *gp_goal_unbound_reason(const struct gp_goal *goal, const struct gp_goal_vm *vm)
{
    if (vm && vm->pending)
        return "there is no partition for it";
    return goal->drained ? "this host is drained" : "no binding names it any more";
}

static void differ_vm(struct differ *differ, const struct gp_goal_vm *goal)
{
    const struct gp_vm *vm = gp_have_vm(differ->have, goal->uuid);
    const char *key = gp_printf(differ->mem, "vm/%s", goal->uuid);
    const struct gp_applied *applied = applied_of(differ, key);
    const char *expected = applied ? applied->value : NULL;
    const char *wanted, *observed;
    struct gp_difference difference = {
        .object = gp_printf(differ->mem, "vm/%s", goal->name),
        .key = key,
        .path = "partition",
        .cause = goal->cause,
    };

    if (!goal->managed || !vm)
        return;
    wanted = gp_goal_vm_value(differ->mem, differ->goal, differ->have, goal);
    observed = observed_value(differ, goal, vm, wanted);
    /* What nobody ever bound, and nobody binds now, was applied as nothing. */
    if (!expected && gp_streq(wanted, "-") && gp_streq(observed, "-"))
        return;
    if (!goal->rule && !gp_streq(expected ? expected : observed, wanted)) {
        difference.before = expected ? expected : observed;
        difference.after = wanted;
        difference.reason = gp_streq(wanted, "-") ? gp_goal_unbound_reason(differ->goal, goal)
                                                  : "the declaration binds it";
        add(differ, false, &difference);
        return;
    }
    if (!expected || gp_streq(observed, expected))
        return;
    difference.before = expected;
    difference.after = observed;
    if (gp_streq(observed, "-") && is_given_by_hand(differ, vm, expected)) {
        difference.path = "mark";
        difference.rule = "GP-D803";
        difference.reason = "it has its partition, but alias or metadata do not say that it is gpupart's any more";
        add(differ, true, &difference);
        return;
    }
    difference.rule = gp_streq(observed, "-") ? "GP-D803" : "GP-D804";
    difference.reason = gp_streq(observed, "-") ? "its partition was taken from it"
                                                : "it has another partition than it was given";
    add(differ, true, &difference);
}

static void add_renamed(struct differ *differ, const struct gp_vm *vm, const char *name)
{
    add(differ, true,
        &(struct gp_difference){
            .object = gp_printf(differ->mem, "vm/%s", vm->name),
            .key = gp_printf(differ->mem, "vm/%s", vm->uuid),
            .path = "name",
            .rule = "GP-D808",
            .before = name,
            .after = vm->name,
            .reason = "the domain was renamed",
        });
}

static bool is_managed(const struct differ *differ, const char *uuid)
{
    for (size_t n = 0; n < differ->goal->vm_count; n++)
        if (gp_streq(differ->goal->vms[n].uuid, uuid))
            return differ->goal->vms[n].managed;
    return false;
}

/* A name that is remembered with a UUID and is not the domain's any more: of one that is owed a start, and of one that
 * has its partition still, though no binding knows the new name. */
static void differ_renamed(struct differ *differ)
{
    const struct gp_memory *memory = differ->input->memory;

    for (size_t n = 0; memory && !differ->way_back && n < differ->have->vm_count; n++) {
        const struct gp_vm *vm = &differ->have->vms[n];
        const struct gp_applied *applied = applied_of(differ, gp_printf(differ->mem, "vm/%s", vm->uuid));
        const char *name = applied && !is_managed(differ, vm->uuid) &&
                                   !gp_streq(gp_vm_value(differ->mem, differ->have, vm), "-")
                               ? applied->who
                               : NULL;

        for (size_t o = 0; o < memory->owed_count; o++)
            if (gp_streq(memory->owed[o].vm, vm->uuid) && memory->owed[o].name)
                name = memory->owed[o].name;
        if (name && !gp_streq(name, vm->name))
            add_renamed(differ, vm, name);
    }
}

/* ---- sets ---- */

static bool is_in(const struct gp_set *set, const char *key)
{
    const bool gpu = gp_starts_with(key, "gpu/");
    const struct gp_strings *ids = gpu ? &set->gpus : &set->vms;
    const char *id = key + (gpu ? 4 : 3);

    for (size_t n = 0; n < ids->count; n++)
        if (gp_streq(ids->items[n], id))
            return true;
    return false;
}

static bool any_in(const struct gp_set *set, const struct gp_difference *items, size_t count)
{
    for (size_t n = 0; n < count; n++)
        if (is_in(set, items[n].key))
            return true;
    return false;
}

void gp_plan_differences(struct gp_arena *mem, const struct gp_plan_input *input,
                         struct gp_plan *plan)
{
    struct differ differ = {
        .mem = mem,
        .input = input,
        .goal = input->goal,
        .have = input->have,
        .plan = plan,
        .way_back = !input->goal->cluster,
    };

    for (size_t n = 0; input->goal->declared && n < input->goal->gpu_count; n++)
        differ_gpu(&differ, &input->goal->gpus[n]);
    differ_gone(&differ);
    for (size_t n = 0;
         input->goal->declared && !input->have->vms_unknown && n < input->goal->vm_count; n++)
        differ_vm(&differ, &input->goal->vms[n]);
    differ_renamed(&differ);
    for (size_t n = 0; n < plan->set_count; n++) {
        plan->sets[n].change = any_in(&plan->sets[n], plan->changes, plan->change_count);
        plan->sets[n].drift = any_in(&plan->sets[n], plan->drift, plan->drift_count);
    }
}
