#include "host_units.h"

#include "cleanup.h"
#include "clock.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define SYSTEMD "org.freedesktop.systemd1"

enum { CALL_TIMEOUT_MS = 5000, POLL_MS = 50 };
static const char bus_address[] = "unix:path=/run/dbus/system_bus_socket";

static void bus_close_p(sd_bus **bus)
{
    (void)sd_bus_flush_close_unref(*bus);
}

static void message_p(sd_bus_message **message)
{
    (void)sd_bus_message_unref(*message);
}

static struct gp_error *bus_error(int r, const sd_bus_error *error, const char *doing)
{
    if (r == -ETIMEDOUT)
        return gp_error_new(GP_E_TIMEOUT, "%s: systemd does not answer", doing);
    return gp_error_new(r == -EACCES || r == -EPERM ? GP_E_PERM : GP_E_IO, "%s: %s", doing,
                        error && error->message ? error->message : strerrordesc_np(-r));
}

/* A bus of one's own: a shared one serves one thread. Greeting included, nothing here outlasts the deadline. */
static struct gp_error *open_bus(sd_bus **ret)
{
    static const char doing[] = "the system bus, where systemd is asked for units";
    gp_cleanup(bus_close_p) sd_bus *bus = NULL;
    const uint64_t deadline = gp_monotonic_ms() + CALL_TIMEOUT_MS;
    int r = sd_bus_new(&bus);

    if (r >= 0)
        r = sd_bus_set_address(bus, bus_address);
    if (r >= 0)
        r = sd_bus_set_bus_client(bus, true);
    if (r >= 0)
        r = sd_bus_set_method_call_timeout(bus, (uint64_t)CALL_TIMEOUT_MS * 1000);
    if (r >= 0)
        r = sd_bus_start(bus);
    while (r >= 0 && sd_bus_is_ready(bus) == 0) {
        const uint64_t now = gp_monotonic_ms();

        if (now >= deadline)
            return bus_error(-ETIMEDOUT, NULL, doing);
        r = sd_bus_process(bus, NULL);
        if (r == 0)
            r = sd_bus_wait(bus, (deadline - now) * 1000);
    }
    if (r < 0)
        return bus_error(r, NULL, doing);
    *ret = gp_steal(bus);
    return NULL;
}

/* Where systemd has the unit; "" for one that it does not know, or that is not loaded: it is not running. */
static struct gp_error *find_unit(sd_bus *bus, struct gp_arena *mem, const char *name, const char **ret)
{
    gp_cleanup(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    gp_cleanup(message_p) sd_bus_message *reply = NULL;
    const char *path = "";
    int r = sd_bus_call_method(bus, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager", "GetUnit", &error, &reply,
                               "s", name);

    if (r < 0 && sd_bus_error_has_name(&error, SYSTEMD ".NoSuchUnit")) {
        *ret = "";
        return NULL;
    }
    if (r >= 0)
        r = sd_bus_message_read(reply, "o", &path);
    if (r < 0)
        return bus_error(r, &error, gp_printf(mem, "looking for unit %s", name));
    *ret = gp_strdup(mem, path);
    return NULL;
}

struct state {
    const char *active; /* "active", "deactivating", … */
    bool busy;          /* systemd is at it: what is true now may not be in a moment */
};

static struct gp_error *read_state(sd_bus *bus, struct gp_arena *mem, const char *name, struct state *ret)
{
    gp_cleanup(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    gp_cleanup(message_p) sd_bus_message *job = NULL;
    gp_cleanup(gp_free_p) char *active = NULL;
    const char *path = NULL;
    uint32_t id = 0;
    struct gp_error *err = find_unit(bus, mem, name, &path);
    int r;

    *ret = (struct state){.active = "inactive"};
    if (err || !*path)
        return err;
    r = sd_bus_get_property(bus, SYSTEMD, path, SYSTEMD ".Unit", "Job", &error, &job, "(uo)");
    if (r >= 0)
        r = sd_bus_message_read(job, "(uo)", &id, NULL);
    if (r >= 0)
        r = sd_bus_get_property_string(bus, SYSTEMD, path, SYSTEMD ".Unit", "ActiveState", &error, &active);
    if (r < 0)
        return bus_error(r, &error, gp_printf(mem, "the state of unit %s", name));
    *ret = (struct state){.active = gp_strdup(mem, active), .busy = id != 0};
    return NULL;
}

static bool is_down(const struct state *state)
{
    return gp_streq(state->active, "inactive") || gp_streq(state->active, "failed");
}

static bool is_up(const struct state *state)
{
    return gp_streq(state->active, "active") || gp_streq(state->active, "reloading");
}

/* ---- looking ---- */

static void observe_one(sd_bus *bus, struct gp_arena *mem, struct gp_unit *unit)
{
    struct state state;
    struct gp_error *err = read_state(bus, mem, unit->name, &state);

    unit->reason = NULL;
    if (err) {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        gp_error_free(err);
        unit->state = GP_UNIT_UNKNOWN;
        unit->reason = gp_strdup(mem, line);
    } else if (gp_streq(state.active, "deactivating")) {
        /* Somebody stops it, and would not have it started again; its processes may still be there. */
        unit->state = GP_UNIT_UNKNOWN;
        unit->reason = "it is being stopped";
    } else {
        unit->state = is_down(&state) ? GP_UNIT_INACTIVE : GP_UNIT_ACTIVE;
    }
}

void gp_units_observe(struct gp_arena *mem, struct gp_unit *units, size_t count)
{
    gp_cleanup(bus_close_p) sd_bus *bus = NULL;
    struct gp_error *err = count ? open_bus(&bus) : NULL;

    for (size_t n = 0; !err && n < count; n++)
        observe_one(bus, mem, &units[n]);
    if (!err)
        return;
    {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        gp_error_free(err);
        for (size_t n = 0; n < count; n++) {
            units[n].state = GP_UNIT_UNKNOWN;
            units[n].reason = gp_strdup(mem, line);
        }
    }
}

/* ---- changing ---- */

static struct gp_error *ask(sd_bus *bus, struct gp_arena *mem, const char *name, const char *method)
{
    gp_cleanup(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    int r = sd_bus_call_method(bus, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager", method, &error, NULL, "ss",
                               name, "replace");

    return r < 0 ? bus_error(r, &error, gp_printf(mem, "%s of %s", method, name)) : NULL;
}

/* Until systemd has nothing left to do for it. */
static struct gp_error *settle(sd_bus *bus, struct gp_arena *mem, const char *name, uint64_t deadline, struct state *ret)
{
    for (;;) {
        struct gp_error *err = read_state(bus, mem, name, ret);

        if (err || (!ret->busy && (is_down(ret) || is_up(ret))))
            return err;
        if (gp_monotonic_ms() >= deadline)
            return gp_error_new(GP_E_TIMEOUT, "unit %s is still %s", name, ret->active);
        gp_sleep_ms(POLL_MS);
    }
}

static struct gp_error *change(const char *name, bool start, uint32_t timeout_ms)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(bus_close_p) sd_bus *bus = NULL;
    const uint64_t deadline = gp_monotonic_ms() + timeout_ms;
    struct state state;
    struct gp_error *err = open_bus(&bus);

    if (!err)
        err = read_state(bus, mem, name, &state);
    if (err || (!state.busy && (start ? is_up(&state) : is_down(&state))))
        return err;
    err = ask(bus, mem, name, start ? "StartUnit" : "StopUnit");
    if (!err)
        err = settle(bus, mem, name, deadline, &state);
    if (!err && !(start ? is_up(&state) : is_down(&state)))
        err = gp_error_new(GP_E_IO, "unit %s was asked to %s and is %s: systemctl status %s", name,
                           start ? "start" : "stop", state.active, name);
    return err;
}

struct gp_error *gp_unit_start(const char *name, uint32_t timeout_ms)
{
    return change(name, true, timeout_ms);
}

struct gp_error *gp_unit_stop(const char *name, uint32_t timeout_ms)
{
    return change(name, false, timeout_ms);
}

/* ---- the host ---- */

/* Fact: systemd, org.freedesktop.systemd1(5): SystemState is "stopping" from the moment on that a shutdown is queued, before
 * the first unit is told to end. */
bool gp_units_host_stops(void)
{
    gp_cleanup(bus_close_p) sd_bus *bus = NULL;
    gp_cleanup(gp_free_p) char *state = NULL;
    struct gp_error *err = open_bus(&bus);
    const bool told = !err && sd_bus_get_property_string(bus, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager",
                                                         "SystemState", NULL, &state) >= 0;

    gp_error_free(err);
    return told && gp_streq(state, "stopping");
}
