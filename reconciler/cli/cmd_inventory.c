/* inventory: the GPUs of this host, the line to paste into a pool, every valid count, partitions and their VMs. */
#include "command.h"

#include "plan_json.h"
#include "text.h"

#include <string.h>

/* Who holds @device in its persistent or live definition; NULL: nobody. */
static const char *vm_of(const struct gp_have *have, struct gp_device device)
{
    for (size_t i = 0; i < have->vm_count; i++) {
        const struct gp_vm *vm = &have->vms[i];

        for (size_t j = 0; j < vm->persistent_count; j++)
            if (gp_device_eq(vm->persistent_devs[j].device, device))
                return vm->name;
        for (size_t j = 0; j < vm->live_count; j++)
            if (gp_device_eq(vm->live[j].device, device))
                return vm->name;
    }
    return NULL;
}

/* The VM of a partition, also one that holds a device by its mark while the device does not exist. */
static const char *vm_of_partition(struct gp_arena *mem, const struct gp_have *have, const struct gp_gpu *gpu,
                                   const struct gp_partition *partition)
{
    const char *symbol = gp_partition_symbol(mem, gpu->id, partition->index);
    const char *vm = vm_of(have, partition->device);

    for (size_t i = 0; !vm && i < have->vm_count; i++)
        if (have->vms[i].mark && have->vms[i].mark_fits && gp_streq(have->vms[i].mark->partition, symbol))
            vm = have->vms[i].name;
    return vm;
}

static json_t *valid_json(const struct gp_gpu *gpu)
{
    json_t *array = json_array();

    for (size_t i = 0; i < gpu->valid_count; i++) {
        const struct gp_valid_count *v = &gpu->valid[i];

        (void)json_array_append_new(
            array, json_pack("{s:i, s:o, s:o, s:o}", "count", (int)v->count, "profile", gp_text_json(v->profile), "vramMib",
                             v->vram_mib ? json_integer(v->vram_mib) : json_null(), "source", gp_text_json(v->source)));
    }
    return array;
}

static json_t *partitions_json(struct gp_arena *mem, const struct gp_have *have, const struct gp_gpu *gpu)
{
    json_t *array = json_array();

    for (size_t i = 0; i < gpu->partition_count; i++) {
        const struct gp_partition *p = &gpu->partitions[i];
        const bool pci = p->device.kind == GP_DEVICE_PCI, mdev = p->device.kind == GP_DEVICE_MDEV;

        if (!p->live)
            continue;
        (void)json_array_append_new(
            array, json_pack("{s:i, s:o, s:o, s:o, s:o, s:b}", "index", (int)p->index, "address",
                             gp_text_json(pci ? gp_pci_text(mem, p->device.pci) : NULL), "uuid",
                             gp_text_json(mdev ? p->device.uuid : NULL), "profile", gp_text_json(p->profile), "vm",
                             gp_text_json(vm_of_partition(mem, have, gpu, p)), "quarantined", p->quarantined));
    }
    return array;
}

static json_t *gpu_json(struct gp_arena *mem, const struct gp_have *have, const struct gp_gpu *gpu)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:i, s:o, s:o, s:o}", "address",
                     gp_text_json(gp_pci_text(mem, gpu->address)), "id", gp_text_json(gpu->id), "vendor",
                     gp_text_json(gp_printf(mem, "%04x", gpu->vendor)), "device",
                     gp_text_json(gp_printf(mem, "%04x", gpu->device)), "model", gp_text_json(gpu->model), "mechanism",
                     gp_text_json(gpu->mechanism), "status", gp_gpu_status_name(gpu->status), "reason",
                     gp_text_json(gpu->reason), "validCounts", valid_json(gpu), "count", (int)gpu->count, "partitions",
                     partitions_json(mem, have, gpu), "name", gp_text_json(gpu->name), "driver",
                     gp_text_json(gpu->driver));
}

static void print_json(struct gp_pass *pass, const struct gp_have *have)
{
    json_t *gpus = json_array();

    for (size_t i = 0; i < have->gpu_count; i++)
        (void)json_array_append_new(gpus, gpu_json(pass->mem, have, &have->gpus[i]));
    gp_json_print(stdout, json_pack("{s:s, s:s, s:o, s:o}", "formatVersion", "1.0", "kind", "Inventory", "host",
                                    gp_text_json(pass->host_name), "gpus", gpus));
}

/* The line that makes a pool match this GPU and its like. */
static const char *match_line(struct gp_arena *mem, const struct gp_gpu *gpu)
{
    if (gpu->model)
        return gp_printf(mem, "match: {model: %s}", gpu->model);
    return gp_printf(mem, "match: {device: \"%04x:%04x\"}", gpu->vendor, gpu->device);
}

static const char *size_text(struct gp_arena *mem, const struct gp_valid_count *valid)
{
    return valid->vram_mib ? gp_printf(mem, "%u MiB each", valid->vram_mib) : "size not known";
}

static bool alike(const struct gp_valid_count *a, const struct gp_valid_count *b)
{
    return a->count == b->count && a->vram_mib == b->vram_mib && gp_streq(a->source, b->source);
}

/* All profiles that are like @gpu->valid[@i] but for their name; NULL: an earlier one told of it. */
static const char *profiles_like(struct gp_arena *mem, const struct gp_gpu *gpu, size_t i)
{
    struct gp_text out = {.mem = mem};

    for (size_t j = 0; j < gpu->valid_count; j++) {
        if (!gpu->valid[j].profile || !alike(&gpu->valid[i], &gpu->valid[j]))
            continue;
        if (j < i)
            return NULL;
        gp_text_addf(&out, "%s%s", out.size ? ", " : "", gpu->valid[j].profile);
    }
    return gp_text_get(&out);
}

/* The end of a run of counts that have nothing but a number. */
static size_t run_end(const struct gp_gpu *gpu, size_t i)
{
    const struct gp_valid_count *v = gpu->valid;

    while (i + 1 < gpu->valid_count && !v[i + 1].profile && !v[i + 1].vram_mib &&
           gp_streq(v[i].source, v[i + 1].source) && v[i + 1].count + 1 == v[i].count)
        i++;
    return i;
}

static void print_valid(struct gp_arena *mem, const struct gp_gpu *gpu)
{
    if (gpu->valid_count)
        (void)printf("  valid counts:\n");
    for (size_t i = 0; i < gpu->valid_count; i++) {
        const struct gp_valid_count *v = &gpu->valid[i];
        const size_t last = v->profile || v->vram_mib ? i : run_end(gpu, i);
        const char *profiles = v->profile ? profiles_like(mem, gpu, i) : "";

        if (!profiles)
            continue;
        (void)printf("    %5s  %-15s  %s%s(%s)\n",
                     last > i ? gp_printf(mem, "%u-%u", gpu->valid[last].count, v->count) : gp_printf(mem, "%u", v->count),
                     size_text(mem, v), profiles, *profiles ? "  " : "", v->source);
        i = last;
    }
}

static void print_gpu(struct gp_arena *mem, const struct gp_have *have, const struct gp_gpu *gpu)
{
    const char *address = gp_pci_text(mem, gpu->address);

    (void)printf("%s", gpu->id);
    if (!gp_streq(gpu->id, address)) /* a GPU in no slot is called by its address */
        (void)printf("  %s", address);
    (void)printf("  %s\n", gpu->name && *gpu->name
                              ? gpu->name
                              : gp_printf(mem, "%04x:%04x, which pci.ids does not name", gpu->vendor, gpu->device));
    (void)printf("  %s\n", match_line(mem, gpu));
    (void)printf("  status: %s%s%s\n", gp_gpu_status_name(gpu->status), gpu->reason ? ": " : "", gpu->reason ? gpu->reason : "");
    (void)printf("  mechanism: %s, driver: %s, partitions: %u%s%s\n", gpu->mechanism ? gpu->mechanism : "none",
                 gpu->driver ? gpu->driver : "none", gpu->count, gpu->profile ? " of " : "", gpu->profile ? gpu->profile : "");
    for (size_t i = 0; i < gpu->partition_count; i++) {
        const struct gp_partition *p = &gpu->partitions[i];
        const char *vm = p->live ? vm_of_partition(mem, have, gpu, p) : NULL;

        if (p->live || p->quarantined)
            (void)printf("    %s/%u  %s  %s  %s%s%s\n", gpu->id, p->index, gp_device_text(mem, p->device),
                         p->profile ? p->profile : "-", vm ? vm : p->quarantined ? "given to nobody" : "free",
                         p->held == GP_HELD_YES ? ", in use" : "",
                         p->quarantined ? ", quarantined: it failed its check" : "");
    }
    print_valid(mem, gpu);
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, GP_FORMAT_JSON, -1};
    const enum gp_format format = gp_cli_format(cli, formats);
    struct gp_pass pass;
    struct gp_have *have = NULL;
    struct gp_error *err = gp_pass_open(&cli->pass, &pass);
    int exit = GP_EXIT_OK;

    if (err)
        return gp_cli_fail(err);
    pass.host.all_names = true;
    err = gp_pass_observe(&pass, &pass.host, pass.mem, &have);
    if (err) {
        exit = gp_cli_fail(err);
        gp_pass_close(&pass);
        return exit;
    }
    pass.have = have;
    if (have->vms_unknown)
        (void)fprintf(stderr, "gpupart: warning: guests are not shown: %s\n", have->vms_reason);
    if (format == GP_FORMAT_JSON)
        print_json(&pass, have);
    else if (!have->gpu_count)
        (void)printf("GP-E101: no GPU was found on this host: no PCI function of class 03 or 1200 that is not a VF\n");
    else
        for (size_t i = 0; i < have->gpu_count; i++)
            print_gpu(pass.mem, have, &have->gpus[i]);
    if (gp_pass_incomplete(&pass))
        exit = GP_EXIT_INCOMPLETE;
    gp_pass_close(&pass);
    return exit;
}

const struct gp_command gp_command_inventory = {
    .name = "inventory",
    .doc = "GPUs, how to match them, valid counts, partitions, VMs",
    .run = run,
};
