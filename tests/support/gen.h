/* States that a host may be in and goals that it may be given, drawn from a seed, for tests of
 * laws.
 *
 * The same seed gives the same state everywhere. Four small mechanisms, pure as real ones are,
 * stand for the real ones: vendor  VFs that a tool switches on all at once, and a type of one size
 * on the first of them sriov   VFs to 0, then to N, then each to vfio-pci mdev    mediated devices
 * on the PF, whose UUIDs nobody knows before they are made loaded  VFs whose number is set when the
 * driver loads: reach host */
#pragma once

#include "plan.h"

struct gen {
    uint64_t state;
};

struct gen gen_seed(uint64_t seed);
uint64_t gen_next(struct gen *gen);
uint32_t gen_below(struct gen *gen, uint32_t limit); /* 0 for limit 0 */
bool gen_chance(struct gen *gen, uint32_t percent);

const struct gp_mechanism *gen_mechanism(const char *name);
/* What an observation adds to a predicted state: mdevs made get the UUID that is stable for their
 * place. */
void gen_observe(struct gp_arena *mem, struct gp_have *have);
/* Sets mode, count and common profile from the partitions. */
void gen_settle(struct gp_gpu *gpu);

/* A GPU with nothing on it: address, mechanism, valid counts. */
void gen_gpu_init(struct gp_arena *mem, struct gp_gpu *gpu, uint32_t number, const char *mechanism);
/* Brings @gpu to @want by its own mechanism. */
void gen_gpu_cut(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_layout *want);
/* A layout of @count partitions as @gpu's valid counts have it; 0: none. */
struct gp_layout gen_layout(const struct gp_gpu *gpu, uint32_t count);

/* What a state has of the cases that a planner must get right. */
struct gen_traits {
    bool many_gpus;      /* three or more, of several mechanisms */
    bool foreign_holder; /* a running VM that no binding names, with a hostdev that is not ours */
    bool live_differs;   /* a running VM whose devices are not those of its definition */
    bool unstoppable;    /* a running VM that may not be stopped */
};

struct gen_state {
    struct gp_have *have;
    struct gp_goal *goal;
    struct gp_memory *memory;
    struct gp_plan_input input; /* of the above */
    struct gen_traits traits;
};

/* A number of partitions that GPUs here can have. */
uint32_t gen_count(struct gen *gen);
/* A host alone. */
struct gp_have *gen_have(struct gp_arena *mem, struct gen *gen);
struct gen_state gen_state(struct gp_arena *mem, uint64_t seed);
