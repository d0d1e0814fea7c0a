/* The report for code review: one sticky comment, under 60,000 characters. */
#pragma once

#include "pass.h"

#include <stdio.h>

enum { GP_REPORT_LIMIT = 60000 };

/* Never cut: header, errors, the list of VMs that stop. Cut in this order when too long: unchanged hosts, action
 * details, warnings; a cut says how many lines were cut. */
void gp_report_markdown_print(FILE *out, struct gp_pass *const *passes, size_t count);
