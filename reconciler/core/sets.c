/* Who belongs together.
 *
 * Two objects touch if one cannot be done without the other: a GPU that is reshaped with the VMs
 * that stop for it, leave it or get something of it; a VM that gets what another one leaves, or what
 * stands in one IOMMU group with that. A GPU that stays as it is connects nobody. */
#include "planner.h"

#include "text.h"

#include <stdlib.h>

enum node_state { NODE_IDLE, NODE_ACTS, NODE_BLOCKED };

struct graph {
    struct gp_planner *planner;
    size_t count; /* GPUs, then VMs, then units that are owed a start */
    size_t *parent;
    enum node_state *state;
};

static size_t find(struct graph *graph, size_t node)
{
    while (graph->parent[node] != node) {
        graph->parent[node] = graph->parent[graph->parent[node]];
        node = graph->parent[node];
    }
    return node;
}

/* Only what shares its fate: what is blocked does not pull in what can be done. */
static void touch(struct graph *graph, size_t a, size_t b)
{
    if (graph->state[a] == NODE_IDLE || graph->state[a] != graph->state[b])
        return;
    a = find(graph, a);
    b = find(graph, b);
    if (a < b)
        graph->parent[b] = a;
    else
        graph->parent[a] = b;
}

static size_t vm_node(const struct graph *graph, size_t vm)
{
    return graph->planner->gpu_count + vm;
}

/* Whether @vm has @device, which is at @place, or what nobody else can run beside: something of its IOMMU group. */
static bool stands_on(const struct gp_planner *planner, const struct gp_work_vm *vm, struct gp_device device,
                      struct gp_place place)
{
    for (size_t n = 0; n < vm->vm->persistent_count; n++)
        if (gp_device_eq(vm->vm->persistent_devs[n].device, device) ||
            gp_planner_share_group(planner, vm->persistent[n], place))
            return true;
    for (size_t n = 0; n < vm->vm->live_count; n++)
        if (gp_device_eq(vm->vm->live[n].device, device) || gp_planner_share_group(planner, vm->live[n], place))
            return true;
    return false;
}

static void touch_gpus(struct graph *graph, size_t v)
{
    const struct gp_planner *planner = graph->planner;
    const struct gp_work_vm *vm = &planner->vms[v];
    const size_t node = vm_node(graph, v);

    if (vm->want_gpu >= 0)
        touch(graph, node, (size_t)vm->want_gpu);
    /* What it is defined with may be made first. */
    for (size_t g = 0; vm->start && g < planner->gpu_count; g++)
        if (gp_work_gpu_acts(&planner->gpus[g]) && gp_work_vm_ends_on(vm, &planner->gpus[g]))
            touch(graph, node, g);
    for (size_t n = 0; n < vm->vm->persistent_count; n++)
        if (vm->persistent[n].gpu >= 0)
            touch(graph, node, (size_t)vm->persistent[n].gpu);
    for (size_t n = 0; n < vm->vm->live_count; n++) {
        if (vm->live[n].gpu >= 0)
            touch(graph, node, (size_t)vm->live[n].gpu);
        for (size_t g = 0; g < planner->gpu_count; g++)
            if (gp_work_gpu_acts(&planner->gpus[g]) &&
                gp_work_gpu_disturbs(planner, &planner->gpus[g], vm->live[n]))
                touch(graph, node, g);
    }
}

/* VM @v with those who have @device, or what stands beside it, now. */
static void touch_users(struct graph *graph, size_t v, struct gp_device device)
{
    const struct gp_planner *planner = graph->planner;
    const struct gp_place place = gp_planner_place(planner, device);

    for (size_t other = 0; other < planner->vm_count; other++)
        if (other != v && stands_on(planner, &planner->vms[other], device, place))
            touch(graph, vm_node(graph, v), vm_node(graph, other));
}

static void touch_vms(struct graph *graph, size_t v)
{
    const struct gp_work_vm *vm = &graph->planner->vms[v];

    for (size_t n = 0; n < vm->final_count; n++)
        touch_users(graph, v, vm->final[n]);
    touch_users(graph, v, vm->to);
}

/* A driver that is loaded anew takes all of its GPUs along. */
static void touch_host(struct graph *graph, size_t g)
{
    const struct gp_planner *planner = graph->planner;
    const struct gp_work_gpu *gpu = &planner->gpus[g];

    if (!gp_work_gpu_acts(gpu) || gpu->reach != GP_REACH_HOST)
        return;
    for (size_t other = 0; other < planner->gpu_count; other++) {
        if (!gp_streq(planner->gpus[other].gpu->mechanism, gpu->gpu->mechanism) ||
            graph->state[other] == NODE_BLOCKED || !planner->gpus[other].managed)
            continue;
        graph->state[other] = NODE_ACTS;
        touch(graph, g, other);
    }
}

static enum node_state gpu_state(const struct gp_work_gpu *gpu)
{
    if (gp_work_gpu_acts(gpu))
        return NODE_ACTS;
    return gpu->managed && gpu->block.rule ? NODE_BLOCKED : NODE_IDLE;
}

static enum node_state vm_state(const struct gp_work_vm *vm)
{
    if (gp_work_vm_acts(vm))
        return NODE_ACTS;
    return vm->managed && vm->block.rule ? NODE_BLOCKED : NODE_IDLE;
}

static enum node_state state_of(const struct gp_planner *planner, size_t node)
{
    if (node < planner->gpu_count)
        return gpu_state(&planner->gpus[node]);
    node -= planner->gpu_count;
    if (node < planner->vm_count)
        return vm_state(&planner->vms[node]);
    return gp_work_unit_starts_alone(planner, &planner->units[node - planner->vm_count]) ? NODE_ACTS : NODE_IDLE;
}

static void connect(struct graph *graph)
{
    const struct gp_planner *planner = graph->planner;
    size_t first = SIZE_MAX;

    for (size_t n = 0; n < graph->count; n++) {
        graph->parent[n] = n;
        graph->state[n] = state_of(planner, n);
    }
    for (size_t g = 0; g < planner->gpu_count; g++)
        touch_host(graph, g);
    for (size_t v = 0; v < planner->vm_count; v++) {
        if (graph->state[vm_node(graph, v)] == NODE_IDLE)
            continue;
        touch_gpus(graph, v);
        touch_vms(graph, v);
    }
    for (size_t n = 0; planner->input->within && n < graph->count; n++) {
        if (graph->state[n] != NODE_ACTS)
            continue;
        if (first == SIZE_MAX)
            first = n;
        touch(graph, first, n);
    }
}

/* ---- sets ---- */

/* Units come first: they are started before a later set stops them again. */
enum rank { RANK_UNIT, RANK_GPU, RANK_VM };

struct found {
    size_t root;
    const char *id;
    enum rank rank;
    bool blocked;
};

static int compare_found(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int order;

    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    order = gp_strvercmp(x->id, y->id);
    if (order == 0)
        order = gp_strcmp(x->id, y->id);
    if (order == 0)
        order = (int)x->blocked - (int)y->blocked;
    return order ? order : (x->root > y->root) - (x->root < y->root);
}

static int compare_ids(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    int order = gp_strvercmp(x, y);

    return order ? order : gp_strcmp(x, y);
}

static enum rank rank_of(const struct graph *graph, size_t node)
{
    if (node < graph->planner->gpu_count)
        return RANK_GPU;
    return node - graph->planner->gpu_count < graph->planner->vm_count ? RANK_VM : RANK_UNIT;
}

static const char *node_name(const struct graph *graph, size_t node)
{
    const struct gp_planner *planner = graph->planner;

    switch (rank_of(graph, node)) {
    case RANK_GPU:
        return planner->gpus[node].gpu->id;
    case RANK_VM:
        return planner->vms[node - planner->gpu_count].vm->name;
    case RANK_UNIT:
        break;
    }
    return planner->units[node - planner->gpu_count - planner->vm_count].unit->name;
}

static size_t find_sets(struct graph *graph, struct found *sets)
{
    size_t count = 0;

    for (size_t n = 0; n < graph->count; n++) {
        const enum rank rank = rank_of(graph, n);
        struct found *set = NULL;

        if (graph->state[n] == NODE_IDLE)
            continue;
        for (size_t s = 0; s < count && !set; s++)
            if (sets[s].root == find(graph, n))
                set = &sets[s];
        if (!set) {
            set = &sets[count++];
            *set = (struct found){find(graph, n), node_name(graph, n), rank,
                                  graph->state[n] == NODE_BLOCKED};
        } else if (rank == set->rank) {
            const char *name = node_name(graph, n);

            if (compare_ids(&name, &set->id) < 0)
                set->id = name;
        }
    }
    return count;
}

/* The first reason that is its object's own says more than one that only follows. */
static void note_block(struct gp_set *set, const struct gp_block *block, bool *own)
{
    if (!block->rule || (set->rule && (*own || block->told)))
        return;
    set->rule = block->rule;
    set->why = block->why;
    *own = !block->told;
}

static void add_use(const struct gp_planner *planner, struct gp_set *set, int32_t gpu)
{
    if (gpu >= 0 && !gp_strings_have(&set->uses, planner->gpus[gpu].gpu->id))
        *gp_push(planner->mem, set->uses.items, set->uses.count) = planner->gpus[gpu].gpu->id;
}

/* A GPU that keeps its layout is no member of the set, and yet what its guests have of it may change, if only in that
 * one starts anew and then runs with what its definition has of it already. */
static void add_uses(const struct gp_planner *planner, struct gp_set *set, const struct gp_work_vm *vm)
{
    if (vm->stop || vm->edit_count)
        add_use(planner, set, vm->want_gpu);
    for (size_t n = 0; n < vm->edit_count; n++)
        add_use(planner, set, vm->edits[n].from_place.gpu);
    for (size_t n = 0; vm->stop && n < vm->vm->live_count; n++)
        add_use(planner, set, vm->live[n].gpu);
    for (size_t n = 0; vm->stop && n < vm->vm->persistent_count; n++)
        add_use(planner, set, vm->persistent[n].gpu);
}

static void add_members(struct graph *graph, const struct found *found, struct gp_set *set)
{
    struct gp_planner *planner = graph->planner;
    bool own = false;

    for (size_t n = 0; n < graph->count; n++) {
        if (graph->state[n] == NODE_IDLE || find(graph, n) != found->root)
            continue;
        if (n < planner->gpu_count) {
            struct gp_work_gpu *gpu = &planner->gpus[n];

            *gp_push(planner->mem, set->gpus.items, set->gpus.count) = gpu->gpu->id;
            set->gpus_changed += gp_work_gpu_acts(gpu);
            note_block(set, &gpu->block, &own);
        } else if (rank_of(graph, n) == RANK_UNIT) {
            *gp_push(planner->mem, set->units.items, set->units.count) = node_name(graph, n);
        } else {
            struct gp_work_vm *vm = &planner->vms[n - planner->gpu_count];

            *gp_push(planner->mem, set->vms.items, set->vms.count) = vm->vm->uuid;
            if (vm->run && !vm->start && vm->vm->power == GP_POWER_OFF)
                *gp_push(planner->mem, set->not_started.items, set->not_started.count) =
                    vm->vm->uuid;
            add_uses(planner, set, vm);
            if (vm->stop)
                *gp_push(planner->mem, set->stops.items, set->stops.count) = vm->vm->name;
            if (found->blocked)
                note_block(set, &vm->block, &own);
            else if (vm->block.rule)
                *gp_push(planner->mem, set->only_start.items, set->only_start.count) = vm->vm->uuid;
        }
    }
    if (set->gpus.count)
        qsort(set->gpus.items, set->gpus.count, sizeof *set->gpus.items, compare_ids);
    if (set->uses.count)
        qsort(set->uses.items, set->uses.count, sizeof *set->uses.items, compare_ids);
    if (set->vms.count)
        qsort(set->vms.items, set->vms.count, sizeof *set->vms.items, compare_ids);
}

/* Stops of one wave wait side by side, the later ones for their turn before; all else is done one after the other. */
static uint64_t duration_of(const struct gp_plan *plan, size_t first)
{
    uint64_t total = 0, stop = 0, stops = 0;

    for (size_t n = first; n < plan->step_count; n++) {
        const struct gp_step *step = &plan->steps[n];

        stops += step->kind == GP_STEP_STOP_VM;
        if (step->kind == GP_STEP_STOP_VM) {
            const uint64_t ms = step->timeout_ms + (step->stop.force ? GP_STOP_FORCE_MS : 0);

            stop = ms > stop ? ms : stop;
        } else {
            total += step->timeout_ms;
        }
    }
    if (stops)
        total += (stops - 1) / GP_STOPS_AT_ONCE * GP_STOP_TURN_MS;
    return total + stop;
}

static void write_set(struct graph *graph, struct gp_plan *plan, const struct found *found)
{
    struct gp_planner *planner = graph->planner;
    struct gp_set *set = gp_push(planner->mem, plan->sets, plan->set_count);
    const size_t first = plan->step_count;
    bool *mine = gp_new_array(planner->mem, bool, graph->count + 1);

    set->id = found->id;
    if (planner->input->within && !found->blocked)
        set->id = planner->input->within->id;
    add_members(graph, found, set);
    if (found->blocked) {
        set->verdict = GP_VERDICT_BLOCKED;
        return;
    }
    for (size_t n = 0; n < graph->count; n++)
        mine[n] = graph->state[n] == NODE_ACTS && find(graph, n) == found->root;
    gp_planner_write_steps(planner, plan, (uint32_t)plan->set_count - 1, mine);
    for (size_t n = first; n < plan->step_count; n++)
        if (plan->steps[n].unit && !gp_strings_have(&set->units, plan->steps[n].unit))
            *gp_push(planner->mem, set->units.items, set->units.count) = plan->steps[n].unit;
    for (size_t n = first; n < plan->step_count; n++)
        if (plan->steps[n].class > set->class)
            set->class = plan->steps[n].class;
    set->duration_ms = duration_of(plan, first);
    if (set->class > plan->class)
        plan->class = set->class;
}

void gp_planner_write(struct gp_planner *planner, struct gp_plan *plan)
{
    const size_t count = planner->gpu_count + planner->vm_count + planner->unit_count;
    struct graph graph = {
        .planner = planner,
        .count = count,
        .parent = gp_new_array(planner->mem, size_t, count + 1),
        .state = gp_new_array(planner->mem, enum node_state, count + 1),
    };
    struct found *sets = gp_new_array(planner->mem, struct found, count + 1);
    size_t set_count;

    connect(&graph);
    set_count = find_sets(&graph, sets);
    qsort(sets, set_count, sizeof *sets, compare_found);
    /* Between waves what is blocked is told by its finding, and seen by what is missing: a VM that
     * is started though its binding is blocked must not look like a set that failed. */
    for (size_t n = 0; n < set_count; n++)
        if (!sets[n].blocked || !planner->input->within)
            write_set(&graph, plan, &sets[n]);
}
