#include "json.h"

#include "cleanup.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static json_t *made(json_t *json)
{
    if (!json)
        abort(); /* out of memory ends the process, see arena.h */
    return json;
}

json_t *gp_json_object(void)
{
    return made(json_object());
}

json_t *gp_json_array(void)
{
    return made(json_array());
}

json_t *gp_json_copy(const json_t *json)
{
    return made(json_deep_copy(json));
}

void gp_json_put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        abort();
}

json_t *gp_text_json(const char *text)
{
    gp_cleanup(gp_free_p) char *ascii = NULL;
    json_t *value;

    if (!text)
        return json_null();
    value = json_string(text);
    if (value)
        return value;
    ascii = strdup(text);
    if (!ascii)
        abort();
    for (char *c = ascii; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    return made(json_string(ascii));
}

json_t *gp_strings_json(const struct gp_strings *strings)
{
    json_t *array = gp_json_array();

    for (size_t i = 0; i < strings->count; i++)
        (void)json_array_append_new(array, gp_text_json(strings->items[i]));
    return array;
}

void gp_json_put_text(json_t *object, const char *key, const char *text)
{
    if (text)
        gp_json_put(object, key, gp_text_json(text));
}

void gp_json_put_number(json_t *object, const char *key, uint64_t number)
{
    /* JSON's integers end at 63 bits here; "no end" (UINT64_MAX) is kept as the largest. */
    gp_json_put(object, key,
                made(json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number)));
}

void gp_json_misfit(struct gp_json_reader *reader, const char *key, const char *wanted)
{
    if (reader->wrong)
        return;
    reader->wrong = gp_strdup(reader->mem, key);
    reader->wanted = wanted;
}

const char *gp_json_why(const struct gp_json_reader *reader)
{
    if (!reader->wrong)
        return NULL;
    return gp_printf(reader->mem, "%s: '%s' is not %s", reader->where, reader->wrong,
                     reader->wanted);
}

const char *gp_json_text(struct gp_json_reader *reader, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (!value)
        return NULL;
    if (!json_is_string(value)) {
        gp_json_misfit(reader, key, "a string");
        return NULL;
    }
    return gp_strdup(reader->mem, json_string_value(value));
}

const char *gp_json_need_text(struct gp_json_reader *reader, const json_t *object, const char *key)
{
    const char *text = gp_json_text(reader, object, key);

    if (!text)
        gp_json_misfit(reader, key, "a string");
    return text ? text : "";
}

int64_t gp_json_signed(struct gp_json_reader *reader, const json_t *object, const char *key,
                       int64_t min, int64_t max)
{
    const json_t *value = json_object_get(object, key);
    int64_t number = json_integer_value(value);

    if (!value)
        return 0;
    if (!json_is_integer(value) || number < min || number > max) {
        gp_json_misfit(reader, key, "a number in its range");
        return 0;
    }
    return number;
}

uint64_t gp_json_number(struct gp_json_reader *reader, const json_t *object, const char *key,
                        uint64_t max)
{
    int64_t number =
        gp_json_signed(reader, object, key, 0, max > INT64_MAX ? INT64_MAX : (int64_t)max);

    return number == INT64_MAX && max == UINT64_MAX ? UINT64_MAX : (uint64_t)number;
}

bool gp_json_bool(struct gp_json_reader *reader, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (value && !json_is_boolean(value))
        gp_json_misfit(reader, key, "true or false");
    return json_is_true(value);
}

const json_t *gp_json_items(struct gp_json_reader *reader, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    /* jansson's array functions take NULL for an empty array. */
    if (value && !json_is_array(value)) {
        gp_json_misfit(reader, key, "an array");
        return NULL;
    }
    return value;
}

const json_t *gp_json_member(struct gp_json_reader *reader, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (value && !json_is_object(value)) {
        gp_json_misfit(reader, key, "an object");
        return NULL;
    }
    return value;
}

/* ---- the core's values ---- */

static void put_device(json_t *object, const char *key, struct gp_device device)
{
    struct gp_arena *mem;

    if (device.kind == GP_DEVICE_NONE)
        return;
    mem = gp_arena_new();
    gp_json_put_text(object, key, gp_device_text(mem, device));
    gp_arena_free(mem);
}

static struct gp_device device_of(struct gp_json_reader *reader, const json_t *object,
                                  const char *key)
{
    const char *text = gp_json_text(reader, object, key);
    struct gp_device device = {.kind = GP_DEVICE_NONE};

    if (text && !gp_device_parse(text, &device))
        gp_json_misfit(reader, key, "a PCI address or a UUID");
    return device;
}

static const char *const held_names[] = {
    [GP_HELD_NO] = "no", [GP_HELD_YES] = "yes", [GP_HELD_UNKNOWN] = "unknown"};

static json_t *json_of_partition(const struct gp_partition *partition)
{
    json_t *json = gp_json_object();

    gp_json_put_number(json, "index", partition->index);
    put_device(json, "device", partition->device);
    gp_json_put(json, "live", json_boolean(partition->live));
    gp_json_put_text(json, "profile", partition->profile);
    gp_json_put_number(json, "typeId", partition->type_id);
    gp_json_put_text(json, "driver", partition->driver);
    gp_json_put(json, "group", made(json_integer(partition->group)));
    gp_json_put_text(json, "held", held_names[partition->held]);
    gp_json_put_text(json, "holder", partition->holder);
    gp_json_put(json, "quarantined", json_boolean(partition->quarantined));
    return json;
}

static void partition_of(struct gp_json_reader *reader, const json_t *json,
                         struct gp_partition *ret)
{
    const char *held = gp_json_need_text(reader, json, "held");

    ret->index = (uint32_t)gp_json_number(reader, json, "index", UINT32_MAX);
    ret->device = device_of(reader, json, "device");
    ret->live = gp_json_bool(reader, json, "live");
    ret->profile = gp_json_text(reader, json, "profile");
    ret->type_id = (uint32_t)gp_json_number(reader, json, "typeId", UINT32_MAX);
    ret->driver = gp_json_text(reader, json, "driver");
    ret->group = (int32_t)gp_json_signed(reader, json, "group", -1, INT32_MAX);
    ret->held = strcmp(held, "no") == 0    ? GP_HELD_NO
                : strcmp(held, "yes") == 0 ? GP_HELD_YES
                                           : GP_HELD_UNKNOWN;
    ret->holder = gp_json_text(reader, json, "holder");
    ret->quarantined = gp_json_bool(reader, json, "quarantined");
}

json_t *gp_json_of_layout(const struct gp_layout *layout)
{
    json_t *json = gp_json_object();

    gp_json_put_text(json, "mode", gp_mode_name(layout->mode));
    gp_json_put_number(json, "count", layout->count);
    gp_json_put_text(json, "profile", layout->profile);
    gp_json_put_number(json, "typeId", layout->type_id);
    /* NULL and none are different wishes: "the first free ones" and "exactly no partition". */
    if (layout->exactly) {
        json_t *exactly = gp_json_array();

        for (size_t i = 0; i < layout->exactly_count; i++)
            if (json_array_append_new(exactly, json_of_partition(&layout->exactly[i])) < 0)
                abort();
        gp_json_put(json, "exactly", exactly);
    }
    return json;
}

void gp_json_layout(struct gp_json_reader *reader, const json_t *object, struct gp_layout *ret)
{
    const char *mode = gp_json_need_text(reader, object, "mode");
    const json_t *exactly = gp_json_items(reader, object, "exactly");
    enum gp_mode m = GP_MODE_NONE;

    while (m < GP_MODE_COUNT && strcmp(gp_mode_name(m), mode) != 0)
        m++;
    if (m == GP_MODE_COUNT) {
        gp_json_misfit(reader, "mode", "a known mode");
        m = GP_MODE_NONE;
    }
    *ret = (struct gp_layout){
        .mode = m,
        .count = (uint32_t)gp_json_number(reader, object, "count", UINT32_MAX),
        .profile = gp_json_text(reader, object, "profile"),
        .type_id = (uint32_t)gp_json_number(reader, object, "typeId", UINT32_MAX),
        .exactly_count = json_array_size(exactly),
    };
    if (exactly) {
        /* One more than needed: an empty array must not become NULL. */
        struct gp_partition *items =
            gp_new_array(reader->mem, struct gp_partition, ret->exactly_count + 1);

        for (size_t i = 0; i < ret->exactly_count; i++)
            partition_of(reader, json_array_get(exactly, i), &items[i]);
        ret->exactly = items;
    }
}

static json_t *json_of_snapshot_vm(const struct gp_snapshot_vm *vm)
{
    json_t *json = gp_json_object();

    gp_json_put_text(json, "uuid", vm->uuid);
    gp_json_put_text(json, "name", vm->name);
    gp_json_put(json, "ran", json_boolean(vm->ran));
    put_device(json, "device", vm->device);
    put_device(json, "live", vm->live);
    gp_json_put_text(json, "gpu", vm->gpu);
    gp_json_put_number(json, "partition", vm->partition);
    gp_json_put_text(json, "binding", vm->binding);
    gp_json_put_text(json, "pool", vm->pool);
    return json;
}

static void snapshot_vm_of(struct gp_json_reader *reader, const json_t *json,
                           struct gp_snapshot_vm *ret)
{
    ret->uuid = gp_json_need_text(reader, json, "uuid");
    ret->name = gp_json_need_text(reader, json, "name");
    ret->ran = gp_json_bool(reader, json, "ran");
    ret->device = device_of(reader, json, "device");
    ret->live = device_of(reader, json, "live");
    ret->gpu = gp_json_text(reader, json, "gpu");
    ret->partition = (uint32_t)gp_json_number(reader, json, "partition", UINT32_MAX);
    ret->binding = gp_json_text(reader, json, "binding");
    ret->pool = gp_json_text(reader, json, "pool");
}

json_t *gp_json_of_snapshot(const struct gp_snapshot *snapshot)
{
    json_t *json = gp_json_object(), *gpus = gp_json_array(), *vms = gp_json_array(), *units = gp_json_array();

    for (size_t i = 0; i < snapshot->gpu_count; i++) {
        json_t *gpu = gp_json_object();

        gp_json_put_text(gpu, "id", snapshot->gpus[i].id);
        gp_json_put_text(gpu, "identity", snapshot->gpus[i].identity);
        gp_json_put(gpu, "layout", gp_json_of_layout(&snapshot->gpus[i].layout));
        gp_json_put(gpu, "vfs", made(json_integer(snapshot->gpus[i].vf_count)));
        if (json_array_append_new(gpus, gpu) < 0)
            abort();
    }
    for (size_t i = 0; i < snapshot->vm_count; i++)
        if (json_array_append_new(vms, json_of_snapshot_vm(&snapshot->vms[i])) < 0)
            abort();
    gp_json_put(json, "gpus", gpus);
    for (size_t i = 0; i < snapshot->units.count; i++)
        if (json_array_append_new(units, made(json_string(snapshot->units.items[i]))) < 0)
            abort();
    gp_json_put(json, "vms", vms);
    gp_json_put(json, "units", units);
    return json;
}

struct gp_snapshot *gp_json_snapshot(struct gp_json_reader *reader, const json_t *object)
{
    struct gp_snapshot *snapshot = gp_new(reader->mem, struct gp_snapshot);
    const json_t *gpus = gp_json_items(reader, object, "gpus"),
                 *vms = gp_json_items(reader, object, "vms"),
                 *units = gp_json_items(reader, object, "units");

    snapshot->gpu_count = json_array_size(gpus);
    snapshot->vm_count = json_array_size(vms);
    snapshot->gpus = gp_new_array(reader->mem, struct gp_snapshot_gpu, snapshot->gpu_count);
    snapshot->vms = gp_new_array(reader->mem, struct gp_snapshot_vm, snapshot->vm_count);
    for (size_t i = 0; i < snapshot->gpu_count; i++) {
        const json_t *gpu = json_array_get(gpus, i);

        snapshot->gpus[i].id = gp_json_need_text(reader, gpu, "id");
        snapshot->gpus[i].identity = gp_json_text(reader, gpu, "identity");
        gp_json_layout(reader, gp_json_member(reader, gpu, "layout"), &snapshot->gpus[i].layout);
        snapshot->gpus[i].vf_count = (uint32_t)gp_json_number(reader, gpu, "vfs", UINT32_MAX);
    }
    for (size_t i = 0; i < snapshot->vm_count; i++)
        snapshot_vm_of(reader, json_array_get(vms, i), &snapshot->vms[i]);
    for (size_t i = 0; i < json_array_size(units); i++) {
        const char *name = json_string_value(json_array_get(units, i));

        if (name)
            *gp_push(reader->mem, snapshot->units.items, snapshot->units.count) = gp_strdup(reader->mem, name);
        else
            gp_json_misfit(reader, "units", "names of units");
    }
    return snapshot;
}
