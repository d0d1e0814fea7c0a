"""The report for code review: whole at any size, each host by what it remembers itself, and nobody's names become markup. An
independent reader of GitHub's Markdown judges (cmark-gfm); 77 without it."""
import html.parser
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time

from capture import BIN, CASES, check, domain, done, dump, gpupart, write_domain

reader = shutil.which("cmark-gfm")
folder = pathlib.Path(sys.argv[1])
shutil.rmtree(folder / "report", ignore_errors=True)
folder = folder / "report"
folder.mkdir(parents=True)

HOSTILE = ["a|b", "a`b`", "<script>alert(1)</script>", "<img src=x onerror=y>", "*bold*", "[x](http://y.example)", "</details>", "&lt;i&gt;", "\\", "~~x~~", "```", "-->"]


class Page(html.parser.HTMLParser):
    """Tags, table rows as their cells' texts, and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.text, self.cell, self.comments = [], [], "", None, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.cell = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self.cell)
            self.cell = None

    def handle_data(self, data):
        self.text += data
        if self.cell is not None:
            self.cell += data

    def handle_comment(self, data):
        self.comments.append(data)


def rendered(text):
    # --unsafe: raw HTML comes out as it would be read, so that a tag that got through is seen.
    run = subprocess.run([reader, "--unsafe", "-e", "table", "-e", "strikethrough"], input=text, text=True, capture_output=True, check=True)
    return Page(run.stdout)


def declaration(hosts, count, vms):
    return (
        "apiVersion: gpupart/v1\nkind: GpuCluster\nmetadata: {name: fleet}\nspec:\n"
        f"  hosts: [{', '.join('{name: %s}' % h for h in hosts)}]\n"
        "  pools:\n    - name: vdi\n      mode: partitioned\n      match: {model: NVIDIA A2}\n"
        f"      partitions: {{count: {count}}}\n      takeover: true\n"
        "---\napiVersion: gpupart/v1\nkind: GpuBinding\nmetadata: {name: desktops, cluster: fleet}\nspec:\n  pool: vdi\n"
        f"  vms: [{', '.join('{name: %s}' % v for v in vms)}]\n"
    )


def report(*captures, form="markdown"):
    began = time.monotonic()
    result = gpupart(folder, "report", "--config", "agent.yaml", "--state", "state", "--dir", "fleet.yaml", "--format", form, *captures)
    check(result.returncode == 0, "report", captures[:3], result.returncode, result.stderr)
    return result.stdout, time.monotonic() - began


(folder / "agent.yaml").write_text(
    "apiVersion: gpupart/v1\nkind: GpuAgent\nspec: {cluster: fleet, nvidia: {sriovManage: /usr/lib/nvidia/sriov-manage}}\n"
)
source = CASES / "vendor-vfio/host.yaml"
machine = "5f0c1d2e3b4a59687786958493a2b1c0"

# Names that would be markup: running guests on partitions of a GPU that is cut anew, so that each stands in every part.
if reader:
    dump(source, folder / "kvm-a")
    (folder / "fleet.yaml").write_text(declaration(["kvm-a"], 2, ["vdi-1", "vdi-2"]))
    for i, name in enumerate(HOSTILE):
        shutil.rmtree(folder / "kvm-a/libvirt")
        xml = domain(name, "0000:08:00.4", "slot3/0", "desktops", "vdi", machine)
        write_domain(folder / "kvm-a", "hostile", True, xml)
        text, _ = report("kvm-a")
        page = rendered(text)
        tags = {t for t, _ in page.tags}
        check(tags <= {"h3", "p", "strong", "code", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "details", "summary", "pre"}, name, "became", tags)
        check(not any(a for t, a in page.tags if t not in ("code", "pre", "td", "th")), name, "has attributes", page.tags)
        check(page.tags.count(("details", ())) == 1 and page.comments == [" gpupart:report:v1 cluster=fleet "], name, "broke out")
        stopped = [r for r in page.rows if r and r[0] == f"kvm-a/{name}"]
        check(len(stopped) == 1 and len(stopped[0]) == 5, name, "is not one row of five cells among those that stop:", page.rows)
        check(len(page.rows[1]) == 5 and page.rows[1][2] == name, name, "is not told in the host's row", page.rows[1])

# One host: everything is there.
shutil.rmtree(folder / "kvm-a", ignore_errors=True)
dump(source, folder / "kvm-a")
for i in range(4):
    write_domain(folder / "kvm-a", f"vdi-{i}", True, domain(f"vdi-{i}", f"0000:08:00.{i + 4}", f"slot3/{i}", "desktops", "vdi", machine))
(folder / "fleet.yaml").write_text(declaration(["kvm-a"], 2, [f"vdi-{i}" for i in range(4)]))
text, _ = report("kvm-a")
check("were cut" not in text and text.count("stop-vm") == 4, "a small report is not whole")

# A capture is of the host that it names, wherever it lies; one that names none is named for its folder.
(folder / "fleet.yaml").write_text(declaration(["kvm-a", "kvm-z"], 2, [f"vdi-{i}" for i in range(4)]))
(folder / "kvm-a").rename(folder / "of-tuesday")
for place in ["of-tuesday", "of-tuesday/", "./of-tuesday//", str(folder / "of-tuesday")]:
    check("| kvm-a | gpu/slot3" in report(place)[0], place, "is not taken for what it says it is")
(folder / "of-tuesday").rename(folder / "kvm-z")
(folder / "kvm-z/etc/hostname").unlink()
for place in ["kvm-z", "kvm-z/", "./kvm-z//", str(folder / "kvm-z")]:
    check("| kvm-z | gpu/slot3" in report(place)[0], place, "is not taken for what its folder is called")
(folder / "kvm-z").rename(folder / "kvm-a")

# Nobody said takeover: each host goes by what it remembers itself. What --state names is every host's.
fleet = declaration(["kvm-a", "kvm-b"], 2, [f"vdi-{i}" for i in range(4)])
(folder / "fleet.yaml").write_text(fleet.replace("      takeover: true\n", ""))
shutil.copytree(folder / "kvm-a", folder / "kvm-b", symlinks=True)
shutil.rmtree(folder / "kvm-b/libvirt")
(folder / "kvm-b/libvirt").mkdir()
(folder / "kvm-a/state").mkdir()
applied = {"formatVersion": 1, "applied": {"gpu/slot3": {"value": "partitioned 4 NVIDIA A2-4Q", "sinceUs": 1}}}
(folder / "kvm-a/state/applied.json").write_text(json.dumps(applied))
for captures in [("kvm-a", "kvm-b"), ("kvm-b", "kvm-a")]:
    result = gpupart(folder, "report", "--config", "agent.yaml", "--dir", "fleet.yaml", *captures)
    check("4 VMs stop" in result.stdout, captures, "not all who stop are told", result.stdout, result.stderr)
    check(re.search(r"\| kvm-b \|.*\| \*\*blocked\*\* GP-E503", result.stdout), captures, "kvm-b goes by what another remembers", result.stdout)
check("**0 VMs stop**" in report("kvm-a", "kvm-b")[0], "--state names nothing")
shutil.rmtree(folder / "kvm-a/state")
shutil.rmtree(folder / "kvm-b")

# Three hundred hosts: half of them change. What is never cut stands there, the rest says that it was.
hosts = [f"kvm-{i:03}" for i in range(300)]
shutil.copytree(folder / "kvm-a", folder / "idle", symlinks=True)
shutil.rmtree(folder / "idle/libvirt")
(folder / "idle/libvirt").mkdir()
for i, host in enumerate(hosts):
    (folder / host).symlink_to("idle" if i % 2 else "kvm-a")
(folder / "fleet.yaml").write_text(declaration(hosts, 2, [f"vdi-{i}" for i in range(4)]))
text, seconds = report(*hosts)
print(f"300 hosts: {len(text)} characters, {seconds:.2f} s")
check(len(text) < 60000, "the report has", len(text), "characters")
check("600 VMs stop" in text, "the head does not count the VMs that stop")
listed = sum(int(n) for n in re.findall(r"^- kvm-\d{3}: (\d+)", text, re.M))
check(listed == 600, "of the 600 VMs that stop,", listed, "are listed or counted at their hosts")
cuts = re.findall(r"^.*\d+ .*(?:were|was) (?:cut|left out).*$", text, re.M)
check(len(cuts) >= 1, "nothing says what was cut")
if reader:
    page = rendered(text)
    check(page.tags.count(("details", ())) == text.count("</details>"), "a cut left something open")
whole, _ = report(*hosts, form="json")
check(whole.count('"kind": "stop-vm"') == 600, "the JSON report is not whole")
done()
