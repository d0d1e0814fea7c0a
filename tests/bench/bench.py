"""bench.py [PART…]: runs the benchmarks with the programs in $GPUPART_BIN, prints a line a figure, and ends with 1 if a bound is
broken. Needs root and a tmpfs at /dev/shm. Parts: validate, report, idle_pass, daemon, side_by_side."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import hosts
import measure
import report
import validate

HERE = pathlib.Path(__file__).resolve().parent
BED = HERE.parent / "bed/bed"
HERE_PARTS = {"validate": validate.bench, "report": report.bench}
PARTS = (*HERE_PARTS, "idle_pass", "daemon", "side_by_side")


def in_bed(part, folder):
    """Runs @part in a throwaway machine with eight GPUs. True: every bound holds."""
    (folder / "host.yaml").write_text(hosts.host_file(0))
    measure.say(part.replace("_", " "))
    argv = [BED, "--mock", "--proxy", "--sim", folder / "host.yaml", "--sim-option", "--time-scale=0.05", "--keep", folder]
    status = subprocess.run([*argv, folder / "bed", sys.executable, "-B", HERE / f"{part}.py"], check=False).returncode
    if status == 77:
        sys.exit(77)
    return status == 0


def run(part, binaries, folder):
    """True: it told its figures, and every bound holds."""
    if part not in HERE_PARTS:
        return in_bed(part, folder)
    measure.told.clear()
    measure.broken.clear()
    HERE_PARTS[part](binaries, folder)
    return measure.ended() == 0


def main():
    binaries = pathlib.Path(os.environ["GPUPART_BIN"]).resolve()
    os.environ["GPUPART_BIN"] = str(binaries)
    wanted = sys.argv[1:] or PARTS
    if set(wanted) - set(PARTS):
        sys.exit(f"bench: there are the parts {', '.join(PARTS)}")
    failed = []
    for part in wanted:
        # A bed hides /dev/shm, and has a tmpfs of its own.
        where = "/dev/shm" if part in HERE_PARTS else "/tmp"
        folder = pathlib.Path(tempfile.mkdtemp(prefix="gpupart-bench-", dir=where))
        try:
            if not run(part, binaries, folder):
                failed.append(part)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if failed:
        measure.say(f"not as they should be: {', '.join(failed)}")
    return 1 if failed else 0


sys.exit(main())
