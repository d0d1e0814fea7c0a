/* One request to one guest to go down, in a job. Private to virt_stop.c. */
#pragma once

#include "virt_private.h"

enum gp_ask_how { GP_ASK_FIRST, GP_ASK_AGAIN, GP_ASK_FORCE };

struct gp_ask {
    struct gp_job job;
    enum gp_ask_how how;
    char *uri, *uuid;
    enum gp_stop_method method[2];
    bool unsure; /* it failed, but the request may have been taken */
    bool placed; /* private to virt_ask.c */
};

/* Begins to ask domain @uuid of @virt's hypervisor, with the methods in turn, or to force it off. NULL: there is no room
 * now, but may be whenever a job of the process has ended (gp_job_wait_any()). The caller puts the job. */
struct gp_ask *gp_ask_begin(struct gp_virt *virt, const char *uuid, enum gp_ask_how how,
                            const enum gp_stop_method method[2]);
/* How many requests this process has begun. */
uint64_t gp_ask_count(void);
