/* What a pool asks for against what the catalogue knows. Facts of a host win later. */
#include "check.h"

#include "catalog.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static uint16_t hex(const char *text)
{
    return (uint16_t)strtoul(text, NULL, 16);
}

const struct gp_catalog_gpu *gp_match_model(const struct gp_match *match)
{
    const char *sub = match->subsystem;

    if (match->model)
        return gp_catalog_find(match->model);
    if (!match->device)
        return NULL;
    return gp_catalog_identify(hex(match->device), hex(match->device + 5), sub ? hex(sub) : 0,
                               sub ? hex(sub + 5) : 0);
}

const char *gp_match_vendor(struct gp_arena *mem, const struct gp_match *match)
{
    static const struct {
        const char *id, *name;
    } known[] = {{"10de", "nvidia"}, {"8086", "intel"}, {"1002", "amd"}};
    const struct gp_catalog_gpu *gpu = gp_match_model(match);
    const char *vendor = match->vendor;

    if (gpu)
        return gpu->vendor;
    if (!vendor && match->device)
        vendor = gp_strndup(mem, match->device, 4);
    for (size_t i = 0; vendor && i < sizeof known / sizeof *known; i++)
        if (gp_streq(vendor, known[i].id))
            return known[i].name;
    return vendor;
}

/* ---- count and profile ---- */

static bool has_count(const struct gp_catalog_gpu *gpu, uint32_t count)
{
    for (size_t i = 0; i < gpu->valid_count; i++)
        if (gpu->valid[i].count == count)
            return true;
    return false;
}

/* The valid counts, smallest first, and the one nearest to @wanted; of two as near the smaller. */
static const char *valid_counts(struct gp_arena *mem, const struct gp_catalog_gpu *gpu,
                                uint32_t wanted, uint32_t *ret_nearest)
{
    uint32_t *counts = gp_new_array(mem, uint32_t, gpu->valid_count);
    uint32_t best = UINT32_MAX;
    size_t n = 0;

    for (size_t i = gpu->valid_count; i-- > 0;) {
        const uint32_t count = gpu->valid[i].count;
        const uint32_t away = count > wanted ? count - wanted : wanted - count;

        if (n && counts[n - 1] == count)
            continue;
        counts[n++] = count;
        if (away < best) {
            best = away;
            *ret_nearest = count;
        }
    }
    return gp_join_u32(mem, counts, n);
}

static void check_count(struct gp_mistakes *m, const struct gp_pool_decl *pool,
                        const struct gp_catalog_gpu *gpu)
{
    uint32_t nearest = 0;
    const char *valid;

    if (!pool->count || has_count(gpu, pool->count))
        return;
    valid = valid_counts(m->mem, gpu, pool->count, &nearest);
    gp_mistake(m, "GP-E210", pool->count_at,
               "%s cannot be cut into %u equal partitions; valid counts: %s; nearest: %u",
               gpu->model, pool->count, valid, nearest);
}

static const char *last_word(const char *profile)
{
    const char *space = strrchr(profile, ' ');

    return space ? space + 1 : profile;
}

/* A full name, or its last word. */
static bool is_profile(const struct gp_valid_count *way, const char *profile)
{
    return way->profile &&
           (gp_streq(way->profile, profile) || gp_streq(last_word(way->profile), profile));
}

static const char *profiles_with(struct gp_arena *mem, const struct gp_catalog_gpu *gpu,
                                 uint32_t count)
{
    struct gp_text text = {.mem = mem};

    for (size_t i = 0; i < gpu->valid_count; i++)
        if (gpu->valid[i].profile && gpu->valid[i].count == count)
            gp_text_addf(&text, "%s%s", text.size ? ", " : "", gpu->valid[i].profile);
    return text.size ? gp_text_get(&text) : "none";
}

static void tell_no_profile(struct gp_mistakes *m, const struct gp_pool_decl *pool,
                            const struct gp_catalog_gpu *gpu)
{
    const char **names = gp_new_array(m->mem, const char *, 2 * gpu->valid_count + 1);
    size_t n = 0;

    for (size_t i = 0; i < gpu->valid_count; i++)
        if (gpu->valid[i].profile)
            names[n++] = gpu->valid[i].profile;
    for (size_t i = 0; i < gpu->valid_count && !strchr(pool->profile, ' '); i++)
        if (gpu->valid[i].profile)
            names[n++] = last_word(gpu->valid[i].profile);
    gp_mistake(m, "GP-E211", pool->profile_at, "%s has no profile %s%s", gpu->model,
               gp_quote(m->mem, pool->profile),
               n ? gp_did_you_mean(m->mem, pool->profile, names)
                 : "; its partitions have none, only a count");
}

static void check_profile(struct gp_mistakes *m, const struct gp_pool_decl *pool,
                          const struct gp_catalog_gpu *gpu)
{
    const struct gp_valid_count *found = NULL;
    bool fits = false;

    for (size_t i = 0; i < gpu->valid_count; i++) {
        const struct gp_valid_count *way = &gpu->valid[i];

        if (!is_profile(way, pool->profile))
            continue;
        fits |= !pool->count || pool->count == way->count;
        if (found && (!pool->count || !gp_streq(found->profile, way->profile))) {
            gp_mistake(m, "GP-E211", pool->profile_at,
                       "profile %s of %s is ambiguous: %s gives %u partitions, %s gives %u",
                       gp_quote(m->mem, pool->profile), gpu->model, found->profile, found->count,
                       way->profile, way->count);
            return;
        }
        found = way;
    }
    if (!found)
        tell_no_profile(m, pool, gpu);
    else if (!fits && has_count(gpu, pool->count)) /* else GP-E210 says it */
        gp_mistake(m, "GP-E211", pool->profile_at,
                   "profile %s gives %u partitions of %s, not %u; profiles that give %u: %s",
                   gp_quote(m->mem, pool->profile), found->count, gpu->model, pool->count,
                   pool->count, profiles_with(m->mem, gpu, pool->count));
}

static void check_match_vram(struct gp_mistakes *m, const struct gp_pool_decl *pool,
                             const struct gp_catalog_gpu *gpu)
{
    if (!pool->match.vram || !gpu->vram_mib || pool->match.vram == (uint64_t)gpu->vram_mib << 20)
        return;
    gp_mistake(m, "GP-E307", pool->match.at,
               "'vram' is %llu MiB here, but %s has %u MiB: nothing would match",
               (unsigned long long)(pool->match.vram >> 20), gpu->model, gpu->vram_mib);
}

void gp_check_pool(struct gp_mistakes *m, const struct gp_pool_decl *pool)
{
    const struct gp_catalog_gpu *gpu = gp_match_model(&pool->match);
    const bool given = pool->count_at.line || pool->profile_at.line;

    if (gpu)
        check_match_vram(m, pool, gpu);
    if (pool->mode == GP_MODE_NONE)
        return;
    if (pool->mode != GP_MODE_PARTITIONED) {
        if (given)
            gp_mistake(m, "GP-E214", pool->count_at.line ? pool->count_at : pool->profile_at,
                       "'partitions' is for mode partitioned, and pool %s is %s",
                       gp_quote(m->mem, pool->name), gp_mode_name(pool->mode));
        return;
    }
    if (!gpu || !gpu->valid_count)
        return;
    check_count(m, pool, gpu);
    if (pool->profile)
        check_profile(m, pool, gpu);
}

/* ---- a binding and its pool ---- */

/* Most and least memory that a guest of @pool may see, as far as the catalogue tells; 0: it does
 * not. */
static void usable_memory(const struct gp_pool_decl *pool, uint64_t *ret_least, uint64_t *ret_most)
{
    const struct gp_catalog_gpu *gpu = gp_match_model(&pool->match);
    uint64_t least = UINT64_MAX, most = 0;

    *ret_least = *ret_most = 0;
    if (!gpu)
        return;
    if (pool->mode == GP_MODE_PASSTHROUGH)
        *ret_least = *ret_most = (uint64_t)gpu->vram_mib << 20;
    if (pool->mode != GP_MODE_PARTITIONED)
        return;
    for (size_t i = 0; i < gpu->valid_count; i++) {
        const struct gp_valid_count *way = &gpu->valid[i];
        const uint64_t bytes = (uint64_t)way->vram_mib << 20;

        if ((pool->count && way->count != pool->count) ||
            (pool->profile && !is_profile(way, pool->profile)) || !bytes)
            continue;
        least = bytes < least ? bytes : least;
        most = bytes > most ? bytes : most;
    }
    if (most) {
        *ret_least = least;
        *ret_most = most;
    }
}

void gp_check_binding(struct gp_mistakes *m, const struct gp_binding_decl *binding,
                      const struct gp_pool_decl *pool)
{
    uint64_t least, most;

    usable_memory(pool, &least, &most);
    if (!most)
        return;
    if (binding->vram.min > most)
        gp_mistake(m, "GP-E307", binding->vram_at,
                   "'vram' asks for at least %llu MiB, and a guest of pool %s can use %llu MiB",
                   (unsigned long long)(binding->vram.min >> 20), gp_quote(m->mem, pool->name),
                   (unsigned long long)(most >> 20));
    if (binding->vram.max && binding->vram.max < least)
        gp_mistake(m, "GP-E307", binding->vram_at,
                   "'vram' asks for at most %llu MiB, and a guest of pool %s can use %llu MiB",
                   (unsigned long long)(binding->vram.max >> 20), gp_quote(m->mem, pool->name),
                   (unsigned long long)(least >> 20));
}

/* ---- vendors and families ---- */

static const char *family_of(const struct gp_pool_decl *pool)
{
    const struct gp_catalog_gpu *gpu = gp_match_model(&pool->match);

    return gpu ? gpu->family : NULL;
}

static void check_mix(struct gp_mistakes *m, const struct gp_pool_decl *first,
                      const struct gp_pool_decl *pool, enum gp_level level)
{
    const char *one = gp_match_vendor(m->mem, &first->match);
    const char *two = gp_match_vendor(m->mem, &pool->match);

    if (!one || !two)
        return;
    if (!gp_streq(one, two)) {
        gp_mistake_level(m, "GP-E207", level, pool->match.at,
                         "pool %s divides GPUs of %s and pool %s those of %s; hosts of one cluster "
                         "should be alike",
                         gp_quote(m->mem, pool->name), two, gp_quote(m->mem, first->name), one);
        return;
    }
    one = family_of(first);
    two = family_of(pool);
    if (one && two && !gp_streq(one, two))
        gp_mistake_level(
            m, "GP-E208", level, pool->match.at,
            "pool %s divides GPUs of family %s and pool %s those of family %s; hosts of "
            "one cluster should be alike",
            gp_quote(m->mem, pool->name), two, gp_quote(m->mem, first->name), one);
}

void gp_check_homogeneity(struct gp_mistakes *m, const struct gp_cluster_decl *cluster)
{
    const enum gp_level level =
        cluster->homogeneity == GP_HOMOGENEITY_ENFORCE ? GP_LEVEL_ERROR : GP_LEVEL_WARNING;
    const struct gp_pool_decl *first = NULL;

    if (cluster->homogeneity == GP_HOMOGENEITY_IGNORE)
        return;
    for (size_t i = 0; i < cluster->pool_count; i++) {
        const struct gp_pool_decl *pool = &cluster->pools[i];

        if (pool->mode != GP_MODE_PARTITIONED || !pool->name)
            continue;
        if (first)
            check_mix(m, first, pool, level);
        else
            first = pool;
    }
    for (size_t i = 0; first && i < cluster->pool_count; i++) {
        const struct gp_pool_decl *pool = &cluster->pools[i];
        const char *one = gp_match_vendor(m->mem, &first->match);
        const char *two = gp_match_vendor(m->mem, &pool->match);

        if (pool->mode != GP_MODE_PARTITIONED && pool->name && one && two && !gp_streq(one, two))
            gp_mistake(m, "GP-W209", pool->match.at,
                       "pool %s is of %s and the divided GPUs are of %s",
                       gp_quote(m->mem, pool->name), two, one);
    }
}
