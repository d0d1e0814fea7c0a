/* The fewest stops with which a small host can become as declared, found by trying: law 8, from its text alone.
 *
 * Every set of guests is stopped in turn, in a world that refuses what a host refuses; every assignment that keeps the
 * rules is tried on what can be done then. Nothing in here asks the resolver who gets what, nor the planner for
 * anything. */
#pragma once

#include "gen.h"

enum { LEAST_GPUS = 3, LEAST_VMS = 6 };

/* Up to three GPUs and six VMs, in some order, and a declaration for them, resolved. */
struct gen_state least_draw(struct gp_arena *mem, struct gen *gen);

struct least {
    bool reachable;
    uint32_t stops;              /* the fewest */
    size_t subsets, assignments; /* that were tried */
};

/* Of a state in which nothing is blocked. Of its goal only what is declared is read: who is bound to which pool, and
 * how each GPU shall be cut. */
struct least least_stops(struct gp_arena *mem, const struct gen_state *state);
/* Whether it becomes as declared if just those of @stops are stopped, by place in have->vms. */
bool least_reaches(struct gp_arena *mem, const struct gen_state *state, uint32_t stops);
