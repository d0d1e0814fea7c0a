/* Partitions that come to be by being given a profile: the pure half of vendor VFIO and of mediated devices.
 * Slots for them (VFs, ordinals of mdevs) are there before and stay after. Pure. */
#pragma once

#include "model.h"
#include "plan.h"

bool gp_profiles_matches(const struct gp_gpu *gpu, const struct gp_layout *want);

/* Releases what is not wanted, then gives the wanted profile to free slots, lowest first. What has it
 * already stays, those that are held before those that are free; with @want->exactly, only what is in there
 * at its place. @gpu already has its slots. @want's mode decides nothing here: count 0 releases all. */
struct gp_error *gp_profiles_plan(const struct gp_gpu *gpu, const struct gp_layout *want,
                                  struct gp_steps *steps) GP_MUST_CHECK;

/* release-partition and create-partition. */
void gp_profiles_predict(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step);
