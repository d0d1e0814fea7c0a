"""What each command ends with, and what it says then: the statuses are interface, the sentences are help."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from capture import BIN, check, domain, done, dump, gpupart, make, on, write_domain

folder = pathlib.Path(sys.argv[1])
case = make("vendor-vfio", folder)


def ends(want, result, *says, where="stderr"):
    what = " ".join(map(str, result.args[1:]))
    check(result.returncode == want, what, "status", result.returncode, "not", want, result.stderr)
    for text in says:
        check(text in getattr(result, where), what, "does not say", repr(text), "but", result.stderr, result.stdout)


# 0 and 2: a difference is told by the status only where it was asked for.
ends(0, on(case, "plan"))
ends(2, on(case, "plan", "--detailed-exitcode"))
ends(0, on(case, "status"))
ends(2, on(case, "status", "--exit-code"))
ends(0, on(case, "drift"))
ends(0, on(case, "status", "gpu/slot3"), "gpu/slot3", where="stdout")
ends(0, on(case, "status", "gpu/0000:08:00.0"), "gpu/slot3", where="stdout")
ends(0, on(case, "status", "vm/vdi-1"), "slot3/0", where="stdout")
ends(1, on(case, "status", "vm/nobody"), "vm/nobody")

# What waits or is blocked is a difference, too, whatever the plan has to do; of one object its own state is judged, no other's.
(case / "full.yaml").write_text(
    (case / "declaration.yaml").read_text().replace("count: 2}", "count: 4}\n      select: {slots: [\"3\"]}"))
shutil.copytree(case / "root", case / "full", symlinks=True)
machine = (case / "root/etc/machine-id").read_text().strip()
write_domain(case / "full", "vdi-4", False, domain("vdi-4", "0000:08:00.7", "slot3/3", "desktops", "vdi", machine))


def full(*arguments):
    return gpupart(case, "status", "--root", "full", "--config", "agent.yaml", "--state", "state", "--dir", "full.yaml", *arguments)


ends(2, full("--exit-code"), "Blocked: GP-W306", where="stdout")
ends(2, full("--exit-code", "vm/vdi-5"))
ends(0, full("--exit-code", "vm/vdi-1"), "AsWanted", where="stdout")
ends(0, full("--exit-code", "gpu/slot3"))
ends(0, on(case, "status", "--exit-code", "vm/file-server"))
ends(2, on(case, "status", "--exit-code", "vm/vdi-4"))
ends(0, full("--exit-code", "gpu/slot5"), "NotManaged", where="stdout")

# A GPU that a guest has as a whole is wanted as a whole: not the first partition of it.
whole = make("mixed", folder)
host = (whole / "host.yaml").read_text()
for function in ['model: rtx-4000, slot: "4"', "kind: audio, group: 65", "kind: usb, group: 65"]:
    check(function in host, "the host has no", function)
    host = host.replace(function, f"{function}, driver: vfio-pci")
(whole / "host.yaml").write_text(host)
dump(whole / "host.yaml", whole / "root")
write_domain(whole / "root", "train-1", True, domain("train-1", "0000:65:00.0", "slot4", "train", "train", (whole / "root/etc/machine-id").read_text().strip()))
ends(0, on(whole, "status", "--exit-code", "gpu/slot4"), "AsWanted", where="stdout")
ends(0, on(whole, "status", "--exit-code", "vm/train-1"), "AsWanted", where="stdout")
ends(0, on(whole, "explain", "vm/train-1"), "assigned     slot4: it has that already", where="stdout")

# What was applied counts while somebody keeps it so, and for the card that it was applied to.
declared = (whole / "declaration.yaml").read_text()
host = host.replace('slot: "4"', 'slot: "4", serial: "1"')
(whole / "host.yaml").write_text(host)
dump(whole / "host.yaml", whole / "root")
only_train = declared.replace("model: NVIDIA A2}", "model: NVIDIA L4}").replace("model: NVIDIA P40}", "model: NVIDIA A10}") \
    .replace("count: 6, profile: GRID P40-4Q", "count: 2").replace('"10de:1eb1"}', '"10de:1eb1"}\n      select: {slots: ["4"]}')
(whole / "declaration.yaml").write_text(only_train)
ends(0, on(whole, "apply", "--state", "state", "--simulate"))
ends(0, on(whole, "status", "--state", "state", "--exit-code", "gpu/slot4"), "Applied since", where="stdout")
(whole / "host.yaml").write_text(host.replace('serial: "1", driver: vfio-pci', 'serial: "1"'))
dump(whole / "host.yaml", whole / "root")
ends(2, on(whole, "status", "--state", "state", "--exit-code", "gpu/slot4"), "Drifted since", "was applied as passthrough", where="stdout")
(whole / "declaration.yaml").write_text(only_train.replace('["4"]', '["6"]'))
ends(0, on(whole, "status", "--state", "state", "--exit-code", "gpu/slot4"), "NotManaged\n", where="stdout")
(whole / "declaration.yaml").write_text(only_train)
(whole / "host.yaml").write_text(host.replace('serial: "1", driver: vfio-pci', 'serial: "2"'))
dump(whole / "host.yaml", whole / "root")
ends(2, on(whole, "status", "--state", "state", "--exit-code", "gpu/slot4"), "ToDo: git wants passthrough", where="stdout")
ends(0, on(whole, "explain", "--state", "state", "gpu/slot4"), "applied      nothing yet", where="stdout")

# On a host that git does not name, bindings and pools are not the reason that nothing is wanted.
(case / "elsewhere.yaml").write_text((case / "declaration.yaml").read_text().replace("hosts: [{name: kvm-a}]", "hosts: [{name: kvm-z}]"))
for known in ["vm/vdi-1", "gpu/slot3"]:
    ends(0, gpupart(case, "explain", known, "--root", "root", "--config", "agent.yaml", "--state", "state", "--dir", "elsewhere.yaml"),
         "wanted       nothing: this host is not declared, so it is left alone", "GP-E404: kvm-a is in no cluster's hosts", where="stdout")

# Whatever a guest is called, a terminal shows its name and does not obey it; JSON has the name as it is.
NAME = "a\u009b31m\u202eb\rc\u00fc"
write_domain(case / "full", "odd", False, domain(NAME))
(case / "odd.yaml").write_text((case / "full.yaml").read_text().replace("{name: vdi-5}", "{name: 'a*'}"))
for command in ["status", "plan", "report", "inventory"]:
    wants = [] if command == "inventory" else ["--dir", "odd.yaml"]
    arguments = ["--root", "full", "--config", "agent.yaml", "--state", "state", *wants]
    shown = subprocess.run([BIN / "gpupart", command, *arguments], cwd=case, capture_output=True, check=True).stdout.decode()
    check(not set(shown) & set("\u009b\u202e\r"), command, "shows what a terminal obeys:", repr(shown))
    check(command == "inventory" or "u009b31m" in shown, command, "does not show the name:", repr(shown))
    json.loads(gpupart(case, command, *arguments, "--format", "json").stdout)
odd = json.loads(gpupart(case, "status", "--root", "full", "--config", "agent.yaml", "--state", "state", "--dir", "odd.yaml", "--format", "json").stdout)
check(any(o["object"] == f"vm/{NAME}" for o in odd["objects"]), "JSON has another name:", odd["objects"])

# 3: what is wanted is no declaration.
(case / "bad.yaml").write_text((case / "declaration.yaml").read_text().replace("mode: partitioned", "mode: partioned"))
for command in ["plan", "drift", "status", "report"]:
    bad = gpupart(case, command, "--root", "root", "--config", "agent.yaml", "--state", "state", "--dir", "bad.yaml")
    ends(3, bad, "bad.yaml:8", "partitioned")
    check(command != "status" or "gpu/slot3" in bad.stdout, "status says nothing where the declaration is wrong")
ends(3, gpupart(case, "validate", "bad.yaml"), "bad.yaml:8", "partitioned", where="stdout")
ends(0, gpupart(case, "validate", "declaration.yaml"), "1 cluster and 1 binding are as they should be", where="stdout")
ends(0, gpupart(case, "validate", "agent.yaml"), "1 GpuAgent is as it should be", where="stdout")
ends(0, gpupart(case, "validate", "agent.yaml", "declaration.yaml"), "1 cluster, 1 binding and 1 GpuAgent are as they should be", where="stdout")
# A path that holds nothing is most likely the wrong one: a check that looks there would be green for ever.
(case / "empty").mkdir()
(case / "empty/other.txt").write_text("no declaration\n")
for form in ["text", "json", "github"]:
    ends(3, gpupart(case, "validate", "empty", "--format", form), "nothing is declared in empty")
ends(0, gpupart(case, "validate", "empty", "declaration.yaml"))

# 4: what lies under another root is changed only where that is meant.
for command in ["apply", "reconcile", "run"]:
    wants = [] if command == "run" else ["--dir", "declaration.yaml"]
    ends(4, gpupart(case, command, "--root", "root", "--config", "agent.yaml", "--state", "state", *wants), "--simulate")
check(not (case / "state").exists(), "a refused command made the state directory")
ends(4, on(case, "apply", "--simulate", "--plan", "000000000000"), "GP-E504", "gpupart plan")

# 7: guests that cannot be seen.
shutil.move(case / "root/libvirt", case / "libvirt-elsewhere")
for command in ["inventory", "plan", "drift", "status", "report"]:
    ends(7, on(case, command))
ends(7, on(case, "inventory"), "libvirt")
summary = json.loads(on(case, "plan", "--format", "json").stdout)["summary"]
check(summary["unknown"] == 1, "the summary does not count the host as unknown")
shutil.move(case / "libvirt-elsewhere", case / "root/libvirt")

# 64: usage.
ends(64, gpupart(case))
ends(64, gpupart(case, "plna"), "'plna' is no command", "did you mean 'plan'?")
ends(64, gpupart(case, "xyzzy"), "'xyzzy' is no command")
ends(64, gpupart(case, "plan", "--nonsense"))
ends(64, gpupart(case, "plan", "argument"), "takes no arguments")
ends(64, gpupart(case, "validate"))
ends(64, gpupart(case, "explain"))
ends(64, gpupart(case, "explain", "GP-E21O"), "did you mean")
ends(64, gpupart(case, "explain", "spec.pools.partitions.cuont"))
ends(64, gpupart(case, "schema", "GpuClustr"), "did you mean 'GpuCluster'?")
ends(64, gpupart(case, "status", "vdi-1"), "vm/NAME")
ends(0, gpupart(case, "explain", "GP-E210"), "GP-E210", where="stdout")
ends(0, gpupart(case, "explain", "spec.pools.partitions.count"), "1 to 256", where="stdout")
for command, formats in {
    "inventory": "text, json",
    "plan": "text, json",
    "drift": "text, json",
    "status": "text, json",
    "report": "markdown, json",
    "validate": "text, json, sarif, github, gitlab",
}.items():
    ends(64, gpupart(case, command, "--format", "xml", *(["declaration.yaml"] if command == "validate" else [])), f"takes {formats}", "'xml'")

# 78: the host's own configuration.
ends(78, gpupart(case, "plan", "--root", "root", "--state", "state", "--config", "agent.yaml"), "--dir or --git")
(case / "wrong.yaml").write_text((case / "agent.yaml").read_text().replace("sriovManage", "sriovMange"))
ends(78, gpupart(case, "plan", "--root", "root", "--state", "state", "--config", "wrong.yaml"), "wrong.yaml:6", "sriovManage")
ends(78, gpupart(case, "plan", "--root", "root", "--state", "state", "--config", "missing.yaml"), "missing.yaml")
ends(1, gpupart(case, "inventory", "--root", "nowhere", "--state", "state"), "nowhere")

# The same of a pass that would change something: what the timer runs does not end well where it cannot even begin.
wrong = ["--simulate", "--root", "root", "--state", "state-of-wrong"]
for command in ["apply", "reconcile"]:
    ends(78, gpupart(case, command, *wrong, "--config", "agent.yaml"), "--dir or --git")
    ends(78, gpupart(case, command, *wrong, "--config", "wrong.yaml"), "wrong.yaml:6", "sriovManage")

# 77: no right, as somebody who is not root.
if os.geteuid() == 0 and shutil.which("setpriv"):
    (case / "agent.yaml").chmod(0o600)
    denied = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", BIN / "gpupart", "plan", "--root", "root", "--config", "agent.yaml"],
        cwd=case, text=True, capture_output=True, timeout=60, check=False)
    ends(77, denied, "agent.yaml")
    (case / "agent.yaml").chmod(0o644)

# Help: of the program and of every command it names, on stdout.
top = gpupart(case, "--help")
ends(0, top, "Commands:", "Exit status:", where="stdout")
commands = re.findall(r"^  ([a-z]+) +\S", top.stdout.split("Commands:")[1], re.M)
check(len(commands) >= 11, "only these commands are told:", commands)
for command in commands:
    help_text = gpupart(case, command, "--help")
    ends(0, help_text, f"Usage: gpupart {command}", where="stdout")
    check(all(len(line) <= 80 for line in help_text.stdout.splitlines()), command, "--help is wider than a terminal")
ends(0, gpupart(case, "--version"), "gpupart ", where="stdout")

# What the journal's catalogue and the rules tell people to run, there is.
SOURCE = pathlib.Path(__file__).resolve().parents[2]
catalogue = re.sub("(?m)^Subject:.*", "", (SOURCE / "contrib/journal/gpupart.catalog").read_text())
rules = (SOURCE / "schema/rules.c").read_text()
told = re.findall(r"^    gpupart ([a-z]+)", catalogue, re.M) + re.findall(r"`gpupart ([a-z]+)", rules + catalogue) + re.findall(r"[:(] ?gpupart ([a-z]+)[ .]", rules + catalogue)
check(len(told) > 20, "only so many commands are told:", told)
for command in sorted(set(told)):
    check(command in commands, "people are told to run", command, "which is no command")

# Nobody is told to approve what no approval lets happen (approval_is_for_what_asks_for_one in tests/unit/core_gate): what is
# reported, and what waits for a window.
entries = (SOURCE / "contrib/journal/gpupart.catalog").read_text().split("\n-- ")
DRIFT = ["GP-D801", "GP-D802", "GP-D803", "GP-D804", "GP-D809"]
drift_found = next(e for e in entries if "Subject: Drift on @GPUPART_HOST@: not as last applied" in e)
explained = {rule: gpupart(case, "explain", rule).stdout for rule in [*DRIFT, "GP-E502", "GP-E503"]}
for what, text in {**explained, "drift-found": drift_found}.items():
    text = " ".join(text.split())
    check(what == "GP-E503" or not re.search("gpupart approve|approve the plan|apply it", text), what, "tells to approve:", text)
    check("no approval helps: write approve, window or auto" in text or what == "GP-E502", what, "does not tell what report means:", text)
    check(what not in DRIFT and what != "drift-found" or "policy.onDrift" in text, what, "does not name policy.onDrift:", text)
check("An approval opens none" in explained["GP-E502"].replace("\n", " "), "E502 does not say what an approval does")

# trust --reset-to does not move the floor.
refused = next(e for e in entries if "Subject: gpupart refused to act" in e)
for what, text in {"GP-E403": gpupart(case, "explain", "GP-E403").stdout, "refused": refused}.items():
    check(re.search("trust --reset-to.*where the message names trust.floor", text, re.S), what, "does not tell the way past trust.floor:", text)

# A reader who has seen enough, and a disk that is full, are no success.
full = subprocess.run([BIN / "gpupart", "schema"], stdout=open("/dev/full", "w"), stderr=subprocess.PIPE, text=True, check=False)
check(full.returncode == 1 and "stdout" in full.stderr, "a full disk under stdout ends with", full.returncode, full.stderr)
done()
