"""Recipes as files that `kdbench train` takes: what a dry run with -o leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from kdbench.errors import InputError
from kdbench.specs.recipe import Recipe


def write_recipes(recipes: Mapping[str, Recipe], folder: Path) -> list[Path]:
    """Write each recipe as NAME.json.

    Raises:
        InputError: the folder cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, recipe in recipes.items():
            path = folder / f"{name}.json"
            path.write_text(json.dumps(recipe.plain(), indent=2) + "\n", encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise InputError(f"-o {folder}: cannot be written ({error.strerror})") from None
    return written
