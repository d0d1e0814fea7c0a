/* What a GPU is before any mechanism looks at it. */
#pragma once

#include "host.h"
#include "model.h"

/* The host's GPUs by address, with identity, driver, group and SR-IOV fields. One that cannot be read has
 * status UNKNOWN, held UNKNOWN and the reason. */
struct gp_error *gp_discover(struct gp_host *host, struct gp_arena *mem, struct gp_gpu **ret,
                             size_t *ret_count) GP_MUST_CHECK;
