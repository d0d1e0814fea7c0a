/* The middle of a pass: resolve → goal, plan → steps, gate → what may run now, verify.
 *
 * Pure: plain structs in, plain structs out of the arena given. The same input gives the same bytes. */
#pragma once

#include "model.h"

/* ---- findings ---- */

enum gp_level { GP_LEVEL_NOTE, GP_LEVEL_WARNING, GP_LEVEL_ERROR };
const char *gp_level_name(enum gp_level level);

struct gp_finding {
    const char *rule; /* "GP-E210": an id of the rule catalogue */
    enum gp_level level;
    struct gp_span at;
    const char *object; /* "gpu/slot3", "vm/NAME", "pool/vdi", "host", or NULL */
    const char *message;
};
/* By place, rule, object and message; one of several that say the same stays. */
void gp_findings_sort(struct gp_finding *findings, size_t *count);

/* ---- what mechanisms tell the planner ---- */

enum gp_step_kind {
    GP_STEP_STOP_VM,
    GP_STEP_DETACH,
    GP_STEP_STOP_UNIT,
    GP_STEP_RELEASE_PARTITION,
    GP_STEP_SET_VF_COUNT,
    GP_STEP_SET_MODE,
    GP_STEP_BIND_DRIVER,
    GP_STEP_PROVISION,
    GP_STEP_CREATE_PARTITION,
    GP_STEP_ATTACH,
    GP_STEP_REBIND,
    GP_STEP_MARK,
    GP_STEP_START_UNIT,
    GP_STEP_START_VM,
    GP_STEP_COUNT
};
const char *gp_step_kind_name(enum gp_step_kind kind); /* "stop-vm", … */

/* Whom a GPU step disturbs, if anyone is there: nobody, who holds that partition, who holds any
 * partition of the GPU, every guest with a GPU of that mechanism. */
enum gp_reach { GP_REACH_NOTHING, GP_REACH_PARTITION, GP_REACH_GPU, GP_REACH_HOST };

struct gp_step {
    uint32_t n;    /* from 1, in the order of the whole plan */
    uint32_t set;  /* index into gp_plan.sets */
    uint32_t wave; /* from 0 within its set: after each wave the fresh plan must equal the rest */
    enum gp_step_kind kind;
    enum gp_class class;
    enum gp_reach reach; /* GPU steps */
    const char *gpu;     /* gp_gpu.id, NULL: no GPU in it */
    int64_t partition;   /* index, -1: none (the GPU itself) */
    const char *vm;      /* UUID, NULL: no VM in it */
    const char *vm_name;
    const char *unit;    /* stop-unit, start-unit */
    const char *before, *after; /* absolute, as text: "4", "NVIDIA A2-4Q", "slot3/2", "running" */
    uint64_t value;      /* set-vf-count: the count; create-partition: the type id */
    const char *profile; /* create-partition, provision: the full name */
    const char *driver;  /* bind-driver */
    struct gp_device device_before, device; /* detach/rebind: what leaves; attach/rebind/mark: what comes, NONE while unknown */
    const char *binding, *pool; /* attach, rebind, mark: what the mark says */
    const char *reason;
    struct gp_span cause; /* the line of the declaration that forces it */
    uint32_t timeout_ms;
    struct gp_stop_policy stop; /* stop-vm: effective */
    struct gp_strings vms;      /* names of the VMs that it disturbs, sorted */
    uint32_t *depends_on;       /* n of earlier steps */
    size_t depends_count;
};

struct gp_steps {
    struct gp_arena *mem;
    struct gp_step *items;
    size_t count;
};
/* Appends a zeroed step with partition -1. */
struct gp_step *gp_steps_add(struct gp_steps *steps, enum gp_step_kind kind, const char *gpu);

struct gp_layout {
    enum gp_mode mode;
    uint32_t count;
    const char *profile; /* full name; NULL where the mechanism has none */
    uint32_t type_id;
    /* For the way back only: the partitions that existed, by index, with their own device (mdev UUID).
     * NULL: the first @count free ones. */
    const struct gp_partition *exactly;
    size_t exactly_count;
};

/* The pure part of a provider, as the core sees it. */
struct gp_mechanism {
    const char *name;
    /* Whether @gpu is as @want already: such a layout is accepted whatever made it. */
    bool (*matches)(const struct gp_gpu *gpu, const struct gp_layout *want);
    /* Appends the steps from what @gpu is to @want, in the order they must be done. NULL error: it can be
     * done. GP_E_UNSUPPORTED says what is missing. */
    struct gp_error *(*plan)(const struct gp_gpu *gpu, const struct gp_layout *want,
                             struct gp_steps *steps);
    /* What @gpu becomes if @step does what it says. @mem holds what is new. */
    void (*predict)(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step);
};

/* By name; NULL if there is none. Handed to the core by whoever calls it. */
typedef const struct gp_mechanism *gp_mechanism_lookup(const char *name);

/* ---- the goal: what shall be, object by object, on this host ---- */

struct gp_goal_gpu {
    const char *id;
    bool managed;          /* false: no pool claims it, leave it alone */
    struct gp_layout want; /* meaningful if managed and not blocked */
    const struct gp_pool_decl *pool; /* NULL on the way back */
    struct gp_span cause;
    const char *rule, *blocked; /* rule id and why nothing may be done with it; NULL: free */
};

struct gp_goal_vm {
    const char *uuid, *name;
    bool managed;    /* false: leave it alone: it is neither edited nor stopped */
    const char *left_alone; /* why it is, where it is more than that no binding names it: "which …"; NULL otherwise */
    const char *gpu; /* partition wanted: GPU id and index; NULL: none */
    uint32_t partition;
    bool pending;    /* wants one, but there is none for it (GP-W306) */
    struct gp_device lost; /* NONE, or what it had there and is gone: it gets nothing else for it, and stays down */
    bool run;        /* shall be running at the end: it runs now, or a start is owed */
    bool next_start; /* its running instance is left alone */
    bool without_gpu;
    const char *binding, *pool;
    struct gp_stop_policy stop; /* effective: cluster's, overridden by the binding's */
    struct gp_span cause;
    const char *rule, *blocked;
};

struct gp_goal_unit {
    const char *name;
    bool run;      /* shall be running at the end: it runs now, or a start is owed */
};

struct gp_goal {
    const char *commit, *cluster; /* NULL on the way back */
    struct gp_goal_gpu *gpus; /* one for each GPU of the host, by address */
    size_t gpu_count;
    struct gp_goal_vm *vms; /* one for each VM of the host, by name */
    size_t vm_count;
    struct gp_goal_unit *units; /* as have->units */
    size_t unit_count;
    struct gp_finding *findings; /* by place, then rule */
    size_t finding_count;
    bool declared; /* this host is in exactly one cluster; else observe only */
    bool drained;
    uint32_t owned, removed; /* bindings of ours on this host; those of them that the declaration leaves out */
    bool refused;            /* the commit removes more than it may (GP-E311): nothing of it is done */
    struct gp_policy policy; /* effective: the stricter of host and repository */
};

/* ---- what the state directory remembers, as far as the core needs it ---- */

/* Key "gpu/<id>" or "vm/<uuid>"; value as gp_*_value() gives it. */
struct gp_applied {
    const char *key, *value, *commit;
    const char *who; /* of a GPU gp_gpu_identity(), of a VM its name then; NULL: was not written down */
    uint64_t since_us; /* realtime */
};

struct gp_owed {
    const char *vm, *name;  /* UUID, name */
    uint64_t until_us;      /* realtime: a stop that comes later is the user's own */
    bool stop_requested;    /* asked to stop but still running: owed when it goes down */
};

struct gp_memory {
    struct gp_applied *applied; /* by key */
    size_t applied_count;
    struct gp_owed *owed; /* by vm */
    size_t owed_count;
    struct gp_strings owed_units;  /* names, sorted: stopped around a change and not started yet */
    struct gp_strings quarantined; /* "slot3/2" */
};
const struct gp_applied *gp_memory_applied(const struct gp_memory *memory, const char *key);
/* The same of the card @gpu itself; NULL if it was another one's that was in its place. */
const struct gp_applied *gp_memory_applied_gpu(struct gp_arena *mem, const struct gp_memory *memory,
                                               const struct gp_gpu *gpu);

/* Canonical one-line values, compared as text: "partitioned 4 NVIDIA A2-4Q", "none"; "slot3/2", "slot3", "-". */
const char *gp_gpu_value(struct gp_arena *mem, const struct gp_gpu *gpu);
const char *gp_layout_value(struct gp_arena *mem, const struct gp_layout *layout);
/* What tells this card from another in its place: "10de:25b6 10de:157e pci0000:00/0000:00:03.0/0000:08:00.0", and
 * " serial NUMBER" where it is known. */
const char *gp_gpu_identity(struct gp_arena *mem, const struct gp_gpu *gpu);
/* Whether two identities are one card's: the ids and, where both tell it, the serial number, else the path. NULL (not
 * written down) is nobody's. */
bool gp_identity_eq(const char *a, const char *b);
/* The partition that the persistent definition gives it and that is ours; "-" none. */
const char *gp_vm_value(struct gp_arena *mem, const struct gp_have *have, const struct gp_vm *vm);
/* The same of what @goal wants for it: "slot3" where it gets the whole GPU. */
const char *gp_goal_vm_value(struct gp_arena *mem, const struct gp_goal *goal, const struct gp_have *have,
                             const struct gp_goal_vm *vm);
/* Whether @vm runs without what its persistent definition gives it of ours: it has that from its next start on. Until
 * then nothing of it was verified, so nothing is applied. */
bool gp_vm_awaits_start(const struct gp_vm *vm);

/* ---- resolve ---- */

struct gp_resolve_input {
    const struct gp_declaration *declaration;
    const struct gp_agent_decl *agent;
    const struct gp_have *have;
    const struct gp_memory *memory;
    gp_mechanism_lookup *mechanism;
    bool unknown;             /* what is wanted cannot be told: nobody is to blame for not being declared */
    uint32_t allowed_removal; /* of the commit's trailer; 0: it has none */
    /* GP-E311 is only told: nothing is applied from here, or a person who saw the plan named its id. */
    bool removal_warns;
    /* Live approvals by object ("gpu/slot3"): what a GPU needs once that somebody else had partitioned
     * otherwise. NULL: none. */
    const struct gp_strings *approved;
};
/* Which pool owns each GPU, which partition each VM gets: kept, then the VM's NUMA node, then placement,
 * then GPU by address and partition by index. Mistakes that need a host become findings that block only
 * the object they name. */
struct gp_goal *gp_resolve(struct gp_arena *mem, const struct gp_resolve_input *input);

/* ---- difference ---- */

struct gp_difference {
    const char *object; /* "gpu/slot3", "vm/NAME" */
    const char *key;    /* "gpu/slot3", "vm/UUID" */
    const char *path;   /* "partitions.count", "partitions.profile", "mode", "partition" */
    const char *rule;   /* drift: GP-D801… ; changes: NULL */
    const char *before, *after; /* change: applied and wanted; drift: expected and observed */
    const char *reason;
    struct gp_span cause;
};
/* @over's fields where given, else @base's, else the product's. */
struct gp_stop_policy gp_stop_effective(const struct gp_stop_policy *base,
                                        const struct gp_stop_policy *over);
/* Why @vm (NULL: nobody's) is to have no partition. */
const char *gp_goal_unbound_reason(const struct gp_goal *goal, const struct gp_goal_vm *vm);

/* ---- plan ---- */

enum gp_verdict {
    GP_VERDICT_RUN,     /* may be done now */
    GP_VERDICT_WAITS,   /* for a window, an approval, a budget: GP-E501, 502, 503 */
    GP_VERDICT_REPORTS, /* drift that policy only reports */
    GP_VERDICT_BLOCKED  /* an object in it cannot be done */
};

/* Of the VMs that a host stops, so many are asked at a time. Each has its turn until it is down, at most for so long: then
 * libvirt gives its agent up (edge/virt_ask.c). */
enum { GP_STOPS_AT_ONCE = 12, GP_STOP_TURN_MS = 70000 };
/* How long a guest is waited for that was forced off: QEMU gets 10 s to end by itself, then libvirt kills it
 * (src/qemu/qemu_process.c, virProcessKillPainfully). */
enum { GP_STOP_FORCE_MS = 40000 };

/* GPUs and VMs that touch, and the steps that change them: stops, reshapes, starts, restores by itself. */
struct gp_set {
    const char *id; /* its smallest GPU id, or VM name where it has no GPU */
    struct gp_strings gpus; /* ids */
    struct gp_strings vms;  /* UUIDs */
    struct gp_strings uses; /* ids of the GPUs of which a VM that it stops or edits has, loses or gets something, sorted */
    struct gp_strings stops; /* names of the VMs that it stops */
    struct gp_strings only_start; /* UUIDs: their binding is blocked, but the start that is owed is done */
    struct gp_strings not_started; /* UUIDs: owed a start that has to wait (GP-W508) */
    struct gp_strings units; /* names of those that it stops and starts, or only starts */
    uint32_t gpus_changed;
    enum gp_class class; /* the highest of its steps */
    bool change, drift;  /* has an object that the commit changes; that drifted */
    enum gp_verdict verdict;
    const char *rule, *why; /* of a verdict other than RUN */
    uint64_t duration_ms;   /* sum of the timeouts of its waves, and of waiting for a turn: what must fit in a window */
};

enum { GP_PLAN_ID_DIGITS = 12 };

struct gp_plan {
    const char *id; /* GP_PLAN_ID_DIGITS hex digits; of an empty plan too */
    struct gp_step *steps;
    size_t step_count;
    struct gp_set *sets;
    size_t set_count;
    struct gp_difference *changes, *drift;
    size_t change_count, drift_count;
    struct gp_finding *findings; /* the goal's and the plan's */
    size_t finding_count;
    enum gp_class class;
};

struct gp_plan_input {
    const struct gp_goal *goal;
    const struct gp_have *have;
    const struct gp_memory *memory;
    gp_mechanism_lookup *mechanism;
    uint64_t reserve_memory, host_memory; /* bytes; 0: not checked */
    /* Between the waves of a set: only its objects are planned for, and together, as one set with its id,
     * though what is left of it might not touch any more. NULL: the whole host. */
    const struct gp_set *within;
};
/* Every step of all waves, predicted. A set that cannot be done is BLOCKED, has findings and no steps. */
struct gp_plan *gp_plan(struct gp_arena *mem, const struct gp_plan_input *input);

/* The laws that can be checked on one plan before it runs: 1, 3, 4, 8 and the order of steps. NULL if it
 * keeps them, else GP_E_BUG with the step. Run on every plan, in production too. */
struct gp_error *gp_plan_check(const struct gp_plan_input *input, const struct gp_plan *plan) GP_MUST_CHECK;

/* What @have becomes when @plan's steps of @set (UINT32_MAX: all) with verdict RUN or any are done. */
struct gp_have *gp_plan_predict(struct gp_arena *mem, const struct gp_plan_input *input,
                                const struct gp_plan *plan, uint32_t set);
/* What one step does to @have. */
void gp_step_predict(struct gp_arena *mem, struct gp_have *have, gp_mechanism_lookup *mechanism,
                     const struct gp_step *step);

/* Whether @step takes away the partition @symbol ("slot3/2"): what is there later is another one. */
bool gp_step_takes_away(struct gp_arena *mem, const struct gp_step *step, const char *symbol);

/* Whether set @set of @plan is starts and nothing else: those that are owed. What gpupart stopped comes up whatever waits, is
 * blocked or was refused. */
bool gp_plan_only_starts(const struct gp_plan *plan, size_t set);
/* Whether the commit wants another layout of GPU @id than what was applied to it; not where it only drifted. */
bool gp_plan_changes_gpu(const struct gp_plan *plan, const char *id);

/* Which steps of @fresh have their turn at @wave, counted as @planned counts: those that it has in that wave or an earlier
 * one of the same set. *ret_any: whether one of them can be done now; what stands behind a step that is not due moves
 * nothing on. */
const bool *gp_plan_due(struct gp_arena *mem, const struct gp_plan *planned, uint32_t wave, const struct gp_plan *fresh,
                        bool *ret_any);

/* Whether the steps of set @set_id in @fresh are those of wave @from_wave and later in @planned, up to
 * addresses and numbering. NULL, or GP_E_CHANGED telling the first that differs. */
struct gp_error *gp_plan_compare_rest(const struct gp_plan *planned, const struct gp_plan *fresh,
                                      const char *set_id, uint32_t from_wave) GP_MUST_CHECK;

/* ---- gate ---- */

struct gp_approval {
    const char *plan_id; /* or a set's gates: the id that was approved */
    uint64_t until_us;
};
#define GP_WINDOW_CLOSED UINT32_MAX
struct gp_gate_input {
    const struct gp_policy *policy; /* effective */
    uint64_t now_us;                /* realtime */
    /* Minutes since Monday 00:00 in each window's own time zone, one for each of policy->windows (the edge
     * knows time zones; the core does not); GP_WINDOW_CLOSED: the zone is not known. */
    const uint32_t *window_now;
    const struct gp_approval *approvals;
    size_t approval_count;
    const struct gp_strings *paused; /* "host", "vm/NAME", "gpu/ID" */
    bool dry; /* plan and report: verdicts are told but budgets are not consumed */
};
/* Sets the verdict of every set. */
void gp_gate(struct gp_arena *mem, const struct gp_gate_input *input, struct gp_plan *plan);

/* ---- the way back ---- */

/* What was seen of one set before its first disturbing step. */
struct gp_snapshot_gpu {
    const char *id;
    const char *identity; /* gp_gpu_identity(); NULL: was not written down */
    struct gp_layout layout; /* with exactly */
    uint32_t vf_count; /* 0: none, or it was not written down */
};
struct gp_snapshot_vm {
    const char *uuid, *name;
    bool ran; /* and is to run again; who was paused did not, and it is its owner's to make it go on */
    struct gp_device device; /* our hostdev's source, NONE: none */
    struct gp_device live;   /* what it had of our GPUs, if it was not off; NONE: nothing: it may differ from its definition */
    const char *gpu;         /* and what it was, NULL: none of ours */
    uint32_t partition;
    const char *binding, *pool;
};
struct gp_snapshot {
    struct gp_snapshot_gpu *gpus;
    size_t gpu_count;
    struct gp_snapshot_vm *vms;
    size_t vm_count;
    struct gp_strings units; /* names of those that ran */
};
struct gp_snapshot *gp_snapshot_take(struct gp_arena *mem, const struct gp_have *have,
                                     const struct gp_set *set);
/* @earlier, with what @set of @plan has besides as it is now: one way back for all. A GPU that the commit does not change is left
 * out: it drifted by what was begun (the mdev of a guest that was stopped is gone, say), and is not as it was before. */
struct gp_snapshot *gp_snapshot_grow(struct gp_arena *mem, const struct gp_snapshot *earlier, const struct gp_have *have,
                                     const struct gp_plan *plan, const struct gp_set *set);
/* The goal that restores @snapshot; objects not in it are left alone. Who has to be stopped for it is stopped as @wanted says
 * (NULL: nobody can tell, so as where nothing says how). */
struct gp_goal *gp_snapshot_goal(struct gp_arena *mem, const struct gp_snapshot *snapshot,
                                 const struct gp_have *have, const struct gp_goal *wanted);

/* ---- verify ---- */

/* NULL if every object of @set is in @have as @goal says (layout, persistent definition, power,
 * units); else
 * GP_E_CHANGED naming the first that is not. */
struct gp_error *gp_verify(const struct gp_goal *goal, const struct gp_have *have,
                           const struct gp_set *set, gp_mechanism_lookup *mechanism) GP_MUST_CHECK;
