"""The JSON schemas of the files that users write, with what the specifications' docstrings say of every key."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pydantic import BaseModel, TypeAdapter

from kdbench.specs.recipe import Recipe
from kdbench.specs.short_recipe import ShortRecipe
from kdbench.specs.space import SpaceSpec
from kdbench.specs.suite import SuiteSpec
from kdbench.specs.task import TaskSpec

DRAFT = "https://json-schema.org/draft/2020-12/schema"
FILES: dict[str, tuple[type[BaseModel], ...]] = {
    "task": (TaskSpec,),
    "space": (SpaceSpec,),
    "suite": (SuiteSpec,),
    "recipe": (ShortRecipe, Recipe),
}
"""The kinds of files, and what each may hold: a recipe is written short by hand, and whole by kdbench."""
ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*)$")


def schema(kind: str) -> dict[str, Any]:
    """The JSON schema of a kind of file.

    Example:
        >>> schema("task")["properties"]["metric"]["default"]
        'mAP'
    """
    models = FILES[kind]
    if len(models) == 1:
        made = models[0].model_json_schema()
    else:
        whole: Any = models[0]
        for model in models[1:]:
            whole = whole | model
        made = TypeAdapter(whole).json_schema()
    known = {model.__name__: model for model in reachable(models)}
    _describe(made, known.get(str(made.get("title"))))
    for name, part in made.get("$defs", {}).items():
        _describe(part, known.get(name))
    return {
        "$schema": DRAFT,
        "title": f"kdbench {kind}",
        **{key: value for key, value in made.items() if key != "title"},
    }


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """What a specification says of each of its keys: its fields' descriptions, and `Attributes:` of its docstring."""
    found: dict[str, str] = {}
    _, _, attributes = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")
    names: list[str] = []
    for line in attributes.splitlines():
        entry = ENTRY.match(line)
        if entry:
            names = entry.group(1).split(", ")
            found |= dict.fromkeys(names, entry.group(2))
        elif line.startswith(" " * 8):
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
        elif line.strip():
            break
    for name, field in model.model_fields.items():
        if field.description:
            found[name] = field.description
    return {name: text for name, text in found.items() if name in model.model_fields}


def summary(model: type[BaseModel]) -> str:
    """What a specification says of itself, without its keys."""
    text = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")[0]
    return " ".join(text.split())


def reachable(models: tuple[type[BaseModel], ...]) -> list[type[BaseModel]]:
    """The models and those that their fields hold, each once, in the order in which they are met."""
    found: list[type[BaseModel]] = []
    waiting: list[Any] = list(models)
    while waiting:
        here = waiting.pop(0)
        if isinstance(here, type) and issubclass(here, BaseModel):
            if here not in found:
                found.append(here)
                waiting += [field.annotation for field in here.model_fields.values()]
        else:
            waiting += getattr(here, "__args__", ())
    return found


def _describe(part: dict[str, Any], model: type[BaseModel] | None) -> None:
    """Put what the docstrings say into a part of a schema."""
    if model is None:
        return
    if text := summary(model):
        part["description"] = text
    aliases = {field.alias or name: name for name, field in model.model_fields.items()}
    texts = descriptions(model)
    for key, entry in part.get("properties", {}).items():
        name = aliases.get(key, key)
        if name in texts:
            entry["description"] = texts[name]
        entry.pop("title", None)
