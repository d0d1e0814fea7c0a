"""The report of a fleet: three hundred captures of eight GPUs each, four thousand bindings."""
import pathlib
import shutil

import hosts
from measure import SMOKE, Run, say, verdict

HOSTS = 6 if SMOKE else 300
BINDINGS = 40 if SMOKE else 4000
COUNTS = {"as-declared": 4, "to-change": 8}
LIMIT_S = 2


def mark(vm, gpu, partition, source, binding):
    return (
        f"<metadata><gpupart:binding xmlns:gpupart='https://gpupart.org/xmlns/mark/1' host='{hosts.MACHINE}' vm='{hosts.uuid_of(vm)}' "
        f"binding='{binding}' pool='pool-{gpu}'><gpupart:device source='{source}' partition='slot{gpu + 1}/{partition}'/></gpupart:binding></metadata>"
    )


def guest(folder, vm, gpu, partition):
    """A running guest with a partition that it was given."""
    source = hosts.address(gpu, 4 + partition)
    bus, function = source[5:7], source[-1]
    text = (
        f"<domain type='kvm' id='1'><name>{hosts.vm(vm)}</name><uuid>{hosts.uuid_of(vm)}</uuid>{mark(vm, gpu, partition, source, 'b')}"
        f"<memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type>hvm</type></os><on_poweroff>destroy</on_poweroff><devices>"
        f"<hostdev mode='subsystem' type='pci' managed='no'><driver name='vfio'/><source><address domain='0x0000' bus='0x{bus}' "
        f"slot='0x00' function='0x{function}'/></source><alias name='ua-gpupart-0'/></hostdev></devices></domain>\n"
    )
    (folder / f"{hosts.vm(vm)}.live.xml").write_text(text)
    (folder / f"{hosts.vm(vm)}.xml").write_text(text.replace(" id='1'", "", 1))


def capture(binaries, folder, count):
    """The sysfs of a host with eight GPUs in @count partitions each, and a guest on the first of each."""
    (folder / "host.yaml").write_text(hosts.host_file(count))
    root = folder / f"in-{count}"
    Run([binaries / "gpusim", "--dump", folder / "host.yaml", root])
    (root / "libvirt").mkdir()
    for gpu in range(hosts.GPUS):
        guest(root / "libvirt", gpu, gpu, 0)
    return root


def declared(names):
    text = hosts.cluster([COUNTS["as-declared"]] * hosts.GPUS, names)
    for n in range(BINDINGS):
        gpu = n // len(names) % hosts.GPUS
        number = n // len(names)
        text += hosts.binding(f"b-{n}", f"pool-{gpu}", [])[: -len("  vms:\n")]
        text += f"  vms: [{{name: {hosts.vm(number)}, host: {names[n % len(names)]}}}]\n"
    return text


def bench(binaries, tmpfs):
    folder = pathlib.Path(tmpfs, "report")
    folder.mkdir()
    roots = [capture(binaries, folder, count) for count in COUNTS.values()]
    names = [f"kvm-{n:03}" for n in range(HOSTS)]
    for n, name in enumerate(names):
        (folder / name).symlink_to(roots[n % len(roots)].name)
    (folder / "fleet.yaml").write_text(declared(names))
    (folder / "agent.yaml").write_text(
        f"apiVersion: gpupart/v1\nkind: GpuAgent\nspec: {{cluster: bench, nvidia: {{sriovManage: {hosts.MANAGE}}}}}\n"
    )
    say("report")
    options = ["--config", "agent.yaml", "--state", "state", "--dir", "fleet.yaml"]
    seconds = []
    for count in (HOSTS,) if SMOKE else (50, 100, HOSTS):
        runs = [Run([binaries / "gpupart", "report", *options, *names[:count]], cwd=folder) for _ in range(1 if SMOKE else 3)]
        seconds.append(sorted(r.seconds for r in runs)[len(runs) // 2])
        say(f"  {count} hosts, {BINDINGS} bindings: {seconds[-1]:.2f} s and {runs[0].kib >> 10} MiB, {len(runs[0].text)} characters")
    shutil.rmtree(folder)
    verdict(f"report-seconds-of-{LIMIT_S}", seconds[-1] / LIMIT_S, "max", 1)
