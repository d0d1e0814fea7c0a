#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "catalog.h"
#include "text.h"

#include <string.h>

Test(catalog, knows_what_was_looked_up_by_hand)
{
    const struct gp_catalog_gpu *a2 = gp_catalog_find("NVIDIA A2");
    const struct gp_valid_count *found = NULL;

    cr_assert(a2 != NULL);
    cr_assert(eq(u16, a2->vendor_id, 0x10de));
    cr_assert(eq(u32, a2->vram_mib, 16384));
    cr_assert(eq(u32, a2->totalvfs, 16));
    cr_assert(eq(u32, a2->vf_offset, 4));
    cr_assert(eq(str, (char *)a2->family, "ampere"));
    for (size_t i = 0; i < a2->valid_count; i++)
        if (gp_streq(a2->valid[i].profile, "NVIDIA A2-4Q"))
            found = &a2->valid[i];
    cr_assert(found != NULL);
    cr_assert(eq(u32, found->count, 4));
    cr_assert(eq(u32, found->type_id, 746));
    cr_assert(eq(u32, found->vram_mib, 3776));
}

/* The A2 and a GPU of the A16 have one device id; only the subsystem tells them apart. */
Test(catalog, subsystem_tells_boards_apart)
{
    cr_assert(
        eq(str, (char *)gp_catalog_identify(0x10de, 0x25b6, 0x10de, 0x157e)->model, "NVIDIA A2"));
    cr_assert(
        eq(str, (char *)gp_catalog_identify(0x10de, 0x25b6, 0x10de, 0x14a9)->model, "NVIDIA A16"));
    cr_assert(gp_catalog_identify(0x10de, 0x25b6, 0x1028, 0x0001) == NULL);
    cr_assert(
        eq(str, (char *)gp_catalog_identify(0x10de, 0x27b8, 0x1028, 0x0001)->model, "NVIDIA L4"));
    cr_assert(gp_catalog_identify(0x8086, 0x27b8, 0, 0) == NULL);
}

/* Laws: names are found again, ids lead back, counts fall, a profile has one count and size. */
Test(catalog, holds_together)
{
    cr_assert(ge(sz, gp_catalog_count, 40));
    for (size_t g = 0; g < gp_catalog_count; g++) {
        const struct gp_catalog_gpu *gpu = &gp_catalog[g];

        cr_expect(gp_catalog_find(gpu->model) == gpu, "%s is not found", gpu->model);
        cr_expect(gp_streq(gp_catalog_names()[g], gpu->model));
        cr_expect(gpu->mechanisms[0] != NULL);
        for (size_t i = 0; i < gpu->pci_count; i++)
            cr_expect(gp_catalog_identify(gpu->vendor_id, gpu->pci[i].device,
                                          gpu->pci[i].subsystem_vendor,
                                          gpu->pci[i].subsystem_device) == gpu,
                      "%s is not found by its ids", gpu->model);
        for (size_t i = 0; i < gpu->valid_count; i++) {
            const struct gp_valid_count *way = &gpu->valid[i];

            cr_expect(gt(u32, way->count, 0));
            cr_expect(gpu->vram_mib == 0 || (uint64_t)way->vram_mib * way->count <= gpu->vram_mib,
                      "%s: %u times %u MiB", gpu->model, way->count, way->vram_mib);
            cr_expect(
                i == 0 || way[-1].count > way->count ||
                    (way[-1].count == way->count && gp_strcmp(way[-1].profile, way->profile) < 0),
                "%s: order", gpu->model);
            cr_expect(way->profile == NULL || strchr(way->profile, ' ') != NULL,
                      "%s lacks its brand", way->profile);
        }
    }
    cr_assert(gp_catalog_names()[gp_catalog_count] == NULL);
}
