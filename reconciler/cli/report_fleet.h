/* What only several captures together can tell. */
#pragma once

#include "pass.h"

/* Adds findings to the plans of @passes, which are planned: captures that are old or missing (GP-W701, GP-W702), VMs that
 * are on another host or on two (GP-E303, GP-E304), and hosts whose VMs would find no place if they failed (GP-W322). */
void gp_report_fleet(struct gp_pass *const *passes, size_t count);
