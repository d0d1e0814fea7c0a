/* What became of a set. */
#pragma once

#include "journal.h"
#include "work.h"

/* To the journal, which people read, and to the history, which does not rotate as fast. @plan: its id. */
void gp_result_tell(const struct gp_work *work, enum gp_event event, const char *plan, const char *message);
