/* The run directory (/run/gpupart), which the libvirt start hook reads and nobody else: which VMs may not be started
 * now, and what the devices are that VMs were given. It is gone after a reboot; the boot unit fills it anew.
 *
 * holds/<VM UUID> is there while a pass works on that VM. The pass keeps the file open with a lock on it (fcntl, of
 * the open file, as the pass's own): a file that nobody has locked was left by a pass that is dead, and means nothing.
 * devices/<address or UUID> is what a device was when it was last verified. Both are lines of fields with tabs between:
 *
 *     pass TAB PID TAB SINCE                    who holds (for people)
 *     reason TAB TEXT                           why no start is possible now
 *     partition TAB SYMBOL                      "slot3/2"
 *     vm TAB UUID                               the only VM that may have it; absent: any of ours
 *     value TAB PATH TAB TEXT                   what the file must hold, less its final newline
 *     link TAB PATH TAB TARGET                  where the link must lead, as it is written
 *     refuse TAB TEXT                           why nobody may have it
 *
 * All functions may be called from several threads. Nothing here blocks. */
#pragma once

#include "model.h"

struct gp_run;

/* Makes @dir if it lacks, and removes the holds that dead passes left. GP_E_IO, GP_E_PERM. */
struct gp_error *gp_run_open(const char *dir, struct gp_run **ret) GP_MUST_CHECK;
/* Takes NULL; releases what is held still. */
void gp_run_close(struct gp_run *run);

/* Nobody may start @vm (UUID) until it is released or this process is gone. Held already is success. */
struct gp_error *gp_run_hold(struct gp_run *run, const char *vm, const char *reason) GP_MUST_CHECK;
/* Not held is fine. */
void gp_run_release(struct gp_run *run, const char *vm);
/* @vm stays held by whoever else has its hold open (a write that hangs has what this process has), until that ends. Not
 * held is fine. */
void gp_run_leave(struct gp_run *run, const char *vm);

struct gp_run_fact {
    bool link;
    const char *path, *value; /* absolute; without tab and newline */
};
struct gp_run_device {
    struct gp_device device;
    const char *partition; /* "slot3/2", "slot3" */
    const char *vm;        /* UUID, NULL: of no VM that is known */
    const char *refuse;    /* NULL: it is as it should be */
    const struct gp_run_fact *facts;
    size_t fact_count;
};
/* Replaces what is known of that device. */
struct gp_error *gp_run_set_device(struct gp_run *run, const struct gp_run_device *device) GP_MUST_CHECK;
/* Not known is success. */
struct gp_error *gp_run_forget_device(struct gp_run *run, struct gp_device device) GP_MUST_CHECK;
/* The same for all that is known of @gpu (an id) and its partitions, also of those that are not there now. */
struct gp_error *gp_run_forget_gpu(struct gp_run *run, const char *gpu) GP_MUST_CHECK;
/* Whether it is known, for @vm, and not refused. */
bool gp_run_has_device(struct gp_run *run, struct gp_device device, const char *vm);
