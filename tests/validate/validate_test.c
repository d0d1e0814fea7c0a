/* What is said about declarations, to the letter; and that examples and schema are what they should
 * be. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "cleanup.h"
#include "decode.h"
#include "findings.h"
#include "print.h"
#include "text.h"

#include <dirent.h>
#include <ftw.h>
#include <string.h>

static char *read_file(struct gp_arena *mem, const char *path, size_t *ret_size)
{
    gp_cleanup(gp_fclose_p) FILE *file = fopen(path, "re");
    struct gp_text all = {.mem = mem};
    char chunk[4096];
    size_t n;

    if (!file)
        return NULL;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        gp_text_addn(&all, chunk, n);
    *ret_size = all.size;
    return all.chars ? all.chars : gp_strdup(mem, "");
}

static char *findings_of(struct gp_load *load, const char *name, const char *text, size_t size)
{
    char *said = NULL;
    size_t said_size = 0;
    FILE *out = open_memstream(&said, &said_size);

    gp_load_file(load, name, text, size);
    gp_load_finish(load);
    gp_findings_print(out, GP_FINDINGS_TEXT, NULL, load->findings, load->finding_count);
    (void)fclose(out);
    return said;
}

/* What a tz database would have, on whatever machine this runs. */
static bool knows_timezone(const char *zone)
{
    return gp_streq(zone, "UTC") || gp_streq(zone, "Europe/Berlin");
}

static void check_case(const char *name)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *want_path =
        gp_printf(mem, GP_CASES "/%.*s.txt", (int)(strlen(name) - strlen(".yaml")), name);
    gp_cleanup(gp_free_p) char *said = NULL;
    struct gp_load load;
    size_t size = 0, want_size = 0;
    char *text = read_file(mem, gp_printf(mem, GP_CASES "/%s", name), &size), *want;

    gp_load_init(&load, mem, true, true);
    load.knows_timezone = knows_timezone;
    said = findings_of(&load, name, text, size);
    if (getenv("UPDATE_GOLDEN")) {
        gp_cleanup(gp_fclose_p) FILE *file = fopen(want_path, "we");

        (void)fputs(said, file);
        return;
    }
    want = read_file(mem, want_path, &want_size);
    cr_expect(gp_streq(said, want), "%s: said\n%swanted\n%s", name, said,
              want ? want : "(there is no such file)\n");
}

Test(validate, cases)
{
    DIR *dir = opendir(GP_CASES);
    size_t cases = 0;

    cr_assert(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        const char *dot = strrchr(entry->d_name, '.');

        if (!dot || strcmp(dot, ".yaml") != 0)
            continue;
        check_case(entry->d_name);
        cases++;
    }
    (void)closedir(dir);
    cr_assert(ge(sz, cases, 90), "only %zu cases were found", cases);
}

/* ---- examples ---- */

static size_t example_files;

static void check_findings(const struct gp_load *load, const char *path)
{
    for (size_t i = 0; i < load->finding_count; i++)
        cr_expect(load->findings[i].level != GP_LEVEL_ERROR ||
                      gp_streq(load->findings[i].rule, "GP-E404"),
                  "%s:%u: %s", path, load->findings[i].at.line, load->findings[i].message);
}

static char *print_load(const struct gp_load *load)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    gp_declaration_print(out, &load->declaration);
    if (load->agent)
        gp_agent_print(out, load->agent);
    (void)fclose(out);
    return text;
}

/* decode, print, decode, print: the second text is the first, so nothing was lost. */
static void check_round_trip(struct gp_arena *mem, const char *path, const char *text, size_t size)
{
    struct gp_load first, second;
    gp_cleanup(gp_free_p) char *once = NULL, *twice = NULL;

    gp_load_init(&first, mem, true, true);
    gp_load_file(&first, path, text, size);
    check_findings(&first, path);
    once = print_load(&first);
    gp_load_init(&second, mem, true, true);
    gp_load_file(&second, "printed.yaml", once, strlen(once));
    check_findings(&second, path);
    twice = print_load(&second);
    cr_expect(gp_streq(once, twice), "%s:\n%s\nis not\n%s", path, once, twice);
    cr_expect(ne(chr, once[0], 0), "%s declares nothing", path);
    cr_expect(eq(sz, first.declaration.cluster_count, second.declaration.cluster_count));
    cr_expect(eq(sz, first.declaration.binding_count, second.declaration.binding_count));
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = NULL;
    const char *dot = strrchr(path, '.');
    char *text;
    size_t size = 0;

    (void)st, (void)ftw;
    if (type != FTW_F || !dot || strcmp(dot, ".yaml") != 0)
        return 0;
    mem = gp_arena_new();
    text = read_file(mem, path, &size);
    check_round_trip(mem, path, text, size);
    example_files++;
    return 0;
}

Test(examples, load_and_print_without_loss)
{
    cr_assert(eq(int, nftw(GP_EXAMPLES, visit, 16, FTW_PHYS), 0));
    cr_assert(ge(sz, example_files, 10), "only %zu examples were found", example_files);
}

/* A story is what one host would read: all files of its folder, with nothing wrong in them. */
Test(examples, stories_are_whole)
{
    static const char *const stories[] = {
        "demo/clusters/demo/cluster.yaml",           "demo/clusters/demo/bindings.yaml",
        "vdi/clusters/edge-west/cluster.yaml",       "vdi/clusters/edge-west/desktops.yaml",
        "inference/clusters/inference/cluster.yaml", "mixed/clusters/lab/cluster.yaml",
        "mixed/clusters/lab/bindings.yaml",          "mdev/clusters/branch/cluster.yaml",
        "intel/clusters/media/cluster.yaml",
    };
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_load load;

    gp_load_init(&load, mem, false, true);
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        size_t size = 0;
        const char *path = gp_printf(mem, GP_EXAMPLES "/%s", stories[i]);
        char *text = read_file(mem, path, &size);

        cr_assert(text != NULL, "%s is missing", path);
        gp_load_file(&load, path, text, size);
    }
    gp_load_finish(&load);
    for (size_t i = 0; i < load.finding_count; i++)
        cr_expect(load.findings[i].level != GP_LEVEL_ERROR, "%s", load.findings[i].message);
    cr_assert(eq(sz, load.declaration.cluster_count, 6));
    cr_assert(eq(str, (char *)load.declaration.clusters[0]->name, "demo"));
    cr_assert(eq(sz, load.declaration.bindings[0]->vm_count, 8));
    cr_assert(eq(u32, load.declaration.clusters[0]->pools[0].count, 4));
}

/* ---- what else the tables tell ---- */

Test(schema, file_is_up_to_date)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_free_p) char *made = gp_schema_json(NULL);
    size_t size = 0;
    char *kept;

    if (getenv("UPDATE_GOLDEN")) {
        gp_cleanup(gp_fclose_p) FILE *file = fopen(GP_SCHEMA_FILE, "we");

        (void)fputs(made, file);
        return;
    }
    kept = read_file(mem, GP_SCHEMA_FILE, &size);
    cr_assert(kept != NULL && strcmp(kept, made) == 0,
              "schema/gpupart.schema.json is not what the tables say; UPDATE_GOLDEN=1 rewrites it");
}

static struct gp_text paths; /* "\nGpuCluster.spec.hosts\n…": every key that an example writes */

static void collect(struct gp_arena *mem, const struct gp_yaml *node, const char *path)
{
    for (const struct gp_yaml *child = node->first; child; child = child->next) {
        if (node->kind == GP_YAML_SEQUENCE) {
            collect(mem, child, path);
        } else {
            const char *own = gp_printf(mem, "%s.%s", path, child->text);

            gp_text_addf(&paths, "%s\n", own);
            collect(mem, child->value, own);
        }
    }
}

static int visit_keys(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    struct gp_arena *mem = paths.mem;
    struct gp_mistakes mistakes = {.mem = mem};
    struct gp_source source = {.name = path};
    struct gp_yaml *root;

    (void)st, (void)ftw;
    if (type == FTW_F && (source.text = read_file(mem, path, &source.size)) != NULL) {
        gp_cleanup(gp_yaml_close_p) struct gp_yaml_reader *reader =
            gp_yaml_open(&mistakes, &source, mem, mem);

        while (gp_yaml_next(reader, &root))
            if (gp_yaml_get(root, "kind"))
                collect(mem, root, gp_yaml_get(root, "kind")->text);
    }
    return 0;
}

Test(examples, every_key_stands_in_one)
{
    gp_cleanup(gp_free_p) char *list = NULL;
    size_t size = 0, keys = 0;
    FILE *out = open_memstream(&list, &size);

    paths.mem = gp_arena_new();
    gp_text_add(&paths, "\n");
    (void)nftw(GP_EXAMPLES, visit_keys, 16, FTW_PHYS);
    gp_explain_list(out);
    (void)fclose(out);
    for (char *line = strtok(list, "\n"); line; line = strtok(NULL, "\n")) {
        if (!strchr(line, '.'))
            continue; /* a rule */
        cr_expect(strstr(paths.chars, gp_printf(paths.mem, "\n%s\n", line)) != NULL,
                  "no example has %s", line);
        keys++;
    }
    cr_assert(gt(sz, keys, 80));
    gp_arena_free(paths.mem);
}
