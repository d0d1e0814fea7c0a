#include "restore.h"

#include "cleanup.h"
#include "clock.h"
#include "hung.h"
#include "records.h"
#include "rescue.h"
#include "resolved.h"
#include "result.h"
#include "text.h"
#include "units.h"
#include "waves.h"

#include <stdlib.h>

enum { RELEASE_WAIT_MS = 15000, RELEASE_POLL_MS = 250 };

/* The GPU of @set that a write to hangs; NULL: none. */
static const char *hung_in(struct gp_pass *pass, const struct gp_set *set)
{
    for (size_t i = 0; i < set->gpus.count; i++)
        if (gp_hung_at(pass, set->gpus.items[i]))
            return set->gpus.items[i];
    return NULL;
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
    gp_rescue_release(work, record);
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

/* The same of what a VM of the record ran with: its GPU is not of the set where it only moves. */
static bool is_kept_from_its_vm(const struct gp_work *work, const struct gp_record *record)
{
    for (size_t i = 0; i < record->snapshot->vm_count; i++) {
        const struct gp_device device = record->snapshot->vms[i].live;
        struct gp_gpu *gpu;
        struct gp_partition *partition;

        if (device.kind == GP_DEVICE_NONE || !gp_have_find(work->have, device, &gpu, &partition))
            continue;
        if ((partition ? partition->held : gpu->held) == GP_HELD_YES && !is_used(work->have, device))
            return true;
    }
    return false;
}

/* A guest that was just killed, or whose start was broken off, has its device open for another moment. */
static struct gp_error *look_released(struct gp_work *work, const struct gp_record *record)
{
    const uint64_t deadline = gp_monotonic_ms() + RELEASE_WAIT_MS;
    struct gp_error *err = gp_work_look(work);

    while (!err && (is_held_by_stranger(work) || is_kept_from_its_vm(work, record)) && gp_monotonic_ms() < deadline) {
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
    const struct gp_set set = gp_set_of_record(mem, record);
    struct gp_work work = {.pass = pass, .host = host, .mem = mem, .set = &set, .commit = record->commit};
    const char *because = why ? why : "an earlier pass did not finish";
    const char **paused = NULL, *hung;
    struct gp_error *err;

    if (gp_pass_host_stops(pass))
        return leave_to_next_boot(&work, record, because);
    hung = hung_in(pass, &set);
    err = hung ? gp_hung_error(hung) : look_released(&work, record);
    if (!err)
        paused = go_on(&work, record);
    gp_error_warn(gp_work_hold(&work, gp_printf(mem, "gpupart brings %s back to what it was (%s)", record->set, because)));
    if (!err) {
        work.goal = gp_goal_of_set(
            mem, gp_snapshot_goal(mem, record->snapshot, work.have, pass->goal),
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
        const char *left = gp_rescue_guests(&work, record);

        gp_error_free(err);
        gp_work_end(&work);
        gp_rescue_release(&work, record);
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
