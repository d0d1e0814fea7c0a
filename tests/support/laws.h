/* The laws of plan-and-apply, checked from outside on one state: its plan is made, done in a world that refuses what
 * a host refuses, and what came of it is compared with what was there. */
#pragma once

#include "gen.h"
#include "world.h"

/* What the states were like that the laws were tried on. A law that is never put to the test is not one. */
struct law_tally {
    size_t states, plans, blocked, many_gpus, foreign, left_alone, differs, unstoppable, unfinished, declared, globs,
        exceptions, groups, hostless, way_back, resumed, restored, let_through, held_up;
    size_t steps[GP_STEP_COUNT], classes[GP_CLASS_COUNT];
};

/* Is told what is broken with all that is needed to see it, and does not return. */
typedef void law_broken(const char *text);

struct law_trial {
    struct gp_arena *mem;
    const char *name; /* of the state, to find it again */
    const struct gen_state *state;
    const struct gp_plan *plan;
    law_broken *broken;
    struct law_tally *tally;
};

/* Tries all laws on @state; @gen chooses where an execution breaks off. */
void law_try(struct gp_arena *mem, const char *name, const struct gen_state *state, struct gen *gen,
             law_broken *broken, struct law_tally *tally);

void law_count(struct law_tally *tally, const struct gen_state *state, const struct gp_plan *plan);
/* A line for each share and each kind of step. */
const char *law_show_tally(struct gp_arena *mem, const struct law_tally *tally);
/* NULL if what matters was reached often enough, else what was not. */
const char *law_too_rare(struct gp_arena *mem, const struct law_tally *tally);

/* ---- shared by the files of this library ---- */

void law_break(const struct law_trial *trial, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *law_take_line(struct gp_arena *mem, struct gp_error *err);
bool law_is_one_of(const struct gp_strings *strings, const char *text);
/* Whether all that was there is there. */
bool law_covers(const struct gp_gpu *was, const struct gp_gpu *is);
/* Whether it runs with the same, and is defined with the same. */
bool law_same_vm(const struct gp_vm *was, const struct gp_vm *is);
/* Does @set of the trial's plan to its end. */
void law_run_set(const struct law_trial *trial, struct world *world, const struct gp_set *set);
/* Law 5, under a policy that @gen draws: law_gate.c. */
void law_check_gate(const struct law_trial *trial, struct gen *gen);
/* What must hold of @have, where the plan of @trial has been done. */
void law_check_after(const struct law_trial *trial, const struct gp_have *have);
