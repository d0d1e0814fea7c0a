"""Every rule of the catalogue, with a test that asserts one of its messages word by word: SOURCE GPUPART.

Prints a line for each, `rule  test  message`. Only places are read whose tests compare whole texts; a rule that is named
elsewhere in the tests, by a pattern, is not shown by that. Fails on a rule without such a test, on one that no code
tells, on one that a test or the code tells and the catalogue lacks, and on one that `gpupart explain` leaves in the dark."""
import pathlib
import re
import subprocess
import sys

source, gpupart = pathlib.Path(sys.argv[1]), sys.argv[2]
tests = source / "tests"
ID = r"GP-[EWD][0-9]{3}"
LITERALS = re.compile(r'(?:"(?:[^"\\\n]|\\.)*"\s*)+')
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def unescape(text):
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), text)


def literals(text):
    """The string literals of C source, neighbours joined, as (line, text)."""
    for found in LITERALS.finditer(re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)):
        yield text.count("\n", 0, found.start()) + 1, unescape("".join(LITERAL.findall(found[0])))


def of_literals(pattern):
    """Lines of literals that are compared as whole texts."""

    def read(text):
        for at, literal in literals(text):
            for line in literal.split("\n"):
                found = re.fullmatch(pattern, line)
                if found:
                    yield at, found["rule"], found["says"]

    return read


def of_pairs(text):
    """Rows of the gate that have the rule and, next to it, why a set waits."""
    pair = re.compile(r'"(GP-E5[0-9]{2})",\s*((?:"(?:[^"\\\n]|\\.)*"\s*)+)')
    for found in pair.finditer(text):
        yield text.count("\n", 0, found.start()) + 1, found[1], unescape("".join(LITERAL.findall(found[2])))


def of_said(text):
    """Calls of said(), which compares a whole error."""
    for found in re.finditer(r"\bsaid\([^;]*?,\s*((?:\"(?:[^\"\\\n]|\\.)*\"\s*)+)\);", text):
        rule, _, says = unescape("".join(LITERAL.findall(found[1]))).partition(": ")
        yield text.count("\n", 0, found.start()) + 1, rule, says


def of_lines(pattern):
    """Lines of a text that is kept and compared whole."""

    def read(text):
        for at, line in enumerate(text.split("\n"), 1):
            found = re.fullmatch(pattern, line)
            if found:
                yield at, found["rule"], found["says"]

    return read


FINDING = rf"(?:error|warning|note) (?P<rule>{ID}) [^ ]+: (?P<says>.+)"
DRIFT = rf"drift [^ ]+ [^ ]+ (?P<rule>{ID}): (?P<says>.+)"
EXACT = [
    ("validate/cases/*.txt", of_lines(rf".*?: (?:error|warning|note): (?P<says>.+) \[(?P<rule>{ID})\]")),
    ("unit/core_resolve/*_test.c", of_literals(FINDING)),
    ("unit/core_plan/difference_test.c", of_literals(DRIFT)),
    ("unit/core_plan/golden/*.txt", of_lines(DRIFT)),
    ("unit/core_plan/golden/*.txt", of_lines(rf"(?P<rule>{ID}) [^ ]+: (?P<says>.+)")),
    ("unit/core_gate/gate_test.c", of_pairs),
    ("unit/git/*_test.c", of_said),
    ("virt/test-*.sh", of_lines(rf'expect ".*(?P<rule>{ID}): (?P<says>.+)" cat /tmp/said')),
    ("cli/messages.py", of_lines(rf'.*(?P<rule>{ID}): (?P<says>.+)"\),')),
]

catalogue = re.findall(rf'^    \{{"({ID})"', (source / "schema/rules.c").read_text(), re.M)
shown = {}
for pattern, read in EXACT:
    for path in sorted(tests.glob(pattern)):
        for at, rule, says in read(path.read_text(errors="replace")):
            shown.setdefault(rule, []).append((f"{path.relative_to(tests)}:{at}", says))

told = set()
for folder in ("reconciler", "providers", "schema"):
    for path in (source / folder).rglob("*.[ch]"):
        if path.name != "rules.c":
            told |= {rule for _, literal in literals(path.read_text()) for rule in re.findall(ID, literal)}
named = set()
for path in tests.rglob("*"):
    if path.is_file() and path.suffix in (".c", ".sh", ".py", ".bash", ".txt", ".md"):
        named |= set(re.findall(ID, path.read_text(errors="replace")))

failures = []
for rule in catalogue:
    first = min(shown.get(rule, []), default=None, key=lambda s: len(s[1]))
    if first:
        print(f"{rule}  {first[0]}  {first[1]}")
    elif rule in named:
        failures.append(f"{rule}: tests name it, but none has its exact message")
    else:
        failures.append(f"{rule}: no test has its message")
    if rule not in told:
        failures.append(f"{rule}: no code tells it")
    explained = subprocess.run([gpupart, "explain", rule], capture_output=True, text=True, check=False)
    if explained.returncode or not re.search(r"^To do: \S", explained.stdout, re.M) or rule not in explained.stdout:
        failures.append(f"{rule}: `gpupart explain` does not say what it means and what to do")
failures += [f"{rule}: the catalogue lacks it" for rule in sorted((told | set(shown)) - set(catalogue))]
print(f"{len(catalogue)} rules, {len(failures)} failures")
for failure in failures:
    print("FAILED:", failure)
sys.exit(1 if failures or len(catalogue) < 75 else 0)
