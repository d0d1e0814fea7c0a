#include "cleanup.h"
#include "json.h"
#include "state_priv.h"

struct gp_error *gp_state_set_conditions(struct gp_state *state,
                                         const struct gp_condition *conditions, size_t count,
                                         uint64_t now_us)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_json_p) json_t *body = gp_json_object();
    const json_t *before = state->docs[GP_STATE_CONDITIONS];
    struct gp_error *err = gp_state_writable(state);

    if (err)
        return err;
    for (size_t i = 0; i < count; i++) {
        const char *name = gp_printf(mem, "%s|%s", conditions[i].type, conditions[i].object);
        const json_t *old = json_object_get(before, name);
        json_t *entry = gp_json_object();

        gp_json_put_text(entry, "object", conditions[i].object);
        gp_json_put_text(entry, "type", conditions[i].type);
        gp_json_put_text(entry, "reason", conditions[i].reason);
        gp_json_put_number(entry, "sinceUs",
                           old ? (uint64_t)json_integer_value(json_object_get(old, "sinceUs"))
                               : now_us);
        gp_json_put(body, name, entry);
    }
    if (json_equal(before, body))
        return NULL;
    return gp_state_doc_write(state, GP_STATE_CONDITIONS, gp_steal(body));
}

static int by_object(const void *a, const void *b)
{
    const struct gp_condition *x = a, *y = b;
    int order = gp_strvercmp(x->object, y->object);

    return order ? order : gp_strcmp(x->type, y->type);
}

struct gp_error *gp_state_conditions(struct gp_state *state, struct gp_arena *mem,
                                     struct gp_condition **ret, size_t *ret_count)
{
    struct gp_json_reader reader = {.mem = mem};
    struct gp_condition *conditions = NULL;
    size_t count = 0;
    const char *name;
    json_t *entry;

    json_object_foreach(state->docs[GP_STATE_CONDITIONS], name, entry) *
        gp_push(mem, conditions, count) = (struct gp_condition){
        .object = gp_json_text(&reader, entry, "object"),
        .type = gp_json_text(&reader, entry, "type"),
        .reason = gp_json_text(&reader, entry, "reason"),
        .since_us = gp_json_number(&reader, entry, "sinceUs", UINT64_MAX),
    };
    if (count)
        qsort(conditions, count, sizeof *conditions, by_object);
    *ret = conditions;
    *ret_count = count;
    return NULL;
}
