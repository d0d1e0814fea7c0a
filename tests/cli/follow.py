"""What is told, and with which status, where git does not give what is wanted: a remote that is gone, a head that is refused or
wrong, a newest verified commit that is not known. No command says "no changes" then."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

from capture import check, done, gpupart, make

folder = pathlib.Path(sys.argv[1])
case = make("vendor-vfio", folder)
remote = case / "remote"
GIT = dict(
    os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null",
    GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@example.org", GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@example.org")


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=remote, env=GIT, text=True, capture_output=True, check=True).stdout.strip()


def commit(text):
    (remote / "declaration.yaml").write_text(text)
    git("add", "-A")
    git("commit", "-q", "-m", "x")
    return git("rev-parse", "HEAD")


def ask(command, *arguments):
    return gpupart(case, command, "--root", "root", "--config", "agent.yaml", "--state", "state", *arguments)


def ends(status, result, *says):
    said = result.stdout + result.stderr
    check(result.returncode == status, result.args[1], "status", result.returncode, "not", status, said)
    for text in says:
        check(text in said, result.args[1], "does not say", repr(text), "but", said)


declaration = (case / "declaration.yaml").read_text()
(case / "agent.yaml").write_text(
    (case / "agent.yaml").read_text() + f"  git: {{remotes: [{{url: 'file://{remote.resolve()}'}}]}}\n  trust: {{mode: none}}\n")
remote.mkdir()
git("init", "-q", "-b", "main")
first = commit(declaration)
(case / "state").mkdir()
# A commit that is not there cannot be followed: every pass would fail from then on.
trust = ["trust", "--simulate", "--reason", "the first", "--reset-to"]
ends(1, ask(*trust, first), "the newest verified commit stays none", f"commit {first[:12]} is not in state/git", "gpupart plan")
ends(0, ask("plan"))
ends(0, ask("report"))
ends(1, ask(*trust, "b" * 40), "the newest verified commit stays none", "commit bbbbbbbbbbbb is not in state/git", "gpupart plan")
ends(0, ask("trust"), "newest verified commit: none yet")
ends(0, ask(*trust, first))
good = ask("report")
ends(0, good, "2 VMs stop")
check("**" + "The head" not in good.stdout and "tale" not in good.stdout, "a good head is blamed", good.stdout)
document = json.loads(ask("report", "--format", "json").stdout)
check(document["refused"] is None and document["stale"] is None, "a good head is blamed", document["refused"], document["stale"])

# The head is no declaration: what is kept is shown, and that it is not the head.
second = commit(declaration.replace("mode: partitioned", "mode: partioned"))
kept = f"this is what is kept, {first[:7]}"
WRONG = f"commit {second[:12]} is not applied"
ends(3, ask("plan"), "the head is refused", WRONG)
ends(3, ask("report"), "**The head is refused, and " + kept + "**", WRONG)
wrong = ask("report", "--format", "json")
ends(3, wrong)
check(WRONG in (json.loads(wrong.stdout)["refused"] or ""), "the JSON report does not tell of the refused head")

# The head does not descend from what was verified.
git("checkout", "-q", "--orphan", "other")
commit(declaration.replace("count: 2", "count: 4"))
git("branch", "-q", "-M", "other", "main")
ends(4, ask("plan"), "GP-E403")
ends(4, ask("report"), "**The head is refused, and " + kept + "**", "GP-E403")

# The remote is gone.
remote.rename(case / "elsewhere")
ends(7, ask("plan"), "git is stale")
ends(7, ask("report"), "**Git is stale**")
stale = ask("report", "--format", "json")
ends(7, stale)
check(json.loads(stale.stdout)["stale"], "the JSON report does not tell that git is stale")
(case / "elsewhere").rename(remote)

# Nobody knows what was verified. Of two captures the second is no surer than the first.
(case / "state/verified.json").write_text("nonsense")
shutil.copytree(case / "root", case / "kvm-a", symlinks=True)
shutil.copytree(case / "root", case / "kvm-b", symlinks=True)
ends(4, ask("plan"), "GP-E403")
ends(4, ask("drift"), "GP-E403")
ends(4, ask("status"), "what is wanted cannot be told", "GP-E403", "gpu/slot3")
ends(4, ask("explain", "gpu/slot3"), "GP-E403")
ends(4, ask("report"), "**What is wanted is not known**", "GP-E403")
two = gpupart(case, "report", "--config", "agent.yaml", "--state", "state", "kvm-a", "kvm-b")
ends(4, two, "GP-E403")
check(two.stdout.count("**unknown**: what is wanted cannot be told") == 2, "the table of hosts does not say so", two.stdout)
done()
