#include "report_markdown.h"

#include "cleanup.h"
#include "plan_json.h"
#include "text.h"

#include <string.h>

/* Text of other people: no pipes, no line breaks, no markup of its own. What HTML could read is written as entities,
 * which hold in Markdown as well as inside an HTML block, where backslashes mean nothing. */
static const char *cell(struct gp_arena *mem, const char *text)
{
    struct gp_text out = {.mem = mem};

    if (!text)
        return "none";
    for (; *text; text++) {
        if (*text == '<')
            gp_text_add(&out, "&lt;");
        else if (*text == '&')
            gp_text_add(&out, "&amp;");
        else if (strchr("|\\`*_[]~", *text))
            gp_text_addf(&out, "\\%c", *text);
        else
            gp_text_addn(&out, (unsigned char)*text < ' ' ? " " : text, 1);
    }
    return gp_text_get(&out);
}

/* The same inside HTML. */
static const char *html(struct gp_arena *mem, const char *text)
{
    struct gp_text out = {.mem = mem};

    for (; *text; text++) {
        if (*text == '<')
            gp_text_add(&out, "&lt;");
        else if (*text == '&')
            gp_text_add(&out, "&amp;");
        else
            gp_text_addn(&out, (unsigned char)*text < ' ' ? " " : text, 1);
    }
    return gp_text_get(&out);
}

/* Inside a code fence only the fence itself could end it. */
static const char *code(struct gp_arena *mem, const char *text)
{
    char *copy = gp_strdup(mem, text && !gp_streq(text, "-") ? text : "none");

    for (char *c = copy; *c; c++)
        if (*c == '`' || (unsigned char)*c < ' ')
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

        gp_text_addf(&out, "%s%s %s: %s -> %s", i ? "; " : "", c->object, c->path, c->before ? c->before : "none",
                     c->after ? c->after : "none");
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

    if (pass->unknown)
        return "**unknown**: what is wanted cannot be told";
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

/* What the rest is not about, where the head of git is not what it shows: before all else. */
static void warn_of_git(struct gp_text *out, const struct gp_pass *pass)
{
    const char *stale = gp_stale_why(pass);

    if (pass->unknown)
        gp_text_addf(out, "\n**What is wanted is not known**: %s\n", cell(out->mem, pass->refused));
    else if (pass->refused)
        gp_text_addf(out, "\n**The head is refused, and this is what is kept, %s**: %s\n",
                     short_commit(out->mem, pass->commit), cell(out->mem, pass->refused));
    if (stale)
        gp_text_addf(out, "\n**Git is stale**, so the head may be another: %s\n", cell(out->mem, stale));
}

static void head(struct gp_text *out, struct gp_pass *const *passes, size_t count)
{
    const struct gp_summary s = gp_report_summary(passes, count);
    const char *cluster = passes[0]->goal->cluster ? passes[0]->goal->cluster : "no cluster";

    gp_text_addf(out, "<!-- gpupart:report:v1 cluster=%s -->\n", cluster);
    warn_of_git(out, passes[0]);
    gp_text_addf(out, "\n### gpupart plan for %s: %zu of %zu %s, **%zu %s**, %zu %s\n", cell(out->mem, cluster),
                 s.changed, s.hosts, s.hosts == 1 ? "host changes" : "hosts change", s.vms_stopped, s.vms_stopped == 1 ? "VM stops" : "VMs stop", s.gpus_changed,
                 s.gpus_changed == 1 ? "GPU changes" : "GPUs change");
    gp_text_addf(out, "%s · plan `%s` · %zu %s, %zu %s · class %s\n\n", short_commit(out->mem, passes[0]->commit),
                 gp_report_id(out->mem, passes, count), s.errors, s.errors == 1 ? "error" : "errors", s.warnings,
                 s.warnings == 1 ? "warning" : "warnings", gp_class_name(s.class));
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
                gp_text_addf(out, "**%s**\n\n", title);
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
            const char *where = step->cause.line ? gp_printf(out->mem, " (%s:%u)", cell(out->mem, step->cause.source->name),
                                                             step->cause.line)
                                                 : "";

            if (step->kind != GP_STEP_STOP_VM)
                continue;
            if (first)
                gp_text_addf(out,
                             "**These VMs will be shut down** (graceful; if one does not stop in its time, what was begun "
                             "is restored)\n\n| VM | Why | Running now | Time to stop | Starts again |\n|---|---|---|---|---|\n");
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
        gp_text_addf(out, "<details><summary>%s: %zu %s</summary>\n\n```diff\n", html(out->mem, passes[p]->host_name),
                     plan->step_count, plan->step_count == 1 ? "action" : "actions");
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

            const char *since = gp_drift_since(passes[p], i);

            gp_text_addf(out, "- %s %s: %s expected %s, found %s (%s%s%s)\n", cell(out->mem, passes[p]->host_name),
                         cell(out->mem, d->object), d->path, cell(out->mem, d->before), cell(out->mem, d->after),
                         d->rule ? d->rule : "drift", since ? ", seen since " : "", since ? since : "");
        }
    gp_text_add(out, "\n</details>\n");
}

static size_t lines_in(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void tell_cut(FILE *out, const char *lost, const char *what, const char *where)
{
    if (*lost)
        (void)fprintf(out, "\n%zu lines of %s were cut; %s has them.\n\n", lines_in(lost), what, where);
}

/* The VMs that stop when their table is too long: a line a host, by name or, at the worst, by number. */
static void stopped_short(struct gp_text *out, struct gp_pass *const *passes, size_t count, bool names)
{
    gp_text_add(out, "**These VMs will be shut down** (graceful; if one does not stop in its time, what was begun is restored)\n\n");
    for (size_t p = 0; p < count; p++) {
        const struct gp_plan *plan = passes[p]->plan;
        size_t n = 0;

        for (size_t i = 0; i < plan->set_count; i++)
            n += plan->sets[i].stops.count;
        if (!n)
            continue;
        gp_text_addf(out, "- %s: %zu", cell(out->mem, passes[p]->host_name), n);
        for (size_t i = 0, told = 0; names && i < plan->set_count; i++)
            for (size_t j = 0; j < plan->sets[i].stops.count; j++)
                gp_text_addf(out, "%s%s", told++ ? ", " : ": ", cell(out->mem, plan->sets[i].stops.items[j]));
        gp_text_add(out, "\n");
    }
    gp_text_add(out, "\n");
}

/* Prints of @text whole lines that fit into @room, and how many do not. Returns the room that is left. */
static size_t print_fitting(FILE *out, const struct gp_text *text, size_t room, const char *what)
{
    const char *all = gp_text_get(text);
    size_t size = text->size;

    if (size <= room) {
        (void)fputs(all, out);
        return room - size;
    }
    while (size && (size > room || all[size - 1] != '\n'))
        size--;
    (void)fprintf(out, "%.*s", (int)size, all);
    tell_cut(out, all + size, what, "`gpupart report --format json`");
    return room - size;
}

void gp_report_markdown_print(FILE *out, struct gp_pass *const *passes, size_t count)
{
    enum { FOR_CUTS = 1000 }; /* the sentences that tell of cuts */
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_text top = {.mem = mem}, all = {.mem = mem}, some = {.mem = mem}, errors = {.mem = mem},
                   warnings = {.mem = mem}, stopped = {.mem = mem}, named = {.mem = mem}, counted = {.mem = mem},
                   details = {.mem = mem}, drifted = {.mem = mem};
    const struct gp_text *table = &all, *stops = &stopped;
    size_t room = GP_REPORT_LIMIT - FOR_CUTS, need;
    bool with_details, with_warnings, with_drift;

    head(&top, passes, count);
    hosts(&all, passes, count, true);
    hosts(&some, passes, count, false);
    (void)findings(&errors, passes, count, GP_LEVEL_ERROR, "Errors");
    (void)findings(&warnings, passes, count, GP_LEVEL_WARNING, "Warnings");
    stopped_vms(&stopped, passes, count);
    if (stopped.size) {
        stopped_short(&named, passes, count, true);
        stopped_short(&counted, passes, count, false);
    }
    actions(&details, passes, count);
    drift(&drifted, passes, count);

    /* What is sacrificed, in this order: unchanged hosts, actions, drift, warnings, why each VM stops, its name. */
    need = top.size + all.size + errors.size + warnings.size + stopped.size + details.size + drifted.size;
    if (need > room) {
        table = &some;
        need -= all.size - some.size;
    }
    with_details = need <= room;
    need -= with_details ? 0 : details.size;
    with_drift = need <= room;
    need -= with_drift ? 0 : drifted.size;
    with_warnings = need <= room;
    need -= with_warnings ? 0 : warnings.size;
    if (need > room && named.size < stopped.size) {
        need -= stopped.size - named.size;
        stops = &named;
        if (need > room && counted.size < named.size)
            stops = &counted;
    }

    (void)fputs(gp_text_get(&top), out);
    room -= top.size < room ? top.size : room;
    /* Errors and VMs that stop have their room before the table of hosts has any. */
    need = errors.size + stops->size;
    room = print_fitting(out, table, need < room ? room - need : 0, "hosts") + (need < room ? need : room);
    room = print_fitting(out, &errors, stops->size < room ? room - stops->size : 0, "errors") +
           (stops->size < room ? stops->size : room);
    if (with_warnings)
        room = print_fitting(out, &warnings, room, "warnings");
    else
        tell_cut(out, gp_text_get(&warnings), "warnings", "`gpupart report --format json`");
    (void)print_fitting(out, stops, room, "VMs that stop");
    if (with_details)
        (void)fputs(gp_text_get(&details), out);
    else
        tell_cut(out, gp_text_get(&details), "actions", "`gpupart plan` on the host");
    if (with_drift)
        (void)fputs(gp_text_get(&drifted), out);
    else
        tell_cut(out, gp_text_get(&drifted), "drift", "`gpupart drift` on the host");
}
