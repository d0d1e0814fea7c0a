/* A thread that does calls which may never come back, so that only it is lost with them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gp_worker;

/* Runs @work(@job) in *@worker (made on first use) and waits at most @timeout_ms. True: it came back, and
 * @job is the caller's again. False: it did not; @job then belongs to the worker, which calls @drop(@job)
 * if it ever comes back, and *@worker is NULL so that the next call gets a new one. */
bool gp_worker_run(struct gp_worker **worker, void (*work)(void *job), void (*drop)(void *job), void *job,
                   uint32_t timeout_ms);
/* Takes NULL. Waits for nothing that is hung. */
void gp_worker_free(struct gp_worker *worker);
