#include "mistakes.h"

#include "text.h"

#include <string.h>

void gp_mistakes_begin(struct gp_mistakes *mistakes)
{
    mistakes->begin = mistakes->count;
    mistakes->cut = false;
}

__attribute__((format(printf, 5, 0))) static void add(struct gp_mistakes *mistakes,
                                                      const char *rule, enum gp_level level,
                                                      struct gp_span at, const char *format,
                                                      va_list args)
{
    struct gp_finding *finding;

    if (mistakes->cut)
        return;
    finding = gp_push(mistakes->mem, mistakes->items, mistakes->count);
    finding->at = at;
    if (mistakes->count - mistakes->begin > GP_MISTAKES_MAX) {
        mistakes->cut = true;
        finding->rule = "GP-E006";
        finding->level = GP_LEVEL_ERROR;
        finding->message =
            gp_printf(mistakes->mem, "more than %d mistakes; those that follow are not told",
                      GP_MISTAKES_MAX);
        return;
    }
    finding->rule = rule;
    finding->level = level;
    finding->message = gp_vprintf(mistakes->mem, format, args);
}

void gp_mistake(struct gp_mistakes *mistakes, const char *rule, struct gp_span at,
                const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(mistakes, rule, rule[strlen("GP-")] == 'W' ? GP_LEVEL_WARNING : GP_LEVEL_ERROR, at, format,
        args);
    va_end(args);
}

void gp_mistake_level(struct gp_mistakes *mistakes, const char *rule, enum gp_level level,
                      struct gp_span at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(mistakes, rule, level, at, format, args);
    va_end(args);
}

const char *gp_quote(struct gp_arena *mem, const char *word)
{
    enum { SHOWN = 60 };
    struct gp_text text = {.mem = mem};
    size_t size;
    bool cut;

    word = word ? word : "?"; /* its name was refused, and told already */
    size = strnlen(word, SHOWN + 1);
    cut = size > SHOWN;

    if (cut)
        for (size = SHOWN; size && ((unsigned char)word[size] & 0xc0) == 0x80;)
            size--; /* not in the middle of a character */
    gp_text_add(&text, "'");
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)word[i];
        /* U+0080 to U+009F are C1 controls, written C2 80 to C2 9F. */
        const bool c1 = c == 0xc2 && i + 1 < size && (unsigned char)word[i + 1] < 0xa0;

        if (c < 0x20 || c == 0x7f || c1)
            gp_text_add(&text, "?");
        else
            gp_text_addn(&text, word + i, 1);
        i += c1;
    }
    gp_text_add(&text, cut ? "…'" : "'");
    return gp_text_get(&text);
}

const char *gp_list_or(struct gp_arena *mem, const char *const *names)
{
    struct gp_text text = {.mem = mem};

    for (size_t i = 0; names[i]; i++)
        gp_text_addf(&text, "%s%s", !i ? "" : names[i + 1] ? ", " : " or ", names[i]);
    return gp_text_get(&text);
}

const char *gp_did_you_mean(struct gp_arena *mem, const char *word, const char *const *names)
{
    const char *nearest = gp_nearest(word, names);

    return nearest ? gp_printf(mem, "; did you mean '%s'?", nearest) : "";
}
