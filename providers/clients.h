/* Programs of the host that have a GPU open through the nodes of its driver. */
#pragma once

#include "host.h"
#include "model.h"

/* To be asked before the host's driver of @address is told to let go of it: the driver would wait for whoever has it open,
 * in a write that cannot be ended, and some wait on when he has gone. GP_E_BUSY with his name if that does not change within
 * the host's client_ms, since monitoring agents open a GPU for moments. NULL as well where the driver has no nodes that are
 * known here: those of DRM (dev/dri) and of NVIDIA (dev/nvidiaN) are. A console on it (fbcon) is no program, and is not
 * seen.
 * Fact: NVIDIA open-gpu-kernel-modules, kernel-open/nvidia/nv-pci.c, nv_pci_remove(): "Attempting to remove device with
 * non-zero usage count!". */
struct gp_error *gp_clients_refuse(struct gp_host *host, struct gp_pci address) GP_MUST_CHECK;
