"""Sentences that only the program as a whole can say, each exactly: what a wrong command line is answered, and the rules
that need several captures or a host's files. The table of rules (tests/rules) reads the rows of RULES."""
import os
import pathlib
import shutil
import subprocess
import sys

from capture import BIN, check, domain, done, dump, gpupart, make, write_domain

folder = pathlib.Path(sys.argv[1])
case = make("vendor-vfio", folder)
ON_CAPTURE = ["--root", "root", "--config", "agent.yaml", "--state", "state"]
WANTED = ["--dir", "declaration.yaml"]
FOR = ["--for", "1h", "--reason", "x"]

# ---- a wrong command line: 64, and the right use. Nothing was opened. ----
USAGE = [
    (["plan", *WANTED, "--git", "x"], "--dir and --git both say where the desired state is; give one of them"),
    (["plan", *WANTED, "--ref", "main"], "--ref and --path are of a repository, and --dir is a folder of files; give --git, or leave them out"),
    (["plan", *WANTED, "--path", "clusters"], "--ref and --path are of a repository, and --dir is a folder of files; give --git, or leave them out"),
    (["plan", "--dir", ""], "--dir takes a path, not ''"),
    (["plan", "--git", ""], "--git takes an URL, not ''"),
    (["plan", "--git", "x", "--ref", ""], "--ref takes a reference, not ''"),
    (["plan", "--git", "x", "--path", ""], "--path takes a folder, not ''; leave it out for the whole repository"),
    (["plan", "--host", ""], "--host takes a name, not ''"),
    (["inventory", "--root", ""], "--root takes a directory, not ''"),
    (["status", "--state", ""], "--state takes a directory, not ''"),
    (["status", "--config", ""], "--config takes a file, not ''"),
    (["status", "--connect", ""], "--connect takes an URI, not ''"),
    (["plan", "--dir"], "option '--dir' requires an argument"),
    (["plan", "--format", "xml"], "--format takes text, json, not 'xml'"),
    (["plan", "more"], "'plan' takes no arguments, not 'more'"),
    (["apply", "--plan", ""], "--plan takes the id of a plan (12 hex digits), not ''; `gpupart plan` tells it"),
    (["apply", "--plan", "xyz"], "--plan takes the id of a plan (12 hex digits), not 'xyz'; `gpupart plan` tells it"),
    (["apply", "--plan", "0123456789abc"], "--plan takes the id of a plan (12 hex digits), not '0123456789abc'; `gpupart plan` tells it"),
    (["apply", "more"], "'apply' takes no arguments, not 'more'"),
    (["reconcile", "more"], "'reconcile' takes no arguments, not 'more'"),
    (["reconcile", "--boot", "--wait", "-1"], "--wait takes 0 to 3600 seconds, not '-1'"),
    (["run", "more"], "'run' takes no arguments, not 'more'"),
    (["drift", "more"], "'drift' takes no arguments, not 'more'"),
    (["inventory", "more"], "'inventory' takes no arguments, not 'more'"),
    (["status", "vdi-1"], "status takes one vm/NAME or gpu/ADDRESS, not 'vdi-1'"),
    (["history", "vdi-1"], "history takes one vm/NAME or gpu/ADDRESS, not 'vdi-1'"),
    (["pause"], "it needs --for DURATION: for how long"),
    (["pause", "--for", "2h"], "it needs --reason TEXT: why"),
    (["pause", "--for", "2", "--reason", "x"], "--for takes a duration with its unit ms, s, m, h or d, such as 90s, not '2'"),
    (["pause", "--for", "2h", "--reason", ""], "--reason takes one line of text"),
    (["pause", "vdi-1", *FOR], "pause takes one of host, vm/NAME and gpu/ADDRESS, not 'vdi-1'"),
    (["pause", "vm/", *FOR], "pause takes one of host, vm/NAME and gpu/ADDRESS, not 'vm/'"),
    (["pause", "host", "host", *FOR], "pause takes one of host, vm/NAME and gpu/ADDRESS, not 'host' besides"),
    (["resume", "vdi-1"], "resume takes one of host, vm/NAME and gpu/ADDRESS, not 'vdi-1'"),
    (["approve"], "approve takes the id of a plan, or gpu/ADDRESS; `gpupart plan` tells them"),
    (["approve", "xyz", *FOR], "'xyz' is no plan's id (12 hex digits) and not gpu/ADDRESS; `gpupart plan` tells them"),
    (["approve", "0123456789ab", "b", *FOR], "approve takes one id, not 'b' besides"),
    (["capture"], "capture takes a directory that does not exist yet, or is empty"),
    (["capture", "a", "b"], "capture takes one directory, not 'b' besides"),
    (["explain"], "explain takes a key or a rule, as spec.pools.partitions.count or GP-E210, or vm/NAME or gpu/ADDRESS"),
    (["explain", "a", "b"], "explain takes one key, rule, VM or GPU, not 'b' besides"),
    (["trust", "more"], "'trust' takes no arguments, not 'more'"),
    (["trust", "--reset-to", "HEAD", "--reason", "x"], "--reset-to takes a whole commit id (40 hex digits), not 'HEAD'"),
    (["trust", "--reset-to", "0" * 40], "--reset-to needs --reason TEXT, one line: why"),
    (["trust", "--reason", "x"], "--reason belongs to --reset-to COMMIT"),
    (["schema", "a", "b"], "schema takes one kind, not 'b' besides"),
]
for arguments, says in USAGE:
    result = gpupart(case, *arguments)
    line = result.stderr.split("\nTry `")[0].strip()
    check(result.returncode == 64 and line == f"gpupart {arguments[0]}: {says}", arguments, result.returncode, result.stderr)
    check(not result.stdout, arguments, "says on stdout", result.stdout)
for arguments, says in [
    (["explain", "GP-E999"], "no key and no rule is called 'GP-E999'; did you mean 'GP-E009'?"),
    (["schema", "x"], "there is no kind 'x'; there is GpuCluster, GpuBinding, GpuAgent"),
    (["schema", "GpuClustr"], "there is no kind 'GpuClustr'; did you mean 'GpuCluster'?"),
]:
    result = gpupart(case, *arguments)
    check(result.returncode == 64 and result.stderr == f"gpupart: {says}\n", arguments, result.returncode, result.stderr)
check(not (case / "state").exists(), "a wrong command line made the state directory")

# ---- rules ----
machine = (case / "root/etc/machine-id").read_text().strip()


def fleet(name, hosts, bindings, pools="partitions: {count: 2}"):
    """Captures hosts = {NAME: [VM...]} side by side in a folder of their own, and their declaration."""
    place = folder / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    shutil.copy(case / "agent.yaml", place)
    for host, vms in hosts.items():
        if vms is None:
            continue
        dump(case / "host.yaml", place / host)
        (place / host / "etc/hostname").write_text(f"{host}\n")
        for vm in vms:
            write_domain(place / host, vm, False, domain(vm, machine=machine))
    (place / "fleet.yaml").write_text(
        "apiVersion: gpupart/v1\nkind: GpuCluster\nmetadata: {name: edge-west}\nspec:\n"
        f"  hosts: [{', '.join('{name: %s}' % h for h in hosts)}]\n"
        f"  pools:\n    - name: vdi\n      mode: partitioned\n      match: {{model: NVIDIA A2}}\n      takeover: true\n      {pools}\n"
        "---\napiVersion: gpupart/v1\nkind: GpuBinding\nmetadata: {name: desktops, cluster: edge-west}\nspec:\n  pool: vdi\n"
        f"  vms: [{', '.join(bindings)}]\n"
    )
    return place


def report(place, *captures):
    arguments = ["report", "--config", "agent.yaml", "--state", "state", "--dir", "fleet.yaml", *captures]
    result = gpupart(place, *arguments)
    check(result.returncode == 0, place.name, "report", result.returncode, result.stderr)
    return result.stdout


def old_capture():
    place = fleet("old", {"kvm-a": []}, ["{name: vdi-1}"])
    (place / "kvm-a/capture.json").write_text('{"at": "2020-01-02T03:04:05Z"}\n')
    return report(place, "kvm-a")


def young_capture():
    place = fleet("young", {"kvm-a": []}, ["{name: vdi-1}"])
    (place / "kvm-a/capture.json").write_text('{"at": "2100-01-02T03:04:05Z"}\n')
    return report(place, "kvm-a")


def missing_capture():
    return report(fleet("missing", {"kvm-a": [], "kvm-b": None}, ["{name: vdi-1}"]), "kvm-a")


def elsewhere():
    return report(fleet("elsewhere", {"kvm-a": [], "kvm-b": ["vdi-1"]}, ["{name: vdi-1, host: kvm-a}"]), "kvm-a", "kvm-b")


def twice():
    return report(fleet("twice", {"kvm-a": ["vdi-1"], "kvm-b": ["vdi-1"]}, ["{name: vdi-1}"]), "kvm-a", "kvm-b")


def no_headroom():
    vms = ["vdi-1", "vdi-2", "vdi-3"]
    return report(fleet("headroom", {"kvm-a": vms, "kvm-b": ["vdi-4", "vdi-5"]}, ['{name: "vdi-*"}']), "kvm-a", "kvm-b")


def headroom():
    return report(fleet("room", {"kvm-a": ["vdi-1"], "kvm-b": ["vdi-4", "vdi-5"]}, ['{name: "vdi-*"}']), "kvm-a", "kvm-b")


def headroom_not_needed():
    vms = ["vdi-1", "vdi-2", "vdi-3", "vdi-6"]
    return report(fleet("pinned", {"kvm-a": vms, "kvm-b": []}, ['{name: "vdi-*", host: kvm-a}']), "kvm-a", "kvm-b")


def saved(default, setting):
    """The plan on a host where libvirt-guests is enabled, with these lines in its script and in its file of settings."""
    place = fleet("saved", {"kvm-a": ["vdi-1"]}, ["{name: vdi-1}"])
    root = place / "kvm-a"
    for file, text in {"usr/lib/libvirt/libvirt-guests.sh": default, "etc/default/libvirt-guests": setting}.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "libvirt-guests.service").symlink_to("/lib/systemd/system/libvirt-guests.service")
    return gpupart(place, "plan", "--root", "kvm-a", "--config", "agent.yaml", "--state", "state", "--dir", "fleet.yaml", "--host", "kvm-a").stdout


def no_gpu():
    place = folder / "none"
    shutil.rmtree(place, ignore_errors=True)
    (place / "root/sys/bus/pci/devices").mkdir(parents=True)
    (place / "root/libvirt").mkdir()
    return gpupart(place, "inventory", "--root", "root", "--state", "state").stdout


def other_plan():
    result = gpupart(case, "apply", *ON_CAPTURE, *WANTED, "--simulate", "--plan", "000000000000")
    check(result.returncode == 4, "apply", result.returncode, result.stderr)
    return result.stderr


def window(zone, database=True, root="kvm-a"):
    """Validate and plan, where the tz database, if there is one, knows UTC alone, of a window in @zone."""
    place = fleet("zone", {"kvm-a": []}, ["{name: vdi-1}"])
    (place / "zoneinfo/Etc").mkdir(parents=True)
    if database:
        (place / "zoneinfo/Etc/UTC").write_text("TZif2")
    text = (place / "fleet.yaml").read_text()
    (place / "fleet.yaml").write_text(text.replace("---", f"  policy: {{windows: [{{start: '22:00', end: '04:00', timezone: {zone}}}]}}\n---", 1))
    env = dict(os.environ, TZDIR=str(place / "zoneinfo"))
    checked = gpupart(place, "validate", "fleet.yaml", env=env)
    guests = ["--connect", "test:///default"] if root == "/" else []
    planned = gpupart(place, "plan", "--root", root, *guests, "--config", "agent.yaml", "--state", "state", "--dir", "fleet.yaml", "--host", "kvm-a", env=env)
    check(checked.returncode == 0 and (root == "/" or planned.returncode == 0), checked, planned)
    return checked.stdout + planned.stdout


RULES = [
    (old_capture, "- GP-W701: what is known of kvm-a is of 2020-01-02T03:04:05Z, more than 24 hours ago: capture it again (gpupart capture) (kvm-a)"),
    (missing_capture, "- `fleet.yaml:5` GP-W702: nothing is known of host kvm-b of cluster 'edge-west': no capture of it was given (kvm-a)"),
    (elsewhere, "- `fleet.yaml:18` GP-E303: VM 'vdi-1' is not defined on kvm-a, but on kvm-b (kvm-a)"),
    (twice, "- `fleet.yaml:18` GP-E304: VM 'vdi-1' is defined on kvm-a and on kvm-b: say which with 'host', and undefine it elsewhere (kvm-a)"),
    (no_headroom, "- `fleet.yaml:7` GP-W322: if kvm-a fails, 1 of its VMs find no place in pool 'vdi': 2 free on the other hosts (kvm-a)"),
    (lambda: saved("ON_SHUTDOWN=shutdown\n", "ON_SHUTDOWN=suspend\n"), "warning GP-E320: libvirt-guests saves guests when kvm-a shuts down, which the 1 with a GPU cannot be: write ON_SHUTDOWN=shutdown into /etc/default/libvirt-guests"),
    (lambda: saved('ON_SHUTDOWN="suspend"\n', "#ON_SHUTDOWN=shutdown\n"), "warning GP-E320: libvirt-guests saves guests when kvm-a shuts down, which the 1 with a GPU cannot be: write ON_SHUTDOWN=shutdown into /etc/default/libvirt-guests"),
    (lambda: window("Europe/Berln"), "fleet.yaml:12:22: warning GP-W509: when the window opens cannot be told: the tz database of this machine has no time zone 'Europe/Berln'; the host judges by its own"),
    (lambda: window("Europe/Berlin", database=False), "fleet.yaml:12:22: warning GP-W509: when the window opens cannot be told: this machine has no tz database to look up 'Europe/Berlin' in; the host judges by its own"),
    *(
        # What this machine is otherwise does not matter; it has a name of its own.
        [
            (lambda: window("Europe/Berln", root="/"), "fleet.yaml:12:22: warning GP-W509: the window is closed: the tz database of this host has no time zone 'Europe/Berln'"),
            (lambda: window("Europe/Berlin", database=False, root="/"), "fleet.yaml:12:22: warning GP-W509: the window is closed: this host has no tz database to look up 'Europe/Berlin' in; install the package tzdata"),
        ]
        if pathlib.Path("/etc/machine-id").is_file() and pathlib.Path("/etc/machine-id").read_text().strip()
        else []
    ),
    (no_gpu, "GP-E101: no GPU was found on this host: no PCI function of class 03 or 1200 that is not a VF"),
    (other_plan, "gpupart: GP-E504: the plan is 0955418d630c now, not 000000000000; nothing was changed. Review the new one: gpupart plan"),
]
for say, line in RULES:
    text = say()
    check(line in text.replace("\\_", "_").splitlines(), "not said:", line, text)
for say, rule in [
    (young_capture, "GP-W701"),
    (elsewhere, "GP-W702"),
    (headroom, "GP-W322"),
    (headroom_not_needed, "GP-W322"),
    (headroom, "GP-E304"),
    (lambda: window("UTC"), "GP-W509"),
    (lambda: saved('ON_SHUTDOWN="suspend"\n', "ON_SHUTDOWN='shutdown'\n"), "GP-E320"),
    (lambda: saved("", ""), "GP-E320"),
]:
    text = say()
    check(rule not in text, rule, "is told without a reason:", text)
done()
