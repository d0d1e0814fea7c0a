#include "units.h"

#include "cleanup.h"
#include "host_units.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char folder[] = "systemd/units";

/* Below another root is no systemd; the simulator's tests have one beside it. */
static bool has_systemd(const struct gp_pass *pass)
{
    return gp_streq(pass->options.root, "/") || gp_streq(getenv("GPUPART_SIMULATED_TOOLS"), "1");
}

static void add(struct gp_arena *mem, struct gp_have *have, const char *name, bool listed)
{
    if (!gp_have_unit(have, name))
        *gp_push(mem, have->units, have->unit_count) =
            (struct gp_unit){.name = name, .listed = listed, .state = GP_UNIT_UNKNOWN};
}

/* ---- captures ---- */

static bool read_captured(struct gp_host *host, struct gp_arena *mem, struct gp_unit *unit)
{
    const char *text = NULL;
    struct gp_error *err = gp_host_read(host, mem, gp_printf(mem, "%s/%s", folder, unit->name), &text);

    if (err) {
        gp_error_free(err);
        return false;
    }
    for (enum gp_unit_state state = GP_UNIT_INACTIVE; state <= GP_UNIT_UNKNOWN; state++)
        if (gp_streq(text, gp_unit_state_name(state)))
            unit->state = state;
    unit->reason = "the capture does not tell";
    return true;
}

static void observe_captured(struct gp_host *host, struct gp_arena *mem, struct gp_have *have)
{
    size_t kept = 0;

    for (size_t i = 0; i < have->unit_count; i++)
        if (read_captured(host, mem, &have->units[i]))
            have->units[kept++] = have->units[i];
    have->unit_count = kept;
}

static struct gp_error *capture_unit(const struct gp_unit *unit, int at)
{
    const char *state = gp_unit_state_name(unit->state);
    gp_cleanup(gp_close_p) int fd =
        openat(at, unit->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd < 0 || dprintf(fd, "%s\n", state) < 0)
        return gp_error_errno(errno, "%s/%s of the capture cannot be written", folder, unit->name);
    return NULL;
}

struct gp_error *gp_pass_capture_units(const struct gp_have *have, int fd)
{
    gp_cleanup(gp_close_p) int at = -1;
    struct gp_error *err = NULL;

    if (!have->unit_count)
        return NULL;
    if (mkdirat(fd, "systemd", 0755) == 0 && mkdirat(fd, folder, 0755) == 0)
        at = openat(fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (at < 0)
        return gp_error_errno(errno, "%s of the capture cannot be made", folder);
    for (size_t i = 0; !err && i < have->unit_count; i++)
        err = capture_unit(&have->units[i], at);
    return err;
}

/* ---- looking ---- */

void gp_pass_observe_units(struct gp_pass *pass, struct gp_host *host, struct gp_arena *mem, struct gp_have *have)
{
    const struct gp_memory *memory = gp_pass_memory(pass, mem);

    for (size_t i = 0; i < pass->agent->stop_units.count; i++)
        add(mem, have, pass->agent->stop_units.items[i], true);
    for (size_t i = 0; i < memory->owed_units.count; i++)
        add(mem, have, memory->owed_units.items[i], false);
    if (has_systemd(pass))
        gp_units_observe(mem, have->units, have->unit_count);
    else
        observe_captured(host, mem, have);
}

/* ---- changing ---- */

static struct gp_error *set_owed(struct gp_pass *pass, const char *unit, bool owed)
{
    struct gp_error *err;

    (void)pthread_mutex_lock(&pass->state_lock);
    err = owed ? gp_state_set_owed_unit(pass->state, unit) : gp_state_clear_owed(pass->state, unit);
    (void)pthread_mutex_unlock(&pass->state_lock);
    return err;
}

struct gp_error *gp_pass_forget_owed_units(struct gp_pass *pass)
{
    const struct gp_memory *memory = gp_pass_memory(pass, pass->mem);
    struct gp_error *err = NULL;

    for (size_t i = 0; !err && i < memory->owed_units.count; i++) {
        const struct gp_unit *unit = gp_have_unit(pass->have, memory->owed_units.items[i]);

        if (unit && unit->state == GP_UNIT_ACTIVE)
            err = set_owed(pass, unit->name, false);
    }
    return err;
}

static struct gp_error *refuse(const struct gp_pass *pass, const char *unit)
{
    if (has_systemd(pass))
        return NULL;
    return gp_error_new(GP_E_REFUSED, "%s was left alone: the root is %s, not the host's", unit, pass->options.root);
}

struct gp_error *gp_pass_stop_unit(struct gp_pass *pass, const char *unit, uint32_t timeout_ms)
{
    struct gp_error *err = refuse(pass, unit);

    if (!err)
        err = set_owed(pass, unit, true);
    return err ? err : gp_unit_stop(unit, timeout_ms);
}

struct gp_error *gp_pass_start_unit(struct gp_pass *pass, const char *unit, uint32_t timeout_ms)
{
    struct gp_error *err = refuse(pass, unit);

    if (!err)
        err = gp_unit_start(unit, timeout_ms);
    if (err)
        return err;
    gp_pass_unwritten(pass, set_owed(pass, unit, false)); /* a start that stays owed to one that runs does nothing */
    return NULL;
}

/* ---- the host ---- */

bool gp_pass_host_stops(const struct gp_pass *pass)
{
    return has_systemd(pass) && gp_units_host_stops();
}
