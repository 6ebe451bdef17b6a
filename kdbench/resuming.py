"""Going on with what is in the storage folder under a name: a search, or a suite's run."""

from __future__ import annotations

from pathlib import Path

from kdbench.outcome.result import StudyResult
from kdbench.search import folders
from kdbench.specs.paths import storage_folder
from kdbench.specs.suite import SuitePlan
from kdbench.studies import resume_study
from kdbench.suites import resume_suite


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
    home = storage_folder(storage)
    _, plan = folders.open_any(home, study)
    retry = ("lost", "failed") if retry_failed else ("lost",)
    if isinstance(plan, SuitePlan):
        return resume_suite(study, plan, home, address, retry)
    return resume_study(study, plan, home, address, retry)
