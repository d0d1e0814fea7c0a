/* Mediated devices: several on the GPU itself (NVIDIA before Ampere, Intel GVT-g, any other parent), or one on
 * each VF (NVIDIA from Ampere on with older kernels). */
#pragma once

#include "provider.h"

extern const struct gp_provider gp_provider_mdev;

/* The UUID that partition @index of @gpu gets if it is made by us: the same after every reboot. */
const char *gp_mdev_uuid(const struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                         uint32_t index);
