/* The types of mediated devices that a parent offers. */
#pragma once

#include "host.h"
#include "model.h"

/* More than any parent offers (the most of NVIDIA's are 64): every instance gets a slot, so the number is not just
 * believed. */
#define GP_MDEV_INSTANCES_MAX 1024

struct gp_mdev_type {
    const char *dir;       /* "nvidia-746", "i915-GVTg_V5_4" */
    const char *name;      /* the profile: the file name's content, else @dir */
    uint32_t id;           /* 746 of nvidia-746, 0: not a number */
    uint32_t max_instance; /* NVIDIA: per GPU; 0: not told */
    uint32_t framebuffer_mib;
    uint32_t available; /* on this parent, now */
};

/* Reads <parent>/mdev_supported_types, by directory name. @parent as gp_sysfs_pci() gives it. */
struct gp_error *gp_mdev_types_read(struct gp_host *host, struct gp_arena *mem, const char *parent,
                                    struct gp_mdev_type **ret, size_t *ret_count) GP_MUST_CHECK;

/* The directory of the type @profile, or of number @id where that is known (no file is read then). NULL in @ret
 * if @parent has none. */
struct gp_error *gp_mdev_type_find(struct gp_host *host, struct gp_arena *mem, const char *parent,
                                   const char *profile, uint32_t id, const char **ret) GP_MUST_CHECK;

/* Takes max_instance and framebuffer from "num_heads=4, …, framebuffer=4096M, …, max_instance=4"; other texts
 * leave both 0. Pure. Fact: recorded on an A2 host. */
void gp_mdev_description_parse(const char *text, struct gp_mdev_type *type);
