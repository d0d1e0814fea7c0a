#include "pauses.h"

#include "clock.h"
#include "journal.h"
#include "text.h"

#include <string.h>

struct gp_error *gp_pauses_host(struct gp_pass *pass, bool *ret)
{
    struct gp_pause *pauses = NULL;
    size_t count = 0;
    struct gp_error *err = gp_state_pauses(pass->state, false, pass->mem, &pauses, &count);

    if (err)
        return err;
    *ret = false;
    for (size_t i = 0; i < count; i++)
        *ret = *ret || (gp_streq(pauses[i].object, "host") && pauses[i].until_us > gp_realtime_us());
    return NULL;
}

struct gp_error *gp_pauses_expire(struct gp_pass *pass)
{
    struct gp_pause *ended = NULL;
    size_t count = 0;
    struct gp_error *err = gp_state_end_pauses(pass->state, false, gp_realtime_us(), pass->mem, &ended, &count);

    for (size_t i = 0; !err && i < count; i++) {
        const char *object = ended[i].object;

        gp_journal(&(struct gp_entry){
            .event = GP_EVENT_RESUMED,
            .priority = -1,
            .message = gp_printf(pass->mem, "%s is no longer paused: the time that %s gave has passed", object,
                                 ended[i].user),
            .cluster = pass->agent->cluster,
            .host = pass->host_name,
            .gpu = gp_starts_with(object, "gpu/") ? object + strlen("gpu/") : NULL,
            .vm = gp_starts_with(object, "vm/") ? object + strlen("vm/") : NULL,
        });
    }
    return err;
}
