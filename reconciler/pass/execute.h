/* One connected set of a plan, from what is written down before its first step to what is remembered after its last. */
#pragma once

#include "pass.h"

enum gp_outcome { GP_SET_DONE, GP_SET_NOT_BEGUN, GP_SET_TAKEN_BACK };

/* Does the steps of @set of pass->plan, wave by wave with a fresh look after each, verifies, remembers; takes it back, with all
 * of its record, where that fails. Returns the exit status of this set; everything worth telling has been told to the journal.
 * @keep_record: other sets go on with its record. */
int gp_execute_set(struct gp_pass *pass, const struct gp_set *set, bool keep_record, enum gp_outcome *ret);
