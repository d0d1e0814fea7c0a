/* GPUs that stand side by side: those of one pool must be alike, those of one cluster should be. */
#include "resolve.h"

#include "text.h"

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
        if (!r->claims[n].pool || !gp_claim_is_of(&r->claims[n], pool))
            continue;
        if (!first)
            first = &r->have->gpus[n];
        else if (!other && !alike(first, &r->have->gpus[n]))
            other = &r->have->gpus[n];
    }
    for (size_t n = 0; other && n < r->have->gpu_count; n++)
        if (r->claims[n].pool && gp_claim_is_of(&r->claims[n], pool))
            gp_resolve_block_gpu(r, &r->goal->gpus[n], "GP-E205", pool->at,
                                 "the GPUs of pool '%s' differ: %s is %s (%u MiB), %s is %s (%u MiB)",
                                 pool->name, first->id, first->model ? first->model : "unknown",
                                 (unsigned)first->vram_mib, other->id,
                                 other->model ? other->model : "unknown", (unsigned)other->vram_mib);
}

/* Two partitioned pools whose GPUs are of different vendors (GP-E207) or families (GP-E208). */
static void tell_mixed(struct gp_resolve *r, size_t first, size_t n, const char *rule, const char *what)
{
    const struct gp_pool_decl *pool = r->claims[n].pool;

    if (r->cluster->homogeneity == GP_HOMOGENEITY_ENFORCE)
        gp_resolve_block_gpu(r, &r->goal->gpus[n], rule, pool->at, "pools '%s' and '%s' partition GPUs of different %s",
                             r->claims[first].pool->name, pool->name, what);
    else
        gp_resolve_find(r, rule, GP_LEVEL_WARNING, pool->at, gp_printf(r->mem, "pool/%s", pool->name),
                        "pools '%s' and '%s' partition GPUs of different %s", r->claims[first].pool->name, pool->name,
                        what);
}

static void check_homogeneity(struct gp_resolve *r)
{
    const struct gp_gpu *gpus = r->have->gpus;
    size_t first = SIZE_MAX;

    for (size_t n = 0; n < r->have->gpu_count; n++) {
        const struct gp_pool_decl *pool = r->claims[n].pool;

        if (!pool || pool->mode != GP_MODE_PARTITIONED)
            continue;
        if (first == SIZE_MAX)
            first = n;
        else if (gpus[first].vendor != gpus[n].vendor)
            tell_mixed(r, first, n, "GP-E207", "vendors");
        else if (gpus[first].family && gpus[n].family && !gp_streq(gpus[first].family, gpus[n].family) &&
                 pool != r->claims[first].pool)
            tell_mixed(r, first, n, "GP-E208", "families");
    }
    for (size_t n = 0; first != SIZE_MAX && n < r->have->gpu_count; n++) {
        const struct gp_pool_decl *pool = r->claims[n].pool;

        if (pool && pool->mode != GP_MODE_PARTITIONED && gpus[first].vendor != gpus[n].vendor)
            gp_resolve_find(r, "GP-W209", GP_LEVEL_WARNING, pool->at, gp_printf(r->mem, "pool/%s", pool->name),
                            "%s of pool '%s' is of another vendor than the partitioned GPUs (%s)", gpus[n].id,
                            pool->name, gpus[first].id);
    }
}

/* A GPU that nobody claims keeps what it has, so that guests get other sizes there than the pool's. */
static void check_left_out(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];

    for (size_t other = 0; other < r->have->gpu_count; other++) {
        const struct gp_pool_decl *pool = r->claims[other].pool;
        const struct gp_goal_gpu *goal = &r->goal->gpus[other];

        if (!pool || pool->mode != GP_MODE_PARTITIONED || goal->blocked || !alike(gpu, &r->have->gpus[other]) ||
            (gpu->count == goal->want.count && gp_streq(gpu->profile, goal->want.profile)))
            continue;
        gp_resolve_find(r, "GP-W204", GP_LEVEL_WARNING, pool->at, gp_printf(r->mem, "gpu/%s", gpu->id),
                        "%s is like %s of pool '%s' and in no pool: it stays '%s', and the pool's are '%s'", gpu->id,
                        goal->id, pool->name, gp_gpu_value(r->mem, gpu), gp_layout_value(r->mem, &goal->want));
        return;
    }
}

/* What only the driver tells may differ from what a reviewer expects. */
static void check_known(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];
    const struct gp_pool_decl *pool = r->claims[n].pool;

    if (!gpu->model && pool->mode == GP_MODE_PARTITIONED)
        gp_resolve_find(r, "GP-W111", GP_LEVEL_WARNING, pool->at, gp_printf(r->mem, "gpu/%s", gpu->id),
                        "%s (%04x:%04x) is not in the catalogue: only what its driver tells is known of it", gpu->id,
                        (unsigned)gpu->vendor, (unsigned)gpu->device);
    if (gpu->other_tool)
        gp_resolve_find(r, "GP-W310", GP_LEVEL_WARNING, pool->at, gp_printf(r->mem, "gpu/%s", gpu->id),
                        "%s of pool '%s' is set up by %s too: take it out there, or the GPU out of the pool", gpu->id,
                        pool->name, gpu->other_tool);
}

void gp_resolve_sets(struct gp_resolve *r)
{
    for (size_t n = 0; n < r->cluster->pool_count; n++)
        check_alike(r, &r->cluster->pools[n]);
    if (r->cluster->homogeneity != GP_HOMOGENEITY_IGNORE)
        check_homogeneity(r);
    for (size_t n = 0; n < r->have->gpu_count; n++)
        if (r->claims[n].pool)
            check_known(r, n);
}

void gp_resolve_left_out(struct gp_resolve *r)
{
    for (size_t n = 0; n < r->have->gpu_count; n++)
        if (!r->claims[n].pool && r->have->gpus[n].mode == GP_MODE_PARTITIONED)
            check_left_out(r, n);
}
