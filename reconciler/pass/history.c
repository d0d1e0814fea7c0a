#include "history.h"

#include "cleanup.h"
#include "clock.h"
#include "json.h"
#include "pass.h"

struct gp_error *gp_history_add(struct gp_state *state, const struct gp_result *result)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    json_t *entry = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "at",
                              gp_time_text(mem, gp_realtime_us()), "event", gp_event_name(result->event), "object",
                              gp_text_json(result->object), "gpus", gp_strings_json(&result->gpus), "vms",
                              gp_strings_json(&result->vms), "commit", gp_text_json(result->commit), "plan",
                              gp_text_json(result->plan), "message", gp_text_json(result->message));
    gp_cleanup(gp_free_p) char *line = json_dumps(entry, JSON_COMPACT | JSON_SORT_KEYS);

    json_decref(entry);
    if (!line)
        return gp_error_new(GP_E_BUG, "a result could not be written as JSON");
    return gp_state_add_history(state, line);
}
