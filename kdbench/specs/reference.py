"""The page docs/reference.md, made from the specifications: `python -m kdbench.specs.reference > docs/reference.md`."""

from __future__ import annotations

import sys
from typing import Any

import yaml
from pydantic import BaseModel

from kdbench.specs import resources
from kdbench.specs.recipe import Recipe
from kdbench.specs.schema import FILES, descriptions, reachable, schema, summary

HEAD = """\
# Reference of the files

Every key of the files that kdbench reads: what it is, what it may be, and what it is where it is left out. The page is made
from the same source that checks the files (`make` it anew with `python -m kdbench.specs.reference > docs/reference.md`; a test
compares the two). `kdbench schema task|space|suite|recipe` prints the same as a JSON schema, by which an editor completes and
checks a file: with the YAML language server, the first line of the file says
`# yaml-language-server: $schema=task.schema.json`.
"""
EXAMPLES = {
    "task": ("benchmarks/tasks", "bccd"),
    "space": ("search_spaces", "defeat"),
    "suite": ("benchmarks/suites", "methods_bccd"),
}
SHORT = """\
task: shapes
method: fgd
params: {temperature: 0.8}
training: {lr: 0.001}
seed: 1
"""
TITLES = {
    "task": "what methods compete on (`kdbench search --task FILE`)",
    "space": "what a method's search varies (`kdbench search --space FILE`)",
    "suite": "a table of recipes times seeds (`kdbench bench FILE`)",
    "recipe": "one training (`kdbench train FILE`)",
}


def page() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for kind, models in FILES.items():
        parts.append(f"## {kind}: {TITLES[kind]}\n")
        if kind == "recipe":
            parts.append(
                "Written by hand it is short, as below. A file with `version` is a whole one, as kdbench writes it into a trial's folder: "
                f"it has all of {', '.join(f'`{key}`' for key in Recipe.model_fields)}.\n"
            )
            models = models[:1]
        made = schema(kind)
        for model in reachable(models):
            parts.append(_table(model, made, kind, first=model is models[0]))
        parts.append(f"An example:\n\n```yaml\n{example(kind)}```\n")
    return "\n".join(parts)


def example(kind: str) -> str:
    """A file of a kind as an example."""
    if kind == "recipe":
        return SHORT
    folder, name = EXAMPLES[kind]
    return (resources.folder(folder) / f"{name}.yaml").read_text(encoding="utf-8")


def _table(model: type[BaseModel], made: dict[str, Any], kind: str, *, first: bool) -> str:
    own = made if first and "properties" in made else made["$defs"][model.__name__]
    name = f"{kind} file" if first else model.__name__
    lines = [f"### {name}\n", f"{summary(model)}\n", "| key | type | default | what |", "|---|---|---|---|"]
    texts, required = descriptions(model), own.get("required", [])
    aliases = {field.alias or key: key for key, field in model.model_fields.items()}
    for key, entry in own["properties"].items():
        default = "needed" if key in required else f"`{_value(entry.get('default'))}`"
        lines.append(f"| `{key}` | {_kind(entry)} | {default} | {_cell(texts.get(aliases[key], ''))} |")
    return "\n".join(lines) + "\n"


def _kind(entry: dict[str, Any]) -> str:
    """The type of a key in words."""
    if "$ref" in entry:
        name = str(entry["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in entry:
            return " or ".join(dict.fromkeys(_kind(one) for one in entry[several]))
    if "enum" in entry or "const" in entry:
        return ", ".join(f"`{_value(one)}`" for one in entry.get("enum", [entry.get("const")]))
    kind = entry.get("type")
    if kind == "array":
        inner = entry.get("items") or {}
        if "prefixItems" in entry:
            return f"list of {len(entry['prefixItems'])}: {_kind(entry['prefixItems'][0])}"
        return f"list of {_kind(inner)}" if inner else "list"
    if kind == "object":
        inner = entry.get("additionalProperties")
        return f"names with {_kind(inner)}" if isinstance(inner, dict) and inner else "names with values"
    words = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true, false", "null": "null"}
    return words.get(str(kind), "any value") + _bounds(entry)


def _bounds(entry: dict[str, Any]) -> str:
    signs = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    found = [f"{word} {_value(entry[key])}" for key, word in signs.items() if key in entry]
    return f" {' '.join(found)}" if found else ""


def _value(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1_000_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
