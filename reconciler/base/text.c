#include "text.h"

#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

void gp_text_addn(struct gp_text *text, const char *chars, size_t size)
{
    if (text->size + size + 1 > text->room) {
        size_t room = text->room ? text->room : 128;
        char *larger;

        while (room < text->size + size + 1)
            room *= 2;
        larger = gp_arena_alloc(text->mem, room);
        if (text->size)
            memcpy(larger, text->chars, text->size);
        text->chars = larger;
        text->room = room;
    }
    if (size)
        memcpy(text->chars + text->size, chars, size);
    text->size += size;
    text->chars[text->size] = '\0';
}

void gp_text_add(struct gp_text *text, const char *chars)
{
    gp_text_addn(text, chars, strlen(chars));
}

void gp_text_addf(struct gp_text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    gp_text_add(text, gp_vprintf(text->mem, format, args));
    va_end(args);
}

const char *gp_text_get(const struct gp_text *text)
{
    return text->chars ? text->chars : "";
}

const char *gp_text_line(const char *text, size_t size, uint32_t line, const char **ret_end)
{
    const char *at = text, *const past = text + size, *end;

    for (uint32_t n = 1; n < line; n++) {
        at = memchr(at, '\n', (size_t)(past - at));
        if (!at)
            return NULL;
        at++;
    }
    if (at > past)
        return NULL;
    end = memchr(at, '\n', (size_t)(past - at));
    if (!end)
        end = past;
    if (end > at && end[-1] == '\r')
        end--;
    *ret_end = end;
    return at;
}

/* Fact: Unicode Standard Annex #9, section 2: embeddings, overrides and isolates. And the two separators of section 4.1. */
static bool reorders(uint32_t code)
{
    return (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

size_t gp_utf8_printable(const char *at, const char *end)
{
    static const struct {
        uint8_t mask, lead;
        uint32_t least; /* a smaller code point has a shorter form */
    } forms[] = {{0x80, 0x00, 0x20}, {0xe0, 0xc0, 0xa0}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    for (size_t n = 0; n < sizeof forms / sizeof *forms; n++) {
        const uint8_t lead = (uint8_t)*at;
        uint32_t code = lead & (uint8_t)~forms[n].mask;

        if ((lead & forms[n].mask) != forms[n].lead)
            continue;
        if ((size_t)(end - at) <= n)
            return 0;
        for (size_t i = 1; i <= n; i++) {
            if (((uint8_t)at[i] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | ((uint8_t)at[i] & 0x3f);
        }
        return code < forms[n].least || code == 0x7f || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) || reorders(code)
                   ? 0
                   : n + 1;
    }
    return 0;
}

char *gp_text_plain(char *text)
{
    const char *end = text ? text + strlen(text) : NULL;

    for (char *at = text; at < end;) {
        size_t size = gp_utf8_printable(at, end);

        if (!size)
            *at = *at == '\n' || *at == '\t' || *at == '\r' ? ' ' : '?';
        at += size ? size : 1;
    }
    return text;
}

/* POSIX.1-2017, XCU 2.2 lists what the shell takes for more than a word; all that is not surely safe is quoted. */
const char *gp_shell_word(struct gp_arena *mem, const char *text)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+:,./-";
    struct gp_text out = {.mem = mem};

    if (*text && !text[strspn(text, safe)])
        return text;
    gp_text_add(&out, "'");
    for (; *text; text++)
        gp_text_addn(&out, *text == '\'' ? "'\\''" : text, *text == '\'' ? strlen("'\\''") : 1);
    gp_text_add(&out, "'");
    return gp_text_get(&out);
}

bool gp_streq(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool gp_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

int gp_strcmp(const char *a, const char *b)
{
    if (!a || !b)
        return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int gp_strvercmp(const char *a, const char *b)
{
    if (!a || !b)
        return gp_strcmp(a, b);
    while (*a && *b) {
        if (is_digit(*a) && is_digit(*b)) {
            size_t na = 0, nb = 0;
            int order;

            while (*a == '0' && is_digit(a[1]))
                a++;
            while (*b == '0' && is_digit(b[1]))
                b++;
            while (is_digit(a[na]))
                na++;
            while (is_digit(b[nb]))
                nb++;
            if (na != nb)
                return na < nb ? -1 : 1;
            order = memcmp(a, b, na);
            if (order)
                return order;
            a += na;
            b += nb;
        } else if (*a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return (*a != 0) - (*b != 0);
}

bool gp_glob_match(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;

    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) { /* let the last star take one more byte */
            pattern = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool gp_glob_is(const char *pattern)
{
    return strpbrk(pattern, "*?") != NULL;
}

/* Edit distance with neighbours swapped counting once (optimal string alignment), case ignored. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    size_t na = strlen(a), nb = strlen(b), rows[3][LONGEST + 1];

    if (na > LONGEST || nb > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= nb; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            const char x = (char)(a[i - 1] | 0x20), y = (char)(b[j - 1] | 0x20);
            size_t best = above[j - 1] + (x != y);

            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && x == (b[j - 2] | 0x20) && y == (a[i - 2] | 0x20) &&
                above2[j - 2] + 1 < best)
                best = above2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[na % 3][nb];
}

const char *gp_nearest(const char *word, const char *const *words)
{
    const char *nearest = NULL;
    size_t best = strlen(word) / 3 + 1;

    for (; *words; words++) {
        size_t d = distance(word, *words);

        if (d <= best && (!nearest || d < best)) {
            best = d;
            nearest = *words;
        }
    }
    return nearest;
}

const char *gp_join_u32(struct gp_arena *mem, const uint32_t *numbers, size_t count)
{
    struct gp_text text = {.mem = mem};

    for (size_t i = 0; i < count; i++)
        gp_text_addf(&text, "%s%u", i ? ", " : "", numbers[i]);
    return gp_text_get(&text);
}

const char *gp_sha256_hex(struct gp_arena *mem, const void *data, size_t size, unsigned chars)
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char *hex = gp_arena_alloc(mem, chars + 1);

    sha256_init(&ctx);
    sha256_update(&ctx, size, data);
    sha256_digest(&ctx, sizeof digest, digest);
    for (unsigned i = 0; i < chars / 2; i++)
        (void)snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
    return hex;
}

const char *gp_uuid5(struct gp_arena *mem, const char *ns, const char *name)
{
    struct sha1_ctx ctx;
    uint8_t d[SHA1_DIGEST_SIZE];

    sha1_init(&ctx);
    sha1_update(&ctx, strlen(ns), (const uint8_t *)ns);
    sha1_update(&ctx, 1, (const uint8_t *)"/");
    sha1_update(&ctx, strlen(name), (const uint8_t *)name);
    sha1_digest(&ctx, sizeof d, d);
    d[6] = (uint8_t)((d[6] & 0x0f) | 0x50);
    d[8] = (uint8_t)((d[8] & 0x3f) | 0x80);
    return gp_printf(mem,
                     "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0],
                     d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12],
                     d[13], d[14], d[15]);
}
