"""The board: what starts when, what a report means, and that the ledger brings it all back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdbench.errors import RunError
from kdbench.search.board import Board
from kdbench.search.ledger import FILE, Ledger
from kdbench.search.proposals.ask import STARTUP_TRIALS
from kdbench.search.trials import TrialState
from kdbench.specs.recipe import given_teacher_recipe
from kdbench.specs.space import Domain, load_space
from tests.unit.search.plans import DEFAULTS, plan


def quality(trial: TrialState, epoch: int) -> float:
    """A made-up mAP, a function of the proposal: this is about the board, not about detectors."""
    return float(1 / (1 + abs(trial.proposal.get("neck_fg_weight", 9.0) - 5)) * epoch / 8)


def run(board: Board, stop_after: int | None = None) -> None:
    """Play the trainer, one trial at a time; `stop_after` reports it is killed."""
    count = 0
    while (trial := board.next()) is not None:
        if trial.stage == "teacher":
            board.end(trial, "completed", None, {})
            board.teacher_ready = True
            continue
        for epoch in range(1, 9):
            if epoch in trial.reports:
                continue
            stop = board.report(trial, epoch, quality(trial, epoch), {"val/mAP": quality(trial, epoch)})
            count += 1
            if count == stop_after:
                return
            if stop:
                board.end(trial, "pruned", None, {})
                break
        else:
            board.end(trial, "completed", None, {"report/mAP": 0.2} if trial.stage == "final" else {})


def picture(board: Board) -> dict[str, tuple[object, ...]]:
    return {t.id: (t.recipe.hash, t.end, sorted(t.reports)) for t in board.trials.values()}


def test_order_teacher_baseline_method(tmp_path: Path) -> None:
    board = Board(plan(), tmp_path, teacher_ready=False, listeners=[])
    first = board.next()
    assert first is not None
    assert first.stage == "teacher"
    others = [board.next() for _ in range(4)]
    # Baselines need no teacher and go on beside it; the method waits.
    assert [t and t.id for t in others] == ["none-000", "none-001", "none-002", None]
    assert not board.done
    board.end(first, "completed", None, {})
    board.teacher_ready = True
    trial = board.next()
    assert trial is not None
    assert trial.id == "defeat-000"
    assert trial.recipe.method.params["neck_fg_weight"] == 3.0
    assert trial.recipe.teacher is not None
    assert others[0] is not None
    assert others[0].recipe.teacher is None


@pytest.mark.parametrize("scheduler", ["none", "asha"])
@pytest.mark.parametrize("cut", [1, 3, 9, 14, 30, 41])
def test_killed_and_resumed_is_as_never_killed(tmp_path: Path, scheduler: str, cut: int) -> None:
    whole = Board(plan(scheduler=scheduler), tmp_path, teacher_ready=False, listeners=[])
    run(whole)
    assert whole.done
    other = tmp_path / "other"
    other.mkdir()
    run(Board(plan(scheduler=scheduler), other, teacher_ready=False, listeners=[]), stop_after=cut)
    with open(other / FILE, "ab") as file:
        file.write(b'{"event": "report", "tri')  # the line that the kill cut off
    again = Board(plan(scheduler=scheduler), other, teacher_ready=True, listeners=[])
    again.settle()
    run(again)
    assert again.done
    assert picture(again) == picture(whole)
    assert len({t.recipe.hash for t in again.trials.values()}) == len(again.trials)


def test_asha_prunes_and_never_mixes_arms(tmp_path: Path) -> None:
    board = Board(plan(scheduler="asha"), tmp_path, teacher_ready=True, listeners=[])
    run(board)
    ends = [t.end for t in board.trials.values() if t.arm == "defeat"]
    assert "pruned" in ends
    assert "completed" in ends
    assert next(t for t in board.trials.values() if t.arm == "none").end == "completed"


def test_a_report_told_twice_counts_once(tmp_path: Path) -> None:
    board = Board(plan(), tmp_path, teacher_ready=True, listeners=[])
    trial = board.next()
    assert trial is not None
    for _ in range(2):
        board.report(trial, 1, 0.5, {"val/mAP": 0.5})
    board.end(trial, "completed", None, {})
    board.end(trial, "failed", "late", {})
    events = [json.loads(line)["event"] for line in (tmp_path / FILE).read_text().splitlines()]
    assert events == ["trial", "report", "end"]
    assert trial.end == "completed"


def test_a_failed_teacher_ends_the_study_with_its_reason(tmp_path: Path) -> None:
    board = Board(plan(), tmp_path, teacher_ready=False, listeners=[])
    teacher = board.next()
    assert teacher is not None
    board.end(teacher, "infeasible", "loss became nan", {})
    assert board.next() is None
    assert board.done
    assert "loss became nan" in str(Board(plan(), tmp_path, teacher_ready=False, listeners=[]).problem)


def test_lost_trials_are_tried_again_and_keep_their_reports(tmp_path: Path) -> None:
    board = Board(plan(), tmp_path, teacher_ready=True, listeners=[])
    trial = board.next()
    assert trial is not None
    board.report(trial, 1, 0.1, {"val/mAP": 0.1})
    board.end(trial, "lost", "node gone", {})
    again = Board(plan(), tmp_path, teacher_ready=True, listeners=[])
    assert again.retry(("lost",)) == 1
    first = again.next()
    assert first is not None
    assert (first.id, sorted(first.reports)) == (trial.id, [1])


def test_finalists_get_fresh_seeds(tmp_path: Path) -> None:
    board = Board(plan(seeds=2, trials=3), tmp_path, teacher_ready=True, listeners=[])
    run(board)
    finals = [t for t in board.trials.values() if t.stage == "final"]
    assert len(finals) == 4
    best = board.best("defeat")
    assert best is not None
    mine = [t for t in finals if t.arm == "defeat"]
    assert {t.recipe.config_hash for t in mine} == {best.recipe.config_hash}
    assert {t.recipe.seed for t in mine} == {1, 2}


def test_a_damaged_ledger_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b'{"event": "x"\n{"event": "y"}\n')
    with pytest.raises(RunError, match="line 1 is damaged"):
        Ledger(tmp_path / FILE).read()


def test_tpe_finds_a_better_region_than_its_start(tmp_path: Path) -> None:
    board = Board(plan(trials=40), tmp_path, teacher_ready=True, listeners=[])
    run(board)
    values = [t.best or 0 for t in board.trials.values() if t.arm == "defeat"]
    assert sum(values[20:]) / 20 > sum(values[1:9]) / 8


def test_a_fixed_parameter_is_not_searched(tmp_path: Path) -> None:
    board = Board(plan(fixed={"decay": "linear"}, trials=4), tmp_path, teacher_ready=True, listeners=[])
    run(board)
    mine = [t for t in board.trials.values() if t.arm == "defeat"]
    assert {t.recipe.method.params["decay"] for t in mine} == {"linear"}
    assert all("decay" not in t.proposal for t in mine)


@pytest.mark.parametrize("algorithm", ["random", "grid"])
def test_other_algorithms_run_to_their_end(tmp_path: Path, algorithm: str) -> None:
    board = Board(plan(algorithm=algorithm, trials=5), tmp_path, teacher_ready=True, listeners=[])
    run(board)
    assert board.done
    mine = [canonical(t) for t in board.trials.values() if t.arm == "defeat"]
    assert len(mine) == len(set(mine)) == 5


def canonical(trial: TrialState) -> str:
    return json.dumps(trial.proposal, sort_keys=True)


def test_a_small_grid_ends_early(tmp_path: Path) -> None:
    fixed = {k: v for k, v in DEFAULTS.items() if k != "decay"}
    board = Board(plan(algorithm="grid", fixed=fixed, trials=50), tmp_path, teacher_ready=True, listeners=[])
    run(board)
    assert board.done
    assert sum(1 for t in board.trials.values() if t.arm == "defeat") == 4


def test_a_choice_of_1_takes_the_published_1_0(tmp_path: Path) -> None:
    """A method's defaults are floats, a space's file may say 1."""
    space = load_space("defeat").model_copy(update={"params": {"neck_fg_weight": Domain(choice=(0.5, 1, 3))}})
    given = plan(space=space, defaults={**DEFAULTS, "neck_fg_weight": 1.0}, trials=STARTUP_TRIALS + 3)
    board = Board(given, tmp_path, teacher_ready=True, listeners=[])
    run(board)
    values = [t.proposal["neck_fg_weight"] for t in board.trials.values() if t.arm == "defeat"]
    assert values[0] == 1.0
    assert sorted(values) == [0.5, 1.0, 3]  # that is all there is, and nothing is trained twice


def test_a_given_teacher_is_evaluated_first_and_nothing_waits_for_it(tmp_path: Path) -> None:
    given = plan(teacher_train=False, trials=1)
    assert given.teacher is not None
    recipe = given_teacher_recipe(given.task, given.teacher)
    board = Board(given, tmp_path, teacher_ready=True, evaluate=recipe, listeners=[])
    first, second = board.next(), board.next()
    assert first is not None
    assert second is not None
    assert (first.id, first.given, first.epochs, second.id) == ("teacher", "t", 0, "none-000")
    assert board.expected() == (5, 4 * given.task.schedule.epochs)
    board.end(first, "failed", "out of memory", {})
    for trial in [second, *iter(board.next, None)]:
        assert trial is not None
        board.end(trial, "completed", None, {})
    assert board.problem is None  # only its figures are missing
    assert board.done
    assert Board(given, tmp_path, teacher_ready=True, evaluate=recipe, listeners=[]).done
