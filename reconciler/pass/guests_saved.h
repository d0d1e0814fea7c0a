/* What becomes of guests when the host shuts down. */
#pragma once

#include "host.h"

/* The file to change if libvirt-guests is enabled on this host and saves guests, which those with a device of the host
 * cannot be; NULL: it does not, or nothing tells. Changes nothing. */
const char *gp_guests_saved(struct gp_host *host, struct gp_arena *mem);
