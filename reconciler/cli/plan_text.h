/* Plans for people at a terminal. */
#pragma once

#include "pass.h"

#include <stdio.h>

/* Findings, then each set with its verdict and steps, then what drifted. */
void gp_plan_text_print(FILE *out, struct gp_pass *pass);
/* "class gpu, 5 VMs stop, 1 GPU changes" or "nothing to do" */
const char *gp_plan_headline(struct gp_arena *mem, struct gp_pass *pass);
/* "expected 8, is 0" lines of drift, one each; nothing where there is none. */
void gp_drift_text_print(FILE *out, struct gp_pass *pass);
void gp_findings_text_print(FILE *out, const struct gp_plan *plan);
