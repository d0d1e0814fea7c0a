/* What a table of answers cannot show: who waits for whom, who dies when, what is left in a folder.
 */
#include "host_test.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define XE "@0000:03:00.0"

static void up(const char *host, const char *scale)
{
    if (!sim_host_up(host, scale))
        cr_skip_test("no FUSE here");
}

static unsigned now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

struct write {
    const char *path, *value;
    pthread_t thread;
    unsigned ms;
    int err;
    volatile bool done;
};

static void *run(void *arg)
{
    struct write *write = arg;
    unsigned start = now_ms();

    write->err = sim_host_write(write->path, write->value);
    write->ms = now_ms() - start;
    write->done = true;
    return NULL;
}

static unsigned log_lines(void)
{
    char log[8192];
    unsigned n;

    cr_assert(!sim_host_read("gpusim-log", log, sizeof log));
    n = *log != '\0'; /* the last newline is taken off */
    for (const char *at = log; (at = strchr(at, '\n')); at++)
        n++;
    return n;
}

/* Until a write has begun that had not when there were @before; the simulator logs it then. */
static void await_write(unsigned before)
{
    for (unsigned start = now_ms(); log_lines() == before; usleep(1000))
        cr_assert(now_ms() - start < 60000, "the write did not begin");
}

static void begin(struct write *write)
{
    unsigned before = log_lines();

    cr_assert(!pthread_create(&write->thread, NULL, run, write));
    await_write(before);
}

static void end(struct write *write)
{
    pthread_join(write->thread, NULL);
    cr_assert(!write->err, "%s > %s: %s", write->value, write->path, strerror(write->err));
}

static bool log_has(const char *text)
{
    char log[8192];

    cr_assert(!sim_host_read("gpusim-log", log, sizeof log));
    return strstr(log, text);
}

/* sriov-core.md section 1: the lock is held over the kernel's pauses, and reading takes it. */
Test(sim_waiting, read_waits_for_enable)
{
    struct write write = {.path = XE "/sriov_numvfs", .value = "4"};
    char text[64];
    unsigned start;

    up("two-xe", "20");
    start = now_ms();
    begin(&write);
    cr_assert(!sim_host_read(XE "/vendor", text, sizeof text));
    cr_assert(!sim_host_read("@0000:04:00.0/sriov_numvfs", text, sizeof text));
    cr_expect(!write.done, "what is not locked must not wait");
    cr_assert(!sim_host_read(XE "/sriov_numvfs", text, sizeof text));
    cr_expect_str_eq(text, "4");
    cr_expect(now_ms() - start >= 2000, "the count was told before it was so");
    end(&write);
    cr_expect(write.ms >= 2000, "enabling took %u ms, not 0.1 s twenty times", write.ms);
    sim_host_down();
}

Test(sim_waiting, disable_takes_a_second)
{
    unsigned start;

    up("two-xe", "0.2");
    cr_assert(!sim_host_write(XE "/sriov_numvfs", "2"));
    start = now_ms();
    cr_assert(!sim_host_write(XE "/sriov_numvfs", "0"));
    cr_expect(now_ms() - start >= 200);
    sim_host_down();
}

/* sriov-core.md section 1, "Disabling while a VF is in use": xe does not ask, and vfio-pci waits.
 */
Test(sim_waiting, disable_waits_for_the_guest)
{
    struct write write = {.path = XE "/sriov_numvfs", .value = "0"};

    up("two-xe", "0.05");
    sim_host_script(
        "2 > " XE "/sriov_numvfs\nvfio-pci > @0000:03:00.2/driver_override\n"
        "0000:03:00.2 > @0000:03:00.2/driver/unbind\n0000:03:00.2 > sys/bus/pci/drivers_probe\n"
        "@0000:03:00.2/iommu_group -> 91\nhold dev/vfio/91");
    begin(&write);
    usleep(100000);
    cr_expect(!write.done, "the guest's VF was taken away");
    cr_expect(log_has("pending"));
    sim_host_script("@0000:03:00.2/vendor = 0x8086\ndrop");
    end(&write);
    sim_host_script(XE "/sriov_numvfs = 0\nno @0000:03:00.2/vendor");
    sim_host_down();
}

/* sriov-core.md section 4. */
Test(sim_waiting, mdev_removal_waits_for_the_guest)
{
#define MDEV "sys/bus/mdev/devices/f715f63c-0d00-4007-9c5a-b07b0c6c05de"
    struct write write = {.path = MDEV "/remove", .value = "1"};

    up("two-a2-mdev", "0.05");
    sim_host_script("hold dev/vfio/106");
    begin(&write);
    usleep(100000);
    cr_expect(!write.done, "the guest's mdev was taken away");
    sim_host_script("yes " MDEV "\nno " MDEV
                    "/remove\ndrop"); /* of two removers only one succeeds */
    end(&write);
    sim_host_script("no " MDEV);
    sim_host_down();
}

/* nvidia-vgpu.md section 8, passthrough.md section 3. */
Test(sim_waiting, unbind_waits_for_clients)
{
    struct write write = {.path = "sys/bus/pci/drivers/nvidia/unbind", .value = "0000:08:00.0"};

    up("two-a2", "0.05");
    sim_host_command("client slot3 Xorg");
    begin(&write);
    usleep(100000);
    cr_expect(!write.done);
    sim_host_command("client slot3 -");
    end(&write);
    sim_host_script("no @0000:08:00.0/driver");
    sim_host_down();
}

/* testing.md, "Simulator": such a write cannot be killed, and everything else goes on. */
Test(sim_waiting, hung_write)
{
    unsigned before;
    int status;
    pid_t pid;

    up("two-xe", "0.05");
    sim_host_command("hang 0000:03:00.0/sriov_numvfs");
    before = log_lines();
    pid = fork();
    if (!pid)
        _exit(sim_host_write(XE "/sriov_numvfs", "2"));
    await_write(before);
    kill(pid, SIGKILL);
    usleep(100000);
    cr_expect(!waitpid(pid, &status, WNOHANG), "it could be killed");
    sim_host_script(
        XE "/sriov_numvfs = 0\n@0000:04:00.0/sriov_numvfs = 0\n2 > @0000:04:00.0/sriov_numvfs");
    sim_host_command("unhang");
    cr_assert(waitpid(pid, &status, 0) == pid);
    cr_expect(WIFSIGNALED(status));
    sim_host_script(XE "/sriov_numvfs = 2");
    sim_host_down();
}

static void *write_four(void *arg)
{
    (void)arg;
    sim_host_write(XE "/sriov_numvfs", "4");
    sleep(2);
    return NULL;
}

/* Who dies of a write to sriov_numvfs made by a thread of its own; the program's status. */
static int writer(void)
{
    pthread_t thread;
    int status;
    pid_t pid = fork();

    if (!pid) {
        pthread_create(&thread, NULL, write_four, NULL);
        sleep(2);
        _exit(0);
    }
    cr_assert(waitpid(pid, &status, 0) == pid);
    return status;
}

Test(sim_waiting, killed_before)
{
    int status;

    up("two-xe", "0.05");
    sim_host_command("kill-before 1 0 sriov_numvfs");
    status = writer();
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", (unsigned)status);
    sim_host_script(XE "/sriov_numvfs = 0");
    cr_expect(log_has("1 killed "));
    sim_host_down();
}

Test(sim_waiting, killed_after)
{
    int status;

    up("two-xe", "0.05");
    sim_host_command("kill-after 1");
    status = writer();
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", (unsigned)status);
    sim_host_script(XE "/sriov_numvfs = 4");
    cr_expect(log_has("1 ok "));
    sim_host_down();
}

/* What a tool writes kills whom the test names: here, a bystander. */
Test(sim_waiting, killed_instead)
{
    char command[64];
    int status;
    pid_t pid;

    up("two-a2", "0.05");
    pid = fork();
    if (!pid) {
        sleep(5);
        _exit(0);
    }
    snprintf(command, sizeof command, "kill-after 3 %d", (int)pid);
    sim_host_command(command);
    cr_expect(!sim_host_manage("-e", "0000:08:00.0"));
    cr_assert(waitpid(pid, &status, 0) == pid);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    sim_host_down();
}

/* A hold ends with the process that has it, however that dies. */
Test(sim_waiting, hold_dies_with_holder)
{
    int status, fd, pipes[2];
    unsigned start;
    char byte;
    pid_t pid;

    up("half-done", "0.05");
    cr_assert(!pipe(pipes));
    pid = fork();
    if (!pid) {
        if (open(sim_host_path("dev/vfio/90"), O_RDWR) < 0 || write(pipes[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    cr_assert(read(pipes[0], &byte, 1) == 1);
    sim_host_script("hold dev/vfio/90 ! EBUSY");
    kill(pid, SIGKILL);
    cr_assert(waitpid(pid, &status, 0) == pid);
    /* The kernel closes what a dead process had when it gets to it. */
    start = now_ms();
    while ((fd = open(sim_host_path("dev/vfio/90"), O_RDWR)) < 0) {
        cr_assert(now_ms() - start < 60000, "the hold outlived its holder");
        usleep(1000);
    }
    close(fd);
    sim_host_script("hold dev/vfio/90\ndrop");
    sim_host_down();
}

/* sysfs: neither names nor directories are made by hand. */
Test(sim_waiting, nothing_is_created)
{
    up("two-xe", "0.05");
    cr_expect(open(sim_host_path(XE "/mine"), O_WRONLY | O_CREAT, 0644) < 0 && errno == EACCES);
    cr_expect(mkdir(sim_host_path(XE "/mine"), 0755) < 0 && errno == EPERM);
    cr_expect(unlink(sim_host_path(XE "/vendor")) < 0 && errno == EPERM);
    sim_host_down();
}

static int count_names(const char *path)
{
    char command[512], text[32] = "";
    FILE *out;

    snprintf(command, sizeof command, "find '%s' | grep -v /gpusim- | wc -l", path);
    out = popen(command, "r");
    if (!out || !fgets(text, sizeof text, out))
        return -1;
    pclose(out);
    return atoi(text);
}

/* A dump is the tree: the same names, the same texts, without FUSE. */
Test(sim_waiting, dump)
{
    char folder[] = "/tmp/gpusim-dump-XXXXXX", command[1024];
    struct stat st;

    up("two-a2-mdev", "0.05");
    cr_assert(mkdtemp(folder));
    snprintf(command, sizeof command, "'%s' --dump '%s/two-a2-mdev.yaml' '%s'", GPUSIM,
             GPUSIM_HOSTS, folder);
    cr_expect(!system(command));
    cr_expect(count_names(folder) == count_names(sim_host_path("")), "%d names, not %d",
              count_names(folder), count_names(sim_host_path("")));
    snprintf(command, sizeof command,
             "diff -r --no-dereference -x gpusim-control -x gpusim-log -x create -x remove -x "
             "reset -x bind "
             "-x unbind -x new_id -x remove_id -x rescan -x drivers_probe -x vfio '%s' '%s'",
             folder, sim_host_path(""));
    cr_expect(!system(command));
    snprintf(command, sizeof command, "%s/sys/bus/pci/devices/0000:08:00.0/sriov_totalvfs", folder);
    cr_expect(!stat(command, &st) && (st.st_mode & 0777) == 0444);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect(!system(command));
    sim_host_down();
}

/* Every file of every described host can be made. */
Test(sim_waiting, all_hosts)
{
    char folder[] = "/tmp/gpusim-hosts-XXXXXX", command[1024];

    cr_assert(mkdtemp(folder));
    snprintf(command, sizeof command,
             "set -e; n=0; for host in '%s'/*.yaml; do n=$((n + 1)); '%s' --dump \"$host\" '%s'/$n "
             "2>&1 | grep . && "
             "exit 1; test -e '%s'/$n/etc/machine-id; done; test $n -ge 10; rm -rf '%s'",
             GPUSIM_HOSTS, GPUSIM, folder, folder, folder);
    cr_expect(!system(command));
}

/* ---- everything at once: it must survive, and a reboot must set all right ---- */

static volatile bool stop;

static void any_write(unsigned *seed)
{
    static const char *const paths[] = {
        "@0000:08:00.0/sriov_numvfs",
        "@0000:0c:00.0/sriov_numvfs",
        "@0000:08:00.4/nvidia/current_vgpu_type",
        "@0000:08:00.5/nvidia/current_vgpu_type",
        "sys/bus/pci/drivers/nvidia/unbind",
        "sys/bus/pci/drivers/nvidia/bind",
        "sys/bus/pci/drivers/pci-pf-stub/bind",
        "sys/bus/pci/drivers/pci-pf-stub/unbind",
        "@0000:08:00.0/driver_override",
        "@0000:08:00.4/driver_override",
        "sys/bus/pci/drivers_probe",
        "sys/bus/pci/rescan",
        "@0000:00:03.0/remove",
        "@0000:08:00.0/remove",
        "gpusim-control",
    };
    static const char *const values[] = {
        "0",
        "1",
        "8",
        "16",
        "745",
        "746",
        "0000:08:00.0",
        "0000:08:00.4",
        "pci-pf-stub",
        "\n",
        "vfio-pci",
        "0000:0c:00.0",
        "lose-vfs slot3",
        "remove slot5",
        "replace slot5 a16",
        "reboot",
    };
    const char *path = paths[(unsigned)rand_r(seed) % (sizeof paths / sizeof *paths)];

    sim_host_write(path, values[(unsigned)rand_r(seed) % (sizeof values / sizeof *values)]);
}

static void *turmoil(void *arg)
{
    unsigned *seed = arg;

    while (!stop) {
        char path[64], text[1024];
        int fd;

        any_write(seed);
        sim_host_read("@0000:08:00.4/nvidia/creatable_vgpu_types", text, sizeof text);
        snprintf(path, sizeof path, "dev/vfio/%d", 90 + rand_r(seed) % 40);
        fd = open(sim_host_path(path), O_RDWR | O_CLOEXEC);
        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

Test(sim_waiting, turmoil)
{
    pthread_t threads[4];
    unsigned seeds[4] = {1, 2, 3, 4};

    up("two-a2", "0.001");
    for (int i = 0; i < 4; i++)
        cr_assert(!pthread_create(&threads[i], NULL, turmoil, &seeds[i]));
    sleep(2);
    stop = true;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    sim_host_write("gpusim-control", "replace slot5 a2");
    sim_host_script(": reboot\n@0000:08:00.0/driver -> nvidia\n@0000:08:00.0/sriov_numvfs = 0\n"
                    "@0000:0c:00.0/driver_override = (null)\nmanage -e 0000:08:00.0 = 0\n"
                    "746 > @0000:08:00.4/nvidia/current_vgpu_type");
    sim_host_down();
}

/* Figures, not a bound: what one attribute costs, relative to its directory and by its path. */
Test(sim_waiting, cost)
{
    enum { TIMES = 2000 };
    char text[64];
    struct timespec a, b, c;
    int dir;

    up("two-a2", "0.05");
    dir = open(sim_host_path("@0000:08:00.0/"), O_DIRECTORY | O_CLOEXEC);
    cr_assert(dir >= 0);
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < TIMES; i++) {
        int fd = openat(dir, "vendor", O_RDONLY | O_CLOEXEC);

        cr_assert(read(fd, text, sizeof text) == 7);
        close(fd);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    for (int i = 0; i < TIMES; i++)
        cr_assert(!sim_host_read("@0000:08:00.0/vendor", text, sizeof text));
    clock_gettime(CLOCK_MONOTONIC, &c);
    cr_log_info(
        "open, read, close: %.0f us in its directory, %.0f us by path",
        ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / TIMES / 1000,
        ((double)(c.tv_sec - b.tv_sec) * 1e9 + (double)(c.tv_nsec - b.tv_nsec)) / TIMES / 1000);
    close(dir);
    sim_host_down();
}
