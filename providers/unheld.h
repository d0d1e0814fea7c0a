/* Since when nobody is seen to hold a VFIO group: a driver may still be busy with a device that its guest has just let go. */
#pragma once

#include "host.h"
#include "model.h"

#include <stdint.h>

/* What gp_host_held() has just seen of @group. Unknown counts as held. */
void gp_unheld_note(struct gp_host *host, int32_t group, enum gp_held held);
/* The device of @group has just been made through @host: nobody has ever held it. */
void gp_unheld_made(struct gp_host *host, int32_t group);
/* The monotonic time in ms of the first look through @host since which nobody held @group; 0: nobody ever did, or it is in
 * no group. Of one that was not looked at, or was held at the last look, it is now. */
uint64_t gp_unheld_since(const struct gp_host *host, int32_t group);
/* For gp_host_close(). */
void gp_unheld_forget(struct gp_host *host);
