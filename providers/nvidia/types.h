/* NVIDIA's vGPU types: the list a VF offers, and what a type's name tells. Pure. */
#pragma once

#include "arena.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gp_nvidia_type {
    uint32_t id;
    const char *name; /* "NVIDIA A2-4Q" */
};

/* Reads creatable_vgpu_types: a header line, then "ID : NAME" lines. The columns are not relied on, since
 * ids above 9999 would break them. GP_E_IO for anything else. */
struct gp_error *gp_nvidia_types_parse(struct gp_arena *mem, const char *text,
                                       struct gp_nvidia_type **ret, size_t *ret_count) GP_MUST_CHECK;

/* How many partitions of the type @name a GPU of @vram_mib holds, from the size in its name ("L40S-3B": 3 GB).
 * 0 if it cannot be told: another form of name, or backed by MIG ("DC-1-24Q"), where the geometry decides.
 * Fact: without MIG at most 32 vGPUs share a GPU. */
uint32_t gp_nvidia_type_count(const char *name, uint32_t vram_mib);
/* The nominal size in that name; 0 if there is none. */
uint32_t gp_nvidia_type_mib(const char *name);
