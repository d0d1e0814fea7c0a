#include "shown.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct shown {
    FILE *under;
    char part[4]; /* of a character whose rest is still to come */
    size_t count;
};

/* How many bytes a character has that begins with @lead; 1 for what begins none. Fact: RFC 3629, section 3. */
static size_t length_of(unsigned char lead)
{
    return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 1;
}

static uint32_t code_of(const char *bytes, size_t size)
{
    uint32_t code = size == 1 ? (unsigned char)*bytes : (unsigned char)*bytes & (0x7fU >> size);

    for (size_t i = 1; i < size; i++)
        code = code << 6 | ((unsigned char)bytes[i] & 0x3fU);
    return code;
}

static void pass_on(struct shown *shown)
{
    const char *part = shown->part;
    const size_t count = shown->count;
    const bool whole = count == length_of((unsigned char)*part) && (count > 1 || !(*part & 0x80));

    shown->count = 0;
    if (count && (gp_utf8_printable(part, part + count) == count || *part == '\n' || *part == '\t'))
        (void)fwrite(part, 1, count, shown->under);
    else if (whole && code_of(part, count) < 0xd800)
        (void)fprintf(shown->under, "\\u%04x", (unsigned)code_of(part, count));
    else
        (void)fputc('?', shown->under);
}

/* Nearly all that is printed. */
static size_t plain_run(const char *bytes, size_t size)
{
    size_t run = 0;

    while (run < size && ((bytes[run] >= ' ' && bytes[run] <= '~') || bytes[run] == '\n'))
        run++;
    return run;
}

static ssize_t write_shown(void *cookie, const char *bytes, size_t size)
{
    struct shown *shown = cookie;

    for (size_t i = 0; i < size; i++) {
        const size_t plain = shown->count ? 0 : plain_run(bytes + i, size - i);

        (void)fwrite(bytes + i, 1, plain, shown->under);
        i += plain;
        if (i == size)
            break;
        if (shown->count && (bytes[i] & 0xc0) != 0x80)
            pass_on(shown); /* cut short */
        shown->part[shown->count++] = bytes[i];
        if (shown->count == length_of((unsigned char)*shown->part))
            pass_on(shown);
    }
    return fflush(shown->under) == 0 && !ferror(shown->under) ? (ssize_t)size : 0;
}

FILE *gp_shown_open(FILE *under)
{
    static struct shown shown; /* it stays open until the program has ended */
    FILE *out = fopencookie(&shown, "w", (cookie_io_functions_t){.write = write_shown});

    if (!out)
        abort();
    shown.under = under;
    (void)setvbuf(out, NULL, isatty(fileno(under)) ? _IOLBF : _IOFBF, BUFSIZ);
    return out;
}
