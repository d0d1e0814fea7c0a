#include "plan_text.h"

#include "plan_json.h"
#include "text.h"

static const char *plural(size_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

const char *gp_plan_headline(struct gp_arena *mem, struct gp_pass *pass)
{
    const struct gp_summary s = gp_report_summary(&pass, 1);

    if (!pass->plan->step_count)
        return "nothing to do";
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

static const char *verdict_text(struct gp_arena *mem, const struct gp_set *set)
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
                     set->why ? gp_printf(mem, ": %s", set->why) : "");
}

static void print_step(FILE *out, struct gp_arena *mem, const struct gp_step *step)
{
    const char *change = gp_printf(mem, "%s -> %s", step->before ? step->before : "-", step->after ? step->after : "-");

    (void)fprintf(out, "  %3u  %-17s %-14s %-28s", step->n, gp_step_kind_name(step->kind),
                  gp_step_target(mem, step), change);
    if (step->reason)
        (void)fprintf(out, " %s", step->reason);
    if (step->cause.line)
        (void)fprintf(out, " [%s:%u]", step->cause.source->name, step->cause.line);
    (void)fputc('\n', out);
}

static void print_set(FILE *out, struct gp_pass *pass, uint32_t number)
{
    const struct gp_set *set = &pass->plan->sets[number];

    (void)fprintf(out, "\n%s: %s\n", set->id, verdict_text(pass->mem, set));
    if (set->stops.count) {
        (void)fprintf(out, "  stops and starts again:");
        for (size_t i = 0; i < set->stops.count; i++)
            (void)fprintf(out, " %s", set->stops.items[i]);
        (void)fputc('\n', out);
    }
    for (size_t i = 0; i < pass->plan->step_count; i++)
        if (pass->plan->steps[i].set == number)
            print_step(out, pass->mem, &pass->plan->steps[i]);
}

void gp_drift_text_print(FILE *out, struct gp_pass *pass)
{
    for (size_t i = 0; i < pass->plan->drift_count; i++) {
        const struct gp_difference *drift = &pass->plan->drift[i];
        const uint64_t since = pass->drift_notes ? pass->drift_notes[i].since_us : 0;

        (void)fprintf(out, "%s %s: %s is %s, was applied as %s%s%s\n", drift->object, drift->rule ? drift->rule : "",
                      drift->path, drift->after, drift->before, since ? " since " : "",
                      since ? gp_time_text(pass->mem, since) : "");
    }
}

void gp_plan_text_print(FILE *out, struct gp_pass *pass)
{
    const struct gp_plan *plan = pass->plan;

    if (!pass->goal->declared)
        (void)fprintf(out, "host %s is not in exactly one cluster: it is only observed\n", pass->host_name);
    (void)fprintf(out, "plan %s for %s on host %s%s%s: %s\n", plan->id,
                  pass->goal->cluster ? pass->goal->cluster : "no cluster", pass->host_name,
                  pass->commit ? " at " : "", pass->commit ? gp_strndup(pass->mem, pass->commit, 12) : "",
                  gp_plan_headline(pass->mem, pass));
    if (pass->refused)
        (void)fprintf(out, "the head is refused: %s\n", pass->refused);
    if (pass->git_state == GP_GIT_STALE && pass->git_why)
        (void)fprintf(out, "git is stale: %s\n", pass->git_why);
    gp_findings_text_print(out, plan);
    for (uint32_t i = 0; i < plan->set_count; i++)
        print_set(out, pass, i);
    if (plan->drift_count) {
        (void)fprintf(out, "\ndrift (what is differs from what was applied; no commit asks for it):\n");
        gp_drift_text_print(out, pass);
    }
}
