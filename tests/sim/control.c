/* The control file: commands, and the state. */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- commands ---- */

static struct device *gpu(const char *name)
{
    struct device *dev = sim_device(name);

    if (!dev) /* one that was pulled out can still be put back */
        for (dev = sim_devices; dev; dev = dev->next)
            if (!dev->pf && (!strcmp(dev->name, name) || (*dev->slot && !strncmp(name, "slot", 4) &&
                                                          !strcmp(dev->slot, name + 4))))
                break;
    return dev;
}

static struct group *group_named(const char *name)
{
    struct mdev *mdev = sim_mdev(name);
    struct device *dev = sim_device(name);
    char *end;
    long number = strtol(name, &end, 10);

    if (mdev)
        return mdev->group;
    if (dev)
        return dev->group;
    return !*end && number >= 0 ? sim_group((int)number) : NULL;
}

static int errno_named(const char *name)
{
    for (int err = 1; err < 134; err++)
        if (strerrorname_np(err) && !strcmp(strerrorname_np(err), name))
            return -err;
    return 0;
}

static int set(const char *path, const char *value)
{
    struct node *node = sim_walk(path);
    int err;

    if (!node || node->kind != NODE_FILE)
        return -ENOENT;
    node->opens++;
    err = sim_store(node, value, strlen(value));
    node->opens--;
    sim_node_put(node);
    return err;
}

static int instances(struct device *dev, const char *list)
{
    unsigned n = 0, slices;
    int used;

    while (n < sizeof dev->instances / sizeof *dev->instances &&
           sscanf(list, "%u%n", &slices, &used) == 1) {
        dev->instances[n].slices = slices;
        dev->instances[n].id = 3 + n; /* a recorded first id: real-world-samples.md section 3 */
        n++;
        list += used + (list[used] == ',');
    }
    dev->instance_count = n;
    return 0;
}

static int replace(struct device *dev, const char *model, const char *serial)
{
    if (dev->present)
        return -EBUSY;
    if (*model && !sim_device_become(dev, model))
        return -EINVAL;
    if (*serial)
        snprintf(dev->serial, sizeof dev->serial, "%.31s", serial);
    sim_hotplug_lock();
    sim_device_lock(dev);
    dev->absent = false;
    if (!dev->present)
        sim_device_add(dev);
    sim_device_probe(dev);
    sim_device_unlock(dev);
    sim_hotplug_unlock();
    return 0;
}

/* Commands about a GPU. */
static int gpu_command(const char *verb, const char *arg, const char *more, const char *third)
{
    struct device *dev = gpu(arg);

    if (!strcmp(verb, "replace"))
        return dev ? replace(dev, more, third) : -ENODEV;
    if (!dev || !dev->present)
        return -ENODEV;
    if (!strcmp(verb, "fewer-vfs"))
        dev->makes = (unsigned)strtoul(more, NULL, 10);
    else if (!strcmp(verb, "lose-vfs"))
        sim_sriov_lose(dev);
    else if (!strcmp(verb, "remove"))
        sim_host_pull(dev);
    else if (!strcmp(verb, "mixed"))
        dev->mixed = *more == '1';
    else if (!strcmp(verb, "mig"))
        return instances(dev, more);
    else if (!strcmp(verb, "client") && dev->unbind_lock && strcmp(more, "-"))
        return -ENODEV; /* while the lock is held nobody can open the GPU */
    else if (!strcmp(verb, "client"))
        sim_client(dev, strcmp(more, "-") ? more : "");
    else
        return -EINVAL;
    sim_changed();
    return 0;
}

static int hold_command(const char *verb, const char *arg, const char *pid, const char *holder)
{
    struct group *group = group_named(arg);

    if (!group)
        return -ENODEV;
    if (!strcmp(verb, "hold"))
        return sim_group_hold(group, *pid ? atoi(pid) : 4711, *holder ? holder : "qemu-system-x86");
    sim_group_release(group);
    return 0;
}

static int rule_command(enum rule_kind kind, const char *first, const char *second,
                        const char *third)
{
    unsigned number = (unsigned)strtoul(second, NULL, 10);

    switch (kind) {
    case RULE_FAIL:
        if ((!number && strcmp(second, "all")) || !errno_named(third))
            return -EINVAL;
        sim_rule_add(kind, first, number, errno_named(third), 0);
        break;
    case RULE_HANG:
    case RULE_HANG_READ:
    case RULE_LATE:
        sim_rule_add(kind, first, number, 0, 0);
        break;
    case RULE_KILL_BEFORE:
    case RULE_KILL_AFTER:
    case RULE_COUNT:
        number = (unsigned)strtoul(first, NULL, 10);
        if (!number)
            return -EINVAL;
        sim_rule_add(kind, *third ? third : "*", number, 0, (pid_t)atoi(second));
        break;
    }
    return 0;
}

void sim_commands_print(FILE *out)
{
    fputs("  fail GLOB N ERRNO         the N-th matching write from now does nothing and gives "
          "ERRNO\n"
          "  fail GLOB all ERRNO       every matching write\n"
          "  hang GLOB                 matching writes wait, unkillable, until unhang\n"
          "  hang-read GLOB            reads likewise\n"
          "  unhang [GLOB]\n"
          "  late GLOB MS              matching files show MS after they were made\n"
          "  kill-before N [PID [GLOB]]  the N-th matching write from now kills PID (0 or none: "
          "its writer)\n"
          "                            instead of doing anything\n"
          "  kill-after N [PID [GLOB]]   the same, after it was done and before its writer hears "
          "of it\n"
          "  clear                     forget all of these\n"
          "  clear-log                 and count writes from 1 again\n"
          "  teardown-ms MS            how long a type cannot be cleared after its guest went; "
          "scaled\n"
          "  self-remove-ms MS         mdevs go by themselves so long after their guest; scaled; "
          "-1: they stay\n"
          "  fewer-vfs GPU N           asked for more than N VFs it makes N\n"
          "  client GPU NAME|-         something on the host opens or closes the GPU\n"
          "  mixed GPU 0|1             NVIDIA's mixed-size mode\n"
          "  mig GPU SLICES,...        GPU instances; none: MIG off\n"
          "  hold WHAT [PID [NAME]]    WHAT: group number, address or mdev; by a process that need "
          "not exist\n"
          "  release WHAT\n"
          "  set PATH VALUE            somebody else writes: no fault, no log\n"
          "  lose-vfs GPU              as a reset of the card does\n"
          "  remove GPU                pull the card out, whatever holds it\n"
          "  replace GPU [MODEL [SERIAL]]  put it back, or another\n"
          "  reboot                    VFs, types, mdevs, overrides and holders are gone, the boot "
          "id is new\n",
          out);
}

int sim_command(const char *text)
{
    char verb[32] = "", arg[128] = "", more[128] = "", third[128] = "", rest[512] = "";

    sscanf(text, "%31s %127s %127s %127s", verb, arg, more, third);
    sscanf(text, "%*s %*s %511[^\n]", rest);
    for (size_t i = 0; sim_rule_names[i]; i++)
        if (!strcmp(verb, sim_rule_names[i]))
            return *arg ? rule_command((enum rule_kind)i, arg, more, third) : -EINVAL;
    if (!strcmp(verb, "unhang")) {
        sim_rules_drop(RULE_HANG, *arg ? arg : NULL);
        sim_rules_drop(RULE_HANG_READ, *arg ? arg : NULL);
    } else if (!strcmp(verb, "clear")) {
        sim_rules_drop(-1, NULL);
    } else if (!strcmp(verb, "clear-log")) {
        sim_log_clear();
    } else if (!strcmp(verb, "teardown-ms")) {
        sim_teardown_ms = (unsigned)strtoul(arg, NULL, 10);
    } else if (!strcmp(verb, "self-remove-ms")) {
        sim_self_remove_ms = atoi(arg);
    } else if (!strcmp(verb, "reboot")) {
        sim_rules_drop(RULE_HANG, NULL);
        sim_rules_drop(RULE_HANG_READ, NULL);
        sim_host_reboot();
    } else if (!strcmp(verb, "set")) {
        return set(arg, rest);
    } else if (!strcmp(verb, "hold") || !strcmp(verb, "release")) {
        return hold_command(verb, arg, more, third);
    } else {
        return gpu_command(verb, arg, more, third);
    }
    return 0;
}

/* ---- the files ---- */

static int control_store(struct node *node, const char *text, size_t len)
{
    char *copy = strndup(text, len), *rest = copy, *line;
    int err = 0;

    (void)node;
    if (!copy)
        abort();
    while (!err && (line = strsep(&rest, "\n")))
        if (*line && *line != '#')
            err = sim_command(line);
    free(copy);
    return err;
}

static void show_device(const struct device *dev, FILE *out)
{
    fprintf(out, "%s: {driver: %s", dev->name, dev->driver ? dev->driver->name : "none");
    if (*dev->slot && !dev->pf)
        fprintf(out, ", slot: '%s'", dev->slot);
    if (dev->group)
        fprintf(out, ", group: %d", dev->group->number);
    if (dev->vfs)
        fprintf(out, ", vfs: %u, totalvfs: %u", dev->numvfs, dev->totalvfs);
    if (dev->type)
        fprintf(out, ", type: %u", dev->type->id);
    if (*dev->override)
        fprintf(out, ", override: %s", dev->override);
    if (*dev->client)
        fprintf(out, ", client: %s", dev->client);
    if (dev->wedged)
        fputs(", wedged: true", out);
    fputs("}\n", out);
}

static int control_show(struct node *node, FILE *out)
{
    (void)node;
    for (const struct device *dev = sim_devices; dev; dev = dev->next)
        if (dev->present)
            show_device(dev, out);
    for (const struct mdev *mdev = sim_mdevs; mdev; mdev = mdev->next)
        if (mdev->live)
            fprintf(out, "%s: {parent: '%s', type: %u, group: %d}\n", mdev->uuid,
                    mdev->parent->name, mdev->type->id, mdev->group->number);
    sim_groups_print(out);
    sim_rules_print(out);
    fprintf(out, "teardown-ms: %u\nself-remove-ms: %d\n", sim_teardown_ms, sim_self_remove_ms);
    return 0;
}

static int log_show(struct node *node, FILE *out)
{
    (void)node;
    sim_log_print(out);
    return 0;
}

static const struct attr control_attr = {"gpusim-control", 0644, control_show, control_store};
static const struct attr log_attr = {"gpusim-log", 0444, log_show, NULL};

void sim_control_init(void)
{
    sim_attr(&sim_root, &control_attr, NULL);
    sim_attr(&sim_root, &log_attr, NULL);
}
