/* Waits for one device event as the daemon would see it, and prints "ACTION DEVPATH".
 *
 *   wait-uevent SUBSYSTEM TIMEOUT-MS
 *
 * Prints "listening" first, so that a test knows when to send. */
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-device.h>
#include <systemd/sd-event.h>

static int on_device(sd_device_monitor *monitor, sd_device *device, void *opaque)
{
    sd_event *event = sd_device_monitor_get_event(monitor);
    const char *action = "?", *path = "?";

    (void)opaque;
    sd_device_get_property_value(device, "ACTION", &action);
    sd_device_get_devpath(device, &path);
    printf("%s %s\n", action, path);
    return sd_event_exit(event, 0);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *opaque)
{
    (void)usec, (void)opaque;
    return sd_event_exit(sd_event_source_get_event(source), 1);
}

int main(int argc, char *argv[])
{
    sd_event *event = NULL;
    sd_device_monitor *monitor = NULL;
    int status;

    if (argc != 3) {
        fputs("usage: wait-uevent SUBSYSTEM TIMEOUT-MS\n", stderr);
        return 64;
    }
    if (sd_event_new(&event) < 0 || sd_device_monitor_new(&monitor) < 0 ||
        sd_device_monitor_filter_add_match_subsystem_devtype(monitor, argv[1], NULL) < 0 ||
        sd_device_monitor_attach_event(monitor, event) < 0 ||
        sd_device_monitor_start(monitor, on_device, NULL) < 0 ||
        sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, strtoull(argv[2], NULL, 10) * 1000,
                                   0, on_timeout, NULL) < 0) {
        fputs("wait-uevent: cannot listen\n", stderr);
        return 2;
    }
    puts("listening");
    fflush(stdout);
    status = sd_event_loop(event);
    sd_device_monitor_unref(monitor);
    sd_event_unref(event);
    return status;
}
