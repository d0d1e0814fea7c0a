/* Declarations as somebody might write them for a host that was drawn: pools by slot, bindings by name and by glob,
 * with exceptions, with and without a host. */
#include "gen.h"

#include "text.h"

#include <stdlib.h>

enum { POOLS = 2, BINDINGS = 3 };

static const char *const pool_names[POOLS] = {"vdi", "cad"};

struct draft {
    struct gp_arena *mem;
    struct gen *gen;
    const struct gp_have *have;
    struct gp_cluster_decl *cluster;
    struct gp_declaration *declaration;
    struct gp_memory *memory;
    struct gp_agent_decl *agent;
};

static const char *one_of(struct gen *gen, const char *const *words, size_t count)
{
    return words[gen_below(gen, (uint32_t)count)];
}

#define ONE_OF(gen, words) one_of((gen), (words), sizeof(words) / sizeof *(words))

static void push(struct gp_arena *mem, struct gp_strings *strings, const char *text)
{
    *gp_push(mem, strings->items, strings->count) = text;
}

/* ---- pools ---- */

static void some_pool(struct draft *draft, const char *name)
{
    struct gen *gen = draft->gen;
    struct gp_pool_decl *pool = gp_push(draft->mem, draft->cluster->pools, draft->cluster->pool_count);

    *pool = (struct gp_pool_decl){
        .name = name,
        .mode = gen_chance(gen, 90) ? GP_MODE_PARTITIONED : GP_MODE_PASSTHROUGH,
        .placement = gen_chance(gen, 50) ? GP_PLACEMENT_SPREAD : GP_PLACEMENT_PACK,
        .takeover = gen_chance(gen, 80),
    };
    push(draft->mem, &pool->select.slots, "99"); /* in no host: a pool of no slots would be one of all */
    if (gen_chance(gen, 30))
        push(draft->mem, &pool->hosts, gen_chance(gen, 90) ? "kvm-*" : "other-?");
}

/* As many as one of its GPUs has already, or any number; now and then by the name of a profile. */
static void shape_pool(struct draft *draft, struct gp_pool_decl *pool, const struct gp_gpu *gpu)
{
    struct gen *gen = draft->gen;

    pool->count = gpu->count && gen_chance(gen, 45) ? gpu->count : gen_count(gen);
    if (!gen_chance(gen, 15) || pool->mode != GP_MODE_PARTITIONED)
        return;
    pool->profile = gpu->valid[gen_below(gen, (uint32_t)gpu->valid_count)].profile;
    if (pool->profile)
        pool->count = 0;
}

static void some_pools(struct draft *draft)
{
    struct gp_cluster_decl *cluster = draft->cluster;
    struct gen *gen = draft->gen;
    bool shaped[POOLS] = {false};

    for (size_t n = 0; n < POOLS; n++)
        some_pool(draft, pool_names[n]);
    for (size_t n = 0; n < draft->have->gpu_count; n++) {
        const struct gp_gpu *gpu = &draft->have->gpus[n];
        const uint32_t chance = gen_below(gen, 100);
        const size_t which = chance < 60 ? 0 : 1;

        if (chance >= 88)
            continue;
        push(draft->mem, &cluster->pools[which].select.slots, gpu->slot);
        if (!shaped[which])
            shape_pool(draft, &cluster->pools[which], gpu);
        shaped[which] = true;
    }
    for (size_t n = 0; n < POOLS; n++)
        if (!shaped[n])
            cluster->pools[n].count = gen_count(gen);
}

/* ---- bindings ---- */

static void some_line(struct draft *draft, struct gp_binding_decl *binding)
{
    static const char *const globs[] = {"vm-*", "vm-0?", "*-1*", "vm-0*", "vm-?2", "v?-?1", "*5", "nobody-*"};
    static const char *const exceptions[] = {"vm-00", "vm-?3", "*4", "vm-1*", "vm-*7"};
    struct gen *gen = draft->gen;
    struct gp_vm_decl *decl = gp_push(draft->mem, binding->vms, binding->vm_count);
    const struct gp_vm *vm = draft->have->vm_count
                                 ? &draft->have->vms[gen_below(gen, (uint32_t)draft->have->vm_count)]
                                 : NULL;

    /* A place of its own: by it a VM tells which line binds it. */
    *decl = (struct gp_vm_decl){.name = "vm-00", .at = {.line = 100 * (uint32_t)draft->declaration->binding_count +
                                                                (uint32_t)binding->vm_count}};
    if (gen_chance(gen, 30))
        decl->host = gen_chance(gen, 85) ? draft->have->host : "kvm-b";
    if (!vm || gen_chance(gen, 55)) {
        decl->name = ONE_OF(gen, globs);
        for (uint32_t count = gen_below(gen, 4); count > 0; count--)
            push(draft->mem, &decl->except, ONE_OF(gen, exceptions));
        return;
    }
    decl->name = vm->name;
    if (gen_chance(gen, 10))
        decl->uuid = gen_chance(gen, 70) ? vm->uuid : "00000000-0000-4000-8000-00000000dead";
}

static void some_binding(struct draft *draft, const char *name)
{
    struct gen *gen = draft->gen;
    struct gp_binding_decl *binding = gp_new(draft->mem, struct gp_binding_decl);

    *gp_push(draft->mem, draft->declaration->bindings, draft->declaration->binding_count) = binding;
    *binding = (struct gp_binding_decl){
        .name = name,
        .cluster = "edge",
        .pool = gen_chance(gen, 97) ? pool_names[gen_below(gen, POOLS)] : "gone",
        .next_start = gen_chance(gen, 15),
        .without_gpu = gen_chance(gen, 10),
        .gpu_count = 1,
    };
    for (uint32_t lines = 1 + gen_below(gen, 3); lines > 0; lines--)
        some_line(draft, binding);
}

/* ---- what the host remembers ---- */

static int compare_applied(const void *a, const void *b)
{
    return gp_strcmp(((const struct gp_applied *)a)->key, ((const struct gp_applied *)b)->key);
}

static void remember(struct draft *draft, const char *key, const char *value)
{
    *gp_push(draft->mem, draft->memory->applied, draft->memory->applied_count) =
        (struct gp_applied){.key = key, .value = value, .commit = "0123456789"};
}

static void some_memory(struct draft *draft)
{
    struct gp_memory *memory = draft->memory;
    struct gp_arena *mem = draft->mem;
    struct gen *gen = draft->gen;

    for (size_t n = 0; n < draft->have->gpu_count; n++) {
        const struct gp_gpu *gpu = &draft->have->gpus[n];

        if (gen_chance(gen, 70))
            remember(draft, gp_printf(mem, "gpu/%s", gpu->id), gen_chance(gen, 70) ? gp_gpu_value(mem, gpu) : "none");
        if (gpu->partition_count && gen_chance(gen, 5))
            push(mem, &memory->quarantined, gp_partition_symbol(mem, gpu->id, gen_below(gen, 8)));
    }
    for (size_t n = 0; n < draft->have->vm_count; n++) {
        const struct gp_vm *vm = &draft->have->vms[n];
        const struct gp_gpu *gpu = &draft->have->gpus[gen_below(gen, (uint32_t)draft->have->gpu_count)];

        if (gen_chance(gen, 60))
            remember(draft, gp_printf(mem, "vm/%s", vm->uuid),
                     gen_chance(gen, 60) ? gp_vm_value(mem, draft->have, vm)
                                         : gp_partition_symbol(mem, gpu->id, gen_below(gen, 8)));
        if (gen_chance(gen, 8))
            *gp_push(mem, memory->owed, memory->owed_count) = (struct gp_owed){
                .vm = vm->uuid, .name = vm->name, .until_us = UINT64_MAX, .stop_requested = gen_chance(gen, 30)};
    }
    if (memory->applied_count)
        qsort(memory->applied, memory->applied_count, sizeof *memory->applied, compare_applied);
}

/* ---- all of it ---- */

static void some_cluster(struct draft *draft)
{
    struct gp_cluster_decl *cluster = draft->cluster;
    struct gen *gen = draft->gen;

    cluster->name = "edge";
    *gp_push(draft->mem, cluster->hosts, cluster->host_count) =
        (struct gp_host_decl){.name = draft->have->host, .drained = gen_chance(gen, 3)};
    *gp_push(draft->mem, cluster->hosts, cluster->host_count) = (struct gp_host_decl){.name = "kvm-b"};
    cluster->policy.prune_bindings = gen_chance(gen, 80);
    cluster->policy.prune_partitions = gen_chance(gen, 20);
    cluster->accept_risk = GP_RISK_SHARED_GROUP;
    cluster->policy.max_vms_stopped = cluster->policy.max_gpus_changed = UINT32_MAX;
    some_pools(draft);
}

static void some_agent(struct draft *draft)
{
    *draft->agent = (struct gp_agent_decl){
        .name = draft->have->host,
        .cluster = "edge",
        .ceiling_vms_stopped = UINT32_MAX,
        .ceiling_gpus_changed = UINT32_MAX,
    };
    if (gen_chance(draft->gen, 4))
        push(draft->mem, &draft->agent->never_touch_gpus, "slot2");
    if (gen_chance(draft->gen, 20))
        push(draft->mem, &draft->agent->never_touch_vms, "vm-?1");
}

void gen_declare(struct gp_arena *mem, struct gen *gen, struct gen_state *state)
{
    static const char *const names[BINDINGS] = {"desktops", "designers", "lab"};
    struct gp_resolve_input *input = gp_new(mem, struct gp_resolve_input);
    struct draft draft = {
        .mem = mem,
        .gen = gen,
        .have = state->have,
        .cluster = gp_new(mem, struct gp_cluster_decl),
        .declaration = gp_new(mem, struct gp_declaration),
        .memory = state->memory,
        .agent = gp_new(mem, struct gp_agent_decl),
    };
    const uint32_t bindings = 1 + gen_below(gen, BINDINGS);

    draft.declaration->commit = "0123456789";
    *gp_push(mem, draft.declaration->clusters, draft.declaration->cluster_count) = draft.cluster;
    some_cluster(&draft);
    some_agent(&draft);
    some_memory(&draft);
    for (uint32_t n = 0; n < bindings; n++)
        some_binding(&draft, names[n]);
    *input = (struct gp_resolve_input){
        .declaration = draft.declaration,
        .agent = draft.agent,
        .have = state->have,
        .memory = state->memory,
        .mechanism = gen_mechanism,
        .allowed_removal = gen_chance(gen, 90) ? UINT32_MAX : 0,
    };
    state->declared = input;
    state->goal = gp_resolve(mem, input);
}

/* ---- what there is of it ---- */

static void note_line(struct gen_state *state, const struct gp_vm_decl *decl, const struct gp_goal_vm *vm)
{
    bool excepted = false;

    if (!gp_glob_match(decl->name, vm->name) || (decl->host && !gp_streq(decl->host, state->have->host)))
        return;
    for (size_t n = 0; n < decl->except.count; n++)
        excepted |= gp_glob_match(decl->except.items[n], vm->name);
    state->traits.exceptions |= gp_glob_is(decl->name) && excepted;
    if (excepted || !vm->binding || vm->cause.line != decl->at.line)
        return;
    state->traits.globs |= gp_glob_is(decl->name);
    state->traits.hostless |= !decl->host;
}

void gen_note_declared(struct gen_state *state)
{
    const struct gp_declaration *declaration = state->declared->declaration;

    state->traits.declared = true;
    for (size_t b = 0; b < declaration->binding_count; b++)
        for (size_t d = 0; d < declaration->bindings[b]->vm_count; d++)
            for (size_t v = 0; v < state->goal->vm_count; v++)
                note_line(state, &declaration->bindings[b]->vms[d], &state->goal->vms[v]);
}
