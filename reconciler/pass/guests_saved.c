/* libvirt-guests is a service with a shell script, whose setting is the script's own unless a file of settings has
 * another. Fact: libvirt tools/libvirt-guests.sh.in; distributions differ in the script's own. */
#include "guests_saved.h"

#include "text.h"

#include <string.h>

#define SETTING "ON_SHUTDOWN="

/* The value of the last such line of @path, with quotes taken off; @before if there is none. */
static const char *setting_in(struct gp_host *host, struct gp_arena *mem, const char *path, const char *before)
{
    const char *text = NULL;
    struct gp_error *err = gp_host_read(host, mem, path, &text);

    for (const char *line = err ? NULL : text; line && *line; line += *line == '\n') {
        const size_t length = strcspn(line, "\n");

        if (gp_starts_with(line, SETTING)) {
            const char *value = line + strlen(SETTING);

            value += strspn(value, "\"'");
            before = gp_strndup(mem, value, strcspn(value, "\"'# \t\n"));
        }
        line += length;
    }
    gp_error_free(err);
    return before;
}

const char *gp_guests_saved(struct gp_host *host, struct gp_arena *mem)
{
    static const char *const scripts[] = {"usr/libexec/libvirt-guests.sh", "usr/lib/libvirt/libvirt-guests.sh"};
    static const char *const files[] = {"etc/sysconfig/libvirt-guests", "etc/default/libvirt-guests"};
    const char *enabled = NULL, *value = NULL, *file = files[1];
    struct gp_error *err =
        gp_host_readlink(host, mem, "etc/systemd/system/multi-user.target.wants/libvirt-guests.service", &enabled);

    gp_error_free(err);
    if (!enabled)
        return NULL;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        value = setting_in(host, mem, scripts[i], value);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (gp_host_exists(host, files[i]))
            file = files[i];
        value = setting_in(host, mem, files[i], value);
    }
    return gp_streq(value, "suspend") ? gp_printf(mem, "/%s", file) : NULL;
}
