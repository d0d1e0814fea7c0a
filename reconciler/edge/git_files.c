#include "git_files.h"

#include "text.h"

#include <string.h>

enum { MAX_FILES = 10000, MAX_FILE = 16 << 20, MAX_ALL = 256 << 20 };

bool gp_declaration_name(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && (gp_streq(dot, ".yaml") || gp_streq(dot, ".yml"));
}

bool gp_declaration_hidden(const char *name)
{
    return *name == '.';
}

struct gp_error *gp_file_budget_take(struct gp_file_budget *budget, const char *name, uint64_t size)
{
    if (size > MAX_FILE)
        return gp_error_new(GP_E_INVALID, "%s has %llu bytes: a declaration may have %d MiB", name,
                            (unsigned long long)size, MAX_FILE >> 20);
    budget->files++;
    budget->bytes += size;
    if (budget->files > MAX_FILES || budget->bytes > MAX_ALL)
        return gp_error_new(
            GP_E_INVALID,
            "the declaration is too large: %d files and %d MiB are taken, and more than that comes "
            "with %s",
            MAX_FILES, MAX_ALL >> 20, name);
    return NULL;
}

void gp_file_not_read(struct gp_load *load, const char *name, const char *what, enum gp_level level)
{
    *gp_push(load->mem, load->findings, load->finding_count) = (struct gp_finding){
        .rule = "GP-E001",
        .level = level,
        .message = gp_printf(load->mem, "%s is %s", name, what),
    };
    load->failed = load->failed || level == GP_LEVEL_ERROR;
}

char *gp_strndup_bytes(struct gp_arena *mem, const void *data, size_t size)
{
    char *copy = gp_arena_alloc(mem, size + 1);

    if (size)
        memcpy(copy, data, size);
    return copy;
}
