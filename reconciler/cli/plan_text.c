#include "plan_text.h"

#include "plan_json.h"
#include "text.h"

#include <string.h>

static const char *plural(size_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

const char *gp_plan_headline(struct gp_arena *mem, struct gp_pass *pass)
{
    const struct gp_summary s = gp_report_summary(&pass, 1);

    size_t blocked = 0;

    for (size_t i = 0; i < pass->plan->set_count; i++)
        blocked += pass->plan->sets[i].verdict == GP_VERDICT_BLOCKED;
    if (!pass->plan->step_count)
        return blocked ? gp_printf(mem, "nothing to do now, %zu blocked", blocked) : "nothing to do";
    return gp_printf(mem, "%zu %s, class %s, %zu %s, %zu %s", pass->plan->step_count,
                     plural(pass->plan->step_count, "step", "steps"), gp_class_name(pass->plan->class), s.vms_stopped,
                     plural(s.vms_stopped, "VM stops", "VMs stop"), s.gpus_changed,
                     plural(s.gpus_changed, "GPU changes", "GPUs change"));
}

void gp_findings_text_print(FILE *out, const struct gp_plan *plan)
{
    for (size_t i = 0; i < plan->finding_count; i++) {
        const struct gp_finding *finding = &plan->findings[i];

        if (finding->at.line)
            (void)fprintf(out, "%s:%u:%u: ", finding->at.source->name, finding->at.line, finding->at.column);
        (void)fprintf(out, "%s %s: %s\n", gp_level_name(finding->level), finding->rule, finding->message);
    }
}

/* A reason that stands among the findings is not told twice. */
static const char *why_text(const struct gp_plan *plan, const struct gp_set *set)
{
    for (size_t i = 0; i < plan->finding_count; i++)
        if (gp_streq(plan->findings[i].message, set->why) && gp_streq(plan->findings[i].rule, set->rule))
            return "see above";
    return set->why;
}

static const char *verdict_text(struct gp_arena *mem, const struct gp_plan *plan, const struct gp_set *set)
{
    static const char *const words[] = {
        [GP_VERDICT_RUN] = "may run",
        [GP_VERDICT_WAITS] = "waits",
        [GP_VERDICT_REPORTS] = "is only reported",
        [GP_VERDICT_BLOCKED] = "is blocked",
    };
    const char *what = set->change && set->drift ? "change and drift" : set->drift ? "drift" : "change";

    if (set->verdict == GP_VERDICT_RUN)
        return gp_printf(mem, "%s, class %s: %s", what, gp_class_name(set->class), words[set->verdict]);
    return gp_printf(mem, "%s, class %s: %s%s%s%s%s", what, gp_class_name(set->class), words[set->verdict],
                     set->rule ? " (" : "", set->rule ? set->rule : "", set->rule ? ")" : "",
                     set->why ? gp_printf(mem, ": %s", why_text(plan, set)) : "");
}

static const char *step_change(struct gp_arena *mem, const struct gp_step *step)
{
    const char *nothing = "none";

    return gp_printf(mem, "%s -> %s", step->before && !gp_streq(step->before, "-") ? step->before : nothing,
                     step->after && !gp_streq(step->after, "-") ? step->after : nothing);
}

static void print_step(FILE *out, struct gp_arena *mem, const struct gp_step *step, int target_width, int change_width)
{
    (void)fprintf(out, "  %3u  %-17s  %-*s  %-*s", step->n, gp_step_kind_name(step->kind), target_width,
                  gp_step_target(mem, step), change_width, step_change(mem, step));
    if (step->reason)
        (void)fprintf(out, "  %s", step->reason);
    if (step->cause.line)
        (void)fprintf(out, " [%s:%u]", step->cause.source->name, step->cause.line);
    (void)fputc('\n', out);
}

/* As wide as the widest text of the plan, but one long name does not push all others off the screen. */
static int widest(struct gp_pass *pass, const char *(*text)(struct gp_arena *, const struct gp_step *))
{
    enum { LIMIT = 40 };
    size_t width = 0;

    for (size_t i = 0; i < pass->plan->step_count; i++) {
        const size_t size = strlen(text(pass->mem, &pass->plan->steps[i]));

        if (size > width && size <= LIMIT)
            width = size;
    }
    return (int)width;
}

static void print_set(FILE *out, struct gp_pass *pass, uint32_t number)
{
    const struct gp_set *set = &pass->plan->sets[number];
    const int target_width = widest(pass, gp_step_target), change_width = widest(pass, step_change);

    (void)fprintf(out, "\n%s: %s\n", set->id, verdict_text(pass->mem, pass->plan, set));
    if (set->stops.count) {
        (void)fprintf(out, "  stops and starts again:");
        for (size_t i = 0; i < set->stops.count; i++)
            (void)fprintf(out, " %s", set->stops.items[i]);
        (void)fputc('\n', out);
    }
    for (size_t i = 0; i < pass->plan->step_count; i++)
        if (pass->plan->steps[i].set == number)
            print_step(out, pass->mem, &pass->plan->steps[i], target_width, change_width);
}

void gp_drift_text_print(FILE *out, struct gp_pass *pass)
{
    for (size_t i = 0; i < pass->plan->drift_count; i++) {
        const struct gp_difference *drift = &pass->plan->drift[i];
        const char *since = gp_drift_since(pass, i);

        (void)fprintf(out, "%s: %s is %s, was applied as %s (%s%s%s)\n", drift->object, drift->path,
                      drift->after ? drift->after : "gone", drift->before ? drift->before : "none",
                      drift->rule ? drift->rule : "drift", since ? ", seen since " : "", since ? since : "");
    }
}

void gp_plan_text_print(FILE *out, struct gp_pass *pass)
{
    const struct gp_plan *plan = pass->plan;

    if (!pass->goal->declared && !pass->unknown)
        (void)fprintf(out, "host %s is not in exactly one cluster: it is only observed\n", pass->host_name);
    (void)fprintf(out, "plan %s for %s on host %s%s%s: %s\n", plan->id,
                  pass->goal->cluster ? pass->goal->cluster : "no cluster", pass->host_name,
                  pass->commit ? " at " : "", pass->commit ? gp_strndup(pass->mem, pass->commit, 12) : "",
                  gp_plan_headline(pass->mem, pass));
    if (pass->refused)
        (void)fprintf(out, "the head is refused: %s\n", pass->refused);
    if (gp_stale_why(pass))
        (void)fprintf(out, "git is stale: %s\n", gp_stale_why(pass));
    gp_findings_text_print(out, plan);
    for (uint32_t i = 0; i < plan->set_count; i++)
        print_set(out, pass, i);
    if (plan->drift_count) {
        (void)fprintf(out, "\ndrift (what is differs from what was applied; no commit asks for it):\n");
        gp_drift_text_print(out, pass);
    }
}
