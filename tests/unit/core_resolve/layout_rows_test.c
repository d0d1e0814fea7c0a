/* Examples of gp_resolve(): how a GPU is cut, and the words it is told in. */
#include "rows.h"
#include "resolve_rows.h"

#include "text.h"

static void count_not_valid(struct world *world)
{
    world->cluster.pools[0].count = 5;
}

static void profile_alone(struct world *world)
{
    world->cluster.pools[0].count = 0;
    world->cluster.pools[0].profile = "A2-8C";
}

static void profile_unknown(struct world *world)
{
    profile_alone(world);
    world->cluster.pools[0].profile = "A2-9Q";
    world->have.gpus[0].valid_count = 3;
}

static void profile_untold(struct world *world)
{
    profile_unknown(world);
    world->have.gpus[0].reason = "its driver does not tell how many it could have of A2-9Q";
}

static void profile_against_count(struct world *world)
{
    world->cluster.pools[0].profile = "NVIDIA A2-8Q";
}

static void neither(struct world *world)
{
    world->cluster.pools[0].count = 0;
}

static void profile_of_two_counts(struct world *world)
{
    struct gp_gpu *gpu = &world->have.gpus[0];

    profile_alone(world);
    gpu->valid[2].profile = gpu->valid[0].profile = world->cluster.pools[0].profile;
    gpu->valid[0].count = 4;
    gpu->valid[2].count = 2;
    gpu->valid_count = 3;
}

static void plain_vfs(struct world *world)
{
    for (size_t n = 0; n < world->have.gpus[0].valid_count; n++)
        world->have.gpus[0].valid[n].profile = NULL;
}

static void series_kept(struct world *world)
{
    world_cut(world, &world->have.gpus[0], 4, 0);
    world->have.gpus[0].profile = "NVIDIA A2-4C";
}

static void series_applied(struct world *world)
{
    world_applied(world, "gpu/slot3", "partitioned 4 NVIDIA A2-4C");
}

static void cut_otherwise(struct world *world)
{
    world_cut(world, &world->have.gpus[0], 8, 0);
}

static void cut_otherwise_taken_over(struct world *world)
{
    cut_otherwise(world);
    world->cluster.pools[0].takeover = true;
}

static void cut_otherwise_approved(struct world *world)
{
    cut_otherwise(world);
    *gp_push(world->mem, world->approved.items, world->approved.count) = "gpu/slot3";
}

static void cut_otherwise_by_us(struct world *world)
{
    cut_otherwise(world);
    world_applied(world, "gpu/slot3", "partitioned 8 NVIDIA A2-2Q");
}

static const struct resolve_row rows[] = {
    {"count that is not valid", count_not_valid,
     "slot3: GP-E210 slot3 cannot be cut into 5 equal partitions; valid counts: 1, 2, 4, 8, 16; nearest: 4\n"
     "a: GP-E210 slot3 cannot be cut into 5 equal partitions; valid counts: 1, 2, 4, 8, 16; nearest: 4\n"
     "b: GP-E210 slot3 cannot be cut into 5 equal partitions; valid counts: 1, 2, 4, 8, 16; nearest: 4\n",
     "error GP-E210 gpu/slot3: slot3 cannot be cut into 5 equal partitions; valid counts: 1, 2, 4, 8, 16; "
     "nearest: 4\n"},
    {"profile by its last word", profile_alone,
     "slot3: partitioned 2 NVIDIA A2-8C\na: slot3/0\nb: slot3/1\n", ""},
    {"no such profile", profile_unknown,
     "slot3: GP-E211 slot3 has no profile 'A2-9Q'; it has: NVIDIA A2-1A, NVIDIA A2-1C, NVIDIA A2-1Q\n"
     "a: GP-E211 slot3 has no profile 'A2-9Q'; it has: NVIDIA A2-1A, NVIDIA A2-1C, NVIDIA A2-1Q\n"
     "b: GP-E211 slot3 has no profile 'A2-9Q'; it has: NVIDIA A2-1A, NVIDIA A2-1C, NVIDIA A2-1Q\n",
     "error GP-E211 gpu/slot3: slot3 has no profile 'A2-9Q'; it has: NVIDIA A2-1A, NVIDIA A2-1C, NVIDIA "
     "A2-1Q\n"},
    {"profile whose number is not told now", profile_untold,
     "slot3: GP-E211 slot3 has no profile 'A2-9Q'; it has: NVIDIA A2-1A, NVIDIA A2-1C, NVIDIA A2-1Q; "
     "its driver does not tell how many it could have of A2-9Q\n"
     "a: GP-E211 slot3 has no profile 'A2-9Q'; it has: NVIDIA A2-1A, NVIDIA A2-1C, NVIDIA A2-1Q; "
     "its driver does not tell how many it could have of A2-9Q\n"
     "b: GP-E211 slot3 has no profile 'A2-9Q'; it has: NVIDIA A2-1A, NVIDIA A2-1C, NVIDIA A2-1Q; "
     "its driver does not tell how many it could have of A2-9Q\n",
     "error GP-E211 gpu/slot3: slot3 has no profile 'A2-9Q'; it has: NVIDIA A2-1A, NVIDIA A2-1C, NVIDIA "
     "A2-1Q; its driver does not tell how many it could have of A2-9Q\n"},
    {"profile does not give the count", profile_against_count,
     "slot3: GP-E211 profile 'NVIDIA A2-8Q' gives 2 partitions of slot3, not 4; profiles that give 4: NVIDIA "
     "A2-4A, NVIDIA A2-4C, NVIDIA A2-4Q\n"
     "a: GP-E211 profile 'NVIDIA A2-8Q' gives 2 partitions of slot3, not 4; profiles that give 4: NVIDIA "
     "A2-4A, NVIDIA A2-4C, NVIDIA A2-4Q\n"
     "b: GP-E211 profile 'NVIDIA A2-8Q' gives 2 partitions of slot3, not 4; profiles that give 4: NVIDIA "
     "A2-4A, NVIDIA A2-4C, NVIDIA A2-4Q\n",
     "error GP-E211 gpu/slot3: profile 'NVIDIA A2-8Q' gives 2 partitions of slot3, not 4; profiles that give "
     "4: NVIDIA A2-4A, NVIDIA A2-4C, NVIDIA A2-4Q\n"},
    {"neither count nor profile", neither,
     "slot3: GP-E211 pool 'vdi' says neither 'count' nor 'profile'; valid counts of slot3: 1, 2, 4, 8, 16\n"
     "a: GP-E211 pool 'vdi' says neither 'count' nor 'profile'; valid counts of slot3: 1, 2, 4, 8, 16\n"
     "b: GP-E211 pool 'vdi' says neither 'count' nor 'profile'; valid counts of slot3: 1, 2, 4, 8, 16\n",
     "error GP-E211 gpu/slot3: pool 'vdi' says neither 'count' nor 'profile'; valid counts of slot3: 1, 2, "
     "4, 8, 16\n"},
    {"profile of two counts", profile_of_two_counts,
     "slot3: GP-E211 profile 'A2-8C' of slot3 gives 2 or 4 partitions; say which with 'count'\n"
     "a: GP-E211 profile 'A2-8C' of slot3 gives 2 or 4 partitions; say which with 'count'\n"
     "b: GP-E211 profile 'A2-8C' of slot3 gives 2 or 4 partitions; say which with 'count'\n",
     "error GP-E211 gpu/slot3: profile 'A2-8C' of slot3 gives 2 or 4 partitions; say which with 'count'\n"},
    {"plain VFs", plain_vfs, "slot3: partitioned 4\na: slot3/0\nb: slot3/1\n", ""},
    {"the series that is there", series_kept,
     "slot3: partitioned 4 NVIDIA A2-4C\na: slot3/0\nb: slot3/1\n", ""},
    {"the series that was applied", series_applied,
     "slot3: partitioned 4 NVIDIA A2-4C\na: slot3/0\nb: slot3/1\n", ""},
    {"partitioned by somebody else", cut_otherwise,
     "slot3: GP-E503 slot3 is 'partitioned 8 NVIDIA A2-2Q' already, not 'partitioned 4 NVIDIA A2-4Q': pool "
     "'vdi' needs 'takeover: true', or 'gpupart approve gpu/slot3 --for 1h --reason WHY'\n"
     "a: GP-E503 slot3 is 'partitioned 8 NVIDIA A2-2Q' already, not 'partitioned 4 NVIDIA A2-4Q': pool 'vdi' "
     "needs 'takeover: true', or 'gpupart approve gpu/slot3 --for 1h --reason WHY'\n"
     "b: GP-E503 slot3 is 'partitioned 8 NVIDIA A2-2Q' already, not 'partitioned 4 NVIDIA A2-4Q': pool 'vdi' "
     "needs 'takeover: true', or 'gpupart approve gpu/slot3 --for 1h --reason WHY'\n",
     "error GP-E503 gpu/slot3: slot3 is 'partitioned 8 NVIDIA A2-2Q' already, not 'partitioned 4 NVIDIA "
     "A2-4Q': pool 'vdi' needs 'takeover: true', or 'gpupart approve gpu/slot3 --for 1h --reason WHY'\n"},
    {"and taken over", cut_otherwise_taken_over,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"and approved", cut_otherwise_approved,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"partitioned by us", cut_otherwise_by_us,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
};

GP_ROWS(resolve, layouts, rows)
{
    resolve_row_check(&rows[*i]);
}
