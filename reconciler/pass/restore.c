#include "restore.h"

#include "cleanup.h"
#include "clock.h"
#include "hung.h"
#include "resolved.h"
#include "result.h"
#include "run.h"
#include "text.h"
#include "units.h"
#include "waves.h"

#include <stdlib.h>

enum { RELEASE_WAIT_MS = 15000, RELEASE_POLL_MS = 250 };

static void objects_of(struct gp_arena *mem, const struct gp_record *record, struct gp_set *ret)
{
    *ret = (struct gp_set){.id = record->set};
    for (size_t i = 0; i < record->snapshot->gpu_count; i++)
        *gp_push(mem, ret->gpus.items, ret->gpus.count) = record->snapshot->gpus[i].id;
    for (size_t i = 0; i < record->snapshot->vm_count; i++)
        *gp_push(mem, ret->vms.items, ret->vms.count) = record->snapshot->vms[i].uuid;
    ret->units = record->snapshot->units;
}

/* ---- writes that hang ---- */

/* The GPU of @vm's partition, then or now, if a write to it hangs; NULL: none. */
static const char *hung_under(struct gp_work *work, const struct gp_snapshot_vm *vm)
{
    if (vm->gpu && gp_hung_at(work->pass, vm->gpu))
        return vm->gpu;
    return gp_hung_under(work->pass, work->mem, work->have, vm->uuid);
}

/* The GPU of @set that a write to hangs; NULL: none. */
static const char *hung_in(struct gp_pass *pass, const struct gp_set *set)
{
    for (size_t i = 0; i < set->gpus.count; i++)
        if (gp_hung_at(pass, set->gpus.items[i]))
            return set->gpus.items[i];
    return NULL;
}

/* The start hook refuses whoever is defined with a partition of @gpu, until a pass has seen what became of it. */
static void refuse_devices(struct gp_work *work, const struct gp_snapshot_gpu *gpu)
{
    const struct gp_boot_gpu was = {.id = gpu->id, .identity = gpu->identity, .layout = gpu->layout};
    gp_cleanup(gp_error_free_p) struct gp_error *why = gp_hung_error(gpu->id);
    gp_cleanup(gp_free_p) char *line = gp_error_line(why);

    gp_error_warn(gp_resolved_refuse(work->pass, &was, line));
}

/* Who would run on what may still change stays held as long as the write is in the kernel: nobody else starts it either. */
static void release(struct gp_work *work, const struct gp_record *record)
{
    for (size_t i = 0; i < record->snapshot->gpu_count; i++)
        if (gp_hung_at(work->pass, record->snapshot->gpus[i].id))
            refuse_devices(work, &record->snapshot->gpus[i]);
    for (size_t i = 0; i < record->snapshot->vm_count; i++)
        if (hung_under(work, &record->snapshot->vms[i]))
            gp_run_leave(work->pass->run, record->snapshot->vms[i].uuid);
    gp_work_release(work->pass, work->set);
}

/* ---- guests first ---- */

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

            gp_text_addf(left, "%s%s is down (%s): systemctl start %s", left->size ? "; " : "", units->items[i], line,
                         units->items[i]);
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
static const char *start_who_ran(struct gp_work *work, const struct gp_record *record)
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

            gp_text_addf(&left, "%sVM %s is down (%s): virsh start %s", left.size ? "; " : "", vm->name, line,
                         gp_shell_word(work->mem, vm->name));
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

/* ---- nobody is started ---- */

/* Who ran and does not run now; all, if that cannot be seen. "VM a, VM b". */
static const char *who_is_down(struct gp_work *work, const struct gp_record *record)
{
    struct gp_text text = {.mem = work->mem};

    gp_error_warn(gp_pass_observe(work->pass, work->host, work->mem, &work->have));
    for (size_t i = 0; i < record->snapshot->vm_count; i++) {
        const struct gp_snapshot_vm *was = &record->snapshot->vms[i];
        const struct gp_vm *vm = work->have ? gp_have_vm(work->have, was->uuid) : NULL;

        if (was->ran && (!vm || vm->power == GP_POWER_OFF))
            gp_text_addf(&text, "%sVM %s", text.size ? ", " : "", was->name);
    }
    return gp_text_get(&text);
}

/* The host goes down, and takes with it whoever is started now. All stays as it is, and so does the record, by which the
 * first pass after the boot starts who was stopped. */
static int leave_to_next_boot(struct gp_work *work, const struct gp_record *record, const char *because)
{
    const char *down = who_is_down(work, record);
    const char *message =
        gp_printf(work->mem, "%s is left as it is (%s). The host is shutting down, so nobody is started%s%s", record->set,
                  because, *down ? ": the first pass after it has booted starts " : "", down);

    gp_work_end(work);
    release(work, record);
    gp_result_tell(work, GP_EVENT_NOT_RESTORED, record->plan, message);
    (void)fprintf(stderr, "gpupart: %s\n", message);
    return GP_EXIT_NOT_RESTORED;
}

/* ---- the way back ---- */

static bool is_used(const struct gp_have *have, struct gp_device device)
{
    for (size_t i = 0; i < have->vm_count; i++)
        for (size_t n = 0; n < have->vms[i].live_count; n++)
            if (gp_device_eq(have->vms[i].live[n].device, device))
                return true;
    return false;
}

/* Whether somebody who is no running VM has a partition of the set's GPUs open. */
static bool is_held_by_stranger(const struct gp_work *work)
{
    for (size_t i = 0; i < work->have->gpu_count; i++) {
        const struct gp_gpu *gpu = &work->have->gpus[i];

        for (size_t n = 0; gp_strings_have(&work->set->gpus, gpu->id) && n < gpu->partition_count; n++)
            if (gpu->partitions[n].held == GP_HELD_YES && !is_used(work->have, gpu->partitions[n].device))
                return true;
    }
    return false;
}

/* A guest that was just killed, or whose start was broken off, has its device open for another moment. */
static struct gp_error *look_released(struct gp_work *work)
{
    const uint64_t deadline = gp_monotonic_ms() + RELEASE_WAIT_MS;
    struct gp_error *err = gp_work_look(work);

    while (!err && is_held_by_stranger(work) && gp_monotonic_ms() < deadline) {
        gp_sleep_ms(RELEASE_POLL_MS);
        err = gp_work_look(work);
    }
    return err;
}

/* Whoever ran is paused now: its start was broken off. It goes on, since it could neither be stopped nor used. Returns, for
 * each of the record's VMs, why it does not; NULL: nothing is wrong. */
static const char **go_on(struct gp_work *work, const struct gp_record *record)
{
    enum { RESUME_TIMEOUT_MS = 60000 }; /* libvirt itself waits for 30 s for another job of the guest */
    const char **why = gp_new_array(work->mem, const char *, record->snapshot->vm_count + 1);
    bool any = false;

    for (size_t i = 0; i < record->snapshot->vm_count; i++) {
        const struct gp_snapshot_vm *was = &record->snapshot->vms[i];
        const struct gp_vm *vm = gp_have_vm(work->have, was->uuid);
        gp_cleanup(gp_virt_close_p) struct gp_virt *virt = NULL;
        struct gp_error *err;

        if (!was->ran || !vm || vm->power != GP_POWER_PAUSED)
            continue;
        err = gp_pass_virt(work->pass, &virt);
        if (!err)
            err = gp_virt_start(virt, was->uuid, RESUME_TIMEOUT_MS);
        if (err) {
            gp_cleanup(gp_free_p) char *line = gp_error_line(err);

            why[i] = gp_strdup(work->mem, line);
        }
        gp_error_warn(err);
        any = true;
    }
    if (any)
        gp_error_warn(gp_work_look(work));
    return why;
}

/* What a person has to do though all is as it was: units that do not come up, guests that could not be made to go on. */
static const char *left_to_do(const struct gp_work *work, const struct gp_record *record, const char *const *why)
{
    struct gp_text text = {.mem = work->mem};

    gp_text_add(&text, gp_work_down(work));
    for (size_t i = 0; i < record->snapshot->vm_count; i++) {
        const struct gp_snapshot_vm *was = &record->snapshot->vms[i];
        const struct gp_vm *vm = gp_have_vm(work->have, was->uuid);

        if (was->ran && vm && vm->power == GP_POWER_PAUSED)
            gp_text_addf(&text, "%sVM %s is paused%s%s%s: virsh resume %s", text.size ? "; " : "", vm->name,
                         why[i] ? " (" : "", why[i] ? why[i] : "", why[i] ? ")" : "",
                         gp_shell_word(work->mem, vm->name));
    }
    return gp_text_get(&text);
}

/* The way back takes no VFs away that are nobody's: that would stop their GPU's VMs once more. It is said. */
static const char *left_over(const struct gp_work *work, const struct gp_snapshot *before)
{
    struct gp_text text = {.mem = work->mem};

    for (size_t i = 0; i < before->gpu_count; i++) {
        const struct gp_snapshot_gpu *was = &before->gpus[i];
        const struct gp_gpu *gpu = gp_have_gpu(work->have, was->id);

        if (gpu && was->vf_count && gpu->vf_count > was->vf_count)
            gp_text_addf(&text, ". GPU %s keeps %u VFs, of which there were %u: fewer of them would stop its VMs once more",
                         was->id, gpu->vf_count, was->vf_count);
    }
    return gp_text_get(&text);
}

int gp_restore_in(struct gp_pass *pass, struct gp_host *host, struct gp_arena *mem,
                      const struct gp_record *record, const char *why)
{
    struct gp_set set;
    struct gp_work work = {.pass = pass, .host = host, .mem = mem, .set = &set, .commit = record->commit};
    const char *because = why ? why : "an earlier pass did not finish";
    const char **paused = NULL, *hung;
    struct gp_error *err;

    objects_of(mem, record, &set);
    if (gp_pass_host_stops(pass))
        return leave_to_next_boot(&work, record, because);
    hung = hung_in(pass, &set);
    err = hung ? gp_hung_error(hung) : look_released(&work);
    if (!err)
        paused = go_on(&work, record);
    gp_error_warn(gp_work_hold(&work, gp_printf(mem, "gpupart brings %s back to what it was (%s)", record->set, because)));
    if (!err) {
        work.goal = gp_goal_of_set(
            mem, gp_snapshot_goal(mem, record->snapshot, work.have, pass->goal ? &pass->goal->policy : NULL),
            &set);
        err = gp_waves_run(&work);
    }
    if (!err)
        gp_error_warn(gp_resolved_restored(pass, host, work.have, &set));
    if (!err)
        err = gp_work_remove_record(pass, record, work.have);
    if (!err) {
        const char *down = left_to_do(&work, record, paused);

        gp_work_end(&work);
        gp_work_release(pass, &set);
        gp_result_tell(&work, GP_EVENT_RESTORED, record->plan,
                       gp_printf(mem, "%s is as it was before: %s%s%s%s", record->set, because,
                                 left_over(&work, record->snapshot), *down ? ". Left to do by hand: " : "", down));
        if (*down)
            (void)fprintf(stderr, "gpupart: left to do by hand: %s\n", down);
        return *down ? GP_EXIT_NOT_RESTORED : GP_EXIT_RESTORED;
    }
    if (gp_pass_host_stops(pass)) {
        gp_error_free(err);
        return leave_to_next_boot(&work, record, because);
    }
    {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);
        const char *left = start_who_ran(&work, record);

        gp_error_free(err);
        gp_work_end(&work);
        release(&work, record);
        gp_result_tell(&work, GP_EVENT_NOT_RESTORED, record->plan,
                    gp_printf(mem, "%s could not be brought back (%s), needed because: %s%s%s", record->set, line,
                              because, *left ? ". Left to do by hand: " : "", left));
        (void)fprintf(stderr, "gpupart: %s could not be brought back: %s\n", record->set, line);
        if (*left)
            (void)fprintf(stderr, "gpupart: left to do by hand: %s\n", left);
        return GP_EXIT_NOT_RESTORED;
    }
}

int gp_restore(struct gp_pass *pass, const struct gp_record *record, const char *why)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();

    return gp_restore_in(pass, &pass->host, mem, record, why);
}
