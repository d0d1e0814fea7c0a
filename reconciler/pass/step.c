#include "step.h"

#include "cleanup.h"
#include "clock.h"
#include "hung.h"
#include "journal.h"
#include "quarantine.h"
#include "registry.h"
#include "run.h"
#include "text.h"
#include "units.h"

enum {
    RELEASE_TIMEOUT_MS = 15000, /* a driver may hold on to a device for seconds after its guest is gone */
    POLL_MS = 50
};

static void tell(const struct gp_wave *wave, const struct gp_step *step, enum gp_event event,
                 const char *what)
{
    const struct gp_pass *pass = wave->pass;
    const bool partition = step->gpu && step->partition >= 0;

    gp_journal(&(struct gp_entry){
        .event = event,
        .priority = -1,
        .message = what,
        .cluster = pass->goal ? pass->goal->cluster : NULL,
        .host = pass->host_name,
        .commit = wave->commit,
        .plan = wave->plan_id,
        .gpu = step->gpu,
        .vm = step->vm_name,
        .partition = partition ? gp_partition_symbol(wave->mem, step->gpu, (uint32_t)step->partition) : NULL,
        .before = step->before,
        .after = step->after,
        .class = gp_class_name(step->class),
    });
}

/* "stop-vm vdi-01", "create-partition slot3/2 NVIDIA A2-4Q" */
static const char *step_text(struct gp_arena *mem, const struct gp_step *step)
{
    const char *what = step->vm_name ? step->vm_name : step->gpu ? step->gpu : step->unit;

    if (!step->vm_name && step->gpu && step->partition >= 0)
        what = gp_partition_symbol(mem, step->gpu, (uint32_t)step->partition);
    return gp_printf(mem, "%s %s: %s -> %s", gp_step_kind_name(step->kind), what ? what : "host",
                     step->before ? step->before : "-", step->after ? step->after : "-");
}

/* What began and what is done are told apart by whoever reads the messages alone. */
static void tell_done(const struct gp_wave *wave, const struct gp_step *step)
{
    tell(wave, step, GP_EVENT_STEP_DONE, gp_printf(wave->mem, "%s: done", step_text(wave->mem, step)));
}

/* ---- stopping ---- */

static bool is_cancelled(void *data)
{
    const struct gp_wave *wave = data;

    return wave->may_be_cancelled && wave->pass->cancelled && atomic_load(wave->pass->cancelled);
}

static struct gp_error *set_owed(const struct gp_wave *wave, const struct gp_owed *owed)
{
    struct gp_pass *pass = wave->pass;
    struct gp_error *err;

    (void)pthread_mutex_lock(&pass->state_lock);
    err = gp_state_set_owed(pass->state, owed);
    (void)pthread_mutex_unlock(&pass->state_lock);
    return err;
}

/* Before anybody is asked: the request cannot be recalled, so a start is owed from now on. */
static struct gp_error *owe(const struct gp_wave *wave, const struct gp_step *step)
{
    const uint64_t wait_ms = (uint64_t)step->stop.timeout_ms + step->stop.late_within_ms;

    return set_owed(wave, &(struct gp_owed){
                              .vm = step->vm,
                              .name = step->vm_name,
                              .until_us = gp_realtime_us() + wait_ms * 1000,
                              .stop_requested = true,
                          });
}

/* It was asked and runs on. It may have waited for its turn, and what is owed counts from when it was asked. */
static void owe_longer(const struct gp_wave *wave, const struct gp_step *step)
{
    gp_error_warn(owe(wave, step));
}

/* It went down, and the request with it: its start is owed until it runs, and no longer than that. */
static struct gp_error *owe_for_good(const struct gp_wave *wave, const struct gp_step *step)
{
    return set_owed(wave, &(struct gp_owed){.vm = step->vm, .name = step->vm_name, .until_us = UINT64_MAX});
}

/* It was not asked, so that it goes down for nobody but its user: what was owed before is owed again. */
static void take_back_owed(const struct gp_wave *wave, const struct gp_step *step, const struct gp_memory *before)
{
    struct gp_pass *pass = wave->pass;
    const struct gp_owed *owed = NULL;

    for (size_t i = 0; i < before->owed_count; i++)
        if (gp_streq(before->owed[i].vm, step->vm))
            owed = &before->owed[i];
    (void)pthread_mutex_lock(&pass->state_lock);
    gp_error_warn(owed ? gp_state_set_owed(pass->state, owed) : gp_state_clear_owed(pass->state, step->vm));
    (void)pthread_mutex_unlock(&pass->state_lock);
}

/* A domain that is off may still have its device open for a moment: nothing is released before the kernel
 * says that nobody holds it. */
static struct gp_error *wait_released(const struct gp_wave *wave, const struct gp_step *step)
{
    const uint64_t deadline = gp_monotonic_ms() + RELEASE_TIMEOUT_MS;
    const struct gp_vm *vm = gp_have_vm(wave->have, step->vm);

    for (size_t i = 0; vm && i < vm->live_count; i++) {
        struct gp_gpu *gpu = NULL;
        struct gp_partition *partition = NULL;
        const char *holder = NULL;
        int32_t group;

        if (!gp_have_find(wave->have, vm->live[i].device, &gpu, &partition))
            continue;
        group = partition ? partition->group : gpu->group;
        while (gp_host_held(wave->host, wave->mem, group, &holder) != GP_HELD_NO) {
            if (gp_monotonic_ms() >= deadline)
                return gp_error_new(GP_E_BUSY, "VM %s is off, but %s is still held by %s", vm->name,
                                    gp_device_text(wave->mem, vm->live[i].device),
                                    holder ? holder : "somebody who cannot be named");
            gp_sleep_ms(POLL_MS);
        }
    }
    return NULL;
}

static bool is_taken_away(const struct gp_wave *wave, const char *symbol)
{
    for (size_t i = 0; i < wave->plan->step_count; i++)
        if (gp_step_takes_away(wave->mem, &wave->plan->steps[i], symbol))
            return true;
    return false;
}

/* The plan goes by it that only its own steps take a partition away: another guest may be about to start with this one, and
 * on the way back its own. */
static struct gp_error *keep_partitions(const struct gp_wave *wave, const struct gp_step *step)
{
    const struct gp_vm *vm = gp_have_vm(wave->have, step->vm);
    struct gp_error *err = NULL;

    for (size_t i = 0; !err && vm && i < vm->live_count; i++) {
        struct gp_gpu *gpu = NULL;
        struct gp_partition *partition = NULL;

        if (!gp_have_find(wave->have, vm->live[i].device, &gpu, &partition) || !partition ||
            is_taken_away(wave, gp_partition_symbol(wave->mem, gpu->id, partition->index)))
            continue;
        err = gp_registry_keep(wave->host, gpu, partition);
        gp_hung_note(wave->pass, wave->host, gpu->id);
        if (err)
            err = gp_error_wrap(err, "VM %s is off, and its driver took %s along, which could not be made again", vm->name,
                                gp_device_text(wave->mem, vm->live[i].device));
    }
    return err;
}

static struct gp_error *stop_all(const struct gp_wave *wave, const struct gp_step *steps, size_t count)
{
    struct gp_virt_stop *stops = gp_new_array(wave->mem, struct gp_virt_stop, count);
    struct gp_error **results = gp_new_array(wave->mem, struct gp_error *, count);
    const struct gp_memory *before = gp_pass_memory(wave->pass, wave->mem);
    bool *reached = gp_new_array(wave->mem, bool, count);
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = NULL;
    struct gp_error *first = gp_pass_virt(wave->pass, &virt);

    if (first)
        return first;
    for (size_t i = 0; i < count; i++) {
        struct gp_error *err = owe(wave, &steps[i]);

        if (err) {
            while (i-- > 0)
                take_back_owed(wave, &steps[i], before);
            return err;
        }
        tell(wave, &steps[i], GP_EVENT_STEP_START, step_text(wave->mem, &steps[i]));
        stops[i] = (struct gp_virt_stop){steps[i].vm, steps[i].vm_name, steps[i].stop};
    }
    gp_virt_stop(virt, stops, count, is_cancelled, (void *)wave, results, reached);
    for (size_t i = 0; i < count; i++) {
        if (!results[i])
            results[i] = owe_for_good(wave, &steps[i]);
        else if (!reached[i])
            take_back_owed(wave, &steps[i], before);
        else
            owe_longer(wave, &steps[i]);
        if (!results[i])
            results[i] = wait_released(wave, &steps[i]);
    }
    for (size_t i = 0; i < count; i++) { /* by now all are released, and the time that their drivers have runs for all */
        if (!results[i])
            results[i] = keep_partitions(wave, &steps[i]);
        if (results[i]) {
            gp_cleanup(gp_free_p) char *line = gp_error_line(results[i]);

            tell(wave, &steps[i], GP_EVENT_STEP_FAILED,
                 gp_printf(wave->mem, "%s failed: %s", step_text(wave->mem, &steps[i]), line));
        } else {
            tell_done(wave, &steps[i]);
        }
        if (!first)
            first = results[i];
        else
            gp_error_free(results[i]);
    }
    return first;
}

/* ---- the other steps ---- */

static struct gp_error *start(const struct gp_wave *wave, const struct gp_step *step)
{
    struct gp_pass *pass = wave->pass;
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = NULL;
    struct gp_error *err = gp_pass_virt(pass, &virt);
    const char *hung = gp_hung_under(pass, wave->mem, wave->have, step->vm);

    if (err)
        return err;
    if (gp_pass_host_stops(pass))
        return gp_error_new(GP_E_LOCKED, "the host is shutting down: VM %s is not started", step->vm_name);
    if (hung)
        return gp_hung_error(hung);
    /* The hook cannot tell who starts it, and it may be started now. */
    gp_run_release(pass->run, step->vm);
    err = gp_virt_start(virt, step->vm, step->timeout_ms);
    if (err)
        return err;
    (void)pthread_mutex_lock(&pass->state_lock);
    err = gp_state_clear_owed(pass->state, step->vm);
    (void)pthread_mutex_unlock(&pass->state_lock);
    gp_pass_unwritten(pass, err); /* a start that stays owed to a VM that runs does nothing */
    return NULL;
}

static struct gp_error *edit(const struct gp_wave *wave, const struct gp_step *step)
{
    static const enum gp_edit_kind kinds[GP_STEP_COUNT] = {
        [GP_STEP_ATTACH] = GP_EDIT_ATTACH,
        [GP_STEP_DETACH] = GP_EDIT_DETACH,
        [GP_STEP_REBIND] = GP_EDIT_REBIND,
        [GP_STEP_MARK] = GP_EDIT_MARK,
    };
    const bool partition = step->gpu && step->partition >= 0;
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = NULL;
    struct gp_error *err;
    const struct gp_edit change = {
        .kind = kinds[step->kind],
        .uuid = step->vm,
        .before = step->kind == GP_STEP_MARK ? step->device : step->device_before,
        .after = step->device,
        .mark = {
            .host = wave->pass->machine_id,
            .vm = step->vm,
            .binding = step->binding,
            .pool = step->pool,
            .partition = partition ? gp_partition_symbol(wave->mem, step->gpu, (uint32_t)step->partition)
                                   : step->gpu,
            .device = step->device,
        },
    };

    if (step->kind != GP_STEP_DETACH && step->device.kind == GP_DEVICE_NONE)
        return gp_error_new(GP_E_BUG, "step %u would attach a device that nobody has seen", step->n);
    err = gp_pass_virt(wave->pass, &virt);
    return err ? err : gp_virt_edit(virt, &change);
}

static struct gp_error *gpu_step(const struct gp_wave *wave, const struct gp_step *step)
{
    const struct gp_gpu *gpu = gp_have_gpu(wave->have, step->gpu);
    struct gp_error *err;

    if (!gpu)
        return gp_error_new(GP_E_GONE, "GPU %s is not there any more", step->gpu);
    err = gp_registry_apply(wave->host, gpu, step);
    gp_hung_note(wave->pass, wave->host, step->gpu);
    return err;
}

static struct gp_error *do_step(const struct gp_wave *wave, const struct gp_step *step)
{
    switch (step->kind) {
    case GP_STEP_START_VM:
        return start(wave, step);
    case GP_STEP_DETACH:
    case GP_STEP_ATTACH:
    case GP_STEP_REBIND:
    case GP_STEP_MARK:
        return edit(wave, step);
    case GP_STEP_STOP_UNIT:
        return gp_pass_stop_unit(wave->pass, step->unit, step->timeout_ms);
    case GP_STEP_START_UNIT:
        return gp_pass_start_unit(wave->pass, step->unit, step->timeout_ms);
    default:
        return gpu_step(wave, step);
    }
}

static struct gp_error *run_one(const struct gp_wave *wave, const struct gp_step *step)
{
    const char *text = step_text(wave->mem, step);
    struct gp_error *err;

    tell(wave, step, GP_EVENT_STEP_START, text);
    err = do_step(wave, step);
    if (err) {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);
        const char *also = gp_quarantine_begin(wave, step, err);

        tell(wave, step, GP_EVENT_STEP_FAILED,
             gp_printf(wave->mem, "%s failed: %s%s%s", text, line, also ? ". " : "", also ? also : ""));
        return also ? gp_error_wrap(err, "%s; step %s", also, text) : gp_error_wrap(err, "step %s", text);
    }
    tell_done(wave, step);
    return gp_quarantine_end(wave, step);
}

/* Takes @err. No guest waits for a program that does not come up. */
static struct gp_error *note_down(const struct gp_wave *wave, const struct gp_step *step, struct gp_error *err)
{
    gp_cleanup(gp_free_p) char *line = gp_error_line(err);
    struct gp_unit *unit = gp_push(wave->mem, wave->down->items, wave->down->count);

    gp_error_free(err);
    *unit = (struct gp_unit){.name = step->unit, .reason = gp_strdup(wave->mem, line)};
    return NULL;
}

struct gp_error *gp_wave_run(const struct gp_wave *wave)
{
    const struct gp_plan *plan = wave->plan;
    struct gp_step *stops = NULL;
    size_t stop_count = 0;
    struct gp_error *err = NULL;

    for (size_t i = 0; i < plan->step_count; i++)
        if (wave->due[i] && plan->steps[i].kind == GP_STEP_STOP_VM)
            *gp_push(wave->mem, stops, stop_count) = plan->steps[i];
    if (is_cancelled((void *)wave))
        return gp_error_new(GP_E_LOCKED, "gpupart was told to end: no new step is begun");
    if (gp_pass_host_stops(wave->pass))
        return gp_error_new(GP_E_LOCKED, "the host is shutting down: no new step is begun");
    if (stop_count)
        err = stop_all(wave, stops, stop_count);
    for (size_t i = 0; !err && i < plan->step_count; i++) {
        if (!wave->due[i] || plan->steps[i].kind == GP_STEP_STOP_VM)
            continue;
        err = run_one(wave, &plan->steps[i]);
        if (err && plan->steps[i].kind == GP_STEP_START_UNIT)
            err = note_down(wave, &plan->steps[i], err);
    }
    return err;
}
