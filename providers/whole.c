#include "whole.h"

#include "cleanup.h"
#include "clients.h"
#include "clock.h"
#include "settle.h"
#include "sysfs.h"
#include "text.h"

#define BIND_TIMEOUT_MS 30000

bool gp_whole_matches(const struct gp_gpu *gpu, const struct gp_layout *want)
{
    switch (want->mode) {
    case GP_MODE_PASSTHROUGH:
        return gpu->mode == GP_MODE_PASSTHROUGH && gpu->vf_count == 0 && !gpu->companion;
    case GP_MODE_PARAVIRTUAL:
        return gpu->count == 0 && !gp_sysfs_driver_yields(gpu->driver);
    case GP_MODE_NONE:
        return gpu->mode == GP_MODE_NONE;
    default:
        return false;
    }
}

struct gp_step *gp_whole_add_bind(struct gp_steps *steps, const struct gp_gpu *gpu, int64_t partition,
                                  const char *driver, const char *reason)
{
    struct gp_step *step = gp_steps_add(steps, GP_STEP_BIND_DRIVER, gpu->id);
    const struct gp_partition *part =
        partition >= 0 ? gp_gpu_partition(gpu, (uint32_t)partition) : NULL;
    const char *before = part ? part->driver : gpu->driver;

    step->partition = partition;
    step->reach = part ? GP_REACH_PARTITION : GP_REACH_GPU;
    step->before = before ? before : "none";
    step->after = !driver ? GP_DRIVER_ANY : *driver ? driver : "none";
    step->driver = driver;
    step->reason = reason;
    step->timeout_ms = BIND_TIMEOUT_MS;
    return step;
}

struct gp_error *gp_whole_plan(const struct gp_gpu *gpu, const struct gp_layout *want,
                               const char *host_driver, struct gp_steps *steps)
{
    if (gp_whole_matches(gpu, want))
        return NULL;
    if (want->mode == GP_MODE_PASSTHROUGH) {
        struct gp_step *step;

        if (gpu->not_whole)
            return gp_error_new(GP_E_UNSUPPORTED, "%s cannot be given to a VM as a whole: %s", gpu->id,
                                gpu->not_whole);
        step = gp_whole_add_bind(steps, gpu, -1, GP_DRIVER_VFIO, "the whole GPU goes to a VM");
        if (gpu->mode == GP_MODE_PASSTHROUGH && gpu->companion)
            step->before = gp_printf(steps->mem, "%s, but %s", step->before, gpu->companion);
    } else {
        struct gp_step *step =
            gp_whole_add_bind(steps, gpu, -1, host_driver, "the host uses the GPU itself");

        /* Not in use by a guest is all that is wanted: it may have had no driver before, either. */
        if (want->mode == GP_MODE_NONE) {
            step->value = GP_BIND_OR_NONE;
            step->after = gp_printf(steps->mem, "%s or none", step->after);
        }
    }
    return NULL;
}

void gp_whole_predict(struct gp_gpu *gpu, const struct gp_step *step)
{
    const char *driver = !step->driver ? GP_DRIVER_ANY : *step->driver ? step->driver : NULL;

    if (step->partition < 0) {
        gpu->driver = driver;
        gpu->companion = NULL;
        gpu->held = GP_HELD_NO;
        gpu->holder = NULL;
    } else {
        struct gp_partition *partition = gp_gpu_partition(gpu, (uint32_t)step->partition);

        if (partition) {
            partition->driver = driver;
            partition->held = GP_HELD_NO;
            partition->holder = NULL;
        }
    }
}

static bool in_slot(const void *closure, struct gp_pci address)
{
    const struct gp_pci *pf = closure;

    return address.domain == pf->domain && address.bus == pf->bus && address.device == pf->device;
}

static bool is_no_companion(const void *closure, struct gp_pci address)
{
    const struct gp_pci *pf = closure;

    return !in_slot(pf, address) || gp_pci_compare(*pf, address) == 0;
}

struct gp_error *gp_whole_observe(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    const char *foreigner = NULL;
    struct gp_error *err = gp_sysfs_foreigner(host, mem, gpu->group, in_slot, &gpu->address, &foreigner);

    if (!err)
        err = gp_sysfs_foreigner(host, mem, gpu->group, is_no_companion, &gpu->address, &gpu->companion);
    if (!err)
        err = gp_sysfs_group_mate(host, mem, gpu->group, in_slot, &gpu->address, &gpu->shares_group);
    if (err)
        return err;
    if (gpu->group < 0)
        gpu->not_whole = "it is in no IOMMU group: the IOMMU is off in firmware or kernel (intel_iommu=on)";
    else if (foreigner)
        gpu->not_whole = gp_printf(mem, "its IOMMU group %d has %s in it", gpu->group, foreigner);
    gpu->held = gp_host_held(host, mem, gpu->group, &gpu->holder);
    return NULL;
}

static bool is_bound(const char *now, const char *driver)
{
    if (!driver)
        return !gp_sysfs_driver_yields(now);
    return *driver ? gp_streq(now, driver) : !now;
}

/* A driver that lets go of a GPU, or takes it, may be busy with it for far longer than any other write is: until @deadline_ms,
 * and at least as long as any other write has. */
static struct gp_error *write_until(struct gp_host *host, const char *path, const char *text,
                                    uint64_t deadline_ms)
{
    const uint64_t now = gp_monotonic_ms(), left = now < deadline_ms ? deadline_ms - now : 0;

    return gp_host_write_within(host, path, text, left > host->io_timeout_ms ? (uint32_t)left : host->io_timeout_ms);
}

/* From here on only @driver may take it (NULL: whichever knows it), and @now, NULL being none, lets go of it. */
static struct gp_error *unbind(struct gp_host *host, struct gp_arena *mem, struct gp_pci address,
                               const char *now, const char *driver, uint64_t deadline_ms)
{
    struct gp_error *err = write_until(host, gp_sysfs_pci(mem, address, "driver_override"),
                                       driver ? driver : "\n", deadline_ms);

    if (err || !now)
        return err;
    err = write_until(host, gp_sysfs_pci(mem, address, "driver/unbind"), gp_pci_text(mem, address), deadline_ms);
    if (err && err->code != GP_E_GONE)
        return gp_error_wrap(err, "%s was not taken from the driver %s", gp_pci_text(mem, address), now);
    gp_error_free(err);
    return NULL;
}

static struct gp_error *probe(struct gp_host *host, const char *name, uint64_t deadline_ms)
{
    return write_until(host, "sys/bus/pci/drivers_probe", name, deadline_ms);
}

static bool is_loaded(struct gp_host *host, struct gp_arena *mem, const char *driver)
{
    return gp_host_exists(host, gp_printf(mem, "sys/bus/pci/drivers/%s", driver));
}

struct gp_error *gp_bind(struct gp_host *host, struct gp_pci address, const char *driver,
                         uint64_t deadline_ms)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *name = gp_pci_text(mem, address), *now;
    const char *link = gp_sysfs_pci(mem, address, "driver");
    struct gp_error *err = gp_host_readlink(host, mem, link, &now);

    if (err || is_bound(now, driver))
        return err;
    if (!gp_host_exists(host, gp_sysfs_pci(mem, address, NULL)))
        return gp_error_new(GP_E_GONE, "%s is not there", name);
    if (driver && *driver && !is_loaded(host, mem, driver))
        return gp_error_new(GP_E_UNSUPPORTED, "%s cannot go to the driver %s, which is not loaded (modprobe %s)",
                            name, driver, driver);
    err = unbind(host, mem, address, now, driver && *driver ? driver : NULL, deadline_ms);
    if (err || (driver && !*driver))
        return err;
    err = probe(host, name, deadline_ms);
    if (err)
        return gp_error_wrap(err, "the driver %s did not take %s", driver ? driver : "of the host", name);
    for (;;) {
        err = gp_host_readlink(host, mem, link, &now);
        if (err || is_bound(now, driver))
            break;
        if (gp_monotonic_ms() >= deadline_ms)
            return gp_error_new(GP_E_IO, "%s is on the driver %s and not on %s, and no write was refused",
                                name, now ? now : "(none)", driver ? driver : "one of the host");
        gp_sleep_ms(50);
    }
    /* An override to a driver of the host would outlive the reason for it. */
    if (!err && driver && !gp_sysfs_driver_yields(driver))
        err = gp_host_write(host, gp_sysfs_pci(mem, address, "driver_override"), "\n");
    return err;
}

/* Back to the host, if it has a driver for it: many hosts have none for the sound of a GPU, or for a GPU that only guests
 * use, and nobody waits for one. Fact: Linux drivers/base/bus.c, drivers_probe_store() returns when probes are done. */
static struct gp_error *offer(struct gp_host *host, struct gp_arena *mem, struct gp_pci address,
                              const char *now, uint64_t deadline_ms)
{
    struct gp_error *err = unbind(host, mem, address, now, NULL, deadline_ms);

    if (err)
        return err;
    err = probe(host, gp_pci_text(mem, address), deadline_ms);
    if (err && err->code == GP_E_HUNG)
        return err;
    gp_error_free(err);
    return NULL;
}

/* The GPU itself, which a driver for guests may have taken back: vfio-pci knows those of its parameter ids. */
static struct gp_error *offer_gpu(struct gp_host *host, struct gp_arena *mem, struct gp_pci address,
                                  const char *now, uint64_t deadline_ms)
{
    struct gp_error *err = offer(host, mem, address, now, deadline_ms);

    if (!err)
        err = gp_host_readlink(host, mem, gp_sysfs_pci(mem, address, "driver"), &now);
    if (!err && now && gp_sysfs_driver_yields(now))
        err = gp_error_new(GP_E_IO, "%s is on the driver %s and not on one of the host, and no write was refused",
                           gp_pci_text(mem, address), now);
    return err;
}

/* The other functions of the GPU's slot that share its group. On the way to a guest one without a driver is taken as well: no
 * guest can have the group once a driver of the host has it, which may be loaded later. On the way back it stays without. */
static struct gp_error *bind_companions(struct gp_host *host, struct gp_arena *mem,
                                        const struct gp_gpu *gpu, const char *driver,
                                        uint64_t deadline_ms)
{
    const bool away = gp_sysfs_driver_yields(driver);
    struct gp_strings names;
    struct gp_error *err;

    if (gpu->group < 0)
        return NULL;
    err = gp_host_list(host, mem, gp_printf(mem, "sys/kernel/iommu_groups/%d/devices", gpu->group),
                       &names);
    for (size_t i = 0; !err && i < names.count; i++) {
        struct gp_pci address;
        const char *now;

        if (!gp_pci_parse(names.items[i], &address) || !in_slot(&gpu->address, address) ||
            gp_pci_compare(address, gpu->address) == 0)
            continue;
        err = gp_host_readlink(host, mem, gp_sysfs_pci(mem, address, "driver"), &now);
        if (err || (now ? gp_sysfs_driver_yields(now) == away : !away))
            continue;
        err = away ? gp_bind(host, address, driver, deadline_ms) : offer(host, mem, address, now, deadline_ms);
    }
    return err;
}

struct gp_error *gp_whole_apply(struct gp_host *host, const struct gp_gpu *gpu,
                                const struct gp_step *step)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    uint64_t deadline = gp_monotonic_ms() + step->timeout_ms;
    const struct gp_partition *partition =
        step->partition >= 0 ? gp_gpu_partition(gpu, (uint32_t)step->partition) : NULL;
    const char *now, *holder;
    struct gp_pci address = gpu->address;
    int32_t group = gpu->group;
    struct gp_error *err;

    if (step->partition >= 0) {
        if (!partition || partition->device.kind != GP_DEVICE_PCI)
            return gp_error_new(GP_E_GONE, "%s has no partition %lld to bind", gpu->id,
                                (long long)step->partition);
        address = partition->device.pci;
        group = partition->group;
    }
    err = gp_host_readlink(host, mem, gp_sysfs_pci(mem, address, "driver"), &now);
    if (err)
        return err;
    if (!is_bound(now, step->driver) && gp_host_held(host, mem, group, &holder) != GP_HELD_NO)
        return gp_error_new(GP_E_BUSY, "%s is in use by %s", gp_pci_text(mem, address),
                            holder ? holder : "someone");
    if (!is_bound(now, step->driver) && !gp_sysfs_driver_yields(now))
        err = gp_clients_refuse(host, address);
    if (err)
        return err;
    if (step->value == GP_BIND_OR_NONE && now && gp_sysfs_driver_yields(now) &&
        (!step->driver || !is_loaded(host, mem, step->driver)))
        err = offer_gpu(host, mem, address, now, deadline);
    else
        err = gp_bind(host, address, step->driver, deadline);
    if (!err && step->partition < 0)
        err = bind_companions(host, mem, gpu, step->driver ? step->driver : GP_DRIVER_ANY, deadline);
    return err;
}
