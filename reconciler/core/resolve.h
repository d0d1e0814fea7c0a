/* What the files of gp_resolve() share; nobody else includes it. */
#pragma once

#include "plan.h"

/* What a GPU's pool means for it: one for each of have->gpus. */
struct gp_claim {
    bool never;                        /* neverTouch names the GPU: it is in no pool */
    const struct gp_pool_decl **pools; /* that it fits: more than one block it */
    size_t pool_count;
    const struct gp_pool_decl *pool;  /* the first of them; NULL: none */
    bool whole;                       /* a VM gets all of it */
    bool matches;                     /* is as wanted already */
    uint32_t vram_mib;                /* of what a VM gets; 0: unknown */
    const struct gp_gpu *after;       /* what it is then; NULL: its mechanism cannot tell now */
    uint32_t *anew;                   /* partitions that are taken away on the way there, by index */
    size_t anew_count;
    bool all_disturbed;               /* whoever runs with any of it stops on the way */
    struct gp_place_slot {
        uint32_t index;
        enum gp_slot_state { GP_SLOT_FREE, GP_SLOT_LEAVING, GP_SLOT_TAKEN } state;
        bool kept; /* given to the VM that had it */
    } *slots; /* partitions of the wanted layout, by index; one for a whole GPU */
    size_t slot_count, taken_count;
};

/* A partition, by the GPU's place in have->gpus. */
struct gp_spot {
    size_t gpu;
    uint32_t index;
    bool whole; /* the GPU itself */
};

/* Who wants a VM to have a partition: one for each of have->vms. */
struct gp_wish {
    const struct gp_binding_decl *binding; /* NULL: nobody */
    const struct gp_vm_decl *decl;
    const struct gp_pool_decl *pool; /* NULL: the cluster has none of that name */
    bool kept;                       /* has the partition that it had: @spot */
    struct gp_spot spot;
};

struct gp_resolve {
    struct gp_arena *mem;
    const struct gp_resolve_input *input;
    const struct gp_have *have;
    const struct gp_cluster_decl *cluster; /* NULL: not declared */
    const struct gp_host_decl *host;
    struct gp_claim *claims;
    struct gp_wish *wishes;
    struct gp_goal *goal;
};

void gp_resolve_find(struct gp_resolve *r, const char *rule, enum gp_level level, struct gp_span at,
                     const char *object, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* An error that names the object and blocks it; the first reason stays. */
void gp_resolve_block_gpu(struct gp_resolve *r, struct gp_goal_gpu *gpu, const char *rule,
                          struct gp_span at, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void gp_resolve_block_vm(struct gp_resolve *r, struct gp_goal_vm *vm, const char *rule,
                         struct gp_span at, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* VM @n is untouchable and would have to be changed. */
void gp_resolve_block_untouchable(struct gp_resolve *r, size_t n);

/* Sets r->cluster, r->host, goal->declared and goal->drained. */
void gp_resolve_host(struct gp_resolve *r);
/* Which GPUs neverTouch names. */
void gp_resolve_never(struct gp_resolve *r);
/* Which pool owns each GPU, and how it is cut. */
void gp_resolve_pools(struct gp_resolve *r);
/* What is odd about GPUs that stand side by side. */
void gp_resolve_sets(struct gp_resolve *r);
/* GPUs like those of a pool that are in none: told when the layouts are known. */
void gp_resolve_left_out(struct gp_resolve *r);
/* Whether GPU @n can be used in its pool's mode, and what that would risk; it is blocked if not. */
void gp_resolve_able(struct gp_resolve *r, size_t n);
/* The layout of GPU @n, which has a pool and nothing against it. */
void gp_resolve_layout(struct gp_resolve *r, size_t n);
/* Which VMs are bound, and to which pool. */
void gp_resolve_bindings(struct gp_resolve *r);
/* Whether GPU @gpu cannot be cut anew for those who are on it, and is blocked from now on. */
bool gp_resolve_reshape(struct gp_resolve *r, size_t gpu);
/* Which bound VMs keep the partition that they have, or had. */
void gp_resolve_keep(struct gp_resolve *r);
/* Tells of partitions that more than one VM is defined with, when it is known who leaves. */
void gp_resolve_shared(struct gp_resolve *r);
/* Whether the plan will take @spot, which VM @n has now, from it, unless the whole set of it waits. */
bool gp_resolve_is_leaving(struct gp_resolve *r, size_t n, struct gp_spot spot);
/* Which partition each other bound VM gets. */
void gp_resolve_assign(struct gp_resolve *r);
/* What is known of bound guests and of the host that could spoil their partition. */
void gp_resolve_guests(struct gp_resolve *r);

/* Whether @vm has a hostdev of ours in either definition. */
bool gp_vm_is_ours(const struct gp_vm *vm);
/* The partition that @device is, also while it does not exist: a VF's address can be told from its PF. */
bool gp_spot_of_device(const struct gp_have *have, struct gp_device device, struct gp_spot *ret);
/* The same of a hostdev of @vm; a mdev that is gone is known by the VM's mark alone. */
bool gp_spot_of_hostdev(const struct gp_have *have, const struct gp_vm *vm,
                        const struct gp_hostdev *dev, struct gp_spot *ret);
/* "slot3/2", or "slot3" for the whole of it. */
bool gp_spot_of_symbol(const struct gp_have *have, const char *symbol, struct gp_spot *ret);
bool gp_spot_eq(struct gp_spot a, struct gp_spot b);
/* Whether one VM at a time can run with @a or @b: they are one, or in one IOMMU group. Fact: libvirt
 * src/hypervisor/virhostdev.c, virHostdevIsPCINodeDeviceUsed(), asked of each device of the group. */
bool gp_spots_meet(const struct gp_have *have, struct gp_spot a, struct gp_spot b);
const char *gp_spot_text(struct gp_resolve *r, struct gp_spot spot);
/* Whether the persistent or live definition of @vm has @spot. */
bool gp_vm_names(const struct gp_have *have, const struct gp_vm *vm, struct gp_spot spot);
/* Whether either definition has what meets @spot. */
bool gp_vm_meets(const struct gp_have *have, const struct gp_vm *vm, struct gp_spot spot);
/* Whether somebody holds @spot who is no VM that is known to. */
bool gp_spot_held_by_stranger(const struct gp_have *have, struct gp_spot spot);
/* Whether what is there as partition @index now is taken away, though there may be one again. */
bool gp_claim_makes_anew(const struct gp_claim *claim, uint32_t index);
/* Whether the GPU fits @pool, whoever else has it. */
bool gp_claim_is_of(const struct gp_claim *claim, const struct gp_pool_decl *pool);
struct gp_place_slot *gp_claim_slot(const struct gp_claim *claim, uint32_t index);
/* Whether what a VM gets there has what the binding asks for. */
bool gp_claim_fits(const struct gp_claim *claim, const struct gp_binding_decl *binding);

/* The stricter of @cluster's policy (NULL: observe only) and @agent's ceilings. */
struct gp_policy gp_policy_effective(const struct gp_cluster_decl *cluster,
                                     const struct gp_agent_decl *agent);
