"""What the benchmarks in a bed share (tests/bed, --mock --sim --proxy): VMs, a repository, gpupart's command line."""
import os
import pathlib
import subprocess

import hosts

HOME = pathlib.Path.home()
BED = pathlib.Path(os.environ["BED"])
BIN = pathlib.Path(os.environ["GPUPART_BIN"])
URI = os.environ["LIBVIRT_DEFAULT_URI"]
COUNTED = os.environ["LIBVIRT_URI"]
SIMULATED = os.environ["GPUPART_ROOT"]


def call(*argv, **more):
    return subprocess.run([str(a) for a in argv], check=True, text=True, **more)


def virsh(*lines):
    call("virsh", "-q", input="".join(f"{line}\n" for line in lines), stdout=subprocess.DEVNULL)


def gpupart(root, uri, *arguments):
    return [BIN / "gpupart", "--root", root, "--simulate", "--connect", uri, "--config", HOME / "agent.yaml", "--state", HOME / "state", *arguments]


def commit(text, message):
    fleet = HOME / "fleet"
    if not fleet.exists():
        call("git", "init", "-q", "-b", "main", fleet)
    (fleet / "clusters").mkdir(exist_ok=True)
    (fleet / "clusters/bench.yaml").write_text(text)
    call("git", "-C", fleet, "add", "-A")
    call("git", "-C", fleet, "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "--allow-empty", "-m", message)


def agent():
    (HOME / "agent.yaml").write_text(
        "apiVersion: gpupart/v1\nkind: GpuAgent\nmetadata: {name: bench}\nspec:\n  cluster: bench\n"
        f'  git:\n    remotes: [{{url: "file://{HOME}/fleet"}}]\n    ref: refs/heads/main\n    interval: 1h\n'
        f"  trust: {{mode: none}}\n  nvidia: {{sriovManage: {BIN / 'gpusim-sriov-manage'}}}\n"
    )


def define(numbers):
    lines = []
    for n in numbers:
        file = HOME / f"{n}.xml"
        file.write_text(hosts.definition(hosts.vm(n), hosts.uuid_of(n)))
        lines.append(f"define {file}")
    virsh(*lines)
