/* Virtual functions as partitions: what all mechanisms on them share. */
#pragma once

#include "host.h"
#include "model.h"

/* Fills @gpu's partitions, one for each VF: index, device, driver, group. Not live, not held: whether they
 * are is the mechanism's to tell. Sets vf_count to what was found. */
struct gp_error *gp_vfs_observe(struct gp_host *host, struct gp_arena *mem,
                                struct gp_gpu *gpu) GP_MUST_CHECK;

/* Status NOT_ASSIGNABLE with the reason if some partition's IOMMU group holds an endpoint of somebody else
 * on a driver of the host; only functions of the GPU may be rebound. */
struct gp_error *gp_vfs_check_groups(struct gp_host *host, struct gp_arena *mem,
                                     struct gp_gpu *gpu) GP_MUST_CHECK;

/* The address of VF @index now, from its link. GP_E_GONE if there is none. */
struct gp_error *gp_vf_address(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                               int64_t index, struct gp_pci *ret) GP_MUST_CHECK;
