#include "hung.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* From the heap: sets run side by side, and the pass's arena serves one thread. */
struct gp_hung {
    struct gp_hung *next;
    char *gpu;
    pid_t writer; /* 0: it has come back */
};

void gp_hung_note(struct gp_pass *pass, struct gp_host *host, const char *gpu)
{
    struct gp_hung *hung;

    if (!host->left_writing)
        return;
    hung = malloc(sizeof *hung);
    if (!hung)
        abort();
    *hung = (struct gp_hung){.gpu = strdup(gpu), .writer = host->left_writing};
    if (!hung->gpu)
        abort();
    host->left_writing = 0;
    (void)pthread_mutex_lock(&pass->state_lock);
    hung->next = pass->hung;
    pass->hung = hung;
    (void)pthread_mutex_unlock(&pass->state_lock);
}

/* A child that has ended is waited for once: its number may be somebody else's after that. */
static bool still_writes(struct gp_hung *hung)
{
    if (hung->writer && waitpid(hung->writer, NULL, WNOHANG) != 0)
        hung->writer = 0;
    return hung->writer != 0;
}

bool gp_hung_at(struct gp_pass *pass, const char *gpu)
{
    bool found = false;

    (void)pthread_mutex_lock(&pass->state_lock);
    for (struct gp_hung *hung = pass->hung; hung; hung = hung->next)
        found = found || ((!gpu || gp_streq(hung->gpu, gpu)) && still_writes(hung));
    (void)pthread_mutex_unlock(&pass->state_lock);
    return found;
}

/* A GPU whose attributes hang as well may not show its partitions; then the mark tells whose it was given. */
const char *gp_hung_under(struct gp_pass *pass, struct gp_arena *mem, const struct gp_have *have, const char *uuid)
{
    const struct gp_vm *vm = have ? gp_have_vm(have, uuid) : NULL;
    const char *marked = vm && vm->mark && vm->mark_fits ? vm->mark->partition : NULL;
    const char *gpu = NULL;
    uint32_t partition;

    for (size_t i = 0; vm && i < vm->persistent_count; i++) {
        struct gp_gpu *of = NULL;
        struct gp_partition *one = NULL;

        if (gp_have_find(have, vm->persistent_devs[i].device, &of, &one) && gp_hung_at(pass, of->id))
            return of->id;
    }
    if (marked && !gp_partition_symbol_parse(mem, marked, &gpu, &partition))
        gpu = marked;
    return gpu && gp_hung_at(pass, gpu) ? gpu : NULL;
}

struct gp_error *gp_hung_error(const char *gpu)
{
    return gp_error_new(GP_E_HUNG,
                        "a write to GPU %s hangs in the kernel and may still change it under its VMs: the next pass goes on "
                        "once it has come back; if it never does, the host needs a reboot", gpu);
}

void gp_hung_leave(struct gp_pass *pass)
{
    if (gp_hung_at(pass, NULL))
        gp_state_leave_locked(pass->state);
    while (pass->hung) {
        struct gp_hung *hung = pass->hung;

        pass->hung = hung->next;
        free(hung->gpu);
        free(hung);
    }
}
