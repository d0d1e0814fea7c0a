/* What follows from a GPU's partitions and driver: count, profile, mode, status. Looking at a host and
 * predicting it both end here, so that they cannot disagree. Pure. */
#pragma once

#include "model.h"
#include "plan.h"

/* Sets count, profile, mode and, unless the GPU is not assignable, status. Where nothing follows (no
 * partitions, a driver of the host, no valid counts) status and reason stay. */
void gp_gpu_settle(struct gp_gpu *gpu);

/* GP_E_UNSUPPORTED with @gpu's reason if its status says that it cannot be cut as it is. */
struct gp_error *gp_refuse_unfit(const struct gp_gpu *gpu) GP_MUST_CHECK;

/* A copy whose partitions may be changed; strings are shared. */
struct gp_gpu *gp_gpu_scratch(struct gp_arena *mem, const struct gp_gpu *gpu);

/* "4" */
const char *gp_number_text(struct gp_arena *mem, uint64_t number);

/* Adds one way to cut @gpu, unless the same count and profile are there. */
void gp_valid_add(struct gp_arena *mem, struct gp_gpu *gpu, struct gp_valid_count valid);
/* By count descending, then profile. */
void gp_valid_sort(struct gp_gpu *gpu);
/* The entry of @profile (or of @type_id, which wins if both sides know it); NULL if there is none. */
const struct gp_valid_count *gp_valid_find(const struct gp_gpu *gpu, const char *profile,
                                           uint32_t type_id);
/* Whether two names or numbers of profiles mean the same; numbers win if both are known. Of names the last
 * word decides: drivers differ in what they put before it ("GRID A100-4C", "NVIDIA A100-4C"). */
bool gp_profile_eq(const char *a, uint32_t a_type, const char *b, uint32_t b_type);
