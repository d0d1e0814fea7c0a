/* Whether what is planned now is still what was planned then. */
#include "planner.h"

#include "text.h"

/* What is left of a set may no longer touch, so its steps are told by their objects. */
static bool is_of(const struct gp_set *set, const struct gp_step *step)
{
    if (step->unit)
        return gp_strings_have(&set->units, step->unit);
    return step->vm ? gp_strings_have(&set->vms, step->vm) : gp_strings_have(&set->gpus, step->gpu);
}

/* A partition made anew may turn out to have the very device that its VM is defined with: then
 * there is nothing to edit, or its mark alone. */
static bool may_be_missing(const struct gp_step *planned)
{
    return planned->kind == GP_STEP_REBIND && planned->device.kind == GP_DEVICE_NONE;
}

/* What somebody else stopped or started in the meantime, or what does not come up, holds up nothing. */
static bool is_needless(const struct gp_step *planned)
{
    return planned->unit || may_be_missing(planned);
}

/* The number of a vGPU type that only the host knows can be read once its VFs are there; until then the profile's name
 * stands for it. */
static bool is_same_value(const struct gp_step *planned, const struct gp_step *fresh)
{
    return planned->value == fresh->value || (planned->kind == GP_STEP_CREATE_PARTITION && !planned->value);
}

/* Less than what was planned may be disturbed, since guests are off by now; more may not. */
static bool is_same(const struct gp_step *planned, const struct gp_step *fresh)
{
    for (size_t n = 0; n < fresh->vms.count; n++)
        if (!gp_strings_have(&planned->vms, fresh->vms.items[n]))
            return false;
    if (planned->kind != fresh->kind && !(may_be_missing(planned) && fresh->kind == GP_STEP_MARK))
        return false;
    return planned->partition == fresh->partition && is_same_value(planned, fresh) &&
           gp_streq(planned->gpu, fresh->gpu) && gp_streq(planned->vm, fresh->vm) &&
           gp_streq(planned->unit, fresh->unit) && gp_streq(planned->after, fresh->after) &&
           gp_streq(planned->profile, fresh->profile) && gp_streq(planned->driver, fresh->driver) &&
           gp_streq(planned->binding, fresh->binding) && gp_streq(planned->pool, fresh->pool) &&
           fresh->class <= planned->class;
}

static const char *text_of(struct gp_arena *mem, const struct gp_step *step)
{
    const char *what = step->vm_name ? step->vm_name : step->unit ? step->unit : step->gpu;

    if (!step->vm && step->gpu && step->partition >= 0)
        what = gp_partition_symbol(mem, step->gpu, (uint32_t)step->partition);
    return gp_printf(mem, "%s %s to '%s'", gp_step_kind_name(step->kind), what ? what : "host",
                     step->after ? step->after : "-");
}

/* ": " and what is found against the object of @step now; "" if nothing is. */
static const char *why_not(struct gp_arena *mem, const struct gp_plan *fresh,
                           const struct gp_step *step)
{
    const char *object = step->vm_name ? gp_printf(mem, "vm/%s", step->vm_name)
                                       : gp_printf(mem, "gpu/%s", step->gpu ? step->gpu : "");

    for (size_t n = 0; n < fresh->finding_count; n++)
        if (fresh->findings[n].level != GP_LEVEL_NOTE &&
            gp_streq(fresh->findings[n].object, object))
            return gp_printf(mem, ": %s", fresh->findings[n].message);
    return "";
}

/* Where an edit turned out to be needless, a wave is, and its guests were started with the one
 * before. One that is not running would be started now, or there would be a finding that says why
 * not. */
static bool is_early(struct gp_arena *mem, const struct gp_plan *planned,
                     const struct gp_plan *fresh, const struct gp_step *step)
{
    const char *object = gp_printf(mem, "vm/%s", step->vm_name ? step->vm_name : "");
    bool needless = false;

    if (step->kind != GP_STEP_START_VM)
        return false;
    for (size_t n = 0; n < planned->step_count; n++)
        needless |= planned->steps[n].set == step->set && may_be_missing(&planned->steps[n]);
    for (size_t n = 0; n < fresh->finding_count; n++)
        if (gp_streq(fresh->findings[n].rule, "GP-W508") &&
            gp_streq(fresh->findings[n].object, object))
            return false;
    return needless;
}

static struct gp_error *compare(struct gp_arena *mem, const struct gp_plan *planned,
                                const struct gp_plan *fresh, const struct gp_set *set,
                                uint32_t index, uint32_t from_wave)
{
    bool *used = gp_new_array(mem, bool, fresh->step_count + 1);
    size_t *last =
        gp_new_array(mem, size_t, set->gpus.count + 1); /* by GPU: one past its last match */

    for (size_t p = 0; p < planned->step_count; p++) {
        const struct gp_step *step = &planned->steps[p];
        size_t *gpu_last = NULL;
        size_t found = 0;

        if (step->set != index || step->wave < from_wave)
            continue;
        /* A mechanism's steps mean something in their order only. */
        for (size_t g = 0; !step->vm && g < set->gpus.count; g++)
            if (gp_streq(set->gpus.items[g], step->gpu))
                gpu_last = &last[g];
        for (found = gpu_last ? *gpu_last : 0; found < fresh->step_count; found++)
            if (!used[found] && is_same(step, &fresh->steps[found]))
                break;
        if (found < fresh->step_count) {
            used[found] = true;
            if (gpu_last)
                *gpu_last = found + 1;
        } else if (!is_needless(step) && !is_early(mem, planned, fresh, step)) {
            return gp_error_new(GP_E_CHANGED, "%s was planned, but is not to be done any more%s",
                                text_of(mem, step), why_not(mem, fresh, step));
        }
    }
    for (size_t f = 0; f < fresh->step_count; f++)
        if (!used[f] && is_of(set, &fresh->steps[f]))
            return gp_error_new(GP_E_CHANGED, "%s is to be done now, but was not planned",
                                text_of(mem, &fresh->steps[f]));
    return NULL;
}

struct gp_error *gp_plan_compare_rest(const struct gp_plan *planned, const struct gp_plan *fresh,
                                      const char *set_id, uint32_t from_wave)
{
    struct gp_arena *mem;
    struct gp_error *err;

    for (uint32_t n = 0; n < planned->set_count; n++) {
        const struct gp_set *set = &planned->sets[n];

        if (set->verdict == GP_VERDICT_BLOCKED || !gp_streq(set->id, set_id))
            continue;
        mem = gp_arena_new();
        err = compare(mem, planned, fresh, set, n, from_wave);
        gp_arena_free(mem);
        return err;
    }
    /* Nothing was to be done: nothing may be to be done. */
    if (fresh->step_count)
        return gp_error_new(GP_E_CHANGED, "%s was not to be changed, but now is", set_id);
    return NULL;
}
