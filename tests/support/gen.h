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
#include "world.h"

struct gen {
    uint64_t state;
    const uint8_t *bytes; /* not NULL: each makes a choice, and when they are used up no chance comes true */
    size_t left;
};

struct gen gen_seed(uint64_t seed);
struct gen gen_bytes(const uint8_t *bytes, size_t count);
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
    bool left_alone;     /* a running VM that is left alone, with a hostdev of ours */
    bool live_differs;   /* a running VM whose devices are not those of its definition */
    bool unstoppable;    /* a running VM that may not be stopped */
    bool unfinished;     /* an earlier pass was cut off in its midst and left its record */
    bool declared;       /* the goal was resolved from a declaration */
    bool globs;          /* in that, a VM of this host is bound by a glob */
    bool exceptions;     /* a VM that such a glob matches is excepted from it */
    bool groups;         /* a VM is defined with a partition that shares its IOMMU group with another */
    bool hostless;       /* a VM is bound by a line that names no host */
};

/* What an earlier pass left that was cut off. */
struct gen_record {
    struct gp_set set; /* that it was at */
    const struct gp_snapshot *snapshot;
    const struct gp_have *before; /* what it found */
};

struct gen_state {
    struct gp_have *have;
    struct gp_goal *goal;
    struct gp_memory *memory;
    struct gp_plan_input input;                  /* of the above */
    const struct gp_resolve_input *declared;     /* what the goal was resolved from; NULL: it was drawn itself */
    const struct gen_record *record;             /* NULL: there is none */
    struct gen_traits traits;
};

/* A number of partitions that GPUs here can have. */
uint32_t gen_count(struct gen *gen);
/* A host alone. */
struct gp_have *gen_have(struct gp_arena *mem, struct gen *gen);
struct gen_state gen_state(struct gp_arena *mem, struct gen *gen);
/* A world of its own that begins as @state is. */
struct world gen_world(struct gp_arena *mem, const struct gen_state *state);

/* ---- parts of gen_state() ---- */

/* Draws a declaration for @state's host and resolves it: gen_declare.c. */
void gen_declare(struct gp_arena *mem, struct gen *gen, struct gen_state *state);
/* Sets the traits that the declaration has for @state's host. */
void gen_note_declared(struct gen_state *state);
/* Has an earlier pass begin @state's plan and be cut off: gen_record.c. */
void gen_cut_off(struct gp_arena *mem, struct gen *gen, struct gen_state *state);
