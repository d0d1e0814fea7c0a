"""validate against a bare scan of the same bytes, and its memory against the size."""
import pathlib

import hosts
from measure import SMOKE, Run, ms, pairs, ratio_of, say, verdict

HOSTS = 300
PER_FILE = 100000  # VMs of one document; of documents a tenth, since a file holds ten thousand
SIZES = (1000,) if SMOKE else (10000, 100000, 1000000)
JUDGED = SIZES[0] if SMOKE else 100000


def host(number):
    return f"kvm-{number % HOSTS:03}"


def one(numbers, name):
    vms = "".join(f"    - {{name: vm-{n:07}, host: {host(n)}}}\n" for n in numbers)
    return f"---\napiVersion: gpupart/v1\nkind: GpuBinding\nmetadata: {{name: {name}, cluster: bench}}\nspec:\n  pool: pool-0\n  vms:\n{vms}"


def many(numbers, name):
    return "".join(
        f"---\napiVersion: gpupart/v1\nkind: GpuBinding\nmetadata: {{name: {name}-{n}, cluster: bench}}\nspec:\n"
        f"  pool: pool-0\n  vms: [{{name: vm-{n:07}, host: {host(n)}}}]\n"
        for n in numbers
    )


def write(folder, form, count, per_file):
    folder.mkdir()
    (folder / "cluster.yaml").write_text(hosts.cluster([4], [host(n) for n in range(HOSTS)]))
    for first in range(0, count, per_file):
        (folder / f"{first:07}.yaml").write_text(form(range(first, min(count, first + per_file)), f"b-{first}"))
    return sorted(folder.iterdir())


def measure(binaries, folder, form, count, per_file):
    """The ratio and the peak memory of one size."""
    files = write(folder, form, count, per_file)
    ours, theirs = pairs(
        lambda: Run([binaries / "gpupart", "validate", folder]),
        lambda: Run([binaries / "bench-floor", "scan", *files]),
        3 if count > JUDGED else 9,
    )
    for file in files:
        file.unlink()
    folder.rmdir()
    ratio = ratio_of(ours, theirs)
    say(f"  {count} VMs: validate {ms(ours)} and {ours[0].kib >> 10} MiB, the scan {ms(theirs)}, ratio {ratio:.2f}")
    return ratio, ours[0].kib


def bench(binaries, tmpfs):
    for what, form, per_file in (("one-document", one, PER_FILE), ("a-document-each", many, PER_FILE // 10)):
        say(f"validate, {what}")
        found = {n: measure(binaries, pathlib.Path(tmpfs, what), form, n, per_file) for n in SIZES}
        verdict(f"validate-{what}-against-scan", found[JUDGED][0], "max", 3)
        if len(SIZES) > 2:
            # From a tenth of a million to a million: what the program needs for itself is in neither difference.
            small, middle, large = (found[n][1] for n in SIZES)
            verdict(f"validate-{what}-memory-of-one-more", (large - middle) / 900000 / ((middle - small) / 90000), "max", 1.2)
