/* libvirt: guests, their definitions, their power. Nothing of libvirt is seen past this file. */
#pragma once

#include "model.h"
#include "plan.h"
#include "redact.h"

struct gp_virt;

/* Connects. @read_only for plans and reports. Blocks at most @timeout_ms. GP_E_IO if libvirtd is
 * not there, GP_E_TIMEOUT if it does not answer, GP_E_PERM, GP_E_CONFIG for a URI that is none. */
struct gp_error *gp_virt_open(const char *uri, bool read_only, uint32_t timeout_ms,
                              struct gp_virt **ret) GP_MUST_CHECK;
/* Another reference to @virt, for a thread that must not lose it; given back with gp_virt_close(). Returns @virt. */
struct gp_virt *gp_virt_ref(struct gp_virt *virt);
/* Gives a reference back; the last closes. Blocks for two seconds at most. Takes NULL. */
void gp_virt_close(struct gp_virt *virt);
void gp_virt_close_p(struct gp_virt **virt);
/* False once the connection has died; then close and open again. */
bool gp_virt_alive(struct gp_virt *virt);

/* Every domain, with live and persistent definitions, into have->vms (by name), and libvirt_version
 * and hypervisor_is_mock. One definition is read of a domain that is off, two of one that runs; all
 * else is a constant number of calls. Jobs are not asked for: see gp_virt_observe_job().
 * Marks are judged against have->machine_id, which the caller has set. A domain that vanishes in
 * between is left out. GP_E_TIMEOUT if libvirt hangs; then close and open again. */
struct gp_error *gp_virt_observe(struct gp_virt *virt, struct gp_arena *mem,
                                 struct gp_have *have) GP_MUST_CHECK;
/* Whether a job (backup, migration, save, dump) runs on @vm, into its unstoppable and job_known: two
 * calls, for the few that a plan would stop. A domain that is gone or off has none. */
struct gp_error *gp_virt_observe_job(struct gp_virt *virt, struct gp_vm *vm) GP_MUST_CHECK;
/* gp_virt_observe() from the files DIR/libvirt/NAME.xml of a capture (persistent) and NAME.live.xml
 * (running), and from DIR/libvirt/facts what is in no definition. Without that directory nothing about guests is known: have->vms_unknown. */
struct gp_error *gp_virt_observe_files(const char *dir, struct gp_arena *mem,
                                       struct gp_have *have) GP_MUST_CHECK;
/* Writes those files: of each definition what gpupart looks at and nothing else, so no secrets.
 * @dir exists. @redact: with stand-ins; NULL: as it is. */
struct gp_error *gp_virt_capture(struct gp_virt *virt, const char *dir, struct gp_redact *redact) GP_MUST_CHECK;

/* Asks the guests to stop, in one go, and waits for all: for each, the agent (pinged first), at
 * half its timeout ACPI, at the timeout onTimeout. A method that the hypervisor does not have falls
 * through to the next. ret_results[i] is NULL once domain i is shut off, else GP_E_BUSY (still
 * running; the request cannot be recalled) or what went wrong; the caller frees them. @cancelled
 * (may be NULL) is polled: true ends the wait early. The process asks GP_STOPS_AT_ONCE guests at a time, each from a
 * thread and over a connection of its own, and a guest has its whole timeout from when it is asked: blocks up to the
 * longest timeout, GP_STOP_TURN_MS longer for each further so many guests, with onTimeout: force up to 40 s longer,
 * 15 s where libvirt hangs and three minutes where it comes to an end with nobody. Before a guest is asked it is
 * looked at once more: GP_E_BUSY if it is paused or has a job (backup, migration) running.
 * GP_E_CHANGED if it stopped and somebody else started it, GP_E_GONE if it is not defined.
 * ret_reached[i]: a request was taken, or may have been, so that domain i may go down for it yet; false
 * where it certainly was not. NULL: nobody asks. */
struct gp_virt_stop {
    const char *uuid, *name;
    struct gp_stop_policy policy;
};
void gp_virt_stop(struct gp_virt *virt, const struct gp_virt_stop *stops, size_t count,
                  bool (*cancelled)(void *), void *data, struct gp_error **ret_results, bool *ret_reached);

/* Starts a persistent domain; already running is success, and a paused one goes on. Blocks at most
 * @timeout_ms. GP_E_TIMEOUT:
 * it may still start, and the connection is of no more use. GP_E_BUSY with libvirt's reason, as
 * where a device is in use. */
struct gp_error *gp_virt_start(struct gp_virt *virt, const char *uuid,
                               uint32_t timeout_ms) GP_MUST_CHECK;
/* Whether it runs now. */
struct gp_error *gp_virt_running(struct gp_virt *virt, const char *uuid, bool *ret) GP_MUST_CHECK;

/* One edit of the persistent definition: reads it (secure, inactive), changes the source of our
 * hostdev, adds or removes it and the mark, compares with what is defined now (GP_E_CHANGED if
 * somebody edited in between), defines, reads back by meaning. Everything else stays byte for byte
 * what libvirt makes of it, the guest's PCI address too. Doing it again is harmless. GP_E_REFUSED
 * if the hostdev that should leave is not ours; GP_E_CHANGED if the definition is not as the edit
 * supposes. */
enum gp_edit_kind { GP_EDIT_ATTACH, GP_EDIT_DETACH, GP_EDIT_REBIND, GP_EDIT_MARK };
struct gp_edit {
    enum gp_edit_kind kind;
    const char *uuid;
    struct gp_device
        before; /* detach, rebind: our hostdev's source now. mark: the hand-made hostdev's */
    struct gp_device after; /* attach, rebind: the new source */
    /* attach, rebind, mark: what the metadata shall say; host must be set, vm and device follow
     * from the edit. detach: only host is looked at, to be sure that the mark is this machine's;
     * NULL: any machine's. */
    struct gp_mark mark;
};
struct gp_error *gp_virt_edit(struct gp_virt *virt, const struct gp_edit *edit) GP_MUST_CHECK;

/* ---- events, for the supervisor ---- */

struct sd_event;
struct gp_virt_watch;
/* Watches lifecycle events of @uri on @loop and calls @changed for each: event "started",
 * "stopped", "defined", …, or name NULL and "connected" or "lost". Connects and reconnects by
 * itself, with back-off up to 30 s, from a thread: a libvirtd that hangs does not hold up the loop.
 * One watch per process at a time; the caller's thread is the one that runs @loop, and frees the
 * watch outside of @changed. gpupart sends no keepalive, so the idle loop does not wake up;
 * libvirtd pings its clients every keepalive_interval (libvirtd.conf, 5 s by default, 0 for never).
 */
struct gp_error *gp_virt_watch_new(struct sd_event *loop, const char *uri,
                                   void (*changed)(const char *name, const char *event, void *data),
                                   void *data, struct gp_virt_watch **ret) GP_MUST_CHECK;
void gp_virt_watch_free(struct gp_virt_watch *watch); /* takes NULL */
