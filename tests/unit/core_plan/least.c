#include "least.h"

#include "text.h"
#include "world.h"

#include <string.h>

enum { SLOTS = LEAST_GPUS * 8, NONE = -1 };

/* What a VM can be given when all GPUs are as declared. */
struct slot {
    const char *pool;
    struct gp_device device;
    size_t gpu;
    bool named; /* by some VM: the others of a GPU are as good as each other */
};

struct search {
    struct gp_arena *mem;
    const struct gen_state *state;
    const struct gp_have *have; /* before anything is done */
    uint32_t stopped;           /* who, by place */
    struct slot slots[SLOTS];
    size_t slot_count;
    bool taken[SLOTS];
    int choice[LEAST_VMS]; /* a slot, or NONE */
    size_t tried;
};

/* ---- what is declared ---- */

static bool is_bound(const struct search *search, size_t v)
{
    return search->state->goal->vms[v].managed && search->state->goal->vms[v].binding;
}

static bool is_managed(const struct search *search, size_t v)
{
    return search->state->goal->vms[v].managed;
}

static bool is_running(const struct search *search, size_t v)
{
    return search->have->vms[v].power != GP_POWER_OFF;
}

static bool is_stopped(const struct search *search, size_t v)
{
    return search->stopped >> v & 1;
}

static bool has(const struct gp_hostdev *devs, size_t count, struct gp_device device)
{
    for (size_t n = 0; n < count; n++)
        if (gp_device_eq(devs[n].device, device))
            return true;
    return false;
}

/* ---- what comes of an assignment ---- */

/* Whether @v is defined with @device at the end: with what was given by hand, and what it is assigned. */
static bool ends_defined(const struct search *search, size_t v, struct gp_device device)
{
    const struct gp_vm *vm = &search->have->vms[v];

    for (size_t n = 0; n < vm->persistent_count; n++)
        if ((!vm->persistent_devs[n].ours || !is_managed(search, v)) &&
            gp_device_eq(vm->persistent_devs[n].device, device))
            return true;
    return is_bound(search, v) && search->choice[v] != NONE &&
           gp_device_eq(search->slots[search->choice[v]].device, device);
}

static bool ends_running_with(const struct search *search, size_t v, struct gp_device device)
{
    if (!is_running(search, v))
        return false;
    if (is_stopped(search, v))
        return ends_defined(search, v, device);
    return has(search->have->vms[v].live, search->have->vms[v].live_count, device);
}

static bool is_free_for(const struct search *search, size_t v, struct gp_device device)
{
    for (size_t other = 0; other < search->have->vm_count; other++)
        if (other != v && (ends_defined(search, other, device) || ends_running_with(search, other, device)))
            return false;
    return true;
}

/* A guest that is left running has what it would have if it were started anew: but for what waits for its next start. */
static bool is_right_as_it_runs(const struct search *search, size_t v)
{
    const struct gp_vm *vm = &search->have->vms[v];

    if (!is_managed(search, v) || search->state->goal->vms[v].next_start)
        return true;
    for (size_t n = 0; n < vm->live_count; n++) {
        bool ours = vm->live[n].ours;

        for (size_t d = 0; d < vm->persistent_count; d++)
            ours |= vm->persistent_devs[d].ours && gp_device_eq(vm->persistent_devs[d].device, vm->live[n].device);
        if (ours && !ends_defined(search, v, vm->live[n].device))
            return false;
    }
    return search->choice[v] == NONE || has(vm->live, vm->live_count, search->slots[search->choice[v]].device);
}

/* ---- the rules of an assignment ---- */

/* Where it is defined now, if that can be given to it; NONE: nowhere. */
static int place_of(const struct search *search, size_t v)
{
    const struct gp_vm *vm = &search->have->vms[v];

    for (size_t s = 0; s < search->slot_count; s++)
        if (gp_streq(search->slots[s].pool, search->state->goal->vms[v].pool) &&
            has(vm->persistent_devs, vm->persistent_count, search->slots[s].device))
            return (int)s;
    return NONE;
}

static bool keeps(const struct search *search, size_t v)
{
    const struct gp_vm *vm = &search->have->vms[v];

    return search->choice[v] != NONE &&
           (search->choice[v] == place_of(search, v) ||
            has(vm->live, vm->live_count, search->slots[search->choice[v]].device));
}

/* Whether it gives up all that it has, and when this is done at that. */
static bool leaves(const struct search *search, size_t v)
{
    const struct gp_vm *vm = &search->have->vms[v];

    return is_managed(search, v) && !keeps(search, v) &&
           (!is_running(search, v) || (!vm->unstoppable && !search->state->goal->vms[v].next_start));
}

/* Taken is what somebody has now, in whichever way, who does not leave. */
static bool is_taken(const struct search *search, size_t v, struct gp_device device)
{
    for (size_t other = 0; other < search->have->vm_count; other++) {
        const struct gp_vm *vm = &search->have->vms[other];

        if (other != v && !leaves(search, other) &&
            (has(vm->persistent_devs, vm->persistent_count, device) || has(vm->live, vm->live_count, device)))
            return true;
    }
    return false;
}

static bool could_get_one(const struct search *search, size_t v)
{
    for (size_t s = 0; s < search->slot_count; s++)
        if (!search->taken[s] && gp_streq(search->slots[s].pool, search->state->goal->vms[v].pool) &&
            !is_taken(search, v, search->slots[s].device) && is_free_for(search, v, search->slots[s].device))
            return true;
    return false;
}

/* Nobody waits while something is free, and who waits is the last by name of those who have nothing to keep. */
static bool is_fair(const struct search *search)
{
    for (size_t v = 0; v < search->have->vm_count; v++) {
        if (!is_bound(search, v) || search->choice[v] != NONE)
            continue;
        if (could_get_one(search, v))
            return false;
        for (size_t later = v + 1; later < search->have->vm_count; later++)
            if (is_bound(search, later) && search->choice[later] != NONE && !keeps(search, later) &&
                gp_streq(search->state->goal->vms[later].pool, search->state->goal->vms[v].pool))
                return false;
    }
    return true;
}

/* What it has already is not given to it, though others may have it too. */
static bool is_given_what_is_free(const struct search *search, size_t v)
{
    const struct gp_vm *vm = &search->have->vms[v];
    struct gp_device device;

    if (!is_bound(search, v) || search->choice[v] == NONE)
        return true;
    device = search->slots[search->choice[v]].device;
    return has(vm->persistent_devs, vm->persistent_count, device) || is_free_for(search, v, device);
}

/* A guest that is started finds all that it is defined with, and nobody else has it. */
static bool starts(const struct search *search, size_t v)
{
    for (size_t s = 0; s < search->slot_count; s++)
        for (size_t other = 0; other < search->have->vm_count; other++)
            if (other != v && ends_defined(search, v, search->slots[s].device) &&
                ends_running_with(search, other, search->slots[s].device))
                return false;
    return true;
}

static bool holds(const struct search *search)
{
    for (size_t v = 0; v < search->have->vm_count; v++) {
        if (!is_given_what_is_free(search, v) || (is_stopped(search, v) && !starts(search, v)))
            return false;
        if (is_running(search, v) && !is_stopped(search, v) && !is_right_as_it_runs(search, v))
            return false;
    }
    return is_fair(search);
}

static bool assign_from(struct search *search, size_t v);

static bool try_choice(struct search *search, size_t v, int choice)
{
    bool found;

    search->choice[v] = choice;
    if (choice != NONE)
        search->taken[choice] = true;
    found = assign_from(search, v + 1);
    if (choice != NONE)
        search->taken[choice] = false;
    return found;
}

/* Whether some assignment of the VMs from @v on holds. */
static bool assign_from(struct search *search, size_t v)
{
    bool fresh[LEAST_GPUS] = {false};
    int place;

    if (v == search->have->vm_count) {
        search->tried++;
        return holds(search);
    }
    if (!is_bound(search, v))
        return try_choice(search, v, NONE);
    place = place_of(search, v);
    if (place != NONE) /* nobody is moved who need not be */
        return !search->taken[place] && try_choice(search, v, place);
    for (size_t s = 0; s < search->slot_count; s++) {
        const struct slot *slot = &search->slots[s];

        if (search->taken[s] || !gp_streq(slot->pool, search->state->goal->vms[v].pool) ||
            (!slot->named && fresh[slot->gpu]))
            continue;
        fresh[slot->gpu] |= !slot->named;
        if (try_choice(search, v, (int)s))
            return true;
    }
    return try_choice(search, v, NONE);
}

/* ---- what can be done once some are stopped ---- */

static const char *cut(struct world *world, const struct gp_gpu *gpu, const struct gp_layout *want)
{
    const struct gp_mechanism *mechanism = world->mechanism(gpu->mechanism);
    struct gp_steps steps = {.mem = world->mem};
    const char *refused = NULL;
    struct gp_error *err;

    if (mechanism->matches(gpu, want))
        return NULL;
    err = mechanism->plan(gpu, want, &steps);
    gp_error_free(err);
    if (err)
        return "its mechanism knows no way";
    for (size_t n = 0; !refused && n < steps.count; n++)
        refused = world_do(world, &steps.items[n]);
    return refused;
}

/* NULL if the GPUs can be as declared with those stopped. */
static const char *prepare(struct search *search, struct world *world)
{
    const struct gp_goal *goal = search->state->goal;
    const char *refused = NULL;

    for (size_t v = 0; !refused && v < search->have->vm_count; v++)
        if (is_stopped(search, v))
            refused = world_do(world, &(struct gp_step){.kind = GP_STEP_STOP_VM, .vm = search->have->vms[v].uuid});
    for (size_t g = 0; !refused && g < goal->gpu_count; g++)
        if (goal->gpus[g].managed)
            refused = cut(world, &world->have->gpus[g], &goal->gpus[g].want);
    gen_observe(world->mem, world->have);
    return refused;
}

static bool is_named(const struct search *search, struct gp_device device)
{
    for (size_t v = 0; v < search->have->vm_count; v++) {
        const struct gp_vm *vm = &search->have->vms[v];

        if (has(vm->persistent_devs, vm->persistent_count, device) || has(vm->live, vm->live_count, device))
            return true;
    }
    return false;
}

static void add_slot(struct search *search, size_t gpu, struct gp_device device)
{
    search->slots[search->slot_count++] = (struct slot){
        .pool = search->state->goal->gpus[gpu].pool->name,
        .device = device,
        .gpu = gpu,
        .named = is_named(search, device),
    };
}

static void list_slots(struct search *search, const struct gp_have *after)
{
    for (size_t g = 0; g < after->gpu_count; g++) {
        const struct gp_gpu *gpu = &after->gpus[g];

        if (!search->state->goal->gpus[g].managed || !search->state->goal->gpus[g].pool)
            continue;
        if (gpu->mode == GP_MODE_PASSTHROUGH)
            add_slot(search, g, (struct gp_device){.kind = GP_DEVICE_PCI, .pci = gpu->address});
        for (size_t p = 0; gpu->mode == GP_MODE_PARTITIONED && p < gpu->partition_count; p++)
            if (gpu->partitions[p].live)
                add_slot(search, g, gpu->partitions[p].device);
    }
}

static bool reaches(struct gp_arena *mem, const struct gen_state *state, uint32_t stops, size_t *ret_tried)
{
    struct world world = gen_world(mem, state);
    struct search search = {.mem = mem, .state = state, .have = state->have, .stopped = stops};
    bool found;

    if (prepare(&search, &world))
        return false;
    list_slots(&search, world.have);
    found = assign_from(&search, 0);
    *ret_tried += search.tried;
    return found;
}

bool least_reaches(struct gp_arena *mem, const struct gen_state *state, uint32_t stops)
{
    size_t tried = 0;

    return reaches(mem, state, stops, &tried);
}

/* Only who runs, and who is ours in some way, may be stopped at all. */
static bool may_stop(const struct gen_state *state, uint32_t stops)
{
    for (size_t v = 0; v < state->have->vm_count; v++) {
        const struct gp_vm *vm = &state->have->vms[v];
        bool ours = state->goal->vms[v].managed;

        for (size_t n = 0; n < vm->live_count; n++)
            ours |= vm->live[n].ours;
        if ((stops >> v & 1) && (!ours || vm->power == GP_POWER_OFF))
            return false;
    }
    return true;
}

struct least least_stops(struct gp_arena *mem, const struct gen_state *state)
{
    const uint32_t all = 1U << state->have->vm_count;
    struct least least = {0};

    for (uint32_t size = 0; size <= state->have->vm_count; size++)
        for (uint32_t stops = 0; stops < all; stops++) {
            if ((uint32_t)__builtin_popcount(stops) != size || !may_stop(state, stops))
                continue;
            least.subsets++;
            if (!reaches(mem, state, stops, &least.assignments))
                continue;
            least.reachable = true;
            least.stops = size;
            return least;
        }
    return least;
}
