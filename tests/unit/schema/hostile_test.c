/* What nobody would write by accident: each ends in a clear mistake, soon. */
#include "rows.h"

#include "cleanup.h"
#include "schema.h"
#include "text.h"
#include "yaml_tree.h"

#include <string.h>
#include <time.h>

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static const struct {
    const char *name, *before, *piece, *after;
    size_t times;
    const char *rule; /* of the first finding */
} rows[] = {
    {"brackets", "", "[", "", 100000, "GP-E006"},
    {"braces", "", "{a: ", "", 100000, "GP-E006"},
    {"dashes", "", "- ", "", 100000, "GP-E006"},
    {"question marks", "", "? ", "", 100000, "GP-E006"},
    {"indentation", "", "a:\n ", "", 1, "GP-E008"},
    {"flow pairs", "[", "a: b, ", "]", 100000, "GP-E007"},
    {"keys", "", "kkkkkkk: 1\n", "", 100000, "GP-E006"},
    {"one scalar", "a: ", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ", "",
     100000, "GP-E008"},
    {"one quoted", "a: \"", "\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"", "\"", 100000, "GP-E008"},
    {"quote never closed", "a: '", "''''''''''", "x", 100000, "GP-E001"},
    {"comment", "", "# ################################\n", "", 100000, NULL},
    {"empty documents", "", "---\n", "", 5000, NULL},
    {"documents", "", "--- a\n", "", 20000, "GP-E006"},
    {"anchors", "[", "&a x, ", "]", 100000, "GP-E006"},
    {"aliases", "[&a x, ", "*a, ", "]", 100000, "GP-E006"},
    {"laughs", "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "", "", 1, "GP-E005"},
    {"tags", "[", "!!int 1, ", "]", 50000, "GP-E006"},
    {"values", "[", "1,", "]", 2100000, "GP-E006"},
    {"too large", "# ", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "", 600000, "GP-E006"},
    {"directives", "", "%A b\n", "--- a", 50000, "GP-E001"},
    {"not utf-8", "a: \xc0\xaf", "", "", 1, "GP-E001"},
    {"surrogate", "a: \xed\xa0\x80", "", "", 1, "GP-E001"},
    {"past unicode", "a: \xf4\x90\x80\x80", "", "", 1, "GP-E001"},
    {"cut utf-8", "a: \xe2\x82", "", "", 1, "GP-E001"},
    {"escape sequence", "a: \x1b[2J", "", "", 1, "GP-E001"},
    {"utf-16",
     "\xff\xfe"
     "a",
     "", "", 1, "GP-E001"},
};

static bool has_rule(const struct gp_load *load, const char *rule)
{
    for (size_t i = 0; i < load->finding_count; i++)
        if (gp_streq(load->findings[i].rule, rule))
            return true;
    return false;
}

GP_ROWS(hostile, ends_in_a_clear_mistake, rows)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_text text = {.mem = mem};
    struct gp_load load;
    double begin;

    gp_text_add(&text, rows[*i].before);
    for (size_t n = 0; n < rows[*i].times; n++)
        gp_text_add(&text, rows[*i].piece);
    gp_text_add(&text, rows[*i].after);
    gp_load_init(&load, mem, true, true);
    begin = seconds();
    gp_load_file(&load, "hostile.yaml", text.chars, text.size);
    gp_load_finish(&load);
    begin = seconds() - begin;
    if (rows[*i].rule)
        cr_assert(has_rule(&load, rows[*i].rule), "%s: %zu findings, the first %s", rows[*i].name,
                  load.finding_count, load.finding_count ? load.findings[0].message : "-");
    cr_assert(eq(int, load.failed, rows[*i].rule != NULL), "%s", rows[*i].name);
    cr_assert(le(sz, load.finding_count, 1002), "%s", rows[*i].name);
    cr_assert(lt(dbl, begin, 10.0), "%s took %g s", rows[*i].name, begin);
    (void)fprintf(stderr, "%s: %zu KiB, %.1f ms\n", rows[*i].name, text.size >> 10, begin * 1e3);
}

/* Every prefix of a good document, and every single byte of it replaced: it ends, and whatever is
 * taken was either whole or told about. */
static const char good[] =
    "apiVersion: gpupart/v1\nkind: GpuCluster\nmetadata: {name: c}\nspec:\n"
    "  hosts: [{name: h}]\n  pools:\n    - name: p\n      mode: partitioned\n"
    "      match: {model: NVIDIA A2}\n      partitions: {count: 4}\n";

Test(hostile, prefixes_and_changed_bytes_end)
{
    static const char bytes[] = "\0\t\n\x1b \"#%&'*,-:?@[]{}|~\x80\xff";

    for (size_t cut = 0; cut < sizeof good; cut++) {
        gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
        char *text = gp_memdup(mem, good, sizeof good - 1);
        struct gp_load load;

        gp_load_init(&load, mem, false, true);
        gp_load_file(&load, "a.yaml", text, cut);
        for (size_t b = 0; b < sizeof bytes && cut < sizeof good - 1; b += 1) {
            text[cut] = bytes[b];
            gp_load_file(&load, "b.yaml", text, sizeof good - 1);
            text[cut] = good[cut];
        }
        gp_load_finish(&load);
        for (size_t i = 0; i < load.finding_count; i++) {
            cr_expect(load.findings[i].message[0] != '\0');
            cr_expect(gp_rule_find(load.findings[i].rule) != NULL, "%s", load.findings[i].rule);
        }
    }
}
