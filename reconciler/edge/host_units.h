/* systemd: units that use the GPUs of the host, and whether it takes the host down. Over D-Bus, each call with a deadline. */
#pragma once

#include "model.h"

/* Sets state and reason of each of @units by its name. Where systemd cannot be asked, the state is unknown and the
 * reason (from @mem) says why. Changes nothing. */
void gp_units_observe(struct gp_arena *mem, struct gp_unit *units, size_t count);

/* Starts or stops the unit @name and waits until it runs, or is down with all its processes. One that is so already is
 * left alone. GP_E_TIMEOUT if it is not so within @timeout_ms; GP_E_IO with systemd's own reason. */
struct gp_error *gp_unit_start(const char *name, uint32_t timeout_ms) GP_MUST_CHECK;
struct gp_error *gp_unit_stop(const char *name, uint32_t timeout_ms) GP_MUST_CHECK;

/* Whether the host is being shut down or rebooted, as systemd says. False where it cannot be asked. */
bool gp_units_host_stops(void);
