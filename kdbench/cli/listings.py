"""The tables of `kdbench list`."""

from __future__ import annotations

from pathlib import Path

from kdbench.errors import InputError

Listing = tuple[list[str], list[list[str]]]


def listing(kind: str, storage: Path) -> Listing:
    """Header and rows of one kind."""
    return {
        "methods": _methods,
        "tasks": _tasks,
        "spaces": _spaces,
        "detectors": _detectors,
        "datasets": _datasets,
    }.get(kind, lambda: _studies(storage))()


def _methods() -> Listing:
    from kdbench.methods import registry

    rows = []
    for name in registry.names():
        try:
            method = registry.get(name)
        except InputError as error:  # a package whose entry point is broken does not hide the others
            rows.append([name, "-", "-", f"cannot be loaded: {error}", "-"])
            continue
        teacher = "yes" if method.needs_teacher else "no"
        rows.append([name, ", ".join(method.presets) or "-", teacher, method.title, method.reference])
    return ["method", "presets", "teacher", "idea", "reference"], rows


def _tasks() -> Listing:
    from kdbench.specs import resources
    from kdbench.specs.task import load_task

    tasks = [load_task(name) for name in resources.names("benchmarks/tasks")]
    return ["task", "what", "data", "epochs", "metric"], [
        [
            t.name,
            t.title,
            "generated" if t.dataset.kind == "shapes" else f"{t.dataset.kind}, --data-root",
            str(t.schedule.epochs),
            t.metric,
        ]
        for t in tasks
    ]


def _spaces() -> Listing:
    from kdbench.specs import resources
    from kdbench.specs.space import load_space

    spaces = [load_space(name) for name in resources.names("search_spaces")]
    return ["space", "searches"], [[s.method, ", ".join(s.params) or "only the task's training values"] for s in spaces]


def _detectors() -> Listing:
    from kdbench.detectors.configs import detector_names

    return ["mmdet config"], [[name] for name in detector_names()]


def _datasets() -> Listing:
    from kdbench.data.kinds import KINDS

    return ["kind", "what"], [[name, text] for name, text in KINDS.items()]


def _studies(storage: Path) -> Listing:
    from kdbench.search import folders

    rows = []
    for name in folders.studies(storage):
        _, plan = folders.open_study(storage, name)
        rows.append([name, plan.method, plan.task.name, str(plan.trials)])
    return ["study", "method", "task", "trials"], rows
