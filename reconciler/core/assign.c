/* Which partition each VM gets that has none to keep. */
#include "resolve.h"

#include "text.h"

static bool is_quarantined(struct gp_resolve *r, struct gp_spot spot)
{
    const struct gp_memory *memory = r->input->memory;
    const struct gp_partition *partition =
        spot.whole ? NULL : gp_gpu_partition(&r->have->gpus[spot.gpu], spot.index);

    return (partition && partition->quarantined) ||
           (memory && gp_strings_have(&memory->quarantined, gp_spot_text(r, spot)));
}

static void add_slot(struct gp_resolve *r, size_t gpu, uint32_t index, bool quarantined)
{
    struct gp_claim *claim = &r->claims[gpu];
    struct gp_place_slot *slot = gp_push(r->mem, claim->slots, claim->slot_count);

    slot->index = index;
    if (quarantined) {
        slot->state = GP_SLOT_TAKEN;
        claim->taken_count++;
    }
}

/* Which partitions there will be is the mechanism's to say: a layout that is there already, whoever made it,
 * may be on any of the GPU's VFs, and one that is not quite there keeps what it can. */
static void list_slots(struct gp_resolve *r, size_t n)
{
    const struct gp_claim *claim = &r->claims[n];
    const struct gp_gpu *after = claim->after;
    struct gp_spot spot = {n, 0, claim->whole};

    if (claim->whole) {
        add_slot(r, n, 0, is_quarantined(r, spot));
        return;
    }
    for (size_t p = 0; after && p < after->partition_count; p++) {
        const struct gp_partition *partition = &after->partitions[p];

        spot.index = partition->index;
        if (partition->live)
            add_slot(r, n, partition->index,
                     partition->quarantined ||
                         (is_quarantined(r, spot) && !gp_claim_makes_anew(claim, partition->index)));
    }
    /* Something is in the way now; when it is gone, they will be the first. */
    for (spot.index = 0; !after && spot.index < r->goal->gpus[n].want.count; spot.index++)
        add_slot(r, n, spot.index, is_quarantined(r, spot));
}

static void take(struct gp_claim *claim, struct gp_place_slot *slot, enum gp_slot_state state)
{
    if (slot->state < state) {
        claim->taken_count += state == GP_SLOT_TAKEN;
        slot->state = state;
    }
}

/* All that nobody else can run with beside @spot, which is that partition and whatever is in its IOMMU group. */
static void take_all(struct gp_resolve *r, struct gp_spot spot, enum gp_slot_state state)
{
    for (size_t gpu = 0; gpu < r->have->gpu_count; gpu++) {
        struct gp_claim *claim = &r->claims[gpu];

        for (size_t s = 0; s < claim->slot_count; s++)
            if (gp_spots_meet(r->have, spot, (struct gp_spot){gpu, claim->slots[s].index, claim->whole}))
                take(claim, &claim->slots[s], state);
    }
}

static void take_devices(struct gp_resolve *r, size_t n, const struct gp_hostdev *devs, size_t count)
{
    for (size_t d = 0; d < count; d++) {
        struct gp_spot spot;

        if (gp_spot_of_hostdev(r->have, &r->have->vms[n], &devs[d], &spot))
            take_all(r, spot, gp_resolve_is_leaving(r, n, spot) ? GP_SLOT_LEAVING : GP_SLOT_TAKEN);
    }
}

static void take_held_by_strangers(struct gp_resolve *r)
{
    for (size_t gpu = 0; gpu < r->have->gpu_count; gpu++) {
        struct gp_claim *claim = &r->claims[gpu];

        for (size_t s = 0; s < claim->slot_count; s++)
            if (gp_spot_held_by_stranger(r->have, (struct gp_spot){gpu, claim->slots[s].index, claim->whole}))
                take(claim, &claim->slots[s], GP_SLOT_TAKEN);
    }
}

/* Before anybody is given one. */
static void mark_taken(struct gp_resolve *r)
{
    for (size_t n = 0; n < r->have->vm_count; n++) {
        const struct gp_vm *vm = &r->have->vms[n];

        take_devices(r, n, vm->persistent_devs, vm->persistent_count);
        take_devices(r, n, vm->live, vm->live_count);
        if (r->wishes[n].kept)
            take_all(r, r->wishes[n].spot, GP_SLOT_TAKEN);
    }
    take_held_by_strangers(r);
}

static struct gp_place_slot *best_slot(const struct gp_claim *claim)
{
    struct gp_place_slot *best = NULL;

    for (size_t n = 0; n < claim->slot_count; n++) {
        struct gp_place_slot *slot = &claim->slots[n];

        if (slot->state != GP_SLOT_TAKEN && (!best || slot->state < best->state))
            best = slot;
    }
    return best;
}

static bool is_near(const struct gp_vm *vm, const struct gp_gpu *gpu)
{
    return !vm->numa_nodes ||
           (gpu->numa_node >= 0 && gpu->numa_node < 64 && vm->numa_nodes >> gpu->numa_node & 1);
}

/* Whether GPU @a is better for VM @vm than GPU @b, which comes before it by address. */
static bool is_better(struct gp_resolve *r, size_t vm, size_t a, size_t b)
{
    const struct gp_claim *one = &r->claims[a], *two = &r->claims[b];
    bool near_one = is_near(&r->have->vms[vm], &r->have->gpus[a]);
    bool near_two = is_near(&r->have->vms[vm], &r->have->gpus[b]);
    enum gp_slot_state state_one = best_slot(one)->state, state_two = best_slot(two)->state;

    if (state_one != state_two)
        return state_one < state_two;
    if (near_one != near_two)
        return near_one;
    if (one->pool->placement == GP_PLACEMENT_PACK)
        return one->taken_count > two->taken_count;
    return one->taken_count < two->taken_count;
}

/* What stands against a VM that finds no partition. */
struct lack {
    const struct gp_goal_gpu *blocked; /* the first blocked GPU of the pool */
    const struct gp_claim *misfit;     /* one whose partitions are not as the binding asks */
    size_t usable;                     /* GPUs whose partitions are merely taken */
};

static struct lack look_for_lack(struct gp_resolve *r, size_t vm)
{
    const struct gp_wish *wish = &r->wishes[vm];
    struct lack lack = {0};

    for (size_t n = 0; n < r->have->gpu_count; n++) {
        const struct gp_claim *claim = &r->claims[n];

        if (!claim->pool || !gp_claim_is_of(claim, wish->pool))
            continue;
        if (r->goal->gpus[n].blocked)
            lack.blocked = lack.blocked ? lack.blocked : &r->goal->gpus[n];
        else if (!gp_claim_fits(claim, wish->binding))
            lack.misfit = claim;
        else
            lack.usable++;
    }
    return lack;
}

/* Whether a guest could start with that device, now or when this pass is done: a GPU in a pool may be about to get the VF
 * of that address, and one in no pool is never changed. */
static bool is_there(struct gp_resolve *r, struct gp_device device)
{
    struct gp_gpu *gpu;
    struct gp_partition *partition;

    if (!gp_have_find(r->have, device, &gpu, &partition))
        return false;
    return !partition || partition->live || r->claims[gpu - r->have->gpus].pool;
}

/* Its device of a GPU that is gone: neither is the device there, nor is what now is in the GPU's place the pool's. NULL:
 * none. */
static const struct gp_hostdev *lost_device(struct gp_resolve *r, size_t n)
{
    const struct gp_vm *vm = &r->have->vms[n];

    for (size_t d = 0; d < vm->persistent_count; d++) {
        const struct gp_hostdev *dev = &vm->persistent_devs[d];
        struct gp_spot spot;

        if (dev->ours && !is_there(r, dev->device) &&
            (!gp_spot_of_hostdev(r->have, vm, dev, &spot) || !gp_claim_is_of(&r->claims[spot.gpu], r->wishes[n].pool)))
            return dev;
    }
    return NULL;
}

/* There is no partition for it. Where that is since its GPU is gone it keeps the device in its definition, which does
 * not start without it: a guest without the GPU that its user needs is up only where that was asked for. */
static void leave_without(struct gp_resolve *r, size_t vm)
{
    const struct gp_hostdev *lost = r->wishes[vm].binding->without_gpu ? NULL : lost_device(r, vm);
    struct gp_goal_vm *goal = &r->goal->vms[vm];

    if (!lost) {
        goal->pending = true;
        return;
    }
    gp_resolve_block_vm(r, goal, "GP-E201", goal->cause,
                        "the GPU of '%s' is gone, and there is no other for it: %s stays in its definition, so that it "
                        "does not start without a GPU (ifUnrestorable of binding '%s': stay-down)",
                        goal->name, gp_device_text(r->mem, lost->device), goal->binding);
}

static void assign(struct gp_resolve *r, size_t vm)
{
    const struct gp_wish *wish = &r->wishes[vm];
    struct gp_goal_vm *goal = &r->goal->vms[vm];
    size_t best = SIZE_MAX;
    struct gp_place_slot *slot;

    for (size_t n = 0; n < r->have->gpu_count; n++) {
        const struct gp_claim *claim = &r->claims[n];

        if (claim->pool != wish->pool || r->goal->gpus[n].blocked ||
            !gp_claim_fits(claim, wish->binding) || !best_slot(claim))
            continue;
        if (best == SIZE_MAX || is_better(r, vm, n, best))
            best = n;
    }
    if (best == SIZE_MAX) {
        leave_without(r, vm);
        return;
    }
    slot = best_slot(&r->claims[best]);
    take_all(r, (struct gp_spot){best, slot->index, r->claims[best].whole}, GP_SLOT_TAKEN);
    goal->gpu = r->goal->gpus[best].id;
    goal->partition = slot->index;
}

/* Whom no partition would do, whoever else has one: settled first, since such a VM keeps what it has. */
static void check_lack(struct gp_resolve *r, size_t vm)
{
    struct gp_goal_vm *goal = &r->goal->vms[vm];
    struct lack lack = look_for_lack(r, vm);

    if (lack.usable)
        return;
    if (lack.misfit) {
        gp_resolve_block_vm(r, goal, "GP-E307", goal->cause,
                            "binding '%s' asks for other VRAM than a VM gets of pool '%s' (%u MiB)",
                            goal->binding, goal->pool, (unsigned)lack.misfit->vram_mib);
    } else if (lack.blocked) {
        /* The GPU's own finding has told it. */
        goal->rule = lack.blocked->rule;
        goal->blocked = lack.blocked->blocked;
    }
}

static bool wants_one(struct gp_resolve *r, size_t vm)
{
    return r->wishes[vm].binding && !r->wishes[vm].kept && !r->goal->vms[vm].blocked;
}

static const char *list_valid(struct gp_resolve *r, const struct gp_pool_decl *pool)
{
    struct gp_text text = {.mem = r->mem};

    for (size_t n = 0; n < r->have->gpu_count; n++) {
        const struct gp_gpu *gpu = &r->have->gpus[n];
        uint32_t last = 0;

        if (r->claims[n].pool != pool || r->claims[n].whole || !gpu->valid_count)
            continue;
        gp_text_addf(&text, "; valid counts of %s:", gpu->id);
        for (size_t v = gpu->valid_count; v-- > 0;) {
            if (gpu->valid[v].count != last)
                gp_text_addf(&text, "%s %u", last ? "," : "", (unsigned)gpu->valid[v].count);
            last = gpu->valid[v].count;
        }
    }
    return gp_text_get(&text);
}

/* Two partitions of @pool that one VM at a time can have, so that fewer VMs than partitions get one; "": none. */
static const char *tell_group(struct gp_resolve *r, const struct gp_pool_decl *pool)
{
    for (size_t n = 0; n < r->have->gpu_count; n++)
        for (size_t s = 1; r->claims[n].pool == pool && s < r->claims[n].slot_count; s++)
            for (size_t other = 0; other < s; other++) {
                const struct gp_spot a = {n, r->claims[n].slots[other].index, false};
                const struct gp_spot b = {n, r->claims[n].slots[s].index, false};

                if (gp_spots_meet(r->have, a, b))
                    return gp_printf(r->mem, "; %s and %s are in one IOMMU group, and such partitions go to one VM",
                                     gp_spot_text(r, a), gp_spot_text(r, b));
            }
    return "";
}

static void report_pending(struct gp_resolve *r, const struct gp_pool_decl *pool)
{
    size_t wanted = 0, given = 0, partitions = 0;
    struct gp_text names = {.mem = r->mem};
    struct gp_span at = {0};

    for (size_t n = 0; n < r->have->vm_count; n++) {
        const struct gp_goal_vm *goal = &r->goal->vms[n];

        if (r->wishes[n].pool != pool || !goal->managed || goal->blocked)
            continue;
        wanted++;
        given += goal->gpu != NULL;
        if (!goal->pending)
            continue;
        if (!names.size)
            at = goal->cause;
        gp_text_addf(&names, "%s%s", names.size ? ", " : "", goal->name);
    }
    if (!names.size)
        return;
    for (size_t n = 0; n < r->have->gpu_count; n++)
        if (r->claims[n].pool == pool && !r->goal->gpus[n].blocked)
            partitions += r->claims[n].slot_count;
    gp_resolve_find(r, "GP-W306", GP_LEVEL_WARNING, at, gp_printf(r->mem, "pool/%s", pool->name),
                    "pool '%s' has %zu %s on %s, %zu of them for its %zu VMs; pending: %s%s%s", pool->name,
                    partitions, pool->mode == GP_MODE_PARTITIONED ? "partitions" : "GPUs",
                    r->input->agent->name, given, wanted, gp_text_get(&names), list_valid(r, pool), tell_group(r, pool));
}

/* Settles who keeps what. A GPU that cannot be cut anew for those who are on it lets them keep other
 * partitions than one that is cut, so each that shows begins it all again. */
static void settle(struct gp_resolve *r)
{
    struct gp_goal *goal = r->goal;
    const struct gp_goal_vm *vms = gp_memdup(r->mem, goal->vms, sizeof *goal->vms * goal->vm_count);
    const struct gp_wish *wishes = gp_memdup(r->mem, r->wishes, sizeof *r->wishes * goal->vm_count);
    size_t finding_count = goal->finding_count;
    bool again = true;

    while (again) {
        for (size_t n = 0; n < goal->vm_count; n++) {
            goal->vms[n] = vms[n];
            r->wishes[n] = wishes[n];
        }
        goal->finding_count = finding_count;
        for (size_t n = 0; n < goal->gpu_count; n++) {
            r->claims[n].slot_count = r->claims[n].taken_count = 0;
            r->claims[n].slots = NULL;
            if (r->claims[n].pool && !goal->gpus[n].blocked)
                list_slots(r, n);
        }
        gp_resolve_keep(r);
        for (size_t n = 0; n < goal->vm_count; n++)
            if (wants_one(r, n) && r->have->vms[n].untouchable)
                gp_resolve_block_untouchable(r, n);
            else if (wants_one(r, n))
                check_lack(r, n);
        gp_resolve_shared(r);
        again = false;
        for (size_t n = 0; n < goal->gpu_count && !again; n++) {
            size_t told = goal->finding_count;

            again = gp_resolve_reshape(r, n);
            if (again)
                goal->findings[finding_count++] = goal->findings[told];
        }
    }
}

void gp_resolve_assign(struct gp_resolve *r)
{
    settle(r);
    mark_taken(r);
    for (size_t n = 0; n < r->have->vm_count; n++)
        if (wants_one(r, n))
            assign(r, n);
    for (size_t n = 0; n < r->cluster->pool_count; n++)
        report_pending(r, &r->cluster->pools[n]);
}
