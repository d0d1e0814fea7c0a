/* What may be done: the stricter of what the repository says and what the host allows. */
#include "resolve.h"

/* What a policy says that says nothing. */
static const enum gp_allow default_on_commit[GP_CLASS_COUNT] = {
    [GP_CLASS_NONE] = GP_ALLOW_AUTO,
    [GP_CLASS_VM] = GP_ALLOW_AUTO,
    [GP_CLASS_GPU] = GP_ALLOW_AUTO,
    [GP_CLASS_HOST] = GP_ALLOW_APPROVE,
};
static const enum gp_allow default_on_drift[GP_CLASS_COUNT] = {
    [GP_CLASS_NONE] = GP_ALLOW_AUTO,
    [GP_CLASS_VM] = GP_ALLOW_REPORT,
    [GP_CLASS_GPU] = GP_ALLOW_REPORT,
    [GP_CLASS_HOST] = GP_ALLOW_REPORT,
};

enum { STOP_TIMEOUT_MS = 180 * 1000, STOP_LATE_MS = 60 * 60 * 1000 };

static enum gp_allow stricter(enum gp_allow wanted, enum gp_allow otherwise, enum gp_allow ceiling)
{
    if (wanted == GP_ALLOW_UNSET)
        wanted = otherwise;
    return ceiling != GP_ALLOW_UNSET && ceiling < wanted ? ceiling : wanted;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

struct gp_policy gp_policy_effective(const struct gp_cluster_decl *cluster,
                                     const struct gp_agent_decl *agent)
{
    struct gp_policy policy = {.max_vms_stopped = UINT32_MAX, .max_gpus_changed = UINT32_MAX};

    if (cluster)
        policy = cluster->policy;
    for (int class = 0; class < GP_CLASS_COUNT; class++) {
        if (!cluster)
            policy.on_commit[class] = policy.on_drift[class] = GP_ALLOW_REPORT;
        policy.on_commit[class] = stricter(policy.on_commit[class], default_on_commit[class],
                                           agent->ceiling_on_commit[class]);
        policy.on_drift[class] = stricter(policy.on_drift[class], default_on_drift[class],
                                          agent->ceiling_on_drift[class]);
    }
    policy.max_vms_stopped = smaller(policy.max_vms_stopped, agent->ceiling_vms_stopped);
    policy.max_gpus_changed = smaller(policy.max_gpus_changed, agent->ceiling_gpus_changed);
    policy.stop = gp_stop_effective(&policy.stop, &(struct gp_stop_policy){0});
    return policy;
}

struct gp_stop_policy gp_stop_effective(const struct gp_stop_policy *base,
                                        const struct gp_stop_policy *over)
{
    struct gp_stop_policy stop = *base;

    if (over->timeout_ms)
        stop.timeout_ms = over->timeout_ms;
    if (!stop.timeout_ms)
        stop.timeout_ms = STOP_TIMEOUT_MS;
    if (over->method[0] != GP_STOP_NONE) {
        stop.method[0] = over->method[0];
        stop.method[1] = over->method[1];
    }
    if (stop.method[0] == GP_STOP_NONE) {
        stop.method[0] = GP_STOP_AGENT;
        stop.method[1] = GP_STOP_ACPI;
    }
    if (over->on_timeout_given) {
        stop.on_timeout_given = true;
        stop.force = over->force;
    }
    if (over->late_within_ms)
        stop.late_within_ms = over->late_within_ms;
    if (!stop.late_within_ms)
        stop.late_within_ms = STOP_LATE_MS;
    return stop;
}
