/* One VM as the model knows it, from the definitions that libvirt gave. Pure. */
#include "virt_private.h"

#include "domain.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

const char gp_virt_job_reason[] = "has a job running (backup, migration, save or dump)";

/* Why the definition may not be changed, whether it runs or not. */
static const char *find_untouchable(struct gp_arena *mem, const struct gp_virt_seen *seen,
                                    const struct gp_domain_facts *facts)
{
    if (facts->other_manager)
        return gp_printf(mem, "is managed by %s", facts->other_manager);
    if (seen->managed_save)
        return "has a managed-save image, which holds the devices it was saved with";
    return NULL;
}

/* Why @vm may not be stopped (or, while it is off, touched), for people; the first that holds. */
static const char *find_reason(struct gp_arena *mem, const struct gp_virt_seen *seen,
                               const struct gp_domain_facts *facts)
{
    const char *untouchable = find_untouchable(mem, seen, facts);

    if (untouchable)
        return untouchable;
    if (!seen->persistent)
        return "is transient: once stopped, it would be gone";
    if (seen->power == GP_POWER_OFF)
        return NULL;
    if (seen->power == GP_POWER_PAUSED)
        return "is paused, and cannot answer a request to stop";
    if (seen->power == GP_POWER_OTHER)
        return "is neither running nor shut off (crashed, suspended by its guest, or shutting "
               "down)";
    if (!facts->on_poweroff_destroy)
        return gp_printf(
            mem, "has on_poweroff '%s', and would not be off after it stopped (needs 'destroy')",
            facts->on_poweroff);
    if (facts->block_job)
        return "has a block job running (a disk is being copied or committed)";
    if (seen->job)
        return gp_virt_job_reason;
    return NULL;
}

struct gp_error *gp_virt_vm(struct gp_arena *mem, const struct gp_virt_seen *seen,
                            const char *machine_id, struct gp_vm *ret)
{
    struct gp_domain_facts live = {0}, inactive = {0};
    struct gp_virt_seen now = *seen;
    const struct gp_domain_facts *most;
    struct gp_error *err;

    if (seen->live) {
        err = gp_domain_read(mem, seen->live, strlen(seen->live), machine_id, &live);
        if (err)
            return err;
    }
    if (seen->inactive) {
        err = gp_domain_read(mem, seen->inactive, strlen(seen->inactive), machine_id, &inactive);
        if (err)
            return err;
    }
    /* Asked for the live definition of a domain that has just stopped, libvirt gives the other one.
     */
    if (!live.running) {
        live = (struct gp_domain_facts){0};
        now.power = GP_POWER_OFF;
    }
    if (!live.name && !inactive.name)
        return gp_error_new(GP_E_GONE, "the domain is gone");
    most = live.name ? &live : &inactive;
    *ret = (struct gp_vm){
        .name = most->name,
        .uuid = most->uuid,
        .power = now.power,
        .persistent = seen->persistent,
        .autostart = seen->autostart,
        .unstoppable = find_reason(mem, &now, most),
        .job_known = seen->job_known,
        .untouchable = find_untouchable(mem, &now, most),
        .has_agent = live.agent_connected,
        .memory_kib = most->memory_kib,
        .guest_os = most->guest_os,
        .numa_nodes = most->numa_nodes,
        .cpus = most->cpus,
        .mark = inactive.name ? inactive.mark : live.mark,
        .mark_fits = inactive.name ? inactive.mark_fits : live.mark_fits,
        .live = live.devs,
        .live_count = live.dev_count,
        .persistent_devs = inactive.devs,
        .persistent_count = inactive.dev_count,
    };
    return NULL;
}

static int compare_vms(const void *a, const void *b)
{
    const struct gp_vm *x = a, *y = b;
    int order = gp_strcmp(x->name, y->name);

    return order ? order : gp_strcmp(x->uuid, y->uuid);
}

void gp_virt_sort(struct gp_have *have)
{
    if (have->vm_count)
        qsort(have->vms, have->vm_count, sizeof *have->vms, compare_vms);
}
