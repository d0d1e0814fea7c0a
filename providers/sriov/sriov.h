/* Any SR-IOV GPU whose partitions are its plain VFs on vfio-pci: Intel's xe and i915, AMD's gim, others. */
#pragma once

#include "provider.h"

extern const struct gp_provider gp_provider_sriov;
