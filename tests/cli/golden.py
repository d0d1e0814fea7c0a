"""What is printed for people, case by case. UPDATE_GOLDEN=1 rewrites; review the difference."""
import difflib
import os
import pathlib
import sys

from capture import CASES, NAMES, check, done, make, on

OUTPUTS = {"inventory": "inventory.txt", "plan": "plan.txt", "drift": "drift.txt", "status": "status.txt", "report": "report.md"}

for name in NAMES:
    case = make(name, pathlib.Path(sys.argv[1]))
    for command, file in OUTPUTS.items():
        result = on(case, command)
        text = result.stdout + (f"\nstderr:\n{result.stderr}" if result.stderr else "")
        text += f"\nexit status {result.returncode}\n" if command != "report" else ""
        kept = CASES / name / file
        if os.environ.get("UPDATE_GOLDEN") == "1":
            kept.write_text(text)
        want = kept.read_text()
        check(text == want, name, command, *difflib.unified_diff(want.splitlines(), text.splitlines(), lineterm="", n=1))
        again = on(case, command, env={**os.environ, "NO_COLOR": "1", "TERM": "dumb", "LC_ALL": "C"})
        check(again.stdout == result.stdout, name, command, "differs with NO_COLOR")
        check("(null)" not in text and "\x1b" not in text, name, command, "prints what no person reads")
done()
