"""The JSON Schema against the decoder, judged by python3-jsonschema: SCHEMA CASES EXAMPLES.

A case is NAME.yaml with what the decoder says about it in NAME.txt. Rules about the form of a document
must be the schema's verdict too; rules across keys and documents are beyond it, and what is no tree of
keys and values never reaches it."""
import json
import pathlib
import re
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

OF_FORM = {"GP-E002", "GP-E003", "GP-E007", "GP-E008", "GP-E009"}
NO_TREE = {"GP-E001", "GP-E004", "GP-E005", "GP-E006"}


class Loader(yaml.SafeLoader):
    """YAML 1.2 core schema, decimal numbers only; PyYAML alone reads 22:00 as a number and no as false."""


Loader.yaml_implicit_resolvers = {}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("^-?(0|[1-9][0-9]*)$"), list("-0123456789"))
Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^$"), [""])


def verdict(validator, path):
    documents = [d for d in yaml.load_all(path.read_bytes(), Loader) if d is not None]
    return all(validator.is_valid(d) for d in documents)


def main(schema_path, cases, examples):
    schema = json.loads(pathlib.Path(schema_path).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    judged = wrong = 0
    for path in sorted(pathlib.Path(examples).rglob("*.yaml")):
        judged += 1
        if not verdict(validator, path):
            wrong += 1
            print(f"{path}: the decoder takes it, the schema does not")
    for path in sorted(pathlib.Path(cases).glob("*.yaml")):
        rules = set(re.findall(r"\[(GP-[A-Z][0-9]{3})\]$", path.with_suffix(".txt").read_text(encoding="utf-8", errors="replace"), re.M))
        if rules & NO_TREE:
            continue
        judged += 1
        taken = not rules & OF_FORM
        if verdict(validator, path) != taken:
            wrong += 1
            print(f"{path}: the decoder {'takes' if taken else 'refuses'} it, the schema does not")
    print(f"{judged} files judged, {wrong} verdicts differ")
    return 1 if wrong or judged < 85 else 0


sys.exit(main(*sys.argv[1:]))
