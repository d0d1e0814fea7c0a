/* The NUMA nodes of guests. */
#pragma once

#include "pass.h"

/* Sets numa_nodes of every VM of @have that binds no memory but pins its CPUs: the nodes that those CPUs are of. */
void gp_pass_place_guests(struct gp_host *host, struct gp_arena *mem, struct gp_have *have);
