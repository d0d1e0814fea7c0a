#include "catalog.h"

#include "text.h"

const struct gp_catalog_gpu *gp_catalog_find(const char *model)
{
    for (size_t i = 0; model && i < gp_catalog_count; i++)
        if (gp_streq(gp_catalog[i].model, model))
            return &gp_catalog[i];
    return NULL;
}

const struct gp_catalog_gpu *gp_catalog_identify(uint16_t vendor, uint16_t device,
                                                 uint16_t subsystem_vendor,
                                                 uint16_t subsystem_device)
{
    const struct gp_catalog_gpu *any = NULL;

    for (size_t i = 0; i < gp_catalog_count; i++) {
        if (gp_catalog[i].vendor_id != vendor)
            continue;
        for (size_t n = 0; n < gp_catalog[i].pci_count; n++) {
            const struct gp_catalog_pci *pci = &gp_catalog[i].pci[n];

            if (pci->device != device)
                continue;
            if (pci->subsystem_vendor == subsystem_vendor &&
                pci->subsystem_device == subsystem_device)
                return &gp_catalog[i];
            if (!pci->subsystem_vendor && !pci->subsystem_device && !any)
                any = &gp_catalog[i];
        }
    }
    return any;
}

const char *const *gp_catalog_names(void)
{
    static const char *names[256];

    if (!names[0])
        for (size_t i = 0; i < gp_catalog_count && i + 1 < sizeof names / sizeof *names; i++)
            names[i] = gp_catalog[i].model;
    return names;
}
