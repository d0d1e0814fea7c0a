#include "report_markdown.h"

#include "cleanup.h"
#include "plan_json.h"
#include "text.h"

#include <string.h>

/* Text of other people in a table cell: no pipes, no line breaks, no markup of its own. */
static const char *cell(struct gp_arena *mem, const char *text)
{
    struct gp_text out = {.mem = mem};

    if (!text)
        return "-";
    for (; *text; text++) {
        if (strchr("|\\`*_<>[]", *text))
            gp_text_add(&out, "\\");
        if (*text == '\n' || *text == '\r')
            gp_text_add(&out, " ");
        else
            gp_text_addn(&out, text, 1);
    }
    return gp_text_get(&out);
}

/* Inside a code fence only the fence itself could end it. */
static const char *code(struct gp_arena *mem, const char *text)
{
    char *copy = gp_strdup(mem, text ? text : "-");

    for (char *c = copy; *c; c++)
        if (*c == '`' || *c == '\n' || *c == '\r')
            *c = '\'';
    return copy;
}

static const char *short_commit(struct gp_arena *mem, const char *commit)
{
    return commit ? gp_strndup(mem, commit, strlen(commit) < 7 ? strlen(commit) : 7) : "working tree";
}

static const char *change_of_host(struct gp_arena *mem, struct gp_pass *pass)
{
    struct gp_text out = {.mem = mem};

    for (size_t i = 0; i < pass->plan->change_count && i < 3; i++) {
        const struct gp_difference *c = &pass->plan->changes[i];

        gp_text_addf(&out, "%s%s %s: %s -> %s", i ? "; " : "", c->object, c->path, c->before ? c->before : "-",
                     c->after ? c->after : "-");
    }
    if (pass->plan->change_count > 3)
        gp_text_addf(&out, "; %zu more", pass->plan->change_count - 3);
    return out.size ? cell(mem, gp_text_get(&out)) : "none";
}

static const char *stops_of_host(struct gp_arena *mem, const struct gp_plan *plan)
{
    struct gp_text out = {.mem = mem};
    size_t count = 0;

    for (size_t i = 0; i < plan->set_count; i++)
        for (size_t j = 0; j < plan->sets[i].stops.count; j++, count++)
            if (count < 3)
                gp_text_addf(&out, "%s%s", count ? ", " : "", plan->sets[i].stops.items[j]);
    if (count > 3)
        gp_text_addf(&out, " and %zu more", count - 3);
    return count ? cell(mem, gp_text_get(&out)) : "-";
}

static const char *verdict_of_host(struct gp_arena *mem, struct gp_pass *pass)
{
    static const char *const words[] = {
        [GP_VERDICT_RUN] = "runs", [GP_VERDICT_WAITS] = "waits", [GP_VERDICT_REPORTS] = "only reported",
        [GP_VERDICT_BLOCKED] = "blocked"};
    const struct gp_set *worst = NULL;

    if (pass->have->vms_unknown)
        return "**unknown**: guests cannot be seen";
    if (!pass->goal->declared)
        return "not declared: observed only";
    for (size_t i = 0; i < pass->plan->set_count; i++)
        if (!worst || pass->plan->sets[i].verdict > worst->verdict)
            worst = &pass->plan->sets[i];
    if (!worst)
        return "ok";
    if (worst->verdict == GP_VERDICT_RUN)
        return "ok, runs";
    return gp_printf(mem, "**%s** %s", words[worst->verdict], worst->rule ? worst->rule : "");
}

static void head(struct gp_text *out, struct gp_pass *const *passes, size_t count)
{
    const struct gp_summary s = gp_report_summary(passes, count);
    const char *cluster = passes[0]->goal->cluster ? passes[0]->goal->cluster : "no cluster";

    gp_text_addf(out, "<!-- gpupart:report:v1 cluster=%s -->\n", cluster);
    gp_text_addf(out, "### gpupart plan for %s: %zu of %zu hosts change, **%zu %s**, %zu %s\n", cell(out->mem, cluster),
                 s.changed, s.hosts, s.vms_stopped, s.vms_stopped == 1 ? "VM stops" : "VMs stop", s.gpus_changed,
                 s.gpus_changed == 1 ? "GPU changes" : "GPUs change");
    gp_text_addf(out, "%s · plan `%s` · %zu errors, %zu warnings · class %s\n\n",
                 short_commit(out->mem, passes[0]->commit), gp_report_id(out->mem, passes, count), s.errors, s.warnings,
                 gp_class_name(s.class));
}

/* @unchanged: with hosts where nothing happens. */
static void hosts(struct gp_text *out, struct gp_pass *const *passes, size_t count, bool unchanged)
{
    size_t left_out = 0;

    gp_text_add(out, "| Host | Change | VMs stopped | Class | Verdict |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        struct gp_pass *pass = passes[i];

        if (!unchanged && !pass->plan->step_count && !pass->plan->finding_count) {
            left_out++;
            continue;
        }
        gp_text_addf(out, "| %s | %s | %s | %s | %s |\n", cell(out->mem, pass->host_name),
                     change_of_host(out->mem, pass), stops_of_host(out->mem, pass->plan),
                     gp_class_name(pass->plan->class), verdict_of_host(out->mem, pass));
    }
    if (left_out)
        gp_text_addf(out, "\n%zu unchanged hosts were cut here; `gpupart report --format json` has them.\n", left_out);
    gp_text_add(out, "\n");
}

static size_t findings(struct gp_text *out, struct gp_pass *const *passes, size_t count, enum gp_level level,
                       const char *title)
{
    size_t n = 0;

    for (size_t p = 0; p < count; p++)
        for (size_t i = 0; i < passes[p]->plan->finding_count; i++) {
            const struct gp_finding *f = &passes[p]->plan->findings[i];

            if (f->level != level)
                continue;
            if (n++ == 0)
                gp_text_addf(out, "**%s**\n", title);
            gp_text_add(out, "- ");
            if (f->at.line)
                gp_text_addf(out, "`%s:%u` ", code(out->mem, f->at.source->name), f->at.line);
            gp_text_addf(out, "%s: %s (%s)\n", f->rule, cell(out->mem, f->message), cell(out->mem, passes[p]->host_name));
        }
    if (n)
        gp_text_add(out, "\n");
    return n;
}

static bool runs_now(const struct gp_pass *pass, const char *name)
{
    for (size_t i = 0; i < pass->have->vm_count; i++)
        if (gp_streq(pass->have->vms[i].name, name))
            return pass->have->vms[i].power == GP_POWER_RUNNING;
    return false;
}

static void stopped_vms(struct gp_text *out, struct gp_pass *const *passes, size_t count)
{
    bool first = true;

    for (size_t p = 0; p < count; p++)
        for (size_t i = 0; i < passes[p]->plan->step_count; i++) {
            const struct gp_step *step = &passes[p]->plan->steps[i];
            const char *where = step->cause.line ? gp_printf(out->mem, " (`%s:%u`)", code(out->mem, step->cause.source->name),
                                                             step->cause.line)
                                                 : "";

            if (step->kind != GP_STEP_STOP_VM)
                continue;
            if (first)
                gp_text_addf(out,
                             "**These VMs will be shut down** (graceful; if one does not stop in its time, what was begun "
                             "is restored)\n| VM | Why | Running now | Time to stop | Starts again |\n|---|---|---|---|---|\n");
            first = false;
            gp_text_addf(out, "| %s/%s | %s%s | %s | %u s | yes |\n", cell(out->mem, passes[p]->host_name),
                         cell(out->mem, step->vm_name), cell(out->mem, step->reason), where,
                         runs_now(passes[p], step->vm_name) ? "yes" : "no", step->timeout_ms / 1000);
        }
    if (!first)
        gp_text_add(out, "\n");
}

static char sign(enum gp_step_kind kind)
{
    switch (kind) {
    case GP_STEP_STOP_VM:
    case GP_STEP_START_VM:
    case GP_STEP_STOP_UNIT:
    case GP_STEP_START_UNIT:
        return '!';
    case GP_STEP_DETACH:
    case GP_STEP_RELEASE_PARTITION:
        return '-';
    default:
        return '+';
    }
}

static void actions(struct gp_text *out, struct gp_pass *const *passes, size_t count)
{
    for (size_t p = 0; p < count; p++) {
        const struct gp_plan *plan = passes[p]->plan;

        if (!plan->step_count)
            continue;
        gp_text_addf(out, "<details><summary>%s: %zu actions</summary>\n\n```diff\n", cell(out->mem, passes[p]->host_name),
                     plan->step_count);
        for (size_t i = 0; i < plan->step_count; i++) {
            const struct gp_step *step = &plan->steps[i];

            gp_text_addf(out, "%c %s %s: %s -> %s\n", sign(step->kind), gp_step_kind_name(step->kind),
                         code(out->mem, gp_step_target(out->mem, step)), code(out->mem, step->before),
                         code(out->mem, step->after));
        }
        gp_text_add(out, "```\n</details>\n\n");
    }
}

static void drift(struct gp_text *out, struct gp_pass *const *passes, size_t count)
{
    size_t n = 0;

    for (size_t p = 0; p < count; p++)
        n += passes[p]->plan->drift_count;
    if (!n)
        return;
    gp_text_addf(out, "<details><summary>Drift that exists already, not caused by this change (%zu)</summary>\n\n", n);
    for (size_t p = 0; p < count; p++)
        for (size_t i = 0; i < passes[p]->plan->drift_count; i++) {
            const struct gp_difference *d = &passes[p]->plan->drift[i];

            gp_text_addf(out, "- %s %s: %s expected %s, found %s (%s)\n", cell(out->mem, passes[p]->host_name),
                         cell(out->mem, d->object), d->path, cell(out->mem, d->before), cell(out->mem, d->after), d->rule);
        }
    gp_text_add(out, "\n</details>\n");
}

static size_t lines_in(const struct gp_text *text)
{
    size_t n = 0;

    for (const char *c = gp_text_get(text); *c; c++)
        n += *c == '\n';
    return n;
}

void gp_report_markdown_print(FILE *out, struct gp_pass *const *passes, size_t count)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_text top = {.mem = mem}, all = {.mem = mem}, some = {.mem = mem}, errors = {.mem = mem},
                   warnings = {.mem = mem}, stopped = {.mem = mem}, details = {.mem = mem}, drifted = {.mem = mem};
    size_t left;

    head(&top, passes, count);
    hosts(&all, passes, count, true);
    hosts(&some, passes, count, false);
    (void)findings(&errors, passes, count, GP_LEVEL_ERROR, "Errors");
    (void)findings(&warnings, passes, count, GP_LEVEL_WARNING, "Warnings");
    stopped_vms(&stopped, passes, count);
    actions(&details, passes, count);
    drift(&drifted, passes, count);

    left = GP_REPORT_LIMIT - 400; /* for the sentences that tell of cuts */
    (void)fputs(gp_text_get(&top), out);
    left -= top.size + errors.size + stopped.size + drifted.size < left ? top.size + errors.size + stopped.size + drifted.size
                                                                        : left;
    if (all.size + warnings.size + details.size <= left) {
        (void)fputs(gp_text_get(&all), out);
        left -= all.size;
    } else {
        (void)fputs(gp_text_get(&some), out);
        left -= some.size < left ? some.size : left;
    }
    (void)fputs(gp_text_get(&errors), out);
    if (warnings.size <= left) {
        (void)fputs(gp_text_get(&warnings), out);
        left -= warnings.size;
    } else {
        (void)fprintf(out, "%zu lines of warnings were cut; `gpupart report --format json` has them.\n\n", lines_in(&warnings));
    }
    (void)fputs(gp_text_get(&stopped), out);
    if (details.size <= left)
        (void)fputs(gp_text_get(&details), out);
    else
        (void)fprintf(out, "%zu lines of actions were cut; `gpupart plan` on the host has them.\n\n", lines_in(&details));
    (void)fputs(gp_text_get(&drifted), out);
}
