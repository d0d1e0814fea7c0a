/* Which VMs of this host are bound, and to which pool. */
#include "resolve.h"

#include "text.h"

#include <stdlib.h>

static bool here(struct gp_resolve *r, const struct gp_vm_decl *decl)
{
    return !decl->host || gp_streq(decl->host, r->input->agent->name);
}

static bool names_vm(const struct gp_vm_decl *decl, const char *name)
{
    if (!gp_glob_match(decl->name, name))
        return false;
    for (size_t n = 0; n < decl->except.count; n++)
        if (gp_glob_match(decl->except.items[n], name))
            return false;
    return true;
}

/* Of several lines of one binding, the one that names the VM outright says more than a glob. */
static const struct gp_vm_decl *line_for(struct gp_resolve *r, const struct gp_binding_decl *binding,
                                         const char *name)
{
    const struct gp_vm_decl *found = NULL;

    for (size_t n = 0; n < binding->vm_count; n++) {
        const struct gp_vm_decl *decl = &binding->vms[n];

        if (!here(r, decl) || !names_vm(decl, name))
            continue;
        if (!found || (gp_glob_is(found->name) && !gp_glob_is(decl->name)))
            found = decl;
    }
    return found;
}

static const struct gp_pool_decl *pool_of(struct gp_resolve *r, const char *name)
{
    for (size_t n = 0; n < r->cluster->pool_count; n++)
        if (gp_streq(r->cluster->pools[n].name, name))
            return &r->cluster->pools[n];
    return NULL;
}

static bool forbidden(struct gp_resolve *r, const struct gp_vm *vm)
{
    const struct gp_strings *never = &r->input->agent->never_touch_vms;

    for (size_t n = 0; n < never->count; n++)
        if (gp_glob_match(never->items[n], vm->name) || gp_streq(never->items[n], vm->uuid))
            return true;
    return false;
}

static bool any_never(struct gp_resolve *r, const struct gp_vm *vm, const struct gp_hostdev *devs, size_t count,
                      struct gp_spot *ret)
{
    for (size_t n = 0; n < count; n++)
        if (gp_spot_of_hostdev(r->have, vm, &devs[n], ret) && r->claims[ret->gpu].never)
            return true;
    return false;
}

/* The host's word holds for who has a part of a GPU too, whatever pools and bindings say: to take that from him, or give
 * him another, would stop him and free it. */
static bool keeps_never(struct gp_resolve *r, const struct gp_vm *vm, struct gp_span at)
{
    struct gp_spot spot;

    if (!any_never(r, vm, vm->live, vm->live_count, &spot) &&
        !any_never(r, vm, vm->persistent_devs, vm->persistent_count, &spot))
        return false;
    gp_resolve_find(r, "GP-E406", GP_LEVEL_NOTE, at, gp_printf(r->mem, "vm/%s", vm->name),
                    "'%s' has %s, and %s is in neverTouch of this host: it keeps that and is left alone", vm->name,
                    gp_spot_text(r, spot), r->have->gpus[spot.gpu].id);
    return true;
}

static const char *const in_never = "which is in neverTouch of this host";

/* Whether the host keeps VM @n out of all that is done. */
static bool is_kept_out(struct gp_resolve *r, size_t n, struct gp_span at)
{
    const struct gp_vm *vm = &r->have->vms[n];
    struct gp_goal_vm *goal = &r->goal->vms[n];
    const bool never = forbidden(r, vm);

    if (!never && !keeps_never(r, vm, at))
        return false;
    goal->left_alone = never ? in_never : "which has a part of a GPU in neverTouch of this host";
    return true;
}

/* The partition that the record says was given to @vm, if somebody took the whole mark away: then the record makes up
 * for it. A mark that is there and does not fit tells of a copy, whatever the record says. */
static bool find_unmarked(struct gp_resolve *r, const struct gp_vm *vm, struct gp_spot *ret)
{
    const struct gp_applied *applied =
        gp_memory_applied(r->input->memory, gp_printf(r->mem, "vm/%s", vm->uuid));

    return !vm->mark && applied && gp_spot_of_symbol(r->have, applied->value, ret);
}

static bool any_stray(struct gp_resolve *r, const struct gp_hostdev *devs, size_t count, const struct gp_spot *own)
{
    for (size_t n = 0; n < count; n++) {
        struct gp_spot spot;

        if (devs[n].stray_mark &&
            !(own && gp_spot_of_device(r->have, devs[n].device, &spot) && gp_spot_eq(spot, *own)))
            return true;
    }
    return false;
}

static bool is_foreign(struct gp_resolve *r, const struct gp_vm *vm)
{
    struct gp_spot spot;
    const struct gp_spot *own = find_unmarked(r, vm, &spot) ? &spot : NULL;

    return any_stray(r, vm->persistent_devs, vm->persistent_count, own) ||
           any_stray(r, vm->live, vm->live_count, own) || (vm->mark && !vm->mark_fits);
}

bool gp_vm_is_ours(const struct gp_vm *vm)
{
    for (size_t n = 0; n < vm->persistent_count; n++)
        if (vm->persistent_devs[n].ours)
            return true;
    for (size_t n = 0; n < vm->live_count; n++)
        if (vm->live[n].ours)
            return true;
    return false;
}

static bool uuid_fits(struct gp_resolve *r, const struct gp_vm *vm, const struct gp_vm_decl *decl)
{
    const struct gp_vm *meant;

    if (!decl->uuid || gp_streq(decl->uuid, vm->uuid))
        return true;
    meant = gp_have_vm(r->have, decl->uuid);
    gp_resolve_find(r, "GP-D808", GP_LEVEL_ERROR, decl->at, gp_printf(r->mem, "vm/%s", vm->name),
                    "'%s' has UUID %s, not the pinned %s%s%s: it is not bound", vm->name, vm->uuid,
                    decl->uuid, meant ? ", which is now named " : "", meant ? meant->name : "");
    return false;
}

static void bind(struct gp_resolve *r, size_t n, const struct gp_binding_decl *binding,
                 const struct gp_vm_decl *decl)
{
    struct gp_goal_vm *goal = &r->goal->vms[n];

    r->wishes[n].binding = binding;
    r->wishes[n].decl = decl;
    r->wishes[n].pool = pool_of(r, binding->pool);
    goal->managed = true;
    goal->left_alone = NULL;
    goal->next_start = binding->next_start;
    goal->without_gpu = binding->without_gpu;
    goal->binding = binding->name;
    goal->pool = binding->pool;
    goal->stop = gp_stop_effective(&r->goal->policy.stop, &binding->stop);
    goal->cause = decl->at;
}

struct match {
    const struct gp_binding_decl *binding;
    const struct gp_vm_decl *decl;
};

/* By name: the order of the files must not decide what is said. */
static int compare_matches(const void *left, const void *right)
{
    const struct match *a = left, *b = right;

    return gp_strcmp(a->binding->name, b->binding->name);
}

static struct match *list_matches(struct gp_resolve *r, size_t n, size_t *ret_count)
{
    const struct gp_declaration *declaration = r->input->declaration;
    const struct gp_vm *vm = &r->have->vms[n];
    struct match *matches = NULL;

    *ret_count = 0;
    for (size_t b = 0; b < declaration->binding_count; b++) {
        const struct gp_binding_decl *binding = declaration->bindings[b];
        const struct gp_vm_decl *decl;

        if (!gp_streq(binding->cluster, r->cluster->name))
            continue;
        decl = line_for(r, binding, vm->name);
        if (!decl)
            continue;
        if (uuid_fits(r, vm, decl))
            *gp_push(r->mem, matches, *ret_count) = (struct match){binding, decl};
        else
            r->goal->vms[n].left_alone = "which has another UUID than its binding pins";
    }
    if (*ret_count)
        qsort(matches, *ret_count, sizeof *matches, compare_matches);
    return matches;
}

static void find_binding(struct gp_resolve *r, size_t n)
{
    const struct gp_vm *vm = &r->have->vms[n];
    struct gp_text names = {.mem = r->mem};
    size_t count;
    const struct match *matches = list_matches(r, n, &count);

    if (!count)
        return;
    if (forbidden(r, vm))
        gp_resolve_find(r, "GP-E406", GP_LEVEL_NOTE, matches[0].decl->at,
                        gp_printf(r->mem, "vm/%s", vm->name),
                        "'%s' is bound by '%s' but is in neverTouch of this host: it is left alone",
                        vm->name, matches[0].binding->name);
    if (is_kept_out(r, n, matches[0].decl->at))
        return;
    bind(r, n, matches[0].binding, matches[0].decl);
    if (count == 1)
        return;
    for (size_t m = 0; m < count; m++)
        gp_text_addf(&names, "%s'%s'", m ? " and by " : "", matches[m].binding->name);
    gp_resolve_block_vm(r, &r->goal->vms[n], "GP-E301", matches[1].decl->at,
                        "'%s' is bound by %s; a VM has one partition", vm->name, gp_text_get(&names));
}

static void check_bound(struct gp_resolve *r, size_t n)
{
    const struct gp_vm *vm = &r->have->vms[n];
    struct gp_goal_vm *goal = &r->goal->vms[n];
    const struct gp_wish *wish = &r->wishes[n];

    if (!wish->pool)
        gp_resolve_block_vm(r, goal, "GP-E212", wish->binding->pool_at, "cluster '%s' has no pool '%s'",
                            r->cluster->name, wish->binding->pool);
    if (wish->binding->gpu_count > 1)
        gp_resolve_block_vm(r, goal, "GP-E309", wish->binding->gpu_count_at,
                            "'%s' asks for %u GPUs a VM; one is what can be given", wish->binding->name,
                            (unsigned)wish->binding->gpu_count);
    if (!vm->persistent)
        gp_resolve_block_vm(r, goal, "GP-E507", goal->cause,
                            "'%s' is transient: it is gone once it is stopped, so nothing of it can be "
                            "changed",
                            vm->name);
}

/* The line that bound @vm under the name that it had when it was given its partition, or that pins its UUID. */
static const struct gp_vm_decl *line_of_old_name(struct gp_resolve *r, const struct gp_vm *vm, const char *old)
{
    const struct gp_declaration *declaration = r->input->declaration;

    for (size_t b = 0; b < declaration->binding_count; b++) {
        const struct gp_binding_decl *binding = declaration->bindings[b];

        for (size_t v = 0; gp_streq(binding->cluster, r->cluster->name) && v < binding->vm_count; v++) {
            const struct gp_vm_decl *decl = &binding->vms[v];

            if (here(r, decl) && (decl->uuid ? gp_streq(decl->uuid, vm->uuid) : old && names_vm(decl, old)))
                return decl;
        }
    }
    return NULL;
}

/* A guest that was renamed is no binding left out: git still names it, by a name that it has no more. */
static bool is_renamed(struct gp_resolve *r, size_t n)
{
    const struct gp_vm *vm = &r->have->vms[n];
    const struct gp_applied *applied =
        gp_memory_applied(r->input->memory, gp_printf(r->mem, "vm/%s", vm->uuid));
    const char *old = applied && !gp_streq(applied->who, vm->name) ? applied->who : NULL;
    const struct gp_vm_decl *decl = line_of_old_name(r, vm, old);

    if (!decl)
        return false;
    gp_resolve_find(r, "GP-D808", GP_LEVEL_ERROR, decl->at, gp_printf(r->mem, "vm/%s", vm->name),
                    "'%s' was renamed, and is bound as '%s': it keeps what it has, and is not touched until a "
                    "binding names it so, or none names '%s' any more",
                    vm->name, old ? old : decl->name, old ? old : decl->name);
    r->goal->vms[n].left_alone = "which was renamed";
    return true;
}

/* Without a binding, what is ours goes; on a drained host always, else where omission is said to remove. */
static void unbind(struct gp_resolve *r, size_t n)
{
    const struct gp_vm *vm = &r->have->vms[n];
    struct gp_goal_vm *goal = &r->goal->vms[n];

    if (forbidden(r, vm))
        goal->left_alone = in_never;
    if (goal->left_alone || !gp_vm_is_ours(vm) || !(r->goal->drained || r->goal->policy.prune_bindings) ||
        (!r->goal->drained && is_renamed(r, n)))
        return;
    goal->cause = r->goal->drained ? r->host->at : (struct gp_span){0};
    if (is_kept_out(r, n, goal->cause))
        return;
    goal->managed = true;
    r->goal->removed += !r->goal->drained;
    if (!vm->persistent)
        gp_resolve_block_vm(r, goal, "GP-E507", goal->cause, "'%s' is transient: it is gone once it is stopped",
                            vm->name);
    if (vm->untouchable)
        gp_resolve_block_untouchable(r, n);
}

/* What is wrong with the marks of @vm. */
static const char *describe_marks(struct gp_resolve *r, const struct gp_vm *vm)
{
    if (!vm->mark)
        return "has a hostdev with an alias of gpupart's, but no mark that says which and whose it is";
    return gp_printf(r->mem, "carries marks that were made for %s",
                     vm->mark->vm && !gp_streq(vm->mark->vm, vm->uuid) ? gp_printf(r->mem, "VM %s", vm->mark->vm)
                                                                       : "another host or device");
}

static void report_foreign(struct gp_resolve *r, size_t n)
{
    const struct gp_vm *vm = &r->have->vms[n];
    struct gp_goal_vm *goal = &r->goal->vms[n];
    struct gp_span at = goal->cause;
    const char *marks = describe_marks(r, vm);

    if (goal->managed)
        gp_resolve_block_vm(r, goal, "GP-D807", at,
                            "'%s' %s: it was copied or reverted, and is not touched until they are removed from "
                            "its definition",
                            vm->name, marks);
    else
        gp_resolve_find(r, "GP-D807", GP_LEVEL_WARNING, at, gp_printf(r->mem, "vm/%s", vm->name),
                        "'%s' %s: it is not touched", vm->name, marks);
}

static const char *nearest_vm(struct gp_resolve *r, const char *name)
{
    const char **names = gp_new_array(r->mem, const char *, r->have->vm_count + 1);

    for (size_t n = 0; n < r->have->vm_count; n++)
        names[n] = r->have->vms[n].name;
    return gp_nearest(name, names);
}

static void check_line(struct gp_resolve *r, const struct gp_binding_decl *binding,
                       const struct gp_vm_decl *decl)
{
    const char *near;

    if (!here(r, decl))
        return;
    for (size_t n = 0; n < r->have->vm_count; n++)
        if (names_vm(decl, r->have->vms[n].name))
            return;
    if (gp_glob_is(decl->name)) {
        gp_resolve_find(r, "GP-W305", decl->host ? GP_LEVEL_WARNING : GP_LEVEL_NOTE, decl->at,
                        gp_printf(r->mem, "pool/%s", binding->pool), "'%s' matches no VM of %s",
                        decl->name, r->input->agent->name);
        return;
    }
    /* Without a host it may well be defined on another one. */
    if (!decl->host)
        return;
    near = nearest_vm(r, decl->name);
    gp_resolve_find(r, "GP-E303", GP_LEVEL_ERROR, decl->at, gp_printf(r->mem, "vm/%s", decl->name),
                    "VM '%s' is not defined on %s%s%s%s", decl->name, decl->host,
                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

void gp_resolve_bindings(struct gp_resolve *r)
{
    const struct gp_declaration *declaration = r->input->declaration;

    for (size_t n = 0; n < r->have->vm_count; n++) {
        if (!r->goal->drained)
            find_binding(r, n);
        if (r->wishes[n].binding)
            check_bound(r, n);
        else
            unbind(r, n);
        r->goal->owned += gp_vm_is_ours(&r->have->vms[n]);
        if (is_foreign(r, &r->have->vms[n]))
            report_foreign(r, n);
    }
    if (r->goal->drained || r->have->vms_unknown)
        return;
    for (size_t b = 0; b < declaration->binding_count; b++)
        if (gp_streq(declaration->bindings[b]->cluster, r->cluster->name))
            for (size_t v = 0; v < declaration->bindings[b]->vm_count; v++)
                check_line(r, declaration->bindings[b], &declaration->bindings[b]->vms[v]);
}
