/* Small hosts in which guests have, run with and are declared all that law 8 is about. */
#include "least.h"

#include "text.h"

static const char *const pools[] = {"vdi", "cad"};

struct small {
    struct gp_arena *mem;
    struct gen *gen;
    struct gp_have *have;
    bool defined[LEAST_GPUS][9], live[LEAST_GPUS][9]; /* by GPU and partition; the last: the whole of it */
};

static uint32_t small_count(struct gen *gen)
{
    static const uint32_t counts[] = {1, 2, 2, 4, 4};

    return counts[gen_below(gen, sizeof counts / sizeof *counts)];
}

/* One of its partitions is lost, or of another size than the others: these can stay when it is seen to. */
static void spoil(struct small *small, struct gp_gpu *gpu)
{
    struct gp_partition *one = &gpu->partitions[gen_below(small->gen, gpu->count)];
    const bool lost = gen_chance(small->gen, 40);

    one->live = !lost;
    one->profile = lost ? NULL : gpu->valid[0].profile;
    one->type_id = lost ? 0 : gpu->valid[0].type_id;
    gen_settle(gpu);
}

static void draw_gpu(struct small *small, uint32_t number)
{
    static const char *const mechanisms[] = {"vendor", "sriov", "mdev", "sriov", "vendor", "loaded"};
    struct gp_gpu *gpu = gp_push(small->mem, small->have->gpus, small->have->gpu_count);
    const uint32_t chance = gen_below(small->gen, 100);
    struct gp_layout layout = {.mode = GP_MODE_NONE};

    gen_gpu_init(small->mem, gpu, number, mechanisms[gen_below(small->gen, sizeof mechanisms / sizeof *mechanisms)]);
    if (chance < 85)
        layout = gen_layout(gpu, small_count(small->gen));
    else if (chance < 93 && !gp_streq(gpu->mechanism, "loaded"))
        layout.mode = GP_MODE_PASSTHROUGH;
    gen_gpu_cut(small->mem, gpu, &layout);
    if (gpu->count > 1 && gpu->valid[0].profile && gen_chance(small->gen, 25))
        spoil(small, gpu);
}

struct spot {
    size_t gpu, place;
    struct gp_device device;
};

/* Something that exists and that nobody has, as far as @taken knows. */
static bool find_free(struct small *small, bool taken[LEAST_GPUS][9], struct spot *ret)
{
    for (int tries = 0; tries < 12; tries++) {
        const size_t g = gen_below(small->gen, (uint32_t)small->have->gpu_count);
        const struct gp_gpu *gpu = &small->have->gpus[g];
        const size_t p = gpu->partition_count ? gen_below(small->gen, (uint32_t)gpu->partition_count) : 0;

        *ret = (struct spot){g, 8, {.kind = GP_DEVICE_PCI, .pci = gpu->address}};
        if (gpu->mode == GP_MODE_PARTITIONED && gpu->partitions[p].live)
            *ret = (struct spot){g, p, gpu->partitions[p].device};
        else if (gpu->mode != GP_MODE_PASSTHROUGH)
            continue;
        if (!taken[ret->gpu][ret->place])
            return true;
    }
    return false;
}

static void hold(struct small *small, const struct spot *spot)
{
    struct gp_gpu *gpu = &small->have->gpus[spot->gpu];

    small->live[spot->gpu][spot->place] = true;
    if (spot->place == 8)
        gpu->held = GP_HELD_YES;
    else
        gpu->partitions[spot->place].held = GP_HELD_YES;
}

static void define(struct small *small, struct gp_vm *vm, const struct spot *spot)
{
    const struct gp_gpu *gpu = &small->have->gpus[spot->gpu];
    struct gp_hostdev *dev = gp_push(small->mem, vm->persistent_devs, vm->persistent_count);

    small->defined[spot->gpu][spot->place] = true;
    *dev = (struct gp_hostdev){.device = spot->device, .ours = gen_chance(small->gen, 75)};
    if (!dev->ours)
        return;
    dev->alias = "ua-gpupart-0";
    vm->mark = gp_new(small->mem, struct gp_mark);
    *vm->mark = (struct gp_mark){
        .host = small->have->machine_id,
        .vm = vm->uuid,
        .binding = "desktops",
        .pool = "vdi",
        .partition = spot->place == 8 ? gpu->id
                                      : gp_partition_symbol(small->mem, gpu->id, gpu->partitions[spot->place].index),
        .device = spot->device,
    };
    vm->mark_fits = true;
}

static void draw_vm(struct small *small, uint32_t number)
{
    struct gp_vm *vm = gp_push(small->mem, small->have->vms, small->have->vm_count);
    struct gen *gen = small->gen;
    struct spot spot, live;
    const bool has_one = gen_chance(gen, 65) && find_free(small, small->defined, &spot);

    *vm = (struct gp_vm){
        .name = gp_printf(small->mem, "vm-%02u", (unsigned)number),
        .uuid = gp_printf(small->mem, "00000000-0000-4000-8000-%012u", (unsigned)number),
        .persistent = true,
        .memory_kib = 1 << 20,
    };
    if (has_one)
        define(small, vm, &spot);
    if (gen_chance(gen, 35))
        return;
    vm->power = GP_POWER_RUNNING;
    if (gen_chance(gen, 4))
        vm->unstoppable = "a backup is running";
    if (has_one && gen_chance(gen, 85) && !small->live[spot.gpu][spot.place]) {
        *gp_push(small->mem, vm->live, vm->live_count) = vm->persistent_devs[0];
        hold(small, &spot);
    } else if (gen_chance(gen, 50) && find_free(small, small->live, &live)) {
        *gp_push(small->mem, vm->live, vm->live_count) =
            (struct gp_hostdev){.device = live.device, .ours = gen_chance(gen, 80), .alias = "ua-gpupart-0"};
        hold(small, &live);
    }
}

static void draw_pools(struct small *small, struct gp_cluster_decl *cluster)
{
    struct gen *gen = small->gen;

    for (size_t n = 0; n < sizeof pools / sizeof *pools; n++) {
        struct gp_pool_decl *pool = gp_push(small->mem, cluster->pools, cluster->pool_count);

        *pool = (struct gp_pool_decl){
            .name = pools[n],
            .mode = gen_chance(gen, 88) ? GP_MODE_PARTITIONED : GP_MODE_PASSTHROUGH,
            .placement = gen_chance(gen, 50) ? GP_PLACEMENT_SPREAD : GP_PLACEMENT_PACK,
            .takeover = true,
            .count = small_count(gen),
        };
        *gp_push(small->mem, pool->select.slots.items, pool->select.slots.count) = "99";
    }
    for (size_t n = 0; n < small->have->gpu_count; n++) {
        const struct gp_gpu *gpu = &small->have->gpus[n];
        struct gp_pool_decl *pool = &cluster->pools[gen_chance(gen, 70) ? 0 : 1];

        if (gen_chance(gen, 7))
            continue;
        *gp_push(small->mem, pool->select.slots.items, pool->select.slots.count) = gpu->slot;
        if (gpu->count && gen_chance(gen, 55))
            pool->count = gpu->count == 3 ? 4 : gpu->count;
    }
}

static void draw_binding(struct small *small, struct gp_declaration *declaration, const char *name, const char *pool)
{
    static const char *const globs[] = {"vm-*", "vm-0?", "*-01", "vm-?2", "vm-?0", "vm-03"};
    static const char *const exceptions[] = {"*1", "*2", "vm-?4", "vm-?5"};
    struct gp_binding_decl *binding = gp_new(small->mem, struct gp_binding_decl);
    struct gen *gen = small->gen;

    *gp_push(small->mem, declaration->bindings, declaration->binding_count) = binding;
    *binding = (struct gp_binding_decl){
        .name = name, .cluster = "edge", .pool = pool, .gpu_count = 1, .next_start = gen_chance(gen, 12)};
    for (uint32_t lines = 1 + gen_below(gen, 2); lines > 0; lines--) {
        struct gp_vm_decl *line = gp_push(small->mem, binding->vms, binding->vm_count);

        *line = (struct gp_vm_decl){.name = globs[gen_below(gen, sizeof globs / sizeof *globs)]};
        for (uint32_t n = gen_below(gen, 3); n > 0; n--)
            *gp_push(small->mem, line->except.items, line->except.count) =
                exceptions[gen_below(gen, sizeof exceptions / sizeof *exceptions)];
    }
}

static void declare(struct small *small, struct gen_state *state)
{
    struct gp_cluster_decl *cluster = gp_new(small->mem, struct gp_cluster_decl);
    struct gp_declaration *declaration = gp_new(small->mem, struct gp_declaration);
    struct gp_agent_decl *agent = gp_new(small->mem, struct gp_agent_decl);
    struct gp_resolve_input *input = gp_new(small->mem, struct gp_resolve_input);

    *gp_push(small->mem, declaration->clusters, declaration->cluster_count) = cluster;
    cluster->name = "edge";
    *gp_push(small->mem, cluster->hosts, cluster->host_count) = (struct gp_host_decl){.name = small->have->host};
    cluster->policy.prune_bindings = gen_chance(small->gen, 85);
    cluster->policy.max_vms_stopped = cluster->policy.max_gpus_changed = UINT32_MAX;
    draw_pools(small, cluster);
    draw_binding(small, declaration, "desktops", "vdi");
    if (gen_chance(small->gen, 50))
        draw_binding(small, declaration, "lab", "cad");
    *agent = (struct gp_agent_decl){
        .name = small->have->host,
        .cluster = "edge",
        .ceiling_vms_stopped = UINT32_MAX,
        .ceiling_gpus_changed = UINT32_MAX,
    };
    *input = (struct gp_resolve_input){
        .declaration = declaration,
        .agent = agent,
        .have = state->have,
        .memory = state->memory,
        .mechanism = gen_mechanism,
        .allowed_removal = UINT32_MAX,
    };
    state->declared = input;
    state->goal = gp_resolve(small->mem, input);
}

struct gen_state least_draw(struct gp_arena *mem, struct gen *gen)
{
    struct gen_state state = {.have = gp_new(mem, struct gp_have), .memory = gp_new(mem, struct gp_memory)};
    struct small *small = gp_new(mem, struct small);
    const uint32_t gpus = 1 + gen_below(gen, LEAST_GPUS), vms = gen_below(gen, LEAST_VMS + 1);

    small->mem = mem;
    small->gen = gen;
    small->have = state.have;
    state.have->host = "kvm-a";
    state.have->machine_id = "5e0f6a0c7d6b4b2f9a0c1d2e3f405162";
    for (uint32_t n = 0; n < gpus; n++)
        draw_gpu(small, n + 1);
    gen_observe(mem, state.have);
    for (uint32_t n = 0; n < vms; n++)
        draw_vm(small, n);
    declare(small, &state);
    state.input = (struct gp_plan_input){
        .goal = state.goal, .have = state.have, .memory = state.memory, .mechanism = gen_mechanism};
    return state;
}
