#include "registry.h"

#include "cleanup.h"
#include "discover.h"
#include "mdev/mdev.h"
#include "nvidia/vfio.h"
#include "passthrough/passthrough.h"
#include "provider.h"
#include "sriov/sriov.h"
#include "text.h"

/* In the order in which they are asked: the last takes what is left. */
static const struct gp_provider *const providers[] = {
    &gp_provider_nvidia_vfio,
    &gp_provider_mdev,
    &gp_provider_sriov,
    &gp_provider_passthrough,
};
#define PROVIDER_COUNT (sizeof providers / sizeof *providers)

static const char *const names[] = {"nvidia-vfio", "mdev", "sriov", "passthrough", NULL};
_Static_assert(sizeof names / sizeof *names == PROVIDER_COUNT + 1, "a name for each provider");

const char *const *gp_registry_names(void)
{
    return names;
}

static const struct gp_provider *find(const char *name)
{
    for (size_t i = 0; i < PROVIDER_COUNT; i++) {
        if (gp_streq(providers[i]->mechanism.name, name))
            return providers[i];
    }
    return NULL;
}

const struct gp_mechanism *gp_registry_mechanism(const char *name)
{
    const struct gp_provider *provider = find(name);

    return provider ? &provider->mechanism : NULL;
}

const char *gp_registry_type_file(const char *name)
{
    const struct gp_provider *provider = find(name);

    return provider ? provider->type_file : NULL;
}

/* What could not be read is unknown, not empty. */
static void give_up(struct gp_arena *mem, struct gp_gpu *gpu, struct gp_error *err)
{
    gp_cleanup(gp_free_p) char *line = gp_error_line(err);

    gpu->status = GP_GPU_UNKNOWN;
    gpu->reason = gp_strdup(mem, line);
    gpu->held = GP_HELD_UNKNOWN;
    for (size_t i = 0; i < gpu->partition_count; i++)
        gpu->partitions[i].held = GP_HELD_UNKNOWN;
    gp_error_free(err);
}

static void observe(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    for (size_t i = 0; i < PROVIDER_COUNT; i++) {
        struct gp_error *err;

        if (!providers[i]->claims(host, gpu))
            continue;
        gpu->mechanism = providers[i]->mechanism.name;
        err = providers[i]->observe(host, mem, gpu);
        if (err)
            give_up(mem, gpu, err);
        return;
    }
}

struct gp_error *gp_registry_observe(struct gp_host *host, struct gp_arena *mem,
                                     const struct gp_agent_decl *agent, struct gp_gpu **ret_gpus,
                                     size_t *ret_count)
{
    const char *sriov_manage = host->sriov_manage;
    struct gp_gpu *gpus;
    size_t count;
    struct gp_error *err = gp_discover(host, mem, &gpus, &count);

    if (err)
        return err;
    if (!host->sriov_manage && agent)
        host->sriov_manage = agent->sriov_manage;
    for (size_t i = 0; i < count; i++) {
        if (gpus[i].status != GP_GPU_UNKNOWN)
            observe(host, mem, &gpus[i]);
    }
    host->sriov_manage = sriov_manage;
    *ret_gpus = gpus;
    *ret_count = count;
    return NULL;
}

struct gp_error *gp_registry_apply(struct gp_host *host, const struct gp_gpu *gpu,
                                   const struct gp_step *step)
{
    const struct gp_provider *provider = find(gpu->mechanism);

    if (!provider)
        return gp_error_new(GP_E_UNSUPPORTED, "nothing here knows how to change %s", gpu->id);
    if (!host->may_change)
        return gp_error_new(GP_E_REFUSED, "%s was not changed: nothing may be changed here", gpu->id);
    return provider->apply(host, gpu, step);
}

struct gp_error *gp_registry_keep(struct gp_host *host, const struct gp_gpu *gpu, const struct gp_partition *partition)
{
    const struct gp_provider *provider = find(gpu->mechanism);

    return provider && provider->keep ? provider->keep(host, gpu, partition) : NULL;
}
