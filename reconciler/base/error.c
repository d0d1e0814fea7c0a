#include "error.h"

#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [GP_E_INVALID] = "invalid", [GP_E_UNSUPPORTED] = "unsupported",
    [GP_E_BUSY] = "busy",       [GP_E_IO] = "io",
    [GP_E_PERM] = "permission", [GP_E_GONE] = "gone",
    [GP_E_CHANGED] = "changed", [GP_E_TIMEOUT] = "timeout",
    [GP_E_HUNG] = "hung",       [GP_E_REFUSED] = "refused",
    [GP_E_LOCKED] = "locked",   [GP_E_CONFIG] = "config",
    [GP_E_BUG] = "bug",
};
_Static_assert(sizeof names / sizeof *names == GP_E_COUNT, "a name for each code");

const char *gp_errc_name(enum gp_errc code)
{
    return names[code];
}

__attribute__((format(printf, 4, 0))) static struct gp_error *
make(enum gp_errc code, struct gp_span at, struct gp_error *cause, const char *format, va_list args)
{
    struct gp_error *err = calloc(1, sizeof *err);

    if (!err || vasprintf(&err->message, format, args) < 0)
        abort(); /* out of memory ends the process, see arena.h */
    (void)gp_text_plain(err->message); /* what it quotes may be anybody's */
    err->code = code;
    err->at = at;
    err->cause = cause;
    return err;
}

struct gp_error *gp_error_new(enum gp_errc code, const char *format, ...)
{
    va_list args;
    struct gp_error *err;

    va_start(args, format);
    err = make(code, (struct gp_span){0}, NULL, format, args);
    va_end(args);
    return err;
}

struct gp_error *gp_error_at(enum gp_errc code, struct gp_span at, const char *format, ...)
{
    va_list args;
    struct gp_error *err;

    va_start(args, format);
    err = make(code, at, NULL, format, args);
    va_end(args);
    return err;
}

struct gp_error *gp_error_errno(int errnum, const char *format, ...)
{
    struct gp_error *cause =
        gp_error_new(gp_errc_of_errno(errnum), "%s", strerrordesc_np(errnum) ?: "unknown errno");
    va_list args;
    struct gp_error *err;

    va_start(args, format);
    err = make(cause->code, (struct gp_span){0}, cause, format, args);
    va_end(args);
    return err;
}

struct gp_error *gp_error_wrap(struct gp_error *cause, const char *format, ...)
{
    va_list args;
    struct gp_error *err;

    va_start(args, format);
    err = make(cause->code, (struct gp_span){0}, cause, format, args);
    va_end(args);
    return err;
}

enum gp_errc gp_errc_of_errno(int errnum)
{
    switch (errnum) {
    case EBUSY:
    case EAGAIN:
        return GP_E_BUSY;
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case ESRCH:
        return GP_E_GONE;
    case EPERM:
    case EACCES:
        return GP_E_PERM;
    case ETIMEDOUT:
        return GP_E_TIMEOUT;
    case EOPNOTSUPP:
    case ENOSYS:
        return GP_E_UNSUPPORTED;
    default:
        return GP_E_IO;
    }
}

/* One block: the source, its name, its text. */
static struct gp_source *source_copy(const struct gp_source *source)
{
    const size_t name = strlen(source->name) + 1, text = source->text ? source->size : 0;
    struct gp_source *copy = malloc(sizeof *copy + name + text);
    char *chars = (char *)(copy + 1);

    if (!copy)
        abort();
    memcpy(chars, source->name, name);
    if (text)
        memcpy(chars + name, source->text, text);
    *copy = (struct gp_source){chars, source->text ? chars + name : NULL, text};
    return copy;
}

void gp_error_freeze(struct gp_error *err)
{
    for (; err; err = err->cause)
        if (err->at.source && !err->own) {
            err->own = source_copy(err->at.source);
            err->at.source = err->own;
        }
}

void gp_error_free(struct gp_error *err)
{
    while (err) {
        struct gp_error *cause = err->cause;

        free(err->message);
        free(err->own);
        free(err);
        err = cause;
    }
}

void gp_error_free_p(struct gp_error **err)
{
    gp_error_free(*err);
}

char *gp_error_line(const struct gp_error *err)
{
    char *line = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&line, &size);

    if (!out)
        abort();
    for (const struct gp_error *e = err; e; e = e->cause) {
        if (e->at.line)
            (void)fprintf(out, "%s:%u:%u: ", e->at.source->name, e->at.line, e->at.column);
        (void)fprintf(out, "%s%s", e->message, e->cause ? ": " : "");
    }
    (void)fclose(out);
    return line;
}

void gp_error_print(FILE *out, const struct gp_error *err)
{
    for (const struct gp_error *e = err; e; e = e->cause) {
        if (e->at.line)
            (void)fprintf(out, "%s:%u:%u: ", e->at.source->name, e->at.line, e->at.column);
        (void)fprintf(out, "%s%s\n", e == err ? "" : "because: ", e->message);
        gp_span_print_excerpt(out, e->at);
    }
}

void gp_error_warn(struct gp_error *err)
{
    char *line;

    if (!err)
        return;
    line = gp_error_line(err);
    (void)fprintf(stderr, "gpupart: warning: %s\n", line);
    free(line);
    gp_error_free(err);
}

/* The end of what may let somebody in, of a URL whose "://" ends at @from: the last '@' of the word, since a password may have
 * one in it. @from: there is no such thing. A user's name for ssh is none. */
static const char *secret_end(const char *line, const char *from, const char *end)
{
    const bool ssh = from - line >= 6 && memcmp(from - 6, "ssh", 3) == 0;
    const char *at = from, *word = from;

    for (; word < end && *word != ' ' && *word != '\t' && *word != '"' && *word != '\''; word++)
        if (*word == '@')
            at = word;
    return ssh && !memchr(from, ':', (size_t)(at - from)) ? from : at;
}

void gp_span_print_excerpt(FILE *out, struct gp_span at)
{
    enum { WIDTH = 120 }; /* bytes of a line shown; longer ones are cut around the caret */
    const char *line, *end, *line_end, *from, *shown;
    size_t column;

    if (!at.line || !at.source || !at.source->text)
        return;
    line = gp_text_line(at.source->text, at.source->size, at.line, &end);
    if (!line)
        return;
    line_end = end;
    column = at.column ? at.column - 1 : 0;
    if (column > (size_t)(end - line))
        column = (size_t)(end - line);
    from = column > WIDTH / 2 && end - line > WIDTH ? line + column - WIDTH / 2 : line;
    if (end - from > WIDTH)
        end = from + WIDTH;
    (void)fprintf(out, "%5u | ", at.line);
    shown = line; /* from here on, unless a URL begins */
    for (const char *c = line; c < end;) {
        const size_t length = gp_utf8_printable(c, end);
        const char *text = c < shown ? "*" : length ? c : *c == '\t' ? " " : "?";

        if (c - line >= 3 && c >= shown && memcmp(c - 3, "://", 3) == 0) {
            shown = secret_end(line, c, line_end);
            text = c < shown ? "*" : text;
        }
        if (c >= from)
            (void)fwrite(text, 1, c < shown || !length ? 1 : length, out);
        c += length ? length : 1;
    }
    (void)fprintf(out, "\n      | %*s^\n", (int)(line + column - from), "");
}
