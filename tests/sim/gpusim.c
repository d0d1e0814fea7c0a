#include "sim.h"

#include <getopt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double sim_time_scale = 1;
bool sim_booting;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

void sim_lock(void)
{
    pthread_mutex_lock(&lock);
}

void sim_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void sim_wait(void)
{
    pthread_cond_wait(&changed, &lock);
}

void sim_changed(void)
{
    pthread_cond_broadcast(&changed);
}

uint64_t sim_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t sim_scaled(unsigned ms)
{
    return (uint64_t)(ms * sim_time_scale + 0.5);
}

void sim_delay(unsigned ms)
{
    double s = ms * sim_time_scale / 1000;
    struct timespec time = {.tv_sec = (time_t)s, .tv_nsec = (long)((s - (double)(time_t)s) * 1e9)};

    if (sim_booting)
        return;
    sim_unlock();
    nanosleep(&time, NULL);
    sim_lock();
}

static void usage(FILE *out)
{
    fputs(
        "Usage: gpusim [OPTION...] HOSTFILE MOUNTPOINT\n"
        "  or:  gpusim [OPTION...] --dump HOSTFILE DIRECTORY\n"
        "\n"
        "Mounts the sys/, proc/, dev/ and etc/ of the host that HOSTFILE describes, as far as GPU "
        "partitions\n"
        "are concerned, and answers writes as the kernel and the drivers do. Goes to the "
        "background once it\n"
        "is mounted; ends when it is unmounted.\n"
        "\n"
        "  -f, --foreground     stay in the foreground\n"
        "  -s, --time-scale=X   multiply every delay (100 ms to make VFs, 1 s to remove them, the "
        "wind-up of a\n"
        "                       vGPU) with X; 1 unless given\n"
        "  -c, --command=TEXT   a line for the control file, obeyed before anything is served\n"
        "  -o OPTION            handed to FUSE (auto_unmount, allow_other; as root allow_other is "
        "set)\n"
        "      --dump           write the tree as plain files and links instead; unreadable files "
        "come empty\n"
        "  -d, --debug          FUSE's own trace\n"
        "  -h, --help\n"
        "\n"
        "HOSTFILE is YAML:\n"
        "  hostname: kvm-a\n"
        "  machine-id: 32 hex digits\n"
        "  nested: true         # the host's CPU says that it is itself a guest\n"
        "  nvidia: vendor-vfio  # or mdev: the framework of the host's driver on SR-IOV GPUs; "
        "none: no vGPU\n"
        "  i915: mainline       # or out-of-tree: whether i915 can make VFs\n"
        "  xe-admin: true       # whether the kernel has xe's sriov_admin directory\n"
        "  teardown-ms: 1000    # how long a type cannot be cleared after its guest went\n"
        "  next-group: 90       # IOMMU groups of VFs and mdevs count from here\n"
        "  devices:             # in order; a bridge stands before what is behind it\n"
        "    - address: 0000:08:00.0\n"
        "      model: a2        # a GPU, or kind: bridge | nic | nvme | audio | usb, or plain "
        "ids:\n"
        "      vendor: 10de     # device, subvendor, subdevice, class: hex, over the model's\n"
        "      secondary: 8     # of a bridge: the bus behind it\n"
        "      slot: '3'        # sys/bus/pci/slots\n"
        "      serial: '123'    # in vpd\n"
        "      numa: 0\n"
        "      group: 38        # IOMMU group; none: the host has no IOMMU; own number unless "
        "given\n"
        "      boot-vga: true\n"
        "      loaded: false    # whether its own driver is; true unless given\n"
        "      driver: vfio-pci # what is bound at the start; none; the model's own unless given\n"
        "      mechanism: sriov # nvidia-vfio, nvidia-mdev, mdev-pf, sriov, none; unless given as "
        "the model\n"
        "                       # and the host say\n"
        "      totalvfs: 7      # over the model's; 0: the driver found SR-IOV unusable\n"
        "      makes: 3         # asked for more VFs, it makes so many and says nothing\n"
        "      client: dcgm     # something on the host has the GPU open\n"
        "      mixed: true      # NVIDIA's mixed-size mode\n"
        "      mig: [1, 1, 2]   # GPU instances by slices\n"
        "      vfs: 16          # at the start\n"
        "      types: {0: 746}  # vGPU type by VF, at the start\n"
        "      mdevs:           # at the start; vf is left out where the PF is the parent\n"
        "        - {vf: 0, type: 746, uuid: 3deab9a4-200a-4c54-99b1-5eb0722d1d81}\n"
        "      held:            # at the start; vf and uuid left out: the device itself\n"
        "        - {vf: 0, pid: 4711, holder: qemu-system-x86}\n"
        "\n"
        "Models:\n",
        out);
    sim_models_print(out);
    fputs("\n"
          "Below MOUNTPOINT, gpusim-control takes commands, one to a line, and reads as the state; "
          "gpusim-log\n"
          "reads as all writes in the order of their start, a line each: NUMBER RESULT PATH VALUE, "
          "where RESULT\n"
          "is ok, pending, killed or the errno's name. GLOB is matched against the path below the "
          "mount with all\n"
          "links followed, or any last part of it: */0000:08:00.0/sriov_numvfs, current_vgpu_type. "
          "GPU is an\n"
          "address or slotN. Commands:\n",
          out);
    sim_commands_print(out);
    fputs("\n"
          "Opening dev/vfio/N holds the group until the file is closed, and a second open is "
          "EBUSY. A guest\n"
          "has it once VFIO_GROUP_SET_CONTAINER was asked of it; before, somebody looked: a driver "
          "refuses nothing\n"
          "for that, and no vGPU winds up afterwards. proc/PID shows whoever has it open.\n",
          out);
}

int main(int argc, char **argv)
{
    enum { DUMP = 256 };
    static const struct option options[] = {
        {"foreground", no_argument, NULL, 'f'},
        {"time-scale", required_argument, NULL, 's'},
        {"command", required_argument, NULL, 'c'},
        {"dump", no_argument, NULL, DUMP},
        {"debug", no_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    bool foreground = false, dump = false, debug = false;
    const char *commands[64], *fuse_options = NULL;
    unsigned command_count = 0;
    char *end;
    int c;

    while ((c = getopt_long(argc, argv, "fs:c:o:dh", options, NULL)) != -1) {
        switch (c) {
        case 'f':
            foreground = true;
            break;
        case 's':
            sim_time_scale = strtod(optarg, &end);
            if (*end || sim_time_scale < 0) {
                fprintf(stderr, "gpusim: --time-scale takes a number, not '%s'\n", optarg);
                return 2;
            }
            break;
        case 'c':
            if (command_count < sizeof commands / sizeof *commands)
                commands[command_count++] = optarg;
            break;
        case 'o':
            fuse_options = optarg;
            break;
        case 'd':
            debug = true;
            break;
        case DUMP:
            dump = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            return 2;
        }
    }
    if (argc - optind != 2) {
        usage(stderr);
        return 2;
    }
    sim_lock();
    sim_control_init();
    if (!sim_host_load(argv[optind]))
        return 1;
    sim_host_boot(true);
    for (unsigned i = 0; i < command_count; i++) {
        int err = sim_command(commands[i]);

        if (err) {
            fprintf(stderr, "gpusim: '%s': %s\n", commands[i], strerror(-err));
            return 1;
        }
    }
    if (dump)
        return sim_dump(argv[optind + 1]) ? 0 : 1;
    sim_unlock();
    return sim_serve(argv[optind + 1], foreground, fuse_options, debug);
}
