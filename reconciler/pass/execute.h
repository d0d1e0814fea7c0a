/* One connected set of a plan, from what is written down before its first step to what is remembered after its last. */
#pragma once

#include "pass.h"

/* Does the steps of @set of pass->plan, wave by wave with a fresh look after each, verifies, remembers; takes it back
 * where that fails. Returns the exit status of this set; everything worth telling has been told to the journal. */
int gp_execute_set(struct gp_pass *pass, const struct gp_set *set);
