"""The board of a suite: order, teachers first, nothing trained twice, and the ledger brings it all back."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.search.finding import Trained
from kdbench.search.reuse import Trainings
from kdbench.search.suite_board import SuiteBoard
from kdbench.search.trials import Listener, TrialState
from kdbench.specs.base import content_hash
from kdbench.specs.recipe import TeacherRef, given_teacher_recipe, task_recipe, teacher_recipe
from kdbench.specs.suite import PlannedRow, SuitePlan
from kdbench.specs.task import load_task

TASK = load_task("shapes")
TEACHER = teacher_recipe(TASK)
REFERENCE = TeacherRef(config="x", id=TEACHER.hash)
PLAIN = PlannedRow(id="plain", recipe=task_recipe(TASK, "none", {}, {}, None, 0), teacher=TEACHER.hash)
TAUGHT = PlannedRow(
    id="taught", recipe=task_recipe(TASK, "pkd", {"weight": 6.0}, {}, REFERENCE, 0), teacher=TEACHER.hash
)
FIGURES = {"best/mAP": 0.3, "report/mAP": 0.2}


def suite(rows: tuple[PlannedRow, ...] = (PLAIN, TAUGHT), seeds: int = 2) -> SuitePlan:
    plan = SuitePlan(study="s", suite="x", grade="full", title="t", rows=rows, seeds=seeds, teachers=(TEACHER,))
    return SuitePlan.model_validate(plan.model_dump())


class Shop(Listener):
    """Puts a trained teacher into the store, as the keeper does."""

    board: SuiteBoard

    def on_end(self, trial: TrialState) -> None:
        if trial.stage == "teacher" and trial.end == "completed":
            self.board.teacher_stored(trial.recipe.hash)


def board(folder: Path, plan: SuitePlan | None = None, *, known: Trainings | None = None) -> SuiteBoard:
    folder.mkdir(exist_ok=True)
    shop = Shop()
    made = SuiteBoard(
        plan or suite(), folder, stored=(), finished=known or Trainings(folder / "none", None), listeners=[shop]
    )
    shop.board = made
    for trial in made.trials.values():
        shop.on_end(trial)
    return made


def play(made: SuiteBoard, count: int = 99) -> list[str]:
    """Train one trial after the other; the names, in order."""
    names = []
    while len(names) < count and (trial := made.next()) is not None:
        names.append(trial.id)
        made.report(trial, 1, 0.3, {"val/mAP": 0.3})
        made.end(trial, "completed", None, FIGURES)
    return names


def trained(folder: Path, recipe: object, *, weights: bool = True, **changes: object) -> Trained:
    folder.mkdir(parents=True)
    if weights:
        (folder / "student.pth").write_bytes(b"weights")
    values = {"reports": {1: {"val/mAP": 0.3}}, "end": "completed", "summary": dict(FIGURES), **changes}
    return Trained("elsewhere", "pkd-007", "search", recipe, folder, **values)  # type: ignore[arg-type]


def test_seed_after_seed_and_the_teacher_first(tmp_path: Path) -> None:
    made = board(tmp_path)
    assert made.expected() == (5, 4 * TASK.schedule.epochs + TEACHER.schedule.epochs)
    assert play(made) == [f"teacher-{TEACHER.hash}", "plain-seed0", "taught-seed0", "plain-seed1", "taught-seed1"]
    assert made.done
    assert made.problem is None
    assert [t.recipe.seed for t in made.trials.values()] == [0, 0, 0, 1, 1]


def test_rows_without_a_teacher_do_not_wait(tmp_path: Path) -> None:
    made = board(tmp_path)
    assert [made.next().id, made.next().id, made.next().id] == [  # type: ignore[union-attr]
        f"teacher-{TEACHER.hash}",
        "plain-seed0",
        "plain-seed1",
    ]
    assert made.next() is None
    assert not made.done


@pytest.mark.parametrize("killed_after", [0, 1, 3, 5])
def test_killed_and_resumed_is_as_never_killed(tmp_path: Path, killed_after: int) -> None:
    whole = board(tmp_path / "whole")
    play(whole)
    play(board(tmp_path / "cut"), killed_after)
    again = board(tmp_path / "cut")
    play(again)
    assert {k: (t.recipe, t.end, t.summary) for k, t in again.trials.items()} == {
        k: (t.recipe, t.end, t.summary) for k, t in whole.trials.items()
    }


def test_a_given_teacher_is_evaluated_once_and_its_rows_do_not_wait(tmp_path: Path) -> None:
    given = TeacherRef(config="x", id="file-1")
    recipe = given_teacher_recipe(TASK, given)
    row = PlannedRow(id="taught", recipe=PLAIN.recipe.model_copy(update={"teacher": given}), teacher=given.id)
    plan = suite((row,), seeds=1).model_copy(update={"teachers": (), "given": (recipe,)})

    def made() -> SuiteBoard:
        finished = Trainings(tmp_path / "none", None)
        return SuiteBoard(plan, tmp_path, stored=["file-1"], finished=finished, evaluate=[recipe], listeners=[])

    first = made()
    assert first.expected() == (2, TASK.schedule.epochs)
    names = [first.next(), first.next()]
    assert [trial and trial.id for trial in names] == [f"teacher-{recipe.hash}", "taught-seed0"]
    assert not first.done
    for trial in names:
        assert trial is not None
        first.end(trial, "completed", None, FIGURES)
    assert first.done
    assert made().done


def test_without_its_teacher_a_row_is_left_and_said(tmp_path: Path) -> None:
    made = board(tmp_path)
    teacher = made.next()
    assert teacher is not None
    made.end(teacher, "infeasible", "not finite", {})
    assert play(made) == ["plain-seed0", "plain-seed1"]
    assert made.done
    assert "so its rows could not be trained: not finite" in str(made.problem)


def test_what_is_known_is_taken_over(tmp_path: Path) -> None:
    known = Trainings(tmp_path / "none", None)
    known.add([trained(tmp_path / "elsewhere", TAUGHT.recipe)])
    made = board(tmp_path / "s", known=known)
    assert "taught-seed0" not in play(made)
    taken = made.trials["taught-seed0"]
    assert (taken.end, taken.summary, taken.reused) == ("completed", FIGURES, "elsewhere/pkd-007")
    assert taken.reports == {1: (0.3, {"val/mAP": 0.3})}
    assert (tmp_path / "s" / "trials" / "taught-seed0" / "student.pth").read_bytes() == b"weights"
    assert made.trials["taught-seed1"].reused is None


def test_without_a_figure_of_the_report_split_a_worker_measures(tmp_path: Path) -> None:
    known = Trainings(tmp_path / "none", None)
    known.add([trained(tmp_path / "elsewhere", PLAIN.recipe, summary={"best/mAP": 0.3})])
    made = board(tmp_path / "s", known=known)
    made.next()
    trial = made.next()
    assert trial is not None
    assert (trial.id, trial.end, trial.reused) == ("plain-seed0", None, "elsewhere/pkd-007")


def test_a_row_that_is_the_teacher_is_not_trained_twice(tmp_path: Path) -> None:
    row = PlannedRow(id="big", recipe=TEACHER, teacher=TEACHER.hash)
    made = board(tmp_path, suite((row, TAUGHT), seeds=1))
    assert play(made) == [f"teacher-{TEACHER.hash}", "taught-seed0"]
    assert made.trials["big-seed0"].reused == f"s/teacher-{TEACHER.hash}"


def test_what_is_no_training_of_the_recipe(tmp_path: Path) -> None:
    recipe = TAUGHT.recipe
    gone = trained(tmp_path / "a", recipe, weights=False, summary={})
    failed = trained(tmp_path / "b", recipe, end="failed")
    for one in (gone, failed):
        known = Trainings(tmp_path / "none", None)
        known.add([one])
        assert known(recipe) is None


def test_trained_on_other_files(tmp_path: Path) -> None:
    recipe = task_recipe(load_task("bccd"), "none", {}, {}, None, 0)
    one = trained(tmp_path / "a", recipe, data_root=Path("/one"))
    for root, same in ((Path("/one"), True), (Path("/two"), False)):
        known = Trainings(tmp_path / "none", root)
        known.add([one])
        assert (known(recipe) is not None) == same


def test_the_identity_of_the_annotations_decides_where_it_is_known(tmp_path: Path) -> None:
    recipe = task_recipe(load_task("bccd"), "none", {}, {}, None, 0)
    dataset = content_hash(recipe.dataset.plain())
    one = trained(tmp_path / "a", recipe, data_root=Path("/one"), data="a")
    for data, root, same in (("a", "/two", True), ("b", "/one", False), ("", "/one", True), ("", "/two", False)):
        known = Trainings(tmp_path / "none", Path(root), {dataset: data})
        known.add([one])
        assert (known(recipe) is not None) == same
