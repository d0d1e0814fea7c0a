/* NVIDIA's vendor-specific VFIO framework: a type number written to each VF's nvidia/current_vgpu_type.
 * Fact: recorded on L40S and RTX PRO 6000 hosts with Linux 6.8 and later, driver R550 to R580. */
#pragma once

#include "provider.h"

extern const struct gp_provider gp_provider_nvidia_vfio;
