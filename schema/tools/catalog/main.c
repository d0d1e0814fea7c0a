/* Turns catalog.yaml into C: CATALOG.yaml on the command line, the table on stdout. Runs while
 * gpupart is built, and refuses a catalogue that contradicts itself. */
#include "cleanup.h"
#include "text.h"
#include "yaml_tree.h"

#include <stdlib.h>
#include <string.h>

struct row {
    uint32_t count, type_id, vram_mib;
    const char *profile;
};

static const struct gp_source *source;

static void die(const struct gp_yaml *at, const char *what)
{
    (void)fprintf(stderr, "%s:%u:%u: %s\n", source->name, at->line, at->column, what);
    exit(EXIT_FAILURE);
}

static const struct gp_yaml *get(const struct gp_yaml *mapping, const char *key)
{
    if (!mapping || mapping->kind != GP_YAML_MAPPING)
        return NULL;
    for (const struct gp_yaml *k = mapping->first; k; k = k->next)
        if (strcmp(k->text, key) == 0)
            return k->value->kind == GP_YAML_SCALAR && k->value->plain &&
                           strcmp(k->value->text, "null") == 0
                       ? NULL
                       : k->value;
    return NULL;
}

static const char *text(const struct gp_yaml *mapping, const char *key)
{
    const struct gp_yaml *value = get(mapping, key);

    if (value && value->kind != GP_YAML_SCALAR)
        die(value, "a text is wanted here");
    return value ? value->text : NULL;
}

static uint64_t number(const struct gp_yaml *mapping, const char *key, int base)
{
    const char *digits = text(mapping, key);
    char *end;
    uint64_t value;

    if (!digits)
        return 0;
    value = strtoull(digits, &end, base);
    if (*end)
        die(get(mapping, key), "a number is wanted here");
    return value;
}

static const char *must_text(const struct gp_yaml *mapping, const char *key)
{
    const char *value = text(mapping, key);

    if (!value)
        die(mapping, gp_printf(gp_arena_new(), "lacks %s", key));
    return value;
}

static void print_string(const char *value)
{
    if (!value) {
        (void)printf("NULL");
        return;
    }
    (void)putchar('"');
    for (; *value; value++)
        (void)printf(*value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
    (void)putchar('"');
}

/* Larger counts first, then by name: the order that catalog.h promises. */
static int by_count(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return gp_strcmp(x->profile, y->profile);
}

/* "NVIDIA" or, for older models, "GRID": as the driver names this GPU's other profiles. */
static const char *brand(struct gp_arena *mem, const struct gp_yaml *partitions)
{
    for (const struct gp_yaml *p = partitions ? partitions->first : NULL; p; p = p->next) {
        const struct gp_yaml *profiles = get(p, "profiles");

        for (const struct gp_yaml *q = profiles ? profiles->first : NULL; q; q = q->next) {
            const char *full = text(q, "full_name");

            if (full)
                return gp_strndup(mem, full, strcspn(full, " "));
        }
    }
    return "NVIDIA";
}

static struct row *read_rows(struct gp_arena *mem, const struct gp_yaml *gpu, size_t *ret_count)
{
    const struct gp_yaml *all = get(gpu, "partitions");
    const char *first_word = brand(mem, all);
    struct row *rows = NULL;
    size_t count = 0;

    for (const struct gp_yaml *p = all ? all->first : NULL; p; p = p->next) {
        const struct gp_yaml *profiles = get(p, "profiles");
        const uint32_t n = (uint32_t)number(p, "count", 10);

        if (!n)
            die(p, "lacks its count");
        for (const struct gp_yaml *q = profiles ? profiles->first : NULL; q; q = q->next) {
            struct row *row = gp_push(mem, rows, count);
            const char *full = text(q, "full_name");

            row->count = n;
            row->type_id = (uint32_t)number(q, "type_id", 10);
            row->vram_mib = (uint32_t)number(q, "framebuffer_mib", 10);
            row->profile =
                full ? full : gp_printf(mem, "%s %s", first_word, must_text(q, "profile"));
        }
        if (!profiles) {
            struct row *row = gp_push(mem, rows, count);

            row->count = n;
            row->vram_mib = (uint32_t)(number(get(p, "vf"), "lmem_bytes", 10) >> 20);
        }
    }
    if (rows)
        qsort(rows, count, sizeof *rows, by_count);
    for (size_t i = 1; i < count; i++)
        if (by_count(&rows[i - 1], &rows[i]) == 0)
            die(all, gp_printf(mem, "profile %s stands twice", rows[i].profile));
    *ret_count = count;
    return rows;
}

/* partition_counts says the same once more, for readers. */
static void check_counts(const struct gp_yaml *gpu, const struct row *rows, size_t count)
{
    const struct gp_yaml *counts = get(gpu, "partition_counts");
    const struct gp_yaml *said = counts ? counts->first : NULL;

    for (size_t i = 0; i < count; i++) {
        if (i && rows[i].count == rows[i - 1].count)
            continue;
        if (!said || strtoul(said->text, NULL, 10) != rows[i].count)
            die(gpu, "partition_counts and partitions differ");
        said = said->next;
    }
    if (said)
        die(said, "partition_counts and partitions differ");
}

static void print_arrays(struct gp_arena *mem, const struct gp_yaml *gpu, size_t n,
                         size_t *ret_rows)
{
    const struct gp_yaml *ids = get(gpu, "pci_ids"), *mechanisms = get(gpu, "mechanisms");
    size_t count;
    const struct row *rows = read_rows(mem, gpu, &count);

    check_counts(gpu, rows, count);
    if (ids && ids->first) {
        (void)printf("static const struct gp_catalog_pci pci_%zu[] = {\n", n);
        for (const struct gp_yaml *id = ids->first; id; id = id->next)
            (void)printf("    {0x%04llx, 0x%04llx, 0x%04llx},\n",
                         (unsigned long long)number(id, "device", 16),
                         (unsigned long long)number(id, "subsystem_vendor", 16),
                         (unsigned long long)number(id, "subsystem_device", 16));
        (void)printf("};\n");
    }
    (void)printf("static const char *const mechanisms_%zu[] = {", n);
    for (const struct gp_yaml *m = mechanisms ? mechanisms->first : NULL; m; m = m->next) {
        print_string(m->text);
        (void)printf(", ");
    }
    (void)printf("NULL};\n");
    if (count)
        (void)printf("static const struct gp_valid_count valid_%zu[] = {\n", n);
    for (size_t i = 0; i < count; i++) {
        (void)printf("    {%u, ", rows[i].count);
        print_string(rows[i].profile);
        (void)printf(", %u, %u, \"catalogue\"},\n", rows[i].type_id, rows[i].vram_mib);
    }
    if (count)
        (void)printf("};\n");
    *ret_rows = count;
}

static unsigned vendor_id(const struct gp_yaml *gpu)
{
    const char *vendor = must_text(gpu, "vendor");

    if (strcmp(vendor, "nvidia") == 0)
        return 0x10de;
    if (strcmp(vendor, "intel") == 0)
        return 0x8086;
    if (strcmp(vendor, "amd") == 0)
        return 0x1002;
    die(gpu, "a vendor that nobody knows");
    return 0;
}

static void print_gpu(const struct gp_yaml *gpu, size_t n, size_t rows)
{
    const struct gp_yaml *sriov = get(gpu, "sriov"), *ids = get(gpu, "pci_ids");

    (void)printf("    {\n        .model = ");
    print_string(must_text(gpu, "name"));
    (void)printf(",\n        .vendor = ");
    print_string(must_text(gpu, "vendor"));
    (void)printf(",\n        .family = ");
    print_string(text(gpu, "architecture"));
    (void)printf(",\n        .vendor_id = 0x%04x,\n", vendor_id(gpu));
    if (ids && ids->first)
        (void)printf("        .pci = pci_%zu,\n        .pci_count = %u,\n", n, ids->count);
    (void)printf("        .vram_mib = %u,\n", (unsigned)number(gpu, "vram_nominal_mib", 10));
    (void)printf("        .totalvfs = %u,\n        .vf_offset = %u,\n        .vf_stride = %u,\n",
                 (unsigned)number(sriov, "totalvfs", 10), (unsigned)number(sriov, "offset", 10),
                 (unsigned)number(sriov, "stride", 10));
    (void)printf("        .vf_device = 0x%04x,\n", (unsigned)number(sriov, "vf_device", 16));
    (void)printf("        .mechanisms = mechanisms_%zu,\n", n);
    if (rows)
        (void)printf("        .valid = valid_%zu,\n        .valid_count = %zu,\n", n, rows);
    (void)printf("    },\n");
}

static void print_all(struct gp_arena *mem, const struct gp_yaml *root)
{
    const struct gp_yaml *gpus = get(root, "gpus");
    size_t *rows, n = 0;

    if (!gpus || !gpus->count)
        die(root, "lacks gpus");
    rows = gp_new_array(mem, size_t, gpus->count);
    (void)printf("/* Made from catalog.yaml; not to be edited. */\n#include \"catalog.h\"\n\n");
    for (const struct gp_yaml *gpu = gpus->first; gpu; gpu = gpu->next, n++)
        print_arrays(mem, gpu, n, &rows[n]);
    (void)printf("\nconst struct gp_catalog_gpu gp_catalog[] = {\n");
    n = 0;
    for (const struct gp_yaml *gpu = gpus->first; gpu; gpu = gpu->next, n++)
        print_gpu(gpu, n, rows[n]);
    (void)printf("};\nconst size_t gp_catalog_count = %zu;\n", n);
}

static char *read_file(struct gp_arena *mem, const char *path, size_t *ret_size)
{
    gp_cleanup(gp_fclose_p) FILE *file = fopen(path, "re");
    struct gp_text all = {.mem = mem};
    char chunk[65536];
    size_t n;

    if (!file)
        return NULL;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        gp_text_addn(&all, chunk, n);
    *ret_size = all.size;
    return all.chars;
}

int main(int argc, char **argv)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_mistakes mistakes = {.mem = mem};
    struct gp_source file = {.name = argc > 1 ? argv[1] : "catalog.yaml"};
    struct gp_yaml *root = NULL;

    file.text = read_file(mem, file.name, &file.size);
    if (!file.text) {
        perror(file.name);
        return EXIT_FAILURE;
    }
    source = &file;
    {
        gp_cleanup(gp_yaml_close_p) struct gp_yaml_reader *reader =
            gp_yaml_open(&mistakes, &file, mem, mem);

        if (gp_yaml_next(reader, &root) && root && !mistakes.count)
            print_all(mem, root);
    }
    for (size_t i = 0; i < mistakes.count; i++)
        (void)fprintf(stderr, "%s:%u:%u: %s\n", file.name, mistakes.items[i].at.line,
                      mistakes.items[i].at.column, mistakes.items[i].message);
    return mistakes.count || !root || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
