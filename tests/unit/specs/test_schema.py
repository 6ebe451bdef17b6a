"""JSON schemas and the reference page: made from the specifications, and current."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from kdbench.specs import reference, resources
from kdbench.specs.schema import FILES, descriptions, reachable, schema
from kdbench.specs.short_recipe import ShortRecipe

SHIPPED = [
    *(("task", "benchmarks/tasks", name) for name in resources.names("benchmarks/tasks")),
    *(("space", "search_spaces", name) for name in resources.names("search_spaces")),
    *(("suite", "benchmarks/suites", name) for name in resources.names("benchmarks/suites")),
]


def load(folder: str, name: str) -> Any:
    return yaml.safe_load((resources.folder(folder) / f"{name}.yaml").read_text())


@pytest.mark.parametrize(("kind", "folder", "name"), SHIPPED)
def test_shipped_files_fit_their_schema(kind: str, folder: str, name: str) -> None:
    jsonschema.validate(load(folder, name), schema(kind))


@pytest.mark.parametrize(
    ("key", "value"), [("metrik", "mAP"), ("metric", "mAPP"), ("schedule", {"epochs": 0, "lr": 0.1}), ("title", 3)]
)
def test_a_schema_refuses_what_the_specification_refuses(key: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**load("benchmarks/tasks", "shapes"), key: value}, schema("task"))


def test_domains_have_the_names_that_a_file_has() -> None:
    properties = schema("space")["$defs"]["Domain"]["properties"]
    assert {"int", "or", "choice"} <= properties.keys()
    assert properties["or"]["description"].startswith("a plain value")


@pytest.mark.parametrize("kind", FILES)
def test_every_key_is_described(kind: str) -> None:
    for model in reachable(FILES[kind]):
        missing = set(model.model_fields) - set(descriptions(model))
        assert not missing, f"{model.__name__}: say in its docstring's Attributes what {sorted(missing)} are"


def test_the_reference_page_is_current() -> None:
    path = Path(__file__).parents[3] / "docs" / "reference.md"
    assert path.read_text(encoding="utf-8") == reference.page(), "python -m kdbench.specs.reference > docs/reference.md"


def test_the_examples_of_the_page_are_files_that_load() -> None:
    for kind in FILES:
        jsonschema.validate(yaml.safe_load(reference.example(kind)), schema(kind))
    assert ShortRecipe.parse(yaml.safe_load(reference.example("recipe")), "example").method == "fgd"
