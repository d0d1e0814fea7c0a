/* Nobody moves without need: who keeps the partition that he has, or had. */
#include "resolve.h"

#include "text.h"

/* What ties a VM to a partition, strongest first: of two VMs that claim one, the stronger keeps it. A definition that
 * was reverted to an earlier one is not as the record says, and moves nobody else. */
enum tie { TIE_RUNNING, TIE_AS_RECORDED, TIE_OURS, TIE_BY_HAND, TIE_LIVE_ONLY, TIE_REMEMBERED, TIE_COUNT };

struct candidate {
    struct gp_spot spot;
    enum tie tie;
};

/* Its hostdevs of both definitions, the mark and the record: more are mistakes, told elsewhere. */
struct candidates {
    struct candidate *items;
    size_t count;
};

static void add(struct gp_resolve *r, struct candidates *list, struct gp_spot spot, enum tie tie)
{
    *gp_push(r->mem, list->items, list->count) = (struct candidate){spot, tie};
}

static void add_symbol(struct gp_resolve *r, struct candidates *list, const char *symbol)
{
    struct gp_spot spot;

    if (symbol && gp_spot_of_symbol(r->have, symbol, &spot))
        add(r, list, spot, TIE_REMEMBERED);
}

static bool is_live(struct gp_resolve *r, const struct gp_vm *vm, struct gp_spot spot)
{
    for (size_t n = 0; n < vm->live_count; n++) {
        struct gp_spot live;

        if (gp_spot_of_hostdev(r->have, vm, &vm->live[n], &live) && gp_spot_eq(live, spot))
            return true;
    }
    return false;
}

/* In the order in which the VM would have them. */
static struct candidates list_candidates(struct gp_resolve *r, const struct gp_vm *vm)
{
    const struct gp_applied *applied =
        gp_memory_applied(r->input->memory, gp_printf(r->mem, "vm/%s", vm->uuid));
    struct candidates list = {0};
    struct gp_spot spot, recorded;
    const bool is_recorded = applied && gp_spot_of_symbol(r->have, applied->value, &recorded);

    for (int ours = 1; ours >= 0; ours--)
        for (size_t n = 0; n < vm->persistent_count; n++)
            if (vm->persistent_devs[n].ours == ours &&
                gp_spot_of_hostdev(r->have, vm, &vm->persistent_devs[n], &spot))
                add(r, &list, spot, is_live(r, vm, spot)                               ? TIE_RUNNING
                                    : !ours                                           ? TIE_BY_HAND
                                    : is_recorded && gp_spot_eq(spot, recorded) ? TIE_AS_RECORDED
                                                                                      : TIE_OURS);
    /* All else would have to be written into its definition first. */
    if (vm->untouchable)
        return list;
    for (size_t n = 0; n < vm->live_count; n++)
        if (gp_spot_of_hostdev(r->have, vm, &vm->live[n], &spot))
            add(r, &list, spot, TIE_LIVE_ONLY);
    if (vm->mark && vm->mark_fits)
        add_symbol(r, &list, vm->mark->partition);
    if (applied)
        add_symbol(r, &list, applied->value);
    return list;
}

static bool kept_by_another(struct gp_resolve *r, size_t vm, struct gp_spot spot)
{
    for (size_t n = 0; n < r->goal->vm_count; n++)
        if (n != vm && r->wishes[n].kept && gp_spot_eq(spot, r->wishes[n].spot))
            return true;
    return false;
}

static bool named_by_another(struct gp_resolve *r, size_t vm, struct gp_spot spot)
{
    for (size_t n = 0; n < r->have->vm_count; n++)
        if (n != vm && gp_vm_names(r->have, &r->have->vms[n], spot))
            return true;
    return false;
}

/* Whether what another VM has, or keeps, would not let @vm run with @spot. */
static bool met_by_another(struct gp_resolve *r, size_t vm, struct gp_spot spot)
{
    for (size_t n = 0; n < r->have->vm_count; n++)
        if (n != vm && (gp_vm_meets(r->have, &r->have->vms[n], spot) ||
                        (r->wishes[n].kept && gp_spots_meet(r->have, spot, r->wishes[n].spot))))
            return true;
    return false;
}

static bool may_keep(struct gp_resolve *r, size_t vm, const struct candidate *candidate)
{
    struct gp_spot spot = candidate->spot;
    const struct gp_claim *claim = &r->claims[spot.gpu];
    struct gp_place_slot *slot;

    if (!gp_claim_is_of(claim, r->wishes[vm].pool) || kept_by_another(r, vm, spot))
        return false;
    if (candidate->tie == TIE_REMEMBERED && (spot.whole != claim->whole || met_by_another(r, vm, spot) ||
                                             gp_spot_held_by_stranger(r->have, spot)))
        return false;
    /* How a blocked GPU would be cut may not be known; it stays as it is, and so do its VMs. */
    if (r->goal->gpus[spot.gpu].blocked)
        return true;
    if (spot.whole != claim->whole)
        return false;
    slot = gp_claim_slot(claim, spot.index);
    return slot && slot->state != GP_SLOT_TAKEN;
}

static void keep(struct gp_resolve *r, size_t vm, struct gp_spot spot)
{
    struct gp_claim *claim = &r->claims[spot.gpu];
    struct gp_place_slot *slot = gp_claim_slot(claim, spot.index);
    const struct gp_goal_gpu *gpu = &r->goal->gpus[spot.gpu];
    struct gp_goal_vm *goal = &r->goal->vms[vm];
    const struct gp_wish *wish = &r->wishes[vm];

    r->wishes[vm].kept = true;
    r->wishes[vm].spot = spot;
    goal->gpu = gpu->id;
    goal->partition = spot.index;
    if (slot) {
        slot->state = GP_SLOT_TAKEN;
        slot->kept = true;
        claim->taken_count++;
    }
    if (gpu->blocked) {
        /* The GPU's own finding has told it. */
        goal->rule = gpu->rule;
        goal->blocked = gpu->blocked;
    } else if (!gp_claim_fits(claim, wish->binding)) {
        gp_resolve_block_vm(r, goal, "GP-E307", goal->cause,
                            "binding '%s' asks for other VRAM than a VM gets of %s (%u MiB)",
                            wish->binding->name, gpu->id, (unsigned)claim->vram_mib);
    }
}

/* What was given by hand stays where it is, so a VM that keeps something else has, or would get, a second. */
static void check_by_hand(struct gp_resolve *r, size_t n)
{
    const struct gp_vm *vm = &r->have->vms[n];
    struct gp_goal_vm *goal = &r->goal->vms[n];

    for (size_t d = 0; d < vm->persistent_count; d++) {
        const struct gp_hostdev *dev = &vm->persistent_devs[d];
        struct gp_spot spot;

        if (dev->ours || !gp_spot_of_device(r->have, dev->device, &spot))
            continue;
        if (r->wishes[n].kept && gp_spot_eq(spot, r->wishes[n].spot))
            continue;
        if (!gp_claim_is_of(&r->claims[spot.gpu], r->wishes[n].pool) || r->wishes[n].kept)
            gp_resolve_block_vm(r, goal, "GP-E301", goal->cause,
                                "'%s' was given %s by hand; a VM has one partition: take it away, or the "
                                "binding '%s'",
                                vm->name, gp_spot_text(r, spot), goal->binding);
        else if (named_by_another(r, n, spot))
            gp_resolve_block_vm(r, goal, "GP-E305", goal->cause,
                                "'%s' was given %s by hand, which another VM has too", vm->name,
                                gp_spot_text(r, spot));
        else
            gp_resolve_block_vm(r, goal, "GP-E206", goal->cause,
                                "'%s' was given %s by hand, which pool '%s' cannot leave there: take it away",
                                vm->name, gp_spot_text(r, spot), goal->pool);
    }
}

/* Another VM that is defined with what @n keeps is told of; if neither has our mark, nobody can say whose it is. */
static void check_shared(struct gp_resolve *r, size_t n)
{
    struct gp_goal_vm *goal = &r->goal->vms[n];
    struct gp_spot spot;

    if (!r->wishes[n].kept || !goal->managed || goal->blocked)
        return;
    spot = r->wishes[n].spot;
    for (size_t other = 0; other < r->have->vm_count; other++) {
        const struct gp_vm *vm = &r->have->vms[other];

        if (other == n || !gp_vm_names(r->have, vm, spot) || gp_resolve_is_leaving(r, other, spot))
            continue;
        if (!gp_vm_is_ours(&r->have->vms[n]))
            gp_resolve_block_vm(r, goal, "GP-E305", goal->cause, "'%s' and '%s' are both defined with %s",
                                goal->name, vm->name, gp_spot_text(r, spot));
        else
            gp_resolve_find(r, "GP-E305", GP_LEVEL_ERROR, goal->cause,
                            gp_printf(r->mem, "vm/%s", vm->name),
                            "'%s' is defined with %s, which belongs to '%s'", vm->name,
                            gp_spot_text(r, spot), goal->name);
    }
}

void gp_resolve_keep(struct gp_resolve *r)
{
    size_t count = r->have->vm_count;
    struct candidates *lists = gp_new_array(r->mem, struct candidates, count);

    for (size_t n = 0; n < count; n++)
        if (r->wishes[n].binding && !r->goal->vms[n].blocked)
            lists[n] = list_candidates(r, &r->have->vms[n]);
    for (enum tie tie = 0; tie < TIE_COUNT; tie++)
        for (size_t n = 0; n < count; n++)
            for (size_t c = 0; c < lists[n].count && !r->wishes[n].kept; c++)
                if (lists[n].items[c].tie == tie && may_keep(r, n, &lists[n].items[c]))
                    keep(r, n, lists[n].items[c].spot);
    for (size_t n = 0; n < count; n++)
        if (r->wishes[n].binding && r->goal->vms[n].managed && !r->goal->vms[n].blocked)
            check_by_hand(r, n);
}

void gp_resolve_shared(struct gp_resolve *r)
{
    for (size_t n = 0; n < r->have->vm_count; n++)
        check_shared(r, n);
}

bool gp_resolve_is_leaving(struct gp_resolve *r, size_t n, struct gp_spot spot)
{
    const struct gp_vm *vm = &r->have->vms[n];
    const struct gp_goal_vm *goal = &r->goal->vms[n];

    if (!goal->managed || goal->blocked)
        return false;
    /* It keeps what it had before somebody gave it this one. */
    if (r->wishes[n].kept)
        return vm->power == GP_POWER_OFF && !vm->untouchable && !gp_spot_eq(spot, r->wishes[n].spot);
    return (vm->power == GP_POWER_OFF && !vm->untouchable) ||
           (vm->power == GP_POWER_RUNNING && !vm->unstoppable && !goal->next_start);
}
