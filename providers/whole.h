/* A GPU as one piece: on vfio-pci for a VM, or on a driver of the host. Used by every mechanism, since a
 * GPU that could be cut may as well be wanted whole. */
#pragma once

#include "host.h"
#include "model.h"
#include "plan.h"

#define GP_DRIVER_VFIO "vfio-pci"
/* Stands for "whichever the kernel picks" in predictions: its name cannot be told beforehand. */
#define GP_DRIVER_ANY "(the host's driver)"

/* No driver at all. */
#define GP_DRIVER_NONE ""
/* The value of a bind-driver step towards the host that is done as well if the host has no driver for the GPU, and says so: its
 * after is "nvidia or none". */
#define GP_BIND_OR_NONE 1

/* ---- pure ---- */

/* Modes other than partitioned. A guest gets the whole GPU only with all functions of its slot and group: while a driver of
 * the host has one of them, it is not given away, though the GPU itself is on vfio-pci. */
bool gp_whole_matches(const struct gp_gpu *gpu, const struct gp_layout *want);
/* The one step that binds the function of @gpu, or of its partition if @partition >= 0, to @driver (NULL:
 * whichever of the host's takes it; or GP_DRIVER_NONE). */
struct gp_step *gp_whole_add_bind(struct gp_steps *steps, const struct gp_gpu *gpu, int64_t partition,
                                  const char *driver, const char *reason);
/* From a GPU without partitions and VFs to @want, a mode other than partitioned. @host_driver as above.
 * GP_E_UNSUPPORTED if its IOMMU group does not allow it. */
struct gp_error *gp_whole_plan(const struct gp_gpu *gpu, const struct gp_layout *want,
                               const char *host_driver, struct gp_steps *steps) GP_MUST_CHECK;
/* bind-driver of the GPU or of a partition. */
void gp_whole_predict(struct gp_gpu *gpu, const struct gp_step *step);

/* ---- effects ---- */

/* Fills @gpu's held, holder, not_whole, companion and shares_group. */
struct gp_error *gp_whole_observe(struct gp_host *host, struct gp_arena *mem,
                                  struct gp_gpu *gpu) GP_MUST_CHECK;
/* Does a bind-driver step. The other functions of the GPU's own slot and IOMMU group (sound, USB) follow the
 * GPU; those that the host has no driver for come back without, as the GPU does with GP_BIND_OR_NONE. GP_E_BUSY if the
 * function is held, or a program of the host has it open through the driver that is to let go of it (clients.h);
 * GP_E_UNSUPPORTED if the driver is not loaded. */
struct gp_error *gp_whole_apply(struct gp_host *host, const struct gp_gpu *gpu,
                                const struct gp_step *step) GP_MUST_CHECK;
/* Binds one function: driver_override, unbind, drivers_probe, and a look at the result until @deadline_ms
 * (monotonic). @driver NULL: whichever of the host's takes it; GP_DRIVER_NONE: it is only unbound.
 * Fact: Linux Documentation/ABI/testing/sysfs-bus-pci, driver_override. */
struct gp_error *gp_bind(struct gp_host *host, struct gp_pci address, const char *driver,
                         uint64_t deadline_ms) GP_MUST_CHECK;
