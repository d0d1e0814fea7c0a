/* One row for one fact: what the simulator must answer because a kernel or driver does. The source
 * of each stands beside it: S is facts/sriov-core.md, N facts/nvidia-vgpu.md, I
 * facts/intel-sriov.md, R facts/real-world-samples.md. */
#include "host_test.h"
#include "rows.h"

#define PF   "@0000:08:00.0"
#define VF   "@0000:08:00.4"
#define VF1  "@0000:08:00.5"
#define ON   "manage -e 0000:08:00.0 = 0\n"
#define XE   "@0000:03:00.0"
#define XEVF "@0000:03:00.1"
#define UUID "01234567-89ab-cdef-0123-456789abcdef"
#define TYPE "@0000:08:01.7/mdev_supported_types/"

static const struct {
    const char *name, *source, *host, *script;
} rows[] = {
    /* ---- sriov_numvfs: the order of refusals ---- */
    {"only digits", "S1 step 1", "two-xe",
     "four > " XE "/sriov_numvfs ! EINVAL\n-1 > " XE "/sriov_numvfs ! EINVAL\n70000 > " XE
     "/sriov_numvfs ! EINVAL\n4 4 > " XE "/sriov_numvfs ! EINVAL\n_ > " XE
     "/sriov_numvfs ! EINVAL"},
    {"the base is found", "S1 step 1", "two-xe",
     "0x8 > " XE "/sriov_numvfs\n" XE "/sriov_numvfs = 8"},
    {"more than there are", "S1 step 2", "two-xe", "13 > " XE "/sriov_numvfs ! ERANGE"},
    {"mainline i915: ERANGE for 8, ENOENT for 6, 0 is fine", "S1 step 2, R7", "mixed",
     "8 > @0000:00:02.0/sriov_numvfs ! ERANGE\n6 > @0000:00:02.0/sriov_numvfs ! ENOENT\n"
     "0 > @0000:00:02.0/sriov_numvfs"},
    {"the same number again is fine without a driver", "S1 step 3", "two-xe",
     "4 > " XE "/sriov_numvfs\n4 > " XE
     "/sriov_numvfs\n0000:04:00.0 > @0000:04:00.0/driver/unbind\n"
     "0 > @0000:04:00.0/sriov_numvfs"},
    {"no driver", "S1 step 4", "two-xe",
     "0000:03:00.0 > " XE "/driver/unbind\n13 > " XE "/sriov_numvfs ! ERANGE\n4 > " XE
     "/sriov_numvfs ! ENOENT"},
    {"no callback", "S1 step 5, N2", "two-a2",
     "16 > " PF "/sriov_numvfs ! ENOENT\n" PF "/sriov_numvfs = 0"},
    {"vfio-pci has no callback either", "S1 step 5", "half-done",
     "16 > @0000:14:00.0/sriov_numvfs ! ENOENT"},
    {"none to some, some to none", "S1 steps 6 and 8", "two-xe",
     "4 > " XE "/sriov_numvfs\n" XE "/sriov_numvfs = 4\nyes " XE "/virtfn3\nno " XE
     "/virtfn4\n0 > " XE "/sriov_numvfs\n" XE "/sriov_numvfs = 0\nno " XE "/virtfn0\nno " XEVF
     "/vendor"},
    {"from one number to another", "S1 step 7", "two-xe",
     "4 > " XE "/sriov_numvfs\n8 > " XE "/sriov_numvfs ! EBUSY\n2 > " XE
     "/sriov_numvfs ! EBUSY\n13 > " XE "/sriov_numvfs ! ERANGE\n" XE "/sriov_numvfs = 4"},
    {"fewer than asked, and no word of it", "S1 step 8", "intel-odd",
     "8 > @0000:04:00.0/sriov_numvfs\n@0000:04:00.0/sriov_numvfs = 3\nyes @0000:04:00.0/virtfn2\n"
     "no @0000:04:00.0/virtfn3"},
    {"fewer by command", "S1 step 8", "two-xe",
     ": fewer-vfs slot3 2\n4 > " XE "/sriov_numvfs\n" XE "/sriov_numvfs = 2"},
    /* ---- what a PF and a VF look like ---- */
    {"no SR-IOV, no files", "S1", "mixed",
     "no @0000:84:00.0/sriov_totalvfs\nno @0000:65:00.1/sriov_numvfs\nno "
     "@0000:05:00.0/sriov_totalvfs"},
    {"files of a PF", "S1, R1", "two-a2",
     PF "/sriov_totalvfs = 16\n" PF "/sriov_offset = 4\n" PF "/sriov_stride = 1\n" PF
        "/sriov_vf_device = 25b6\n" PF "/sriov_drivers_autoprobe = 1\n" PF
        "/sriov_vf_total_msix = 0\n" PF "/vendor = 0x10de\n" PF "/device = 0x25b6\n" PF
        "/subsystem_device = 0x157e\n" PF "/class = 0x030200\n" PF "/reset_method = flr bus\n" PF
        "/driver_override = (null)\n" PF "/driver -> nvidia\n" PF "/iommu_group -> 38\n16 > " PF
        "/sriov_totalvfs ! EACCES"},
    {"addresses go past eight functions", "S1, R1", "two-a2",
     ON PF "/virtfn0 -> 0000:08:00.4\n" PF "/virtfn4 -> 0000:08:01.0\n" PF
           "/virtfn15 -> 0000:08:02.3\nno " PF "/virtfn16"},
    {"and past the bus", "S1", "l4-a10-p40",
     "manage -e 0000:41:00.0 = 0\n@0000:41:00.0/virtfn31 -> 0000:41:04.3"},
    {"the offset is the board's own", "N2, R3", "mixed",
     "manage -e 0001:04:00.0 = 0\n@0001:04:00.0/virtfn0 -> 0001:04:00.2\n@0001:04:00.0/virtfn14 -> "
     "0001:04:02.0"},
    {"domains above ffff", "testing.md", "mixed", "@10000:e1:00.0/vendor = 0x8086\n"},
    {"a VF", "S1, R1", "two-a2",
     ON VF "/vendor = 0x10de\n" VF "/device = 0x25b6\n" VF "/subsystem_device = 0x0000\n" VF
           "/subsystem_vendor = 0x10de\n" VF "/class = 0x030200\n" VF "/physfn -> 0000:08:00.0\n" VF
           "/reset_method = flr\n" VF "/driver -> nvidia\n" VF "/config ~ \xff\xff\xff\xff\n" VF
           "/power_state = D0\nno " VF "/sriov_numvfs\nno " VF "/virtfn0"},
    {"a group to each VF, numbered on", "S5, R1", "two-a2",
     ON VF "/iommu_group -> 90\n@0000:08:02.3/iommu_group -> 105\n"
           "yes sys/kernel/iommu_groups/90/devices/0000:08:00.4"},
    {"slots", "S2", "two-a2",
     "sys/bus/pci/slots/3/address = 0000:08:00\nsys/bus/pci/slots/5/address = 0000:0c:00"},
    {"neighbours are as they were", "mixed.yaml", "mixed",
     "@0000:02:00.0/sriov_numvfs = 2\n@0000:02:00.0/driver -> igb\n@0000:05:00.0/driver -> nvme\n"
     "@0000:65:00.1/iommu_group -> 65\n@0000:65:00.2/class = 0x0c0330"},
    /* ---- binding ---- */
    {"unbind what is not bound to it", "S3", "two-xe",
     "0000:03:00.0 > sys/bus/pci/drivers/vfio-pci/unbind ! ENODEV\n"
     "0000:99:00.0 > sys/bus/pci/drivers/xe/unbind ! ENODEV"},
    {"bind what does not match, or is bound", "S3", "two-xe",
     "0000:03:00.0 > sys/bus/pci/drivers/vfio-pci/bind ! ENODEV\n"
     "0000:03:00.0 > sys/bus/pci/drivers/xe/bind ! EBUSY"},
    {"an override alone rebinds nothing", "S3", "two-xe",
     "vfio-pci > " XE "/driver_override\n" XE "/driver_override = vfio-pci\n" XE
     "/driver -> xe\n_ > " XE "/driver_override\n" XE "/driver_override = (null)"},
    {"to vfio-pci and back, as libvirt does", "S3, S5", "two-xe",
     "no dev/vfio/21\nvfio-pci > " XE "/driver_override\n0000:03:00.0 > " XE
     "/driver/unbind\nno " XE "/driver\n0000:03:00.0 > sys/bus/pci/drivers_probe\n" XE
     "/driver -> vfio-pci\nyes dev/vfio/21\nyes " XE "/vfio-dev\n_ > " XE
     "/driver_override\n0000:03:00.0 > " XE
     "/driver/unbind\n0000:03:00.0 > sys/bus/pci/drivers_probe\n" XE
     "/driver -> xe\nno dev/vfio/21\nno " XE "/vfio-dev"},
    {"a probe of what is bound changes nothing; of what is not there fails", "S3", "two-xe",
     "0000:03:00.0 > sys/bus/pci/drivers_probe\n" XE "/driver -> xe\n"
     "0000:99:00.0 > sys/bus/pci/drivers_probe ! ENODEV"},
    {"an id is known once, and takes hold at once", "S3", "two-xe",
     "0000:03:00.0 > " XE "/driver/unbind\n8086 e212 > sys/bus/pci/drivers/vfio-pci/new_id\n" XE
     "/driver -> vfio-pci\n8086 e212 > sys/bus/pci/drivers/vfio-pci/new_id ! EEXIST\n"
     "8086 e212 > sys/bus/pci/drivers/vfio-pci/remove_id\n"
     "8086 e212 > sys/bus/pci/drivers/vfio-pci/remove_id ! ENODEV"},
    {"autoprobe is about VFs to come", "S1, I2", "two-xe",
     "0 > " XE "/sriov_drivers_autoprobe\n2 > " XE "/sriov_numvfs\nno " XEVF "/driver\n0 > " XE
     "/sriov_numvfs\n1 > " XE "/sriov_drivers_autoprobe\n2 > " XE "/sriov_numvfs\n" XEVF
     "/driver -> xe"},
    {"reset methods: a subset", "S3", "two-a2",
     "bus > " PF "/reset_method\n" PF "/reset_method = bus\nlightning > " PF
     "/reset_method ! EINVAL\n"},
    {"removed and found again", "S3", "two-xe",
     "1 > " XE "/remove\nno " XE "/vendor\n1 > sys/bus/pci/rescan\n" XE "/driver -> xe"},
    /* ---- the NVIDIA tool ---- */
    {"the tool makes all VFs, and is done when it is done", "N2", "two-a2",
     ON PF "/sriov_numvfs = 16\n" PF "/driver -> nvidia\n" VF "/driver -> nvidia\n" ON PF
           "/driver_override = (null)"},
    {"and takes all away", "N2", "two-a2",
     ON "746 > " VF "/nvidia/current_vgpu_type\nmanage -d 0000:08:00.0 = 0\n" PF
        "/sriov_numvfs = 0\nno " VF "/vendor\n" ON VF "/nvidia/current_vgpu_type = 0"},
    {"not while something has the GPU open", "N2", "two-a2",
     ": client slot3 dcgm\nmanage -e 0000:08:00.0 = "
     "1\nproc/driver/nvidia/gpus/0000:08:00.0/unbindLock = 0\n" PF
     "/driver -> nvidia\n: client slot3 -\n" ON},
    {"which shows in proc, by the number that the driver gave the GPU",
     "NVIDIA open-gpu-kernel-modules, nv-procfs.c", "two-a2",
     ": client slot5 dcgm\nproc/driver/nvidia/gpus/0000:0c:00.0/information ~ Device Minor: \t 1\n"
     "proc/5000001/comm = dcgm\nproc/5000001/fd/5 -> nvidia1\n: client slot5 -\nno proc/5000001"},
    {"nor while a guest runs on it", "N2", "two-a2",
     ON "746 > " VF "/nvidia/current_vgpu_type\nhold dev/vfio/90\nmanage -d 0000:08:00.0 = 1\n" PF
        "/sriov_numvfs = 16"},
    {"with the lock nobody can open the GPU", "N2", "two-a2",
     "1 > proc/driver/nvidia/gpus/0000:08:00.0/unbindLock\n"
     "proc/driver/nvidia/gpus/0000:08:00.0/unbindLock = 1\nclient slot3 dcgm > gpusim-control ! "
     "ENODEV"},
    {"half-way: left on pci-pf-stub", "N2, R3", "two-a2",
     ": fail sriov_numvfs 1 ENOMEM\nmanage -e 0000:08:00.0 = 1\n" PF "/driver -> pci-pf-stub\n" PF
     "/sriov_numvfs = 0\nno proc/driver/nvidia/gpus/0000:08:00.0\nmanage -e 0000:08:00.0 = 1"},
    {"and the way back", "N2", "half-done",
     PF "/driver -> pci-pf-stub\n0000:08:00.0 > sys/bus/pci/drivers/pci-pf-stub/unbind\n_ > " PF
        "/driver_override\n0000:08:00.0 > sys/bus/pci/drivers/nvidia/bind\n" ON PF
        "/sriov_numvfs = 16"},
    {"ALL means those on nvidia", "N2", "two-a2",
     "manage -e ALL = 0\n" PF "/sriov_numvfs = 16\n@0000:0c:00.0/sriov_numvfs = 16"},
    /* ---- vendor VFIO ---- */
    {"what a VF has, and the PF has not", "N4", "two-a2",
     ON "no " PF "/nvidia\n" VF "/nvidia/current_vgpu_type = 0\n" VF "/nvidia/vgpu_params = _\n" VF
        "/nvidia/warm_update = 0\n" VF "/nvidia/gpu_instance_id ! ENXIO\n" VF
        "/nvidia/placement_id ! ENXIO\n" VF "/nvidia/creatable_vgpu_types ~ ID    : vGPU Name\n" VF
        "/nvidia/creatable_vgpu_types ~ 746   : NVIDIA A2-4Q\n" VF
        "/nvidia/creatable_vgpu_types ~ 742   : NVIDIA A2-1B\nyes " VF
        "/vfio-dev\nyes dev/vfio/90"},
    {"names with spaces", "N4, R3", "mixed",
     "manage -e 0001:04:00.0 = 0\n: mig slot8 1,1,2\n@0001:04:00.2/nvidia/creatable_vgpu_types ~ "
     "1561  : NVIDIA RTX Pro 6000 Blackwell DC-1-24Q\n1561 > "
     "@0001:04:00.2/nvidia/current_vgpu_type\n"
     "@0001:04:00.2/nvidia/gpu_instance_id = 3\n@0001:04:00.2/nvidia/placement_id = 0"},
    {"one is made, and is read back", "N4", "two-a2",
     ON "746 > " VF "/nvidia/current_vgpu_type\n" VF "/nvidia/current_vgpu_type = 746\n" VF
        "/nvidia/placement_id = 0\n746 > " VF1 "/nvidia/current_vgpu_type\n" VF1
        "/nvidia/placement_id = 4"},
    {"then only its size is left, on all siblings, of any series", "N4, N6, R1", "two-a2",
     ON "746 > " VF "/nvidia/current_vgpu_type\n" VF
        "/nvidia/creatable_vgpu_types = ID    : vGPU "
        "Name\n@0000:08:02.3/nvidia/creatable_vgpu_types = "
        "ID    : vGPU Name\t746   : NVIDIA A2-4Q\t751   : NVIDIA A2-4A\t754   : NVIDIA A2-4C"},
    {"what is not in the list is EIO", "N4", "two-a2",
     ON "746 > " VF "/nvidia/current_vgpu_type\n745 > " VF1
        "/nvidia/current_vgpu_type ! EIO\n9 > " VF1 "/nvidia/current_vgpu_type ! EIO\n745 > " VF
        "/nvidia/current_vgpu_type ! EIO\nx > " VF1 "/nvidia/current_vgpu_type ! EINVAL"},
    {"the maximum", "N6, N9", "two-a2",
     ON "747 > " VF "/nvidia/current_vgpu_type\n747 > " VF1 "/nvidia/current_vgpu_type\n"
        "747 > @0000:08:00.6/nvidia/current_vgpu_type ! "
        "EIO\n@0000:08:00.6/nvidia/creatable_vgpu_types = "
        "ID    : vGPU Name"},
    {"once all are gone everything can be had again", "N4", "two-a2",
     ON "746 > " VF "/nvidia/current_vgpu_type\n0 > " VF "/nvidia/current_vgpu_type\n" VF1
        "/nvidia/creatable_vgpu_types ~ NVIDIA A2-16Q\n748 > " VF1 "/nvidia/current_vgpu_type"},
    {"mixed sizes where the mode is set", "N6", "two-a2",
     ON ": mixed slot3 1\n746 > " VF "/nvidia/current_vgpu_type\n745 > " VF1
        "/nvidia/current_vgpu_type\n"
        "748 > @0000:08:00.6/nvidia/current_vgpu_type ! EIO"},
    {"not cleared while it is held, nor for a while after", "N4", "two-a2",
     ON ": teardown-ms 40000\n746 > " VF "/nvidia/current_vgpu_type\nhold dev/vfio/90\n0 > " VF
        "/nvidia/current_vgpu_type ! EPERM\ndrop\nsleep 10\n0 > " VF
        "/nvidia/current_vgpu_type ! EPERM\n"
        "sleep 2100\n0 > " VF "/nvidia/current_vgpu_type"},
    {"a look is not a guest", "N4", "two-a2",
     ON
     "746 > " VF
     "/nvidia/current_vgpu_type\nlook dev/vfio/90\n0 > " VF
     "/nvidia/current_vgpu_type\n746 > " VF
     "/nvidia/current_vgpu_type\ndrop\nsleep 5\n0 > " VF "/nvidia/current_vgpu_type"},
    {"never to vfio-pci", "N4", "two-a2",
     ON "0000:08:00.4 > " VF "/driver/unbind\nvfio-pci > " VF
        "/driver_override\n0000:08:00.4 > sys/bus/pci/drivers/vfio-pci/bind ! EINVAL\n"
        "0000:08:00.4 > sys/bus/pci/drivers_probe\nno " VF "/driver"},
    {"unbound and bound again it is dead until VFs are cycled", "N4", "two-a2",
     ON "0000:08:00.4 > " VF
        "/driver/unbind\n0000:08:00.4 > sys/bus/pci/drivers/nvidia/bind\n746 > " VF
        "/nvidia/current_vgpu_type ! EIO\nmanage -d 0000:08:00.0 = 0\n" ON "746 > " VF
        "/nvidia/current_vgpu_type"},
    {"no IOMMU, no VF driver", "N2", "no-iommu",
     ON "no " VF "/driver\nno " VF "/iommu_group\nno " VF "/nvidia"},
    {"only with the vGPU manager's driver", "N2", "no-vgpu",
     ON "no " VF "/driver\nno " VF "/nvidia"},
    {"GPU instances: by slices, several of one size in each", "nvidia-mig.md, N6", "mixed",
     "manage -e 0001:04:00.0 = 0\n1561 > @0001:04:00.2/nvidia/current_vgpu_type ! EIO\n: mig slot8 "
     "1,2\n"
     "1558 > @0001:04:00.2/nvidia/current_vgpu_type\n1558 > "
     "@0001:04:00.3/nvidia/current_vgpu_type\n"
     "1558 > @0001:04:00.4/nvidia/current_vgpu_type ! EIO\n1561 > "
     "@0001:04:00.4/nvidia/current_vgpu_type ! EIO\n"
     "1573 > @0001:04:00.4/nvidia/current_vgpu_type\n@0001:04:00.4/nvidia/gpu_instance_id = 4\n"
     "1576 > @0001:04:00.5/nvidia/current_vgpu_type ! EIO"},
    /* ---- mediated devices ---- */
    {"the recorded host", "R1", "two-a2-mdev",
     TYPE "nvidia-746/name = NVIDIA A2-4Q\n" TYPE "nvidia-746/device_api = vfio-pci\n" TYPE
          "nvidia-746/description = num_heads=4, frl_config=60, framebuffer=4096M, "
          "max_resolution=7680x4320, "
          "max_instance=4\n" TYPE
          "nvidia-742/description = num_heads=4, frl_config=45, framebuffer=1024M, "
          "max_resolution=5120x2880, max_instance=16\n" TYPE
          "nvidia-756/description = num_heads=1, frl_config=60, framebuffer=16384M, "
          "max_resolution=4096x2400, "
          "max_instance=1\n" TYPE "nvidia-746/available_instances = 1\n" TYPE
          "nvidia-751/available_instances = 1\n" TYPE "nvidia-754/available_instances = 1\n" TYPE
          "nvidia-745/available_instances = 0\n" TYPE "nvidia-748/available_instances = 0\n" VF
          "/mdev_supported_types/nvidia-754/available_instances = 0\n"
          "sys/bus/mdev/devices/f715f63c-0d00-4007-9c5a-b07b0c6c05de/mdev_type -> nvidia-754\n"
          "sys/bus/mdev/devices/f715f63c-0d00-4007-9c5a-b07b0c6c05de/iommu_group -> 106\n"
          "sys/bus/mdev/devices/f715f63c-0d00-4007-9c5a-b07b0c6c05de/nvidia/vgpu_params = _\n"
          "yes sys/class/mdev_bus/0000:08:01.7\nno " VF
          "/nvidia\nno dev/vfio/90\nyes dev/vfio/106"},
    {"the bus is the module's: there before any parent", "the lab, Linux 6.1 and 6.12", "lab-a2-mdev",
     "yes sys/bus/mdev/devices\nyes sys/class/mdev_bus\nno sys/class/mdev_bus/0000:01:00.1"},
    {"made, linked, in a group of its own", "S4, S5", "two-a2-mdev",
     UUID " > " TYPE "nvidia-746/create\nyes sys/bus/mdev/devices/" UUID "\nyes @0000:08:01.7/" UUID
          "\nyes " TYPE "nvidia-746/devices/" UUID "\nsys/bus/mdev/devices/" UUID
          "/iommu_group -> 109\nyes dev/vfio/109\n" TYPE "nvidia-746/available_instances = 0"},
    {"not a UUID", "S4", "two-a2-mdev",
     "x > " TYPE "nvidia-746/create ! EINVAL\n01234567-89ab-cdef-0123-456789abcdeg > " TYPE
     "nvidia-746/create ! EINVAL\n" UUID "0 > " TYPE "nvidia-746/create ! EINVAL"},
    {"upper case becomes lower", "S4", "two-a2-mdev",
     "01234567-89AB-CDEF-0123-456789ABCDEF > " TYPE
     "nvidia-746/create\nyes sys/bus/mdev/devices/" UUID},
    {"a UUID is the host's, not the parent's", "S4", "two-a2-mdev",
     "F715F63C-0d00-4007-9c5a-b07b0c6c05de > " TYPE "nvidia-746/create ! EEXIST\n"
     "f715f63c-0d00-4007-9c5a-b07b0c6c05de > " VF
     "/mdev_supported_types/nvidia-745/create ! EEXIST"},
    {"one to a VF", "N3", "two-a2-mdev",
     UUID " > " VF "/mdev_supported_types/nvidia-746/create ! EINVAL"},
    {"one size to a GPU", "N3", "two-a2-mdev", UUID " > " TYPE "nvidia-745/create ! EIO"},
    {"the maximum", "N3", "two-a2-mdev",
     UUID " > " TYPE "nvidia-746/create\n11234567-89ab-cdef-0123-456789abcdef > "
          "@0000:08:01.6/mdev_supported_types/nvidia-746/create ! ENOSPC\n"
          "@0000:08:01.6/mdev_supported_types/nvidia-746/available_instances = 0"},
    {"removal", "S4", "two-a2-mdev",
     UUID " > " TYPE "nvidia-746/create\nno > sys/bus/mdev/devices/" UUID "/remove ! EINVAL\n"
          "0 > sys/bus/mdev/devices/" UUID "/remove\nyes sys/bus/mdev/devices/" UUID "\n"
          "1 > sys/bus/mdev/devices/" UUID "/remove\nno sys/bus/mdev/devices/" UUID
          "\nno dev/vfio/109\n" TYPE "nvidia-746/available_instances = 1\n" UUID " > " TYPE
          "nvidia-746/create\nyes dev/vfio/110"},
    {"the driver may take it away itself", "S4, mechanics.md L2", "two-a2-mdev",
     ": self-remove-ms 400\nhold dev/vfio/106\ndrop\nsleep 500\n"
     "no sys/bus/mdev/devices/f715f63c-0d00-4007-9c5a-b07b0c6c05de\n" VF
     "/mdev_supported_types/nvidia-754/available_instances = 1"},
    {"and who does it first loses the vGPU until a reboot", "S4, mechanics.md L2", "two-a2-mdev",
     ": self-remove-ms 40000\nhold dev/vfio/106\ndrop\nsleep 5\n"
     "1 > sys/bus/mdev/devices/f715f63c-0d00-4007-9c5a-b07b0c6c05de/remove\nsleep 2100\n" UUID
     " > " TYPE "nvidia-746/create\n11234567-89ab-cdef-0123-456789abcdef > " VF
     "/mdev_supported_types/nvidia-746/create ! ENOSPC"},
    {"on the PF: as many as fit", "N5, R5", "mixed",
     "@0000:84:00.0/mdev_supported_types/nvidia-156/name = GRID P40-2B\n"
     "@0000:84:00.0/mdev_supported_types/nvidia-156/available_instances = 12\n"
     "@0000:84:00.0/mdev_supported_types/nvidia-283/available_instances = 6\n" UUID
     " > @0000:84:00.0/mdev_supported_types/nvidia-156/create\n"
     "@0000:84:00.0/mdev_supported_types/nvidia-156/available_instances = 11\n"
     "@0000:84:00.0/mdev_supported_types/nvidia-55/available_instances = 11\n"
     "@0000:84:00.0/mdev_supported_types/nvidia-283/available_instances = 0"},
    /* ---- held ---- */
    {"open once", "S5", "two-a2",
     ON "hold dev/vfio/90\nhold dev/vfio/90 ! EBUSY\nhold dev/vfio/91\ndrop\nsleep 5\nhold "
        "dev/vfio/90"},
    {"both ways are the same device", "S5", "two-a2",
     ON "hold dev/vfio/devices/vfio0\nhold dev/vfio/90 ! EBUSY\ndrop\nsleep 5\nhold dev/vfio/90\n"
        "hold dev/vfio/devices/vfio0 ! EBUSY"},
    {"by somebody who shows in proc", "testing.md", "half-done",
     "hold dev/vfio/91 ! EBUSY\nproc/4711/comm = qemu-system-x86\nproc/4711/fd/191 -> 91\n: "
     "release 91\n"
     "no proc/4711\nhold dev/vfio/91"},
    {"i915 out of tree does not take VFs from guests", "S1, I2", "intel-odd",
     "2 > @0000:03:00.0/sriov_numvfs\nvfio-pci > @0000:03:00.1/driver_override\n"
     "0000:03:00.1 > @0000:03:00.1/driver/unbind\n0000:03:00.1 > sys/bus/pci/drivers_probe\nhold "
     "dev/vfio/90\n"
     "0 > @0000:03:00.0/sriov_numvfs ! EPERM\n@0000:03:00.0/sriov_numvfs = 2\ndrop\nsleep 5\n"
     "look dev/vfio/90\n0 > @0000:03:00.0/sriov_numvfs"},
    /* ---- AMD: the count is fixed when the driver loads ---- */
    {"gim takes no count", "amd-sriov.md sections 1 and 5", "amd",
     "@0000:c6:00.0/sriov_numvfs = 8\n0 > @0000:c6:00.0/sriov_numvfs ! ENOENT\n"
     "4 > @0000:c6:00.0/sriov_numvfs ! ENOENT\n@0000:c6:00.0/virtfn0/device = 0x74b5\n"
     "@0000:c6:00.0/virtfn0/class = 0x120000\nno @0000:c6:00.0/virtfn0/driver"},
    /* ---- what does not last ---- */
    {"a reboot", "S2", "two-a2",
     ON "746 > " VF "/nvidia/current_vgpu_type\nvfio-pci > @0000:0c:00.0/driver_override\n0 > " PF
        "/sriov_drivers_autoprobe\nhold dev/vfio/90\n: reboot\n" PF "/sriov_numvfs = 0\nno " VF
        "/vendor\n@0000:0c:00.0/driver_override = (null)\n" PF "/sriov_drivers_autoprobe = 1\n" PF
        "/driver -> nvidia\nproc/sys/kernel/random/boot_id = "
        "5f0c1d2e-0000-4000-8000-000000000002\ndrop\n" ON "hold dev/vfio/106"},
    {"a reboot takes mdevs too", "S2", "two-a2-mdev",
     ": reboot\nno sys/bus/mdev/devices/f715f63c-0d00-4007-9c5a-b07b0c6c05de\n" PF
     "/sriov_numvfs = 0"},
    {"a reset", "N2", "two-a2",
     ON ": lose-vfs slot3\n" PF "/sriov_numvfs = 0\nno " VF "/vendor\n" ON},
    {"pulled out, put back", "S2", "two-a2",
     ON "hold dev/vfio/90\n: remove slot3\nno " PF "/vendor\nno " VF
        "/vendor\nsys/bus/pci/slots/3/address = 0000:08:00\n1 > sys/bus/pci/rescan\nno " PF
        "/vendor\n: replace slot3 l4 1650423001111\n" PF "/device = 0x27b8\n" PF
        "/sriov_totalvfs = 32"},
    /* ---- the simulator's own ---- */
    {"the n-th write fails, and only it", "gpusim --help", "two-xe",
     ": fail 0000:03:00.0/sriov_numvfs 2 EIO\n2 > @0000:04:00.0/sriov_numvfs\n2 > " XE
     "/sriov_numvfs\n0 > " XE "/sriov_numvfs ! EIO\n" XE "/sriov_numvfs = 2\n0 > " XE
     "/sriov_numvfs"},
    {"or all fail", "gpusim --help", "two-xe",
     ": fail 0000:03:00.0/sriov_numvfs all ENOMEM\n2 > " XE "/sriov_numvfs ! ENOMEM\n2 > " XE
     "/sriov_numvfs ! ENOMEM\n: clear\n2 > " XE "/sriov_numvfs"},
    {"the log has every write, in order", "gpusim --help", "two-xe",
     "2 > " XE "/sriov_numvfs\n99 > " XE "/sriov_numvfs ! ERANGE\n: clear\ngpusim-log = "
     "1 ok sys/devices/pci0000:00/0000:00:01.0/0000:03:00.0/sriov_numvfs 2\t"
     "2 ERANGE sys/devices/pci0000:00/0000:00:01.0/0000:03:00.0/sriov_numvfs 99\n: "
     "clear-log\ngpusim-log = _"},
    {"somebody else writes", "gpusim --help", "two-xe",
     ": set sys/bus/pci/devices/0000:03:00.0/sriov_numvfs 3\n" XE
     "/sriov_numvfs = 3\ngpusim-log = _"},
    {"attributes that come late", "gpusim --help", "two-a2",
     ": late nvidia/current_vgpu_type 4000\n" ON "no " VF "/nvidia/current_vgpu_type\nyes " VF
     "/nvidia/creatable_vgpu_types\nsleep 4100\nyes " VF "/nvidia/current_vgpu_type"},
    {"commands that are none", "gpusim --help", "two-a2",
     "nonsense slot3 > gpusim-control ! EINVAL\nfail x 0 EIO > gpusim-control ! EINVAL\n"
     "fail x 1 EWHAT > gpusim-control ! EINVAL\nlose-vfs slot9 > gpusim-control ! ENODEV"},
    {"sriov_admin: words and numbers", "I3", "two-xe",
     XE "/sriov_admin/pf/profile/sched_priority = [low] normal high\n" XE
        "/sriov_admin/vf1/profile/sched_priority = [low] normal\nhigh > " XE
        "/sriov_admin/pf/profile/sched_priority\n" XE
        "/sriov_admin/pf/profile/sched_priority = low normal [high]\nhigh > " XE
        "/sriov_admin/.bulk_profile/sched_priority ! EINVAL\nnormal > " XE
        "/sriov_admin/.bulk_profile/sched_priority\n" XE
        "/sriov_admin/vf12/profile/sched_priority = low [normal]\n20 > " XE
        "/sriov_admin/.bulk_profile/exec_quantum_ms\n" XE
        "/sriov_admin/vf2/profile/exec_quantum_ms = 20\nx > " XE
        "/sriov_admin/vf2/profile/exec_quantum_ms ! EINVAL\n2097153 > " XE
        "/sriov_admin/vf2/profile/vram_quota\n" XE
        "/sriov_admin/vf2/profile/vram_quota = 4194304\nno " XE "/sriov_admin/vf1/device\n1 > " XE
        "/sriov_numvfs\n" XE "/sriov_admin/vf1/device -> 0000:03:00.1\ny > " XE
        "/sriov_admin/vf1/stop\nno " XE "/sriov_admin/pf/stop\n"
        "normal > " XE "/sriov_admin/vf1/profile/sched_priority ! EACCES"},
};

GP_ROWS(sim, fact, rows)
{
    if (!sim_host_up(rows[*i].host, "0.05"))
        cr_skip_test("no FUSE here");
    cr_log_info("%s (%s)", rows[*i].name, rows[*i].source);
    sim_host_script(rows[*i].script);
    sim_host_down();
}
