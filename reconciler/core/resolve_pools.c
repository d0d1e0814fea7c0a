/* Which pool owns each GPU, by facts that no change of driver takes away. */
#include "resolve.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

static bool names_host(const struct gp_pool_decl *pool, const char *host)
{
    for (size_t n = 0; n < pool->hosts.count; n++)
        if (gp_glob_match(pool->hosts.items[n], host))
            return true;
    return !pool->hosts.count;
}

static bool names_host_outright(const struct gp_pool_decl *pool, const char *host)
{
    return gp_strings_have(&pool->hosts, host);
}

static bool vendor_is(const char *vendor, uint16_t id)
{
    static const struct {
        const char *name;
        uint16_t id;
    } vendors[] = {{"nvidia", 0x10de}, {"intel", 0x8086}, {"amd", 0x1002}};

    for (size_t n = 0; n < sizeof vendors / sizeof *vendors; n++)
        if (gp_streq(vendor, vendors[n].name))
            return vendors[n].id == id;
    return strtoul(vendor, NULL, 16) == id;
}

static bool ids_are(struct gp_arena *mem, const char *ids, uint16_t vendor, uint16_t device)
{
    return gp_streq(ids, gp_printf(mem, "%04x:%04x", (unsigned)vendor, (unsigned)device));
}

static bool matches(struct gp_arena *mem, const struct gp_match *match, const struct gp_gpu *gpu)
{
    return (!match->model || gp_streq(match->model, gpu->model)) &&
           (!match->vendor || vendor_is(match->vendor, gpu->vendor)) &&
           (!match->device || ids_are(mem, match->device, gpu->vendor, gpu->device)) &&
           (!match->subsystem ||
            ids_are(mem, match->subsystem, gpu->subsystem_vendor, gpu->subsystem_device)) &&
           (!match->vram || match->vram == (uint64_t)gpu->vram_mib << 20);
}

static bool selects(struct gp_arena *mem, const struct gp_select *select, const struct gp_gpu *gpu)
{
    if (!select->slots.count && !select->addresses.count && !select->serials.count)
        return true;
    return (gpu->slot && gp_strings_have(&select->slots, gpu->slot)) ||
           (gpu->serial && gp_strings_have(&select->serials, gpu->serial)) ||
           gp_strings_have(&select->addresses, gp_pci_text(mem, gpu->address));
}

static bool forbidden(struct gp_resolve *r, const struct gp_gpu *gpu)
{
    const struct gp_strings *never = &r->input->agent->never_touch_gpus;

    return gp_strings_have(never, gp_pci_text(r->mem, gpu->address)) ||
           gp_strings_have(never, gpu->id) || (gpu->slot && gp_strings_have(never, gpu->slot));
}

static void second_pool(struct gp_resolve *r, size_t n, const struct gp_pool_decl *second)
{
    const struct gp_pool_decl *first = r->claims[n].pool;
    struct gp_goal_gpu *goal = &r->goal->gpus[n];

    if (first->mode != second->mode)
        gp_resolve_block_gpu(r, goal, "GP-E302", second->at,
                             "%s is in pool '%s' (%s) and in pool '%s' (%s); a GPU has one mode",
                             goal->id, first->name, gp_mode_name(first->mode), second->name,
                             gp_mode_name(second->mode));
    else
        gp_resolve_block_gpu(r, goal, "GP-E203", second->at,
                             "%s is in pool '%s' and in pool '%s'; narrow 'match' or 'select'",
                             goal->id, first->name, second->name);
}

static void claim(struct gp_resolve *r, size_t n, const struct gp_pool_decl *pool)
{
    struct gp_goal_gpu *goal = &r->goal->gpus[n];
    const struct gp_gpu *gpu = &r->have->gpus[n];

    if (r->claims[n].never) {
        gp_resolve_find(r, "GP-E406", GP_LEVEL_NOTE, pool->at, gp_printf(r->mem, "gpu/%s", gpu->id),
                        "%s fits pool '%s' but is in neverTouch of this host: it is left alone",
                        gpu->id, pool->name);
        return;
    }
    *gp_push(r->mem, r->claims[n].pools, r->claims[n].pool_count) = pool;
    if (goal->managed) {
        second_pool(r, n, pool);
        return;
    }
    goal->managed = true;
    goal->pool = pool;
    goal->cause = pool->count_at.line     ? pool->count_at
                  : pool->profile_at.line ? pool->profile_at
                                          : pool->at;
    r->claims[n].pool = pool;
    r->claims[n].whole = pool->mode == GP_MODE_PASSTHROUGH;
}

static const char *list_gpus(struct gp_resolve *r)
{
    struct gp_text text = {.mem = r->mem};

    for (size_t n = 0; n < r->have->gpu_count; n++) {
        const struct gp_gpu *gpu = &r->have->gpus[n];

        gp_text_addf(&text, "%s%s %s", n ? ", " : "", gpu->id,
                     gpu->model  ? gpu->model
                     : gpu->name ? gpu->name
                                 : "(unknown model)");
    }
    return text.size ? gp_text_get(&text) : "none";
}

static void claim_for(struct gp_resolve *r, const struct gp_pool_decl *pool)
{
    const char *host = r->input->agent->name;
    size_t fit = 0;

    if (!names_host(pool, host))
        return;
    for (size_t n = 0; n < r->have->gpu_count; n++)
        if (matches(r->mem, &pool->match, &r->have->gpus[n]) && selects(r->mem, &pool->select, &r->have->gpus[n])) {
            claim(r, n, pool);
            fit++;
        }
    if (!fit && names_host_outright(pool, host))
        gp_resolve_find(r, "GP-E201", GP_LEVEL_ERROR, pool->hosts_at.line ? pool->hosts_at : pool->at,
                        gp_printf(r->mem, "pool/%s", pool->name),
                        "%s has no GPU for pool '%s'; GPUs here: %s", host, pool->name, list_gpus(r));
}

/* GPUs that fit @pool, which has others of this host, and are in no pool: forgotten, mostly. */
static void tell_left_out(struct gp_resolve *r, const struct gp_pool_decl *pool)
{
    struct gp_text left_out = {.mem = r->mem};
    bool any = false;

    for (size_t n = 0; n < r->have->gpu_count; n++) {
        const struct gp_gpu *gpu = &r->have->gpus[n];

        any = any || (r->claims[n].pool && gp_claim_is_of(&r->claims[n], pool));
        if (!r->claims[n].pool && !r->claims[n].never && matches(r->mem, &pool->match, gpu))
            gp_text_addf(&left_out, "%s%s", left_out.size ? ", " : "", gpu->id);
    }
    if (any && left_out.size)
        gp_resolve_find(r, "GP-W203", GP_LEVEL_WARNING, pool->at, gp_printf(r->mem, "pool/%s", pool->name),
                        "pool '%s' leaves out GPUs of %s that fit it: %s", pool->name, r->input->agent->name,
                        gp_text_get(&left_out));
}

/* A GPU that is in no pool any more is never changed, unless its partitions are ours and pruning them was
 * asked for. */
static void prune(struct gp_resolve *r, size_t n)
{
    struct gp_goal_gpu *goal = &r->goal->gpus[n];
    const struct gp_gpu *gpu = &r->have->gpus[n];
    const struct gp_applied *applied = gp_memory_applied_gpu(r->mem, r->input->memory, gpu);

    if (goal->managed || !r->goal->policy.prune_partitions || !applied || r->claims[n].never ||
        gp_streq(applied->value, gp_mode_name(GP_MODE_NONE)) || !gpu->mechanism ||
        !r->input->mechanism(gpu->mechanism))
        return;
    goal->managed = true;
    goal->want = (struct gp_layout){.mode = GP_MODE_NONE};
    goal->cause = r->cluster->policy.at;
    r->claims[n].matches = true; /* as far as it matters here: nobody is given a place on it */
}

void gp_resolve_never(struct gp_resolve *r)
{
    for (size_t n = 0; n < r->have->gpu_count; n++)
        r->claims[n].never = forbidden(r, &r->have->gpus[n]);
}

void gp_resolve_pools(struct gp_resolve *r)
{
    for (size_t n = 0; n < r->cluster->pool_count; n++)
        claim_for(r, &r->cluster->pools[n]);
    for (size_t n = 0; n < r->cluster->pool_count; n++)
        tell_left_out(r, &r->cluster->pools[n]);
    gp_resolve_sets(r);
    for (size_t n = 0; n < r->have->gpu_count; n++) {
        if (!r->claims[n].pool) {
            prune(r, n);
            continue;
        }
        gp_resolve_able(r, n);
        if (!r->goal->gpus[n].blocked)
            gp_resolve_layout(r, n);
    }
    gp_resolve_left_out(r);
}
