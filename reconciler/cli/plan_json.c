#include "plan_json.h"

#include "clock.h"
#include "text.h"

void gp_json_print(FILE *out, json_t *json)
{
    (void)json_dumpf(json, out, JSON_INDENT(2) | JSON_SORT_KEYS);
    (void)fputc('\n', out);
    json_decref(json);
}

const char *gp_step_target(struct gp_arena *mem, const struct gp_step *step)
{
    if (step->vm_name)
        return step->vm_name;
    if (step->unit)
        return step->unit;
    if (step->gpu && step->partition >= 0)
        return gp_partition_symbol(mem, step->gpu, (uint32_t)step->partition);
    return step->gpu ? step->gpu : "host";
}

const char *gp_drift_since(struct gp_pass *pass, size_t i)
{
    const uint64_t since = pass->drift_notes ? pass->drift_notes[i].since_us
                                             : gp_state_drift_since_us(pass->state, &pass->plan->drift[i]);

    return since ? gp_time_text(pass->mem, since) : NULL;
}

const char *gp_stale_why(const struct gp_pass *pass)
{
    return pass->git_state == GP_GIT_STALE && !pass->options.offline ? pass->git_why : NULL;
}

static json_t *cause_json(struct gp_span at)
{
    if (!at.line)
        return json_null();
    return json_pack("{s:o, s:i}", "file", gp_text_json(at.source->name), "line", (int)at.line);
}

static json_t *finding_json(const struct gp_finding *finding)
{
    return json_pack("{s:o, s:s, s:o, s:i, s:i, s:o, s:o}", "rule", gp_text_json(finding->rule), "level",
                     gp_level_name(finding->level), "file",
                     gp_text_json(finding->at.line ? finding->at.source->name : NULL), "line", (int)finding->at.line,
                     "column", (int)finding->at.column, "object", gp_text_json(finding->object), "message",
                     gp_text_json(finding->message));
}

static json_t *change_json(const char *host, const struct gp_difference *change)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "host", gp_text_json(host), "object",
                     gp_text_json(change->object), "path", gp_text_json(change->path), "before",
                     gp_text_json(change->before), "after", gp_text_json(change->after), "reason",
                     gp_text_json(change->reason), "cause", cause_json(change->cause));
}

static json_t *drift_json(struct gp_pass *pass, size_t i)
{
    const struct gp_difference *drift = &pass->plan->drift[i];

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "host", gp_text_json(pass->host_name), "object",
                     gp_text_json(drift->object), "rule", gp_text_json(drift->rule), "path",
                     gp_text_json(drift->path), "expected", gp_text_json(drift->before), "observed",
                     gp_text_json(drift->after), "since", gp_text_json(gp_drift_since(pass, i)));
}

static json_t *action_json(struct gp_pass *pass, const struct gp_step *step)
{
    json_t *depends = json_array();

    for (size_t i = 0; i < step->depends_count; i++)
        (void)json_array_append_new(depends, json_integer(step->depends_on[i]));
    return json_pack("{s:i, s:o, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:i, s:o}", "n", (int)step->n, "host",
                     gp_text_json(pass->host_name), "kind", gp_step_kind_name(step->kind), "target",
                     gp_text_json(gp_step_target(pass->mem, step)), "before", gp_text_json(step->before), "after",
                     gp_text_json(step->after), "class", gp_class_name(step->class), "reason",
                     gp_text_json(step->reason), "vms", gp_strings_json(&step->vms), "dependsOn", depends, "cause",
                     cause_json(step->cause), "wave", (int)step->wave, "set",
                     gp_text_json(pass->plan->sets[step->set].id));
}

static const char *const verdicts[] = {
    [GP_VERDICT_RUN] = "run",
    [GP_VERDICT_WAITS] = "waits",
    [GP_VERDICT_REPORTS] = "reports",
    [GP_VERDICT_BLOCKED] = "blocked",
};

static json_t *set_json(struct gp_pass *pass, const struct gp_set *set)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:b, s:b}", "host", gp_text_json(pass->host_name), "id",
                     gp_text_json(set->id), "gpus", gp_strings_json(&set->gpus), "vmsStopped", gp_strings_json(&set->stops),
                     "class", gp_class_name(set->class), "verdict", verdicts[set->verdict], "rule",
                     gp_text_json(set->rule), "why", gp_text_json(set->why), "change", set->change, "drift",
                     set->drift);
}

struct gp_summary gp_report_summary(struct gp_pass *const *passes, size_t count)
{
    struct gp_summary summary = {.hosts = count};

    for (size_t p = 0; p < count; p++) {
        const struct gp_plan *plan = passes[p]->plan;

        summary.changed += plan->step_count > 0;
        summary.unknown += passes[p]->have->vms_unknown;
        for (size_t i = 0; i < plan->set_count; i++) {
            summary.vms_stopped += plan->sets[i].stops.count;
            summary.gpus_changed += plan->sets[i].gpus_changed;
        }
        for (size_t i = 0; i < plan->finding_count; i++) {
            summary.errors += plan->findings[i].level == GP_LEVEL_ERROR;
            summary.warnings += plan->findings[i].level == GP_LEVEL_WARNING;
        }
        if (plan->class > summary.class)
            summary.class = plan->class;
    }
    return summary;
}

const char *gp_report_id(struct gp_arena *mem, struct gp_pass *const *passes, size_t count)
{
    struct gp_text text = {.mem = mem};

    if (count == 1)
        return passes[0]->plan->id;
    for (size_t i = 0; i < count; i++)
        gp_text_addf(&text, "%s %s\n", passes[i]->host_name, passes[i]->plan->id);
    return gp_sha256_hex(mem, gp_text_get(&text), text.size, 12);
}

static json_t *summary_json(struct gp_pass *const *passes, size_t count)
{
    const struct gp_summary s = gp_report_summary(passes, count);

    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:s, s:i, s:i}", "hosts", (int)s.hosts, "changed", (int)s.changed,
                     "unknown", (int)s.unknown, "vmsStopped", (int)s.vms_stopped, "gpusChanged", (int)s.gpus_changed,
                     "class", gp_class_name(s.class), "errors", (int)s.errors, "warnings", (int)s.warnings);
}

json_t *gp_plan_json(struct gp_pass *const *passes, size_t count, const char *kind)
{
    json_t *findings = json_array(), *changes = json_array(), *drift = json_array(), *actions = json_array(),
           *sets = json_array();

    for (size_t p = 0; p < count; p++) {
        struct gp_pass *pass = passes[p];
        const struct gp_plan *plan = pass->plan;

        for (size_t i = 0; i < plan->finding_count; i++)
            (void)json_array_append_new(findings, finding_json(&plan->findings[i]));
        for (size_t i = 0; i < plan->change_count; i++)
            (void)json_array_append_new(changes, change_json(pass->host_name, &plan->changes[i]));
        for (size_t i = 0; i < plan->drift_count; i++)
            (void)json_array_append_new(drift, drift_json(pass, i));
        for (size_t i = 0; i < plan->step_count; i++)
            (void)json_array_append_new(actions, action_json(pass, &plan->steps[i]));
        for (size_t i = 0; i < plan->set_count; i++)
            (void)json_array_append_new(sets, set_json(pass, &plan->sets[i]));
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "formatVersion", "1.0", "kind", kind,
                     "id", gp_text_json(gp_report_id(passes[0]->mem, passes, count)), "cluster",
                     gp_text_json(passes[0]->goal->cluster), "commit", gp_text_json(passes[0]->commit), "refused",
                     gp_text_json(passes[0]->refused), "stale", gp_text_json(gp_stale_why(passes[0])), "summary",
                     summary_json(passes, count), "findings", findings, "changes", changes, "drift", drift, "actions",
                     actions, "sets", sets);
}
