"""A pass with nothing to do: against what cannot be left out, against a loop of virsh, and what it asks of libvirt."""
import statistics
import subprocess
import sys
import time

import hosts
from inside import BED, BIN, COUNTED, HOME, SIMULATED, URI, agent, call, commit, define, gpupart, virsh
from measure import SMOKE, Run, ended, ms, pairs, ratio_of, say, verdict

CAPTURE = "/tmp/capture"  # on the bed's tmpfs
SIZES = (4, 8) if SMOKE else (50, 100, 200)
LARGEST = SIZES[-1]
PARTITIONS = hosts.GPUS * hosts.VFS
IDLE = gpupart(CAPTURE, URI, "reconcile")


def declared(count):
    """Of @count VMs, as many as there are partitions are bound, evenly; the others have no GPU."""
    text = hosts.cluster([hosts.VFS] * hosts.GPUS)
    for gpu in range(hosts.GPUS):
        mine = [hosts.vm(n) for n in range(min(count, PARTITIONS)) if n % hosts.GPUS == gpu]
        if mine:
            text += hosts.binding(f"desks-{gpu}", f"pool-{gpu}", mine)
    return text


def grow(first, count):
    """From @first to @count running VMs, those that are declared with their partitions; a capture of the host's sysfs."""
    define(range(first, count))
    commit(declared(count), f"{count} VMs")
    Run(gpupart(SIMULATED, URI, "reconcile"))
    virsh(*(f"start {hosts.vm(n)}" for n in range(first, count)))
    call("rm", "-rf", CAPTURE)
    Run(gpupart(SIMULATED, URI, "capture", CAPTURE))
    said = Run(IDLE).text
    if "nothing to do" not in said:
        sys.exit(f"bench: the host is not as declared: {said}")


def calls():
    """How many libvirt calls one pass makes, as the proxy counts them."""
    log = BED / "proxy.log"
    before = len(log.read_text().splitlines()) if log.exists() else 0
    Run(gpupart(CAPTURE, COUNTED, "reconcile"))
    return len(log.read_text().splitlines()) - before


def virsh_loop():
    began = time.perf_counter()
    for n in range(LARGEST):
        subprocess.run(["virsh", "-q", "dumpxml", hosts.vm(n)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main():
    floor = [BIN / "bench-floor", "look", URI, CAPTURE]
    asked = []
    agent()
    for first, count in zip((0, *SIZES), SIZES):
        grow(first, count)
        ours, theirs = pairs(lambda: Run(IDLE), lambda: Run(floor), 15)
        saw = theirs[0].text.strip().replace("\n", ", ")
        say(f"  {count} VMs: a pass {ms(ours)}, the floor {ms(theirs)} ({saw}), ratio {ratio_of(ours, theirs):.2f}")
        asked.append(calls())
    verdict("idle-pass-against-floor", ratio_of(ours, theirs), "max", 1.5)
    say("  libvirt calls of a pass: " + ", ".join(f"{n} for {count} VMs" for n, count in zip(asked, SIZES)))
    verdict("libvirt-calls-for-one-more-vm", (asked[-1] - asked[0]) / (SIZES[-1] - SIZES[0]), "max", 2)
    loops = [(virsh_loop(), Run(IDLE).seconds) for _ in range(1 if SMOKE else 3)]
    say(f"  virsh dumpxml of {LARGEST} VMs, one after the other: {statistics.median(a for a, _ in loops):.2f} s")
    verdict("virsh-loop-against-idle-pass", statistics.median(a / b for a, b in loops), "min", 20)
    return ended()


sys.exit(main())
