/* NVIDIA's virtual functions: all enabled at once by the vendor's sriov-manage, then left alone; partitions
 * are made on them by other means (vendor VFIO, or mdev on older kernels).
 * Fact: the PF driver has no SR-IOV callback, so writing sriov_numvfs is ENOENT; the tool binds the PF to
 * pci-pf-stub for a moment, and may leave it there when it fails. */
#pragma once

#include "host.h"
#include "model.h"
#include "plan.h"

#define GP_NVIDIA_VENDOR 0x10de
#define GP_NVIDIA_DRIVER "nvidia"

/* Whether @gpu is an NVIDIA GPU whose VFs come from the tool. */
bool gp_nvidia_has_vfs(const struct gp_gpu *gpu);

/* What partitions are made with on the VFs of @gpu. It is the host's kernel and driver that decide, not the
 * model; before there are VFs the better guess is given, and after enabling them it is asked again. */
enum gp_nvidia_framework { GP_NVIDIA_NONE, GP_NVIDIA_VFIO, GP_NVIDIA_MDEV };
enum gp_nvidia_framework gp_nvidia_framework(struct gp_host *host, const struct gp_gpu *gpu);

/* Whether the first VF has @leaf. *ret_gap says what is missing, NULL if it is there. */
struct gp_error *gp_nvidia_vfs_have(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                                    const char *leaf, const char **ret_gap) GP_MUST_CHECK;

/* Why VFs cannot be had from @gpu as it is, in @gpu's status and reason, if they cannot; sets vfs_by_tool
 * where the tool is configured and there. True: nothing more is to be said about @gpu. */
bool gp_nvidia_vfs_observe(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu);

/* ---- pure ---- */

/* Appends bind-driver and set-vf-count so that all VFs (@on) or none are there, and predicts them on @gpu, a
 * scratch copy. The driver nvidia comes first, also where VFs only go: the tool takes that driver's lock. @by_pci: a partition is the VF itself. */
struct gp_error *gp_nvidia_vfs_plan(struct gp_gpu *gpu, bool on, bool by_pci,
                                    struct gp_steps *steps) GP_MUST_CHECK;
/* The whole plan of a mechanism on such VFs: VFs on, then profiles; or profiles away, VFs off, whole. */
struct gp_error *gp_nvidia_plan(const struct gp_gpu *gpu, const struct gp_layout *want, bool by_pci,
                                struct gp_steps *steps) GP_MUST_CHECK;
void gp_nvidia_vfs_predict(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step,
                           bool by_pci);

/* ---- effects ---- */

/* set-vf-count: all or 0, by the tool, tried again while somebody has the GPU open. */
struct gp_error *gp_nvidia_vfs_apply(struct gp_host *host, const struct gp_gpu *gpu,
                                     const struct gp_step *step) GP_MUST_CHECK;
