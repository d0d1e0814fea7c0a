/* Faults, the log of writes, and the control file. */
#include "sim.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum rule_kind { RULE_FAIL, RULE_HANG, RULE_HANG_READ, RULE_LATE, RULE_KILL_BEFORE, RULE_KILL_AFTER };
static const char *const rule_names[] = {"fail", "hang", "hang-read", "late", "kill-before", "kill-after"};

struct rule {
    struct rule *next;
    enum rule_kind kind;
    char glob[128];
    unsigned left; /* strikes at the write that brings it to 0; of late: ms */
    int err;
    pid_t pid;
};
static struct rule *rules;

struct entry {
    struct entry *next;
    unsigned number;
    char *path, *value;
    int result; /* 0, -errno, or one of these */
};
enum { PENDING = 1, KILLED = 2 };
static struct entry *log_first, **log_end = &log_first;
static unsigned write_count;

static bool glob_matches(const char *glob, const char *path)
{
    char tail[140];

    snprintf(tail, sizeof tail, "*/%s", glob);
    return !fnmatch(glob, path, 0) || !fnmatch(tail, path, 0);
}

static bool ruled(enum rule_kind kind, const char *path)
{
    for (const struct rule *rule = rules; rule; rule = rule->next)
        if (rule->kind == kind && glob_matches(rule->glob, path))
            return true;
    return false;
}

static void rule_add(enum rule_kind kind, const char *glob, unsigned left, int err, pid_t pid)
{
    struct rule *rule = calloc(1, sizeof *rule);

    if (!rule)
        abort();
    *rule = (struct rule){.next = rules, .kind = kind, .left = left, .err = err, .pid = pid};
    snprintf(rule->glob, sizeof rule->glob, "%s", glob);
    rules = rule;
}

/* Forgets the rules of @kind (-1: all) with this glob (NULL: any). */
static void rules_drop(int kind, const char *glob)
{
    for (struct rule **at = &rules; *at;) {
        struct rule *rule = *at;

        if ((kind < 0 || (int)rule->kind == kind) && (!glob || !strcmp(glob, rule->glob))) {
            *at = rule->next;
            free(rule);
        } else {
            at = &rule->next;
        }
    }
    sim_changed();
}

/* The rule of @kind whose turn has come with this write, taken out of the list; the caller frees. */
static struct rule *strike(enum rule_kind kind, const char *path)
{
    struct rule *hit = NULL;

    for (struct rule **at = &rules; *at;) {
        struct rule *rule = *at;

        if (rule->kind != kind || !glob_matches(rule->glob, path) || --rule->left) {
            at = &rule->next;
            continue;
        }
        *at = rule->next;
        free(hit);
        hit = rule;
    }
    return hit;
}

unsigned sim_late_ms(const struct node *node)
{
    unsigned ms = 0;
    char *path;

    if (!rules)
        return 0;
    path = sim_path(node);
    for (const struct rule *rule = rules; rule; rule = rule->next)
        if (rule->kind == RULE_LATE && glob_matches(rule->glob, path))
            ms = rule->left;
    free(path);
    return ms;
}

void sim_read_fault(struct node *node)
{
    char *path;

    if (!rules)
        return;
    path = sim_path(node);
    while (ruled(RULE_HANG_READ, path))
        sim_wait();
    free(path);
}

/* ---- writes ---- */

static void fatal(const struct rule *rule, pid_t writer)
{
    char path[64], line[128];
    int group = writer;
    FILE *in;

    /* FUSE names the thread; what is killed is its process. */
    snprintf(path, sizeof path, "/proc/%d/status", (int)writer);
    in = fopen(path, "re");
    while (in && fgets(line, sizeof line, in))
        if (sscanf(line, "Tgid: %d", &group) == 1)
            break;
    if (in)
        fclose(in);
    if (rule->pid)
        group = rule->pid;
    if (group > 0)
        kill(group, SIGKILL);
}

static int store(struct node *node, const char *text, size_t len)
{
    if (node->dead)
        return -ENODEV;
    if (node->attr)
        return node->attr->store ? node->attr->store(node, text, len) : -EIO;
    free(node->text);
    node->text = strdup(text);
    if (!node->text)
        abort();
    node->len = len;
    return 0;
}

static int faulty_store(struct node *node, const char *path, const char *text, size_t len, pid_t pid,
                        bool *ret_killed)
{
    struct rule *rule = strike(RULE_KILL_BEFORE, path);
    int err;

    if (rule) {
        fatal(rule, pid);
        free(rule);
        *ret_killed = true;
        return -EINTR;
    }
    rule = strike(RULE_FAIL, path);
    if (rule) {
        err = rule->err;
        free(rule);
        return err;
    }
    while (ruled(RULE_HANG, path))
        sim_wait();
    rule = strike(RULE_KILL_AFTER, path);
    err = store(node, text, len);
    if (rule) {
        fatal(rule, pid);
        free(rule);
    }
    return err;
}

static const struct attr control_attr, log_attr;

int sim_write(struct node *node, const char *text, size_t len, pid_t pid)
{
    struct entry *entry;
    bool killed = false;
    char *path;
    int err;

    if (node->attr == &control_attr || node->attr == &log_attr)
        return store(node, text, len);
    path = sim_path(node);
    entry = calloc(1, sizeof *entry);
    if (!entry)
        abort();
    *entry = (struct entry){.number = ++write_count, .path = path, .result = PENDING};
    entry->value = strndup(text, strcspn(text, "\n"));
    *log_end = entry;
    log_end = &entry->next;
    err = faulty_store(node, path, text, len, pid, &killed);
    entry->result = killed ? KILLED : err;
    return err;
}

static int log_show(struct node *node, FILE *out)
{
    (void)node;
    for (const struct entry *entry = log_first; entry; entry = entry->next)
        fprintf(out, "%u %s %s %s\n", entry->number,
                entry->result == PENDING  ? "pending"
                : entry->result == KILLED ? "killed"
                : entry->result           ? strerrorname_np(-entry->result)
                                          : "ok",
                entry->path, entry->value);
    return 0;
}

/* ---- commands ---- */

static struct device *gpu(const char *name)
{
    struct device *dev = sim_device(name);

    if (!dev) /* one that was pulled out can still be put back */
        for (dev = sim_devices; dev; dev = dev->next)
            if (!dev->pf && (!strcmp(dev->name, name) ||
                             (*dev->slot && !strncmp(name, "slot", 4) && !strcmp(dev->slot, name + 4))))
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
    err = store(node, value, strlen(value));
    node->opens--;
    sim_node_put(node);
    return err;
}

static int instances(struct device *dev, const char *list)
{
    unsigned n = 0, slices;
    int used;

    while (n < sizeof dev->instances / sizeof *dev->instances && sscanf(list, "%u%n", &slices, &used) == 1) {
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
        snprintf(dev->serial, sizeof dev->serial, "%s", serial);
    dev->absent = false;
    sim_device_lock(dev);
    sim_device_add(dev);
    sim_device_probe(dev);
    sim_device_unlock(dev);
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
        snprintf(dev->client, sizeof dev->client, "%s", strcmp(more, "-") ? more : "");
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
    group->held_ms = 0; /* however short, it stands for a guest */
    sim_group_release(group);
    return 0;
}

static int rule_command(enum rule_kind kind, const char *first, const char *second, const char *third)
{
    unsigned number = (unsigned)strtoul(second, NULL, 10);

    switch (kind) {
    case RULE_FAIL:
        if (!number || !errno_named(third))
            return -EINVAL;
        rule_add(kind, first, number, errno_named(third), 0);
        break;
    case RULE_HANG:
    case RULE_HANG_READ:
    case RULE_LATE:
        rule_add(kind, first, number, 0, 0);
        break;
    case RULE_KILL_BEFORE:
    case RULE_KILL_AFTER:
        number = (unsigned)strtoul(first, NULL, 10);
        if (!number)
            return -EINVAL;
        rule_add(kind, *third ? third : "*", number, 0, (pid_t)atoi(second));
        break;
    }
    return 0;
}

static void log_clear(void)
{
    struct entry **at = &log_first;

    while (*at) {
        struct entry *entry = *at;

        if (entry->result == PENDING) { /* its writer still has it */
            at = &entry->next;
            continue;
        }
        *at = entry->next;
        free(entry->path);
        free(entry->value);
        free(entry);
    }
    log_end = at;
    write_count = 0;
}

void sim_commands_print(FILE *out)
{
    fputs("  fail GLOB N ERRNO         the N-th matching write from now does nothing and gives ERRNO\n"
          "  hang GLOB                 matching writes wait, unkillable, until unhang\n"
          "  hang-read GLOB            reads likewise\n"
          "  unhang [GLOB]\n"
          "  late GLOB MS              matching files show MS after they were made\n"
          "  kill-before N [PID [GLOB]]  the N-th matching write from now kills PID (0 or none: its writer)\n"
          "                            instead of doing anything\n"
          "  kill-after N [PID [GLOB]]   the same, after it was done and before its writer hears of it\n"
          "  clear                     forget all of these\n"
          "  clear-log                 and count writes from 1 again\n"
          "  teardown-ms MS            how long a type cannot be cleared after its guest went; scaled\n"
          "  self-remove-ms MS         mdevs go by themselves so long after their guest; scaled; -1: they stay\n"
          "  fewer-vfs GPU N           asked for more than N VFs it makes N\n"
          "  client GPU NAME|-         something on the host opens or closes the GPU\n"
          "  mixed GPU 0|1             NVIDIA's mixed-size mode\n"
          "  mig GPU SLICES,...        GPU instances; none: MIG off\n"
          "  hold WHAT [PID [NAME]]    WHAT: group number, address or mdev; by a process that need not exist\n"
          "  release WHAT\n"
          "  set PATH VALUE            somebody else writes: no fault, no log\n"
          "  lose-vfs GPU              as a reset of the card does\n"
          "  remove GPU                pull the card out, whatever holds it\n"
          "  replace GPU [MODEL [SERIAL]]  put it back, or another\n"
          "  reboot                    VFs, types, mdevs, overrides and holders are gone, the boot id is new\n",
          out);
}

int sim_command(const char *text)
{
    char verb[32] = "", arg[128] = "", more[128] = "", third[128] = "", rest[512] = "";

    sscanf(text, "%31s %127s %127s %127s", verb, arg, more, third);
    sscanf(text, "%*s %*s %511[^\n]", rest);
    for (size_t i = 0; i < sizeof rule_names / sizeof *rule_names; i++)
        if (!strcmp(verb, rule_names[i]))
            return *arg ? rule_command((enum rule_kind)i, arg, more, third) : -EINVAL;
    if (!strcmp(verb, "unhang")) {
        rules_drop(RULE_HANG, *arg ? arg : NULL);
        rules_drop(RULE_HANG_READ, *arg ? arg : NULL);
    } else if (!strcmp(verb, "clear")) {
        rules_drop(-1, NULL);
    } else if (!strcmp(verb, "clear-log")) {
        log_clear();
    } else if (!strcmp(verb, "teardown-ms")) {
        sim_teardown_ms = (unsigned)strtoul(arg, NULL, 10);
    } else if (!strcmp(verb, "self-remove-ms")) {
        sim_self_remove_ms = atoi(arg);
    } else if (!strcmp(verb, "reboot")) {
        rules_drop(RULE_HANG, NULL);
        rules_drop(RULE_HANG_READ, NULL);
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
            fprintf(out, "%s: {parent: '%s', type: %u, group: %d}\n", mdev->uuid, mdev->parent->name,
                    mdev->type->id, mdev->group->number);
    sim_groups_print(out);
    for (const struct rule *rule = rules; rule; rule = rule->next)
        fprintf(out, "%s: {glob: '%s', left: %u, errno: %s, pid: %d}\n", rule_names[rule->kind], rule->glob,
                rule->left, rule->err ? strerrorname_np(-rule->err) : "none", (int)rule->pid);
    fprintf(out, "teardown-ms: %u\nself-remove-ms: %d\nwrites: %u\n", sim_teardown_ms, sim_self_remove_ms,
            write_count);
    return 0;
}

static const struct attr control_attr = {"gpusim-control", 0644, control_show, control_store};
static const struct attr log_attr = {"gpusim-log", 0444, log_show, NULL};

void sim_control_init(void)
{
    sim_attr(&sim_root, &control_attr, NULL);
    sim_attr(&sim_root, &log_attr, NULL);
}
