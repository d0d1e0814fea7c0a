#include "applied.h"

#include "cleanup.h"
#include "resolved.h"
#include "text.h"

struct gp_error *gp_applied_remember(struct gp_pass *pass, struct gp_host *host, const struct gp_have *have,
                                     const struct gp_set *set)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_error *err = NULL;

    (void)pthread_mutex_lock(&pass->state_lock);
    for (size_t i = 0; !err && i < have->gpu_count; i++)
        if (gp_strings_have(&set->gpus, have->gpus[i].id))
            err = gp_state_set_applied(pass->state, gp_printf(mem, "gpu/%s", have->gpus[i].id),
                                       gp_gpu_value(mem, &have->gpus[i]), pass->commit,
                                       gp_gpu_identity(mem, &have->gpus[i]));
    for (size_t i = 0; !err && i < have->vm_count; i++) {
        const char *key = gp_printf(mem, "vm/%s", have->vms[i].uuid);
        const char *value = gp_vm_value(mem, have, &have->vms[i]);

        if (!gp_strings_have(&set->vms, have->vms[i].uuid))
            continue;
        /* What it has from its next start on is not drift if that is to be now. */
        if (gp_streq(value, "-") || gp_vm_awaits_start(&have->vms[i]))
            err = gp_state_forget_applied(pass->state, key);
        else
            err = gp_state_set_applied(pass->state, key, value, pass->commit, have->vms[i].name);
    }
    if (!err)
        err = gp_resolved_remember(pass, host, have, set);
    (void)pthread_mutex_unlock(&pass->state_lock);
    return err;
}
