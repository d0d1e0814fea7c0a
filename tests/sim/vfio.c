/* IOMMU groups, their nodes in dev/vfio, and who holds them. facts/sriov-core.md section 5. */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLOSE_MS 2000

static struct group *groups;
int sim_next_group = 90;

struct group *sim_group(int number)
{
    struct group **at = &groups;

    for (; *at && (*at)->number < number;)
        at = &(*at)->next;
    if (!*at || (*at)->number != number) {
        struct group *group = calloc(1, sizeof *group);

        if (!group)
            abort();
        group->number = number;
        group->next = *at;
        *at = group;
    }
    if (!(*at)->dir) {
        char name[16];

        snprintf(name, sizeof name, "%d", number);
        (*at)->dir = sim_dir(sim_mkdirs("sys/kernel/iommu_groups"), name);
        sim_dir((*at)->dir, "devices");
        sim_text((*at)->dir, "reserved_regions", 0444,
                 "0x00000000fee00000 0x00000000feefffff msi\n");
        sim_text((*at)->dir, "type", 0644, "DMA-FQ\n");
    }
    return *at;
}

int sim_group_fresh(void)
{
    return sim_next_group++;
}

void sim_group_add(struct group *group, const char *name, struct node *device)
{
    group->members++;
    sim_link(sim_dir(group->dir, "devices"), name, device);
    sim_link(device, "iommu_group", group->dir);
}

void sim_group_del(struct group *group, const char *name)
{
    sim_remove_name(sim_dir(group->dir, "devices"), name);
    if (--group->members)
        return;
    sim_remove(group->dir);
    group->dir = NULL;
}

void sim_group_vfio(struct group *group, int change)
{
    char name[16];

    group->vfio = (unsigned)((int)group->vfio + change);
    if (group->vfio && !group->dev) {
        snprintf(name, sizeof name, "%d", group->number);
        group->dev = sim_text(sim_mkdirs("dev/vfio"), name, 0660, "%s", "");
        group->dev->group = group;
    } else if (!group->vfio && group->dev) {
        sim_remove(group->dev);
        group->dev = NULL;
    }
}

static void name_of(pid_t pid, char *ret, size_t size)
{
    char path[64];
    FILE *in;

    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    in = fopen(path, "re");
    if (!in || !fgets(ret, (int)size, in))
        snprintf(ret, size, "unknown");
    if (in)
        fclose(in);
    ret[strcspn(ret, "\n")] = '\0';
}

/* proc/PID of the holder, with the open file in it: @node below dev/vfio/devices, or the node of the group. The number of the file is made up: FUSE does
 * not tell which one the opener gets. */
static void show_holder(struct group *group, const char *node)
{
    char pid[16], fd[16], target[80];

    snprintf(pid, sizeof pid, "%d", (int)group->pid);
    group->proc = sim_dir(sim_mkdirs("proc"), pid);
    if (!sim_child(group->proc, "comm")) {
        sim_text(group->proc, "comm", 0644, "%s\n", group->holder);
        sim_bytes(group->proc, "cmdline", 0444, group->holder, strlen(group->holder) + 1);
    }
    snprintf(fd, sizeof fd, "%d", 100 + group->number);
    if (node)
        snprintf(target, sizeof target, "/dev/vfio/devices/%s", node);
    else
        snprintf(target, sizeof target, "/dev/vfio/%d", group->number);
    group->proc_fd = sim_link_text(sim_dir(group->proc, "fd"), fd, target);
}

static int hold(struct group *group, pid_t pid, const char *holder, const char *node)
{
    if (group->held)
        return -EBUSY;
    group->held = group->used = true;
    group->closing_ms = 0;
    group->pid = pid;
    snprintf(group->holder, sizeof group->holder, "%s", holder);
    show_holder(group, node);
    sim_changed();
    return 0;
}

int sim_group_hold(struct group *group, pid_t pid, const char *holder)
{
    return hold(group, pid, holder, NULL);
}

int sim_group_open(struct group *group, pid_t pid, const char *node)
{
    uint64_t until = group->closing_ms + CLOSE_MS;
    char holder[sizeof group->holder];
    int err;

    /* close() returns before FUSE's release arrives: who closed and opens again must not find
     * himself. */
    while (group->held && group->closing_ms && sim_now_ms() < until) {
        sim_unlock();
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        sim_lock();
    }
    name_of(pid, holder, sizeof holder);
    err = hold(group, pid, holder, node);
    if (!err)
        group->used = false;
    return err;
}

void sim_group_use(struct group *group)
{
    group->used = true;
    sim_changed();
}

void sim_group_release(struct group *group)
{
    struct node *fds;
    const bool guest = group->used;

    if (!group->held)
        return;
    group->held = group->used = false;
    if (guest)
        group->released_ms = sim_now_ms();
    fds = group->proc_fd->parent;
    sim_remove(group->proc_fd);
    if (!fds->children)
        sim_remove(group->proc);
    group->proc = group->proc_fd = NULL;
    if (guest)
        sim_mdev_released(group);
    sim_changed();
}

void sim_groups_free(void)
{
    for (struct group *group = groups; group; group = group->next) {
        sim_group_release(group);
        group->released_ms = 0;
    }
}

void sim_groups_print(FILE *out)
{
    for (struct group *group = groups; group; group = group->next)
        if (group->held)
            fprintf(out, "held: {group: %d, pid: %d, holder: %s}\n", group->number, (int)group->pid,
                    group->holder);
}
