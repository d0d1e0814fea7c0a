#include "rows.h"

#include "pattern.h"

static const struct {
    const char *pattern, *text;
    bool want;
} patterns[] = {
    {"", "", true},
    {"", "a", false},
    {"abc", "abc", true},
    {"abc", "ab", false},
    {"abc", "abcd", false},
    {"a|b|", "b", true},
    {"a|b|", "", true},
    {"a|b", "c", false},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[^/]+", "a b", true},
    {"[^/]+", "a/b", false},
    {"[a-z-]+", "a-z", true},
    {"[.|]", "|", true},
    {"[.|]|c", "c", true},
    {"a?b", "b", true},
    {"a?b", "ab", true},
    {"a?b", "aab", false},
    {"a*ab", "aaaab", true}, /* gives back */
    {"[0-9]{2}", "12", true},
    {"[0-9]{2}", "1", false},
    {"[0-9]{2}", "123", false},
    {"[0-9]{1,3}x", "123x", true},
    {"[0-9]{1,3}x", "1234x", false},
    {"\\.", ".", true},
    {"\\.", "a", false},
    {"[\\\\a]", "\\", true},
    {"[\xc3\xa4]+", "\xc3\xa4", true},
};

GP_ROWS(pattern, means_the_whole_text, patterns)
{
    cr_assert(eq(int, gp_pattern_match(patterns[*i].pattern, patterns[*i].text), patterns[*i].want),
              "%s against %s", patterns[*i].pattern, patterns[*i].text);
}
