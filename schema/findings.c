#include "findings.h"

#include "findings_json.h"

const char *const gp_findings_formats[] = {
    [GP_FINDINGS_TEXT] = "text",     [GP_FINDINGS_JSON] = "json",     [GP_FINDINGS_SARIF] = "sarif",
    [GP_FINDINGS_GITHUB] = "github", [GP_FINDINGS_GITLAB] = "gitlab", NULL};
_Static_assert(sizeof gp_findings_formats / sizeof *gp_findings_formats == GP_FINDINGS_COUNT + 1,
               "a name for each format");

static void print_text(FILE *out, const struct gp_finding *findings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct gp_finding *f = &findings[i];

        if (f->at.line)
            (void)fprintf(out, "%s:%u:%u: ", f->at.source->name, f->at.line, f->at.column);
        (void)fprintf(out, "%s: %s [%s]\n", gp_level_name(f->level), f->message, f->rule);
        gp_span_print_excerpt(out, f->at);
    }
}

/* Fact: GitHub's documentation of workflow commands: '%', CR and LF are written %25, %0D, %0A, in
 * properties ':' and ',' too. */
static void print_escaped(FILE *out, const char *text, bool property)
{
    for (; *text; text++) {
        if (*text == '%' || *text == '\r' || *text == '\n' ||
            (property && (*text == ':' || *text == ',')))
            (void)fprintf(out, "%%%02X", (unsigned)(unsigned char)*text);
        else
            (void)fputc(*text, out);
    }
}

static void print_annotation(FILE *out, const struct gp_finding *f)
{
    static const char *const commands[] = {
        [GP_LEVEL_NOTE] = "notice", [GP_LEVEL_WARNING] = "warning", [GP_LEVEL_ERROR] = "error"};

    (void)fprintf(out, "::%s ", commands[f->level]);
    if (f->at.line) {
        (void)fputs("file=", out);
        print_escaped(out, f->at.source->name, true);
        (void)fprintf(out, ",line=%u,col=%u,", f->at.line, f->at.column);
    }
    (void)fprintf(out, "title=%s::", f->rule);
    print_escaped(out, f->message, false);
    (void)fputc('\n', out);
}

/* The platform shows about ten of each level, so errors go first. */
static void print_github(FILE *out, const struct gp_finding *findings, size_t count)
{
    for (int level = GP_LEVEL_ERROR; level >= GP_LEVEL_NOTE; level--)
        for (size_t i = 0; i < count; i++)
            if ((int)findings[i].level == level)
                print_annotation(out, &findings[i]);
}

void gp_findings_print(FILE *out, enum gp_findings_format format, const char *cluster,
                       const struct gp_finding *findings, size_t count)
{
    switch (format) {
    case GP_FINDINGS_TEXT:
    case GP_FINDINGS_COUNT:
        print_text(out, findings, count);
        break;
    case GP_FINDINGS_JSON:
        gp_findings_print_json(out, findings, count);
        break;
    case GP_FINDINGS_SARIF:
        gp_findings_print_sarif(out, cluster, findings, count);
        break;
    case GP_FINDINGS_GITHUB:
        print_github(out, findings, count);
        break;
    case GP_FINDINGS_GITLAB:
        gp_findings_print_gitlab(out, cluster, findings, count);
        break;
    }
}
