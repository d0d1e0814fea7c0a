#include "work.h"

#include "cleanup.h"
#include "clock.h"
#include "resolved.h"
#include "run.h"
#include "text.h"

enum { LIBVIRT_WAIT_MS = 60000, LIBVIRT_POLL_MS = 250 };

struct gp_goal *gp_goal_of_set(struct gp_arena *mem, const struct gp_goal *goal, const struct gp_set *set)
{
    struct gp_goal *only = gp_memdup(mem, goal, sizeof *goal);

    only->gpus = gp_memdup(mem, goal->gpus, sizeof *goal->gpus * goal->gpu_count);
    only->vms = gp_memdup(mem, goal->vms, sizeof *goal->vms * goal->vm_count);
    only->units = gp_memdup(mem, goal->units, sizeof *goal->units * goal->unit_count);
    for (size_t i = 0; i < only->gpu_count; i++)
        only->gpus[i].managed = only->gpus[i].managed && gp_strings_have(&set->gpus, only->gpus[i].id);
    for (size_t i = 0; i < only->vm_count; i++) {
        const bool ours = gp_strings_have(&set->vms, only->vms[i].uuid);

        only->vms[i].managed = only->vms[i].managed && ours;
        /* Another set may just have stopped it, and will start it itself. */
        only->vms[i].run = only->vms[i].run && ours;
    }
    return only;
}

const char *gp_vm_is_down(struct gp_arena *mem, const char *vm, const char *why)
{
    return gp_printf(mem, "VM %s is down (%s): virsh start %s", vm, why, gp_shell_word(mem, vm));
}

const char *gp_unit_is_down(struct gp_arena *mem, const char *unit, const char *why)
{
    return gp_printf(mem, "%s is down (%s): systemctl start %s", unit, why, gp_shell_word(mem, unit));
}

const char *gp_work_down(const struct gp_work *work)
{
    struct gp_text text = {.mem = work->mem};

    for (size_t i = 0; i < work->down.count; i++)
        gp_text_addf(&text, "%s%s", i ? "; " : "",
                     gp_unit_is_down(work->mem, work->down.items[i].name, work->down.items[i].reason));
    return gp_text_get(&text);
}

void gp_work_end(struct gp_work *work)
{
    if (work->has_units)
        (void)pthread_mutex_unlock(&work->pass->units_lock);
    work->has_units = false;
}

struct gp_error *gp_work_look(struct gp_work *work)
{
    const uint64_t deadline = gp_monotonic_ms() + LIBVIRT_WAIT_MS;

    for (;;) {
        struct gp_error *err = gp_pass_observe(work->pass, work->host, work->mem, &work->have);

        if (err || !work->have->vms_unknown)
            return err;
        if (gp_monotonic_ms() >= deadline)
            return gp_error_new(GP_E_IO, "the guests cannot be looked at: %s", work->have->vms_reason);
        gp_sleep_ms(LIBVIRT_POLL_MS);
    }
}

struct gp_error *gp_work_hold(struct gp_work *work, const char *why)
{
    const struct gp_set *set = work->set;
    struct gp_error *err = NULL;

    for (size_t i = 0; !err && i < set->vms.count; i++)
        err = gp_run_hold(work->pass->run, set->vms.items[i], why);
    if (!err && work->have)
        err = gp_resolved_forget(work->pass, work->have, set);
    return err;
}

void gp_work_release(struct gp_pass *pass, const struct gp_set *set)
{
    for (size_t i = 0; i < set->vms.count; i++)
        gp_run_release(pass->run, set->vms.items[i]);
}

/* One that was asked to stop, and runs, may go down yet: it stays owed. So does one that is paused, which could not be made
 * to go on. */
static bool is_paid(const struct gp_owed *owed, const struct gp_record *record, const struct gp_have *have)
{
    const struct gp_vm *vm = gp_have_vm(have, owed->vm);

    if (owed->stop_requested || !vm || vm->power != GP_POWER_RUNNING)
        return false;
    for (size_t i = 0; i < record->snapshot->vm_count; i++)
        if (gp_streq(record->snapshot->vms[i].uuid, owed->vm))
            return true;
    return false;
}

struct gp_error *gp_work_remove_record(struct gp_pass *pass, const struct gp_record *record, const struct gp_have *have)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_memory *memory = gp_pass_memory(pass, mem);
    struct gp_error *paid = NULL, *err;

    (void)pthread_mutex_lock(&pass->state_lock);
    for (size_t i = 0; !paid && i < memory->owed_count; i++)
        if (is_paid(&memory->owed[i], record, have))
            paid = gp_state_clear_owed(pass->state, memory->owed[i].vm);
    err = gp_state_remove_record(pass->state, record->set);
    (void)pthread_mutex_unlock(&pass->state_lock);
    gp_pass_unwritten(pass, paid); /* a start that stays owed to a VM that runs does nothing */
    return err;
}
