/* Reads and writes that may never come back, each in a process of its own: what waits in the kernel cannot be killed,
 * and as a thread it would keep its whole process from ever ending. As a process, only it is left behind. */
#pragma once

#include "below.h"

#include <sys/types.h>

struct gp_worker; /* a process that reads, one file after the other */

/* Does @io, a read, in *@worker (made on first use) and waits at most @timeout_ms. False: it did not come back; *@worker
 * is NULL then, so that the next call gets a new one. The reader has nothing open but the root. */
bool gp_worker_read(struct gp_worker **worker, struct gp_io *io, uint32_t timeout_ms);
/* Does @io, a write, in a process of its own and waits at most @timeout_ms. False: it did not come back. That process,
 * *ret_left, has all files of this one still open until it does, and so keeps the locks of whoever began the write. */
bool gp_worker_write(struct gp_io *io, uint32_t timeout_ms, pid_t *ret_left);
/* Between these no such process is made: what this one opens and closes here is in nobody else's hands for as long as a
 * write takes. Any number of threads at once; for moments. */
void gp_worker_hold_back(void);
void gp_worker_go_on(void);
/* Takes NULL. Ends the reader. */
void gp_worker_free(struct gp_worker *worker);
