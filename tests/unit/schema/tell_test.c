/* What the tables tell besides decoding: explanations, findings as documents, declarations as YAML.
 */
#include "rows.h"

#include "cleanup.h"
#include "findings.h"
#include "print.h"
#include "text.h"

#include <jansson.h>
#include <string.h>

static const struct {
    const char *what, *part; /* part NULL: nothing is called so */
    const char *nearest;
} asked[] = {
    {"GpuCluster.spec.pools.partitions.count", "valid set of its model", NULL},
    {"partitions.count", "takes: a whole number from 1 to 256", NULL},
    {"takeover", "default: false", NULL},
    {"pools.mode", "partitioned, passthrough or paravirtual", NULL},
    {"stop.timeout", "GpuCluster.spec.policy.stop.timeout", NULL},
    {"stop.timeout", "GpuBinding.spec.stop.timeout", NULL},
    {"GpuAgent", "keys:", NULL},
    {"GP-E210", "Count not in the valid set", NULL},
    {"takover", NULL, "takeover"},
    {"GP-E219", NULL, "GP-E21"},
    {"partitions.", NULL, ""},
    {"", NULL, ""},
};

GP_ROWS(tell, explain, asked)
{
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    gp_cleanup(gp_free_p) char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    err = gp_explain(out, asked[*i].what);
    (void)fclose(out);
    cr_assert(eq(int, err == NULL, asked[*i].part != NULL), "%s", asked[*i].what);
    if (err)
        cr_assert(strstr(err->message, asked[*i].nearest) != NULL, "%s", err->message);
    else
        cr_assert(strstr(text, asked[*i].part) != NULL, "%s said %s", asked[*i].what, text);
}

/* Every path that is listed is explained, and by exactly what it names. */
Test(tell, every_path_is_explained)
{
    gp_cleanup(gp_free_p) char *list = NULL;
    size_t size = 0, count = 0;
    FILE *out = open_memstream(&list, &size);

    gp_explain_list(out);
    (void)fclose(out);
    for (char *line = strtok(list, "\n"); line; line = strtok(NULL, "\n"), count++) {
        gp_cleanup(gp_free_p) char *text = NULL;
        size_t text_size = 0;
        FILE *said = open_memstream(&text, &text_size);
        struct gp_error *err = gp_explain(said, line);

        (void)fclose(said);
        cr_expect(err == NULL && strncmp(text, line, strlen(line)) == 0, "%s", line);
        gp_error_free(err);
    }
    cr_assert(gt(sz, count, 150));
}

Test(tell, rules_are_sorted_and_say_what_to_do)
{
    for (size_t n = 0; n < gp_rule_count; n++) {
        cr_expect(n == 0 || strcmp(gp_rules[n - 1].id, gp_rules[n].id) < 0, "%s", gp_rules[n].id);
        cr_expect(strlen(gp_rules[n].help) > strlen(gp_rules[n].meaning), "%s", gp_rules[n].id);
        cr_expect(gp_rule_find(gp_rules[n].id) == &gp_rules[n]);
    }
    cr_assert(gp_rule_find("GP-E000") == NULL);
}

/* ---- findings ---- */

static const char text_of_file[] = "a: 1\nbb: 100%\n";
static const struct gp_source source = {"dir/a file,1.yaml", text_of_file, sizeof text_of_file - 1};
static const struct gp_finding findings[] = {
    {"GP-W209", GP_LEVEL_WARNING, {&source, 1, 4}, NULL, "first"},
    {"GP-E007", GP_LEVEL_ERROR, {&source, 2, 5}, "pool/p", "100% \"wrong\""},
    {"GP-E007", GP_LEVEL_ERROR, {&source, 2, 5}, "pool/p", "100% \"wrong\""},
    {"GP-W701", GP_LEVEL_NOTE, {NULL, 0, 0}, NULL, "no place"},
};

static char *print(enum gp_findings_format format, size_t count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    gp_findings_print(out, format, "c", findings, count);
    (void)fclose(out);
    return text;
}

Test(findings, text)
{
    gp_cleanup(gp_free_p) char *text = print(GP_FINDINGS_TEXT, 4);

    cr_assert(eq(str, text,
                 "dir/a file,1.yaml:1:4: warning: first [GP-W209]\n"
                 "    1 | a: 1\n"
                 "      |    ^\n"
                 "dir/a file,1.yaml:2:5: error: 100% \"wrong\" [GP-E007]\n"
                 "    2 | bb: 100%\n"
                 "      |     ^\n"
                 "dir/a file,1.yaml:2:5: error: 100% \"wrong\" [GP-E007]\n"
                 "    2 | bb: 100%\n"
                 "      |     ^\n"
                 "note: no place [GP-W701]\n"));
}

Test(findings, github_puts_errors_first)
{
    gp_cleanup(gp_free_p) char *text = print(GP_FINDINGS_GITHUB, 2);

    cr_assert(eq(str, text,
                 "::error file=dir/a file%2C1.yaml,line=2,col=5,title=GP-E007::100%25 \"wrong\"\n"
                 "::warning file=dir/a file%2C1.yaml,line=1,col=4,title=GP-W209::first\n"));
}

static json_t *parse(char *text)
{
    json_t *document = json_loads(text, 0, NULL);

    cr_assert(document != NULL, "no JSON: %s", text);
    return document;
}

Test(findings, json)
{
    gp_cleanup(gp_free_p) char *text = print(GP_FINDINGS_JSON, 4);
    json_auto_t *document = parse(text);
    const json_t *list = json_object_get(document, "findings"), *second = json_array_get(list, 1);

    cr_assert(
        eq(str, (char *)json_string_value(json_object_get(document, "formatVersion")), "1.0"));
    cr_assert(eq(str, (char *)json_string_value(json_object_get(document, "kind")), "Findings"));
    cr_assert(eq(sz, json_array_size(list), 4));
    cr_assert(eq(str, (char *)json_string_value(json_object_get(second, "rule")), "GP-E007"));
    cr_assert(eq(str, (char *)json_string_value(json_object_get(second, "level")), "error"));
    cr_assert(
        eq(str, (char *)json_string_value(json_object_get(second, "file")), "dir/a file,1.yaml"));
    cr_assert(eq(int, (int)json_integer_value(json_object_get(second, "line")), 2));
    cr_assert(eq(int, (int)json_integer_value(json_object_get(second, "column")), 5));
    cr_assert(json_object_get(json_array_get(list, 3), "file") == NULL);
}

static const char *fingerprint(const json_t *results, size_t n)
{
    return json_string_value(json_object_get(
        json_object_get(json_array_get(results, n), "partialFingerprints"), "gpupart/v1"));
}

Test(findings, sarif)
{
    gp_cleanup(gp_free_p) char *text = print(GP_FINDINGS_SARIF, 4);
    json_auto_t *document = parse(text);
    const json_t *run = json_array_get(json_object_get(document, "runs"), 0), *results, *driver;
    const char *uri = NULL;
    int line = 0;

    results = json_object_get(run, "results");
    driver = json_object_get(json_object_get(run, "tool"), "driver");
    cr_assert(eq(str, (char *)json_string_value(json_object_get(document, "version")), "2.1.0"));
    cr_assert(eq(sz, json_array_size(json_object_get(driver, "rules")), gp_rule_count));
    cr_assert(eq(sz, json_array_size(results), 4));
    cr_assert(eq(int,
                 json_unpack((json_t *)json_array_get(results, 1), "{s:[{s:{s:{s:s}, s:{s:i}}}]}",
                             "locations", "physicalLocation", "artifactLocation", "uri", &uri,
                             "region", "startLine", &line),
                 0));
    cr_assert(eq(str, (char *)uri, "dir/a%20file,1.yaml"));
    cr_assert(eq(int, line, 2));
    cr_assert(json_object_get(json_array_get(results, 3), "locations") == NULL);
    /* The same finding a second time is another result, and must be told from the first. */
    cr_assert(ne(str, (char *)fingerprint(results, 1), (char *)fingerprint(results, 2)));
    cr_assert(eq(sz, strlen(fingerprint(results, 0)), 64));
}

Test(findings, gitlab)
{
    gp_cleanup(gp_free_p) char *text = print(GP_FINDINGS_GITLAB, 4),
                               *none = print(GP_FINDINGS_GITLAB, 0);
    json_auto_t *document = parse(text);
    const char *path = NULL, *severity = NULL;
    int line = 0;

    cr_assert(eq(sz, json_array_size(document), 4));
    cr_assert(eq(int,
                 json_unpack(json_array_get(document, 1), "{s:s, s:{s:s, s:{s:i}}}", "severity",
                             &severity, "location", "path", &path, "lines", "begin", &line),
                 0));
    cr_assert(eq(str, (char *)path, "dir/a file,1.yaml"));
    cr_assert(eq(str, (char *)severity, "blocker"));
    cr_assert(eq(int, line, 2));
    cr_assert(eq(str, none, "[]\n"));
}

/* ---- values as YAML ---- */

static const struct {
    const char *pool, *stop; /* as written */
    const char *name;        /* as decoded */
    const char *printed;     /* a part of what is printed */
} values[] = {
    {"{name: \"no\", mode: passthrough, match: {vendor: NVIDIA}}", "{}", NULL, NULL},
    {"{name: no, mode: passthrough, match: {vendor: \"8086\"}}", "{timeout: 120s}", "no",
     "name: \"no\""},
    {"{name: 007, mode: passthrough, match: {vendor: 8086}}", "{timeout: 120s}", "007",
     "vendor: \"8086\""},
    {"{name: p, mode: passthrough, match: {vram: 2048MiB}}", "{timeout: 90m}", "p", "vram: 2GiB"},
    {"{name: p, mode: passthrough, match: {vram: 1500MiB}}", "{timeout: 90m}", "p",
     "vram: 1500MiB"},
    {"{name: p, mode: passthrough, match: {vendor: amd}}", "{timeout: 120s}", "p", "timeout: 2m"},
    {"{name: p, mode: passthrough, match: {vendor: amd}}", "{lateWithin: 49d}", "p",
     "lateWithin: 49d"},
    {"{name: p, mode: passthrough, match: {vendor: amd}}", "{onTimeout: force}", "p",
     "onTimeout: force"},
    {"{name: p, mode: passthrough, match: {vendor: amd}}", "{method: [acpi]}", "p",
     "method: [acpi]"},
    {"{name: p, mode: passthrough, match: {vendor: amd}, hosts: [\"*\"]}", "{timeout: 2m}", "p",
     "hosts: [\"*\"]"},
};

static void load_pool(struct gp_load *load, struct gp_arena *mem, size_t n)
{
    const char *text =
        gp_printf(mem,
                  "apiVersion: gpupart/v1\nkind: GpuCluster\nmetadata: {name: c}\n"
                  "spec:\n  hosts: [{name: h}]\n  pools: [%s]\n  policy: {stop: %s}\n",
                  values[n].pool, values[n].stop);

    gp_load_init(load, mem, false, true);
    gp_load_file(load, "a.yaml", text, strlen(text));
    gp_load_finish(load);
}

GP_ROWS(print, says_the_value_again, values)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_load load, again;
    gp_cleanup(gp_free_p) char *text = NULL;
    size_t size = 0;
    FILE *out;

    load_pool(&load, mem, *i);
    cr_assert(eq(int, load.failed, values[*i].name == NULL), "%s", values[*i].pool);
    if (load.failed)
        return;
    out = open_memstream(&text, &size);
    gp_declaration_print(out, &load.declaration);
    (void)fclose(out);
    cr_assert(
        eq(str, (char *)load.declaration.clusters[0]->pools[0].name, (char *)values[*i].name));
    cr_assert(strstr(text, values[*i].printed) != NULL, "%s", text);
    gp_load_init(&again, mem, false, true);
    gp_load_file(&again, "b.yaml", text, size);
    gp_load_finish(&again);
    cr_assert(eq(int, again.failed, 0), "%s", text);
    cr_assert(eq(u32, again.declaration.clusters[0]->policy.stop.timeout_ms,
                 load.declaration.clusters[0]->policy.stop.timeout_ms));
    cr_assert(eq(u64, again.declaration.clusters[0]->pools[0].match.vram,
                 load.declaration.clusters[0]->pools[0].match.vram));
}

/* The comments of the format's description, one by one. */
Test(defaults, are_those_that_are_promised)
{
    static const char text[] =
        "apiVersion: gpupart/v1\nkind: GpuCluster\nmetadata: {name: c}\nspec:\n  hosts: [{name: "
        "h}]\n"
        "  pools: [{name: p, mode: passthrough, match: {vendor: amd}}]\n---\n"
        "apiVersion: gpupart/v1\nkind: GpuBinding\nmetadata: {name: b, cluster: c}\n"
        "spec: {pool: p, vms: [{name: a}]}\n---\n"
        "apiVersion: gpupart/v1\nkind: GpuAgent\nspec: {cluster: c}\n";
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_policy *policy;
    const struct gp_binding_decl *binding;
    const struct gp_cluster_decl *cluster;
    struct gp_load load;

    gp_load_init(&load, mem, true, true);
    gp_load_file(&load, "a.yaml", text, sizeof text - 1);
    gp_load_finish(&load);
    cr_assert(eq(int, load.failed, 0));
    cluster = load.declaration.clusters[0];
    policy = &cluster->policy;
    cr_expect(eq(int, cluster->homogeneity, GP_HOMOGENEITY_WARN));
    cr_expect(eq(int, cluster->hosts[0].drained, 0));
    cr_expect(eq(int, cluster->pools[0].placement, GP_PLACEMENT_SPREAD));
    cr_expect(eq(int, cluster->pools[0].takeover, 0));
    cr_expect(eq(int, policy->on_commit[GP_CLASS_NONE], GP_ALLOW_AUTO));
    cr_expect(eq(int, policy->on_commit[GP_CLASS_VM], GP_ALLOW_AUTO));
    cr_expect(eq(int, policy->on_commit[GP_CLASS_GPU], GP_ALLOW_AUTO));
    cr_expect(eq(int, policy->on_commit[GP_CLASS_HOST], GP_ALLOW_APPROVE));
    cr_expect(eq(int, policy->on_drift[GP_CLASS_NONE], GP_ALLOW_AUTO));
    cr_expect(eq(int, policy->on_drift[GP_CLASS_VM], GP_ALLOW_REPORT));
    cr_expect(eq(int, policy->on_drift[GP_CLASS_GPU], GP_ALLOW_REPORT));
    cr_expect(eq(int, policy->on_drift[GP_CLASS_HOST], GP_ALLOW_REPORT));
    cr_expect(eq(u32, policy->max_vms_stopped, UINT32_MAX));
    cr_expect(eq(u32, policy->max_gpus_changed, UINT32_MAX));
    cr_expect(eq(u32, policy->stop.timeout_ms, 180000));
    cr_expect(eq(u32, policy->stop.late_within_ms, 3600000));
    cr_expect(eq(int, policy->stop.method[0], GP_STOP_AGENT));
    cr_expect(eq(int, policy->stop.method[1], GP_STOP_ACPI));
    cr_expect(eq(int, policy->stop.force, 0));
    cr_expect(eq(int, policy->prune_bindings, 1));
    cr_expect(eq(int, policy->prune_partitions, 0));
    binding = load.declaration.bindings[0];
    cr_expect(eq(int, binding->next_start, 0));
    cr_expect(eq(int, binding->without_gpu, 0));
    cr_expect(eq(u32, binding->gpu_count, 1));
    cr_expect(eq(u32, binding->stop.timeout_ms, 0)); /* the cluster's */
    cr_expect(eq(int, binding->stop.on_timeout_given, 0));
    cr_expect(load.agent->name == NULL);
    cr_expect(eq(str, (char *)load.agent->connect, "qemu:///system"));
    cr_expect(eq(str, (char *)load.agent->ref, "refs/heads/main"));
    cr_expect(eq(u32, load.agent->ceiling_vms_stopped, UINT32_MAX));
    cr_expect(eq(int, load.agent->ceiling_on_commit[GP_CLASS_GPU], GP_ALLOW_UNSET));
}
