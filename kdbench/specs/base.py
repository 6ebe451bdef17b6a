"""What every specification shares: a strict pydantic model, and errors that name file and key."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kdbench.errors import InputError, brief, did_you_mean
from kdbench.specs.reading import check_plain, parse_yaml, read_text

LONGEST_NAME = 100
"""Characters of a name that a user gives: folders, MLflow and tables carry it."""
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class Spec(BaseModel):
    """Validated plain data. Unknown keys are refused; objects are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def parse(cls, data: Any, where: str) -> Self:
        """Validate `data`; an error names `where`, the key and the nearest known key.

        Raises:
            InputError: one line on the first thing that is wrong.
        """
        if not isinstance(data, dict):
            raise InputError(f"{where}: expected keys and values, found {type(data).__name__}")
        check_plain(data, where)
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise InputError(f"{where}: {_first_problem(cls, error)}") from None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a YAML (or JSON) file and validate it."""
        return cls.parse(load_yaml(path), str(path))

    def plain(self) -> dict[str, Any]:
        """The content as plain JSON-able data."""
        return self.model_dump(mode="json")


def load_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        InputError: it is missing, unreadable, too large, nested too deep or broken (with line and column).
    """
    return parse_yaml(read_text(Path(path)), str(path))


def canonical_json(data: Any) -> str:
    """The one text of plain data: sorted keys, no spaces, floats as Python prints them."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_hash(data: Any, length: int = 12) -> str:
    """The identity of plain data: the start of the SHA-256 of its canonical JSON, as hex."""
    return hashlib.sha256(canonical_json(data).encode()).hexdigest()[:length]


def _first_problem(cls: type[BaseModel], error: ValidationError) -> str:
    # A misspelt key is also a missing one: name what was written, not what was meant.
    first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    location = [part for part in first["loc"] if not str(part).startswith("function-")]
    key = ".".join(str(part) for part in location) or "(top level)"
    if first["type"] == "extra_forbidden":
        parent = _model_at(cls, location[:-1])
        hint = did_you_mean(str(location[-1]), parent.model_fields) if parent else "remove it"
        return f"unknown key {_quoted(key)}; {hint}"
    if first["type"] == "missing":
        return f"key {_quoted(key)} is missing; add it"
    message = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    shown = f" (given: {brief(given)})" if isinstance(given, (str, int, float, bool)) else ""
    return f"key {_quoted(key)}: {message[0].lower() + message[1:]}{shown}"


def _quoted(key: str) -> str:
    return f"'{brief(key, 120)[1:-1]}'"


def _model_at(cls: type[BaseModel] | None, location: list[Any]) -> type[BaseModel] | None:
    """The model that a location leads to, through optional and union annotations."""
    import typing

    for part in location:
        if cls is None or part not in cls.model_fields:
            return cls if cls is not None and part not in cls.model_fields else None
        annotation = cls.model_fields[part].annotation
        options = [annotation, *typing.get_args(annotation)]
        models = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
        cls = models[0] if models else None
    return cls
