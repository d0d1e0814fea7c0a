/* The report for code review: one sticky comment, under 60,000 characters. */
#pragma once

#include "pass.h"

#include <stdio.h>

enum { GP_REPORT_LIMIT = 60000 };

/* Sacrificed in this order when too long: unchanged hosts, actions, drift, warnings, why each VM stops, its name. Head and
 * errors stay, and so does how many VMs stop on which host; of a fleet for which even that is too long, as many lines
 * as there is room for. A cut says how many lines were cut and where they are. */
void gp_report_markdown_print(FILE *out, struct gp_pass *const *passes, size_t count);
