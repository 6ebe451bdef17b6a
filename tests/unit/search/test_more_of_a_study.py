"""More for a study that is there: extensions, values by hand, and trainings taken over from other studies."""

from __future__ import annotations

from pathlib import Path

from kdbench.search.arms.budget import spent
from kdbench.search.board import BY_HAND, Board
from kdbench.search.finding import Trained
from kdbench.search.queue import Queue
from kdbench.specs.recipe import Recipe
from kdbench.specs.study import Known, Point
from tests.unit.search.plans import arm, several
from tests.unit.search.playing import Formula, open_board, picture, played

HEIGHTS = {"defeat": 0.30, "fgd": 0.34, "pkd": 0.26}


def names(board: Board) -> list[str]:
    return [trial.id for trial in board.trials.values()]


def test_extended_after_its_end_only_what_is_new_is_trained(tmp_path: Path) -> None:
    formula = Formula(HEIGHTS)
    board = played(formula, several("defeat", "fgd", trials=4), tmp_path)
    before, trained = picture(board)["trials"], len(formula.trained)
    board.extend({"trials": 7, "seeds": 3})
    assert not board.done
    formula.play(board)
    after = picture(board)["trials"]
    assert {name: after[name] for name in before} == before
    assert [name for name in names(board) if name not in before] == [
        *("defeat-002", "fgd-002", "defeat-003"),
        *(
            f"{name}-seed{seed}"
            for seed in range(3)
            for name in ("none-000", board.best("fgd").id, board.best("defeat").id)
        ),  # type: ignore[union-attr]
    ]
    assert len(formula.trained) - trained == 12 * 8
    assert len(formula.trained) == len(set(formula.trained))
    again = open_board(several("defeat", "fgd", trials=4), tmp_path, teacher_ready=True)
    assert picture(again) == picture(board)
    assert again.done


def test_an_arm_joins(tmp_path: Path) -> None:
    formula = Formula(HEIGHTS)
    plan = several("defeat", "fgd", trials=4)
    board = played(formula, plan, tmp_path)
    arms = [entry.model_dump(mode="json", by_alias=True) for entry in (*plan.arms, arm("pkd"))]
    board.extend({"trials": 8, "arms": arms})
    formula.play(board)
    assert list(names(board)[6:]) == ["pkd-000", "pkd-001", "defeat-002", "fgd-002"]
    assert board.trials["pkd-000"].proposal == {"weight": 1.0}


def test_halving_goes_on_with_the_arms_that_are_left(tmp_path: Path) -> None:
    formula = Formula(HEIGHTS)
    board = played(formula, several(*HEIGHTS, trials=9, allocate="halving"), tmp_path)
    dropped, rounds = set(board.rounds.drops), len(board.rounds.rounds)
    assert dropped == {"pkd"}
    board.extend({"trials": 13})
    formula.play(board)
    assert len(board.rounds.rounds) == rounds + 1
    assert board.rounds.rounds[-1].shares == {"fgd": 4}
    assert set(board.rounds.drops) == {"pkd", "defeat"}


def test_values_by_hand_come_next_but_after_the_published_ones(tmp_path: Path) -> None:
    plan = several("defeat", "fgd", trials=6)
    Queue(tmp_path).add("fgd", {"weight": 7.0})
    board = open_board(plan, tmp_path, teacher_ready=True)
    formula = Formula(HEIGHTS)
    for _ in range(4):  # none, and the published values of both; then the point
        trial = board.next()
        assert trial is not None
        formula.train(board, trial)
    assert (trial.id, trial.proposal, trial.origin) == ("fgd-001", {"weight": 7.0}, BY_HAND)
    Queue(tmp_path).add("defeat", {"weight": 500.0})  # while it runs, and outside its space
    again = open_board(plan, tmp_path, teacher_ready=True)
    trial = again.next()
    assert trial is not None
    assert (trial.id, trial.proposal) == ("defeat-001", {"weight": 500.0})
    formula.train(again, trial)
    formula.play(again)
    assert sum(1 for t in again.trials.values() if t.origin == BY_HAND) == 2
    assert sum(1 for t in again.trials.values() if t.stage == "search") == 7


def test_points_and_known_trials_of_other_studies(tmp_path: Path) -> None:
    told = tuple(
        Known(source=f"old/defeat-{n:03d}", proposal={"weight": 0.5 + n}, end="completed", value=0.2 + 0.01 * n)
        for n in range(9)
    )
    points = (Point(source="far/defeat-004", proposal={"weight": 3.0}), Point(source="far/x", proposal={"weight": 1.0}))
    plan = several(trials=3, algorithm="optuna").model_copy(
        update={"arms": (arm("defeat", known=told, points=points),)}
    )
    board = played(Formula(HEIGHTS), plan, tmp_path)
    own = board.rounds.of("defeat")
    # The second point is the published values again, which were tried first.
    assert [(t.proposal, t.origin) for t in own[:2]] == [({"weight": 1.0}, None), ({"weight": 3.0}, "far/defeat-004")]
    assert own[2].origin is None
    alone = plan.model_copy(update={"arms": (arm("defeat", points=points),)})
    other = played(Formula(HEIGHTS), alone, tmp_path / "other")
    assert own[2].proposal != other.rounds.of("defeat")[2].proposal, "the sampler does not know what it was told"


def taken_from(board: Board) -> dict[str, Trained]:
    """By recipe, what a board has trained."""
    return {
        t.recipe.hash: Trained(
            "first", t.id, t.stage, t.recipe, board.folder, None, {e: f for e, (_, f) in t.reports.items()}, *_end(t)
        )
        for t in board.trials.values()
        if t.end == "completed" and t.stage != "teacher"
    }


def _end(trial: object) -> tuple[str, None, dict[str, float]]:
    return "completed", None, trial.summary  # type: ignore[attr-defined]


def test_a_second_study_on_a_task_trains_no_recipe_twice(tmp_path: Path) -> None:
    formula = Formula(HEIGHTS)
    first = played(formula, several("defeat", trials=4, seeds=2), tmp_path / "first")
    known, count = taken_from(first), len(formula.trained)

    def finished(recipe: Recipe) -> Trained | None:
        return known.get(recipe.hash)

    plan = several("defeat", "fgd", trials=4, seeds=2)
    second = played(formula, plan, tmp_path / "second", teacher_ready=True, finished=finished)
    reused = {t.id: t.reused for t in second.trials.values() if t.reused}
    assert reused["none-000"] == "first/none-000"
    assert reused["defeat-000"] == "first/defeat-000"
    assert reused["none-000-seed0"] == "first/none-000-seed0"
    assert second.trials["defeat-000"].reports == first.trials["defeat-000"].reports
    assert len(formula.trained) == len(set(formula.trained)), "a recipe was trained twice"
    fresh = [t for t in second.trials.values() if not t.reused and t.stage != "teacher"]
    assert len(formula.trained) - count == 8 * len(fresh)
    assert spent(second.trials.values()) == sum(t.summary["cost/device_hours"] for t in fresh)
    anew = plan.model_copy(update={"reuse": False})
    third = played(formula, anew, tmp_path / "third", teacher_ready=True, finished=finished)
    assert not any(t.reused for t in third.trials.values())
