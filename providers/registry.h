/* The mechanisms that this build knows, and the host's GPUs seen through them. */
#pragma once

#include "host.h"
#include "model.h"
#include "plan.h"

/* By name, ended by NULL, in the order in which they are asked. */
const char *const *gp_registry_names(void);
/* A gp_mechanism_lookup. */
const struct gp_mechanism *gp_registry_mechanism(const char *name);

/* The file or link below a partition's device that tells its type; NULL: there is none. */
const char *gp_registry_type_file(const char *name);

/* Every display-class PCI function (base class 03, and 1200) of the host that is not a VF, with what its
 * provider tells, sorted by address. A GPU that cannot be read gets status UNKNOWN and the reason; only a
 * host without a PCI bus to read is an error. Reads only. */
struct gp_error *gp_registry_observe(struct gp_host *host, struct gp_arena *mem,
                                     const struct gp_agent_decl *agent,
                                     struct gp_gpu **ret_gpus, size_t *ret_count) GP_MUST_CHECK;
/* Does one GPU step through the provider of @gpu. Blocks; see gp_provider.apply. */
struct gp_error *gp_registry_apply(struct gp_host *host, const struct gp_gpu *gpu,
                                   const struct gp_step *step) GP_MUST_CHECK;
/* The guest that held @partition of @gpu, both as they were seen before, has ended, and the partition is to stay, whatever
 * the driver does with it. Blocks; see gp_provider.keep. */
struct gp_error *gp_registry_keep(struct gp_host *host, const struct gp_gpu *gpu,
                                  const struct gp_partition *partition) GP_MUST_CHECK;
