/* From a declaration and a look at the host to the goal: what each GPU and VM shall be, and what may not. */
#include "resolve.h"

#include "text.h"

/* A stop that was ours is owed a start, from the moment the VM is down. */
static bool start_owed(const struct gp_memory *memory, const struct gp_vm *vm)
{
    for (size_t n = 0; memory && n < memory->owed_count; n++)
        if (gp_streq(memory->owed[n].vm, vm->uuid))
            return !memory->owed[n].stop_requested || vm->power == GP_POWER_OFF;
    return false;
}

static void list_objects(struct gp_resolve *r)
{
    const struct gp_have *have = r->have;
    struct gp_goal *goal = r->goal;

    goal->gpus = gp_new_array(r->mem, struct gp_goal_gpu, have->gpu_count);
    goal->gpu_count = have->gpu_count;
    for (size_t n = 0; n < have->gpu_count; n++)
        goal->gpus[n].id = have->gpus[n].id;
    goal->vms = gp_new_array(r->mem, struct gp_goal_vm, have->vm_count);
    goal->vm_count = have->vm_count;
    for (size_t n = 0; n < have->vm_count; n++) {
        const struct gp_vm *vm = &have->vms[n];

        goal->vms[n] = (struct gp_goal_vm){
            .uuid = vm->uuid,
            .name = vm->name,
            .run = vm->power == GP_POWER_RUNNING || vm->power == GP_POWER_PAUSED ||
                   start_owed(r->input->memory, vm),
            .stop = goal->policy.stop,
        };
    }
}

static void list_units(struct gp_resolve *r)
{
    for (size_t n = 0; n < r->have->unit_count; n++) {
        const struct gp_unit *unit = &r->have->units[n];

        *gp_push(r->mem, r->goal->units, r->goal->unit_count) = (struct gp_goal_unit){
            .name = unit->name,
            .run = unit->state == GP_UNIT_ACTIVE ||
                   (r->input->memory && gp_strings_have(&r->input->memory->owed_units, unit->name)),
        };
    }
}

/* Nothing that is known about partitions holds while it is not known who uses them. */
static void block_unknown(struct gp_resolve *r)
{
    const char *why = gp_printf(r->mem, "the VMs of this host are not known (%s), so any may hold it",
                                r->have->vms_reason ? r->have->vms_reason : "libvirt did not answer");

    for (size_t n = 0; n < r->goal->gpu_count; n++)
        if (!r->goal->gpus[n].blocked) {
            r->goal->gpus[n].rule = "GP-E506";
            r->goal->gpus[n].blocked = why;
        }
    for (size_t n = 0; n < r->goal->vm_count; n++)
        if (!r->goal->vms[n].blocked) {
            r->goal->vms[n].rule = "GP-E506";
            r->goal->vms[n].blocked = why;
        }
    gp_resolve_find(r, "GP-E506", GP_LEVEL_ERROR, (struct gp_span){0}, "host",
                    "the VMs of this host are not known (%s): nothing is changed",
                    r->have->vms_reason ? r->have->vms_reason : "libvirt did not answer");
}

enum { REMOVALS_ALWAYS_ALLOWED = 3, REMOVALS_ALLOWED_OF = 4 };

/* A file lost by mistake looks like the wish to take the GPU from everybody. */
static void guard_removal(struct gp_resolve *r)
{
    struct gp_goal *goal = r->goal;

    if (goal->removed <= REMOVALS_ALWAYS_ALLOWED ||
        (uint64_t)goal->removed * REMOVALS_ALLOWED_OF <= goal->owned ||
        goal->removed <= r->input->allowed_removal)
        return;
    goal->refused = !r->input->removal_warns;
    gp_resolve_find(r, "GP-E311", goal->refused ? GP_LEVEL_ERROR : GP_LEVEL_WARNING, (struct gp_span){0}, "host",
                    "%u of the %u bindings of this host are gone from the declaration; if that is "
                    "meant, the commit's message says 'Gpupart-Allow-Removal: %u'",
                    (unsigned)goal->removed, (unsigned)goal->owned, (unsigned)goal->removed);
    if (!goal->refused)
        return;
    for (size_t n = 0; n < goal->gpu_count; n++)
        if (goal->gpus[n].managed && !goal->gpus[n].blocked) {
            goal->gpus[n].rule = "GP-E311";
            goal->gpus[n].blocked = "the commit removes too many bindings";
        }
    for (size_t n = 0; n < goal->vm_count; n++)
        if (goal->vms[n].managed && !goal->vms[n].blocked) {
            goal->vms[n].rule = "GP-E311";
            goal->vms[n].blocked = "the commit removes too many bindings";
        }
}

struct gp_goal *gp_resolve(struct gp_arena *mem, const struct gp_resolve_input *input)
{
    struct gp_resolve r = {
        .mem = mem,
        .input = input,
        .have = input->have,
        .goal = gp_new(mem, struct gp_goal),
    };

    r.goal->commit = input->declaration->commit;
    r.claims = gp_new_array(mem, struct gp_claim, input->have->gpu_count);
    r.wishes = gp_new_array(mem, struct gp_wish, input->have->vm_count);
    gp_resolve_host(&r);
    r.goal->policy = gp_policy_effective(r.cluster, input->agent);
    list_objects(&r);
    list_units(&r);
    if (r.cluster) {
        gp_resolve_never(&r);
        if (!r.goal->drained)
            gp_resolve_pools(&r);
        gp_resolve_bindings(&r);
        gp_resolve_assign(&r);
        gp_resolve_guests(&r);
        guard_removal(&r);
    }
    if (input->have->vms_unknown)
        block_unknown(&r);
    gp_findings_sort(r.goal->findings, &r.goal->finding_count);
    return r.goal;
}
