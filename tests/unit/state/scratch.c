#include "scratch.h"

#include <ftw.h>
#include <sys/mount.h>

char *scratch;
struct gp_arena *mem;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void scratch_begin(void)
{
    static char base[64];

    (void)snprintf(base, sizeof base, "/tmp/gpupart-state-XXXXXX");
    cr_assert(mkdtemp(base) != NULL);
    mem = gp_arena_new();
    scratch = gp_printf(mem, "%s/a/state", base);
}

void scratch_end(void)
{
    char *base = gp_strndup(mem, scratch, strlen(scratch) - strlen("/a/state"));

    (void)umount2(gp_printf(mem, "%s/a", base), MNT_DETACH); /* where a test mounted something */
    (void)nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    gp_arena_free(mem);
}

void ok(struct gp_error *err)
{
    gp_cleanup(gp_error_free_p) struct gp_error *mine = err;
    gp_cleanup(gp_free_p) char *line = err ? gp_error_line(err) : NULL;

    cr_assert(mine == NULL, "%s", line);
}

void refused(struct gp_error *err, enum gp_errc code, const char *words)
{
    gp_cleanup(gp_error_free_p) struct gp_error *mine = err;
    gp_cleanup(gp_free_p) char *line = err ? gp_error_line(err) : NULL;

    cr_assert(mine != NULL, "no error, but one with '%s' was due", words);
    cr_assert(strstr(line, words) != NULL, "'%s' is not in: %s", words, line);
    cr_assert(eq(str, (char *)gp_errc_name(mine->code), (char *)gp_errc_name(code)), "%s", line);
}

struct gp_state *opened(bool lock)
{
    struct gp_state *state = NULL;
    const char *warning = NULL;

    ok(gp_state_open(scratch, lock, mem, &state, &warning));
    cr_assert(warning == NULL, "%s", warning);
    return state;
}

char *read_scratch(const char *name)
{
    gp_cleanup(gp_fclose_p) FILE *in = fopen(gp_printf(mem, "%s/%s", scratch, name), "re");
    char *text = NULL;
    size_t size = 0;

    if (in && getdelim(&text, &size, '\0', in) < 0)
        text[0] = '\0';
    return text;
}

void write_scratch(const char *name, const char *text)
{
    FILE *out = fopen(gp_printf(mem, "%s/%s", scratch, name), "we");

    cr_assert(out != NULL);
    cr_assert(fputs(text, out) >= 0 && fclose(out) == 0);
}

bool exists_scratch(const char *name)
{
    return access(gp_printf(mem, "%s/%s", scratch, name), F_OK) == 0;
}
