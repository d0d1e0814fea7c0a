#include "host_test.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64];
static pid_t simulator;
static int held[16];
static size_t held_count;

bool sim_host_up(const char *name, const char *time_scale)
{
    char hostfile[512], scale[32];

    if (access("/dev/fuse", R_OK | W_OK))
        return false;
    if (!geteuid() && (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)))
        return false;
    strcpy(root, "/tmp/gpusim-XXXXXX");
    cr_assert(mkdtemp(root));
    snprintf(hostfile, sizeof hostfile, "%s/%s.yaml", GPUSIM_HOSTS, name);
    snprintf(scale, sizeof scale, "--time-scale=%s", time_scale);
    simulator = fork();
    if (!simulator) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(GPUSIM, "gpusim", "-f", scale, hostfile, root, NULL);
        _exit(127);
    }
    for (int tries = 0; access(sim_host_path("gpusim-control"), F_OK); tries++) {
        cr_assert(tries < 1000 && !waitpid(simulator, NULL, WNOHANG), "gpusim does not come up");
        usleep(5000);
    }
    setenv("GPUSIM_ROOT", root, 1);
    return true;
}

void sim_host_down(void)
{
    int status;

    if (!simulator)
        return;
    while (held_count)
        close(held[--held_count]);
    sim_host_command("clear");
    kill(simulator, SIGTERM);
    cr_assert(waitpid(simulator, &status, 0) == simulator);
    simulator = 0;
    umount2(root, MNT_DETACH);
    rmdir(root);
    cr_assert(WIFEXITED(status) && !WEXITSTATUS(status), "gpusim ended with %x", (unsigned)status);
}

const char *sim_host_path(const char *path)
{
    static _Thread_local char paths[4][512];
    static _Thread_local unsigned next;
    char *ret = paths[next++ % 4];

    snprintf(ret, sizeof paths[0], "%s/%s%s", root, *path == '@' ? "sys/bus/pci/devices/" : "",
             path + (*path == '@'));
    return ret;
}

int sim_host_write(const char *path, const char *value)
{
    int fd = open(sim_host_path(path), O_WRONLY | O_CLOEXEC), err = 0;

    if (fd < 0)
        return errno;
    if (write(fd, value, strlen(value)) < 0)
        err = errno;
    close(fd);
    return err;
}

int sim_host_read(const char *path, char *ret, size_t size)
{
    int fd = open(sim_host_path(path), O_RDONLY | O_CLOEXEC), err = 0;
    size_t len = 0;
    ssize_t n;

    if (fd < 0)
        return errno;
    while ((n = read(fd, ret + len, size - 1 - len)) > 0)
        len += (size_t)n;
    if (n < 0)
        err = errno;
    close(fd);
    if (len && ret[len - 1] == '\n')
        len--;
    ret[len] = '\0';
    return err;
}

void sim_host_command(const char *text)
{
    int err = sim_host_write("gpusim-control", text);

    cr_assert(!err, "'%s': %s", text, strerror(err));
}

int sim_host_manage(const char *direction, const char *address)
{
    char command[256];
    int status;

    snprintf(command, sizeof command, "'%s' %s %s >/dev/null", GPUSIM_MANAGE, direction, address);
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- scripts ---- */

static const char *errno_name(int err)
{
    return err ? strerrorname_np(err) : "ok";
}

/* Cuts @line at @mark; what follows it, or NULL. */
static char *cut(char *line, const char *mark)
{
    char *at = strstr(line, mark);

    if (!at)
        return NULL;
    *at = '\0';
    return at + strlen(mark);
}

static void same(const char *line, const char *have, const char *want)
{
    cr_assert_str_eq(have, want, "%s: is '%s'", line, have);
}

/* For a guest, or only to look. */
static void check_open(const char *line, char *path, const char *want, bool for_guest)
{
    int fd = open(sim_host_path(path), O_RDWR | O_CLOEXEC);

    same(line, errno_name(fd < 0 ? errno : 0), want ? want : "ok");
    if (fd >= 0)
        held[held_count++] = fd;
    if (fd >= 0 && for_guest)
        cr_assert(!ioctl(fd, VFIO_GROUP_SET_CONTAINER, 0), "%s: %s", line, strerror(errno));
}

static void check_link(const char *line, const char *path, const char *want)
{
    char target[512] = "";
    ssize_t len = readlink(sim_host_path(path), target, sizeof target - 1);
    const char *last;

    cr_assert(len > 0, "%s: %s", line, strerror(errno));
    last = strrchr(target, '/');
    same(line, last ? last + 1 : target, want);
}

static void check_read(const char *line, const char *path, const char *want, bool whole)
{
    static char text[65536];
    int err = sim_host_read(path, text, sizeof text);

    cr_assert(!err, "%s: %s", line, errno_name(err));
    for (char *at = text; whole && *at; at++)
        *at = *at == '\n' ? '\t' : *at;
    if (whole)
        same(line, text, !strcmp(want, "_") ? "" : want);
    else
        cr_assert(strstr(text, want), "%s: is '%s'", line, text);
}

static void check(char *rest)
{
    char line[256], text[4096], *want, *other;

    snprintf(line, sizeof line, "%s", rest);
    if (!strncmp(rest, ": ", 2)) {
        sim_host_command(rest + 2);
    } else if (!strncmp(rest, "sleep ", 6)) {
        usleep((useconds_t)atoi(rest + 6) * 1000);
    } else if (!strcmp(rest, "drop")) {
        while (held_count)
            close(held[--held_count]);
    } else if (!strncmp(rest, "yes ", 4)) {
        cr_assert(!faccessat(AT_FDCWD, sim_host_path(rest + 4), F_OK, AT_SYMLINK_NOFOLLOW), "%s",
                  line);
    } else if (!strncmp(rest, "no ", 3)) {
        cr_assert(faccessat(AT_FDCWD, sim_host_path(rest + 3), F_OK, AT_SYMLINK_NOFOLLOW), "%s",
                  line);
    } else if (!strncmp(rest, "hold ", 5)) {
        want = cut(rest, " ! ");
        check_open(line, rest + 5, want, true);
    } else if (!strncmp(rest, "look ", 5)) {
        want = cut(rest, " ! ");
        check_open(line, rest + 5, want, false);
    } else if (!strncmp(rest, "manage ", 7)) {
        char status[8];

        want = cut(rest, " = ");
        other = cut(rest + 7, " ");
        snprintf(status, sizeof status, "%d", sim_host_manage(rest + 7, other));
        same(line, status, want);
    } else if ((other = cut(rest, " > "))) {
        want = cut(other, " ! ");
        same(line, errno_name(sim_host_write(other, !strcmp(rest, "_") ? "\n" : rest)),
             want ? want : "ok");
    } else if ((want = cut(rest, " -> "))) {
        check_link(line, rest, want);
    } else if ((want = cut(rest, " ! "))) {
        same(line, errno_name(sim_host_read(rest, text, sizeof text)), want);
    } else if ((want = cut(rest, " = "))) {
        check_read(line, rest, want, true);
    } else if ((want = cut(rest, " ~ "))) {
        check_read(line, rest, want, false);
    } else {
        cr_assert_fail("no such check: %s", line);
    }
}

void sim_host_script(const char *lines)
{
    char *copy = strdup(lines), *rest = copy, *line;

    while ((line = strsep(&rest, "\n")))
        if (*line)
            check(line);
    free(copy);
}
