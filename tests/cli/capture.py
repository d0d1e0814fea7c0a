"""Captures for the tests of the command line: a described host dumped as plain files, and domains beside it.

A case is a folder with host.yaml (for gpusim), declaration.yaml, agent.yaml and domains, a line each:
NAME on|off DEVICE SYMBOL BINDING POOL, where DEVICE is a PCI address, an mdev's UUID or -, and the rest makes its mark.
What the host remembers is in state/, if it remembers anything.
"""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
from xml.sax.saxutils import quoteattr

BIN = pathlib.Path(os.environ["GPUPART_BIN"])
CASES = pathlib.Path(__file__).resolve().parent / "cases"
NAMES = sorted(p.name for p in CASES.iterdir())


def uuid_of(name):
    h = hashlib.md5(name.encode()).hexdigest()
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-8{h[17:20]}-{h[20:]}"


def domain(name, device="-", symbol=None, binding=None, pool=None, machine=None):
    mark = hostdev = ""
    if device != "-":
        pci = re.fullmatch(r"(\w+):(\w+):(\w+)\.(\w)", device)
        source = (
            '<address domain="0x{}" bus="0x{}" slot="0x{}" function="0x{}"/>'.format(*pci.groups())
            if pci
            else f'<address uuid="{device}"/>'
        )
        kind = 'type="pci"' if pci else 'type="mdev" model="vfio-pci"'
        alias = '<alias name="ua-gpupart-0"/>' if symbol else ""
        hostdev = (
            f'<hostdev mode="subsystem" {kind} managed="no"><driver name="vfio"/>'
            f"<source>{source}</source>{alias}</hostdev>"
        )
    if symbol:
        mark = (
            '<metadata><gpupart:binding xmlns:gpupart="https://gpupart.org/xmlns/mark/1" '
            f'host="{machine}" vm="{uuid_of(name)}" binding="{binding}" pool="{pool}">'
            f'<gpupart:device source="{device}" partition="{symbol}"/></gpupart:binding></metadata>'
        )
    escaped = quoteattr(name)[1:-1]
    return (
        f"<domain type='kvm'><name>{escaped}</name><uuid>{uuid_of(name)}</uuid>{mark}"
        "<memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type>hvm</type></os>"
        f"<on_poweroff>destroy</on_poweroff><devices>{hostdev}</devices></domain>\n"
    )


def write_domain(root, file, running, xml):
    (root / "libvirt").mkdir(exist_ok=True)
    (root / "libvirt" / f"{file}.xml").write_text(xml)
    if running:
        # A running domain has an id.
        (root / "libvirt" / f"{file}.live.xml").write_text(xml.replace("<domain ", "<domain id='1' ", 1))


def dump(host_file, root):
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run([BIN / "gpusim", "--dump", host_file, root], check=True)
    (root / "libvirt").mkdir()


def make(name, folder):
    """The case @name as a copy in @folder, its capture in @folder/NAME/root; returns @folder/NAME."""
    case = folder / name
    shutil.rmtree(case, ignore_errors=True)
    shutil.copytree(CASES / name, case)
    dump(case / "host.yaml", case / "root")
    # Names come with a capture: what is printed must not hang on the pci.ids of the machine that runs the tests.
    names = case / "root/usr/share/misc/pci.ids"
    names.parent.mkdir(parents=True)
    shutil.copy(CASES.parent / "pci.ids", names)
    if (case / "state").exists():
        (case / "state").rename(case / "root/state")
    machine = (case / "root/etc/machine-id").read_text().strip()
    for line in (case / "domains").read_text().splitlines():
        vm, power, *rest = line.split()
        write_domain(case / "root", vm, power == "on", domain(vm, *rest, machine=machine))
    return case


def gpupart(case, *arguments, **more):
    """Runs the program in @case, so that no path of this machine is in what it says."""
    return subprocess.run(
        [BIN / "gpupart", *arguments],
        cwd=case,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
        **more,
    )


def on(case, command, *arguments, **more):
    """@command on the capture of @case, with its declaration."""
    wants = [] if command == "inventory" else ["--dir", "declaration.yaml"]
    return gpupart(
        case, command, "--root", "root", "--config", "agent.yaml", *wants, *arguments, **more
    )


failures = []


def check(ok, *what):
    if not ok:
        failures.append(what)
        print("FAILED:", *what, file=sys.stderr)


def done():
    sys.exit(1 if failures else 0)
