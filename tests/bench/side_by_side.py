"""Eight guests on eight GPUs that are cut anew, against the slowest of them alone. A guest takes its time to stop: the proxy
swallows the request, and its binding's timeout is how long it takes."""
import sys

import hosts
from inside import BED, COUNTED, SIMULATED, URI, agent, commit, define, gpupart, virsh
from measure import SMOKE, Run, ended, ms, pairs, ratio_of, say, verdict

TIMES_MS = [1000 + 400 * n for n in range(hosts.GPUS)]
SLOWEST = hosts.GPUS - 1
COUNTS = (4, 2)


def declared(counts, slow):
    text = hosts.cluster(counts)
    for n in range(hosts.GPUS):
        stop = f"  stop: {{timeout: {TIMES_MS[n]}ms, method: [acpi], onTimeout: force}}\n" if slow else ""
        text += hosts.binding(f"desk-{n}", f"pool-{n}", [hosts.vm(n)], stop)
    return text


class Host:
    def __init__(self):
        self.counts = [COUNTS[0]] * hosts.GPUS

    def cut(self, gpus, slow):
        """The run of a pass that changes the count of @gpus."""
        for gpu in gpus:
            self.counts[gpu] = COUNTS[self.counts[gpu] == COUNTS[0]]
        commit(declared(self.counts, slow), "other counts")
        rules = "".join(f"swallow shutdown {hosts.vm(n)}\n" for n in range(hosts.GPUS)) if slow else ""
        (BED / "proxy.control").write_text(rules)
        run = Run(gpupart(SIMULATED, COUNTED, "reconcile"))
        if "nothing to do" not in Run(gpupart(SIMULATED, URI, "plan")).text:
            sys.exit(f"bench: the GPUs are not cut as declared: {run.text}")
        return run


def main():
    host = Host()
    agent()
    define(range(hosts.GPUS))
    commit(declared(host.counts, False), "one VM a GPU")
    Run(gpupart(SIMULATED, URI, "reconcile"))
    virsh(*(f"start {hosts.vm(n)}" for n in range(hosts.GPUS)))
    for slow in (False, True):
        ours, theirs = pairs(lambda s=slow: host.cut(range(hosts.GPUS), s), lambda s=slow: host.cut([SLOWEST], s), 5)
        kind = f"which take {TIMES_MS[0] / 1000} to {TIMES_MS[-1] / 1000} s to stop" if slow else "which stop at once"
        say(f"  eight VMs {kind}: {ms(ours)}, the slowest alone {ms(theirs)}, ratio {ratio_of(ours, theirs):.2f}")
    verdict("eight-gpus-against-the-slowest", ratio_of(ours, theirs), "max", 1.5)
    return ended()


sys.exit(main())
