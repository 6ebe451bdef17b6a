"""Two finished studies in a real SQLite store: real recipes of the shipped task and spaces, figures made by a formula."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

from kdbench.detectors.teachers import trained_teacher
from kdbench.methods import registry
from kdbench.specs.recipe import Recipe
from kdbench.specs.space import Domain, load_space
from kdbench.specs.study import StudyPlan
from kdbench.specs.task import TaskSpec, load_task
from kdbench.tracking.store import tracking_uri
from kdbench.tracking.writer import Tracker

EPOCHS = 3
ENDS = {5: ("pruned", None), 7: ("infeasible", "loss is <b>NaN</b> & more, at iteration 12"), 9: ("failed", "no disk")}
"""How some trials of a study's method end, by their number."""


class Planting:
    """A study being written."""

    def __init__(self, storage: Path, method: str, task: TaskSpec | None = None) -> None:
        self.tracker = Tracker(tracking_uri(storage), storage)
        self.random = random.Random(method)
        self.method, self.task = method, task or load_task("shapes")
        space = load_space(method)
        self.plan = StudyPlan(
            study=f"{method}-{self.task.name}",
            task=self.task,
            method=method,
            space=space,
            defaults=registry.get(method).Params().plain(),
            detector="one_stage",
            trials=12,
            teacher=trained_teacher(self.task),
        )
        self.tracker.open_study(self.task.name, self.plan.study, tags={"kdbench.method": method}, params={})

    def teacher(self) -> None:
        reference = self.plan.teacher
        assert reference is not None
        recipe = self.plan.recipe("none", {}, 0)
        key = self.tracker.open_teacher(
            self.task.name, reference.id, recipe=recipe.plain(), recipe_hash=reference.id, seed=0
        )
        figures = {"best/mAP": 0.62, "report/mAP": 0.60, "cost/device_hours": 0.09}
        self.tracker.close(key, "completed", summary=figures, reason=None, artifacts=[])

    def search(self, arm: str, count: int, level: float) -> list[tuple[float, dict[str, Any]]]:
        """The trials of an arm; (figure, proposal) of the completed ones."""
        found = []
        for number in range(count):
            proposal = {name: self._draw(domain) for name, domain in self._domains(arm).items()}
            wobble = sum(math.sin(3 * value) for value in proposal.values() if isinstance(value, float))
            figure = round(level + 0.03 * wobble, 4)
            end, reason = ENDS.get(number, ("completed", None)) if arm == self.method else ("completed", None)
            self._trial(f"{arm}-{number:03d}", arm, proposal, 0, figure, end, reason)
            if end == "completed":
                found.append((figure, proposal))
        return found

    def finals(self, arm: str, proposal: dict[str, Any], figures: list[float]) -> None:
        """The best again with fresh seeds, measured on the report split."""
        for seed, figure in enumerate(figures, 1):
            self._trial(f"{arm}-best-seed{seed}", arm, proposal, seed, figure, "completed", None, report=figure - 0.01)

    def _domains(self, arm: str) -> dict[str, Domain]:
        domains = self.plan.domains(arm)
        return {name: domain for name, domain in domains.items() if "detector" not in domain.when and not domain.when}

    def _draw(self, domain: Domain) -> Any:
        if domain.choice is not None:
            return self.random.choice(domain.choice)
        low, high = domain.loguniform or domain.uniform or domain.int_ or (0.0, 1.0)
        if domain.loguniform is not None:
            return float(f"{math.exp(self.random.uniform(math.log(low), math.log(high))):.6g}")
        return self.random.uniform(low, high)

    def _trial(
        self,
        name: str,
        arm: str,
        proposal: dict[str, Any],
        seed: int,
        figure: float,
        end: str,
        reason: str | None,
        report: float | None = None,
    ) -> None:
        recipe: Recipe = self.plan.recipe(arm, proposal, seed)
        key = self.tracker.open_trial(
            self.task.name,
            self.plan.study,
            name,
            method=arm,
            recipe=recipe.plain(),
            recipe_hash=recipe.hash,
            config_hash=recipe.config_hash,
            seed=seed,
            teacher=recipe.teacher.id if recipe.teacher else None,
            stage="search" if report is None else "final",
            tags={},
        )
        epochs = EPOCHS if end == "completed" else EPOCHS // 2
        for epoch in range(1, epochs + 1):
            self.tracker.log_epoch(key, epoch, {"val/mAP": figure * (1 - math.exp(-epoch)), "train/loss": 1 / epoch})
        costs = {"cost/device_hours": 0.02 * epochs / EPOCHS, "cost/peak_memory_gb": 1.5, "cost/params_m": 0.84}
        slow = 0.16 if recipe.teacher else 0.09
        summary = {"best/mAP": figure, "sec_per_iter": slow, **costs}
        if report is not None:
            summary["report/mAP"] = report
        self.tracker.close(key, end, summary=summary, reason=reason, artifacts=[])


def plant(storage: Path) -> None:
    """Studies `defeat-shapes` (with finals on the report split) and `cwd-shapes` (a search alone, without baseline)."""
    first = Planting(storage, "defeat")
    first.teacher()
    plain = max(first.search("none", 3, 0.25), key=lambda entry: entry[0])
    best = max(first.search("defeat", 11, 0.33), key=lambda entry: entry[0])
    first.finals("none", plain[1], [0.26, 0.27, 0.25])
    first.finals("defeat", best[1], [0.36, 0.38, 0.37])
    Planting(storage, "cwd").search("cwd", 6, 0.31)
