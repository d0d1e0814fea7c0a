#include "cleanup.h"
#include "json.h"
#include "state_priv.h"

#include <string.h>

static const uint64_t DAY_US = (uint64_t)24 * 3600 * 1000000;

static json_t *remember(const struct gp_difference *drift, uint64_t since_us, uint64_t told_us)
{
    json_t *entry = gp_json_object();

    gp_json_put_text(entry, "object", drift->object ? drift->object : drift->key);
    gp_json_put_text(entry, "key", drift->key);
    gp_json_put_text(entry, "path", drift->path);
    gp_json_put_text(entry, "rule", drift->rule);
    gp_json_put_text(entry, "before", drift->before);
    gp_json_put_text(entry, "after", drift->after);
    gp_json_put_text(entry, "reason", drift->reason);
    gp_json_put_number(entry, "sinceUs", since_us);
    gp_json_put_number(entry, "toldUs", told_us);
    return entry;
}

static bool same(const json_t *old, const json_t *new, const char *member)
{
    const json_t *a = json_object_get(old, member), *b = json_object_get(new, member);

    return a && b ? json_equal(a, b) : a == b;
}

/* Puts @drift into @body under a name of its own: alike ones are numbered. Returns its entry of
 * last time. */
static const json_t *place(json_t *body, const json_t *before, const struct gp_difference *drift,
                           struct gp_arena *mem, const char **ret_name)
{
    const char *name = gp_printf(mem, "%s|%s|%s", drift->key, drift->path ? drift->path : "",
                                 drift->rule ? drift->rule : "");

    for (unsigned n = 2; json_object_get(body, name); n++)
        name = gp_printf(mem, "%s|%s|%s|%u", drift->key, drift->path ? drift->path : "",
                         drift->rule ? drift->rule : "", n);
    *ret_name = name;
    return json_object_get(before, name);
}

static int by_key(const void *a, const void *b)
{
    const struct gp_difference *x = a, *y = b;
    int order = gp_strvercmp(x->key, y->key);

    order = order ? order : gp_strcmp(x->path, y->path);
    return order ? order : gp_strcmp(x->rule, y->rule);
}

static void collect_cleared(const json_t *before, const json_t *now, struct gp_arena *mem,
                            struct gp_difference **ret, size_t *ret_count)
{
    struct gp_json_reader reader = {.mem = mem};
    struct gp_difference *cleared = NULL;
    size_t count = 0;
    const char *name;
    json_t *entry;

    json_object_foreach((json_t *)before, name, entry)
    {
        if (json_object_get(now, name))
            continue;
        *gp_push(mem, cleared, count) = (struct gp_difference){
            .object = gp_json_text(&reader, entry, "object"),
            .key = gp_json_text(&reader, entry, "key"),
            .path = gp_json_text(&reader, entry, "path"),
            .rule = gp_json_text(&reader, entry, "rule"),
            .before = gp_json_text(&reader, entry, "before"),
            .after = gp_json_text(&reader, entry, "after"),
            .reason = gp_json_text(&reader, entry, "reason"),
        };
    }
    if (count)
        qsort(cleared, count, sizeof *cleared, by_key);
    *ret = cleared;
    *ret_count = count;
}

struct gp_error *gp_state_tell_drift(struct gp_state *state, struct gp_arena *mem,
                                     const struct gp_difference *drift, size_t count,
                                     uint64_t now_us, enum gp_drift_news *ret_news,
                                     uint64_t *ret_since_us, struct gp_difference **ret_cleared,
                                     size_t *ret_cleared_count)
{
    gp_cleanup(gp_json_p) json_t *body = gp_json_object();
    const json_t *before = state->docs[GP_STATE_DRIFT];
    struct gp_difference *cleared;
    size_t cleared_count;
    struct gp_error *err;

    for (size_t i = 0; i < count; i++) {
        const char *name;
        const json_t *old = place(body, before, &drift[i], mem, &name);
        uint64_t since =
            old ? (uint64_t)json_integer_value(json_object_get(old, "sinceUs")) : now_us;
        uint64_t told = old ? (uint64_t)json_integer_value(json_object_get(old, "toldUs")) : now_us;
        json_t *entry = remember(&drift[i], since, told);

        if (!old)
            ret_news[i] = GP_DRIFT_NEW;
        else if (!same(old, entry, "before") || !same(old, entry, "after") ||
                 !same(old, entry, "object"))
            ret_news[i] = GP_DRIFT_CHANGED;
        else if (now_us >= told && now_us - told >= DAY_US)
            ret_news[i] = GP_DRIFT_AGAIN;
        else
            ret_news[i] = GP_DRIFT_OLD;
        if (ret_news[i] != GP_DRIFT_OLD)
            gp_json_put_number(entry, "toldUs", now_us);
        ret_since_us[i] = since;
        gp_json_put(body, name, entry);
    }
    collect_cleared(before, body, mem, &cleared, &cleared_count);
    if (!json_equal(before, body)) {
        err = gp_state_writable(state);
        if (err)
            return err;
        err = gp_state_doc_write(state, GP_STATE_DRIFT, gp_steal(body));
        if (err)
            return err;
    }
    *ret_cleared = cleared;
    *ret_cleared_count = cleared_count;
    return NULL;
}

uint64_t gp_state_drift_since_us(const struct gp_state *state, const struct gp_difference *drift)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_json_p) json_t *none = gp_json_object();
    const char *name;
    const json_t *entry = place(none, state->docs[GP_STATE_DRIFT], drift, mem, &name);

    return entry ? (uint64_t)json_integer_value(json_object_get(entry, "sinceUs")) : 0;
}
