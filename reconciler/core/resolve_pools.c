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
    return gp_strings_has(&pool->hosts, host);
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
    return (gpu->slot && gp_strings_has(&select->slots, gpu->slot)) ||
           (gpu->serial && gp_strings_has(&select->serials, gpu->serial)) ||
           gp_strings_has(&select->addresses, gp_pci_text(mem, gpu->address));
}

static bool forbidden(struct gp_resolve *r, const struct gp_gpu *gpu)
{
    const struct gp_strings *never = &r->input->agent->never_touch_gpus;

    return gp_strings_has(never, gp_pci_text(r->mem, gpu->address)) ||
           gp_strings_has(never, gpu->id) || (gpu->slot && gp_strings_has(never, gpu->slot));
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

    if (forbidden(r, gpu)) {
        gp_resolve_find(r, "GP-E406", GP_LEVEL_NOTE, pool->at, gp_printf(r->mem, "gpu/%s", gpu->id),
                        "%s fits pool '%s' but is in neverTouch of this host: it is left alone",
                        gpu->id, pool->name);
        return;
    }
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
    struct gp_text left_out = {.mem = r->mem};
    size_t fit = 0;

    if (!names_host(pool, host))
        return;
    for (size_t n = 0; n < r->have->gpu_count; n++) {
        const struct gp_gpu *gpu = &r->have->gpus[n];

        if (!matches(r->mem, &pool->match, gpu))
            continue;
        if (selects(r->mem, &pool->select, gpu)) {
            claim(r, n, pool);
            fit++;
        } else {
            gp_text_addf(&left_out, "%s%s", left_out.size ? ", " : "", gpu->id);
        }
    }
    if (!fit && names_host_outright(pool, host))
        gp_resolve_find(r, "GP-E201", GP_LEVEL_ERROR, pool->hosts_at.line ? pool->hosts_at : pool->at,
                        gp_printf(r->mem, "pool/%s", pool->name),
                        "%s has no GPU for pool '%s'; GPUs here: %s", host, pool->name, list_gpus(r));
    else if (fit && left_out.size)
        gp_resolve_find(r, "GP-W203", GP_LEVEL_WARNING, pool->at,
                        gp_printf(r->mem, "pool/%s", pool->name),
                        "pool '%s' leaves out GPUs of %s that fit it: %s", pool->name, host,
                        gp_text_get(&left_out));
}

static bool alike(const struct gp_gpu *a, const struct gp_gpu *b)
{
    if (a->vram_mib && b->vram_mib && a->vram_mib != b->vram_mib)
        return false;
    if (a->model && b->model)
        return gp_streq(a->model, b->model);
    return a->vendor == b->vendor && a->device == b->device;
}

/* The GPUs of a pool are cut alike, so they must be alike. */
static void check_alike(struct gp_resolve *r, const struct gp_pool_decl *pool)
{
    const struct gp_gpu *first = NULL, *other = NULL;

    for (size_t n = 0; n < r->have->gpu_count; n++) {
        if (r->claims[n].pool != pool)
            continue;
        if (!first)
            first = &r->have->gpus[n];
        else if (!other && !alike(first, &r->have->gpus[n]))
            other = &r->have->gpus[n];
    }
    for (size_t n = 0; other && n < r->have->gpu_count; n++)
        if (r->claims[n].pool == pool)
            gp_resolve_block_gpu(r, &r->goal->gpus[n], "GP-E205", pool->at,
                                 "the GPUs of pool '%s' differ: %s is %s (%u MiB), %s is %s (%u MiB)",
                                 pool->name, first->id, first->model ? first->model : "unknown",
                                 (unsigned)first->vram_mib, other->id,
                                 other->model ? other->model : "unknown", (unsigned)other->vram_mib);
}

static void check_vendors(struct gp_resolve *r)
{
    bool enforce = r->cluster->homogeneity == GP_HOMOGENEITY_ENFORCE;
    size_t first = SIZE_MAX;

    if (r->cluster->homogeneity == GP_HOMOGENEITY_IGNORE)
        return;
    for (size_t n = 0; n < r->have->gpu_count; n++) {
        const struct gp_pool_decl *pool = r->claims[n].pool;

        if (!pool || pool->mode != GP_MODE_PARTITIONED)
            continue;
        if (first == SIZE_MAX)
            first = n;
        if (r->have->gpus[first].vendor == r->have->gpus[n].vendor)
            continue;
        if (enforce)
            gp_resolve_block_gpu(r, &r->goal->gpus[n], "GP-E207", pool->at,
                                 "pools '%s' and '%s' partition GPUs of different vendors",
                                 r->claims[first].pool->name, pool->name);
        else
            gp_resolve_find(r, "GP-E207", GP_LEVEL_WARNING, pool->at,
                            gp_printf(r->mem, "pool/%s", pool->name),
                            "pools '%s' and '%s' partition GPUs of different vendors",
                            r->claims[first].pool->name, pool->name);
    }
}

/* libvirt 10.0.0 is the first that starts a guest with an unmanaged VF which stays on its vendor's VFIO
 * variant driver; those before insist on vfio-pci. */
enum { VENDOR_VFIO_LIBVIRT = 10 * 1000000 };

static bool libvirt_too_old(const struct gp_have *have, const struct gp_gpu *gpu)
{
    return gp_streq(gpu->mechanism, "nvidia-vfio") && have->libvirt_version &&
           !have->hypervisor_is_mock && have->libvirt_version < VENDOR_VFIO_LIBVIRT;
}

static void check_risks(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];
    const struct gp_pool_decl *pool = r->claims[n].pool;
    struct gp_goal_gpu *goal = &r->goal->gpus[n];
    uint32_t version = r->have->libvirt_version;

    if (r->have->nested && !(r->cluster->accept_risk & GP_RISK_NESTED))
        gp_resolve_block_gpu(r, goal, "GP-E112", pool->at,
                             "%s is in a host that is itself a guest; if that is meant, the cluster "
                             "says 'acceptRisk: [nested]'",
                             gpu->id);
    else if (r->claims[n].whole && gpu->boot_vga && !(r->cluster->accept_risk & GP_RISK_BOOT_DISPLAY))
        gp_resolve_block_gpu(r, goal, "GP-E120", pool->at,
                             "%s shows this host's console; if it is to go, the cluster says "
                             "'acceptRisk: [boot-display]'",
                             gpu->id);
    else if (!r->claims[n].whole && libvirt_too_old(r->have, gpu))
        gp_resolve_block_gpu(r, goal, "GP-E202", pool->at,
                             "%s needs libvirt 10.0.0 or newer, which starts guests with VFs on "
                             "NVIDIA's own driver; this host has %u.%u.%u",
                             gpu->id, (unsigned)(version / 1000000),
                             (unsigned)(version / 1000 % 1000), (unsigned)(version % 1000));
}

/* A GPU that nothing can cut may still be given as a whole, so its status is asked after its mode. One that was
 * left half-way is its mechanism's to judge, which plans the way out or says why there is none. */
static void check_able(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];
    const struct gp_pool_decl *pool = r->claims[n].pool;
    struct gp_goal_gpu *goal = &r->goal->gpus[n];
    struct gp_span mode_at = pool->mode_at.line ? pool->mode_at : pool->at;
    const char *why = gpu->reason ? gpu->reason : gp_gpu_status_name(gpu->status);

    if (!gpu->mechanism || !r->input->mechanism(gpu->mechanism))
        gp_resolve_block_gpu(r, goal, "GP-E110", mode_at, "nothing on this host can make %s %s: %s",
                             gpu->id, gp_mode_name(pool->mode), why);
    else if (pool->mode != GP_MODE_PARTITIONED && pool->mode != GP_MODE_PASSTHROUGH)
        gp_resolve_block_gpu(r, goal, "GP-E110", mode_at,
                             "mode %s is not offered by mechanism %s of %s", gp_mode_name(pool->mode),
                             gpu->mechanism, gpu->id);
    else if (gpu->status == GP_GPU_UNSUPPORTED && pool->mode == GP_MODE_PARTITIONED)
        gp_resolve_block_gpu(r, goal, "GP-E110", mode_at, "%s cannot be partitioned: %s", gpu->id,
                             why);
    else if (gpu->status == GP_GPU_NOT_ASSIGNABLE || gpu->status == GP_GPU_UNKNOWN)
        gp_resolve_block_gpu(r, goal, "GP-E202", pool->at, "%s cannot be made %s yet: %s", gpu->id,
                             gp_mode_name(pool->mode), why);
    else
        check_risks(r, n);
}

/* A GPU that is in no pool any more is never changed, unless its partitions are ours and pruning them was
 * asked for. */
static void prune(struct gp_resolve *r, size_t n)
{
    struct gp_goal_gpu *goal = &r->goal->gpus[n];
    const struct gp_gpu *gpu = &r->have->gpus[n];
    const struct gp_applied *applied = gp_memory_applied_gpu(r->mem, r->input->memory, gpu);

    if (goal->managed || !r->goal->policy.prune_partitions || !applied || forbidden(r, gpu) ||
        gp_streq(applied->value, gp_mode_name(GP_MODE_NONE)) || !gpu->mechanism ||
        !r->input->mechanism(gpu->mechanism))
        return;
    goal->managed = true;
    goal->want = (struct gp_layout){.mode = GP_MODE_NONE};
    goal->cause = r->cluster->policy.at;
    r->claims[n].matches = true; /* as far as it matters here: nobody is given a place on it */
}

void gp_resolve_pools(struct gp_resolve *r)
{
    for (size_t n = 0; n < r->cluster->pool_count; n++)
        claim_for(r, &r->cluster->pools[n]);
    for (size_t n = 0; n < r->cluster->pool_count; n++)
        check_alike(r, &r->cluster->pools[n]);
    check_vendors(r);
    for (size_t n = 0; n < r->have->gpu_count; n++) {
        if (!r->claims[n].pool) {
            prune(r, n);
            continue;
        }
        check_able(r, n);
        if (!r->goal->gpus[n].blocked)
            gp_resolve_layout(r, n);
    }
}
