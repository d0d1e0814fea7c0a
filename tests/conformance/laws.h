/* What every provider keeps, on whatever host: laws of the model, which need facts only, and laws of the host,
 * which change it. */
#pragma once

#include "host.h"
#include "model.h"
#include "plan.h"

/* ---- main.c ---- */

struct laws {
    struct gp_host *host;
    unsigned checked, failed, skipped;
};

/* One line: "ok slot3 at rest", or "FAIL slot3 at rest: WHY". @why NULL: it holds. */
void law_told(struct laws *laws, const struct gp_gpu *gpu, const char *law, const char *why);
void law_skipped(struct laws *laws, const struct gp_gpu *gpu, const char *law, const char *why);
/* The message of @err, which it frees. */
const char *law_error(struct gp_arena *mem, struct gp_error *err);

/* ---- same.c ---- */

/* What in @have is not as in @want, up to addresses, groups and what cannot be predicted. NULL: nothing. */
const char *differs(struct gp_arena *mem, const struct gp_gpu *want, const struct gp_gpu *have);
/* The same for two looks at one host, where nothing at all may differ. */
const char *differs_at_all(struct gp_arena *mem, const struct gp_gpu *a, const struct gp_gpu *b);
/* "partitioned 4 NVIDIA A2-4Q" */
const char *layout_text(struct gp_arena *mem, const struct gp_layout *layout);
/* As @gpu is, partition by partition. */
struct gp_layout layout_of(struct gp_arena *mem, const struct gp_gpu *gpu);
/* A copy that predict() may change. */
struct gp_gpu *copy_of(struct gp_arena *mem, const struct gp_gpu *gpu);

/* ---- model_laws.c, host_laws.c ---- */

void check_model(struct laws *laws, const struct gp_gpu *gpu);
void check_host(struct laws *laws, const char *id);
/* The GPU @id as it is now. */
struct gp_error *look(struct laws *laws, struct gp_arena *mem, const char *id,
                      struct gp_gpu **ret) GP_MUST_CHECK;

/* ---- faults.c: the n-th effect on the host fails ---- */

enum fault { FAULT_NONE, FAULT_REFUSED, FAULT_DONE_BUT_TOLD_FAILED };
/* From now on, counted from 1. */
void fault_arm(enum fault fault, unsigned n);
/* Whether it did fail. */
bool fault_disarm(void);
