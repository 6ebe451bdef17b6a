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

    names = registry.names()
    ideas, suits, reasons = [], [], []
    for name in names:
        try:
            method = registry.get(name)
        except InputError as error:  # a package whose entry point is broken does not hide the others
            ideas.append([name, "-", f"cannot be loaded: {error}", "-"])
            suits.append([name, *"-" * (len(FAMILIES) + 1)])
            continue
        ideas.append([name, ", ".join(method.presets) or "-", method.title, method.reference])
        refused = {family: refusal(method, info) for family, info in FAMILIES.items()}
        teacher = "needed" if method.needs_teacher else "none"
        suits.append([name, teacher, *("no" if refused[family] else "yes" for family in FAMILIES)])
        reasons += [f"no: {reason}" for reason in list(filter(None, refused.values()))[:1]]
    return [
        Listing(["method", "presets", "idea", "reference"], ideas),
        Listing(["method", "teacher", *FAMILIES], suits, reasons),
        _step_costs(names),
    ]


def _step_costs(methods: list[str]) -> Listing:
    """What a step of each method costs, from the measured tables that come with kdbench."""
    import csv

    from kdbench.specs import resources

    measured: dict[str, dict[str, dict[str, str]]] = {}
    for size in ("step_cost", "step_cost_real_size"):
        file = resources.folder("benchmarks/results") / f"{size}.csv"
        if file.is_file():
            with open(file, encoding="utf-8", newline="") as rows:
                measured[size] = {row["method"]: row for row in csv.DictReader(rows) if row["params"] == "{}"}
    shapes, real = measured.get("step_cost", {}), measured.get("step_cost_real_size", {})

    def figure(rows: dict[str, dict[str, str]], method: str, column: str, digits: int) -> str:
        return f"{float(rows[method][column]):.{digits}f}" if method in rows else "-"

    return Listing(
        ["method", "step_cost", "step_cost_r50", "extra_params_m", "extra_memory_mb"],
        [
            [
                name,
                figure(shapes, name, "ratio", 2),
                figure(real, name, "ratio", 2),
                figure(real, name, "extra_params_m", 1),
                figure(real, name, "extra_kept_mb", 0),
            ]
            for name in methods
        ],
        [
            "step cost: time of a training step over (plain student step + teacher forward), or over the plain student step where "
            "there is no teacher; on task shapes. step cost r50: RetinaNet (ld: GFL) R101 to R50, one image of 1333x800, as are "
            "the parameters (millions) and the memory (MB) that training adds. One CPU thread. At inference nothing of a method "
            "remains in the student.",
        ],
    )


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
            budget = f"{plan.hours:g} hours" if plan.trials is None else str(plan.trials)
            rows.append([name, plan.title, plan.task.name, budget])
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
