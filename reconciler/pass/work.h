/* What one set of GPUs and VMs is worked on with, forward or back. */
#pragma once

#include "step.h"

struct gp_work {
    struct gp_pass *pass;
    struct gp_host *host; /* this thread's own */
    struct gp_arena *mem;
    struct gp_goal *goal; /* of this set alone */
    const struct gp_set *set;
    const char *commit;
    const struct gp_plan *allowed; /* what the gate let through; NULL: a way back, which is not reviewed */
    bool may_be_cancelled;
    struct gp_have *have; /* the last look */
    bool has_units;       /* this set is the one that may stop units now */
    struct gp_units_down down;
};

/* What a person is told of who did not come up: "VM a is down (why): virsh start a", "b.service is down (why): systemctl start
 * b.service". */
const char *gp_vm_is_down(struct gp_arena *mem, const char *vm, const char *why);
const char *gp_unit_is_down(struct gp_arena *mem, const char *unit, const char *why);
/* "dcgm.service is down (why): systemctl start dcgm.service; …", what is left to do by hand; "": nothing. */
const char *gp_work_down(const struct gp_work *work);
/* After the last wave: the next set may stop units. */
void gp_work_end(struct gp_work *work);

/* @goal with nothing managed but the objects of @set: sets run side by side, and none plans for another. */
struct gp_goal *gp_goal_of_set(struct gp_arena *mem, const struct gp_goal *goal, const struct gp_set *set);

/* Looks again; a host whose guests cannot be seen is no base for a next step. What was begun waits (a minute) for a
 * libvirtd that was restarted or died: its guests are stopped, and nobody else starts them. */
struct gp_error *gp_work_look(struct gp_work *work) GP_MUST_CHECK;

/* From now until gp_work_release() nobody but this pass starts these VMs, and what their devices were counts no more: the
 * start hook sees to it. @why: told to whoever tries. */
struct gp_error *gp_work_hold(struct gp_work *work, const char *why) GP_MUST_CHECK;
void gp_work_release(struct gp_pass *pass, const struct gp_set *set);

/* The set of @record needs no way back any more, nor does it owe a start to who runs by now, as @have says. */
struct gp_error *gp_work_remove_record(struct gp_pass *pass, const struct gp_record *record,
                                       const struct gp_have *have) GP_MUST_CHECK;
