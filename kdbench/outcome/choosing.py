"""Which training of a study stands for it: the one that is exported."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdbench.errors import InputError
from kdbench.leaderboard.row import Row
from kdbench.outcome.whole import check_whole
from kdbench.search import folders
from kdbench.search.finding import SINGLE, Trained, find, trainings
from kdbench.specs import metrics
from kdbench.specs.study import BASELINE
from kdbench.specs.suite import SuitePlan


@dataclass(frozen=True)
class Chosen:
    """A training, its configuration's row in the leaderboard (None if it has none), and why it was chosen."""

    trained: Trained
    row: Row | None
    why: str


def choose(storage: Path, study: str, trial: str | None, tracking_uri: str | None) -> Chosen:
    """The trial that was asked for, or the study's winner.

    Raises:
        InputError: no such study or trial, nothing completed, or no weights; a winner needs the study's records.
    """
    if trial is not None:
        named = with_weights(find(storage, f"{study}/{trial}"))
        rows = _rows(study, storage, tracking_uri, optional=True)
        return Chosen(named, row_of(named, rows, trainings(storage, named.study)), "asked for with --trial")
    if study == SINGLE:
        raise InputError(f"{SINGLE} holds the single runs of 'kdbench train'; say which with --trial HASH")
    _, plan = folders.open_any(storage, study)
    rows = _rows(study, storage, tracking_uri)
    methods = (
        {suite_method(study, rows)} if isinstance(plan, SuitePlan) else {arm.method for arm in plan.arms} or {BASELINE}
    )
    chosen = winner(study, methods, rows, list(trainings(storage, study)))
    with_weights(chosen.trained)
    return chosen


def winner(study: str, methods: Collection[str], rows: Sequence[Row], trained: Sequence[Trained]) -> Chosen:
    """The training that stands for the best configuration of the study's methods.

    Finalists are measured on the report split, which the search did not see: where there are any, their row is taken
    before a better one of the search split, and of its seeds the one in the middle (of two in the middle the worse), so
    that the figure is neither lucky nor unlucky. Without finalists it is the best search trial.

    Raises:
        InputError: nothing of the methods is completed, or its trials are not in this storage folder.
    """
    own = [row for row in rows if row.study == study and row.method in methods]
    if not own:
        raise InputError(
            f"study {study}: no trial of {', '.join(sorted(methods))} is completed yet; go on with: kdbench resume {study}"
        )
    row = next((row for row in own if row.split == "report"), own[0])
    of_report = row.split == "report"
    key = f"{'report' if of_report else 'best'}/{row.metric}"
    same = [one for one in _same_config(row, trained) if one.end == "completed" and key in one.summary]
    ranked = sorted(
        (one for one in same if not (of_report and one.stage == "search")), key=lambda one: _merit(one, key)
    )
    if not ranked:
        raise InputError(
            f"study {study}: the trials of its best row are not in this storage folder; give its --storage"
        )
    if of_report:
        why = f"the winner: of the {len(ranked)} seeds of the best finalist the one with the median {row.metric}"
        return Chosen(ranked[(len(ranked) - 1) // 2], row, f"{why} on the report split")
    return Chosen(ranked[-1], row, f"the winner: the search's trial with the best {row.metric} on the search split")


def suite_method(study: str, rows: Sequence[Row]) -> str:
    """The method of a suite's best row.

    Raises:
        InputError: nothing distilled is completed, or rows of several tasks are and the user has to say.
    """
    own = [row for row in rows if row.study == study and row.method != BASELINE]
    if not own:
        raise InputError(f"{study}: no distilled row is completed yet; go on with: kdbench resume {study}")
    best = {row.task: row for row in reversed(own)}
    if len(best) > 1:
        known = ", ".join(f"{row.trial} ({row.mean:.3f} on {task})" for task, row in sorted(best.items()))
        raise InputError(f"{study} has rows of several tasks; say which with --trial; the best are {known}")
    return next(iter(best.values())).method


def row_of(one: Trained, rows: Iterable[Row], trained: Iterable[Trained]) -> Row | None:
    """The leaderboard's row of a training's configuration."""
    others = list(trained)
    for row in rows:
        if row.study == one.study and any(same.trial == one.trial for same in _same_config(row, others)):
            return row
    return None


def with_weights(one: Trained) -> Trained:
    """The training itself.

    Raises:
        InputError: it is not completed, or its weights are gone or damaged.
    """
    if one.end != "completed":
        state = f"ended as {one.end}" if one.end else "has not ended"
        raise InputError(f"trial {one.name} {state}; only a completed one can be exported")
    if not one.completed:
        raise InputError(f"trial {one.name}: {one.workdir / 'student.pth'} is gone; train the recipe again")
    check_whole(one)
    return one


def _same_config(row: Row, trained: Sequence[Trained]) -> list[Trained]:
    """The trainings of a row: it names the earliest."""
    first = next((one for one in trained if one.trial == row.trial), None)
    return [] if first is None else [one for one in trained if one.recipe.config_hash == first.recipe.config_hash]


def _merit(one: Trained, key: str) -> float:
    return metrics.merit(one.recipe.metric, one.summary[key])


def _rows(study: str, storage: Path, tracking_uri: str | None, *, optional: bool = False) -> list[Row]:
    from kdbench.leaderboard.api import rows
    from kdbench.tracking import store
    from kdbench.tracking.reader import read_runs

    uri = store.tracking_uri(storage, tracking_uri)
    if optional and not read_runs(uri, studies=[study], kinds=("study", "trial")):
        return []  # a run of `kdbench train --no-track` has no row, and weights all the same
    return rows(study, storage=storage, tracking_uri=uri)
