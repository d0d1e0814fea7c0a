/* Writes to a GPU that the kernel does not come back from. Such a write may still happen, to whatever it finds then: so until
 * it has come back nobody is started on its GPU, by whomever, and no other pass works beside it, though this one ends. */
#pragma once

#include "pass.h"

/* Takes over what @host left writing to @gpu, if it did. */
void gp_hung_note(struct gp_pass *pass, struct gp_host *host, const char *gpu);

/* Whether a write to @gpu (NULL: to any) is still in the kernel. */
bool gp_hung_at(struct gp_pass *pass, const char *gpu);

/* The GPU with such a write of which VM @uuid would have a partition if it were started now, from @mem; NULL: none. */
const char *gp_hung_under(struct gp_pass *pass, struct gp_arena *mem, const struct gp_have *have, const char *uuid);

/* Why nobody is started on @gpu: GP_E_HUNG. */
struct gp_error *gp_hung_error(const char *gpu) GP_MUST_CHECK;

/* Before the pass lets go of its state: the lock of it stays with the writes that are left. */
void gp_hung_leave(struct gp_pass *pass);
