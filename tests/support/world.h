/* A host that does steps as a kernel and a hypervisor would: it refuses what they refuse. It shares
 * with the planner only what a mechanism predicts of a GPU, so it finds what both planner and check
 * might overlook. */
#pragma once

#include "plan.h"

struct world {
    struct gp_arena *mem;
    struct gp_have *have;
    gp_mechanism_lookup *mechanism;
    struct gp_memory *memory; /* of the host, which forgets what its steps make untrue; NULL: there is none */
};

/* NULL if the step could be done, else why it was refused. */
const char *world_do(struct world *world, const struct gp_step *step);
/* NULL if all steps of wave @wave of @plan could be done; then the host is looked at again. */
const char *world_wave(struct world *world, const struct gp_plan *plan, uint32_t wave);
