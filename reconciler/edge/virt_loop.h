/* libvirt's handles and timeouts on sd-event. Private to virt_watch.c. */
#pragma once

#include "error.h"

struct sd_event;

/* libvirt has one event loop per process, chosen once and before the first connection that is to
 * use it. From this call on it is @loop, whose thread is the caller's; other threads may connect
 * and close as well, what they change is handed over. GP_E_BUG if another loop is still in use. */
struct gp_error *gp_virt_loop_attach(struct sd_event *loop) GP_MUST_CHECK;
/* The loop is let go: what is left is no longer watched, and frees run now. After the connections
 * have been closed; another loop may be attached later. */
void gp_virt_loop_detach(void);
