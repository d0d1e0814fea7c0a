#include "result.h"

#include "cleanup.h"
#include "history.h"
#include "journal.h"
#include "text.h"

#include <stdlib.h>

/* Guests are called by name where they can be. */
static struct gp_strings vm_names(struct gp_arena *mem, const struct gp_have *have, const struct gp_set *set)
{
    struct gp_strings names = {0};

    for (size_t i = 0; i < set->vms.count; i++) {
        const struct gp_vm *vm = have ? gp_have_vm(have, set->vms.items[i]) : NULL;

        *gp_push(mem, names.items, names.count) = vm ? vm->name : set->vms.items[i];
    }
    return names;
}

/* To the journal, which people read, and to the history, which does not rotate as fast. */
void gp_result_tell(const struct gp_work *work, enum gp_event event, const char *plan, const char *message)
{
    struct gp_pass *pass = work->pass;
    const struct gp_result result = {
        .event = event,
        .object = work->set->id,
        .gpus = work->set->gpus,
        .vms = vm_names(work->mem, work->have, work->set),
        .commit = pass->commit,
        .plan = plan,
        .message = message,
    };
    struct gp_error *err;

    gp_journal(&(struct gp_entry){
        .event = event,
        .priority = -1,
        .message = message,
        .cluster = pass->goal ? pass->goal->cluster : NULL,
        .host = pass->host_name,
        .commit = pass->commit,
        .plan = plan,
        .gpu = work->set->id,
    });
    (void)pthread_mutex_lock(&pass->state_lock);
    err = gp_history_add(pass->state, &result);
    (void)pthread_mutex_unlock(&pass->state_lock);
    if (err) {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        (void)fprintf(stderr, "gpupart: warning: the history lacks this result: %s\n", line);
        gp_error_free(err);
    }
}
