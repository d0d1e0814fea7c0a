#include "boot.h"

#include "cleanup.h"
#include "clock.h"
#include "history.h"
#include "registry.h"
#include "resolved.h"
#include "step.h"
#include "text.h"

/* Fact: the vendor's tool may race at boot and leave the driver unbound (stackhpc ansible-collection-linux#37, #42): what
 * failed once is tried again, though the time is over. */
enum { ATTEMPTS_AT_LEAST = 3, WAVES_AT_MOST = 8, PAUSE_MS = 200, PAUSE_MAX_MS = 4000 };

struct job {
    pthread_t thread;
    bool started;
    struct gp_pass *pass;
    struct gp_boot_gpu want;
    uint64_t deadline_ms;
    int exit;
};

/* One GPU, in a thread with a host of its own. */
struct work {
    struct gp_pass *pass;
    struct gp_host host;
    struct gp_arena *mem;
    const struct gp_boot_gpu *want;
    struct gp_have *have;
    bool tried;    /* steps were done: what failed, failed in earnest */
    bool replaced; /* another card is in its place */
};

/* ---- what is to be there ---- */

static struct gp_boot_gpu *find(struct gp_boot_gpu *gpus, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (gp_streq(gpus[i].id, id))
            return &gpus[i];
    return NULL;
}

/* What was last verified; and before it, for GPUs that a pass was at when the host went down, what that pass found. */
static struct gp_error *list_wanted(struct gp_pass *pass, struct gp_boot_gpu **ret, size_t *ret_count)
{
    struct gp_record *records = NULL;
    size_t record_count = 0, boot_count = 0, count = 0;
    struct gp_boot_gpu *boot = NULL, *gpus = NULL;
    struct gp_error *err = gp_state_records(pass->state, pass->mem, &records, &record_count);

    if (err)
        return err;
    gp_state_boot(pass->state, pass->mem, &boot, &boot_count);
    for (size_t i = 0; i < boot_count; i++)
        *gp_push(pass->mem, gpus, count) = boot[i];
    for (size_t i = 0; i < record_count; i++) {
        for (size_t j = 0; records[i].snapshot && j < records[i].snapshot->gpu_count; j++) {
            const struct gp_snapshot_gpu *was = &records[i].snapshot->gpus[j];
            struct gp_boot_gpu *gpu = find(gpus, count, was->id);

            if (!gpu)
                gpu = gp_push(pass->mem, gpus, count);
            *gpu = (struct gp_boot_gpu){was->id, was->identity ? was->identity : gpu->identity, was->layout};
        }
    }
    /* Nothing is brought back of a GPU that had nothing. */
    *ret = gp_new_array(pass->mem, struct gp_boot_gpu, count + 1);
    *ret_count = 0;
    for (size_t i = 0; i < count; i++)
        if (gpus[i].layout.mode != GP_MODE_NONE)
            (*ret)[(*ret_count)++] = gpus[i];
    return NULL;
}

/* ---- one GPU ---- */

static struct gp_error *look(struct work *work)
{
    struct gp_have *have = gp_new(work->mem, struct gp_have);
    struct gp_error *err;

    have->host = work->pass->host_name;
    have->machine_id = work->pass->machine_id;
    err = gp_registry_observe(&work->host, work->mem, work->pass->agent, &have->gpus, &have->gpu_count);
    if (!err)
        work->have = have;
    return err;
}

/* The card itself, or why it is not to be touched (now). */
static struct gp_error *find_card(struct work *work, struct gp_gpu **ret)
{
    struct gp_gpu *gpu = gp_have_gpu(work->have, work->want->id);
    const struct gp_strings *never = &work->pass->agent->never_touch_gpus;

    if (!gpu)
        return gp_error_new(GP_E_GONE, "it is not there");
    if (!gp_identity_eq(work->want->identity, gp_gpu_identity(work->mem, gpu))) {
        work->replaced = true;
        return gp_error_new(GP_E_REFUSED, "another card is in its place: %s, not %s",
                            gp_gpu_identity(work->mem, gpu), work->want->identity ? work->want->identity : "known");
    }
    for (size_t i = 0; i < never->count; i++)
        if (gp_streq(never->items[i], gp_pci_text(work->mem, gpu->address)))
            return gp_error_new(GP_E_REFUSED, "GpuAgent says never to touch it");
    *ret = gpu;
    return NULL;
}

static bool is_right(const struct work *work, const struct gp_gpu *gpu)
{
    const struct gp_mechanism *mechanism = gpu->mechanism ? gp_registry_mechanism(gpu->mechanism) : NULL;

    if (!mechanism)
        return work->want->layout.mode == GP_MODE_NONE && gpu->mode == GP_MODE_NONE;
    return mechanism->matches(gpu, &work->want->layout);
}

/* The plan for this GPU alone. No guest runs yet, and none is asked for: who holds a device is asked of the kernel. */
static struct gp_error *plan(struct work *work, struct gp_goal *goal, struct gp_plan **ret)
{
    struct gp_plan_input input;
    struct gp_error *err;

    goal->declared = true;
    for (size_t i = 0; i < work->have->gpu_count; i++) {
        const char *id = work->have->gpus[i].id;
        const bool ours = gp_streq(id, work->want->id);
        struct gp_goal_gpu gpu = {.id = id, .managed = ours};

        if (ours)
            gpu.want = work->want->layout;
        *gp_push(work->mem, goal->gpus, goal->gpu_count) = gpu;
    }
    input = gp_pass_plan_input(work->pass, work->mem, goal, work->have);
    *ret = gp_plan(work->mem, &input);
    err = gp_plan_check(&input, *ret);
    for (size_t i = 0; !err && i < (*ret)->set_count; i++)
        if ((*ret)->sets[i].verdict == GP_VERDICT_BLOCKED)
            err = gp_error_new(GP_E_BUSY, "%s: %s", (*ret)->sets[i].rule, (*ret)->sets[i].why);
    return err;
}

static struct gp_error *run_first_wave(struct work *work, const struct gp_plan *planned)
{
    bool *due = gp_new_array(work->mem, bool, planned->step_count + 1);
    const struct gp_wave wave = {
        .pass = work->pass,
        .host = &work->host,
        .mem = work->mem,
        .have = work->have,
        .plan = planned,
        .due = due,
        .plan_id = planned->id,
        .may_be_cancelled = true,
    };

    for (size_t i = 0; i < planned->step_count; i++)
        due[i] = planned->steps[i].wave == 0;
    work->tried = true;
    return gp_wave_run(&wave);
}

/* From what is there now to what was there. */
static struct gp_error *restore_once(struct work *work)
{
    struct gp_error *err = look(work);

    for (uint32_t wave = 0; !err && wave <= WAVES_AT_MOST; wave++) {
        struct gp_goal goal = {0};
        struct gp_plan *planned = NULL;
        struct gp_gpu *gpu = NULL;

        err = find_card(work, &gpu);
        if (err || is_right(work, gpu))
            return err;
        if (gpu->status == GP_GPU_UNKNOWN || !gpu->mechanism)
            return gp_error_new(GP_E_UNSUPPORTED, "%s", gpu->reason ? gpu->reason : "no driver can cut it yet");
        err = plan(work, &goal, &planned);
        if (!err && !planned->step_count)
            err = gp_error_new(GP_E_UNSUPPORTED, "%s", gpu->reason ? gpu->reason : "nothing is known to be done");
        if (!err)
            err = run_first_wave(work, planned);
        if (!err)
            err = look(work);
    }
    return err ? err : gp_error_new(GP_E_BUG, "it was not restored after %d waves", WAVES_AT_MOST);
}

static bool is_final(const struct work *work, const struct gp_error *err)
{
    return work->replaced || err->code == GP_E_HUNG || err->code == GP_E_BUG || err->code == GP_E_PERM ||
           err->code == GP_E_REFUSED || (work->pass->cancelled && atomic_load(work->pass->cancelled));
}

/* Until it is done, or hopeless, or the time is over. The last failure is told. */
static struct gp_error *restore_in_time(struct work *work, uint64_t deadline_ms)
{
    uint32_t pause = PAUSE_MS;

    for (unsigned attempts = 1;; attempts++) {
        struct gp_error *err = restore_once(work);
        const bool over = gp_monotonic_ms() + pause > deadline_ms;

        if (!err || is_final(work, err) || (over && (!work->tried || attempts >= ATTEMPTS_AT_LEAST)))
            return err;
        gp_error_free(err);
        gp_sleep_ms(pause);
        pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
    }
}

/* ---- telling ---- */

static void tell(struct work *work, enum gp_event event, const char *message)
{
    struct gp_pass *pass = work->pass;
    const char *id = work->want->id;

    gp_journal(&(struct gp_entry){
        .event = event,
        .priority = -1,
        .message = message,
        .host = pass->host_name,
        .gpu = id,
        .after = gp_layout_value(work->mem, &work->want->layout),
    });
    (void)pthread_mutex_lock(&pass->state_lock);
    gp_error_warn(gp_history_add(pass->state, &(struct gp_result){
                                         .event = event, .object = id, .gpus = {&id, 1}, .message = message}));
    (void)pthread_mutex_unlock(&pass->state_lock);
}

/* Without libvirt, whose partition it is stands in the state alone. */
static const char *vm_applied(const void *data, const struct gp_gpu *gpu, const struct gp_partition *partition)
{
    const struct gp_memory *memory = data;
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *symbol = partition ? gp_partition_symbol(mem, gpu->id, partition->index) : gpu->id;

    for (size_t i = 0; i < memory->applied_count; i++)
        if (gp_starts_with(memory->applied[i].key, "vm/") && gp_streq(memory->applied[i].value, symbol))
            return memory->applied[i].key + 3;
    return NULL;
}

/* A device at another address than it had is none that a definition names. */
static struct gp_error *refuse_moved(struct work *work, const struct gp_gpu *gpu)
{
    struct gp_boot_gpu moved = {.id = gpu->id, .layout = {.mode = GP_MODE_PARTITIONED}};
    struct gp_partition *gone = NULL;

    for (size_t i = 0; i < work->want->layout.exactly_count; i++) {
        const struct gp_partition *was = &work->want->layout.exactly[i], *is = gp_gpu_partition(gpu, was->index);

        if (!is || !gp_device_eq(was->device, is->device))
            *gp_push(work->mem, gone, moved.layout.exactly_count) = *was;
    }
    moved.layout.exactly = gone;
    return gp_resolved_refuse(work->pass, &moved,
                              gp_printf(work->mem, "GPU %s is at another address than before the boot: gpupart reconcile "
                                                   "gives its VMs their partitions again", gpu->id));
}

static void tell_restored(struct work *work)
{
    const struct gp_gpu *gpu = gp_have_gpu(work->have, work->want->id);
    const struct gp_memory *memory = gp_pass_memory(work->pass, work->mem);

    gp_error_warn(refuse_moved(work, gpu));
    gp_error_warn(gp_resolved_tell_hook(work->pass, &work->host, gpu, vm_applied, memory));
    tell(work, GP_EVENT_BOOT_RESTORED,
         gp_printf(work->mem, "GPU %s is as it was before the boot (%s)", gpu->id,
                   gp_layout_value(work->mem, &work->want->layout)));
}

static int tell_failed(struct work *work, struct gp_error *err)
{
    gp_cleanup(gp_free_p) char *line = gp_error_line(err);
    const char *message = gp_printf(work->mem, "GPU %s is not as it was before the boot (%s): %s", work->want->id,
                                    gp_layout_value(work->mem, &work->want->layout), line);
    const int exit = gp_exit_of(err->code);

    gp_error_free(err);
    (void)fprintf(stderr, "gpupart: %s\n", message);
    gp_error_warn(gp_resolved_refuse(work->pass, work->want, message));
    tell(work, GP_EVENT_BOOT_FAILED, message);
    return exit;
}

static void *run_job(void *data)
{
    struct job *job = data;
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct work work = {.pass = job->pass, .mem = mem, .want = &job->want};
    struct gp_error *err = gp_pass_host_open(job->pass, &work.host);
    const bool open = !err;

    if (!err)
        err = restore_in_time(&work, job->deadline_ms);
    job->exit = GP_EXIT_OK;
    if (err)
        job->exit = tell_failed(&work, err);
    else
        tell_restored(&work);
    if (open)
        gp_host_close(&work.host);
    return NULL;
}

struct gp_error *gp_boot_restore(struct gp_pass *pass, uint32_t wait_ms, int *ret_exit)
{
    struct gp_boot_gpu *gpus = NULL;
    size_t count = 0;
    struct job *jobs;
    struct gp_error *err = list_wanted(pass, &gpus, &count);
    int exit = GP_EXIT_OK;

    if (err)
        return err;
    jobs = gp_new_array(pass->mem, struct job, count + 1);
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (struct job){.pass = pass, .want = gpus[i], .deadline_ms = gp_monotonic_ms() + wait_ms};
        jobs[i].started = pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]) == 0;
        if (!jobs[i].started) /* no thread to be had: then one after the other */
            (void)run_job(&jobs[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].started)
            (void)pthread_join(jobs[i].thread, NULL);
        exit = gp_exit_worse(exit, jobs[i].exit);
    }
    *ret_exit = exit;
    return NULL;
}
