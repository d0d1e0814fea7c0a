/* The little of systemd's D-Bus that gpupart uses, for a bed that has none: `bed-systemd FOLDER`. A unit is a file of
 * FOLDER that holds its state ("active", "inactive", "failed"); FOLDER/log gets a line for each request. Units do what is
 * asked, but: NAME.stubborn makes it stay as it is and the request end, NAME.silent makes systemd never answer about it.
 * FOLDER/system-state holds what the whole host is ("stopping" from the moment on that a shutdown begins); without it,
 * "running".
 *
 * A peer that plays the bus as well: what a real bus would say to Hello is said here. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

static const char socket_path[] = "/run/dbus/system_bus_socket", manager_path[] = "/org/freedesktop/systemd1";
static const char *folder;

static FILE *open_file(const char *name, const char *suffix, const char *mode)
{
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    return fopen(path, mode);
}

static bool has(const char *name, const char *suffix)
{
    FILE *file = open_file(name, suffix, "r");

    if (file)
        (void)fclose(file);
    return file != NULL;
}

static bool get_state(const char *name, char *ret, size_t size)
{
    FILE *file = open_file(name, "", "r");
    bool there = file && fgets(ret, (int)size, file);

    if (file)
        (void)fclose(file);
    if (there)
        ret[strcspn(ret, "\n")] = 0;
    return there;
}

static void note(const char *what, const char *name)
{
    FILE *file = open_file("log", "", "a");

    if (!file || fprintf(file, "%s %s\n", what, name) < 0 || fclose(file) == EOF)
        abort();
}

static int hello(sd_bus_message *m, void *data, sd_bus_error *error)
{
    (void)data, (void)error;
    return sd_bus_reply_method_return(m, "s", ":1.1");
}

static int no_such(sd_bus_error *error, const char *name)
{
    return sd_bus_error_setf(error, "org.freedesktop.systemd1.NoSuchUnit", "Unit %s not loaded.", name);
}

static int get_unit(sd_bus_message *m, void *data, sd_bus_error *error)
{
    char state[64], path[512], *encoded = NULL;
    const char *name;
    int r = sd_bus_message_read(m, "s", &name);

    (void)data;
    if (r < 0)
        return r;
    if (has(name, ".silent"))
        return 1;
    if (!get_state(name, state, sizeof state) || strcmp(state, "inactive") == 0)
        return no_such(error, name);
    r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", name, &encoded);
    (void)snprintf(path, sizeof path, "%s", encoded ? encoded : "/");
    free(encoded);
    return r < 0 ? r : sd_bus_reply_method_return(m, "o", path);
}

static int change(sd_bus_message *m, const char *what, const char *state, sd_bus_error *error)
{
    const char *name, *mode;
    char now[64];
    FILE *file;
    int r = sd_bus_message_read(m, "ss", &name, &mode);

    if (r < 0)
        return r;
    if (!get_state(name, now, sizeof now))
        return no_such(error, name);
    note(what, name);
    if (!has(name, ".stubborn")) {
        file = open_file(name, "", "w");
        if (!file || fprintf(file, "%s\n", state) < 0 || fclose(file) == EOF)
            abort();
    }
    return sd_bus_reply_method_return(m, "o", "/org/freedesktop/systemd1/job/1");
}

static int start_unit(sd_bus_message *m, void *data, sd_bus_error *error)
{
    (void)data;
    return change(m, "start", "active", error);
}

static int stop_unit(sd_bus_message *m, void *data, sd_bus_error *error)
{
    (void)data;
    return change(m, "stop", "inactive", error);
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                        void *data, sd_bus_error *error)
{
    char state[64] = "inactive", *name = NULL;
    int r;

    (void)bus, (void)interface, (void)data, (void)error;
    if (strcmp(property, "Job") == 0)
        return sd_bus_message_append(reply, "(uo)", 0, "/");
    r = sd_bus_path_decode(path, "/org/freedesktop/systemd1/unit", &name);
    if (r > 0)
        (void)get_state(name, state, sizeof state);
    free(name);
    return sd_bus_message_append(reply, "s", state);
}

static int get_system_state(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *data, sd_bus_error *error)
{
    char state[64] = "running";

    (void)bus, (void)path, (void)interface, (void)property, (void)data, (void)error;
    (void)get_state("system-state", state, sizeof state);
    return sd_bus_message_append(reply, "s", state);
}

static const sd_bus_vtable bus_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Hello", "", "s", hello, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};
static const sd_bus_vtable manager_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("GetUnit", "s", "o", get_unit, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StartUnit", "ss", "o", start_unit, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StopUnit", "ss", "o", stop_unit, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("SystemState", "s", get_system_state, 0, 0),
    SD_BUS_VTABLE_END,
};
static const sd_bus_vtable unit_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Job", "(uo)", get_property, 0, 0),
    SD_BUS_PROPERTY("ActiveState", "s", get_property, 0, 0),
    SD_BUS_VTABLE_END,
};

static int find_any(sd_bus *bus, const char *path, const char *interface, void *data, void **ret, sd_bus_error *error)
{
    (void)bus, (void)path, (void)interface, (void)error;
    *ret = data;
    return 1;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *data)
{
    static char anything;
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    sd_bus *bus = NULL;
    sd_id128_t id;
    int r = client < 0 ? -errno : sd_bus_new(&bus);

    (void)source, (void)events;
    if (r >= 0)
        r = sd_bus_set_fd(bus, client, client);
    if (r >= 0)
        r = sd_id128_randomize(&id);
    if (r >= 0)
        r = sd_bus_set_server(bus, 1, id);
    if (r >= 0)
        r = sd_bus_set_anonymous(bus, 1);
    if (r >= 0)
        r = sd_bus_set_trusted(bus, 1);
    if (r >= 0)
        r = sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/DBus", "org.freedesktop.DBus", bus_vtable, NULL);
    if (r >= 0)
        r = sd_bus_add_object_vtable(bus, NULL, manager_path, "org.freedesktop.systemd1.Manager", manager_vtable, NULL);
    if (r >= 0)
        r = sd_bus_add_fallback_vtable(bus, NULL, "/org/freedesktop/systemd1/unit", "org.freedesktop.systemd1.Unit",
                                       unit_vtable, find_any, &anything);
    if (r >= 0)
        r = sd_bus_start(bus);
    if (r >= 0)
        r = sd_bus_attach_event(bus, data, 0);
    return r < 0 ? r : 0; /* the connection lives as long as this process: a bed's does not last */
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sd_event *loop = NULL;
    int r;

    if (argc != 2 || fd < 0)
        return 64;
    folder = argv[1];
    (void)mkdir("/run/dbus", 0755);
    (void)unlink(socket_path);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0) {
        perror("bed-systemd");
        return 1;
    }
    r = sd_event_default(&loop);
    if (r >= 0)
        r = sd_event_add_io(loop, NULL, fd, EPOLLIN, on_connection, loop);
    if (r >= 0)
        r = sd_event_loop(loop);
    (void)fprintf(stderr, "bed-systemd: %s\n", strerror(-r));
    return 1;
}
