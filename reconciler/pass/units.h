/* Programs of the host that use its GPUs: GpuAgent's hostClients.stop, and those that are owed a start; and the host that
 * they go down with. */
#pragma once

#include "pass.h"

/* Their states into @have: of systemd, or of a capture's files, where those that it lacks are left out. */
void gp_pass_observe_units(struct gp_pass *pass, struct gp_host *host, struct gp_arena *mem, struct gp_have *have);

/* What a capture in the folder @fd says of them. */
struct gp_error *gp_pass_capture_units(const struct gp_have *have, int fd) GP_MUST_CHECK;

/* What is owed to those that run was given to them by somebody else, or was never taken: it is owed no more. */
struct gp_error *gp_pass_forget_owed_units(struct gp_pass *pass) GP_MUST_CHECK;

/* Stops it, having written down that a start is owed to it; starts it, and forgets that. */
struct gp_error *gp_pass_stop_unit(struct gp_pass *pass, const char *unit, uint32_t timeout_ms) GP_MUST_CHECK;
struct gp_error *gp_pass_start_unit(struct gp_pass *pass, const char *unit, uint32_t timeout_ms) GP_MUST_CHECK;

/* Whether the host is going down. Nobody is started then, since who is started late is killed with the host and owed nothing
 * after the boot. May block for some seconds. */
bool gp_pass_host_stops(const struct gp_pass *pass);
