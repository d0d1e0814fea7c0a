#include "resolve_rows.h"

#include "cleanup.h"
#include "text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

struct world *resolve_rows_world(struct gp_arena *mem)
{
    struct world *world = world_new(mem);
    struct gp_binding_decl *binding;

    world_gpu(world, 3);
    world_pool(world, "vdi", 4, NULL);
    binding = world_binding(world, "desktops", "vdi");
    world_bind(world, binding, "a");
    world_bind(world, binding, "b");
    world_vm(world, "a");
    world_vm(world, "b");
    return world;
}

/* UUIDs are made from names; the rows say "UUID-A". */
static const char *with_uuids(struct gp_arena *mem, const char *text)
{
    static const struct {
        const char *word, *vm;
    } uuids[] = {{"UUID-A", "a"}, {"UUID-B", "b"}};

    for (size_t n = 0; n < sizeof uuids / sizeof *uuids; n++) {
        const char *at = strstr(text, uuids[n].word);

        if (at)
            text = gp_printf(mem, "%.*s%s%s", (int)(at - text), text,
                             gp_uuid5(mem, "vm", uuids[n].vm), at + strlen(uuids[n].word));
    }
    return text;
}

void resolve_row_check(const struct resolve_row *row)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct world *world = resolve_rows_world(mem);
    struct gp_goal *goal;

    row->change(world);
    goal = world_resolve(world);
    cr_assert(eq(str, (char *)world_text(mem, goal), (char *)row->goal), "%s", row->name);
    cr_assert(eq(str, (char *)world_findings(mem, goal), (char *)with_uuids(mem, row->findings)), "%s", row->name);
}
