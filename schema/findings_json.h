/* The JSON documents of findings.h; each ends with a newline. */
#pragma once

#include "schema.h"

#include <stdio.h>

void gp_findings_print_json(FILE *out, const struct gp_finding *findings, size_t count);
void gp_findings_print_sarif(FILE *out, const char *cluster, const struct gp_finding *findings,
                             size_t count);
void gp_findings_print_gitlab(FILE *out, const char *cluster, const struct gp_finding *findings,
                              size_t count);
