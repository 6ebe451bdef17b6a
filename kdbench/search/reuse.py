"""What has been trained already, by recipe: suites and studies take it over instead of training it again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from kdbench.search.finding import Trained, trainings
from kdbench.specs.base import content_hash
from kdbench.specs.recipe import Recipe

FILES = ("student.pth", "mmdet_config.py", "log.txt")


class Trainings:
    """The completed trainings of a storage folder, looked up by recipe.

    Args:
        data_root: where the data lies: a training on other files is another one, for recipes hold no paths.
        data: identity of each dataset's annotations, by that of its specification; where both are known they decide.
        look: is shown each training before it is given out; it sets damaged weights aside.
    """

    def __init__(
        self,
        storage: Path,
        data_root: Path | None,
        data: Mapping[str, str] | None = None,
        look: Callable[[Trained], None] = lambda one: None,
    ) -> None:
        self.data_root, self.data, self._look = data_root, data or {}, look
        self._known: dict[str, Trained] = {}
        self.add(trainings(storage))

    def add(self, found: Iterable[Trained]) -> None:
        """Learn of more; of several trainings of one recipe, one with a figure of the report split is kept."""
        for one in found:
            known = self._known.get(one.recipe.hash)
            if one.end == "completed" and (known is None or not reported(known)):
                self._known[one.recipe.hash] = one

    def __call__(self, recipe: Recipe) -> Trained | None:
        """The training of this recipe, if its figures or its weights are there."""
        one = self._known.get(recipe.hash)
        if one is None:
            return None
        self._look(one)
        if not (reported(one) or one.completed):
            return None
        return one if self._same_data(one) else None

    def _same_data(self, one: Trained) -> bool:
        dataset = one.recipe.dataset
        here = self.data.get(content_hash(dataset.plain()))
        if here and one.data:
            return here == one.data
        return dataset.kind == "shapes" or one.data_root == self.data_root


def reported(one: Trained) -> bool:
    """Whether it was measured on the report split."""
    return f"report/{one.recipe.metric}" in one.summary


def take_files(one: Trained, workdir: Path) -> None:
    """Give a trial's folder the files of a training that it is taken from; no disk space where links are possible."""
    workdir.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        source, target = one.workdir / name, workdir / name
        if source.is_file() and not target.exists():
            try:
                os.link(source, target)
            except OSError:
                shutil.copyfile(source, target)
