/* One pass: read what is wanted, look at what is there, work out the difference, do it step by step, look
 * again. `plan` and `report` stop after the third part; `apply` and `reconcile` go to the end; the daemon
 * runs the same code in a child. */
#pragma once

#include "git.h"
#include "host.h"
#include "model.h"
#include "plan.h"
#include "schema.h"
#include "state.h"
#include "virt.h"

#include <pthread.h>
#include <stdatomic.h>

/* What `gpupart` ends with. Where several hold, the first of 6, 5, 1, 78, 77, 64, 9, 3, 4, 7, 8, 2, 0 is told. */
enum gp_exit {
    GP_EXIT_OK = 0,
    GP_EXIT_FAILURE = 1,
    GP_EXIT_DIFFERENCES = 2,
    GP_EXIT_INVALID = 3,
    GP_EXIT_REFUSED = 4,
    GP_EXIT_RESTORED = 5,
    GP_EXIT_NOT_RESTORED = 6,
    GP_EXIT_INCOMPLETE = 7,
    GP_EXIT_LOCKED = 8,
    GP_EXIT_REBOOT = 9,
    GP_EXIT_USAGE = 64,
    GP_EXIT_PERMISSION = 77,
    GP_EXIT_CONFIG = 78
};
/* The one of two that is told. */
int gp_exit_worse(int a, int b);
struct gp_pass;
/* Whether something that the pass is about could not be looked at: the guests, or a GPU that a pool claims (any GPU
 * where no declaration was read). */
bool gp_pass_incomplete(const struct gp_pass *pass);
/* What an error that ends a command means for its exit status. */
int gp_exit_of(enum gp_errc code);

struct gp_pass_options {
    const char *root;    /* "/" */
    const char *connect; /* libvirt's URI; NULL: GpuAgent's, else qemu:///system */
    const char *config;  /* GpuAgent's file; a file that is not there is an empty GpuAgent unless it was named */
    bool config_given;
    const char *state;   /* the state directory; NULL: /var/lib/gpupart, and for another root than "/" the one in it */
    const char *dir;     /* desired state from a working tree; NULL: from git */
    const char *git_url, *git_ref, *git_path; /* NULL: GpuAgent's */
    const char *host;    /* which host this is; NULL: GpuAgent's name, else the short host name */
    bool capture;        /* @root is one of several captures, so GpuAgent's name is not its host's: it names its host itself, or
                          * is named for it */
    bool simulate;       /* changing something under a root other than "/" is meant */
    bool change;         /* this pass may change the host: takes the lock and a read-write connection */
    bool offline;        /* no fetch: the newest verified commit */
    const struct gp_pass *like; /* what this one read is wanted here too, and outlives this pass; NULL: it is read */
};

struct gp_hung;
struct gp_run;

struct gp_pass {
    struct gp_arena *mem;
    struct gp_pass_options options;
    struct gp_host host;
    struct gp_virt *virt;        /* NULL: a capture, or libvirt is not there (have->vms_unknown tells); gp_pass_virt() */
    pthread_mutex_t virt_lock;   /* one connection serves all sets; whoever finds it dead opens it again for all */
    struct gp_state *state;
    bool captured;               /* the state is what a capture has of its host: it is read, and no repository is with it */
    struct gp_run *run;          /* what the start hook reads; NULL: this pass changes nothing */
    pthread_mutex_t state_lock;  /* sets run side by side, the state directory takes one writer */
    pthread_mutex_t units_lock;  /* whoever stops units of the host has it until they run again; recursive */
    struct gp_load config, load; /* GpuAgent; the declaration */
    struct gp_agent_decl *agent; /* never NULL after open: defaults where there is no file */
    const char *host_name, *machine_id, *connect;
    bool trace_plan; /* GPUPART_TRACE has "plan" */

    enum gp_git_state git_state;
    const char *git_why;    /* why it is stale */
    const char *commit;     /* of the declaration in use; NULL: a working tree */
    const char *refused;    /* head that could not be used, and why; NULL: none */
    uint32_t allowed_removal; /* of the commit's trailer; 0: none */
    bool unknown;           /* what is wanted cannot be told: nothing is managed, what is owed is still started */
    int desire_exit;        /* GP_EXIT_OK, or why the head is not what is in use */

    struct gp_have *have;
    struct gp_goal *goal;
    struct gp_plan *plan;
    struct gp_drift_note {
        enum gp_drift_news news;
        uint64_t since_us;
    } *drift_notes; /* one for each of plan->drift; set by gp_pass_tell() */

    bool *taken_back; /* one for each of plan->sets: it failed in this pass, and went its way back; NULL: none was begun */

    struct gp_record *records; /* what an earlier pass left unfinished */
    size_t record_count;
    struct gp_gone_back {
        const char *set;
        int exit;
    } *gone_back; /* the ways back that this pass began with */
    size_t gone_back_count;
    int recover_exit;

    struct gp_hung *hung; /* writes that did not come back (hung.h); under state_lock */
    struct gp_error *unwritten; /* of gp_pass_unwritten(); NULL: all was written */

    atomic_bool *cancelled; /* SIGTERM: no new disturbing step; NULL: never */
};

/* Opens configuration, host, libvirt and state. On failure what was opened is closed again. */
struct gp_error *gp_pass_open(const struct gp_pass_options *options, struct gp_pass *pass) GP_MUST_CHECK;
void gp_pass_close(struct gp_pass *pass);

/* Takes what came of a change of the state directory that no guest waits for (NULL: it is done). The first that failed is
 * kept in pass->unwritten: nothing that disturbs is begun any more, what is owed is done all the same, and it is told at the
 * end. The caller does not hold pass->state_lock. */
void gp_pass_unwritten(struct gp_pass *pass, struct gp_error *err);

/* Reads what is wanted. A head that is refused or invalid is told in pass->refused and desire_exit, and the
 * newest verified commit is used instead, if there is one; pass->load.failed if there is nothing to use. */
struct gp_error *gp_pass_desire(struct gp_pass *pass) GP_MUST_CHECK;

/* Another handle on the pass's host, for a thread of its own: struct gp_host serves one thread. Closed with
 * gp_host_close(). */
struct gp_error *gp_pass_host_open(const struct gp_pass *pass, struct gp_host *ret) GP_MUST_CHECK;

/* The connection to libvirt, made anew if it has died, and a reference to it: another set may find it dead, and replace
 * it, while this one still uses it. Given back with gp_virt_close(). Blocks for ten seconds at most. GP_E_UNSUPPORTED
 * for a capture, else as gp_virt_open(). */
struct gp_error *gp_pass_virt(struct gp_pass *pass, struct gp_virt **ret) GP_MUST_CHECK;

/* Looks at the host through @host: GPUs and guests, from @mem. What cannot be read is unknown, not absent. */
struct gp_error *gp_pass_observe(struct gp_pass *pass, struct gp_host *host, struct gp_arena *mem,
                                 struct gp_have **ret) GP_MUST_CHECK;

/* Asks whether a job runs on @vm, if it runs and nobody has asked; a capture says what it says. */
struct gp_error *gp_pass_observe_job(struct gp_pass *pass, struct gp_vm *vm) GP_MUST_CHECK;

/* desire → observe → resolve → plan → check → gate, into the members above. @approved: a plan id that a person
 * named on the command line, which counts as approval of it; NULL: none. A pass that may change the host and ends here has told
 * why. */
struct gp_error *gp_pass_plan(struct gp_pass *pass, const char *approved) GP_MUST_CHECK;

/* A copy of what the state directory remembers, in @mem: sets that run side by side change the original. */
const struct gp_memory *gp_pass_memory(struct gp_pass *pass, struct gp_arena *mem);

/* What gp_plan() takes for @goal and @have, with what is remembered now, in @mem. */
struct gp_plan_input gp_pass_plan_input(struct gp_pass *pass, struct gp_arena *mem, const struct gp_goal *goal,
                                        const struct gp_have *have);

/* Does every set of pass->plan with verdict RUN, side by side, and restores those that fail; finishes or
 * restores first what an earlier pass left. Tells the journal, the state and @ret_exit, which holds what was known of it also
 * where an error comes back. */
struct gp_error *gp_pass_apply(struct gp_pass *pass, int *ret_exit) GP_MUST_CHECK;

/* Whether set @set of pass->plan is done by gp_pass_apply(): it may run, and a commit that is refused holds up no start that is
 * owed. */
static inline bool gp_pass_runs(const struct gp_pass *pass, size_t set)
{
    return pass->plan->sets[set].verdict == GP_VERDICT_RUN &&
           (!pass->goal->refused || gp_plan_only_starts(pass->plan, set));
}

/* Journal, conditions and applied values of what a plan says without doing it: drift news, adopted objects,
 * refused commits, waiting sets. */
struct gp_error *gp_pass_tell(struct gp_pass *pass) GP_MUST_CHECK;

/* Journal and conditions of a pass that ends, for @why, before it has a plan. @head: that is the head of what this host follows,
 * which is refused. */
struct gp_error *gp_pass_tell_end(struct gp_pass *pass, const struct gp_error *why, bool head) GP_MUST_CHECK;
