/* Where the planned way back does not work: guests first. */
#pragma once

#include "work.h"

/* Starts whoever of @record ran and can be started, as it is. Returns what is left to do by hand, each by name with the
 * command: "VM a is down (why): virsh start a; …"; "": nothing. */
const char *gp_rescue_guests(struct gp_work *work, const struct gp_record *record);

/* Lets the guests of @record go, but for those of a GPU that a write hangs at: nobody else starts them either. */
void gp_rescue_release(struct gp_work *work, const struct gp_record *record);
