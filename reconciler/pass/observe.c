/* The look at the host: GPUs through the providers, guests through libvirt or a capture's files. */
#include "pass.h"

#include "cleanup.h"
#include "numa.h"
#include "guests_saved.h"
#include "registry.h"
#include "text.h"
#include "units.h"

#include <string.h>

enum { CONNECT_TIMEOUT_MS = 10000 };

/* libvirt may have been restarted since the last look. */
static struct gp_error *connect_virt(struct gp_pass *pass)
{
    if (pass->virt && gp_virt_alive(pass->virt))
        return NULL;
    gp_virt_close(pass->virt);
    pass->virt = NULL;
    return gp_virt_open(pass->connect, !pass->options.change, CONNECT_TIMEOUT_MS, &pass->virt);
}

struct gp_error *gp_pass_virt(struct gp_pass *pass, struct gp_virt **ret)
{
    struct gp_error *err;

    if (!pass->connect)
        return gp_error_new(GP_E_UNSUPPORTED, "%s is a capture, and has no libvirt", pass->options.root);
    (void)pthread_mutex_lock(&pass->virt_lock);
    err = connect_virt(pass);
    if (!err)
        *ret = gp_virt_ref(pass->virt);
    (void)pthread_mutex_unlock(&pass->virt_lock);
    return err;
}

static struct gp_error *observe_guests(struct gp_pass *pass, struct gp_arena *mem, struct gp_have *have)
{
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = NULL;
    struct gp_error *err;

    if (!pass->connect)
        return gp_virt_observe_files(pass->options.root, mem, have);
    err = gp_pass_virt(pass, &virt);
    return err ? err : gp_virt_observe(virt, mem, have);
}

struct gp_error *gp_pass_observe_job(struct gp_pass *pass, struct gp_vm *vm)
{
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = NULL;
    struct gp_error *err;

    if (vm->job_known || vm->power != GP_POWER_RUNNING || !pass->connect)
        return NULL;
    err = gp_pass_virt(pass, &virt);
    return err ? err : gp_virt_observe_job(virt, vm);
}

/* Whether the CPU says that it runs under a hypervisor. */
static bool is_nested(struct gp_host *host, struct gp_arena *mem)
{
    const char *cpuinfo = NULL;
    struct gp_error *err = gp_host_read(host, mem, "proc/cpuinfo", &cpuinfo);
    const char *flags = NULL, *end;

    if (!err)
        flags = strstr(cpuinfo, "\nflags");
    gp_error_free(err);
    if (!flags)
        return false;
    end = strchr(flags + 1, '\n');
    flags = strstr(flags, " hypervisor");
    return flags && (!end || flags < end);
}

/* Fact: proc(5), /proc/meminfo: "MemTotal: N kB", where kB is 1024 bytes. */
static uint64_t total_memory(struct gp_host *host, struct gp_arena *mem)
{
    const char *text = NULL;
    struct gp_error *err = gp_host_read(host, mem, "proc/meminfo", &text);
    unsigned long long kib = 0;

    if (err || sscanf(text, "MemTotal: %llu kB", &kib) != 1 || kib > UINT64_MAX / 1024)
        kib = 0;
    gp_error_free(err);
    return (uint64_t)kib * 1024;
}

/* A GPU or VM that GpuAgent says never to touch is seen, and its quarantined partitions are marked. */
static void mark_quarantined(const struct gp_memory *memory, struct gp_arena *mem, struct gp_have *have)
{
    for (size_t i = 0; i < memory->quarantined.count; i++) {
        const char *id = NULL;
        uint32_t index = 0;
        struct gp_gpu *gpu;
        struct gp_partition *partition;

        if (!gp_partition_symbol_parse(mem, memory->quarantined.items[i], &id, &index))
            continue;
        gpu = gp_have_gpu(have, id);
        partition = gpu ? gp_gpu_partition(gpu, index) : NULL;
        if (partition)
            partition->quarantined = true;
    }
}

struct gp_error *gp_pass_observe(struct gp_pass *pass, struct gp_host *host, struct gp_arena *mem,
                                 struct gp_have **ret)
{
    struct gp_have *have = gp_new(mem, struct gp_have);
    struct gp_error *err;

    have->host = pass->host_name;
    have->machine_id = pass->machine_id;
    err = gp_registry_observe(host, mem, pass->agent, &have->gpus, &have->gpu_count);
    if (err)
        return gp_error_wrap(err, "the GPUs of this host cannot be read");
    err = observe_guests(pass, mem, have);
    if (err) {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        have->vms_unknown = true;
        have->vms_reason = gp_strdup(mem, line);
        have->vms = NULL;
        have->vm_count = 0;
        gp_error_free(err);
    }
    gp_pass_place_guests(host, mem, have);
    gp_pass_observe_units(pass, host, mem, have);
    have->nested = is_nested(host, mem);
    have->memory = total_memory(host, mem);
    have->guests_saved = gp_guests_saved(host, mem);
    (void)pthread_mutex_lock(&pass->state_lock);
    mark_quarantined(gp_state_memory(pass->state), mem, have);
    (void)pthread_mutex_unlock(&pass->state_lock);
    *ret = have;
    return NULL;
}
