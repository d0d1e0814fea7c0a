/* The daemon: decides when a pass is due and lets a child do it. Nothing in here can block: no libvirt call but the
 * watch, no git, no sysfs. */
#pragma once

#include "pass.h"

struct gp_supervisor_options {
    const char *connect;     /* libvirt's URI to watch */
    uint32_t interval_ms;    /* between passes when nothing happens */
    /* A pass that lasts longer than the first is told to end, which makes it restore what it began; one that then lasts
     * longer than the second is killed. Both are said, and neither holds up the watchdog. */
    uint32_t deadline_s, patience_s;
    const char *const *argv; /* the child: this program's reconcile command, ended by NULL */
    /* On SIGHUP: the interval as the configuration has it now, or @now_ms where that cannot be read. Blocks for no
     * longer than local files take. */
    uint64_t (*reread)(void *data, uint64_t now_ms);
    void *data;
};

/* Runs until SIGTERM or SIGINT, then ends the child in good order. Passes are due at the start, on the interval, when a
 * guest's lifecycle changes, when a PCI device or mdev comes, goes or changes, when a persistent definition is
 * written, and on SIGHUP; what comes while a pass runs makes one more. Tells systemd READY=1, STATUS= and the watchdog.
 * Returns GP_EXIT_OK, or why it could not begin. */
struct gp_error *gp_supervisor_run(const struct gp_supervisor_options *options) GP_MUST_CHECK;
