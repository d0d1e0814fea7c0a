#include "history.h"

#include "cleanup.h"
#include "pass.h"

#include <jansson.h>

static json_t *text(const char *chars)
{
    json_t *json = chars ? json_string(chars) : json_null();

    return json ? json : json_string("?"); /* no UTF-8 */
}

static json_t *texts(const struct gp_strings *strings)
{
    json_t *array = json_array();

    for (size_t i = 0; i < strings->count; i++)
        (void)json_array_append_new(array, text(strings->items[i]));
    return array;
}

struct gp_error *gp_history_add(struct gp_state *state, const struct gp_result *result)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    json_t *entry = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "at", gp_time_text(mem, gp_now_us()), "event",
                              gp_event_name(result->event), "object", text(result->object), "gpus",
                              texts(&result->gpus), "vms", texts(&result->vms), "commit", text(result->commit), "plan",
                              text(result->plan), "message", text(result->message));
    gp_cleanup(gp_free_p) char *line = json_dumps(entry, JSON_COMPACT | JSON_SORT_KEYS);

    json_decref(entry);
    if (!line)
        return gp_error_new(GP_E_BUG, "a result could not be written as JSON");
    return gp_state_add_history(state, line);
}
