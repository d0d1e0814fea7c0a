/* What becomes of each VM: which edits, whether it must stop for them or for its GPU, whether it
 * starts. */
#include "planner.h"

#include "text.h"

struct gp_place gp_planner_place(const struct gp_planner *planner, struct gp_device device)
{
    for (size_t g = 0; device.kind != GP_DEVICE_NONE && g < planner->gpu_count; g++) {
        const struct gp_gpu *gpu = planner->gpus[g].gpu;

        if (device.kind == GP_DEVICE_PCI && gp_pci_compare(device.pci, gpu->address) == 0)
            return (struct gp_place){(int32_t)g, -1};
        for (size_t p = 0; p < gpu->partition_count; p++)
            if (gp_device_eq(gpu->partitions[p].device, device))
                return (struct gp_place){(int32_t)g, (int32_t)p};
    }
    return (struct gp_place){-1, -1};
}

static int32_t group_at(const struct gp_planner *planner, struct gp_place place)
{
    const struct gp_gpu *gpu = place.gpu < 0 ? NULL : planner->gpus[place.gpu].gpu;

    return !gpu ? -1 : place.part < 0 ? gpu->group : gpu->partitions[place.part].group;
}

bool gp_planner_share_group(const struct gp_planner *planner, struct gp_place a, struct gp_place b)
{
    const int32_t group = group_at(planner, a);

    return group >= 0 && group_at(planner, b) == group;
}

const char *gp_planner_device_name(const struct gp_planner *planner, struct gp_device device)
{
    const struct gp_place place = gp_planner_place(planner, device);

    if (place.gpu < 0)
        return gp_device_text(planner->mem, device);
    if (place.part < 0)
        return planner->gpus[place.gpu].gpu->id;
    return gp_partition_symbol(planner->mem, planner->gpus[place.gpu].gpu->id,
                               planner->gpus[place.gpu].gpu->partitions[place.part].index);
}

bool gp_work_vm_acts(const struct gp_work_vm *vm)
{
    return vm->edit_count || vm->stop || vm->start;
}

const char *gp_work_vm_unstoppable(const struct gp_work_vm *vm)
{
    if (vm->vm->unstoppable)
        return vm->vm->unstoppable;
    if (vm->vm->power == GP_POWER_PAUSED)
        return "it is paused";
    if (vm->vm->power == GP_POWER_OTHER)
        return "it is neither running nor off";
    return vm->vm->persistent ? NULL : "it is transient and would be gone";
}

static bool is_running(const struct gp_work_vm *vm)
{
    return vm->vm->power != GP_POWER_OFF;
}

/* ---- looking ---- */

/* Between waves no more is done than was allowed, though more might be possible by then. */
static void take_wish(struct gp_planner *planner, struct gp_work_vm *vm)
{
    const struct gp_set *within = planner->input->within;
    const char *uuid = vm->vm->uuid;

    if (!vm->goal || (within && !gp_strings_have(&within->vms, uuid)))
        return;
    vm->run = vm->goal->run;
    vm->managed = vm->goal->managed && planner->goal->declared;
    if (!within || !planner->goal->cluster)
        return;
    vm->run &= !gp_strings_have(&within->not_started, uuid);
    vm->managed &= !gp_strings_have(&within->only_start, uuid);
}

static const struct gp_goal_vm *goal_of(const struct gp_goal *goal, size_t hint, const char *uuid)
{
    if (hint < goal->vm_count && gp_streq(goal->vms[hint].uuid, uuid))
        return &goal->vms[hint];
    for (size_t n = 0; n < goal->vm_count; n++)
        if (gp_streq(goal->vms[n].uuid, uuid))
            return &goal->vms[n];
    return NULL;
}

static struct gp_place *places_of(const struct gp_planner *planner, const struct gp_hostdev *devs,
                                  size_t count)
{
    struct gp_place *places = gp_new_array(planner->mem, struct gp_place, count + 1);

    for (size_t n = 0; n < count; n++)
        places[n] = gp_planner_place(planner, devs[n].device);
    return places;
}

static void count_user(struct gp_planner *planner, struct gp_place place)
{
    struct gp_work_gpu *gpu;

    if (place.gpu < 0)
        return;
    gpu = &planner->gpus[place.gpu];
    if (place.part < 0)
        gpu->whole_users++;
    else
        gpu->live_users[place.part]++;
}

static int32_t gpu_index(const struct gp_planner *planner, const char *id)
{
    for (size_t n = 0; n < planner->gpu_count; n++)
        if (gp_streq(planner->gpus[n].gpu->id, id))
            return (int32_t)n;
    return -1;
}

void gp_planner_look_at_vms(struct gp_planner *planner)
{
    planner->vm_count = planner->have->vms_unknown ? 0 : planner->have->vm_count;
    planner->vms = gp_new_array(planner->mem, struct gp_work_vm, planner->vm_count + 1);
    for (size_t n = 0; n < planner->vm_count; n++) {
        struct gp_work_vm *work = &planner->vms[n];
        const struct gp_vm *vm = &planner->have->vms[n];

        work->vm = vm;
        work->goal = goal_of(planner->goal, n, vm->uuid);
        take_wish(planner, work);
        if (work->goal && work->goal->rule)
            work->block = (struct gp_block){work->goal->rule,
                                            work->goal->blocked ? work->goal->blocked : "", true};
        work->live = places_of(planner, vm->live, vm->live_count);
        work->persistent = places_of(planner, vm->persistent_devs, vm->persistent_count);
        work->edits = gp_new_array(planner->mem, struct gp_edit_step, vm->persistent_count + 1);
        work->final = gp_new_array(planner->mem, struct gp_device, vm->persistent_count + 1);
        for (size_t d = 0; is_running(work) && d < vm->live_count; d++)
            count_user(planner, work->live[d]);
    }
}

/* ---- what it wants ---- */

static bool gpu_is_whole(const struct gp_work_gpu *gpu)
{
    const enum gp_mode mode =
        gpu->managed && !gpu->goal->rule ? gpu->goal->want.mode : gpu->gpu->mode;

    return mode == GP_MODE_PASSTHROUGH;
}

/* Sets want_gpu, want_part, to and lacks. */
static void think_wish(const struct gp_planner *planner, struct gp_work_vm *vm)
{
    const struct gp_goal_vm *goal = vm->goal;
    const struct gp_work_gpu *work;
    const struct gp_gpu *gpu;
    const struct gp_partition *partition;

    vm->want_gpu = -1;
    vm->want_part = -1;
    vm->to = (struct gp_device){.kind = GP_DEVICE_NONE};
    vm->lacks = false;
    if (!vm->managed || !goal->gpu || goal->pending)
        return;
    vm->lacks = goal->lost.kind != GP_DEVICE_NONE;
    if (vm->lacks)
        return;
    vm->want_gpu = gpu_index(planner, goal->gpu);
    if (vm->want_gpu < 0) {
        vm->lacks = true;
        return;
    }
    work = &planner->gpus[vm->want_gpu];
    gpu = gp_work_gpu_world(work);
    if (gpu_is_whole(work)) {
        vm->to = (struct gp_device){.kind = GP_DEVICE_PCI, .pci = gpu->address};
        vm->lacks = gpu->mode != GP_MODE_PASSTHROUGH;
        return;
    }
    vm->want_part = goal->partition;
    partition = gp_gpu_partition(gpu, goal->partition);
    if (!partition || !partition->live)
        vm->lacks = true;
    else if (partition->device.kind == GP_DEVICE_NONE)
        vm->to = gp_device_placeholder(planner->mem, gpu->id, partition->index);
    else
        vm->to = partition->device;
}

/* ---- edits ---- */

static void add_edit(struct gp_work_vm *vm, enum gp_step_kind kind, size_t dev)
{
    struct gp_edit_step *edit = &vm->edits[vm->edit_count++];

    *edit = (struct gp_edit_step){.kind = kind, .from_place = {-1, -1}};
    if (dev < vm->vm->persistent_count) {
        edit->from = vm->vm->persistent_devs[dev].device;
        edit->from_place = vm->persistent[dev];
    }
    if (kind != GP_STEP_DETACH)
        edit->to = vm->to;
}

/* Which of its hostdevs names the wanted partition already: ours first; count if none does. */
static size_t find_wanted(const struct gp_work_vm *vm)
{
    const struct gp_vm *have = vm->vm;
    size_t found = have->persistent_count;

    for (size_t n = 0; n < have->persistent_count; n++) {
        if (!gp_device_eq(have->persistent_devs[n].device, vm->to))
            continue;
        if (have->persistent_devs[n].ours)
            return n;
        if (found == have->persistent_count)
            found = n;
    }
    return found;
}

static bool mark_is_stale(const struct gp_planner *planner, const struct gp_work_vm *vm)
{
    const struct gp_mark *mark = vm->vm->mark;
    const char *symbol = planner->gpus[vm->want_gpu].gpu->id;

    if (!mark)
        return true;
    if (vm->want_part >= 0)
        symbol = gp_partition_symbol(planner->mem, symbol, (uint32_t)vm->want_part);
    return !gp_streq(mark->partition, symbol) ||
           (vm->goal->binding && !gp_streq(mark->binding, vm->goal->binding)) ||
           (vm->goal->pool && !gp_streq(mark->pool, vm->goal->pool));
}

static void think_edits(const struct gp_planner *planner, struct gp_work_vm *vm)
{
    const struct gp_vm *have = vm->vm;
    const size_t none = have->persistent_count;
    size_t wanted;
    bool placed;

    vm->edit_count = 0;
    if (!vm->managed || vm->block.rule || vm->lacks)
        return;
    wanted = vm->want_gpu >= 0 ? find_wanted(vm) : none;
    placed = vm->want_gpu < 0 || wanted < none;
    for (size_t n = 0; n < none; n++) {
        if (!have->persistent_devs[n].ours || n == wanted)
            continue;
        add_edit(vm, placed ? GP_STEP_DETACH : GP_STEP_REBIND, n);
        placed = true;
    }
    if (!placed)
        add_edit(vm, GP_STEP_ATTACH, none);
    /* The way back leaves by hand what was made by hand. */
    if (wanted < none && planner->goal->cluster &&
        (!have->persistent_devs[wanted].ours || mark_is_stale(planner, vm)))
        add_edit(vm, GP_STEP_MARK, wanted);
}

static void think_final(struct gp_work_vm *vm)
{
    vm->final_count = 0;
    for (size_t n = 0; n < vm->vm->persistent_count; n++) {
        struct gp_device device = vm->vm->persistent_devs[n].device;
        bool leaves = false;

        for (size_t e = 0; e < vm->edit_count; e++)
            leaves |= vm->edits[e].kind != GP_STEP_MARK && vm->edits[e].kind != GP_STEP_ATTACH &&
                      gp_device_eq(vm->edits[e].from, device) && vm->vm->persistent_devs[n].ours;
        if (!leaves)
            vm->final[vm->final_count++] = device;
    }
    for (size_t e = 0; e < vm->edit_count; e++)
        if (vm->edits[e].kind == GP_STEP_ATTACH || vm->edits[e].kind == GP_STEP_REBIND)
            vm->final[vm->final_count++] = vm->edits[e].to;
}

/* ---- stops ---- */

bool gp_work_vm_ends_defined_with(const struct gp_work_vm *vm, struct gp_device device)
{
    for (size_t n = 0; n < vm->final_count; n++)
        if (gp_device_eq(vm->final[n], device))
            return true;
    return false;
}

bool gp_work_vm_ends_on(const struct gp_work_vm *vm, const struct gp_work_gpu *gpu)
{
    const struct gp_gpu *world = gp_work_gpu_world(gpu);

    for (size_t n = 0; n < world->partition_count; n++)
        if (world->partitions[n].live && gp_work_vm_ends_defined_with(vm, world->partitions[n].device))
            return true;
    return false;
}

/* By its own mark, or because it is what its definition has of us. */
static bool live_is_ours(const struct gp_work_vm *vm, size_t live)
{
    for (size_t n = 0; n < vm->vm->persistent_count; n++)
        if (vm->vm->persistent_devs[n].ours &&
            gp_device_eq(vm->vm->persistent_devs[n].device, vm->vm->live[live].device))
            return true;
    return vm->vm->live[live].ours;
}

/* Whether starting it anew would give it nothing else. */
static bool live_is_right(const struct gp_work_vm *vm)
{
    bool there = vm->want_gpu < 0;

    for (size_t n = 0; n < vm->vm->live_count; n++) {
        if (vm->want_gpu >= 0 && gp_device_eq(vm->vm->live[n].device, vm->to))
            there = true;
        else if (live_is_ours(vm, n) && !gp_work_vm_ends_defined_with(vm, vm->vm->live[n].device))
            return false;
    }
    return there;
}

static void think_stop(const struct gp_planner *planner, struct gp_work_vm *vm)
{
    vm->stop = 0;
    vm->stop_gpu = -1;
    if (!is_running(vm))
        return;
    for (size_t g = 0; g < planner->gpu_count; g++) {
        const struct gp_work_gpu *gpu = &planner->gpus[g];

        for (size_t n = 0; gp_work_gpu_acts(gpu) && n < vm->vm->live_count; n++)
            if (gp_work_gpu_disturbs(planner, gpu, vm->live[n])) {
                vm->stop |= gpu->reach == GP_REACH_HOST ? GP_WHY_HOST : GP_WHY_GPU;
                if (vm->stop_gpu < 0)
                    vm->stop_gpu = (int32_t)g;
            }
    }
    if (vm->managed && !vm->block.rule && !vm->lacks && !vm->goal->next_start && !live_is_right(vm))
        vm->stop |= GP_WHY_OWN;
}

bool gp_work_vm_ends_holding(const struct gp_work_vm *vm, struct gp_device device)
{
    const bool anew = vm->stop || (!is_running(vm) && vm->start);

    if (anew && !vm->start)
        return false;
    for (size_t n = 0; anew && n < vm->final_count; n++)
        if (gp_device_eq(vm->final[n], device))
            return true;
    for (size_t n = 0; !anew && is_running(vm) && n < vm->vm->live_count; n++)
        if (gp_device_eq(vm->vm->live[n].device, device))
            return true;
    return false;
}

/* ---- whether what it is defined with will be there ---- */

const char *gp_planner_stranger(const struct gp_planner *planner, struct gp_place place)
{
    const struct gp_work_gpu *gpu = &planner->gpus[place.gpu];
    const struct gp_partition *partition = place.part < 0 ? NULL : &gpu->gpu->partitions[place.part];
    const enum gp_held held = partition ? partition->held : gpu->gpu->held;

    if (held == GP_HELD_NO || gp_work_gpu_is_in_vm(gpu, place.part))
        return NULL;
    /* Where the GPU's own steps need it free, that was asked of them. */
    if (partition && gp_work_gpu_acts(gpu) && gpu->disturbed[place.part])
        return NULL;
    return gp_holder_text(held, partition ? partition->holder : gpu->gpu->holder);
}

/* The place of @device at the end of the plan, or NULL. */
static const struct gp_partition *find_after(const struct gp_planner *planner,
                                             struct gp_device device, bool *ret_whole)
{
    *ret_whole = false;
    for (size_t g = 0; g < planner->gpu_count; g++) {
        const struct gp_gpu *gpu = gp_work_gpu_world(&planner->gpus[g]);

        if (device.kind == GP_DEVICE_PCI && gp_pci_compare(gpu->address, device.pci) == 0) {
            *ret_whole = true;
            return NULL;
        }
        for (size_t p = 0; p < gpu->partition_count; p++)
            if (gp_device_eq(gpu->partitions[p].device, device))
                return &gpu->partitions[p];
    }
    return NULL;
}

static bool ends_in_group(const struct gp_planner *planner, const struct gp_work_vm *vm, struct gp_place place)
{
    const bool anew = vm->stop || (!is_running(vm) && vm->start);

    if (anew ? !vm->start : !is_running(vm))
        return false;
    for (size_t n = 0; anew && n < vm->final_count; n++)
        if (gp_planner_share_group(planner, gp_planner_place(planner, vm->final[n]), place))
            return true;
    for (size_t n = 0; !anew && n < vm->vm->live_count; n++)
        if (gp_planner_share_group(planner, vm->live[n], place))
            return true;
    return false;
}

/* Who would keep @vm from starting with @device, which is at @place now. */
static const struct gp_work_vm *other_holder(const struct gp_planner *planner, const struct gp_work_vm *vm,
                                             struct gp_device device, struct gp_place place)
{
    for (size_t n = 0; n < planner->vm_count; n++)
        if (&planner->vms[n] != vm && (gp_work_vm_ends_holding(&planner->vms[n], device) ||
                                       ends_in_group(planner, &planner->vms[n], place)))
            return &planner->vms[n];
    return NULL;
}

static const char *defined_with(const struct gp_planner *planner, struct gp_device device,
                                const char *what)
{
    return gp_printf(planner->mem, "%s, which it is defined with, %s",
                     gp_planner_device_name(planner, device), what);
}

const char *gp_planner_unstartable(const struct gp_planner *planner, const struct gp_work_vm *vm)
{
    for (size_t n = 0; n < vm->final_count; n++) {
        const struct gp_place before = gp_planner_place(planner, vm->final[n]);
        const struct gp_partition *after;
        const struct gp_work_vm *holder;
        const char *stranger;
        bool whole, ours = false;

        if (gp_device_is_placeholder(vm->final[n]))
            continue;
        after = find_after(planner, vm->final[n], &whole);
        for (size_t d = 0; d < vm->vm->persistent_count; d++)
            ours |= vm->vm->persistent_devs[d].ours &&
                    gp_device_eq(vm->vm->persistent_devs[d].device, vm->final[n]);
        if (!whole && !after && (before.gpu >= 0 || ours))
            return defined_with(planner, vm->final[n], "is not there");
        if (!whole && !after)
            continue; /* no GPU of this host: not ours to judge */
        if (after && !after->live)
            return defined_with(planner, vm->final[n], "is no partition");
        stranger = before.gpu >= 0 ? gp_planner_stranger(planner, before) : NULL;
        if (stranger)
            return defined_with(planner, vm->final[n],
                                gp_printf(planner->mem, "is held by no VM that is known here: %s", stranger));
        holder = other_holder(planner, vm, vm->final[n], before);
        if (holder)
            return defined_with(planner, vm->final[n],
                                gp_printf(planner->mem, "%s by VM %s",
                                          gp_work_vm_ends_holding(holder, vm->final[n])
                                              ? "is held"
                                              : "is in an IOMMU group that is held",
                                          holder->vm->name));
    }
    return NULL;
}

static bool has_device(const struct gp_gpu *gpu, struct gp_device device)
{
    for (size_t n = 0; n < gpu->partition_count; n++)
        if (gpu->partitions[n].live && gp_device_eq(gpu->partitions[n].device, device))
            return true;
    return false;
}

/* A VM that is owed its start, bound to a partition that is not there or not as it shall be, waits
 * for it. */
static const char *unfit(const struct gp_planner *planner, const struct gp_work_vm *vm)
{
    const struct gp_work_gpu *gpu = vm->want_gpu >= 0 ? &planner->gpus[vm->want_gpu] : NULL;

    if (vm->lacks || (gpu && gpu->reshape && gpu->block.rule))
        return gp_printf(planner->mem, "its partition of GPU %s is not there as declared",
                         vm->goal->gpu);
    /* Given by hand and not marked by this plan, or another manager's: once it runs with what this plan makes, nobody
     * here may take that away for a way back. */
    for (size_t n = 0; !planner->input->within && n < vm->vm->persistent_count; n++) {
        const struct gp_hostdev *dev = &vm->vm->persistent_devs[n];
        const bool marked = vm->managed && vm->edit_count && gp_device_eq(dev->device, vm->to);

        for (size_t g = 0; (!dev->ours || vm->vm->untouchable) && !marked && g < planner->gpu_count; g++)
            if (gp_work_gpu_acts(&planner->gpus[g]) &&
                (vm->persistent[n].gpu == (int32_t)g || has_device(planner->gpus[g].after, dev->device)))
                return gp_printf(planner->mem, "GPU %s changes first", planner->gpus[g].gpu->id);
    }
    return gp_planner_unstartable(planner, vm);
}

static void think_start(const struct gp_planner *planner, struct gp_work_vm *vm)
{
    if (vm->stop)
        vm->start = vm->run;
    else
        vm->start = vm->vm->power == GP_POWER_OFF && vm->run && !unfit(planner, vm);
}

void gp_planner_think_vms(struct gp_planner *planner)
{
    for (size_t n = 0; n < planner->vm_count; n++) {
        struct gp_work_vm *vm = &planner->vms[n];

        think_wish(planner, vm);
        think_edits(planner, vm);
        think_final(vm);
        think_stop(planner, vm);
        vm->start = vm->stop && vm->run;
    }
    /* Who is owed a start takes what the others leave: they come second, by name. */
    for (size_t n = 0; n < planner->vm_count; n++)
        think_start(planner, &planner->vms[n]);
}

void gp_planner_tell_owed(struct gp_planner *planner)
{
    for (size_t n = 0; n < planner->vm_count; n++) {
        const struct gp_work_vm *vm = &planner->vms[n];
        const char *why;

        if (!vm->run || vm->start || is_running(vm))
            continue;
        why = unfit(planner, vm);
        *gp_push(planner->mem, planner->findings, planner->finding_count) = (struct gp_finding){
            .rule = "GP-W508",
            .level = GP_LEVEL_WARNING,
            .at = vm->goal->cause,
            .object = gp_printf(planner->mem, "vm/%s", vm->vm->name),
            .message = gp_printf(planner->mem, "VM %s is owed a start, which waits: %s",
                                 vm->vm->name, why ? why : "it is blocked"),
        };
    }
}
