"""The trainable: what Ray runs for one trial, in a worker process that is used again for the next trial."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

from kdbench.errors import FULL, KDBenchError
from kdbench.running.payloads import read_job
from kdbench.training.callbacks import Evaluation, Outcome, TrainingCallback


def run_trial(config: dict[str, Any]) -> None:
    """Train the recipe in `config["payload"]` and report evaluations and the end to Tune as JSON events.

    A trial that Ray starts again after its node died finds its own checkpoint and goes on. Only a death of the
    process is an error for Ray: whatever can be caught is reported as the trial's end, so that Ray does not try a
    bug again.
    """
    payload = json.loads(config["payload"])
    try:
        outcome = _train(payload)
    except KDBenchError as error:
        outcome = Outcome("failed", str(error))
    except Exception as error:
        outcome = Outcome("failed", _reason(error, Path(payload["workdir"])))
    _report({"event": "end", "end": outcome.end, "reason": outcome.reason, "summary": outcome.summary}, 0.0)


def _reason(error: Exception, workdir: Path) -> str:
    """Why a trial failed, in a line; the stack goes into its folder."""
    if isinstance(error, OSError) and error.errno in FULL:
        return f"no space left on {workdir}; make room there and go on with: kdbench resume STUDY --retry-failed"
    try:
        (workdir / "error.txt").write_text(traceback.format_exc())
    except OSError:
        pass
    first = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}: {first} (see error.txt)"


class TuneCallback(TrainingCallback):
    """Hands evaluations to Tune. When Tune has decided to stop the trial, its `report` ends this thread."""

    def on_evaluation(self, evaluation: Evaluation) -> None:
        _report({"event": "report", **evaluation.plain()}, evaluation.value)

    def on_note(self, text: str) -> None:
        _report({"event": "note", "text": text}, 0.0)


def _report(event: dict[str, Any], value: float) -> None:
    from ray import tune

    tune.report({"kdbench": json.dumps(event), "value": value})


def _train(payload: dict[str, Any]) -> Outcome:
    from kdbench.training.job import Rank
    from kdbench.training.rank import train_rank

    job = read_job(payload)
    if payload.get("trained"):
        from kdbench.training.measuring import measure

        return measure(job, Path(payload["trained"]["weights"]), payload["trained"]["summary"])
    if job.recipe.schedule.gpus == 1:
        return train_rank(job, TuneCallback(), Rank())
    from kdbench.running.ranks import train_ranks

    return train_ranks(job, payload, TuneCallback())
