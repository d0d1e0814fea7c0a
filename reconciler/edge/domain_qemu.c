/* What a definition says to QEMU past libvirt: devices that arguments give it, and devices of libvirt's that arguments and
 * overrides name by their aliases. It is the guest owner's and is never changed. */
#include "domain_tree.h"

#include "cleanup.h"
#include "text.h"

#include <jansson.h>
#include <string.h>

/* The next element called @name of libvirt's namespace for QEMU, among @node and what follows it. */
static const xmlNode *qemu_from(const xmlNode *node, const char *name)
{
    while (node && (node->type != XML_ELEMENT_NODE || !node->ns ||
                    strcmp((const char *)node->ns->href, GP_QEMU_URI) != 0 ||
                    strcmp((const char *)node->name, name) != 0))
        node = node->next;
    return node;
}

static const xmlNode *first_argument(const xmlNode *root)
{
    const xmlNode *line = qemu_from(root->children, "commandline");

    return line ? qemu_from(line->children, "arg") : NULL;
}

/* ---- devices ---- */

/* "/sys/bus/mdev/devices/UUID", "0000:08:00.4" or "08:00.4". */
static struct gp_device device_called(struct gp_arena *mem, const char *text)
{
    const char *slash = strrchr(text, '/');
    struct gp_device device;

    text = slash ? slash + 1 : text;
    if (strcspn(text, ".") == strlen("08:00"))
        text = gp_printf(mem, "0000:%s", text);
    return gp_device_parse(gp_lower(mem, text), &device) ? device : (struct gp_device){0};
}

/* {"driver":"vfio-pci","host":"0000:08:00.4"}: as QEMU takes it since 6.2, and as libvirt logs it. */
static struct gp_device device_of_json(struct gp_arena *mem, const char *value)
{
    json_auto_t *json = json_loads(value, 0, NULL);
    const char *driver = json_string_value(json_object_get(json, "driver")),
               *path = json_string_value(json_object_get(json, "sysfsdev")),
               *host = json_string_value(json_object_get(json, "host"));

    if (!driver || !gp_starts_with(driver, "vfio-pci") || (!path && !host))
        return (struct gp_device){0};
    return device_called(mem, path ? path : host);
}

/* "vfio-pci,host=08:00.4,id=x": guests from before libvirt knew mdevs got theirs so. */
static struct gp_device device_of_argument(struct gp_arena *mem, const char *value)
{
    const char *host = strstr(value, "host="), *path = strstr(value, "sysfsdev=");
    const char *text = path ? path + strlen("sysfsdev=") : host ? host + strlen("host=") : NULL;

    if (!strstr(value, "vfio-pci"))
        return (struct gp_device){0};
    if (value[strspn(value, " \t\r\n")] == '{')
        return device_of_json(mem, value);
    return text ? device_called(mem, gp_strndup(mem, text, strcspn(text, ","))) : (struct gp_device){0};
}

void gp_qemu_read_devices(struct gp_arena *mem, const xmlNode *root, struct gp_domain_facts *facts)
{
    for (const xmlNode *arg = first_argument(root); arg; arg = qemu_from(arg->next, "arg")) {
        const char *value = gp_tree_attr(mem, arg, "value");
        struct gp_device device = value ? device_of_argument(mem, value) : (struct gp_device){0};

        if (device.kind != GP_DEVICE_NONE)
            gp_push(mem, facts->devs, facts->dev_count)->device = device;
    }
}

bool gp_qemu_gives(struct gp_arena *mem, const xmlNode *root, struct gp_device device)
{
    struct gp_domain_facts facts = {0};

    gp_qemu_read_devices(mem, root, &facts);
    for (size_t i = 0; i < facts.dev_count; i++)
        if (gp_device_eq(facts.devs[i].device, device))
            return true;
    return false;
}

/* ---- aliases ---- */

/* Fact: libvirt src/qemu/qemu_alias.c, qemuAssignDeviceHostdevAlias(): "hostdev" and a number that counts the hostdevs whose
 * alias is none of a user's; so one that gets a user's alias moves those that follow, too. */
static bool is_called(const char *name, size_t size, const char *alias)
{
    static const char prefix[] = "hostdev";
    const size_t digits = sizeof prefix - 1;

    if (gp_alias_of_user(alias))
        return strlen(alias) == size && strncmp(name, alias, size) == 0;
    return size > digits && strncmp(name, prefix, digits) == 0 && strspn(name + digits, "0123456789") >= size - digits;
}

bool gp_qemu_names_alias(struct gp_arena *mem, const xmlNode *root, const char *alias)
{
    const xmlNode *override = qemu_from(root->children, "override");

    for (const xmlNode *device = override ? qemu_from(override->children, "device") : NULL; device;
         device = qemu_from(device->next, "device")) {
        const char *name = gp_tree_attr(mem, device, "alias");

        if (name && is_called(name, strlen(name), alias))
            return true;
    }
    /* -set device.hostdev0.x-pci-device-id=0x1234 */
    for (const xmlNode *arg = first_argument(root); arg; arg = qemu_from(arg->next, "arg")) {
        const char *value = gp_tree_attr(mem, arg, "value");

        if (value && gp_starts_with(value, "device.") &&
            is_called(value + strlen("device."), strcspn(value + strlen("device."), "."), alias))
            return true;
    }
    return false;
}
