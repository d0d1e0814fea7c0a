"""What the benchmarks look at: eight GPUs in 128 partitions, VMs as large hosts have them, and a declaration of both."""

GPUS = 8
VFS = 16
MACHINE = "5f0c1d2e3b4a59687786958493a2b1c0"
MANAGE = "/usr/lib/nvidia/sriov-manage"
# NVIDIA's numbers for an A2 in so many partitions.
TYPES = {16: 744, 8: 745, 4: 746}


def address(gpu, function=0):
    return f"0000:{0x10 + gpu:02x}:00.{function}"


def host_file(count):
    """Eight NVIDIA A2, each behind a bridge of its own: as after a boot (0), or in @count partitions each."""
    lines = ["hostname: bench", f"machine-id: {MACHINE}", "nvidia: vendor-vfio", "teardown-ms: 0", "devices:"]
    for i in range(GPUS):
        lines.append(f'  - {{address: "0000:00:{i + 1:02x}.0", kind: bridge, secondary: {0x10 + i:x}, group: {i + 1}}}')
        types = f", vfs: {VFS}, types: {{{', '.join(f'{n}: {TYPES[count]}' for n in range(count))}}}" if count else ""
        lines.append(f'  - {{address: "{address(i)}", model: a2, slot: "{i + 1}", serial: "132022200010{i}", group: {20 + i}{types}}}')
    lines.append('  - {address: "0000:02:00.0", kind: nic, group: 18}')
    return "\n".join(lines) + "\n"


def definition(name, uuid):
    """About what libvirt shows of a guest of a desktop or database farm; the mock takes it and reads it."""
    disks = "".join(
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none' io='native' discard='unmap'/>"
        f"<source file='/var/lib/libvirt/images/{name}-{n}.qcow2'/><target dev='vd{'abc'[n]}' bus='virtio'/>"
        f"<serial>{name}-{n}</serial></disk>"
        for n in range(3)
    )
    nics = "".join(
        f"<interface type='bridge'><mac address='52:54:00:00:{n:02x}:01'/><source bridge='br{n}'/><model type='virtio'/>"
        f"<mtu size='9000'/></interface>"
        for n in range(2)
    )
    ports = "".join(f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, 15))
    return (
        f"<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><title>desktop {name}</title>"
        f"<metadata><o:os xmlns:o='http://libosinfo.org/xmlns/libvirt/domain/1.0'><o:id>debian12</o:id></o:os></metadata>"
        f"<memory unit='GiB'>1</memory><vcpu>1</vcpu><os><type machine='q35'>hvm</type><boot dev='hd'/></os>"
        f"<features><acpi/><apic/><vmport state='off'/></features><cpu mode='host-passthrough'/>"
        f"<clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='hpet' present='no'/></clock>"
        f"<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash><devices>{disks}{nics}"
        f"<controller type='pci' index='0' model='pcie-root'/>{ports}<controller type='usb' model='qemu-xhci' ports='15'/>"
        f"<serial type='pty'/><console type='pty'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
        f"<input type='tablet' bus='usb'/><graphics type='vnc' port='-1' autoport='yes'/><video><model type='virtio' heads='1'/></video>"
        f"<memballoon model='virtio'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng></devices></domain>\n"
    )


def uuid_of(number):
    return f"00000000-0000-4000-8000-{number:012x}"


def vm(number):
    return f"vdi-{number:03}"


def cluster(counts, hosts=("bench",), stop=""):
    """A pool for each GPU, in @counts[i] partitions."""
    text = "apiVersion: gpupart/v1\nkind: GpuCluster\nmetadata: {name: bench}\nspec:\n"
    text += f"  hosts: [{', '.join('{name: %s}' % h for h in hosts)}]\n  homogeneity: ignore\n{stop}  pools:\n"
    for i, count in enumerate(counts):
        text += f"    - name: pool-{i}\n      mode: partitioned\n      match: {{vendor: nvidia}}\n"
        text += f'      select: {{slots: ["{i + 1}"]}}\n      partitions: {{count: {count}}}\n      takeover: true\n'
    return text


def binding(name, pool, vms, more=""):
    return (
        f"---\napiVersion: gpupart/v1\nkind: GpuBinding\nmetadata: {{name: {name}, cluster: bench}}\nspec:\n"
        f"  pool: {pool}\n{more}  vms:\n" + "".join(f"    - {{name: {v}}}\n" for v in vms)
    )
