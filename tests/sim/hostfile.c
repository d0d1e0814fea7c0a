/* The description of a host, and what its power-up makes of it. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct mdev_start {
    int vf; /* -1: the PF is the parent */
    unsigned type;
    char uuid[37];
};

struct hold_start {
    int vf;
    char uuid[37], holder[64];
    int pid;
};

/* What the file says on top of a fresh boot. */
struct start {
    struct start *next;
    struct device *dev;
    unsigned vfs, types[64], mdev_count, hold_count, instance_count;
    struct mdev_start mdevs[64];
    struct hold_start holds[64];
    struct gpu_instance instances[8];
    bool mixed;
    char client[32];
};

static struct start *starts;
static yaml_document_t document;
static const char *file_name;
static bool bad;
static enum mechanism nvidia = MECH_NVIDIA_VFIO;
static bool nested;
static char hostname[64] = "gpusim", machine_id[33] = "00000000000000000000000000000001";

static void complain(const yaml_node_t *at, const char *what, const char *value)
{
    fprintf(stderr, "%s:%zu: %s: %s\n", file_name, at ? at->start_mark.line + 1 : 0, what, value);
    bad = true;
}

static yaml_node_t *node(int index)
{
    return yaml_document_get_node(&document, index);
}

static const char *text(const yaml_node_t *at)
{
    return at && at->type == YAML_SCALAR_NODE ? (const char *)at->data.scalar.value : "";
}

static yaml_node_t *get(const yaml_node_t *map, const char *key)
{
    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top;
         pair++)
        if (!strcmp(text(node(pair->key)), key))
            return node(pair->value);
    return NULL;
}

static void known(const yaml_node_t *map, const char *keys)
{
    char padded[64];

    if (!map || map->type != YAML_MAPPING_NODE) {
        complain(map, "expected", "a mapping");
        return;
    }
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top;
         pair++) {
        snprintf(padded, sizeof padded, " %s ", text(node(pair->key)));
        if (!strstr(keys, padded))
            complain(node(pair->key), "unknown key", text(node(pair->key)));
    }
}

static bool has(const yaml_node_t *map, const char *key)
{
    return get(map, key);
}

static const char *string(const yaml_node_t *map, const char *key, const char *otherwise)
{
    return has(map, key) ? text(get(map, key)) : otherwise;
}

static long number(const yaml_node_t *map, const char *key, int base, long otherwise)
{
    const yaml_node_t *value = get(map, key);
    char *end;
    long n;

    if (!value)
        return otherwise;
    n = strtol(text(value), &end, base);
    if (end == text(value) || *end)
        complain(value, "not a number", text(value));
    return n;
}

static bool truth(const yaml_node_t *map, const char *key, bool otherwise)
{
    return has(map, key) ? !strcmp(text(get(map, key)), "true") : otherwise;
}

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

/* ---- devices ---- */

bool sim_device_become(struct device *dev, const char *name)
{
    const struct model *model = sim_model(name);

    if (!model)
        return false;
    dev->model = model;
    dev->vendor = model->vendor;
    dev->device = model->device;
    dev->subvendor = model->subvendor;
    dev->subdevice = model->subdevice;
    dev->class = model->class;
    dev->totalvfs = dev->makes = model->totalvfs;
    dev->mechanism = model->mechanism == MECH_DEFAULT ? nvidia : model->mechanism;
    dev->vfs = NULL; /* those of another card stay in the list, and absent */
    copy(dev->native, sizeof dev->native, model->driver);
    return true;
}

static void device_kind(struct device *dev, const char *kind)
{
    static const struct {
        const char *kind, *driver;
        uint16_t vendor, device;
        uint32_t class;
        unsigned totalvfs;
    } kinds[] = {
        {"bridge", "pcieport", 0x8086, 0x347a, 0x060400, 0},
        {"nic", "igb", 0x8086, 0x1521, 0x020000, 7},
        {"nvme", "nvme", 0x144d, 0xa808, 0x010802, 0},
        {"audio", "snd_hda_intel", 0x10de, 0x10f8, 0x040300, 0},
        {"usb", "xhci_hcd", 0x10de, 0x1ad8, 0x0c0330, 0},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].kind, kind)) {
            dev->vendor = dev->subvendor = kinds[i].vendor;
            dev->device = kinds[i].device;
            dev->class = kinds[i].class;
            dev->totalvfs = dev->makes = kinds[i].totalvfs;
            dev->mechanism = MECH_SRIOV;
            copy(dev->native, sizeof dev->native, kinds[i].driver);
            dev->bridge = kinds[i].class == 0x060400;
            return;
        }
    complain(NULL, "unknown kind", kind);
}

static enum mechanism mechanism_named(const yaml_node_t *at)
{
    static const char *const names[] = {NULL,      "nvidia-vfio", "nvidia-mdev",
                                        "mdev-pf", "sriov",       "none"};

    for (size_t i = 1; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], text(at)))
            return (enum mechanism)i;
    complain(at, "unknown mechanism", text(at));
    return MECH_NONE;
}

static void read_types(const yaml_node_t *map, struct start *start)
{
    if (!map)
        return;
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top;
         pair++) {
        unsigned vf = (unsigned)strtoul(text(node(pair->key)), NULL, 10);

        if (vf < 64)
            start->types[vf] = (unsigned)strtoul(text(node(pair->value)), NULL, 10);
    }
}

static void read_mdevs(const yaml_node_t *list, struct start *start)
{
    for (yaml_node_item_t *item = list ? list->data.sequence.items.start : NULL;
         item && item < list->data.sequence.items.top && start->mdev_count < 64; item++) {
        struct mdev_start *mdev = &start->mdevs[start->mdev_count++];

        known(node(*item), " vf type uuid ");
        mdev->vf = (int)number(node(*item), "vf", 10, -1);
        mdev->type = (unsigned)number(node(*item), "type", 10, 0);
        copy(mdev->uuid, sizeof mdev->uuid, string(node(*item), "uuid", ""));
    }
}

static void read_holds(const yaml_node_t *list, struct start *start)
{
    for (yaml_node_item_t *item = list ? list->data.sequence.items.start : NULL;
         item && item < list->data.sequence.items.top && start->hold_count < 64; item++) {
        struct hold_start *hold = &start->holds[start->hold_count++];

        known(node(*item), " vf uuid pid holder ");
        hold->vf = (int)number(node(*item), "vf", 10, -1);
        hold->pid = (int)number(node(*item), "pid", 10, 4711);
        copy(hold->uuid, sizeof hold->uuid, string(node(*item), "uuid", ""));
        copy(hold->holder, sizeof hold->holder, string(node(*item), "holder", "qemu-system-x86"));
    }
}

static void read_instances(const yaml_node_t *list, struct start *start)
{
    for (yaml_node_item_t *item = list ? list->data.sequence.items.start : NULL;
         item && item < list->data.sequence.items.top && start->instance_count < 8; item++) {
        start->instances[start->instance_count].id = 3 + start->instance_count;
        start->instances[start->instance_count++].slices =
            (unsigned)strtoul(text(node(*item)), NULL, 10);
    }
}

static void read_device(const yaml_node_t *map)
{
    struct device *dev = calloc(1, sizeof *dev), **end = &sim_devices;
    struct start *start = calloc(1, sizeof *start), **last = &starts;
    unsigned domain, bus, slot, function;

    if (!dev || !start)
        abort();
    known(map, " address model kind vendor device subvendor subdevice class secondary slot serial "
               "numa group "
               "boot-vga loaded driver mechanism totalvfs makes client mixed mig vfs types mdevs held ");
    if (sscanf(string(map, "address", ""), "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
        complain(map, "not a PCI address", string(map, "address", ""));
    else
        dev->domain = domain, dev->rid = bus << 8 | slot << 3 | function;
    sim_device_name(dev);
    if (has(map, "model") && !sim_device_become(dev, string(map, "model", "")))
        complain(get(map, "model"), "unknown model", string(map, "model", ""));
    if (has(map, "kind"))
        device_kind(dev, string(map, "kind", ""));
    dev->vendor = (uint16_t)number(map, "vendor", 16, dev->vendor);
    dev->device = (uint16_t)number(map, "device", 16, dev->device);
    dev->subvendor = (uint16_t)number(map, "subvendor", 16, dev->subvendor);
    dev->subdevice = (uint16_t)number(map, "subdevice", 16, dev->subdevice);
    dev->class = (uint32_t)number(map, "class", 16, dev->class);
    dev->secondary = (unsigned)number(map, "secondary", 16, 0);
    dev->numa = (int)number(map, "numa", 10, dev->bridge ? -1 : 0);
    dev->group_given =
        !strcmp(string(map, "group", ""), "none") ? -1 : (int)number(map, "group", 10, -2);
    dev->boot_vga = truth(map, "boot-vga", false);
    if (has(map, "mechanism"))
        dev->mechanism = mechanism_named(get(map, "mechanism"));
    dev->totalvfs = (unsigned)number(map, "totalvfs", 10, dev->totalvfs);
    dev->makes = (unsigned)number(map, "makes", 10, dev->totalvfs);
    copy(dev->slot, sizeof dev->slot, string(map, "slot", ""));
    copy(dev->serial, sizeof dev->serial, string(map, "serial", ""));
    if (!truth(map, "loaded", true))
        *dev->native = '\0';
    copy(dev->initial, sizeof dev->initial, string(map, "driver", dev->native));
    start->dev = dev;
    start->vfs = (unsigned)number(map, "vfs", 10, 0);
    start->mixed = truth(map, "mixed", false);
    copy(start->client, sizeof start->client, string(map, "client", ""));
    read_types(get(map, "types"), start);
    read_mdevs(get(map, "mdevs"), start);
    read_holds(get(map, "held"), start);
    read_instances(get(map, "mig"), start);
    while (*end)
        end = &(*end)->next;
    *end = dev;
    while (*last)
        last = &(*last)->next;
    *last = start;
}

static void read_host(void)
{
    const yaml_node_t *root = yaml_document_get_root_node(&document), *list = get(root, "devices");
    const char *framework;

    known(root, " hostname machine-id nested nvidia i915 xe-admin teardown-ms next-group devices ");
    framework = string(root, "nvidia", "vendor-vfio");
    if (!strcmp(framework, "mdev"))
        nvidia = MECH_NVIDIA_MDEV;
    else if (!strcmp(framework, "none"))
        nvidia = MECH_NONE;
    else if (strcmp(framework, "vendor-vfio"))
        complain(get(root, "nvidia"), "vendor-vfio, mdev or none", framework);
    sim_i915_sriov = !strcmp(string(root, "i915", "mainline"), "out-of-tree");
    nested = truth(root, "nested", false);
    sim_xe_admin = truth(root, "xe-admin", true);
    sim_teardown_ms = (unsigned)number(root, "teardown-ms", 10, sim_teardown_ms);
    sim_next_group = (int)number(root, "next-group", 10, sim_next_group);
    copy(hostname, sizeof hostname, string(root, "hostname", hostname));
    copy(machine_id, sizeof machine_id, string(root, "machine-id", machine_id));
    if (!list || list->type != YAML_SEQUENCE_NODE) {
        complain(root, "expected", "devices, a list");
        return;
    }
    for (yaml_node_item_t *item = list->data.sequence.items.start;
         item < list->data.sequence.items.top; item++)
        read_device(node(*item));
}

bool sim_host_load(const char *path)
{
    yaml_parser_t parser;
    FILE *in = fopen(path, "re");

    file_name = path;
    if (!in) {
        perror(path);
        return false;
    }
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_file(&parser, in);
    if (!yaml_parser_load(&parser, &document)) {
        fprintf(stderr, "%s:%zu: %s\n", path, parser.problem_mark.line + 1, parser.problem);
        bad = true;
    } else {
        read_host();
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    fclose(in);
    return !bad;
}

/* ---- power-up ---- */

static void small_files(void)
{
    static unsigned boots;
    struct node *kernel = sim_mkdirs("proc/sys/kernel"), *module = sim_mkdirs("sys/module/nvidia");
    bool has_nvidia = false;

    sim_text(sim_mkdirs("etc"), "machine-id", 0444, "%s\n", machine_id);
    sim_text(sim_mkdirs("etc"), "hostname", 0644, "%s\n", hostname);
    sim_text(kernel, "hostname", 0644, "%s\n", hostname);
    sim_text(kernel, "osrelease", 0444, "%s\n",
             nvidia == MECH_NVIDIA_MDEV ? "6.1.0-31-amd64" : "6.12.9-amd64");
    sim_text(sim_dir(kernel, "random"), "boot_id", 0444, "%.8s-0000-4000-8000-%012x\n", machine_id,
             ++boots);
    sim_text(sim_mkdirs("proc"), "cmdline", 0444,
             "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro intel_iommu=on\n");
    sim_text(sim_mkdirs("proc"), "meminfo", 0444,
             "MemTotal:       263842104 kB\nMemFree:        251020460 kB\n"
             "MemAvailable:   252310144 kB\nHugePages_Total:       0\nHugePages_Free:        0\n"
             "Hugepagesize:       2048 kB\n");
    sim_text(sim_mkdirs("proc"), "cpuinfo", 0444,
             "processor\t: 0\nvendor_id\t: GenuineIntel\n"
             "flags\t\t: fpu vme de pse tsc msr pae%s vmx ept\n\n",
             nested ? " hypervisor" : "");
    sim_text(sim_mkdirs("dev/vfio"), "vfio", 0666, "%s", "");
    sim_mkdirs("sys/kernel/iommu_groups");
    sim_mkdirs("sys/bus/pci/slots");
    sim_mkdirs("sys/class");
    if (nvidia == MECH_NVIDIA_MDEV)
        sim_mdev_load();
    for (struct start *start = starts; start; start = start->next)
        has_nvidia |= start->dev->model && start->dev->vendor == 0x10de;
    if (!has_nvidia)
        return;
    sim_text(module, "version", 0444, "%s\n",
             nvidia == MECH_NVIDIA_MDEV ? "535.183.04" : "570.133.10");
    if (nvidia != MECH_NONE)
        sim_mkdirs("sys/module/nvidia_vgpu_vfio");
    sim_text(sim_mkdirs("proc/driver/nvidia"), "version", 0444,
             "NVRM version: NVIDIA UNIX x86_64 Kernel Module  %s\n",
             nvidia == MECH_NVIDIA_MDEV ? "535.183.04" : "570.133.10");
}

static void start_partitions(struct start *start)
{
    struct device *dev = start->dev;

    for (unsigned i = 0; i < dev->numvfs && i < 64; i++)
        if (start->types[i] && sim_vgpu_set(&dev->vfs[i], start->types[i]))
            fprintf(stderr, "gpusim: %s: VF %u cannot have type %u\n", dev->name, i,
                    start->types[i]);
    for (unsigned i = 0; i < start->mdev_count; i++) {
        const struct mdev_start *mdev = &start->mdevs[i];
        struct device *parent = mdev->vf < 0                  ? dev
                                : mdev->vf < (int)dev->numvfs ? &dev->vfs[mdev->vf]
                                                              : NULL;
        const struct vgpu_type *type = sim_type(dev->model, mdev->type);

        if (!parent || !type || sim_mdev_create(parent, type, mdev->uuid))
            fprintf(stderr, "gpusim: %s: no mdev %s of type %u\n", dev->name, mdev->uuid,
                    mdev->type);
    }
    for (unsigned i = 0; i < start->hold_count; i++) {
        const struct hold_start *hold = &start->holds[i];
        struct mdev *mdev = sim_mdev(hold->uuid);
        struct device *vf = hold->vf < 0                  ? dev
                            : hold->vf < (int)dev->numvfs ? &dev->vfs[hold->vf]
                                                          : NULL;
        struct group *group = mdev ? mdev->group : vf ? vf->group : NULL;

        if (!group || sim_group_hold(group, hold->pid, hold->holder))
            fprintf(stderr, "gpusim: %s: nothing to hold\n", dev->name);
    }
}

/* What the file says on top of what the kernel does by itself. */
static void start_device(struct start *start)
{
    struct device *dev = start->dev;

    if (strcmp(dev->initial, dev->native)) {
        sim_unbind(dev);
        if (strcmp(dev->initial, "none")) {
            copy(dev->override, sizeof dev->override, dev->initial);
            if (sim_bind(dev, sim_driver(dev->initial)))
                fprintf(stderr, "gpusim: %s: cannot be bound to %s\n", dev->name, dev->initial);
        }
    }
    dev->mixed = start->mixed;
    if (start->vfs && dev->vfs)
        sim_sriov_enable(dev, start->vfs);
    memcpy(dev->instances, start->instances, sizeof dev->instances);
    dev->instance_count = start->instance_count;
    start_partitions(start);
}

void sim_host_boot(bool initial)
{
    static const char *const always[] = {"vfio-pci", "pci-pf-stub"};

    sim_booting = true;
    small_files();
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        sim_driver(always[i]);
    for (struct start *start = starts; start; start = start->next)
        if (*start->dev->native)
            sim_driver(start->dev->native);
    for (struct start *start = starts; start; start = start->next)
        if (!start->dev->absent && !start->dev->present) {
            sim_device_add(start->dev);
            sim_device_probe(start->dev);
        }
    for (struct start *start = starts; start; start = start->next)
        if (start->dev->present) {
            sim_client(start->dev, start->client);
            if (initial)
                start_device(start);
        }
    sim_booting = false;
}

static void pull(struct device *dev)
{
    dev->gone = true;
    sim_sriov_lose(dev);
    sim_mdevs_lose(dev);
    sim_device_lock(dev);
    sim_sriov_lose(dev); /* those that were being made */
    if (dev->present)
        sim_device_del(dev);
    dev->gone = false;
    dev->absent = true;
    sim_device_unlock(dev);
}

void sim_host_pull(struct device *dev)
{
    sim_hotplug_lock();
    pull(dev);
    sim_hotplug_unlock();
}

void sim_host_reboot(void)
{
    struct start *reverse[256];
    unsigned count = 0;

    for (struct device *dev = sim_devices; dev; dev = dev->next)
        dev->gone = true;
    sim_groups_free();
    sim_changed();
    sim_hotplug_lock();
    for (struct start *start = starts; start && count < 256; start = start->next)
        reverse[count++] = start;
    while (count) { /* what is behind a bridge before the bridge */
        struct device *dev = reverse[--count]->dev;
        bool absent = dev->absent;

        *dev->client = '\0';
        if (dev->present)
            pull(dev);
        dev->absent = absent;
        dev->gone = false;
    }
    sim_groups_free();
    sim_host_boot(false);
    sim_hotplug_unlock();
}
