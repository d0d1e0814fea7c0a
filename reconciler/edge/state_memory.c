/* What the core reads of the documents, and the changes to those. */
#include "cleanup.h"
#include "clock.h"
#include "json.h"
#include "state_priv.h"

static int by_key(const void *a, const void *b)
{
    return gp_strcmp(((const struct gp_applied *)a)->key, ((const struct gp_applied *)b)->key);
}

static int by_vm(const void *a, const void *b)
{
    return gp_strcmp(((const struct gp_owed *)a)->vm, ((const struct gp_owed *)b)->vm);
}

static int by_text(const void *a, const void *b)
{
    return gp_strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The documents were checked when they were read, so nothing here can misfit. */
void gp_state_rebuild(struct gp_state *state)
{
    struct gp_arena *mem = gp_arena_new();
    struct gp_json_reader reader = {.mem = mem};
    struct gp_memory *memory = &state->memory;
    const json_t *verified = json_object_get(state->docs[GP_STATE_VERIFIED], "newest");
    const char *key;
    json_t *entry;

    gp_arena_free(state->mem);
    state->mem = mem;
    *memory = (struct gp_memory){0};
    json_object_foreach(state->docs[GP_STATE_APPLIED], key, entry) *
        gp_push(mem, memory->applied, memory->applied_count) = (struct gp_applied){
        .key = gp_strdup(mem, key),
        .value = gp_json_text(&reader, entry, "value"),
        .commit = gp_json_text(&reader, entry, "commit"),
        .who = gp_json_text(&reader, entry, "who"),
        .since_us = gp_json_number(&reader, entry, "sinceUs", UINT64_MAX),
    };
    json_object_foreach(state->docs[GP_STATE_OWED], key, entry)
    {
        if (gp_json_bool(&reader, entry, "unit"))
            *gp_push(mem, memory->owed_units.items, memory->owed_units.count) = gp_strdup(mem, key);
        else
            *gp_push(mem, memory->owed, memory->owed_count) = (struct gp_owed){
                .vm = gp_strdup(mem, key),
                .name = gp_json_text(&reader, entry, "name"),
                .until_us = gp_json_number(&reader, entry, "untilUs", UINT64_MAX),
                .stop_requested = gp_json_bool(&reader, entry, "stopRequested"),
            };
    }
    json_object_foreach(state->docs[GP_STATE_QUARANTINED], key, entry) *
        gp_push(mem, memory->quarantined.items, memory->quarantined.count) = gp_strdup(mem, key);
    if (memory->applied_count)
        qsort(memory->applied, memory->applied_count, sizeof *memory->applied, by_key);
    if (memory->owed_count)
        qsort(memory->owed, memory->owed_count, sizeof *memory->owed, by_vm);
    if (memory->owed_units.count)
        qsort(memory->owed_units.items, memory->owed_units.count, sizeof *memory->owed_units.items, by_text);
    if (memory->quarantined.count)
        qsort(memory->quarantined.items, memory->quarantined.count,
              sizeof *memory->quarantined.items, by_text);
    state->verified = gp_json_text(&reader, verified, "commit");
    state->verified_since_us = gp_json_number(&reader, verified, "sinceUs", UINT64_MAX);
}

const struct gp_memory *gp_state_memory(const struct gp_state *state)
{
    return &state->memory;
}

const char *gp_state_verified(const struct gp_state *state)
{
    return state->verified;
}

const char *gp_state_verified_lost(const struct gp_state *state)
{
    return state->lost;
}

uint64_t gp_state_verified_since_us(const struct gp_state *state)
{
    return state->verified_since_us;
}

/* ---- changes ---- */

/* Puts @entry (taken; NULL removes) under @key. Nothing is written where nothing changes: a pass at
 * rest costs no fsync. */
static struct gp_error *change(struct gp_state *state, enum gp_state_doc doc, const char *key,
                               json_t *entry)
{
    gp_cleanup(gp_json_p) json_t *mine = entry;
    const json_t *old = json_object_get(state->docs[doc], key);
    struct gp_error *err = gp_state_writable(state);
    json_t *body;

    if (err)
        return err;
    if ((!old && !mine) || (old && mine && json_equal(old, mine)))
        return NULL;
    body = gp_json_copy(state->docs[doc]);
    if (mine)
        gp_json_put(body, key, gp_steal(mine));
    else
        (void)json_object_del(body, key);
    err = gp_state_doc_write(state, doc, body);
    if (!err)
        gp_state_rebuild(state);
    return err;
}

/* The "sinceUs" of what is there under @key if its member @same says @value, else now. */
static uint64_t since(const struct gp_state *state, enum gp_state_doc doc, const char *key,
                      const char *same, const char *value)
{
    const json_t *old = json_object_get(state->docs[doc], key);

    if (old && gp_streq(json_string_value(json_object_get(old, same)), value))
        return (uint64_t)json_integer_value(json_object_get(old, "sinceUs"));
    return gp_realtime_us();
}

struct gp_error *gp_state_set_applied(struct gp_state *state, const char *key, const char *value,
                                      const char *commit, const char *who)
{
    json_t *entry = gp_json_object();

    gp_json_put_text(entry, "value", value);
    gp_json_put_text(entry, "commit", commit);
    gp_json_put_text(entry, "who", who);
    gp_json_put_number(entry, "sinceUs", since(state, GP_STATE_APPLIED, key, "value", value));
    return change(state, GP_STATE_APPLIED, key, entry);
}

struct gp_error *gp_state_forget_applied(struct gp_state *state, const char *key)
{
    return change(state, GP_STATE_APPLIED, key, NULL);
}

struct gp_error *gp_state_set_owed(struct gp_state *state, const struct gp_owed *owed)
{
    json_t *entry = gp_json_object();

    gp_json_put_text(entry, "name", owed->name);
    gp_json_put_number(entry, "untilUs", owed->until_us);
    gp_json_put(entry, "stopRequested", json_boolean(owed->stop_requested));
    return change(state, GP_STATE_OWED, owed->vm, entry);
}

struct gp_error *gp_state_set_owed_unit(struct gp_state *state, const char *unit)
{
    json_t *entry = gp_json_object();

    gp_json_put_text(entry, "name", unit);
    gp_json_put_number(entry, "untilUs", UINT64_MAX);
    gp_json_put(entry, "unit", json_true());
    return change(state, GP_STATE_OWED, unit, entry);
}

struct gp_error *gp_state_clear_owed(struct gp_state *state, const char *vm_or_unit)
{
    return change(state, GP_STATE_OWED, vm_or_unit, NULL);
}

struct gp_error *gp_state_set_quarantined(struct gp_state *state, const char *partition, bool on)
{
    json_t *entry;

    if (!on)
        return change(state, GP_STATE_QUARANTINED, partition, NULL);
    if (json_object_get(state->docs[GP_STATE_QUARANTINED], partition))
        return gp_state_writable(state);
    entry = gp_json_object();
    gp_json_put_number(entry, "sinceUs", gp_realtime_us());
    return change(state, GP_STATE_QUARANTINED, partition, entry);
}

struct gp_error *gp_state_set_verified(struct gp_state *state, const char *commit)
{
    json_t *entry = gp_json_object();
    struct gp_error *err;

    gp_json_put_text(entry, "commit", commit);
    gp_json_put_number(entry, "sinceUs",
                       since(state, GP_STATE_VERIFIED, "newest", "commit", commit));
    err = change(state, GP_STATE_VERIFIED, "newest", entry);
    if (!err) {
        free(state->lost);
        state->lost = NULL;
    }
    return err;
}

struct gp_error *gp_state_set_boot(struct gp_state *state, const struct gp_boot_gpu *gpus,
                                   size_t count)
{
    struct gp_error *err = gp_state_writable(state);
    json_t *body;

    if (err)
        return err;
    body = gp_json_object();
    for (size_t i = 0; i < count; i++) {
        json_t *entry = gp_json_object();

        gp_json_put_text(entry, "identity", gpus[i].identity);
        gp_json_put(entry, "layout", gp_json_of_layout(&gpus[i].layout));
        gp_json_put(body, gpus[i].id, entry);
    }
    if (json_equal(body, state->docs[GP_STATE_BOOT])) {
        json_decref(body);
        return NULL;
    }
    return gp_state_doc_write(state, GP_STATE_BOOT, body);
}

static int by_id(const void *a, const void *b)
{
    return gp_strvercmp(((const struct gp_boot_gpu *)a)->id, ((const struct gp_boot_gpu *)b)->id);
}

void gp_state_boot(const struct gp_state *state, struct gp_arena *mem, struct gp_boot_gpu **ret,
                   size_t *ret_count)
{
    struct gp_json_reader reader = {.mem = mem};
    struct gp_boot_gpu *gpus = NULL;
    size_t count = 0;
    const char *key;
    json_t *entry;

    json_object_foreach(state->docs[GP_STATE_BOOT], key, entry)
    {
        struct gp_boot_gpu *gpu = gp_push(mem, gpus, count);

        gpu->id = gp_strdup(mem, key);
        gpu->identity = gp_json_text(&reader, entry, "identity");
        gp_json_layout(&reader, gp_json_member(&reader, entry, "layout"), &gpu->layout);
    }
    if (count)
        qsort(gpus, count, sizeof *gpus, by_id);
    *ret = gpus;
    *ret_count = count;
}
