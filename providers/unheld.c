#include "unheld.h"

#include "clock.h"

#include <stdlib.h>

struct gp_unheld {
    struct gp_unheld *next;
    int32_t group;
    bool held; /* at the last look */
    uint64_t since_ms;
};

static struct gp_unheld *find(const struct gp_host *host, int32_t group)
{
    struct gp_unheld *unheld = host->unheld;

    while (unheld && unheld->group != group)
        unheld = unheld->next;
    return unheld;
}

static struct gp_unheld *add(struct gp_host *host, int32_t group)
{
    struct gp_unheld *unheld = calloc(1, sizeof *unheld);

    if (!unheld)
        abort();
    unheld->group = group;
    unheld->held = true;
    unheld->next = host->unheld;
    host->unheld = unheld;
    return unheld;
}

void gp_unheld_note(struct gp_host *host, int32_t group, enum gp_held held)
{
    struct gp_unheld *unheld = find(host, group);

    if (!unheld)
        unheld = add(host, group);
    if (held == GP_HELD_NO && unheld->held)
        unheld->since_ms = gp_monotonic_ms();
    unheld->held = held != GP_HELD_NO;
}

void gp_unheld_made(struct gp_host *host, int32_t group)
{
    struct gp_unheld *unheld = find(host, group);

    if (!unheld)
        unheld = add(host, group);
    unheld->held = false;
    unheld->since_ms = 0;
}

uint64_t gp_unheld_since(const struct gp_host *host, int32_t group)
{
    const struct gp_unheld *unheld = find(host, group);

    if (group < 0)
        return 0;
    return unheld && !unheld->held ? unheld->since_ms : gp_monotonic_ms();
}

void gp_unheld_forget(struct gp_host *host)
{
    while (host->unheld) {
        struct gp_unheld *next = host->unheld->next;

        free(host->unheld);
        host->unheld = next;
    }
}
