/* Rows of gp_resolve(): a small world, one change to it, and the goal and findings that come of it, word by word. */
#pragma once

#include "world.h"

struct resolve_row {
    const char *name;
    void (*change)(struct world *world);
    const char *goal, *findings; /* "UUID-A" in a finding stands for the UUID of VM a */
};

/* One GPU, not cut; pool "vdi" cuts it in four; binding "desktops" of VMs a and b, which are off. */
struct world *resolve_rows_world(struct gp_arena *mem);
void resolve_row_check(const struct resolve_row *row);
