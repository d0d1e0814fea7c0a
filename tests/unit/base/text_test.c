#include "rows.h"

#include "cleanup.h"
#include "error.h"
#include "text.h"

#include <string.h>

static const struct {
    const char *pattern, *text;
    bool want;
} globs[] = {
    {"*", "", true},
    {"", "", true},
    {"", "a", false},
    {"vdi-*", "vdi-a-01", true},
    {"vdi-*", "vdi", false},
    {"*-01", "vdi-a-01", true},
    {"v?i", "vdi", true},
    {"v?i", "vi", false},
    {"*a*b*c", "xxaxxbxxc", true},
    {"*a*b*c", "xxaxxcxxb", false},
    {"a*", "b", false},
};

GP_ROWS(text, glob, globs)
{
    cr_assert(eq(int, gp_glob_match(globs[*i].pattern, globs[*i].text), globs[*i].want), "%s against %s",
              globs[*i].pattern, globs[*i].text);
}

static const struct {
    const char *a, *b;
    int want;
} versions[] = {
    {"virtfn2", "virtfn10", -1}, {"virtfn10", "virtfn2", 1}, {"a", "a", 0},
    {"a01", "a1", 0},            {"a", "b", -1},             {"a1", "a1b", -1},
    {NULL, "a", -1},             {"x9y2", "x9y10", -1},
};

GP_ROWS(text, numbers_compare_as_numbers, versions)
{
    int got = gp_strvercmp(versions[*i].a, versions[*i].b);

    cr_assert(eq(int, (got > 0) - (got < 0), versions[*i].want));
}

static const struct {
    const char *bytes;
    size_t size, want;
} characters[] = {
    {"a", 1, 1},          {"\x1b", 1, 0},        {"\x7f", 1, 0},    {"\xc3\xa9", 2, 2},
    {"\xc3", 1, 0},       {"\xc2\x9b", 2, 0},    {"\xc0\xaf", 2, 0}, {"\xe2\x82\xac", 3, 3},
    {"\xed\xa0\x80", 3, 0}, {"\xf0\x9f\x98\x80", 4, 4}, {"\xff", 1, 0},    {"\xf4\x90\x80\x80", 4, 0},
    {"\xe2\x80\xae", 3, 0}, {"\xe2\x80\xa8", 3, 0}, {"\xe2\x80\xa7", 3, 3}, {"\xe2\x81\xa6", 3, 0}, {"\xe2\x81\xaa", 3, 3},
};

GP_ROWS(text, what_a_terminal_may_see, characters)
{
    const char *at = characters[*i].bytes;

    cr_assert(eq(sz, gp_utf8_printable(at, at + characters[*i].size), characters[*i].want), "row %zu", *i);
}

static const char *const keys[] = {"pool", "partitions", "placement", "profile", NULL};
static const struct {
    const char *word, *want;
} words[] = {
    {"pol", "pool"},        {"partition", "partitions"}, {"paritions", "partitions"},
    {"placment", "placement"}, {"xyz", NULL},            {"POOL", "pool"},
    {"porfile", "profile"},
};

GP_ROWS(text, nearest_word, words)
{
    const char *got = gp_nearest(words[*i].word, keys);

    cr_assert(gp_streq(got, words[*i].want), "%s gave %s", words[*i].word, got ? got : "nothing");
}

Test(text, sha256_and_uuid5_are_the_standard_ones)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();

    /* FIPS 180-4's "abc". */
    cr_assert(eq(str, (char *)gp_sha256_hex(mem, "abc", 3, 12), "ba7816bf8f01"));
    cr_assert(eq(sz, strlen(gp_uuid5(mem, "m", "slot3/0")), 36));
    cr_assert(eq(chr, gp_uuid5(mem, "m", "slot3/0")[14], '5'));
    cr_assert(gp_streq(gp_uuid5(mem, "m", "slot3/0"), gp_uuid5(mem, "m", "slot3/0")));
    cr_assert(not(gp_streq(gp_uuid5(mem, "m", "slot3/0"), gp_uuid5(mem, "m", "slot3/1"))));
}

Test(arena, arrays_keep_what_was_pushed)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    int *items = NULL;
    size_t count = 0;

    for (int n = 0; n < 10000; n++)
        *gp_push(mem, items, count) = n;
    for (int n = 0; n < 10000; n++)
        cr_assert(eq(int, items[n], n));
    cr_assert(eq(sz, count, 10000));
}

static const char *excerpt(struct gp_arena *mem, const char *line)
{
    const struct gp_source source = {"a.yaml", line, strlen(line)};
    gp_cleanup(gp_free_p) char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    gp_span_print_excerpt(out, (struct gp_span){&source, 1, 1});
    (void)fclose(out);
    *strchr(text, '\n') = '\0';
    return gp_strdup(mem, text + strlen("    1 | "));
}

Test(error, no_excerpt_shows_what_lets_somebody_in)
{
    static const char *const lines[][2] = {
        {"url: https://ada:secret@git.example.org/x", "url: https://**********@git.example.org/x"},
        {"{url: \"https://token@h/x\", y: \"a@b\"}", "{url: \"https://*****@h/x\", y: \"a@b\"}"},
        {"http://u:pa/s@s@h/x ssh://git@h/x", "http://********@h/x ssh://git@h/x"},
        {"ssh://git:secret@h:22/x", "ssh://**********@h:22/x"},
        {"https://git.example.org/x a@b", "https://git.example.org/x a@b"},
        {"https://\xc3\xbc:s@h", "https://***@h"},
        {"://", "://"},
    };
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();

    for (size_t n = 0; n < sizeof lines / sizeof *lines; n++)
        cr_expect(eq(str, (char *)excerpt(mem, lines[n][0]), (char *)lines[n][1]));
}

Test(error, tells_place_excerpt_and_every_cause)
{
    static const char yaml[] = "spec:\n  vram: lots\n";
    static const struct gp_source source = {"a.yaml", yaml, sizeof yaml - 1};
    struct gp_error *err = gp_error_wrap(
        gp_error_at(GP_E_INVALID, (struct gp_span){&source, 2, 9}, "'vram' takes a size, not 'lots'"),
        "commit 1a2b3c4 was not applied");
    gp_cleanup(gp_free_p) char *text = NULL;
    gp_cleanup(gp_free_p) char *line = gp_error_line(err);
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    gp_error_print(out, err);
    (void)fclose(out);
    cr_assert(eq(int, err->code, GP_E_INVALID));
    cr_assert(eq(str, text,
                 "commit 1a2b3c4 was not applied\n"
                 "a.yaml:2:9: because: 'vram' takes a size, not 'lots'\n"
                 "    2 |   vram: lots\n"
                 "      |         ^\n"));
    cr_assert(eq(str, line,
                 "commit 1a2b3c4 was not applied: a.yaml:2:9: 'vram' takes a size, not 'lots'"));
    gp_error_free(err);
}

Test(error, outlives_its_source_once_frozen)
{
    struct gp_arena *mem = gp_arena_new();
    struct gp_source *source = gp_new(mem, struct gp_source);
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    gp_cleanup(gp_free_p) char *text = NULL;
    size_t size = 0;
    FILE *out;

    *source = (struct gp_source){gp_strdup(mem, "agent.yaml"), gp_strdup(mem, "a: 1\nb: x\n"), 10};
    err = gp_error_wrap(gp_error_at(GP_E_CONFIG, (struct gp_span){source, 2, 4}, "'b' is no number"), "refused");
    gp_error_freeze(err);
    gp_error_freeze(err);
    gp_arena_free(mem);
    out = open_memstream(&text, &size);
    gp_error_print(out, err);
    (void)fclose(out);
    cr_assert(eq(str, text,
                 "refused\nagent.yaml:2:4: because: 'b' is no number\n    2 | b: x\n      |    ^\n"));
}

static const struct {
    const char *text, *plain;
} plains[] = {
    {"", ""},
    {"two\nlines\tand more\r", "two lines and more "},
    {"\x1b[2J gone", "?[2J gone"},
    {"\xc3\xbc stays", "\xc3\xbc stays"},
    {"cut \xc3", "cut ?"},
    {"\xff\xfe", "??"},
    {"\xc2\x9b" "2J", "??2J"},
};

GP_ROWS(text, plain, plains)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();

    cr_assert(eq(str, gp_text_plain(gp_strdup(mem, plains[*i].text)), (char *)plains[*i].plain));
    cr_assert(gp_text_plain(NULL) == NULL);
}

/* POSIX.1-2017, XCU 2.2: what the shell would take for more than a word is quoted. */
static const struct {
    const char *text, *word;
} shell_words[] = {
    {"vdi-a_01.x", "vdi-a_01.x"},
    {"vm/vdi@1:2", "vm/vdi@1:2"},
    {"", "''"},
    {"Windows 11", "'Windows 11'"},
    {"a; reboot", "'a; reboot'"},
    {"$(id)", "'$(id)'"},
    {"don't", "'don'\\''t'"},
    {"~root", "'~root'"},
    {"#1", "'#1'"},
    {"a=b", "'a=b'"},
    {"b\xc3\xbcro", "'b\xc3\xbcro'"},
};

GP_ROWS(text, shell_word, shell_words)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();

    cr_assert(eq(str, (char *)gp_shell_word(mem, shell_words[*i].text), (char *)shell_words[*i].word));
}
