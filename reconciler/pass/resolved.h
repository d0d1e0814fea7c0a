/* What was last verified of this host's GPUs, kept for those who have neither git nor libvirt: the boot unit (in the
 * state directory) and the start hook (in the run directory). */
#pragma once

#include "pass.h"

/* Keeps up to date what is known of the GPUs of @set (NULL: of all that are in no set of pass->plan, and in no record):
 * those that @have shows as pass->goal wants them are written down, those that are in no pool any more are forgotten, and
 * any other stays as it was last verified. The caller holds pass->state_lock if sets run. */
struct gp_error *gp_resolved_remember(struct gp_pass *pass, struct gp_host *host, const struct gp_have *have,
                                      const struct gp_set *set) GP_MUST_CHECK;

/* After a way back: only the start hook is told of the GPUs of @set, which are what they were. */
struct gp_error *gp_resolved_restored(struct gp_pass *pass, struct gp_host *host, const struct gp_have *have,
                                      const struct gp_set *set) GP_MUST_CHECK;

/* Tells the start hook what the live partitions of @gpu are. @vm_of says whose one is (UUID, NULL: nobody's). */
struct gp_error *gp_resolved_tell_hook(struct gp_pass *pass, struct gp_host *host, const struct gp_gpu *gpu,
                                       const char *(*vm_of)(const void *data, const struct gp_gpu *gpu,
                                                            const struct gp_partition *partition),
                                       const void *data) GP_MUST_CHECK;
/* Tells it that nobody may have the devices that @gpu had, since they are not what they were. */
struct gp_error *gp_resolved_refuse(struct gp_pass *pass, const struct gp_boot_gpu *gpu, const char *why) GP_MUST_CHECK;
/* The hook is told nothing of the devices of @set's GPUs while a pass changes them: its holds are what counts. */
struct gp_error *gp_resolved_forget(struct gp_pass *pass, const struct gp_have *have,
                                    const struct gp_set *set) GP_MUST_CHECK;
