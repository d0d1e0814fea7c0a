/* How a GPU of a pool is cut: the pool's count and profile against what the GPU can. */
#include "resolve.h"

#include "cleanup.h"
#include "text.h"

#include <string.h>

/* "NVIDIA A2-4Q" and "A2-4Q" name the same profile. */
static bool profile_is(const char *profile, const char *wanted)
{
    const char *space;

    if (!profile || !wanted)
        return profile == wanted;
    space = strrchr(profile, ' ');
    return gp_streq(profile, wanted) || (space && gp_streq(space + 1, wanted));
}

static const char *list_counts(struct gp_arena *mem, const struct gp_gpu *gpu)
{
    uint32_t *counts = gp_new_array(mem, uint32_t, gpu->valid_count);
    size_t count = 0;

    for (size_t n = gpu->valid_count; n-- > 0;)
        if (!count || counts[count - 1] != gpu->valid[n].count)
            counts[count++] = gpu->valid[n].count;
    return gp_join_u32(mem, counts, count);
}

static const char *list_profiles(struct gp_arena *mem, const struct gp_gpu *gpu, uint32_t count)
{
    struct gp_text text = {.mem = mem};

    for (size_t n = 0; n < gpu->valid_count; n++)
        if ((!count || gpu->valid[n].count == count) && gpu->valid[n].profile)
            gp_text_addf(&text, "%s%s", text.size ? ", " : "", gpu->valid[n].profile);
    return text.size ? gp_text_get(&text) : "none";
}

static uint32_t nearest_count(const struct gp_gpu *gpu, uint32_t wanted)
{
    uint32_t nearest = 0, distance = UINT32_MAX;

    /* From the smallest on: of two that are as near, the smaller needs less of the GPU. */
    for (size_t n = gpu->valid_count; n-- > 0;) {
        uint32_t count = gpu->valid[n].count;
        uint32_t away = count < wanted ? wanted - count : count - wanted;

        if (away < distance) {
            distance = away;
            nearest = count;
        }
    }
    return nearest;
}

static bool has_count(const struct gp_gpu *gpu, uint32_t count)
{
    for (size_t n = 0; n < gpu->valid_count; n++)
        if (gpu->valid[n].count == count)
            return true;
    return false;
}

static struct gp_layout layout_of(const struct gp_valid_count *way)
{
    return (struct gp_layout){
        .mode = GP_MODE_PARTITIONED,
        .count = way->count,
        .profile = way->profile,
        .type_id = way->type_id,
    };
}

static bool is_series_q(const char *profile)
{
    size_t size = profile ? strlen(profile) : 0;

    return size && profile[size - 1] == 'Q';
}

/* The best of those with @count: what was applied, what is there, the workstation series, the first. */
static const struct gp_valid_count *choose(struct gp_resolve *r, const struct gp_gpu *gpu,
                                           uint32_t count)
{
    const struct gp_applied *applied = gp_memory_applied_gpu(r->mem, r->input->memory, gpu);
    const struct gp_valid_count *best = NULL;
    int best_rank = 0;

    for (size_t n = 0; n < gpu->valid_count; n++) {
        const struct gp_valid_count *way = &gpu->valid[n];
        struct gp_layout layout = layout_of(way);
        int rank = 1;

        if (way->count != count)
            continue;
        if (applied && gp_streq(applied->value, gp_layout_value(r->mem, &layout)))
            rank = 4;
        else if (gpu->profile && gp_streq(gpu->profile, way->profile))
            rank = 3;
        else if (is_series_q(way->profile))
            rank = 2;
        if (rank > best_rank) {
            best = way;
            best_rank = rank;
        }
    }
    return best;
}

static const struct gp_valid_count *by_count(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];
    const struct gp_pool_decl *pool = r->claims[n].pool;
    const struct gp_valid_count *way = choose(r, gpu, pool->count);

    if (!way)
        gp_resolve_block_gpu(r, &r->goal->gpus[n], "GP-E210",
                             pool->count_at.line ? pool->count_at : pool->at,
                             "%s cannot be cut into %u equal partitions; valid counts: %s; nearest: %u",
                             gpu->id, (unsigned)pool->count, list_counts(r->mem, gpu),
                             (unsigned)nearest_count(gpu, pool->count));
    return way;
}

static const struct gp_valid_count *by_profile(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];
    const struct gp_pool_decl *pool = r->claims[n].pool;
    struct gp_goal_gpu *goal = &r->goal->gpus[n];
    struct gp_span at = pool->profile_at.line ? pool->profile_at : pool->at;
    const struct gp_valid_count *way = NULL, *named = NULL;

    for (size_t v = 0; v < gpu->valid_count; v++) {
        const struct gp_valid_count *other = &gpu->valid[v];

        if (!profile_is(other->profile, pool->profile))
            continue;
        named = named ? named : other;
        if (pool->count && other->count != pool->count)
            continue;
        if (way && !gp_streq(way->profile, other->profile)) {
            gp_resolve_block_gpu(r, goal, "GP-E211", at, "profile '%s' of %s may be '%s' or '%s'",
                                 pool->profile, gpu->id, way->profile, other->profile);
            return NULL;
        }
        if (way && way->count != other->count) {
            gp_resolve_block_gpu(r, goal, "GP-E211", at,
                                 "profile '%s' of %s gives %u or %u partitions; say which with 'count'",
                                 pool->profile, gpu->id, (unsigned)other->count,
                                 (unsigned)way->count);
            return NULL;
        }
        way = other;
    }
    if (way)
        return way;
    if (!named)
        gp_resolve_block_gpu(r, goal, "GP-E211", at, "%s has no profile '%s'; it has: %s%s%s", gpu->id,
                             pool->profile, list_profiles(r->mem, gpu, 0), gpu->reason ? "; " : "",
                             gpu->reason ? gpu->reason : "");
    else if (!has_count(gpu, pool->count))
        return by_count(r, n);
    else
        gp_resolve_block_gpu(r, goal, "GP-E211", at,
                             "profile '%s' gives %u partitions of %s, not %u; profiles that give %u: %s",
                             pool->profile, (unsigned)named->count, gpu->id, (unsigned)pool->count,
                             (unsigned)pool->count, list_profiles(r->mem, gpu, pool->count));
    return NULL;
}

/* A GPU that somebody partitioned before us is reshaped only if somebody says so. */
static void check_takeover(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];
    struct gp_goal_gpu *goal = &r->goal->gpus[n];
    const struct gp_pool_decl *pool = r->claims[n].pool;
    const char *object = gp_printf(r->mem, "gpu/%s", gpu->id);

    if (!gpu->count || pool->takeover ||
        gp_memory_applied_gpu(r->mem, r->input->memory, gpu) ||
        (r->input->approved && gp_strings_have(r->input->approved, object)))
        return;
    gp_resolve_block_gpu(r, goal, "GP-E503", goal->cause,
                         "%s is '%s' already, not '%s': pool '%s' needs 'takeover: true', or "
                         "'gpupart approve %s --for 1h --reason WHY'",
                         gpu->id, gp_gpu_value(r->mem, gpu), gp_layout_value(r->mem, &goal->want),
                         pool->name, object);
}

/* NULL if its valid counts do not tell; a reason is told then. */
static const struct gp_valid_count *find_way(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];
    const struct gp_pool_decl *pool = r->claims[n].pool;
    struct gp_goal_gpu *goal = &r->goal->gpus[n];

    if (!gpu->valid_count) {
        gp_resolve_block_gpu(r, goal, "GP-E202", pool->at,
                             "it is not known how %s can be partitioned: %s", gpu->id,
                             gpu->reason ? gpu->reason
                                         : "neither its driver nor the catalogue tells a valid count");
        return NULL;
    }
    if (!pool->count && !pool->profile) {
        gp_resolve_block_gpu(r, goal, "GP-E211", pool->at,
                             "pool '%s' says neither 'count' nor 'profile'; valid counts of %s: %s",
                             pool->name, gpu->id, list_counts(r->mem, gpu));
        return NULL;
    }
    return pool->profile ? by_profile(r, n) : by_count(r, n);
}

/* Partitions of @before that @now, on the way, has no more, or has anew. */
static void note_gone(struct gp_resolve *r, struct gp_claim *claim, const struct gp_gpu *before,
                      const struct gp_gpu *now)
{
    for (size_t n = 0; n < before->partition_count; n++) {
        const struct gp_partition *was = &before->partitions[n];
        const struct gp_partition *is = gp_gpu_partition(now, was->index);

        if (was->live && !(is && is->live && gp_device_eq(was->device, is->device)) &&
            !gp_claim_makes_anew(claim, was->index))
            *gp_push(r->mem, claim->anew, claim->anew_count) = was->index;
    }
}

/* What a mechanism cannot do at all is told before any VM is given a place there. What merely stands in the
 * way now is the planner's to find. */
static void ask_mechanism(struct gp_resolve *r, size_t n, const struct gp_mechanism *mechanism)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];
    struct gp_claim *claim = &r->claims[n];
    struct gp_goal_gpu *goal = &r->goal->gpus[n];
    struct gp_steps steps = {.mem = r->mem};
    gp_cleanup(gp_error_free_p) struct gp_error *err = mechanism->plan(gpu, &goal->want, &steps);
    struct gp_gpu *after;

    if (err && err->code == GP_E_UNSUPPORTED)
        gp_resolve_block_gpu(r, goal, "GP-E110",
                             claim->pool->mode_at.line ? claim->pool->mode_at : claim->pool->at,
                             "mode %s is not offered by mechanism %s of %s: %s",
                             gp_mode_name(claim->pool->mode), gpu->mechanism, gpu->id, err->message);
    if (err)
        return;
    after = gp_have_copy(r->mem, &(struct gp_have){.gpus = r->have->gpus + n, .gpu_count = 1})->gpus;
    for (size_t s = 0; s < steps.count; s++) {
        claim->all_disturbed |= steps.items[s].reach >= GP_REACH_GPU;
        mechanism->predict(r->mem, after, &steps.items[s]);
        note_gone(r, claim, gpu, after);
    }
    claim->after = after;
}

void gp_resolve_layout(struct gp_resolve *r, size_t n)
{
    const struct gp_gpu *gpu = &r->have->gpus[n];
    const struct gp_mechanism *mechanism = r->input->mechanism(gpu->mechanism);
    struct gp_claim *claim = &r->claims[n];
    struct gp_goal_gpu *goal = &r->goal->gpus[n];

    if (claim->pool->mode == GP_MODE_PARTITIONED) {
        const struct gp_valid_count *way = find_way(r, n);

        if (!way)
            return;
        goal->want = layout_of(way);
        claim->vram_mib = way->vram_mib;
    } else {
        goal->want = (struct gp_layout){.mode = claim->pool->mode};
        claim->vram_mib = gpu->vram_mib;
    }
    claim->matches = mechanism->matches(gpu, &goal->want);
    if (claim->matches) {
        claim->after = gpu;
        return;
    }
    ask_mechanism(r, n, mechanism);
    check_takeover(r, n);
}
