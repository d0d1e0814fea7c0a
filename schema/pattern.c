#include "pattern.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

/* One character or class with its repetition. */
struct piece {
    const char *set, *set_end; /* the class between its brackets, or one character */
    bool class, inverted;
    int min, max;
    const char *after;
};

static bool in_class(const struct piece *piece, char c)
{
    const unsigned char byte = (unsigned char)c;
    bool found = false;

    for (const char *s = piece->set; s < piece->set_end && !found; s++) {
        if (*s == '\\' && s + 1 < piece->set_end)
            s++;
        if (s + 2 < piece->set_end && s[1] == '-') {
            found = byte >= (unsigned char)s[0] && byte <= (unsigned char)s[2];
            s += 2;
        } else {
            found = *s == c;
        }
    }
    return found != piece->inverted;
}

static bool takes(const struct piece *piece, char c)
{
    if (!c)
        return false;
    return piece->class ? in_class(piece, c) : *piece->set == c;
}

static const char *parse_class(const char *at, struct piece *ret)
{
    ret->class = true;
    at++;
    ret->inverted = *at == '^';
    at += ret->inverted;
    ret->set = at;
    while (*at && *at != ']')
        at += *at == '\\' && at[1] ? 2 : 1;
    ret->set_end = at;
    return *at ? at + 1 : at;
}

static const char *parse_repeat(const char *at, struct piece *ret)
{
    char *end;

    ret->min = *at == '?' || *at == '*' ? 0 : 1;
    ret->max = *at == '*' || *at == '+' ? INT_MAX : 1;
    if (*at == '?' || *at == '*' || *at == '+')
        return at + 1;
    if (*at != '{')
        return at;
    ret->min = ret->max = (int)strtol(at + 1, &end, 10);
    if (*end == ',')
        ret->max = (int)strtol(end + 1, &end, 10);
    return end + 1;
}

static struct piece parse(const char *at)
{
    struct piece piece = {0};

    if (*at == '[') {
        at = parse_class(at, &piece);
    } else {
        at += *at == '\\' && at[1];
        piece.set = at;
        piece.set_end = ++at;
    }
    piece.after = parse_repeat(at, &piece);
    return piece;
}

/* Greedy, giving back where the rest does not fit. Deep as the pattern is long, not as the text. */
static bool match_here(const char *pattern, const char *text)
{
    struct piece piece;
    int n = 0;

    if (!*pattern || *pattern == '|')
        return !*text;
    piece = parse(pattern);
    while (n < piece.max && takes(&piece, text[n]))
        n++;
    for (; n >= piece.min; n--)
        if (match_here(piece.after, text + n))
            return true;
    return false;
}

static const char *alternative_after(const char *pattern)
{
    while (*pattern && *pattern != '|')
        pattern = parse(pattern).after;
    return *pattern ? pattern + 1 : NULL;
}

bool gp_pattern_match(const char *pattern, const char *text)
{
    for (; pattern; pattern = alternative_after(pattern))
        if (match_here(pattern, text))
            return true;
    return false;
}
