/* Sets that failed and were restored: tried again with back-off, per commit. A new commit begins
 * anew. */
#include "cleanup.h"
#include "json.h"
#include "state_priv.h"

#include "text.h"

enum { FIRST_S = 60, LAST_S = 3600 };

/* A minute, two, four, … an hour. */
static uint64_t back_off_us(uint64_t count)
{
    uint64_t seconds = FIRST_S;

    while (count-- > 1 && seconds < LAST_S)
        seconds *= 2;
    return (seconds < LAST_S ? seconds : LAST_S) * 1000000;
}

struct gp_error *gp_state_add_failure(struct gp_state *state, const char *set, const char *commit,
                                      const char *reason, uint64_t now_us)
{
    gp_cleanup(gp_json_p) json_t *body = gp_json_copy(state->docs[GP_STATE_FAILURES]);
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_json_reader reader = {.mem = mem};
    const json_t *before = json_object_get(body, set);
    json_t *entry = gp_json_object();
    uint64_t count = 1;

    if (before && gp_streq(gp_json_text(&reader, before, "commit"), commit ? commit : ""))
        count += gp_json_number(&reader, before, "count", UINT32_MAX);
    gp_json_put_text(entry, "commit", commit ? commit : "");
    gp_json_put_text(entry, "reason", reason);
    gp_json_put_number(entry, "count", count);
    gp_json_put_number(entry, "untilUs", now_us + back_off_us(count));
    gp_json_put(body, set, entry);
    return gp_state_doc_write(state, GP_STATE_FAILURES, gp_steal(body));
}

struct gp_error *gp_state_clear_failure(struct gp_state *state, const char *set)
{
    gp_cleanup(gp_json_p) json_t *body = NULL;

    if (!json_object_get(state->docs[GP_STATE_FAILURES], set))
        return NULL;
    body = gp_json_copy(state->docs[GP_STATE_FAILURES]);
    (void)json_object_del(body, set);
    return gp_state_doc_write(state, GP_STATE_FAILURES, gp_steal(body));
}

bool gp_state_failure(const struct gp_state *state, struct gp_arena *mem, const char *set,
                      struct gp_failure *ret)
{
    const json_t *entry = json_object_get(state->docs[GP_STATE_FAILURES], set);
    struct gp_json_reader reader = {.mem = mem};

    if (!entry)
        return false;
    *ret = (struct gp_failure){
        .commit = gp_json_text(&reader, entry, "commit"),
        .reason = gp_json_text(&reader, entry, "reason"),
        .count = (uint32_t)gp_json_number(&reader, entry, "count", UINT32_MAX),
        .until_us = gp_json_number(&reader, entry, "untilUs", UINT64_MAX),
    };
    return true;
}
