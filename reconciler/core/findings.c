/* Findings in the order of their places, each once. */
#include "plan.h"

#include "text.h"

#include <stdlib.h>

static int compare_place(struct gp_span a, struct gp_span b)
{
    int order = gp_strcmp(a.source ? a.source->name : NULL, b.source ? b.source->name : NULL);

    if (order)
        return order;
    if (a.line != b.line)
        return a.line < b.line ? -1 : 1;
    return a.column < b.column ? -1 : a.column > b.column;
}

static int compare_findings(const void *left, const void *right)
{
    const struct gp_finding *a = left, *b = right;
    int order = compare_place(a->at, b->at);

    if (!order)
        order = gp_strcmp(a->rule, b->rule);
    if (!order)
        order = gp_strcmp(a->object, b->object);
    return order ? order : gp_strcmp(a->message, b->message);
}

void gp_findings_sort(struct gp_finding *findings, size_t *count)
{
    size_t kept = 0;

    if (*count)
        qsort(findings, *count, sizeof *findings, compare_findings);
    for (size_t n = 0; n < *count; n++)
        if (!kept || compare_findings(&findings[kept - 1], &findings[n]) != 0)
            findings[kept++] = findings[n];
    *count = kept;
}
