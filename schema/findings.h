/* Findings as text for people and as the documents that code review reads. */
#pragma once

#include "schema.h"

#include <stdio.h>

enum gp_findings_format {
    GP_FINDINGS_TEXT,   /* FILE:LINE:COLUMN: level: message [rule], excerpt and caret */
    GP_FINDINGS_JSON,   /* {"formatVersion": "1.0", "kind": "Findings", "findings": […]} */
    GP_FINDINGS_SARIF,  /* 2.1.0, one run */
    GP_FINDINGS_GITHUB, /* ::error file=…: annotations, errors first */
    GP_FINDINGS_GITLAB, /* Code Quality */
    GP_FINDINGS_COUNT
};
/* "text", "json", "sarif", "github", "gitlab", NULL. */
extern const char *const gp_findings_formats[];

/* Prints @count findings to @out, in the order given (GITHUB: errors first). @cluster goes into the
 * fingerprints of SARIF and GitLab, so that a finding is known again after its line moved; NULL: none. */
void gp_findings_print(FILE *out, enum gp_findings_format format, const char *cluster,
                       const struct gp_finding *findings, size_t count);
