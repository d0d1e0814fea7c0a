/* What the records of unfinished sets tell, which earlier passes left. Looks at them only. */
#pragma once

#include "pass.h"

/* The record that @set goes on with: its snapshot is from before the first attempt. NULL: it begins anew. What is left of one
 * set may have fallen apart by then: several sets go on with its record. */
const struct gp_record *gp_record_of(const struct gp_pass *pass, const struct gp_set *set);
/* Whether one of them tells of this GPU, or of this VM (its UUID): it is in the midst of a change, which may be taken back. */
bool gp_record_any(const struct gp_pass *pass, const char *gpu_or_vm);
/* Whether @record tells of an object of @set. */
bool gp_record_touches(const struct gp_record *record, const struct gp_set *set);
/* Whether all that @set of @plan changes is what @record was begun for. A GPU that is not in it and only drifted did so by what
 * was begun: the mdev of a guest that was stopped is gone, say. */
bool gp_record_tells_of(const struct gp_record *record, const struct gp_plan *plan, const struct gp_set *set);

/* All that @record was to change, as it was found: its GPUs, VMs and units. */
struct gp_set gp_set_of_record(struct gp_arena *mem, const struct gp_record *record);

/* The objects of @record with the values that the goal has for them now, as gp_record.goal_values; from @mem. */
const char *gp_record_goal_values(struct gp_arena *mem, const struct gp_pass *pass, const struct gp_record *record);
/* Whether what @record was begun for is wanted still. */
bool gp_record_is_wanted(const struct gp_pass *pass, const struct gp_record *record);
