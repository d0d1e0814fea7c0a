#include "rescue.h"

#include "cleanup.h"
#include "hung.h"
#include "resolved.h"
#include "run.h"
#include "text.h"
#include "units.h"

/* The GPU of @vm's partition, then or now, if a write to it hangs; NULL: none. */
static const char *hung_under(struct gp_work *work, const struct gp_snapshot_vm *vm)
{
    if (vm->gpu && gp_hung_at(work->pass, vm->gpu))
        return vm->gpu;
    return gp_hung_under(work->pass, work->mem, work->have, vm->uuid);
}

/* ---- who is started ---- */

/* What is ours of its definition and is not there: one at most, since there is one partition a VM. */
static const struct gp_hostdev *find_lost(const struct gp_have *have, const char *uuid)
{
    const struct gp_vm *vm = gp_have_vm(have, uuid);

    for (size_t i = 0; vm && i < vm->persistent_count; i++) {
        struct gp_gpu *gpu = NULL;
        struct gp_partition *partition = NULL;
        const bool found = gp_have_find(have, vm->persistent_devs[i].device, &gpu, &partition);

        if (vm->persistent_devs[i].ours &&
            (!found || (partition ? !partition->live : gpu->mode != GP_MODE_PASSTHROUGH)))
            return &vm->persistent_devs[i];
    }
    return NULL;
}

static bool goes_without(const struct gp_pass *pass, const char *uuid)
{
    for (size_t i = 0; pass->goal && i < pass->goal->vm_count; i++)
        if (gp_streq(pass->goal->vms[i].uuid, uuid))
            return pass->goal->vms[i].without_gpu;
    return false;
}

/* ifUnrestorable: without-gpu. Its partition leaves its definition, and what was applied to it is forgotten: so a later
 * pass takes its binding for a change, and gives it one again as a commit may. */
static struct gp_error *take_lost(struct gp_work *work, struct gp_virt *virt, const char *uuid, bool *ret_taken)
{
    const struct gp_hostdev *lost = goes_without(work->pass, uuid) ? find_lost(work->have, uuid) : NULL;
    struct gp_error *err;

    *ret_taken = false;
    if (!lost)
        return NULL;
    err = gp_virt_edit(virt, &(struct gp_edit){.kind = GP_EDIT_DETACH,
                                               .uuid = uuid,
                                               .before = lost->device,
                                               .mark = {.host = work->pass->machine_id}});
    if (err)
        return err;
    *ret_taken = true;
    (void)pthread_mutex_lock(&work->pass->state_lock);
    err = gp_state_forget_applied(work->pass->state, gp_printf(work->mem, "vm/%s", uuid));
    (void)pthread_mutex_unlock(&work->pass->state_lock);
    return err;
}

/* Why it is better down than up; whoever is up stays so. */
static struct gp_error *may_come_up(struct gp_work *work, const struct gp_snapshot_vm *was)
{
    const struct gp_vm *vm = work->have ? gp_have_vm(work->have, was->uuid) : NULL;
    const char *hung = hung_under(work, was);

    if (vm && vm->power != GP_POWER_OFF)
        return NULL;
    if (gp_pass_host_stops(work->pass))
        return gp_error_new(GP_E_LOCKED, "the host is shutting down: nobody is started");
    return hung ? gp_hung_error(hung) : NULL;
}

static struct gp_error *start_vm(struct gp_work *work, const struct gp_snapshot_vm *vm, bool *ret_without)
{
    enum { START_TIMEOUT_MS = 120000 };
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = NULL;
    struct gp_error *err = gp_pass_virt(work->pass, &virt);

    *ret_without = false;
    if (!err)
        err = may_come_up(work, vm);
    if (err)
        return err;
    gp_run_release(work->pass->run, vm->uuid);
    err = take_lost(work, virt, vm->uuid, ret_without);
    if (!err)
        err = gp_virt_start(virt, vm->uuid, START_TIMEOUT_MS);
    if (err)
        return err;
    (void)pthread_mutex_lock(&work->pass->state_lock);
    err = gp_state_clear_owed(work->pass->state, vm->uuid);
    (void)pthread_mutex_unlock(&work->pass->state_lock);
    gp_error_free(err); /* a start that stays owed to a VM that runs does nothing */
    return NULL;
}

static void start_units(struct gp_work *work, const struct gp_strings *units, struct gp_text *left)
{
    enum { UNIT_TIMEOUT_MS = 60000 };

    for (size_t i = 0; i < units->count; i++) {
        struct gp_error *err = gp_pass_start_unit(work->pass, units->items[i], UNIT_TIMEOUT_MS);

        if (err) {
            gp_cleanup(gp_free_p) char *line = gp_error_line(err);

            gp_text_addf(left, "%s%s", left->size ? "; " : "", gp_unit_is_down(work->mem, units->items[i], line));
            gp_error_free(err);
        }
    }
}

/* A guest that came up without its GPU runs so from now on, as far as a way back is concerned: none stops it again. Nor
 * does a way forward before the card is as it was: that would stop it in vain. */
static void keep_record_of(struct gp_work *work, const struct gp_record *record, const struct gp_snapshot *snapshot)
{
    struct gp_record rest = *record;

    rest.snapshot = gp_memdup(work->mem, snapshot, sizeof *snapshot);
    rest.attempts = record->attempts ? record->attempts : 1;
    (void)pthread_mutex_lock(&work->pass->state_lock);
    gp_error_warn(gp_state_write_record(work->pass->state, &rest));
    (void)pthread_mutex_unlock(&work->pass->state_lock);
}

/* The planned way back did not work. Guests come first: whoever ran and can be started is started, and whoever
 * cannot is named with the command to do it. Returns what is left to do by hand. */
const char *gp_rescue_guests(struct gp_work *work, const struct gp_record *record)
{
    struct gp_text left = {.mem = work->mem};
    struct gp_snapshot rest = *record->snapshot;
    bool any = false;

    gp_error_warn(gp_work_look(work));
    rest.vms = gp_memdup(work->mem, rest.vms, rest.vm_count * sizeof *rest.vms);
    for (size_t i = 0; i < record->snapshot->vm_count; i++) {
        const struct gp_snapshot_vm *vm = &record->snapshot->vms[i];
        bool without = false;
        struct gp_error *err = vm->ran ? start_vm(work, vm, &without) : NULL;

        if (err) {
            gp_cleanup(gp_free_p) char *line = gp_error_line(err);

            gp_text_addf(&left, "%s%s", left.size ? "; " : "", gp_vm_is_down(work->mem, vm->name, line));
            gp_error_free(err);
        } else if (without) {
            gp_text_addf(&left, "%sVM %s runs without its GPU, as its binding says", left.size ? "; " : "", vm->name);
            rest.vms[i] = (struct gp_snapshot_vm){.uuid = vm->uuid, .name = vm->name, .ran = true};
            any = true;
        }
    }
    if (any)
        keep_record_of(work, record, &rest);
    start_units(work, &record->snapshot->units, &left);
    return gp_text_get(&left);
}

/* ---- who stays held ---- */

/* The start hook refuses whoever is defined with a partition of @gpu, until a pass has seen what became of it. */
static void refuse_devices(struct gp_work *work, const struct gp_snapshot_gpu *gpu)
{
    const struct gp_boot_gpu was = {.id = gpu->id, .identity = gpu->identity, .layout = gpu->layout};
    gp_cleanup(gp_error_free_p) struct gp_error *why = gp_hung_error(gpu->id);
    gp_cleanup(gp_free_p) char *line = gp_error_line(why);

    gp_error_warn(gp_resolved_refuse(work->pass, &was, line));
}

/* Who would run on what may still change stays held as long as the write is in the kernel: nobody else starts it either. */
void gp_rescue_release(struct gp_work *work, const struct gp_record *record)
{
    for (size_t i = 0; i < record->snapshot->gpu_count; i++)
        if (gp_hung_at(work->pass, record->snapshot->gpus[i].id))
            refuse_devices(work, &record->snapshot->gpus[i]);
    for (size_t i = 0; i < record->snapshot->vm_count; i++)
        if (hung_under(work, &record->snapshot->vms[i]))
            gp_run_leave(work->pass->run, record->snapshot->vms[i].uuid);
    gp_work_release(work->pass, work->set);
}
