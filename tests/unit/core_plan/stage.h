/* Hosts and goals made by hand, for rows that are read by people. */
#pragma once

#include "gen.h"

struct stage {
    struct gp_arena *mem;
    struct gp_have have;
    struct gp_goal goal;
    struct gp_memory memory;
    struct gp_plan_input input; /* of the above */
};

void stage_init(struct stage *stage, struct gp_arena *mem);
/* The next GPU ("slot1", "slot2", …) with @count partitions, and the goal that it stays so. */
void stage_gpu(struct stage *stage, const char *mechanism, uint32_t count);
struct gp_gpu *stage_have_gpu(struct stage *stage, uint32_t slot);
struct gp_goal_gpu *stage_goal_gpu(struct stage *stage, uint32_t slot);
/* GPU @slot shall have @count partitions. */
void stage_want(struct stage *stage, uint32_t slot, uint32_t count);
/* The next VM, off, without anything, which no binding names. Add them by name. */
struct gp_vm *stage_vm(struct stage *stage, const char *name);
struct gp_goal_vm *stage_goal_vm(struct stage *stage, const char *name);
/* Defines it with a partition: bound by us, or by hand. */
void stage_give(struct stage *stage, struct gp_vm *vm, uint32_t slot, uint32_t index, bool ours);
/* Runs it with what it is defined with. */
void stage_run(struct stage *stage, struct gp_vm *vm);
/* A binding gives it that partition; index -1: the whole GPU. */
void stage_bind(struct stage *stage, const char *name, uint32_t slot, int index);
void stage_applied(struct stage *stage, const char *key, const char *value);
/* Points the input at what is there; to be called last. */
const struct gp_plan_input *stage_ready(struct stage *stage);
