"""The JSON Schema against the decoder, judged by python3-jsonschema: SCHEMA SOURCE GPUPART.

Every text of the tree that says it is a declaration is asked for: the examples, the cases of this folder (NAME.yaml with what
the decoder says about it in NAME.txt), those of the other tests, and what the fuzzer kept. Rules about the form of a document
must be the schema's verdict too; rules across keys and documents are beyond it, and what is no tree of keys and values never
reaches it."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

OF_FORM = {"GP-E002", "GP-E003", "GP-E007", "GP-E008", "GP-E009"}
NO_TREE = {"GP-E001", "GP-E004", "GP-E005", "GP-E006"}
RULE = re.compile(r"GP-[EWD][0-9]{3}")
KINDS = {"GpuCluster", "GpuBinding", "GpuAgent"}


class Loader(yaml.SafeLoader):
    """YAML 1.2 core schema, decimal numbers only; PyYAML alone reads 22:00 as a number and no as false."""


Loader.yaml_implicit_resolvers = {}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("^-?(0|[1-9][0-9]*)$"), list("-0123456789"))
Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^$"), [""])


class Judge:
    def __init__(self, schema, gpupart):
        jsonschema.Draft202012Validator.check_schema(schema)
        self.validator = jsonschema.Draft202012Validator(schema)
        self.gpupart = gpupart
        self.judged = self.wrong = self.refused = 0
        self.kinds = {True: set(), False: set()}

    def decoder(self, text, agent):
        """The rules that @text breaks, as the program says: a GpuAgent is read as the host's configuration."""
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "x.yaml")
            file.write_bytes(text)
            if agent:
                run = [self.gpupart, "inventory", "--root", folder, "--state", folder + "/state", "--config", file]
                return set(RULE.findall(subprocess.run(run, capture_output=True, check=False).stderr.decode(errors="replace")))
            found = subprocess.run([self.gpupart, "validate", "--format", "json", file], capture_output=True, check=False)
            return {f["rule"] for f in json.loads(found.stdout)["findings"]}

    def judge(self, name, text, rules=None):
        try:
            documents = [d for d in yaml.load_all(text, Loader) if d is not None]
        except (yaml.YAMLError, ValueError, RecursionError):
            documents = None
        kinds = {d["kind"] for d in documents or [] if isinstance(d, dict) and isinstance(d.get("kind"), str)}
        if rules is None:
            if "GpuAgent" in kinds and len(documents) > 1:
                return  # only one of them could be read as what it is
            rules = self.decoder(text, "GpuAgent" in kinds)
        if rules & NO_TREE:
            return
        taken = not rules & OF_FORM
        self.judged += 1
        self.refused += not taken
        self.kinds[taken] |= kinds & KINDS
        if documents is None or all(map(self.validator.is_valid, documents)) != taken:
            self.wrong += 1
            print(f"{name}: the decoder {'takes' if taken else 'refuses'} it, the schema does not: {sorted(rules)}")


def main(schema_path, source, gpupart):
    source = pathlib.Path(source)
    cases = source / "tests/validate/cases"
    judge = Judge(json.loads(pathlib.Path(schema_path).read_text(encoding="utf-8")), gpupart)
    for path in sorted(cases.glob("*.yaml")):
        says = path.with_suffix(".txt").read_text(encoding="utf-8", errors="replace")
        judge.judge(path, path.read_bytes(), set(re.findall(r"\[(GP-[A-Z][0-9]{3})\]$", says, re.M)))
    of_cases = judge.judged
    for folder in ("examples", "tests", "contrib"):
        for path in sorted((source / folder).rglob("*")):
            if path.parent == cases or not path.is_file() or path.is_symlink():
                continue
            text = path.read_bytes()
            if path.suffix == ".yaml" or "corpus" in path.parts:
                if re.search(rb"^ *\"?apiVersion", text, re.M):
                    judge.judge(path, text)
    print(f"{judge.judged} files judged ({of_cases} of them cases), {judge.refused} refused, {judge.wrong} verdicts differ")
    lacking = [kind for taken in (True, False) for kind in KINDS - judge.kinds[taken]]
    if lacking:
        print("not both good and bad:", sorted(lacking))
    return 1 if judge.wrong or lacking or of_cases < 85 or judge.judged < of_cases + 17 else 0


sys.exit(main(*sys.argv[1:]))
