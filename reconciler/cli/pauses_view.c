#include "pauses_view.h"

#include "clock.h"
#include "plan_json.h"
#include "text.h"

static struct gp_error *read_now(struct gp_pass *pass, bool approvals, struct gp_pause **ret, size_t *ret_count)
{
    const uint64_t now = gp_realtime_us();
    struct gp_pause *all = NULL;
    size_t count = 0;
    struct gp_error *err = gp_state_pauses(pass->state, approvals, pass->mem, &all, &count);

    *ret = NULL;
    *ret_count = 0;
    for (size_t i = 0; !err && i < count; i++)
        if (all[i].until_us > now)
            *gp_push(pass->mem, *ret, *ret_count) = all[i];
    return err;
}

struct gp_error *gp_pauses_view(struct gp_pass *pass, struct gp_pauses_view *ret)
{
    struct gp_error *err = read_now(pass, false, &ret->pauses, &ret->pause_count);

    return err ? err : read_now(pass, true, &ret->approvals, &ret->approval_count);
}

static void print(struct gp_arena *mem, const char *what, const struct gp_pause *pause)
{
    (void)printf("%s%s until %s by %s: %s\n", what, pause->object, gp_time_text(mem, pause->until_us), pause->user,
                 pause->reason);
}

void gp_pauses_print(struct gp_arena *mem, const struct gp_pauses_view *view)
{
    for (size_t i = 0; i < view->pause_count; i++)
        print(mem, "paused: ", &view->pauses[i]);
    for (size_t i = 0; i < view->approval_count; i++)
        print(mem, gp_starts_with(view->approvals[i].object, "gpu/") ? "approved: " : "approved: plan ",
              &view->approvals[i]);
}

json_t *gp_pauses_json(struct gp_arena *mem, const struct gp_pause *pauses, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(
            array, json_pack("{s:o, s:o, s:o, s:o, s:o}", "object", gp_text_json(pauses[i].object), "user",
                             gp_text_json(pauses[i].user), "reason", gp_text_json(pauses[i].reason), "since",
                             gp_text_json(gp_time_text(mem, pauses[i].since_us)), "until",
                             gp_text_json(gp_time_text(mem, pauses[i].until_us))));
    return array;
}
