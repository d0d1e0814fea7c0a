/* What only a host that answers can show: refusals, delays, calls that do not come back. */
#include "clock.h"
#include "rows.h"
#include "tree.h"

#include "cleanup.h"
#include "plan.h"
#include "registry.h"
#include "text.h"
#include "unheld.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static struct {
    char root[64];
    struct gp_arena *mem;
    struct gp_host host;
} sim;

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
    char command[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof command, format, args);
    va_end(args);
    cr_assert(zero(int, system(command)), "%s", command); /* NOLINT(cert-env33-c) */
}

static void control(const char *command)
{
    run("echo '%s' >%s/gpusim-control", command, sim.root);
}

/* False where FUSE cannot be used: the test is skipped then. The mount is this test's own: others compare the machine's. */
static bool start(const char *hostfile)
{
    if (access("/dev/fuse", R_OK | W_OK) < 0)
        return false;
    if (geteuid() == 0 && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
        return false;
    (void)snprintf(sim.root, sizeof sim.root, "/tmp/gp-sim-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(sim.root), NULL));
    run("%s --time-scale=0.01 %s/%s.yaml %s", GPUSIM, GPUSIM_HOSTS, hostfile, sim.root);
    sim.mem = gp_arena_new();
    tree_ok(gp_host_open(sim.root, true, &sim.host));
    sim.host.machine_id = "0123456789abcdef0123456789abcdef";
    sim.host.sriov_manage = GPUSIM "-sriov-manage";
    (void)setenv("GPUPART_SIMULATED_TOOLS", "1", 1);
    return true;
}

static void stop(void)
{
    if (!sim.mem)
        return;
    gp_host_close(&sim.host);
    gp_arena_free(sim.mem);
    run("fusermount3 -u -z %s && rmdir %s", sim.root, sim.root);
}

#define SIMULATE(hostfile)                                                                         \
    do {                                                                                           \
        if (!start(hostfile))                                                                      \
            cr_skip_test("there is no /dev/fuse");                                                 \
    } while (0)

TestSuite(sim, .fini = stop, .timeout = 100);

static struct gp_gpu *gpu_now(const char *id)
{
    struct gp_gpu *gpus;
    size_t count;

    tree_ok(gp_registry_observe(&sim.host, sim.mem, NULL, &gpus, &count));
    for (size_t i = 0; i < count; i++) {
        if (gp_streq(gpus[i].id, id))
            return &gpus[i];
    }
    cr_assert(false, "%s is not there", id);
    return NULL;
}

/* Brings @id to @want; the error of the first step that fails. */
static struct gp_error *go(const char *id, const struct gp_layout *want)
{
    struct gp_steps steps = {.mem = sim.mem};
    struct gp_gpu *gpu = gpu_now(id);
    struct gp_error *err = gp_registry_mechanism(gpu->mechanism)->plan(gpu, want, &steps);

    for (size_t i = 0; !err && i < steps.count; i++) {
        err = gp_registry_apply(&sim.host, gpu, &steps.items[i]);
        if (!err)
            gpu = gpu_now(id);
    }
    if (!err)
        cr_assert(gp_registry_mechanism(gpu->mechanism)->matches(gpu, want), "%s is %s", id,
                  gp_gpu_value(sim.mem, gpu));
    return err;
}

static struct gp_layout cut(uint32_t count, const char *profile)
{
    return (struct gp_layout){.mode = GP_MODE_PARTITIONED, .count = count, .profile = profile};
}

static struct gp_error *release(const struct gp_gpu *gpu, uint32_t timeout_ms)
{
    struct gp_step step = {.kind = GP_STEP_RELEASE_PARTITION, .gpu = gpu->id, .partition = 0,
                           .before = "a", .after = "none", .timeout_ms = timeout_ms};

    return gp_registry_apply(&sim.host, gpu, &step);
}

Test(sim, a_write_that_hangs_is_told_and_the_rest_goes_on)
{
    struct gp_layout want = cut(2, NULL);
    const char *text;
    uint64_t began;

    SIMULATE("two-xe");
    control("hang sriov_numvfs");
    began = gp_monotonic_ms();
    cr_assert(eq(int, tree_code(gp_host_write_within(&sim.host,
                                                     "sys/bus/pci/devices/0000:03:00.0/sriov_numvfs", "2",
                                                     300)), GP_E_HUNG));
    cr_assert(lt(u64, gp_monotonic_ms() - began, 5000));
    cr_assert(gt(int, sim.host.left_writing, 0));
    tree_ok(gp_host_read(&sim.host, sim.mem, "sys/bus/pci/devices/0000:03:00.0/vendor", &text));
    control("unhang");
    /* Observing does not read sriov_numvfs, whose readers wait as well; the other GPU is free anyway. */
    tree_ok(go("slot5", &want));
}

Test(sim, a_read_that_hangs_makes_the_gpu_unknown)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q");
    struct gp_gpu *gpu;

    SIMULATE("two-a2");
    tree_ok(go("slot3", &want));
    control("hang-read current_vgpu_type");
    sim.host.io_timeout_ms = 300;
    gpu = gpu_now("slot3");
    control("unhang");
    cr_assert(eq(int, gpu->status, GP_GPU_UNKNOWN));
    cr_assert(eq(int, gpu->held, GP_HELD_UNKNOWN));
}

/* A capture is read without a deadline; what somebody mounted into it is no capture. */
Test(sim, what_is_mounted_into_a_capture_has_its_deadline)
{
    gp_cleanup(gp_host_close) struct gp_host around = {.root_fd = -1};
    const char *text;

    SIMULATE("two-a2");
    tree_ok(gp_host_open("/tmp", false, &around));
    around.io_timeout_ms = 300;
    control("hang-read numa_node");
    /* Without a deadline the reader could not even be killed. */
    run("(sleep 5; echo unhang >%s/gpusim-control) 2>/dev/null &", sim.root);
    cr_expect(eq(int, tree_code(gp_host_read(&around, sim.mem,
                                             gp_printf(sim.mem, "%s/sys/bus/pci/devices/0000:08:00.0/numa_node",
                                                       sim.root + strlen("/tmp/")),
                                             &text)), GP_E_HUNG));
    control("unhang");
}

Test(sim, who_holds_a_partition_is_named)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q");
    struct gp_partition *partition;

    SIMULATE("two-a2");
    cr_assert(eq(str, (char *)gpu_now("slot3")->serial, "1320222000103"));
    tree_ok(go("slot3", &want));
    control("hold 0000:08:00.4 4711 qemu-system-x86");
    partition = &gpu_now("slot3")->partitions[0];
    cr_assert(eq(int, partition->held, GP_HELD_YES));
    cr_assert(eq(str, (char *)partition->holder, "pid 4711 (qemu-system-x86)"));
    cr_assert(eq(int, gpu_now("slot3")->partitions[1].held, GP_HELD_NO));
}

/* Whoever opens a group for a moment, as another set's look does, may be gone between its link in proc and its name there. */
Test(sim, who_is_gone_before_it_is_named_holds_nothing)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q");
    const char *holder;
    int32_t group;

    SIMULATE("two-a2");
    tree_ok(go("slot3", &want));
    group = gpu_now("slot3")->partitions[0].group;
    control("hold 0000:08:00.4 4711 gpupart");
    control("hang-read comm");
    run("(sleep .3; echo 'release 0000:08:00.4' >%s/gpusim-control; echo unhang >%s/gpusim-control) 2>/dev/null &",
        sim.root, sim.root);
    cr_expect(eq(int, gp_host_held(&sim.host, sim.mem, group, &holder), GP_HELD_NO),
              "held by %s", holder);
}

/* With iommufd a guest opens the device's own node, and the group's is busy all the same. */
Test(sim, who_opens_a_device_by_its_own_node_is_named)
{
    struct gp_layout want = cut(2, NULL);
    const struct gp_partition *partition;
    struct gp_strings nodes;
    const char *path, *holder;
    int32_t group;
    int opened[2];
    char byte;
    pid_t pid;

    SIMULATE("two-xe");
    tree_ok(go("slot3", &want));
    partition = &gpu_now("slot3")->partitions[0];
    group = partition->group;
    tree_ok(gp_host_list(&sim.host, sim.mem,
                         gp_printf(sim.mem, "sys/bus/pci/devices/%s/vfio-dev", gp_pci_text(sim.mem, partition->device.pci)),
                         &nodes));
    cr_assert(eq(sz, nodes.count, 1));
    path = gp_printf(sim.mem, "%s/dev/vfio/devices/%s", sim.root, nodes.items[0]);
    cr_assert(zero(int, pipe(opened)));
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_NAME, "qemu-system-x86");
        if (open(path, O_RDWR | O_CLOEXEC) >= 0)
            (void)!write(opened[1], "y", 1);
        (void)close(opened[1]);
        (void)pause();
        _exit(0);
    }
    (void)close(opened[1]);
    cr_assert(eq(int, (int)read(opened[0], &byte, 1), 1));
    cr_expect(eq(int, gp_host_held(&sim.host, sim.mem, group, &holder), GP_HELD_YES));
    cr_expect(gp_streq(holder, gp_printf(sim.mem, "pid %d (qemu-system-x86)", (int)pid)), "%s", holder ? holder : "nobody");
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

/* Clearing a type is refused for a while after its guest is gone. */
Test(sim, clearing_is_tried_until_the_guest_is_wound_up)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q");
    struct gp_gpu *gpu;

    SIMULATE("two-a2");
    tree_ok(go("slot3", &want));
    control("hold 0000:08:00.4 4711 qemu-system-x86");
    gpu = gpu_now("slot3");
    cr_assert(eq(int, tree_code(release(gpu, 700)), GP_E_PERM));
    control("teardown-ms 150000");
    control("release 0000:08:00.4");
    tree_ok(release(gpu, 30000));
    cr_assert(eq(u32, gpu_now("slot3")->count, 3));
}

Test(sim, a_vf_that_is_held_keeps_all_of_them)
{
    struct gp_layout want = cut(4, NULL), other = cut(2, NULL);

    SIMULATE("two-xe");
    tree_ok(go("slot3", &want));
    control("hold 0000:03:00.1 4711 qemu-system-x86");
    cr_assert(eq(int, tree_code(go("slot3", &other)), GP_E_BUSY));
    cr_assert(eq(u32, gpu_now("slot3")->count, 4));
    control("release 0000:03:00.1");
    tree_ok(go("slot3", &other));
}

Test(sim, fewer_vfs_than_asked_are_an_error_with_a_way_on)
{
    struct gp_layout want = cut(4, NULL);
    struct gp_error *err;

    SIMULATE("two-xe");
    control("fewer-vfs slot3 3");
    err = go("slot3", &want);
    cr_assert(err && err->code == GP_E_IO && strstr(err->message, "made 3 VFs"), "%s",
              err ? err->message : "no error");
    gp_error_free(err);
    control("fewer-vfs slot3 12");
    tree_ok(go("slot3", &want));
}

Test(sim, attributes_that_come_late_are_waited_for)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q");

    SIMULATE("two-a2");
    control("late creatable_vgpu_types 800");
    tree_ok(go("slot3", &want));
}

Test(sim, a_tool_that_fails_half_way_leaves_something_to_repair)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q");
    struct gp_error *err;
    struct gp_gpu *gpu;

    SIMULATE("two-a2");
    control("fail sriov_numvfs 1 EIO");
    err = go("slot3", &want);
    cr_assert(err && strstr(err->message, "pci-pf-stub"), "%s", err ? err->message : "no error");
    gp_error_free(err);
    gpu = gpu_now("slot3");
    cr_assert(eq(int, gpu->status, GP_GPU_UNHEALTHY));
    tree_ok(go("slot3", &want));
}

Test(sim, a_client_that_goes_in_time_is_no_hindrance)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q");
    pid_t pid;

    SIMULATE("two-a2");
    control("client slot3 nv-hostengine");
    pid = fork();
    if (pid == 0) {
        gp_sleep_ms(1500);
        control("client slot3 -");
        _exit(0);
    }
    tree_ok(go("slot3", &want));
    (void)waitpid(pid, NULL, 0);
}

/* Removing an mdev that its driver is about to remove would wedge the vGPU until the next reboot. */
Test(sim, an_mdev_that_goes_by_itself_is_not_removed)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q");
    const char *text;
    struct gp_gpu *gpu;

    SIMULATE("two-a2-mdev");
    tree_ok(go("slot3", &want));
    control("clear-log");
    control("self-remove-ms 80000");
    gpu = gpu_now("slot3");
    cr_assert(zero(u64, gp_unheld_since(&sim.host, gpu->partitions[0].group)), "nobody has ever held it");
    control(gp_printf(sim.mem, "hold %s 4711 qemu-system-x86", gpu->partitions[0].device.uuid));
    cr_assert(eq(int, tree_code(release(gpu, 500)), GP_E_BUSY), "a removal would wait for the guest");
    control(gp_printf(sim.mem, "release %s", gpu->partitions[0].device.uuid));
    tree_ok(release(gpu, 20000));
    tree_ok(gp_host_read(&sim.host, sim.mem, "gpusim-log", &text));
    cr_assert(eq(ptr, strstr(text, "/remove"), NULL), "%s", text);
    cr_assert(eq(u32, gpu_now("slot3")->count, 3));
    tree_ok(go("slot3", &want));
}

/* Goes on with a host of its own, which has not looked at anything yet. */
static void begin_anew(void)
{
    struct gp_host first = sim.host;

    tree_ok(gp_host_open(sim.root, true, &sim.host));
    sim.host.machine_id = first.machine_id;
    gp_host_close(&first);
}

/* As a pass that begins after a guest was shut down. */
Test(sim, an_mdev_whose_guest_ended_before_the_first_look_is_not_removed)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q");
    const char *text, *uuid;

    SIMULATE("two-a2-mdev");
    tree_ok(go("slot3", &want));
    begin_anew();
    control("clear-log");
    control("self-remove-ms 80000");
    uuid = gpu_now("slot3")->partitions[0].device.uuid;
    control(gp_printf(sim.mem, "hold %s 4711 qemu-system-x86", uuid));
    control(gp_printf(sim.mem, "release %s", uuid));
    tree_ok(release(gpu_now("slot3"), 20000));
    tree_ok(gp_host_read(&sim.host, sim.mem, "gpusim-log", &text));
    cr_assert(eq(ptr, strstr(text, "/remove"), NULL), "%s", text);
    cr_assert(eq(u32, gpu_now("slot3")->count, 3));
}

/* Its next guest is about to start with it. */
Test(sim, an_mdev_that_goes_with_its_guest_is_made_again)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q");
    struct gp_gpu *before, *after;
    const char *uuid;

    SIMULATE("two-a2-mdev");
    tree_ok(go("slot3", &want));
    control("self-remove-ms 80000");
    before = gpu_now("slot3");
    uuid = before->partitions[1].device.uuid;
    control(gp_printf(sim.mem, "hold %s 4711 qemu-system-x86", uuid));
    control(gp_printf(sim.mem, "release %s", uuid));
    tree_ok(gp_registry_keep(&sim.host, before, &before->partitions[1]));
    after = gpu_now("slot3");
    cr_assert(after->partitions[1].live);
    cr_assert(gp_device_eq(after->partitions[1].device, before->partitions[1].device));
    cr_assert(eq(str, (char *)after->profile, "NVIDIA A2-4Q"));
}

Test(sim, an_mdev_that_stays_is_left_alone)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q");
    const char *text;
    struct gp_gpu *gpu;

    SIMULATE("two-a2-mdev");
    tree_ok(go("slot3", &want));
    gpu = gpu_now("slot3");
    control("clear-log");
    sim.host.self_removal_ms = 1;
    tree_ok(gp_registry_keep(&sim.host, gpu, &gpu->partitions[1]));
    tree_ok(gp_host_read(&sim.host, sim.mem, "gpusim-log", &text));
    cr_assert(zero(sz, strlen(text)), "%s", text);
}

/* A set has a host of its own, and begins with what the pass saw through another one. */
Test(sim, idle_mdevs_share_the_time_that_their_driver_has_to_remove_them)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q");
    struct gp_gpu *gpu;
    uint64_t asked;

    SIMULATE("two-a2-mdev");
    tree_ok(go("slot3", &want));
    gpu = gpu_now("slot3");
    begin_anew();
    gp_host_held_ask(&sim.host, sim.mem, gpu);
    asked = gp_monotonic_ms();
    while (gp_monotonic_ms() == asked)
        ;
    for (size_t i = 0; i < gpu->partition_count; i++) {
        const uint64_t since = gp_unheld_since(&sim.host, gpu->partitions[i].group);

        if (gpu->partitions[i].live)
            cr_assert(since && since <= asked, "the time of %zu has not begun", i);
    }
}

Test(sim, the_functions_of_a_slot_go_together)
{
    struct gp_layout whole = {.mode = GP_MODE_PASSTHROUGH}, none = {.mode = GP_MODE_NONE};
    const char *driver;

    SIMULATE("mixed");
    tree_ok(go("slot4", &whole));
    tree_ok(gp_host_readlink(&sim.host, sim.mem, "sys/bus/pci/devices/0000:65:00.1/driver", &driver));
    cr_assert(eq(str, (char *)driver, "vfio-pci"));
    tree_ok(go("slot4", &none));
    tree_ok(gp_host_readlink(&sim.host, sim.mem, "sys/bus/pci/devices/0000:65:00.1/driver", &driver));
    cr_assert(ne(str, (char *)driver, "vfio-pci"));
    /* slot6 shares its group with a NIC, which is not ours to move. */
    cr_assert(eq(int, tree_code(go("slot6", &whole)), GP_E_UNSUPPORTED));
    tree_ok(gp_host_readlink(&sim.host, sim.mem, "sys/bus/pci/devices/0000:67:00.0/driver", &driver));
    cr_assert(eq(str, (char *)driver, "igb"));
}

static const char *driver_of(const char *address)
{
    const char *driver;

    tree_ok(gp_host_readlink(&sim.host, sim.mem, gp_printf(sim.mem, "sys/bus/pci/devices/%s/driver", address), &driver));
    return driver ? driver : "none";
}

/* Its sound function has no driver on this host that would take it back. */
Test(sim, a_companion_that_the_host_has_no_driver_for_holds_up_nothing)
{
    struct gp_layout whole = {.mode = GP_MODE_PASSTHROUGH}, paravirtual = {.mode = GP_MODE_PARAVIRTUAL};

    SIMULATE("no-drivers");
    tree_ok(go("slot5", &whole));
    cr_assert(eq(str, (char *)driver_of("0000:66:00.1"), "vfio-pci"));
    tree_ok(go("slot5", &paravirtual));
    cr_assert(ne(str, (char *)driver_of("0000:66:00.0"), "vfio-pci"));
    cr_assert(eq(str, (char *)driver_of("0000:66:00.1"), "none"));
    /* The host's driver, loaded later, would take it, and no guest could have the group any more. */
    tree_ok(go("slot5", &whole));
    cr_assert(eq(str, (char *)driver_of("0000:66:00.1"), "vfio-pci"));
}

static struct gp_steps steps_to(const char *id, const struct gp_layout *want)
{
    struct gp_steps steps = {.mem = sim.mem};
    const struct gp_gpu *gpu = gpu_now(id);

    tree_ok(gp_registry_mechanism(gpu->mechanism)->plan(gpu, want, &steps));
    return steps;
}

/* Whether the companion of slot4 has a driver of the host, or none, is somebody else's doing here. */
Test(sim, a_companion_that_the_host_has_taken_back_is_taken_again)
{
    struct gp_layout whole = {.mode = GP_MODE_PASSTHROUGH};
    struct gp_steps steps;

    SIMULATE("mixed");
    tree_ok(go("slot4", &whole));
    cr_assert(zero(sz, steps_to("slot4", &whole).count));
    control("set sys/bus/pci/devices/0000:65:00.1/driver_override");
    control("set sys/bus/pci/drivers/vfio-pci/unbind 0000:65:00.1");
    cr_assert(eq(str, (char *)driver_of("0000:65:00.1"), "none"));
    cr_assert(zero(sz, steps_to("slot4", &whole).count), "a guest may run with it");
    control("set sys/bus/pci/drivers/snd_hda_intel/bind 0000:65:00.1");
    cr_assert(eq(str, (char *)driver_of("0000:65:00.1"), "snd_hda_intel"));
    steps = steps_to("slot4", &whole);
    cr_assert(eq(sz, steps.count, 1));
    cr_assert(eq(str, (char *)steps.items[0].before, "vfio-pci, but 0000:65:00.1 (driver snd_hda_intel)"));
    tree_ok(go("slot4", &whole));
    cr_assert(eq(str, (char *)driver_of("0000:65:00.1"), "vfio-pci"));
    cr_assert(zero(sz, steps_to("slot4", &whole).count));
}

static const struct {
    const char *gpu, *address, *after;
} driverless[] = {{"slot3", "0000:08:00.0", "nvidia or none"}, {"slot4", "0000:65:00.0", "(the host's driver) or none"}};

/* As the way back from a start that failed does it: they had no driver before. */
Test(sim, a_gpu_that_the_host_has_no_driver_for_comes_back_without_one)
{
    struct gp_layout whole = {.mode = GP_MODE_PASSTHROUGH}, none = {.mode = GP_MODE_NONE},
                     paravirtual = {.mode = GP_MODE_PARAVIRTUAL};

    SIMULATE("no-drivers");
    for (size_t i = 0; i < sizeof driverless / sizeof *driverless; i++) {
        cr_assert(eq(str, (char *)driver_of(driverless[i].address), "none"));
        tree_ok(go(driverless[i].gpu, &whole));
        cr_assert(eq(str, (char *)driver_of(driverless[i].address), "vfio-pci"));
        cr_assert(eq(str, (char *)steps_to(driverless[i].gpu, &none).items[0].after, (char *)driverless[i].after));
        tree_ok(go(driverless[i].gpu, &none));
        cr_assert(eq(str, (char *)driver_of(driverless[i].address), "none"));
        tree_ok(go(driverless[i].gpu, &whole));
    }
    /* Where the host is to use it, a driver is what is wanted. */
    cr_assert(eq(int, tree_code(go("slot3", &paravirtual)), GP_E_UNSUPPORTED));
    cr_assert(eq(str, (char *)driver_of("0000:08:00.0"), "vfio-pci"));
}

/* NVIDIA's driver would wait for it in the write to unbind, which nothing can end. */
Test(sim, a_gpu_that_a_program_of_the_host_has_open_stays_on_its_driver)
{
    struct gp_layout whole = {.mode = GP_MODE_PASSTHROUGH};
    struct gp_error *err;
    const char *text;

    SIMULATE("mixed");
    control("client slot4 Xorg");
    sim.host.client_ms = 0;
    err = go("slot4", &whole);
    cr_assert(err && err->code == GP_E_BUSY && strstr(err->message, " (Xorg)"), "%s", err ? err->message : "no error");
    gp_error_free(err);
    cr_expect(eq(int, (int)sim.host.left_writing, 0));
    tree_ok(gp_host_read(&sim.host, sim.mem, "gpusim-log", &text));
    cr_expect(eq(str, (char *)text, ""), "nothing is begun");
    /* Monitoring agents have it open for moments only. */
    run("(sleep .3; echo \"client slot4 -\" >%s/gpusim-control) 2>/dev/null &", sim.root);
    sim.host.client_ms = 90000;
    tree_ok(go("slot4", &whole));
    cr_assert(eq(str, (char *)driver_of("0000:65:00.0"), "vfio-pci"));
}

/* The vendor's tool makes the same driver let go: it fails without a name, and may leave VFs without a driver. */
Test(sim, the_tool_is_not_run_while_a_program_of_the_host_has_the_gpu_open)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q");
    struct gp_error *err;
    const char *text;

    SIMULATE("two-a2");
    control("client slot3 python3");
    sim.host.client_ms = 0;
    err = go("slot3", &want);
    cr_assert(err && err->code == GP_E_BUSY && strstr(err->message, " (python3)"), "%s", err ? err->message : "no error");
    gp_error_free(err);
    tree_ok(gp_host_read(&sim.host, sim.mem, "gpusim-log", &text));
    cr_expect(eq(str, (char *)text, ""), "nothing is begun");
}

/* A driver may take longer than any other write to let go of its GPU; the step's own deadline is what counts. */
Test(sim, a_driver_that_is_long_about_letting_go_is_waited_for)
{
    struct gp_layout whole = {.mode = GP_MODE_PASSTHROUGH};
    struct gp_steps steps = {.mem = NULL};
    const struct gp_gpu *gpu;

    SIMULATE("mixed");
    steps.mem = sim.mem;
    gpu = gpu_now("slot4");
    tree_ok(gp_registry_mechanism(gpu->mechanism)->plan(gpu, &whole, &steps));
    cr_assert(eq(sz, steps.count, 1));
    control("hang */unbind");
    run("(sleep .5; echo unhang >%s/gpusim-control) 2>/dev/null &", sim.root);
    sim.host.io_timeout_ms = 100;
    tree_ok(gp_registry_apply(&sim.host, gpu, &steps.items[0]));
    cr_assert(eq(int, (int)sim.host.left_writing, 0));
    cr_assert(eq(str, (char *)driver_of("0000:65:00.0"), "vfio-pci"));
}

Test(sim, nothing_but_the_gpu_is_ever_written_to)
{
    struct gp_layout want = cut(4, "NVIDIA A2-4Q"), whole = {.mode = GP_MODE_PASSTHROUGH};
    const char *text;

    SIMULATE("two-a2");
    tree_ok(go("slot3", &want));
    tree_ok(go("slot3", &whole));
    tree_ok(gp_host_read(&sim.host, sim.mem, "gpusim-log", &text));
    cr_assert(eq(ptr, strstr(text, "0000:0c:"), NULL), "%s", text);
    cr_assert(eq(ptr, strstr(text, "0000:02:"), NULL), "%s", text);
}
