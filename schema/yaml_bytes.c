#include "yaml_tree.h"

/* Length of the UTF-8 sequence at @c and its code point; 0 if it is none. Fact: RFC 3629,
 * section 4. */
static size_t sequence(const unsigned char *c, size_t left, uint32_t *ret_code)
{
    const size_t length = c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t code;

    if (c[0] < 0xc2 || c[0] > 0xf4 || length > left)
        return 0;
    code = c[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (c[i] & 0x3fU);
    }
    if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_code = code;
    return length;
}

/* Facts: YAML 1.1 ends lines at these and YAML 1.2 (section 5.4) at a lone carriage return, which libyaml follows: what comes
 * after one in a comment is no comment, while an editor or a review shows one line. */
static const char separator[] = "a line separator stands here that few programs show; end lines with a newline";

static const char *refused(uint32_t code)
{
    if (code == 0)
        return "a NUL byte stands here; a declaration is text";
    if (code < 0x20 || (code >= 0x7f && code < 0xa0 && code != 0x85) || code == 0xfffe ||
        code == 0xffff)
        return "a control character stands here; a declaration is text";
    if (code == 0x85 || code == 0x2028 || code == 0x2029)
        return separator;
    if ((code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
        return "a character stands here that changes the order in which text is shown";
    return NULL;
}

bool gp_yaml_bytes_ok(const struct gp_source *source, struct gp_span *ret_at, const char **ret_why)
{
    const unsigned char *c = (const unsigned char *)source->text, *const end = c + source->size;
    uint32_t line = 1, column = 1;

    while (c < end) {
        const char *why = NULL;
        uint32_t code = *c;
        size_t length = 1;

        if (code == '\n') {
            line++;
            column = 0;
        } else if (code >= 0x80) {
            length = sequence(c, (size_t)(end - c), &code);
            why = length ? refused(code) : "the text is not UTF-8 from here on";
        } else if (code == '\r') {
            why = c + 1 < end && c[1] == '\n' ? NULL : separator;
        } else if ((code < 0x20 && code != '\t') || code == 0x7f) {
            why = refused(code);
        }
        if (why) {
            *ret_at = (struct gp_span){source, line, column};
            *ret_why = why;
            return false;
        }
        c += length;
        column++;
    }
    return true;
}
