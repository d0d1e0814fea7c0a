/* Hosts and declarations for the tests of gp_resolve(), made by hand or by chance. */
#pragma once

#include "plan.h"

/* How many states a law is tried on; the sanitizers make each ten times as slow. */
#ifdef GP_SANITIZE
enum { STATES = 4000 };
#else
enum { STATES = 20000 };
#endif

enum { VFS = 16 }; /* of each GPU */

struct world {
    struct gp_arena *mem;
    struct gp_agent_decl agent;
    struct gp_cluster_decl cluster;
    struct gp_cluster_decl *clusters[2];
    struct gp_declaration declaration;
    struct gp_have have;
    struct gp_memory memory;
    struct gp_strings approved;
    uint32_t allowed_removal;
};

/* Host kvm-a of cluster "c", with nothing in it. */
struct world *world_new(struct gp_arena *mem);
struct gp_goal *world_resolve(struct world *world);
const struct gp_mechanism *world_mechanism(const char *name);

/* A GPU of 16 GiB with 16 VFs at bus @bus, id "slot<bus>", that can be cut into 1, 2, 4, 8 or 16 with profiles
 * A, C and Q of each: "NVIDIA A2-4Q" is one of 4. */
struct gp_gpu *world_gpu(struct world *world, uint8_t bus);
/* Makes it have @count live partitions from VF @first on. */
void world_cut(struct world *world, struct gp_gpu *gpu, uint32_t count, uint32_t first);
/* Pool @name, mode partitioned, of every GPU, or of slot @slot if that is not NULL. */
struct gp_pool_decl *world_pool(struct world *world, const char *name, uint32_t count,
                                const char *slot);
struct gp_binding_decl *world_binding(struct world *world, const char *name, const char *pool);
struct gp_vm_decl *world_bind(struct world *world, struct gp_binding_decl *binding, const char *vm);
/* A persistent VM that is off; keep names ascending. */
struct gp_vm *world_vm(struct world *world, const char *name);
struct gp_hostdev *world_give(struct world *world, struct gp_vm *vm, struct gp_gpu *gpu,
                              uint32_t index, bool ours);
/* What it is defined with is what it runs with. */
void world_run(struct world *world, struct gp_vm *vm);
void world_applied(struct world *world, const char *key, const char *value);

/* Does what the goal says, as far as nothing blocks it. False if something that the planner would refuse
 * stands in the way (a partition that is not ours on a GPU to be cut anew, a VM that may not be stopped). */
bool world_apply(struct world *world, const struct gp_goal *goal);

/* The same state for the same @seed. */
struct world *world_random(struct gp_arena *mem, uint64_t seed);
uint64_t world_next(uint64_t *state); /* xorshift64 */

/* One line for each GPU and VM. */
const char *world_text(struct gp_arena *mem, const struct gp_goal *goal);
/* What is there, as far as it matters to whom a partition is given. */
const char *world_have_text(struct gp_arena *mem, const struct gp_have *have);
const char *world_findings(struct gp_arena *mem, const struct gp_goal *goal);
