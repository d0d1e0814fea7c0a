#include "mdev/types.h"

#include "cleanup.h"
#include "settle.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* The number after @key in "a=1, key=2", 0 if it is not there or past @max. */
static uint32_t number_of(const char *text, const char *key, uint32_t max)
{
    size_t size = strlen(key);

    for (const char *at = strstr(text, key); at; at = strstr(at + 1, key)) {
        unsigned long value;

        if ((at > text && at[-1] != ' ' && at[-1] != ',') || at[size] != '=')
            continue;
        value = strtoul(at + size + 1, NULL, 10);
        return value > max ? 0 : (uint32_t)value;
    }
    return 0;
}

void gp_mdev_description_parse(const char *text, struct gp_mdev_type *type)
{
    type->max_instance = number_of(text, "max_instance", GP_MDEV_INSTANCES_MAX);
    type->framebuffer_mib = number_of(text, "framebuffer", UINT32_MAX);
}

/* NULL in @ret if there is no such file: name and description are optional. */
static struct gp_error *read_optional(struct gp_host *host, struct gp_arena *mem, const char *path,
                                      const char **ret)
{
    struct gp_error *err = gp_host_read(host, mem, path, ret);

    if (err && err->code == GP_E_GONE) {
        gp_error_free(err);
        *ret = NULL;
        return NULL;
    }
    return err;
}

/* 746 of "nvidia-746", 0 of "i915-GVTg_V5_4". */
static uint32_t id_of(const char *dir)
{
    const char *dash = strrchr(dir, '-');

    if (!dash || !dash[1] || strspn(dash + 1, "0123456789") != strlen(dash + 1) || strlen(dash + 1) > 9)
        return 0;
    return (uint32_t)strtoul(dash + 1, NULL, 10);
}

static struct gp_error *read_type(struct gp_host *host, struct gp_arena *mem, const char *path,
                                  struct gp_mdev_type *type)
{
    const char *name, *description;
    struct gp_error *err = read_optional(host, mem, gp_printf(mem, "%s/name", path), &name);

    if (!err)
        err = read_optional(host, mem, gp_printf(mem, "%s/description", path), &description);
    if (err)
        return err;
    if (description)
        gp_mdev_description_parse(description, type);
    /* What a parent offers at most is asked only where the driver does not tell it for good. */
    if (!type->max_instance)
        err = gp_host_read_u32(host, gp_printf(mem, "%s/available_instances", path), GP_MDEV_INSTANCES_MAX,
                               &type->available);
    type->name = gp_text_plain(gp_strdup(mem, name && *name ? name : type->dir));
    type->id = id_of(type->dir);
    return err;
}

struct gp_error *gp_mdev_types_read(struct gp_host *host, struct gp_arena *mem, const char *parent,
                                    struct gp_mdev_type **ret, size_t *ret_count)
{
    const char *dir = gp_printf(mem, "%s/mdev_supported_types", parent);
    struct gp_mdev_type *types = NULL;
    struct gp_strings names;
    size_t count = 0;
    struct gp_error *err = gp_host_list(host, mem, dir, &names);

    for (size_t i = 0; !err && i < names.count; i++) {
        struct gp_mdev_type *type = gp_push(mem, types, count);

        type->dir = names.items[i];
        err = read_type(host, mem, gp_printf(mem, "%s/%s", dir, type->dir), type);
    }
    if (err)
        return err;
    *ret = types;
    *ret_count = count;
    return NULL;
}

struct gp_error *gp_mdev_type_find(struct gp_host *host, struct gp_arena *mem, const char *parent,
                                   const char *profile, uint32_t id, const char **ret)
{
    const char *dir = gp_printf(mem, "%s/mdev_supported_types", parent);
    struct gp_strings names;
    struct gp_error *err = gp_host_list(host, mem, dir, &names);

    *ret = NULL;
    for (size_t i = 0; !err && i < names.count; i++) {
        const char *name = NULL;
        uint32_t its_id = id_of(names.items[i]);

        if (!id || !its_id)
            err = read_optional(host, mem, gp_printf(mem, "%s/%s/name", dir, names.items[i]), &name);
        if (!err && gp_profile_eq(name && *name ? name : names.items[i], its_id, profile, id)) {
            *ret = names.items[i];
            return NULL;
        }
    }
    return err;
}
