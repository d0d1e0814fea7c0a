#include "clock.h"
#include "nvidia/vfs.h"

#include "cleanup.h"
#include "clients.h"
#include "profiles.h"
#include "settle.h"
#include "sysfs.h"
#include "text.h"
#include "whole.h"

#include <stdlib.h>
#include <unistd.h>

#define TOOL_TIMEOUT_MS 120000
#define TOOL_TRIES      5
#define TOOL_RETRY_MS   1000
/* VFs and their attributes may come a little after the tool is done. */
#define SETTLE_MS 10000
#define POLL_MS   100

#define STUB "pci-pf-stub"

bool gp_nvidia_has_vfs(const struct gp_gpu *gpu)
{
    return gpu->vendor == GP_NVIDIA_VENDOR && gpu->vf_total > 0;
}

static bool first_vf(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                     struct gp_pci *ret)
{
    const char *target = NULL;
    struct gp_error *err = gp_host_readlink(host, mem, gp_sysfs_pci(mem, gpu->address, "virtfn0"), &target);

    gp_error_free(err);
    return target && gp_pci_parse(target, ret);
}

/* Whether the vGPU manager makes mdevs, told before there is a VF to ask. Other parents (GVT-g) may well be
 * beside a manager that does not.
 * Fact: from Linux 6.8 on the manager uses the vendor's VFIO framework, before that mdev. */
static bool has_mdev_manager(struct gp_host *host, struct gp_arena *mem)
{
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    const char *release = NULL;
    char *end = NULL;
    unsigned long major, minor;

    if (gp_host_exists(host, "sys/module/mdev/holders/nvidia_vgpu_vfio"))
        return true;
    if (!gp_host_exists(host, "sys/bus/mdev"))
        return false;
    err = gp_host_read(host, mem, "proc/sys/kernel/osrelease", &release);
    major = err ? 0 : strtoul(release, &end, 10);
    if (!major || *end != '.')
        return gp_host_exists(host, "sys/class/mdev_bus");
    minor = strtoul(end + 1, NULL, 10);
    return major < 6 || (major == 6 && minor < 8);
}

enum gp_nvidia_framework gp_nvidia_framework(struct gp_host *host, const struct gp_gpu *gpu)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_pci vf;

    if (!gp_nvidia_has_vfs(gpu))
        return GP_NVIDIA_NONE;
    if (gpu->vf_count && first_vf(host, mem, gpu, &vf)) {
        if (gp_host_exists(host, gp_sysfs_pci(mem, vf, "nvidia/creatable_vgpu_types")))
            return GP_NVIDIA_VFIO;
        if (gp_host_exists(host, gp_sysfs_pci(mem, vf, "mdev_supported_types")))
            return GP_NVIDIA_MDEV;
        /* VFs of another PF driver are plain ones. Without any, a run of sriov-manage has ended too soon. */
        if (gpu->driver && !gp_streq(gpu->driver, GP_NVIDIA_DRIVER) && !gp_streq(gpu->driver, STUB))
            return GP_NVIDIA_NONE;
    }
    return has_mdev_manager(host, mem) ? GP_NVIDIA_MDEV : GP_NVIDIA_VFIO;
}

struct gp_error *gp_nvidia_vfs_have(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                                    const char *leaf, const char **ret_gap)
{
    struct gp_pci vf;

    *ret_gap = NULL;
    if (!first_vf(host, mem, gpu, &vf))
        return gp_error_new(GP_E_IO, "%s has VFs, but virtfn0 leads to none", gpu->id);
    if (!gp_host_exists(host, gp_sysfs_pci(mem, vf, leaf)))
        *ret_gap = gp_printf(mem, "its VFs have no %s: the vGPU manager (nvidia_vgpu_vfio) is not loaded, "
                                  "or is still starting", leaf);
    return NULL;
}

/* NULL if the tool can be run, else what is missing. */
static const char *tool_missing(struct gp_host *host, struct gp_arena *mem)
{
    if (!host->sriov_manage)
        return "its VFs are enabled by NVIDIA's sriov-manage, and GpuAgent's nvidia.sriovManage does not "
               "say where it is (usually /usr/lib/nvidia/sriov-manage)";
    /* A capture has no tools; what it was taken from may have. */
    if (gp_streq(host->root, "/") && access(host->sriov_manage, X_OK) < 0)
        return gp_printf(mem, "its VFs are enabled by NVIDIA's sriov-manage, which is not at %s, where "
                              "GpuAgent's nvidia.sriovManage says it is", host->sriov_manage);
    return NULL;
}

static bool say(struct gp_gpu *gpu, enum gp_gpu_status status, const char *reason)
{
    gpu->status = status;
    gpu->reason = reason;
    return true;
}

bool gp_nvidia_vfs_observe(struct gp_host *host, struct gp_arena *mem, struct gp_gpu *gpu)
{
    const char *missing = tool_missing(host, mem);

    gpu->vfs_by_tool = !missing;
    if (gp_streq(gpu->driver, STUB))
        return say(gpu, GP_GPU_UNHEALTHY,
                   "it was left on pci-pf-stub by a run of sriov-manage that failed; it goes back to the "
                   "driver nvidia with the next change");
    /* Fact: it may fail between unbinding and binding, most of all at boot (stackhpc ansible-collection-linux#37, #42). */
    if (!gpu->driver && gp_host_exists(host, "sys/bus/pci/drivers/" GP_NVIDIA_DRIVER))
        return say(gpu, GP_GPU_UNHEALTHY,
                   "no driver is bound to it, as a run of sriov-manage that failed may leave it; it goes back to the "
                   "driver nvidia with the next change");
    if (gp_streq(gpu->driver, GP_DRIVER_VFIO))
        return false;
    if (gpu->group < 0)
        return say(gpu, GP_GPU_PARAVIRTUAL,
                   "it could be partitioned, but the IOMMU is off: turn on VT-d or AMD-Vi in the firmware "
                   "(and intel_iommu=on before Linux 6.8)");
    if (!gp_streq(gpu->driver, GP_NVIDIA_DRIVER))
        return say(gpu, GP_GPU_UNSUPPORTED,
                   gpu->driver ? gp_printf(mem, "it is on the driver %s, not on NVIDIA's vGPU host driver",
                                           gpu->driver)
                               : "no driver is bound to it; partitions need NVIDIA's vGPU host driver");
    if (gp_host_exists(host, "sys/module/nvidia") && !gp_host_exists(host, "sys/module/nvidia_vgpu_vfio"))
        return say(gpu, GP_GPU_UNSUPPORTED,
                   "NVIDIA's driver is there without the vGPU manager (nvidia_vgpu_vfio), so the GPU can "
                   "only be given to a VM as a whole");
    if (gpu->vf_count == 0 && missing)
        return say(gpu, GP_GPU_UNSUPPORTED, missing);
    return false;
}

struct gp_error *gp_nvidia_vfs_plan(struct gp_gpu *gpu, bool on, bool by_pci, struct gp_steps *steps)
{
    uint32_t count = on ? gpu->vf_total : 0;
    struct gp_step *step;

    if ((on || gpu->vf_count) && !gp_streq(gpu->driver, GP_NVIDIA_DRIVER)) {
        if (!gp_sysfs_driver_yields(gpu->driver))
            return gp_error_new(GP_E_UNSUPPORTED, "%s: %s", gpu->id,
                                gpu->reason ? gpu->reason : "it is not on the driver nvidia");
        step = gp_whole_add_bind(steps, gpu, -1, GP_NVIDIA_DRIVER,
                                 on ? "its partitions need NVIDIA's driver" : "its VFs go by way of NVIDIA's driver");
        gp_nvidia_vfs_predict(steps->mem, gpu, step, by_pci);
    }
    if (on ? gpu->vf_count > 0 : gpu->vf_count == 0)
        return NULL;
    if (!gpu->vfs_by_tool)
        return gp_error_new(GP_E_UNSUPPORTED,
                            "%s: its VFs are switched by NVIDIA's sriov-manage, which GpuAgent's "
                            "nvidia.sriovManage does not name, or which is not there", gpu->id);
    step = gp_steps_add(steps, GP_STEP_SET_VF_COUNT, gpu->id);
    step->reach = GP_REACH_GPU;
    step->before = gp_number_text(steps->mem, gpu->vf_count);
    step->after = gp_number_text(steps->mem, count);
    step->value = count;
    step->reason = on ? "partitions are made on VFs, which are enabled all at once"
                      : "the whole GPU must have no VFs";
    step->timeout_ms = TOOL_TIMEOUT_MS;
    gp_nvidia_vfs_predict(steps->mem, gpu, step, by_pci);
    return NULL;
}

void gp_nvidia_vfs_predict(struct gp_arena *mem, struct gp_gpu *gpu, const struct gp_step *step,
                           bool by_pci)
{
    if (step->kind == GP_STEP_BIND_DRIVER) {
        gp_whole_predict(gpu, step);
        return;
    }
    gpu->vf_count = (uint32_t)step->value;
    gpu->partitions = NULL;
    gpu->partition_count = 0;
    for (uint32_t i = 0; i < gpu->vf_count; i++) {
        struct gp_partition *vf = gp_push(mem, gpu->partitions, gpu->partition_count);

        *vf = (struct gp_partition){.index = i, .group = -1};
        if (!by_pci)
            continue;
        vf->driver = GP_NVIDIA_DRIVER;
        if (gpu->vf_offset)
            vf->device = (struct gp_device){
                .kind = GP_DEVICE_PCI,
                .pci = gp_pci_vf(gpu->address, gpu->vf_offset, gpu->vf_stride, i),
            };
    }
}

/* Predicts on @scratch the steps that were added since @from. */
static void follow(struct gp_gpu *scratch, struct gp_steps *steps, size_t from)
{
    for (; from < steps->count; from++)
        gp_profiles_predict(steps->mem, scratch, &steps->items[from]);
    gp_gpu_settle(scratch);
}

struct gp_error *gp_nvidia_plan(const struct gp_gpu *gpu, const struct gp_layout *want, bool by_pci,
                                struct gp_steps *steps)
{
    struct gp_gpu *scratch = gp_gpu_scratch(steps->mem, gpu);
    size_t from = steps->count;
    struct gp_error *err;

    if (want->mode == GP_MODE_PARTITIONED) {
        if (gp_profiles_matches(gpu, want))
            return NULL;
        err = gp_refuse_unfit(gpu);
        if (!err)
            err = gp_nvidia_vfs_plan(scratch, true, by_pci, steps);
        return err ? err : gp_profiles_plan(scratch, want, steps);
    }
    if (gp_whole_matches(gpu, want))
        return NULL;
    err = gp_profiles_plan(scratch, want, steps);
    if (err)
        return err;
    follow(scratch, steps, from);
    /* VFs that are only enabled disturb nobody but a guest that gets the whole GPU. */
    if (want->mode == GP_MODE_PASSTHROUGH) {
        if (gpu->not_whole)
            return gp_whole_plan(gpu, want, NULL, steps);
        err = gp_nvidia_vfs_plan(scratch, false, by_pci, steps);
        gp_gpu_settle(scratch);
    }
    return err ? err : gp_whole_plan(scratch, want, GP_NVIDIA_DRIVER, steps);
}

/* Whether the VFs are as @want says, and have what partitions are made with. */
static struct gp_error *look(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                             uint64_t want, bool *ret)
{
    struct gp_sysfs_vf *vfs;
    size_t count;
    struct gp_error *err = gp_sysfs_vfs(host, mem, gpu->address, &vfs, &count);

    if (err)
        return err;
    *ret = count == want &&
           (count == 0 ||
            gp_host_exists(host, gp_sysfs_pci(mem, vfs[0].address, "nvidia/creatable_vgpu_types")) ||
            gp_host_exists(host, gp_sysfs_pci(mem, vfs[0].address, "mdev_supported_types")));
    return NULL;
}

static struct gp_error *refuse_if_held(struct gp_host *host, struct gp_arena *mem,
                                       const struct gp_gpu *gpu)
{
    const char *holder;

    for (size_t i = 0; i < gpu->partition_count; i++) {
        if (gp_host_held(host, mem, gpu->partitions[i].group, &holder) != GP_HELD_NO)
            return gp_error_new(GP_E_BUSY, "partition %u of %s is in use by %s", gpu->partitions[i].index,
                                gpu->id, holder ? holder : "someone");
    }
    return NULL;
}

/* Runs the tool until it succeeds: monitoring agents open the GPU for moments, and then it fails. */
static struct gp_error *run_tool(struct gp_host *host, struct gp_arena *mem, const struct gp_gpu *gpu,
                                 bool on, uint64_t deadline)
{
    const char *argv[] = {host->sriov_manage, on ? "-e" : "-d", gp_pci_text(mem, gpu->address), NULL};

    for (int attempt = 1;; attempt++) {
        uint64_t now = gp_monotonic_ms();
        const char *driver = NULL;
        struct gp_error *err =
            gp_host_run(host, argv, now < deadline ? (uint32_t)(deadline - now) : 1);
        struct gp_error *link_err = gp_host_readlink(host, mem, gp_sysfs_pci(mem, gpu->address, "driver"),
                                                     &driver);

        gp_error_free(link_err);
        if (!err)
            return NULL;
        if (!gp_streq(driver, GP_NVIDIA_DRIVER))
            return gp_error_wrap(err, "%s was left on the driver %s", gpu->id, driver ? driver : "(none)");
        if (err->code != GP_E_IO || attempt == TOOL_TRIES || gp_monotonic_ms() + TOOL_RETRY_MS >= deadline)
            return err;
        gp_error_free(err);
        gp_sleep_ms(TOOL_RETRY_MS);
    }
}

struct gp_error *gp_nvidia_vfs_apply(struct gp_host *host, const struct gp_gpu *gpu,
                                     const struct gp_step *step)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    uint64_t deadline = gp_monotonic_ms() + step->timeout_ms, settled;
    bool done;
    struct gp_error *err = look(host, mem, gpu, step->value, &done);

    if (err || done)
        return err;
    if (!host->sriov_manage)
        return gp_error_new(GP_E_UNSUPPORTED, "%s: %s", gpu->id, tool_missing(host, mem));
    if (step->value == 0)
        err = refuse_if_held(host, mem, gpu);
    if (!err && gp_streq(gpu->driver, GP_NVIDIA_DRIVER)) /* which the tool makes let go of it, too */
        err = gp_clients_refuse(host, gpu->address);
    if (!err)
        err = run_tool(host, mem, gpu, step->value > 0, deadline);
    if (err)
        return err;
    settled = gp_monotonic_ms() + SETTLE_MS;
    for (;;) {
        err = look(host, mem, gpu, step->value, &done);
        if (err || done)
            return err;
        if (gp_monotonic_ms() >= settled)
            return gp_error_new(GP_E_IO, "%s succeeded, but %s has not %s VFs with vGPU attributes",
                                host->sriov_manage, gpu->id, step->after);
        gp_sleep_ms(POLL_MS);
    }
}
