"""The tables of `kdbench list`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kdbench.errors import InputError


class Listing(NamedTuple):
    """A table; what stands in its first column is the row's name. `notes` are lines below it."""

    header: list[str]
    rows: list[list[str]]
    notes: list[str] = []


def listing(kind: str, storage: Path) -> list[Listing]:
    """The tables of one kind; if several, they describe the same things in the same order."""
    return {
        "methods": _methods,
        "tasks": lambda: [_tasks()],
        "spaces": lambda: [_spaces()],
        "suites": lambda: [_suites()],
        "detectors": lambda: [_detectors()],
        "datasets": lambda: [_datasets()],
    }.get(kind, lambda: [_studies(storage)])()


def merged(tables: list[Listing]) -> list[dict[str, str]]:
    """All tables as one list of objects."""
    return [
        {
            key: value
            for table, row in zip(tables, rows, strict=True)
            for key, value in zip(table.header, row, strict=True)
        }
        for rows in zip(*(table.rows for table in tables), strict=True)
    ]


def _methods() -> list[Listing]:
    from kdbench.detectors.families import FAMILIES
    from kdbench.methods import registry
    from kdbench.methods.suits import refusal

    costs = _step_costs()
    ideas, suits, reasons = [], [], []
    for name in registry.names():
        try:
            method = registry.get(name)
        except InputError as error:  # a package whose entry point is broken does not hide the others
            ideas.append([name, "-", f"cannot be loaded: {error}", "-"])
            suits.append([name, *"-" * (len(FAMILIES) + 2)])
            continue
        ideas.append([name, ", ".join(method.presets) or "-", method.title, method.reference])
        refused = {family: refusal(method, info) for family, info in FAMILIES.items()}
        teacher = "needed" if method.needs_teacher else "none"
        suits.append(
            [name, teacher, costs.get(name, "-"), *("no" if refused[family] else "yes" for family in FAMILIES)]
        )
        reasons += [f"no: {reason}" for reason in list(filter(None, refused.values()))[:1]]
    notes = [
        "step cost: time of a step over (plain student step + teacher forward), or over the plain student step where there is "
        "no teacher; on task shapes, one CPU thread. At inference nothing of a method remains in the student.",
        *reasons,
    ]
    return [
        Listing(["method", "presets", "idea", "reference"], ideas),
        Listing(["method", "teacher", "step_cost", *FAMILIES], suits, notes),
    ]


def _step_costs() -> dict[str, str]:
    """Method -> ratio, from the measured table that comes with kdbench."""
    import csv

    from kdbench.specs import resources

    file = resources.folder("benchmarks/results") / "step_cost.csv"
    if not file.is_file():
        return {}
    with open(file, encoding="utf-8", newline="") as rows:
        return {
            row["method"]: f"{float(row['ratio']):.2f}"
            for row in csv.DictReader(rows)
            if row["task"] in ("shapes", "shapes_gfl")
        }


def _tasks() -> Listing:
    from kdbench.specs import resources
    from kdbench.specs.task import load_task

    tasks = [load_task(name) for name in resources.names("benchmarks/tasks")]
    rows = [
        [
            t.name,
            t.title,
            "generated" if t.dataset.kind == "shapes" else f"{t.dataset.kind}, --data-root",
            str(t.schedule.epochs),
            t.metric,
        ]
        for t in tasks
    ]
    return Listing(["task", "what", "data", "epochs", "metric"], rows)


def _spaces() -> Listing:
    from kdbench.specs import resources
    from kdbench.specs.space import load_space

    spaces = [load_space(name) for name in resources.names("search_spaces")]
    rows = [[s.method, ", ".join(s.params) or "only the task's training values"] for s in spaces]
    return Listing(["space", "searches"], rows)


def _detectors() -> Listing:
    from kdbench.detectors.configs import detector_names

    return Listing(["mmdet config"], [[name] for name in detector_names()])


def _datasets() -> Listing:
    from kdbench.data.kinds import KINDS

    return Listing(["kind", "what"], [[name, text] for name, text in KINDS.items()])


def _studies(storage: Path) -> Listing:
    from kdbench.search import folders
    from kdbench.specs.suite import SuitePlan

    rows = []
    for name in folders.studies(storage):
        _, plan = folders.open_any(storage, name)
        if isinstance(plan, SuitePlan):
            rows.append([name, f"suite {plan.suite}", ", ".join(plan.tasks), str(len(plan.rows) * plan.seeds)])
        else:
            rows.append([name, plan.method, plan.task.name, str(plan.trials)])
    return Listing(["study", "method", "task", "trials"], rows)


def _suites() -> Listing:
    from kdbench.specs import resources
    from kdbench.specs.suite import load_suite

    suites = [load_suite(name) for name in resources.names("benchmarks/suites")]
    rows = [[s.name, s.title, str(len(s.table())), ", ".join(s.grades)] for s in suites]
    grades = [
        f"{s.name}, {name}, {grade.seeds} seed{'s' if grade.seeds > 1 else ''}: {grade.title}"
        for s in suites
        for name, grade in s.grades.items()
    ]
    return Listing(["suite", "what", "rows", "grades"], rows, grades)
