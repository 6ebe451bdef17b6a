"""Reading runs back: everything that the leaderboard knows comes from here."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from kdbench.errors import printable
from kdbench.tracking import store
from kdbench.tracking.client import connect, shown, telling
from kdbench.tracking.names import matching
from kdbench.tracking.quick_sqlite import stored_runs

log = logging.getLogger("kdbench.tracking")

PAGE = 500
"""Runs in one answer: some seconds over HTTP, well under the time limit."""
KINDS = ("study", "trial", "teacher")


@dataclass(frozen=True)
class Run:
    """One run. What it does not have is None; `metrics` are the latest values; times are Unix seconds.

    `published` is the key of the published row that it reproduces, as `defeat/voc-05`; `reused` the STUDY/TRIAL that a
    trial was taken over from; `answer` what a study says in the end.
    """

    run_id: str
    kind: str
    study: str | None
    task: str
    method: str | None = None
    trial: str | None = None
    recipe: str | None = None
    config: str | None = None
    seed: int | None = None
    teacher: str | None = None
    stage: str | None = None
    split: str | None = None
    end: str | None = None
    reason: str | None = None
    published: str | None = None
    reused: str | None = None
    answer: str | None = None
    status: str = "RUNNING"
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    start_time: float | None = None
    end_time: float | None = None


def read_runs(
    uri: str,
    *,
    task: str | None = None,
    studies: Collection[str] | None = None,
    kinds: Collection[str] = KINDS,
    method: str | None = None,
) -> list[Run]:
    """The runs of kdbench at `uri`, the oldest first; [] when there are none.

    Args:
        studies: only these; teachers belong to no study and come along.
        method: only this one's trials.

    Raises:
        InputError: nothing answers at `uri`.

    Example:
        >>> [run.metrics["best/mAP"] for run in read_runs(uri, studies=["first"], kinds=["trial"])]
        [0.21, 0.35]
    """
    if not store.exists(uri):
        return []
    runs = _quickly(uri, task, studies, kinds, method)
    if runs is None:
        runs = _through_mlflow(uri, task, studies, kinds, method)
    return sorted((run for run in runs if run.kind in kinds), key=lambda run: (run.start_time or 0.0, run.run_id))


def _quickly(
    uri: str, task: str | None, studies: Collection[str] | None, kinds: Collection[str], method: str | None
) -> list[Run] | None:
    """From an SQLite file, without MLflow; None where that does not do."""
    path = store.database(uri)
    if path is None:
        return None

    def wanted(tags: dict[str, str]) -> bool:
        kind, study = tags["kdbench.kind"], tags.get("kdbench.study")
        if studies is not None and kind != "teacher" and study not in studies:
            return False
        named = {"kdbench.task": task, "kdbench.method": method}
        return kind in kinds and all(value is None or tags.get(tag) == value for tag, value in named.items())

    found = stored_runs(path, task, wanted)
    if found is None:
        return None
    if found.unreadable:
        _tell_unreadable(shown(uri), found.unreadable)
    return [
        _made(run.run_id, run.status, run.start_time, run.end_time, run.tags, run.params, run.metrics)
        for run in found.runs
    ]


@lru_cache(maxsize=64)
def _tell_unreadable(place: str, count: int) -> None:
    """Once for each place: several questions make one table."""
    log.warning("%s: %d run%s cannot be read and left out", place, count, "s" if count > 1 else "")


def _through_mlflow(
    uri: str, task: str | None, studies: Collection[str] | None, kinds: Collection[str], method: str | None
) -> list[Run]:
    client = connect(uri)
    with telling(uri):
        places = _experiments(client, task)
        wanted = [_filter(one, task, method) for one in _selections(studies, kinds)]
        found = [run for text in wanted for run in _pages(client, places, text)] if places else []
    return [_run(entry) for entry in found]


def read_history(uri: str, run_id: str, metric: str) -> list[tuple[int, float]]:
    """All (step, value) of a metric of a run, by step; [] when it has none."""
    return read_histories(uri, {run_id: metric}).get(run_id, [])


def read_histories(uri: str, metrics: Mapping[str, str]) -> dict[str, list[tuple[int, float]]]:
    """All (step, value) of one metric of each run, by step, over one connection: a request a run.

    Args:
        metrics: run id -> the metric that is wanted of it.
    """
    if not metrics or not store.exists(uri):
        return {}
    client = connect(uri)
    with telling(uri):
        return {
            run_id: sorted((entry.step, entry.value) for entry in client.get_metric_history(run_id, metric))
            for run_id, metric in metrics.items()
        }


def _experiments(client: Any, task: str | None) -> list[str]:
    if task is not None:
        found = client.get_experiment_by_name(task)
        return [found.experiment_id] if found is not None and found.lifecycle_stage == "active" else []
    places, token = [], None
    while True:
        page = client.search_experiments(max_results=1000, page_token=token)
        places += [entry.experiment_id for entry in page]
        token = page.token
        if not token:
            return places


def _selections(studies: Collection[str] | None, kinds: Collection[str]) -> list[dict[str, str]]:
    """The tags to ask for: one question when everything is wanted, otherwise one for each study."""
    if studies is None:
        return [{"kdbench.kind": next(iter(kinds))}] if len(kinds) == 1 else [{}]
    own = [{"kdbench.study": study} for study in dict.fromkeys(studies)] if set(kinds) != {"teacher"} else []
    return own + ([{"kdbench.kind": "teacher"}] if "teacher" in kinds else [])


def _filter(tags: dict[str, str], task: str | None, method: str | None) -> str:
    more = {name: value for name, value in {"task": task, "method": method}.items() if value is not None}
    text = matching({**tags, **{f"kdbench.{name}": value for name, value in more.items()}})
    return text or "tags.`kdbench.kind` LIKE '%'"  # a server may hold other people's runs


def _pages(client: Any, places: list[str], text: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_runs(places, text, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _run(entry: Any) -> Run:
    info, data = entry.info, entry.data
    return _made(
        info.run_id, info.status, info.start_time, info.end_time, data.tags, dict(data.params), dict(data.metrics)
    )


def _made(
    run_id: str,
    status: str,
    start_time: int | None,
    end_time: int | None,
    tags: dict[str, str],
    params: dict[str, str],
    metrics: dict[str, float],
) -> Run:
    """A run of what MLflow keeps; times come in milliseconds. No control character of a store goes further than here."""
    tags = {name: printable(value) for name, value in tags.items() if name.startswith("kdbench.")}
    params = {name: printable(value) for name, value in params.items()}
    own = {name: tags.get(f"kdbench.{name}") for name in ("study", "method", "trial", "recipe", "config", "teacher")}
    states = {
        name: tags.get(f"kdbench.{name}")
        for name in ("stage", "split", "end", "reason", "published", "reused", "answer")
    }
    seed = tags.get("kdbench.seed", "")
    return Run(
        run_id=run_id,
        kind=tags.get("kdbench.kind", ""),
        task=tags.get("kdbench.task", ""),
        seed=int(seed) if seed.lstrip("-").isdigit() else None,
        status=status,
        params=params,
        metrics=metrics,
        start_time=start_time / 1000 if start_time else None,
        end_time=end_time / 1000 if end_time else None,
        **own,
        **states,
    )
