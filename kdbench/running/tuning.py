"""Ray Tune around the board: its searcher starts what the board says, its scheduler decides as the board says."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune
from ray.exceptions import OutOfMemoryError
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from kdbench.running.trial import run_trial
from kdbench.search.trials import MAX_DEATHS, Trials, last_costs


class MemoryLow(Exception):
    """Ray killed a worker, because the memory of its machine ran low; Tune does not live through that."""


class BoardSearcher(Searcher):
    """Tune asks for trials; the board answers."""

    def __init__(self, board: Trials, payload: Any) -> None:
        super().__init__(metric="value", mode="max")  # the board decides, so Tune need not know which way is better
        self.board, self.payload = board, payload
        self.names: dict[str, str] = {}
        self.latest: dict[str, str] = {}
        """Tune's trial that carries out a trial now: one that waited goes on as another of Tune's."""
        self.errors: dict[str, Path] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        trial = self.board.next()
        if trial is None:
            return Searcher.FINISHED if self.board.done else None
        self.names[trial_id], self.latest[trial.id] = trial.id, trial_id
        return {"payload": json.dumps(self.payload(trial)), "trial": trial.id, "processes": trial.recipe.schedule.gpus}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None: ...

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial = self.board.trials[self.names[trial_id]]
        goes_on = trial.paused or self.latest[trial.id] != trial_id
        if trial.end is not None or goes_on:
            return
        if trial.stop:
            self.board.end(trial, "pruned", None, last_costs(trial))
        elif error:
            self.board.end(trial, "lost", _cause_of_death(self.errors.get(trial_id)), last_costs(trial))
        else:
            self.board.end(trial, "failed", "it ended without a word", last_costs(trial))

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the ledger is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""


class BoardScheduler(FIFOScheduler):
    """Tune hands over every result; the board writes it down and decides."""

    def __init__(self, searcher: BoardSearcher) -> None:
        super().__init__()
        self.board, self.names, self.errors = searcher.board, searcher.names, searcher.errors

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Comes before the searcher's `on_trial_complete`, which is not told where the error stands."""
        if trial.error_file:
            self.errors[trial.trial_id] = Path(trial.error_file)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        state = self.board.trials[self.names[trial.trial_id]]
        event = json.loads(result["kdbench"], object_hook=_sharing_names)
        if event["event"] == "end":
            self.board.end(state, event["end"], event["reason"], event["summary"])
            return str(TrialScheduler.CONTINUE)
        if event["event"] == "note":
            self.board.note(state, event["text"])
            return str(TrialScheduler.CONTINUE)
        stop = self.board.report(state, event["epoch"], event["value"], event["metrics"])
        return str(TrialScheduler.STOP if stop else TrialScheduler.CONTINUE)


class Watch(tune.Callback):
    """Ends Tune's loop at its next step once the study was interrupted, should the exception itself have been lost."""

    def __init__(self, interrupted: Callable[[], bool]) -> None:
        self.interrupted = interrupted

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if self.interrupted():
            raise KeyboardInterrupt


class Slim(tune.Callback):
    """Forgets what Tune keeps of a trial that is over, some 20 kB each: the ledger has it."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        trial.config.pop("payload", None)
        # Not its last result: without it Tune writes a line for each trial.
        trial.run_metadata.metric_analysis, trial.run_metadata.metric_n_steps = {}, {}


def run_board(
    board: Trials,
    payload: Any,
    *,
    concurrent: int,
    folder: Path,
    interrupted: Callable[[], bool],
) -> None:
    """Run the remaining trials of a study or suite on the Ray that is up.

    Each process of a trial has its own bundle in the trial's placement group.

    Args:
        payload: trial state -> the plain data that its worker needs.
        interrupted: whether to stop now.

    Raises:
        MemoryLow: a worker was killed; the others end with this session of Ray.
    """
    resources = board.resources
    bundle = {"CPU": resources.cpus, **({"GPU": resources.gpus} if resources.gpus else {})}

    def placed(config: dict[str, Any]) -> tune.PlacementGroupFactory:
        return tune.PlacementGroupFactory([dict(bundle) for _ in range(config["processes"])])

    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # its stack traces are in the folder
    searcher = BoardSearcher(board, payload)
    tuner = tune.Tuner(
        tune.with_resources(run_trial, placed),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=BoardScheduler(searcher),
            num_samples=-1,
            max_concurrent_trials=concurrent,
            reuse_actors=True,
            trial_name_creator=lambda trial: str(trial.config.get("trial", trial.trial_id)),
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name=folder.name,
            storage_path=str(folder.parent),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=MAX_DEATHS),
            callbacks=[Watch(interrupted), Slim()],
        ),
    )
    try:
        tuner.fit()
    except RuntimeError as error:
        if isinstance(error.__cause__, OutOfMemoryError):
            raise MemoryLow from error
        raise


def _sharing_names(read: dict[str, Any]) -> dict[str, Any]:
    """The names of metrics are kept once, and not with every evaluation."""
    return {sys.intern(name): value for name, value in read.items()}


def _cause_of_death(errors: Path | None) -> str:
    """Of a trial that died too often, from the file in which Tune keeps its errors."""
    memory = errors is not None and errors.is_file() and "low on memory" in errors.read_text(errors="replace")
    why = " because the machine's memory ran low" if memory else ""
    return f"its process or node died {MAX_DEATHS + 1} times{why}"
