/* How the planner sees one host while it thinks: every GPU with the steps that its mechanism asks
 * for and what they would disturb, every VM with what it would become. Inside the core only.
 *
 * plan.c settles who is blocked until nothing changes any more; plan_gpus.c, plan_vms.c and plan_units.c
 * say what each object would do under the blocks known so far, block_gpus.c and block_vms.c what stands against that;
 * sets.c says which of them belong together, and set_steps.c writes their steps down. */
#pragma once

#include "plan.h"

/* have->gpus[gpu].partitions[part]; part -1: the GPU itself; gpu -1: no GPU of this host. */
struct gp_place {
    int32_t gpu, part;
};

/* Why nothing is done with an object; rule NULL: nothing stands in the way. */
struct gp_block {
    const char *rule, *why;
    bool told; /* by another object's finding, or by the goal */
};

struct gp_work_gpu {
    const struct gp_gpu *gpu;
    const struct gp_goal_gpu *goal; /* NULL: the goal does not know it */
    bool managed;
    bool reshape; /* its mechanism has steps to do */
    struct gp_steps steps;
    enum gp_reach reach;  /* the widest of them */
    struct gp_gpu *after; /* what it is when they are done */
    bool *disturbed;      /* by place in gpu->partitions: who holds it must be off */
    bool *destroyed;      /* it is gone, or something else, at some time in between */
    bool whole;           /* who holds the GPU itself must be off */
    struct gp_block block;
    uint32_t *live_users; /* by place: running VMs that hold it */
    uint32_t whole_users;
};

/* Why a running VM is stopped; flags. */
enum gp_why_stop { GP_WHY_OWN = 1, GP_WHY_GPU = 2, GP_WHY_HOST = 4 };

struct gp_edit_step {
    enum gp_step_kind kind; /* detach, attach, rebind, mark */
    struct gp_device from, to;
    struct gp_place from_place;
};

struct gp_work_vm {
    const struct gp_vm *vm;
    const struct gp_goal_vm *goal; /* NULL: the goal does not know it */
    bool managed, run;
    struct gp_place *live, *persistent; /* of its hostdevs, in the same order */
    struct gp_block block;

    /* Under the blocks known so far. */
    int32_t want_gpu;    /* index, -1: wants no partition */
    int64_t want_part;   /* index of the partition, -1: the whole GPU */
    bool lacks;          /* wants one that will not be there */
    struct gp_device to; /* the one it wants, a placeholder while nobody can know */
    struct gp_edit_step *edits;
    size_t edit_count;
    unsigned stop;    /* of enum gp_why_stop; 0: left as it is */
    int32_t stop_gpu; /* whose reshape stops it first */
    bool start;
    struct gp_device *final; /* of its persistent definition at the end */
    size_t final_count;
};

struct gp_work_unit {
    const struct gp_unit *unit;
    bool may_stop, run;
};

struct gp_planner {
    struct gp_arena *mem;
    const struct gp_plan_input *input;
    const struct gp_goal *goal;
    const struct gp_have *have;
    struct gp_work_gpu *gpus; /* as have->gpus */
    struct gp_work_vm *vms;   /* as have->vms */
    struct gp_work_unit *units; /* as have->units */
    size_t gpu_count, vm_count, unit_count;
    struct gp_finding *findings;
    size_t finding_count;
};

/* ---- what mechanisms make of a GPU: plan_gpus.c ---- */

void gp_planner_look_at_gpus(struct gp_planner *planner);
/* Its own steps are done: it has some and nothing stands in their way. */
bool gp_work_gpu_acts(const struct gp_work_gpu *gpu);
/* The GPU as it is at the end of the plan. */
const struct gp_gpu *gp_work_gpu_world(const struct gp_work_gpu *gpu);
/* Whether the steps of @gpu go to its whole driver, and @there is that driver's too. */
bool gp_work_gpu_reaches(const struct gp_work_gpu *gpu, const struct gp_work_gpu *there);
/* Whether the steps of @gpu need @place free. */
bool gp_work_gpu_disturbs(const struct gp_planner *planner, const struct gp_work_gpu *gpu,
                          struct gp_place place);
bool gp_work_gpu_destroys(const struct gp_planner *planner, const struct gp_work_gpu *gpu,
                          struct gp_place place);
/* Whether some running VM is who holds it; @part -1: the GPU itself. */
bool gp_work_gpu_is_in_vm(const struct gp_work_gpu *gpu, int32_t part);

/* ---- what stands against that: block_gpus.c ---- */

/* Finds a reason against one more GPU's steps; false: there is none. */
bool gp_planner_block_gpus(struct gp_planner *planner);

/* ---- what becomes of a VM: plan_vms.c ---- */

void gp_planner_look_at_vms(struct gp_planner *planner);
/* Edits, stop, start and final definition of every VM under the blocks known so far. */
void gp_planner_think_vms(struct gp_planner *planner);
/* Whether it does anything. */
bool gp_work_vm_acts(const struct gp_work_vm *vm);
/* Why it may not be stopped now, or NULL. */
const char *gp_work_vm_unstoppable(const struct gp_work_vm *vm);
/* What a running guest would have of the host at the end: its definition if it starts anew. */
bool gp_work_vm_ends_holding(const struct gp_work_vm *vm, struct gp_device device);
/* Whether its definition names @device at the end. */
bool gp_work_vm_ends_defined_with(const struct gp_work_vm *vm, struct gp_device device);
/* Whether its definition at the end names something that @gpu will have, though it may not have it yet. */
bool gp_work_vm_ends_on(const struct gp_work_vm *vm, const struct gp_work_gpu *gpu);
/* Who holds @place and is no VM that is known, for a message; NULL: nobody. */
const char *gp_planner_stranger(const struct gp_planner *planner, struct gp_place place);
/* Why @vm, defined as it will be, would not come up; NULL: nothing is known against it. */
const char *gp_planner_unstartable(const struct gp_planner *planner, const struct gp_work_vm *vm);
/* Starts that are owed but cannot be done. */
void gp_planner_tell_owed(struct gp_planner *planner);

/* ---- programs of the host: plan_units.c ---- */

void gp_planner_look_at_units(struct gp_planner *planner);
/* Whether the steps of @gpu need it free of everybody, programs of the host too. */
bool gp_work_gpu_needs_units_off(const struct gp_work_gpu *gpu);
bool gp_step_needs_units_off(const struct gp_step *step);
/* Whether a set with such a GPU stops @unit. */
bool gp_work_unit_stops(const struct gp_planner *planner, const struct gp_work_unit *unit);
/* Whether it is owed a start that no such set gives it. */
bool gp_work_unit_starts_alone(const struct gp_planner *planner, const struct gp_work_unit *unit);
bool gp_planner_block_unknown_units(struct gp_planner *planner, struct gp_work_gpu *gpu);

/* ---- what stands against it: block_vms.c ---- */

/* Find a reason against one more VM's steps; false: there is none. */
bool gp_planner_block_vms(struct gp_planner *planner);
bool gp_planner_block_memory(struct gp_planner *planner);

/* ---- shared ---- */

void gp_planner_block_gpu(struct gp_planner *planner, struct gp_work_gpu *gpu, const char *rule,
                          const char *why, bool told);
void gp_planner_block_vm(struct gp_planner *planner, struct gp_work_vm *vm, const char *rule,
                         const char *why, bool told);
struct gp_place gp_planner_place(const struct gp_planner *planner, struct gp_device device);
/* Whether one VM at a time can run with what is at @a or @b: they are in one IOMMU group. */
bool gp_planner_share_group(const struct gp_planner *planner, struct gp_place a, struct gp_place b);
/* "slot3/2", "slot3" for a whole GPU, else the device itself. */
const char *gp_planner_device_name(const struct gp_planner *planner, struct gp_device device);

/* What stands for a device that nobody has seen yet. Equal to itself only; never handed out in a
 * step. */
struct gp_device gp_device_placeholder(struct gp_arena *mem, const char *gpu_id, uint32_t index);
bool gp_device_is_placeholder(struct gp_device device);
/* Gives every live partition of @gpu without a device its placeholder. */
void gp_gpu_fill_placeholders(struct gp_arena *mem, struct gp_gpu *gpu);

/* ---- sets.c, set_steps.c ---- */

void gp_planner_write(struct gp_planner *planner, struct gp_plan *plan);
/* Appends the steps of set @set, to which belongs who is @mine: by GPU, by VM, by unit. */
void gp_planner_write_steps(struct gp_planner *planner, struct gp_plan *plan, uint32_t set,
                            const bool *mine);

/* ---- plan_id.c, difference.c ---- */

const char *gp_plan_id(struct gp_arena *mem, const struct gp_plan *plan,
                       const struct gp_have *have);
void gp_plan_differences(struct gp_arena *mem, const struct gp_plan_input *input,
                         struct gp_plan *plan);
