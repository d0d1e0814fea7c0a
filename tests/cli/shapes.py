"""What scripts read keeps its shape: every JSON answer on every case against the schemas beside this file."""
import json
import pathlib
import sys

from capture import NAMES, check, done, gpupart, make, on

try:
    import jsonschema
except ImportError:
    print("there is no python3-jsonschema")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
SHAPES = {p.stem: json.loads(p.read_text()) for p in (HERE / "schemas").glob("*.json")}


def is_shaped(text, shape, *what):
    try:
        value = json.loads(text)
    except ValueError as e:
        check(False, *what, "is no JSON:", e)
        return {}
    for error in jsonschema.Draft202012Validator(SHAPES[shape]).iter_errors(value):
        check(False, *what, "/".join(map(str, error.absolute_path)), error.message)
    return value


for shape in SHAPES.values():
    jsonschema.Draft202012Validator.check_schema(shape)
for name in NAMES:
    case = make(name, pathlib.Path(sys.argv[1]))
    values = {}
    for command, shape in {"inventory": "inventory", "plan": "plan", "drift": "drift", "status": "status", "report": "plan"}.items():
        result = on(case, command, "--format", "json")
        check(result.returncode == 0, name, command, "status", result.returncode, result.stderr)
        values[command] = is_shaped(result.stdout, shape, name, command)
        check(result.stdout == on(case, command, "--format", "json").stdout, name, command, "says another thing the second time")
    plan, gpus = values["plan"], values["inventory"]["gpus"]
    actions = plan["actions"]
    # Laws that a schema cannot say.
    check([a["n"] for a in actions] == list(range(1, len(actions) + 1)), name, "actions are not counted from 1")
    check(all(d < a["n"] for a in actions for d in a["dependsOn"]), name, "an action depends on a later one")
    stopped = sorted(a["target"] for a in actions if a["kind"] == "stop-vm")
    started = sorted(a["target"] for a in actions if a["kind"] == "start-vm")
    check(stopped == started, name, "who is stopped is not who is started", stopped, started)
    check(len(stopped) == plan["summary"]["vmsStopped"], name, "the summary counts other stops")
    check(stopped == sorted(vm for s in plan["sets"] for vm in s["vmsStopped"]), name, "the sets stop others")
    check(plan["id"] == values["report"]["id"], name, "the report of one host has another id than its plan")
    check(values["report"]["kind"] == "Report" and plan["kind"] == "Plan", name, "kind")
    for gpu in gpus:
        check(gpu["count"] == len(gpu["partitions"]), name, gpu["address"], "count is not the number of partitions")
        check(gpu["reason"] is not None or gpu["status"] in ("Partitionable", "Partitioned", "ReadyForPassthrough", "Paravirtual"), name, gpu["address"], "no reason for", gpu["status"])
    check(plan["id"] in on(case, "plan").stdout, name, "text and JSON have different ids")
    declared = gpupart(case, "validate", "declaration.yaml", "--format", "json")
    is_shaped(declared.stdout, "findings", name, "validate")
    check(declared.returncode == 0, name, "validate", declared.stdout)

# A declaration with mistakes is told in one shape too.
case = make("vendor-vfio", pathlib.Path(sys.argv[1]))
(case / "bad.yaml").write_text((case / "declaration.yaml").read_text().replace("count: 2", "count: 5, cuont: 1"))
bad = gpupart(case, "validate", "bad.yaml", "--format", "json")
check(bad.returncode == 3, "validate of mistakes: status", bad.returncode)
check(any(f["line"] == 10 for f in is_shaped(bad.stdout, "findings", "validate bad")["findings"]), "the mistake has no line")
for kind in [[], ["GpuCluster"], ["GpuBinding"], ["GpuAgent"]]:
    result = gpupart(case, "schema", *kind)
    jsonschema.Draft202012Validator.check_schema(json.loads(result.stdout))
done()
