#include "quarantine.h"

#include "cleanup.h"
#include "text.h"

#include <string.h>

static struct gp_error *set(const struct gp_wave *wave, const char *partition, bool on)
{
    struct gp_pass *pass = wave->pass;
    struct gp_error *err;

    (void)pthread_mutex_lock(&pass->state_lock);
    err = gp_state_set_quarantined(pass->state, partition, on);
    (void)pthread_mutex_unlock(&pass->state_lock);
    return err;
}

struct place {
    const char *gpu;
    int64_t partition; /* -1: none */
    struct gp_device device;
};

/* The partition that @step makes, fits out or, for a start, gives to the VM. */
static struct place place_of(const struct gp_wave *wave, const struct gp_step *step)
{
    const struct gp_vm *vm = step->kind == GP_STEP_START_VM ? gp_have_vm(wave->have, step->vm) : NULL;
    struct place place = {step->gpu, step->gpu ? step->partition : -1, step->device};

    for (size_t i = 0; vm && place.partition < 0 && i < vm->persistent_count; i++) {
        struct gp_gpu *gpu = NULL;
        struct gp_partition *partition = NULL;

        if (gp_have_find(wave->have, vm->persistent_devs[i].device, &gpu, &partition) && partition)
            place = (struct place){gpu->id, partition->index, vm->persistent_devs[i].device};
    }
    return place;
}

/* Of starts only those tell of a partition in which the hypervisor names its device: a guest fails to start for many
 * reasons that are no partition's. A partition in use, or not on offer any more, is a sound one, and so it is for all
 * that anybody knows where the kernel did not answer. */
static bool tells_of(const struct gp_wave *wave, const struct gp_step *step, const struct place *place,
                     const struct gp_error *err)
{
    gp_cleanup(gp_free_p) char *line = NULL;

    if (err->code != GP_E_IO || place->partition < 0)
        return false;
    switch (step->kind) {
    case GP_STEP_CREATE_PARTITION:
    case GP_STEP_PROVISION:
    case GP_STEP_BIND_DRIVER:
        return true;
    case GP_STEP_START_VM:
        line = gp_error_line(err);
        return strstr(line, gp_device_text(wave->mem, place->device)) != NULL;
    default:
        return false;
    }
}

/* Whether the same was done with another partition of the GPU in this wave: then neither the GPU nor its driver is to
 * blame. Without that, one broken GPU would lose partition after partition, each to a pass of its own. */
static bool is_gpu_sound(const struct gp_wave *wave, const struct gp_step *failed, const struct place *place)
{
    for (const struct gp_step *step = wave->plan->steps; step < failed; step++) {
        const struct place other = place_of(wave, step);

        if (wave->due[step - wave->plan->steps] && step->kind == failed->kind && other.partition >= 0 &&
            other.partition != place->partition && gp_streq(other.gpu, place->gpu))
            return true;
    }
    return false;
}

const char *gp_quarantine_begin(const struct gp_wave *wave, const struct gp_step *failed, const struct gp_error *err)
{
    const struct place place = place_of(wave, failed);
    const char *partition;

    if (!tells_of(wave, failed, &place, err) || !is_gpu_sound(wave, failed, &place))
        return NULL;
    partition = gp_partition_symbol(wave->mem, place.gpu, (uint32_t)place.partition);
    gp_error_warn(set(wave, partition, true));
    return gp_printf(wave->mem,
                     "%s is quarantined: others of %s took it. It is given to nobody until `gpupart resume gpu/%s` or "
                     "until it is made anew",
                     partition, place.gpu, place.gpu);
}

struct gp_error *gp_quarantine_end(const struct gp_wave *wave, const struct gp_step *done)
{
    const struct gp_strings *quarantined = &gp_pass_memory(wave->pass, wave->mem)->quarantined;
    struct gp_error *err = NULL;

    for (size_t i = 0; !err && i < quarantined->count; i++)
        if (gp_step_takes_away(wave->mem, done, quarantined->items[i]))
            err = set(wave, quarantined->items[i], false);
    return err;
}
