/* Which files of a commit or a directory are loaded, in which order, and under which names. */
#include "place.h"

#include <sys/stat.h>

TestSuite(load, .init = place_begin, .fini = place_end);

/* Every file of these tests holds one mistake, so the findings tell which were read: "NAME;" in
 * their order. */
static const char *names(const struct gp_load *load)
{
    struct gp_text text = {.mem = mem};
    const char *last = "";

    for (size_t i = 0; i < load->finding_count; i++) {
        const struct gp_source *source = load->findings[i].at.source;

        if (source && strcmp(source->name, last) != 0)
            gp_text_addf(&text, "%s;", last = source->name);
        else if (source == NULL)
            gp_text_addf(&text, "[%s];", load->findings[i].message);
    }
    return gp_text_get(&text);
}

static void make_tree(void)
{
    sh("git init -q -b main tree && cd tree && mkdir -p west/sub .github dir.yaml empty && "
       "for f in west/b.yaml west/a.yml west/sub/c.yaml west/sub.yaml west/README.md "
       "west/x.yaml.bak west/.hidden.yaml "
       "top.yaml .github/ci.yml dir.yaml/inner.txt west/YAML west/n.yaml.d; do echo 'mistake: 1' > "
       "$f; done && "
       "git add . && git commit -q -m all");
}

static const char *load_commit(const char *path, bool *ret_failed)
{
    const char *commit = sh_text("git -C tree rev-parse HEAD");
    struct gp_load load;

    gp_load_init(&load, mem, false, true);
    ok(gp_git_load(in_place("tree/.git"), commit, path, &load));
    cr_assert(eq(str, (char *)load.declaration.commit, (char *)commit));
    if (ret_failed)
        *ret_failed = load.failed;
    return names(&load);
}

static const struct {
    const char *path, *want; /* %1$s: the first seven digits of the commit */
} paths[] = {
    {"west", "C:west/a.yml;C:west/b.yaml;C:west/sub.yaml;C:west/sub/c.yaml;"},
    {"/west/", "C:west/a.yml;C:west/b.yaml;C:west/sub.yaml;C:west/sub/c.yaml;"},
    {"west/sub", "C:west/sub/c.yaml;"},
    {"west/x.yaml.bak", "C:west/x.yaml.bak;"}, /* a file by its name */
    {"", "C:top.yaml;C:west/a.yml;C:west/b.yaml;C:west/sub.yaml;C:west/sub/c.yaml;"},
    {NULL, "C:top.yaml;C:west/a.yml;C:west/b.yaml;C:west/sub.yaml;C:west/sub/c.yaml;"},
    {"dir.yaml", ""},
};
GP_ROWS(load, files_of_a_commit, paths)
{
    struct gp_text want = {.mem = mem};

    make_tree();
    for (const char *c = paths[*i].want; *c; c++) {
        if (*c == 'C')
            gp_text_add(&want, sh_text("git -C tree rev-parse --short=7 HEAD"));
        else
            gp_text_addn(&want, c, 1);
    }
    cr_assert(eq(str, (char *)load_commit(paths[*i].path, NULL), (char *)gp_text_get(&want)));
}

Test(load, the_working_tree_gives_the_same_files)
{
    struct gp_load load;

    make_tree();
    gp_load_init(&load, mem, false, true);
    ok(gp_dir_load(in_place("tree"), &load));
    cr_assert(eq(
        str, (char *)names(&load),
        gp_printf(
            mem,
            "%1$s/tree/top.yaml;%1$s/tree/west/a.yml;%1$s/tree/west/b.yaml;%1$s/tree/west/sub.yaml;"
            "%1$s/tree/west/sub/c.yaml;",
            place)));
    gp_load_init(&load, mem, false, true);
    ok(gp_dir_load(in_place("tree/west/x.yaml.bak"), &load));
    cr_assert(eq(str, (char *)names(&load), gp_printf(mem, "%s/tree/west/x.yaml.bak;", place)));
    gp_load_init(&load, mem, false, true);
    ok(gp_dir_load(in_place("tree/empty/"), &load));
    cr_assert(eq(str, (char *)names(&load), ""));
    (void)refused(gp_dir_load(in_place("never"), &load), GP_E_GONE, "never cannot be read");
}

Test(load, it_is_the_commit_that_counts_not_the_head_or_the_tree)
{
    const char *first;
    struct gp_load load;

    make_tree();
    first = sh_text("git -C tree rev-parse HEAD");
    sh("cd tree && git rm -q -r west && git commit -q -m gone");
    gp_load_init(&load, mem, false, true);
    ok(gp_git_load(in_place("tree/.git"), first, "west/sub", &load));
    cr_assert(eq(str, (char *)names(&load), gp_printf(mem, "%.7s:west/sub/c.yaml;", first)));
}

static const struct {
    const char *path, *words;
} missing[] = {
    {"wset", "has no 'wset'; there is 'west'"},
    {"west/sbu", "has no 'west/sbu'; there is 'west/sub'"},
    {"wset/sub", "has no 'wset/sub'; there is 'west'"},
    {"nothing/like/it", "has no 'nothing/like/it'"},
    {"top.yaml/x", "has no 'top.yaml/x'"},
};
GP_ROWS(load, a_path_that_is_not_there, missing)
{
    struct gp_load load;

    make_tree();
    gp_load_init(&load, mem, false, true);
    (void)refused(gp_git_load(in_place("tree/.git"), sh_text("git -C tree rev-parse HEAD"),
                              missing[*i].path, &load),
                  GP_E_INVALID, missing[*i].words);
}

Test(load, links_are_refused_and_submodules_told)
{
    const char *commit;
    struct gp_load load;
    bool failed;

    sh("git init -q -b main tree && cd tree && mkdir d && echo 'mistake: 1' > d/a.yaml && ln -s "
       "d/a.yaml l.yaml && "
       "ln -s d linked && git add . && git commit -q -m links");
    commit = sh_text("git -C tree rev-parse --short=7 HEAD");
    cr_assert(eq(
        str, (char *)load_commit("", &failed),
        gp_printf(mem, "%1$s:d/a.yaml;[%1$s:l.yaml is a symbolic link: put the file itself there];",
                  commit)));
    cr_assert(failed);
    gp_load_init(&load, mem, false, true);
    ok(gp_dir_load(in_place("tree"), &load));
    cr_assert(eq(
        str, (char *)names(&load),
        gp_printf(
            mem,
            "%1$s/tree/d/a.yaml;[%1$s/tree/l.yaml is a symbolic link: put the file itself there];",
            place)));

    sh("cd tree && git rm -q l.yaml d/a.yaml && git update-index --add --cacheinfo 160000,$(git "
       "rev-parse HEAD),sub && "
       "git commit -q -m sub");
    commit = sh_text("git -C tree rev-parse --short=7 HEAD");
    cr_assert(eq(str, (char *)load_commit("", &failed),
                 gp_printf(mem, "[%s:sub is a submodule: what is in it is not read];", commit)));
    cr_assert(failed == false);
}

Test(load, a_file_past_its_limit_is_refused_by_both)
{
    struct gp_load load;

    sh("git init -q -b main tree && cd tree && head -c 16777217 /dev/zero > big.yaml && git add . "
       "&& "
       "git -c core.compression=1 commit -q -m big");
    gp_load_init(&load, mem, false, true);
    (void)refused(
        gp_git_load(in_place("tree/.git"), sh_text("git -C tree rev-parse HEAD"), "", &load),
        GP_E_INVALID, "big.yaml has 16777217 bytes");
    (void)refused(gp_dir_load(in_place("tree"), &load), GP_E_INVALID,
                  "big.yaml has 16777217 bytes");
}

Test(load, what_cannot_be_read_is_an_error)
{
    struct gp_load load;

    make_tree();
    gp_load_init(&load, mem, false, true);
    (void)refused(
        gp_git_load(in_place("never"), "0123456789012345678901234567890123456789", "", &load),
        GP_E_IO, "could not be opened");
    (void)refused(
        gp_git_load(in_place("tree/.git"), "0123456789012345678901234567890123456789", "", &load),
        GP_E_IO, "commit 0123456 cannot be read");
    (void)refused(gp_git_load(in_place("tree/.git"), "main", "", &load), GP_E_INVALID,
                  "no full commit id");
    sh("mkfifo tree/f.yaml");
    (void)refused(gp_dir_load(in_place("tree/f.yaml"), &load), GP_E_INVALID, "is not a file");
}
