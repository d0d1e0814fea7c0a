"""Times programs side by side and says what came of it: `bench NAME ratio R max|min B`, a line a figure; the rest is for reading."""
import os
import statistics
import subprocess
import sys
import time

SMOKE = os.environ.get("BENCH_SMOKE") == "1"  # everything once and small, and nothing is judged
told, broken = [], []


def say(*what):
    print(*what, flush=True)


class Run:
    """One run of a program: wall clock, CPU seconds, most memory in KiB, what it printed."""

    def __init__(self, argv, status=0, **more):
        began = time.perf_counter()
        with subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more) as child:
            self.text = child.stdout.read().decode(errors="replace")
            _, waited, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(waited)
        self.seconds = time.perf_counter() - began
        self.cpu = usage.ru_utime + usage.ru_stime
        self.kib = usage.ru_maxrss
        if child.returncode != status:
            sys.exit(f"bench: {' '.join(map(str, argv[:6]))}… ended with {child.returncode}: {self.text[-2000:]}")


def verdict(name, ratio, kind, bound):
    ok = ratio <= bound if kind == "max" else ratio >= bound
    told.append(name)
    say(f"bench {name} ratio {ratio:.2f} {kind} {bound}")
    if not ok and not SMOKE:
        say(f"  broken: {name} is {ratio:.3f}, and {kind} is {bound}")
        broken.append(name)


def ms(runs):
    return f"{statistics.median(r.seconds for r in runs) * 1000:.1f} ms"


def pairs(one, other, times):
    """@one and @other in turn, so that both see the same machine; the first of each only warms it up."""
    times = 1 if SMOKE else times
    one(), other()
    return zip(*((one(), other()) for _ in range(times)))


def ratio_of(ours, theirs):
    """The median of what each neighbouring pair says: a busy spell then moves one ratio and not the whole figure."""
    return statistics.median(a.seconds / b.seconds for a, b in zip(ours, theirs))


def ended():
    """The exit status of a part: it told something, and no bound is broken."""
    return 0 if told and not broken else 1
