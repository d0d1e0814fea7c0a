/* Any bytes in the attributes of a host: files, links, pipes and directories below sys/, dev/ and proc/ as the text says
 * (tree.h). The look at it ends, writes nothing, leaves what is outside alone, and finds GPUs whose numbers can be: in
 * order, counts within what SR-IOV and mdev know, every partition once. The next look finds the same. */
#include "fuzz.h"
#include "tree.h"

#include "cleanup.h"
#include "mdev/types.h"
#include "nvidia/types.h"
#include "registry.h"
#include "text.h"
#include "vpd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool holds, const char *law, const char *where)
{
    if (holds)
        return;
    (void)fprintf(stderr, "%s: %s\n", law, where);
    abort();
}

static void hear(const char *line)
{
    must(!gp_starts_with(line, "sysfs write"), "a look that writes", line);
}

static struct gp_host *host(void)
{
    static struct gp_host it;

    if (it.root)
        return &it;
    if (gp_host_open(tree_root(), true, &it))
        abort();
    it.machine_id = "0123456789abcdef0123456789abcdef";
    it.trace = hear;
    return &it;
}

/* ---- what is found ---- */

/* Whether a terminal shows it in one line and takes nothing of it for a command. */
static bool prints(const char *text)
{
    const char *end = text ? text + strlen(text) : NULL;
    size_t size;

    for (; text < end; text += size) {
        size = gp_utf8_printable(text, end);
        if (!size)
            return false;
    }
    return true;
}

static void partitions_hold(const struct gp_gpu *gpu)
{
    for (size_t i = 0; i < gpu->partition_count; i++) {
        const struct gp_partition *it = &gpu->partitions[i];

        must(!i || it[-1].index < it->index, "partitions out of order", gpu->id);
        must(it->group >= -1, "a group below -1", gpu->id);
        must(prints(it->holder) && prints(it->driver) && prints(it->profile), "a partition that cannot be printed",
             gpu->id);
        must(!it->holder || it->held != GP_HELD_NO, "a holder of what is free", gpu->id);
        must(!it->live || it->device.kind != GP_DEVICE_NONE, "a live partition that is no device", gpu->id);
        must(it->device.kind != GP_DEVICE_MDEV || it->device.uuid, "a mediated device without UUID", gpu->id);
    }
}

static void gpu_holds(const struct gp_gpu *gpu)
{
    struct gp_pci address;

    must(gpu->id && *gpu->id, "a GPU without a name", gpu->slot ? gpu->slot : "");
    must(gp_starts_with(gpu->id, "slot") || gp_pci_parse(gpu->id, &address), "a name that is no address", gpu->id);
    must(gpu->class_code <= 0xffffff, "a class of more than 24 bits", gpu->id);
    must(gpu->vf_total <= UINT16_MAX && gpu->vf_offset <= UINT16_MAX && gpu->vf_stride <= UINT16_MAX &&
             gpu->vf_count <= UINT16_MAX + 1,
         "VFs past what SR-IOV knows", gpu->id);
    must(gpu->numa_node >= -1 && gpu->group >= -1, "a node or group below -1", gpu->id);
    must(gpu->status < GP_GPU_STATUS_COUNT && gpu->mode < GP_MODE_COUNT, "an unknown status", gpu->id);
    must(gpu->status != GP_GPU_UNKNOWN || (gpu->reason && *gpu->reason), "unknown without a reason", gpu->id);
    must(prints(gpu->reason) && prints(gpu->driver) && prints(gpu->holder) && prints(gpu->not_whole) &&
             prints(gpu->companion) && prints(gpu->name) && prints(gpu->serial) && prints(gpu->profile),
         "what cannot be printed", gpu->id);
    must(gpu->count <= gpu->partition_count, "more live partitions than partitions", gpu->id);
    for (size_t i = 0; i < gpu->valid_count; i++)
        must(prints(gpu->valid[i].profile) && gpu->valid[i].count > 0 && gpu->valid[i].count <= UINT16_MAX &&
                 (!i || gpu->valid[i].count <= gpu->valid[i - 1].count),
             "a count that nothing has", gpu->id);
    partitions_hold(gpu);
}

struct look {
    struct gp_gpu *gpus;
    size_t count;
    bool failed;
};

static struct look look(struct gp_arena *mem)
{
    struct look ret = {0};
    struct gp_error *err;

    gp_vpd_forget(host());
    err = gp_registry_observe(host(), mem, NULL, &ret.gpus, &ret.count);
    ret.failed = err != NULL;
    gp_error_free(err);
    for (size_t i = 0; i < ret.count; i++) {
        must(!i || gp_pci_compare(ret.gpus[i - 1].address, ret.gpus[i].address) < 0, "GPUs out of order",
             ret.gpus[i].id);
        gpu_holds(&ret.gpus[i]);
    }
    return ret;
}

static void same(const struct gp_gpu *a, const struct gp_gpu *b)
{
    bool alike = gp_streq(a->id, b->id) && gp_streq(a->driver, b->driver) && gp_streq(a->serial, b->serial) &&
                 a->status == b->status && gp_streq(a->reason, b->reason) && a->count == b->count &&
                 gp_streq(a->profile, b->profile) && a->held == b->held && a->valid_count == b->valid_count &&
                 a->partition_count == b->partition_count;

    for (size_t i = 0; alike && i < a->partition_count; i++)
        alike = a->partitions[i].live == b->partitions[i].live &&
                gp_streq(a->partitions[i].profile, b->partitions[i].profile);
    must(alike, "the next look finds another", a->id);
}

/* ---- the parsers alone, on the bytes as they are ---- */

static void parse(struct gp_arena *mem, const uint8_t *data, size_t size)
{
    const char *text = gp_strndup(mem, (const char *)data, size), *serial = gp_vpd_serial(mem, data, size);
    struct gp_nvidia_type *types = NULL;
    struct gp_mdev_type type = {0};
    size_t count = 0;
    struct gp_error *err = gp_nvidia_types_parse(mem, text, &types, &count);

    for (size_t i = 0; !err && i < count; i++) {
        must(types[i].id && types[i].name && *types[i].name, "a vGPU type without number or name", text);
        must(gp_nvidia_type_count(types[i].name, 49152) <= 32, "more vGPUs than there can be", types[i].name);
    }
    gp_error_free(err);
    gp_mdev_description_parse(text, &type);
    must(type.max_instance <= GP_MDEV_INSTANCES_MAX, "more instances than there can be", text);
    for (const char *c = serial; c && *c; c++)
        must(*c >= ' ' && *c <= '~', "a serial number that cannot be printed", serial);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct look first, second;
    uint64_t before;

    parse(mem, data, size);
    tree_make(data, size);
    before = tree_sum();
    first = look(mem);
    second = look(mem);
    must(first.failed == second.failed && first.count == second.count, "the next look finds others", "");
    for (size_t i = 0; i < first.count; i++)
        same(&first.gpus[i], &second.gpus[i]);
    must(before == tree_sum(), "a look that changes something", "");
    tree_must_be_left_alone();
    return 0;
}
