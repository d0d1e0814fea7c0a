"""The daemon when nothing happens: its memory, and whether it sleeps."""
import os
import signal
import socket
import subprocess
import sys
import time

import hosts
from inside import BIN, HOME, SIMULATED, URI, agent, commit, define, gpupart
from measure import SMOKE, ended, say, verdict

WATCHED_S = 2 if SMOKE else 15
QUIET_S = 2


def start_daemon():
    """Returns it once its passes are over: those at the start are followed by one for what they changed."""
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(HOME / "notify"))
    heard.settimeout(60)
    daemon = subprocess.Popen(
        [str(a) for a in gpupart(SIMULATED, URI, "run")], env={**os.environ, "NOTIFY_SOCKET": str(HOME / "notify")}
    )
    waits = False
    while True:
        try:
            message = heard.recv(4096).decode()
        except TimeoutError:
            if waits:
                return daemon
            sys.exit("bench: the daemon's first pass did not end")
        if "STATUS=" in message:
            waits = "STATUS=waiting" in message
        heard.settimeout(QUIET_S if waits else 60)


def start_floor():
    floor = subprocess.Popen([BIN / "bench-floor", "hold", URI, HOME / "state/git"], stdout=subprocess.PIPE, text=True)
    if floor.stdout.readline() != "ready\n":
        sys.exit("bench: the floor did not start")
    return floor


def memory(child):
    """Resident KiB: all of it, and what is its own."""
    with open(f"/proc/{child.pid}/smaps_rollup", encoding="ascii") as file:
        found = {line.split(":")[0]: int(line.split()[1]) for line in file if line.endswith("kB\n")}
    return found["Rss"], found["Private_Clean"] + found["Private_Dirty"]


def wake_ups(child):
    """System calls that began while it was watched. To be attached to ends the one in which it sleeps, and so does letting go."""
    trace = HOME / "strace"
    strace = subprocess.Popen(["strace", "-qq", "-f", "-ttt", "-o", trace, "-p", str(child.pid)])
    time.sleep(1)
    began = time.time()
    time.sleep(WATCHED_S)
    ended_at = time.time()
    strace.send_signal(signal.SIGINT)
    strace.wait()
    woken = [line for line in trace.read_text().splitlines() if began < float(line.split()[1]) < ended_at]
    for line in woken[:5]:
        say(f"  {line}")
    return len(woken)


def main():
    agent()
    define(range(4))
    commit(hosts.cluster([hosts.VFS]) + hosts.binding("desks", "pool-0", [hosts.vm(n) for n in range(4)]), "four VMs")
    daemon = start_daemon()
    floor = start_floor()
    ours, theirs = memory(daemon), memory(floor)
    say(f"  resident: the daemon {ours[0]} KiB, {ours[1]} of it its own; the floor {theirs[0]} KiB, {theirs[1]} of it its own")
    verdict("idle-daemon-memory-against-floor", ours[0] / theirs[0], "max", 1.5)
    verdict(f"wake-ups-in-{WATCHED_S}-s", wake_ups(daemon), "max", 0)
    daemon.terminate()
    floor.terminate()
    if daemon.wait() != 0:
        sys.exit(f"bench: the daemon ended with {daemon.returncode}")
    return ended()


sys.exit(main())
