#include "cleanup.h"
#include "laws.h"
#include "registry.h"

#include <getopt.h>
#include <string.h>

static const char usage[] =
    "Usage: gp-conformance [OPTION...] ROOT\n"
    "\n"
    "Checks the laws that every provider keeps, on the GPUs of the host whose sys/, dev/ and proc/ lie in ROOT,\n"
    "and prints one line for each. Exit status 0: all hold.\n"
    "\n"
    "  --change      also the laws that are seen only by changing the host; what it was is put back\n"
    "  --gpu=ID      this GPU only\n"
    "  --keep=ID     this GPU is not changed\n"
    "  --tool=PATH   NVIDIA's sriov-manage; under a ROOT other than / it is run only if\n"
    "                GPUPART_SIMULATED_TOOLS=1\n";

void law_told(struct laws *laws, const struct gp_gpu *gpu, const char *law, const char *why)
{
    laws->checked++;
    laws->failed += why != NULL;
    (void)printf("%s %s (%s): %s%s%s\n", why ? "FAIL" : "ok  ", gpu->id,
                 gpu->mechanism ? gpu->mechanism : "nothing", law, why ? ": " : "", why ? why : "");
    (void)fflush(stdout);
}

void law_skipped(struct laws *laws, const struct gp_gpu *gpu, const char *law, const char *why)
{
    laws->skipped++;
    (void)printf("skip %s (%s): %s: %s\n", gpu->id, gpu->mechanism ? gpu->mechanism : "nothing", law,
                 why ? why : "no reason");
}

const char *law_error(struct gp_arena *mem, struct gp_error *err)
{
    gp_cleanup(gp_free_p) char *line = gp_error_line(err);

    gp_error_free(err);
    return gp_strdup(mem, line);
}

/* Two looks, neither of which may write. */
static void check_looking(struct laws *laws, const struct gp_gpu *gpu)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    bool may_change = laws->host->may_change;
    struct gp_gpu *again;
    struct gp_error *err;

    laws->host->may_change = false;
    err = look(laws, mem, gpu->id, &again);
    laws->host->may_change = may_change;
    law_told(laws, gpu, "looking changes nothing",
             err ? law_error(mem, err) : differs_at_all(mem, gpu, again));
}

static bool is_one_of(const struct gp_strings *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0)
            return true;
    }
    return false;
}

/* An earlier one that is as good as number @i: another run of the same code on the same answers. */
static const struct gp_gpu *find_twin(const struct gp_gpu *gpus, size_t i)
{
    for (size_t n = 0; n < i; n++) {
        if (gpus[n].vendor == gpus[i].vendor && gpus[n].device == gpus[i].device &&
            gpus[n].subsystem_device == gpus[i].subsystem_device && gpus[n].status == gpus[i].status &&
            gpus[n].group >= 0 && gpus[i].group >= 0)
            return &gpus[n];
    }
    return NULL;
}

static int run(struct laws *laws, const char *only, const struct gp_strings *keep)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    const struct gp_gpu *twin;
    struct gp_gpu *gpus;
    size_t count;

    err = gp_registry_observe(laws->host, mem, NULL, &gpus, &count);
    if (err) {
        gp_error_print(stderr, err);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        if (only && strcmp(only, gpus[i].id) != 0)
            continue;
        check_looking(laws, &gpus[i]);
        check_model(laws, &gpus[i]);
        twin = find_twin(gpus, i);
        if (laws->host->may_change && twin && !only)
            law_skipped(laws, &gpus[i], "changes", gp_printf(mem, "as %s, the same model", twin->id));
        else if (laws->host->may_change && !is_one_of(keep, gpus[i].id))
            check_host(laws, gpus[i].id);
    }
    (void)printf("%u laws checked, %u broken, %u skipped\n", laws->checked, laws->failed, laws->skipped);
    return laws->failed || !laws->checked;
}

int main(int argc, char **argv)
{
    enum { CHANGE = 256, GPU, KEEP, TOOL };
    static const struct option options[] = {{"change", no_argument, NULL, CHANGE},
                                            {"gpu", required_argument, NULL, GPU},
                                            {"keep", required_argument, NULL, KEEP},
                                            {"tool", required_argument, NULL, TOOL},
                                            {0}};
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_strings keep = {0};
    bool change = false;
    const char *tool = NULL, *only = NULL;
    struct gp_host host;
    struct laws laws = {.host = &host};
    struct gp_error *err;
    int option, status;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (option) {
        case CHANGE:
            change = true;
            break;
        case GPU:
            only = optarg;
            break;
        case KEEP:
            *gp_push(mem, keep.items, keep.count) = optarg;
            break;
        case TOOL:
            tool = optarg;
            break;
        default:
            (void)fputs(usage, stderr);
            return 64;
        }
    }
    if (optind != argc - 1) {
        (void)fputs(usage, stderr);
        return 64;
    }
    err = gp_host_open(argv[optind], change, &host);
    if (err) {
        gp_error_print(stderr, err);
        gp_error_free(err);
        return 1;
    }
    host.machine_id = "0123456789abcdef0123456789abcdef";
    host.sriov_manage = tool;
    host.self_removal_ms = 0; /* no driver here removes anything by itself */
    status = run(&laws, only, &keep);
    gp_host_close(&host);
    return status;
}
