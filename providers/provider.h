/* For those who write providers: one mechanism of partitioning is one folder with one of these. The rest
 * of the program sees registry.h alone. */
#pragma once

#include "host.h"
#include "model.h"
#include "plan.h"

struct gp_provider {
    /* The pure part: name as shown in plans and by `gpupart inventory`, matches, plan, predict. */
    struct gp_mechanism mechanism;
    const char *doc; /* one line */
    /* The file or link below a partition's device that tells its type, for the start hook; NULL: there is none. */
    const char *type_file;

    /* Whether the GPU @gpu (identity, driver and SR-IOV fields filled in by discovery) is handled by this
     * mechanism on this host, now. Reads, changes nothing. Providers are asked in registry order. */
    bool (*claims)(struct gp_host *host, const struct gp_gpu *gpu);
    /* Reads status, mode, count, profile, valid counts and partitions into @gpu, allocated from @mem.
     * Changes nothing. A fact that cannot be read is unknown, not zero. */
    struct gp_error *(*observe)(struct gp_host *host, struct gp_arena *mem,
                                struct gp_gpu *gpu) GP_MUST_CHECK;
    /* Does one GPU step that mechanism.plan() gave, on @gpu as freshly observed, and reads it back. Doing
     * it again is harmless. Blocks until it is so or @step->timeout_ms has passed. */
    struct gp_error *(*apply)(struct gp_host *host, const struct gp_gpu *gpu,
                              const struct gp_step *step) GP_MUST_CHECK;
    /* The guest that held @partition of @gpu, both as they were seen before, has ended, and the partition is to stay: where
     * the driver takes it along with its guest, makes it again as it was. Blocks as long as the driver may take. NULL: no
     * driver does that. */
    struct gp_error *(*keep)(struct gp_host *host, const struct gp_gpu *gpu,
                             const struct gp_partition *partition) GP_MUST_CHECK;
};
