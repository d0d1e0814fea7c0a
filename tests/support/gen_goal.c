#include "gen.h"

#include "text.h"

#include <stdlib.h>

enum { DEVICES = 64 }; /* more than any host here has */

static struct gp_layout some_layout(struct gen *gen, const struct gp_gpu *gpu)
{
    const uint32_t chance = gen_below(gen, 100);

    if (chance < 45 && gpu->count)
        return gen_layout(gpu, gpu->count);
    if (chance < 90)
        return gen_layout(gpu, gen_count(gen));
    return (struct gp_layout){.mode = chance < 96 ? GP_MODE_PASSTHROUGH : GP_MODE_NONE};
}

static void some_goal_gpu(struct gen *gen, const struct gp_gpu *gpu, struct gp_goal_gpu *goal)
{
    const uint32_t chance = gen_below(gen, 100);

    goal->id = gpu->id;
    goal->managed = chance < 85;
    goal->want = some_layout(gen, gpu);
    if (chance >= 80 && chance < 90) {
        goal->rule = "GP-E210";
        goal->blocked = "the count is not one of the valid ones";
    }
}

/* What somebody has or wants: partitions of the layout that is wanted, less what cannot be given.
 */
struct offers {
    const char *gpu[DEVICES];
    int64_t part[DEVICES];
    struct gp_device device[DEVICES];
    const char *symbol[DEVICES];
    bool taken[DEVICES];
    size_t count;
};

static bool is_named(const struct gp_have *have, struct gp_device device,
                     const struct gp_vm *except)
{
    for (size_t v = 0; v < have->vm_count; v++) {
        const struct gp_vm *vm = &have->vms[v];

        for (size_t n = 0; vm != except && n < vm->persistent_count; n++)
            if (gp_device_eq(vm->persistent_devs[n].device, device) && !vm->persistent_devs[n].ours)
                return true;
    }
    return false;
}

static void offer_gpu(struct gp_arena *mem, struct gen *gen, const struct gp_have *have,
                      const struct gp_gpu *gpu, const struct gp_goal_gpu *goal,
                      struct offers *offers)
{
    struct gp_gpu after = *gpu;

    if ((!goal->managed || goal->rule) && !gen_chance(gen, 10))
        return;
    after.partitions = NULL;
    after.partition_count = 0;
    for (size_t n = 0; n < gpu->partition_count; n++)
        *gp_push(mem, after.partitions, after.partition_count) = gpu->partitions[n];
    if (goal->managed && !goal->rule)
        gen_gpu_cut(mem, &after, &goal->want);
    if (after.mode == GP_MODE_PASSTHROUGH) {
        offers->gpu[offers->count] = gpu->id;
        offers->part[offers->count++] = -1;
    }
    for (size_t n = 0; n < after.partition_count; n++) {
        const struct gp_partition *partition = &after.partitions[n];

        if (!partition->live)
            continue;
        if ((partition->quarantined || partition->held == GP_HELD_UNKNOWN ||
             is_named(have, partition->device, NULL)) &&
            !gen_chance(gen, 10))
            continue;
        offers->gpu[offers->count] = gpu->id;
        offers->device[offers->count] = partition->device;
        offers->symbol[offers->count] = gp_partition_symbol(mem, gpu->id, partition->index);
        offers->part[offers->count++] = partition->index;
    }
}

/* Keeps what it has where that is on offer, mostly; a hand-made one counts. */
static size_t choose(struct gen *gen, const struct offers *offers, const struct gp_vm *vm)
{
    const bool sticky = gen_chance(gen, 80);

    for (size_t n = 0; sticky && n < offers->count; n++) {
        if (offers->taken[n])
            continue;
        if (vm->mark && gp_streq(vm->mark->partition, offers->symbol[n]))
            return n;
        for (size_t d = 0; d < vm->persistent_count; d++)
            if (gp_device_eq(vm->persistent_devs[d].device, offers->device[n]))
                return n;
    }
    for (int tries = 0; offers->count && tries < 8; tries++) {
        const size_t n = gen_below(gen, (uint32_t)offers->count);

        if (!offers->taken[n])
            return n;
    }
    return offers->count;
}

static void some_goal_vm(struct gen *gen, const struct gp_vm *vm, struct offers *offers,
                         struct gp_goal_vm *goal)
{
    size_t n;

    *goal = (struct gp_goal_vm){
        .uuid = vm->uuid,
        .name = vm->name,
        .managed = gen_chance(gen, vm->mark ? 90 : 60),
        .run = vm->power != GP_POWER_OFF || gen_chance(gen, 15),
        .stop = {.timeout_ms = 60000, .method = {GP_STOP_AGENT, GP_STOP_ACPI}},
    };
    if (gen_chance(gen, 3)) {
        goal->rule = "GP-E303";
        goal->blocked = "it is defined on another host";
    }
    if (!goal->managed || gen_chance(gen, 20))
        return;
    goal->binding = gen_chance(gen, 85) ? "desktops" : "cad";
    goal->pool = "vdi";
    goal->next_start = gen_chance(gen, 15);
    n = choose(gen, offers, vm);
    if (n == offers->count || gen_chance(gen, 6)) {
        goal->pending = true;
        return;
    }
    offers->taken[n] = true;
    goal->gpu = offers->gpu[n];
    goal->partition = offers->part[n] < 0 ? 0 : (uint32_t)offers->part[n];
}

static int compare_applied(const void *a, const void *b)
{
    return gp_strcmp(((const struct gp_applied *)a)->key, ((const struct gp_applied *)b)->key);
}

static void some_memory(struct gp_arena *mem, struct gen *gen, struct gen_state *state)
{
    struct gp_memory *memory = state->memory;

    for (size_t n = 0; n < state->goal->gpu_count; n++) {
        const struct gp_goal_gpu *goal = &state->goal->gpus[n];

        if (gen_chance(gen, 60))
            *gp_push(mem, memory->applied, memory->applied_count) = (struct gp_applied){
                .key = gp_printf(mem, "gpu/%s", goal->id),
                .value = gen_chance(gen, 50)
                             ? gp_layout_value(mem, &goal->want)
                             : gp_gpu_value(mem, gp_have_gpu(state->have, goal->id)),
                .commit = "0123456789",
            };
    }
    for (size_t n = 0; n < state->goal->vm_count; n++) {
        const struct gp_goal_vm *goal = &state->goal->vms[n];

        if (gen_chance(gen, 60))
            *gp_push(mem, memory->applied, memory->applied_count) = (struct gp_applied){
                .key = gp_printf(mem, "vm/%s", goal->uuid),
                .value = goal->gpu && gen_chance(gen, 50)
                             ? gp_partition_symbol(mem, goal->gpu, goal->partition)
                             : gp_vm_value(mem, state->have, &state->have->vms[n]),
                .commit = "0123456789",
            };
    }
    if (memory->applied_count)
        qsort(memory->applied, memory->applied_count, sizeof *memory->applied, compare_applied);
}

static bool differs(const struct gp_vm *vm)
{
    if (vm->live_count != vm->persistent_count)
        return true;
    for (size_t n = 0; n < vm->live_count; n++)
        if (!gp_device_eq(vm->live[n].device, vm->persistent_devs[n].device))
            return true;
    return false;
}

static bool is_beside_another(const struct gp_have *have, struct gp_device device)
{
    struct gp_gpu *gpu;
    struct gp_partition *partition;

    if (!gp_have_find(have, device, &gpu, &partition) || !partition || partition->group < 0)
        return false;
    for (size_t n = 0; n < gpu->partition_count; n++)
        if (&gpu->partitions[n] != partition && gpu->partitions[n].live && gpu->partitions[n].group == partition->group)
            return true;
    return false;
}

static void note_traits(struct gen_state *state)
{
    const struct gp_have *have = state->have;

    state->traits.unfinished = state->record != NULL;
    if (state->declared)
        gen_note_declared(state);
    for (size_t n = 1; n < have->gpu_count; n++)
        if (have->gpu_count >= 3 && !gp_streq(have->gpus[n].mechanism, have->gpus[0].mechanism))
            state->traits.many_gpus = true;
    for (size_t v = 0; v < have->vm_count; v++) {
        const struct gp_vm *vm = &have->vms[v];
        const bool running = vm->power != GP_POWER_OFF;

        for (size_t n = 0; n < vm->persistent_count; n++)
            state->traits.groups |= is_beside_another(have, vm->persistent_devs[n].device);
        state->traits.live_differs |= running && differs(vm);
        state->traits.unstoppable |= running && (vm->unstoppable || !vm->persistent);
        for (size_t n = 0; running && n < vm->live_count; n++) {
            struct gp_gpu *gpu;
            struct gp_partition *partition;

            state->traits.left_alone |= vm->live[n].ours && !state->goal->vms[v].managed;
            state->traits.foreign_holder |=
                !vm->live[n].ours && !state->goal->vms[v].managed &&
                gp_have_find(have, vm->live[n].device, &gpu, &partition);
        }
    }
}

/* The goal that somebody might want, whatever it takes: more than a declaration could ask for. */
static void some_goal(struct gp_arena *mem, struct gen *gen, struct gen_state *state)
{
    struct offers *offers = gp_new(mem, struct offers);

    state->goal = gp_new(mem, struct gp_goal);
    state->goal->commit = "0123456789";
    state->goal->cluster = "edge";
    state->goal->declared = gen_chance(gen, 98);
    for (size_t n = 0; n < state->have->gpu_count; n++) {
        struct gp_goal_gpu *goal = gp_push(mem, state->goal->gpus, state->goal->gpu_count);

        some_goal_gpu(gen, &state->have->gpus[n], goal);
        offer_gpu(mem, gen, state->have, &state->have->gpus[n], goal, offers);
    }
    for (size_t n = 0; n < state->have->vm_count; n++)
        some_goal_vm(gen, &state->have->vms[n], offers,
                     gp_push(mem, state->goal->vms, state->goal->vm_count));
    for (size_t n = 0; n < state->have->unit_count; n++)
        *gp_push(mem, state->goal->units, state->goal->unit_count) = (struct gp_goal_unit){
            .name = state->have->units[n].name,
            .run = state->have->units[n].state == GP_UNIT_ACTIVE || gen_chance(gen, 25),
        };
    some_memory(mem, gen, state);
}

struct gen_state gen_state(struct gp_arena *mem, struct gen *gen)
{
    struct gen_state state = {.have = gen_have(mem, gen), .memory = gp_new(mem, struct gp_memory)};

    if (gen_chance(gen, 35))
        gen_declare(mem, gen, &state);
    else
        some_goal(mem, gen, &state);
    state.input = (struct gp_plan_input){
        .goal = state.goal,
        .have = state.have,
        .memory = state.memory,
        .mechanism = gen_mechanism,
        .host_memory = gen_chance(gen, 20) ? (uint64_t)(8 + gen_below(gen, 40)) << 30 : 0,
        .reserve_memory = (uint64_t)1 << 30,
    };
    if (gen_chance(gen, 25))
        gen_cut_off(mem, gen, &state);
    note_traits(&state);
    return state;
}
