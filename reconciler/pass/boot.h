/* The GPUs of this host as they were before it booted: VFs, types and drivers are gone after a reboot. */
#pragma once

#include "pass.h"

/* Brings each GPU that the state directory remembers back to its layout there, or to the one that was written down
 * before a pass that did not finish. Asks neither libvirt nor git. GPUs and drivers that are not there yet are waited
 * for, and what fails is tried again, until @wait_ms have passed; each GPU by itself. A card other than the one that was
 * there is left alone. Tells the journal, the history and the start hook. Owed starts are left to the next pass.
 * @ret_exit: GP_EXIT_OK, or the worst of FAILURE (not restored), REFUSED (another card) and REBOOT. */
struct gp_error *gp_boot_restore(struct gp_pass *pass, uint32_t wait_ms, int *ret_exit) GP_MUST_CHECK;
