#include "place.h"

#include <ftw.h>
#include <sys/stat.h>

char *place;
struct gp_arena *mem;
struct gp_git_options options;
struct gp_remote_decl remotes[4];
const char *why;

void place_begin(void)
{
    static char folder[] = "/tmp/gpupart-git-XXXXXX";

    cr_assert(mkdtemp(folder) != NULL);
    place = folder;
    mem = gp_arena_new();
    options = (struct gp_git_options){.remotes = remotes,
                                      .ref = "refs/heads/main",
                                      .dir = in_place("state/git"),
                                      .timeout_ms = 20000};
    cr_assert(mkdir(in_place("state"), 0755) == 0);
    (void)setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    (void)setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    (void)setenv("GIT_AUTHOR_NAME", "A", 1);
    (void)setenv("GIT_AUTHOR_EMAIL", "a@example.org", 1);
    (void)setenv("GIT_COMMITTER_NAME", "A", 1);
    (void)setenv("GIT_COMMITTER_EMAIL", "a@example.org", 1);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void place_end(void)
{
    (void)nftw(place, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    gp_arena_free(mem);
}

const char *in_place(const char *name)
{
    return gp_printf(mem, "%s/%s", place, name);
}

const char *sh_text(const char *format, ...)
{
    va_list args;
    const char *script;
    struct gp_text text = {.mem = mem};
    char *line = NULL;
    size_t room = 0, size;
    FILE *out;
    char *ret;

    va_start(args, format);
    script = gp_printf(mem, "cd %s && set -e && %s", place, gp_vprintf(mem, format, args));
    va_end(args);
    out = popen(script, "re");
    cr_assert(out != NULL);
    while (getline(&line, &room, out) > 0)
        gp_text_add(&text, line);
    free(line);
    cr_assert(zero(int, pclose(out)), "failed: %s", script);
    ret = gp_strdup(mem, gp_text_get(&text));
    size = strlen(ret);
    if (size && ret[size - 1] == '\n')
        ret[size - 1] = '\0';
    return ret;
}

void sh(const char *format, ...)
{
    va_list args;
    const char *script;

    va_start(args, format);
    script = gp_vprintf(mem, format, args);
    va_end(args);
    (void)sh_text("%s", script);
}

const char *make_remote(const char *name)
{
    sh("git init -q --bare -b main %s && git init -q -b main %s.work && cd %s.work && mkdir west "
       "&& "
       "echo 'a: 1' > west/a.yaml && git add . && git commit -q -m first && git push -q ../%s main",
       name, name, name, name);
    return sh_text("git -C %s rev-parse main", name);
}

const char *commit_more(const char *name)
{
    sh("cd %s.work && echo x >> west/a.yaml && git commit -q -a -m more && git push -q ../%s main",
       name, name);
    return sh_text("git -C %s rev-parse main", name);
}

void ok(struct gp_error *err)
{
    gp_cleanup(gp_error_free_p) struct gp_error *mine = err;
    gp_cleanup(gp_free_p) char *line = err ? gp_error_line(err) : NULL;

    cr_assert(mine == NULL, "%s", line);
}

const char *refused(struct gp_error *err, enum gp_errc code, const char *words)
{
    gp_cleanup(gp_error_free_p) struct gp_error *mine = err;
    gp_cleanup(gp_free_p) char *line = err ? gp_error_line(err) : NULL;

    cr_assert(mine != NULL, "no error, but one with '%s' was due", words);
    cr_assert(strstr(line, words) != NULL, "'%s' is not in: %s", words, line);
    cr_assert(eq(str, (char *)gp_errc_name(mine->code), (char *)gp_errc_name(code)), "%s", line);
    return gp_strdup(mem, line);
}

void said(struct gp_error *err, enum gp_errc code, const char *says)
{
    struct gp_text text = {.mem = mem};

    for (const char *c = refused(err, code, ""); *c;) {
        const size_t hex = strspn(c, "0123456789abcdef");

        if (gp_starts_with(c, place)) {
            gp_text_add(&text, "PLACE");
            c += strlen(place);
        } else if (hex == 12 || hex == 40) {
            gp_text_add(&text, "COMMIT");
            c += hex;
        } else {
            gp_text_addn(&text, c, hex ? hex : 1);
            c += hex ? hex : 1;
        }
    }
    cr_assert(eq(str, (char *)gp_text_get(&text), (char *)says));
}

void synced(enum gp_git_state state, const char *commit)
{
    enum gp_git_state got;
    const char *got_commit;

    ok(gp_git_sync(&options, mem, &got, &got_commit, &why));
    cr_assert(eq(str, (char *)got_commit, (char *)commit), "%s", why ? why : "");
    cr_assert(eq(int, got, state), "%s", why ? why : "");
    cr_assert(eq(int, state == GP_GIT_STALE, why != NULL));
}
