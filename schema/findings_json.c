#include "findings_json.h"

#include "cleanup.h"
#include "text.h"

#include <jansson.h>
#include <string.h>

static void print(FILE *out, const json_t *document)
{
    if (json_dumpf(document, out, JSON_INDENT(2) | JSON_SORT_KEYS) == 0)
        (void)fputc('\n', out);
}

static void put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        abort(); /* out of memory, see arena.h */
}

/* Text as JSON takes it: file names may be any bytes. */
static json_t *text_json(const char *text)
{
    json_t *string = json_string(text);
    char *plain;

    if (string)
        return string;
    plain = strdup(text);
    if (!plain)
        abort();
    for (char *c = plain; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    string = json_string(plain);
    free(plain);
    return string;
}

static const char *file_of(const struct gp_finding *f)
{
    return f->at.line ? f->at.source->name : NULL;
}

void gp_findings_print_json(FILE *out, const struct gp_finding *findings, size_t count)
{
    json_auto_t *document = json_object();
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct gp_finding *f = &findings[i];
        json_t *item = json_object();

        put(item, "rule", text_json(f->rule));
        put(item, "level", text_json(gp_level_name(f->level)));
        put(item, "message", text_json(f->message));
        if (f->object)
            put(item, "object", text_json(f->object));
        if (file_of(f)) {
            put(item, "file", text_json(file_of(f)));
            put(item, "line", json_integer(f->at.line));
            put(item, "column", json_integer(f->at.column));
        }
        (void)json_array_append_new(list, item);
    }
    put(document, "formatVersion", text_json("1.0"));
    put(document, "kind", text_json("Findings"));
    put(document, "findings", list);
    print(out, document);
}

/* The same for the same finding after lines moved: of rule, cluster, file and message, without
 * places. The nth of several that are the same in all of these gets its number in. */
static const char *fingerprint(struct gp_arena *mem, const char *cluster,
                               const struct gp_finding *findings, size_t n)
{
    const struct gp_finding *f = &findings[n];
    struct gp_text text = {.mem = mem};
    size_t earlier = 0;

    /* Findings that are alike stand near each other; looking further back would be quadratic. */
    for (size_t i = n > 64 ? n - 64 : 0; i < n; i++)
        earlier += gp_streq(findings[i].rule, f->rule) &&
                   gp_streq(findings[i].message, f->message) &&
                   gp_streq(file_of(&findings[i]), file_of(f));
    gp_text_addf(&text, "%s\n%s\n%s\n%s\n%s\n%zu", f->rule, cluster ? cluster : "",
                 file_of(f) ? file_of(f) : "", f->object ? f->object : "", f->message, earlier);
    return gp_sha256_hex(mem, text.chars, text.size, 64);
}

static json_t *sarif_rules(void)
{
    json_t *rules = json_array();

    for (size_t i = 0; i < gp_rule_count; i++)
        (void)json_array_append_new(
            rules, json_pack("{s:s, s:{s:s}, s:{s:s}, s:{s:s}}", "id", gp_rules[i].id, "shortDescription",
                             "text", gp_rules[i].meaning, "fullDescription", "text", gp_rules[i].help, "help", "text",
                             gp_rules[i].todo));
    return rules;
}

/* A path as a URI reference: what a URI cannot hold is written %XX. Fact: RFC 3986, section 2. */
static json_t *uri_json(struct gp_arena *mem, const char *path)
{
    struct gp_text uri = {.mem = mem};

    for (const char *c = path; *c; c++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/@+=,", *c))
            gp_text_addn(&uri, c, 1);
        else
            gp_text_addf(&uri, "%%%02X", (unsigned)(unsigned char)*c);
    }
    return json_string(gp_text_get(&uri));
}

static json_t *sarif_result(struct gp_arena *mem, const char *cluster,
                            const struct gp_finding *findings, size_t n)
{
    const struct gp_finding *f = &findings[n];
    json_t *result = json_object(), *place, *region;

    put(result, "ruleId", text_json(f->rule));
    put(result, "level", text_json(gp_level_name(f->level)));
    put(result, "message", json_pack("{s:o}", "text", text_json(f->message)));
    put(result, "partialFingerprints",
        json_pack("{s:s}", "gpupart/v1", fingerprint(mem, cluster, findings, n)));
    if (!file_of(f))
        return result;
    region =
        json_pack("{s:i, s:i}", "startLine", (int)f->at.line, "startColumn", (int)f->at.column);
    place = json_pack("{s:{s:o}, s:o}", "artifactLocation", "uri", uri_json(mem, file_of(f)),
                      "region", region);
    put(result, "locations", json_pack("[{s:o}]", "physicalLocation", place));
    return result;
}

void gp_findings_print_sarif(FILE *out, const char *cluster, const struct gp_finding *findings,
                             size_t count)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    json_t *results = json_array(), *driver, *run;
    json_auto_t *document = NULL;

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(results, sarif_result(mem, cluster, findings, i));
    driver = json_pack("{s:s, s:s, s:o}", "name", "gpupart", "version", GP_VERSION, "rules",
                       sarif_rules());
    run = json_pack("{s:{s:o}, s:o, s:s}", "tool", "driver", driver, "results", results,
                    "columnKind", "unicodeCodePoints");
    document =
        json_pack("{s:s, s:s, s:[o]}", "$schema", "https://json.schemastore.org/sarif-2.1.0.json",
                  "version", "2.1.0", "runs", run);
    print(out, document);
}

void gp_findings_print_gitlab(FILE *out, const char *cluster, const struct gp_finding *findings,
                              size_t count)
{
    static const char *const severities[] = {
        [GP_LEVEL_NOTE] = "info", [GP_LEVEL_WARNING] = "minor", [GP_LEVEL_ERROR] = "blocker"};
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    json_auto_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct gp_finding *f = &findings[i];

        (void)json_array_append_new(
            list,
            json_pack("{s:o, s:s, s:s, s:s, s:{s:o, s:{s:i}}}", "description",
                      text_json(f->message), "check_name", f->rule, "fingerprint",
                      fingerprint(mem, cluster, findings, i), "severity", severities[f->level],
                      "location", "path", text_json(file_of(f) ? file_of(f) : "."), "lines",
                      "begin", file_of(f) ? (int)f->at.line : 1));
    }
    print(out, list);
}
