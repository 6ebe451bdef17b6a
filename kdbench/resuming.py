"""Going on with what is in the storage folder under a name: a search, or a suite's run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdbench.errors import InputError, did_you_mean
from kdbench.outcome.result import StudyResult
from kdbench.search import folders
from kdbench.search.finding import trainings
from kdbench.specs.paths import storage_folder
from kdbench.specs.study import Resources, StudyPlan
from kdbench.specs.suite import SuitePlan


def resume(
    study: str, *, storage: str | Path | None = None, address: str | None = None, retry_failed: bool = False
) -> StudyResult:
    """Go on with a study: ended trials stay, running ones continue from their last evaluation, lost ones are tried again.

    Args:
        retry_failed: failed trials are trained again too.

    Raises:
        InputError: there is no such study, it is running, or its data has changed.

    Example:
        >>> resume("defeat-shapes").ends["defeat-003"]
        'completed'
    """
    return _resume(study, storage, address, ("lost", "failed") if retry_failed else ("lost",))


def retry(
    study: str,
    only: Sequence[str] = ("failed", "lost"),
    changes: dict[str, Any] | None = None,
    *,
    storage: str | Path | None = None,
    address: str | None = None,
) -> StudyResult:
    """Start trials again that did not complete.

    Args:
        only: their end states, of failed, lost and infeasible.
        changes: of concurrent, cpus and gpus; never of a recipe.

    Raises:
        InputError: there is no such study, no such trial, or a wrong key.
    """
    for key in changes or {}:
        if key not in Resources.model_fields:
            hint = did_you_mean(key, Resources.model_fields)
            raise InputError(f"--set {key}: a retry cannot change it, for the recipe stays what it is; {hint}")
    home = storage_folder(storage)
    folder, plan = folders.open_any(home, study)
    if changes and isinstance(plan, SuitePlan):
        raise InputError(f"--set: {study} is a run of a suite, whose resources stay; leave it out")
    folders.check_ledger(folder)
    ends = Counter(one.end for one in trainings(home, study) if one.end is not None)
    if not any(end in ends for end in only):
        there = ", ".join(f"{count} {end}" for end, count in ends.items()) or "none has ended"
        raise InputError(
            f"study {study} has no trial that ended as {' or '.join(only)} ({there}); "
            f"name other ends with --only, or go on with 'kdbench resume {study}'"
        )
    return _resume(study, home, address, tuple(only), changes)


def _resume(
    study: str,
    storage: str | Path | None,
    address: str | None,
    ends: tuple[str, ...],
    changes: dict[str, Any] | None = None,
) -> StudyResult:
    home = storage_folder(storage)
    _, plan = folders.open_any(home, study)
    _check_place(home, plan, address)
    if isinstance(plan, SuitePlan):
        from kdbench.suites import resume_suite

        return resume_suite(study, plan, home, address, ends)
    from kdbench.studies import extend_study, resume_study

    if changes:
        return extend_study(study, plan, home, address, ends, resources=changes)
    return resume_study(study, plan, home, address, ends)


def extend(study: str, *, storage: str | Path | None = None, address: str | None = None, **more: Any) -> StudyResult:
    """Give a study more: it goes on, and trains nothing twice.

    Args:
        more: trials and hours (on top), seeds and finalists (the new numbers), add (methods), space (METHOD=FILE).

    Raises:
        InputError: there is no such study, it is a suite's run, nothing was given, or something is wrong.

    Example:
        >>> extend("defeat-shapes", trials=6, add=["icd"]).best
        'icd-004'
    """
    home = storage_folder(storage)
    plan = _study(home, study, "extend")
    _check_place(home, plan, address)
    from kdbench.studies import extend_study

    return extend_study(study, plan, home, address, **more)


def enqueue(study: str, values: Sequence[str], *, storage: str | Path | None = None) -> list[str]:
    """Have a study try values next; it may be running.

    Args:
        values: KEY=VALUE each; the method first where the study has several.

    Returns:
        Lines that say what was taken.

    Raises:
        InputError: there is no such study or method, or a value is wrong.
    """
    from kdbench.planning.enqueuing import enqueue_point

    home = storage_folder(storage)
    return enqueue_point(_study(home, study, "enqueue"), home / "studies" / study, values)


def _study(home: Path, study: str, command: str) -> StudyPlan:
    _, plan = folders.open_any(home, study)
    if isinstance(plan, SuitePlan):
        raise InputError(f"{study} is a run of a suite, which has nothing to {command}; name a search's study")
    return plan


def _check_place(home: Path, plan: StudyPlan | SuitePlan, address: str | None) -> None:
    from kdbench.planning.requests import check_place

    check_place(home, plan.tracking_uri, address)
