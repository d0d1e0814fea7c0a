/* GPU models that are known without looking at one: ids, sizes, valid partition counts.
 *
 * Built from schema/catalog.yaml at build time. Facts of the host win over it. */
#pragma once

#include "model.h"

#include <stddef.h>

struct gp_catalog_gpu {
    const char *model;        /* "NVIDIA A2": what `match.model` names */
    const char *vendor;       /* "nvidia", "intel", "amd" */
    uint16_t vendor_id;
    const struct gp_catalog_pci {
        uint16_t device;
        uint16_t subsystem_vendor, subsystem_device; /* 0: any */
    } *pci;
    size_t pci_count;
    const char *family; /* "ampere"; NULL: unknown */
    uint32_t vram_mib;  /* nominal, of one GPU; 0: unknown */
    uint32_t totalvfs, vf_offset, vf_stride; /* 0: unknown */
    uint32_t vf_device;                      /* 0: as the PF */
    const char *const *mechanisms; /* as the catalogue spells them, ended by NULL */
    const struct gp_valid_count *valid; /* by count descending, then profile; empty: counts are not known */
    size_t valid_count;
};

extern const struct gp_catalog_gpu gp_catalog[];
extern const size_t gp_catalog_count;

/* By name (exact); NULL if it is not known. */
const struct gp_catalog_gpu *gp_catalog_find(const char *model);
/* By ids: the entry whose subsystem fits (A2 and A16 differ in nothing else), before one that takes any. */
const struct gp_catalog_gpu *gp_catalog_identify(uint16_t vendor, uint16_t device,
                                                 uint16_t subsystem_vendor,
                                                 uint16_t subsystem_device);
/* All names, ended by NULL: for "did you mean". */
const char *const *gp_catalog_names(void);
