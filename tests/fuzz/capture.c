/* Any directory as a capture (tree.h): definitions of guests, facts about libvirt, sysfs, with links to anywhere, pipes
 * that nobody feeds, huge files and odd names. Reading it ends, changes nothing, and never leaves the root, whatever its
 * links say. Saving what is seen of it writes below the directory for it and nowhere else, and what was saved reads as
 * what it was taken from. */
#include "fuzz.h"
#include "tree.h"

#include "capture.h"
#include "cleanup.h"
#include "registry.h"
#include "text.h"
#include "virt.h"
#include "vpd.h"

#include <fcntl.h>
#include <libxml/xmlerror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MACHINE "5e0f6a0c7d6b4b2f9a0c1d2e3f405162"

static void must(bool holds, const char *law, const char *where)
{
    if (holds)
        return;
    (void)fprintf(stderr, "%s: %s\n", law, where ? where : "");
    abort();
}

/* Opened once for each directory: each handle reads pci.ids. */
static struct gp_host *open_host(struct gp_host *host, const char *root)
{
    if (!host->root) {
        if (gp_host_open(root, false, host))
            abort();
        host->machine_id = MACHINE;
    }
    gp_vpd_forget(host);
    return host;
}

static void read_words(struct gp_host *host, struct gp_arena *mem)
{
    static const char *const paths[] = {"etc/hostname", "etc/machine-id", "proc/cpuinfo", "capture.json"};
    const char *text;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct gp_error *err = gp_host_read(host, mem, paths[i], &text);

        gp_error_free(err);
    }
}

static void vm_holds(const struct gp_vm *vm)
{
    must(vm->name && *vm->name && vm->uuid && *vm->uuid, "a VM without name or UUID", vm->name);
    must(vm->persistent || vm->power != GP_POWER_OFF, "a VM that is neither defined nor running", vm->name);
    must(vm->power != GP_POWER_OFF || !vm->live_count, "live devices of a VM that is off", vm->name);
    must(vm->persistent || !vm->persistent_count, "devices of no definition", vm->name);
}

struct seen {
    struct gp_gpu *gpus;
    size_t count;
    bool failed;
};

static struct seen look(struct gp_host *host, struct gp_arena *mem)
{
    struct gp_have have = {.machine_id = MACHINE};
    struct seen ret = {0};
    struct gp_error *err = gp_registry_observe(host, mem, NULL, &ret.gpus, &ret.count);

    ret.failed = err != NULL;
    gp_error_free(err);
    read_words(host, mem);
    err = gp_virt_observe_files(host->root, mem, &have);
    for (size_t i = 0; !err && i < have.vm_count; i++)
        vm_holds(&have.vms[i]);
    gp_error_free(err);
    return ret;
}

/* Whether a look at what was saved can be expected to find the same: all that there is was read and saved. */
static bool save(struct gp_host *host, struct gp_arena *mem)
{
    gp_cleanup(gp_close_p) int dir = open(tree_copy(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gp_cleanup(gp_capture_free_p) struct gp_capture *capture = gp_capture_new(host, dir);
    struct gp_strings unreadable;
    struct gp_error *err;
    bool whole;

    gp_vpd_forget(host);
    (void)look(host, mem);
    gp_capture_rest(capture);
    gp_capture_unreadable(capture, mem, &unreadable);
    err = gp_capture_error(capture);
    whole = !err && !unreadable.count;
    gp_error_free(err);
    return whole;
}

static void same(const struct gp_gpu *a, const struct gp_gpu *b)
{
    must(gp_streq(a->id, b->id), "what was saved has another GPU", a->id);
    if (a->status == GP_GPU_UNKNOWN) /* of what could not be read only that is kept which could */
        return;
    must(a->status == b->status && gp_streq(a->reason, b->reason), "what was saved has another status", a->id);
    must(gp_streq(a->driver, b->driver) && gp_streq(a->serial, b->serial) && a->group == b->group &&
             a->vf_count == b->vf_count && a->held == b->held,
         "what was saved says something else of the GPU", a->id);
    must(a->count == b->count && a->partition_count == b->partition_count && a->valid_count == b->valid_count &&
             gp_streq(a->profile, b->profile),
         "what was saved has other partitions", a->id);
}

static void say_nothing(void *data, const char *format, ...)
{
    (void)data;
    (void)format;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    static struct gp_host host, saved;
    struct seen first, second;
    uint64_t before;
    bool whole;

    xmlSetGenericErrorFunc(NULL, say_nothing);
    tree_make(data, size);
    before = tree_sum();
    first = look(open_host(&host, tree_root()), mem);
    whole = save(&host, mem);
    must(before == tree_sum(), "reading that changes something", "");
    second = look(open_host(&saved, tree_copy()), mem);
    tree_must_be_left_alone();
    if (!whole || first.failed)
        return 0;
    must(!second.failed && first.count == second.count, "what was saved has other GPUs", "");
    for (size_t i = 0; i < first.count; i++)
        same(&first.gpus[i], &second.gpus[i]);
    return 0;
}
