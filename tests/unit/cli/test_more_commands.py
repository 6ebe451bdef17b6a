"""`retry`, `extend` and `enqueue` on studies that are there, and what `search` refuses of several methods: one line, exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.cli import main
from kdbench.data import prepare
from kdbench.search import folders
from kdbench.search.ledger import FILE, Ledger
from kdbench.search.queue import Queue
from kdbench.specs.recipe import task_recipe
from kdbench.specs.study import StudyPlan
from kdbench.specs.suite import PlannedRow, SuitePlan
from kdbench.specs.task import load_task
from tests.unit.search.plans import arm

TASK = load_task("shapes", {"dataset.train.size": 4, "dataset.search.size": 2, "dataset.report.size": 2})
ENDS = {"none-000": "completed", "pkd-000": "completed", "pkd-001": "infeasible"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that has ended, of PKD, and a suite's run of one row."""
    home = tmp_path_factory.mktemp("home")
    content = prepare(TASK.dataset, home, None).content
    plan = StudyPlan(study="mine", task=TASK, arms=(arm("pkd"),), detector="one_stage", trials=2, data=content)
    row = PlannedRow(id="plain", recipe=task_recipe(TASK, "none", {}, {}, None, 0))
    suite = SuitePlan(study="table", suite="x", grade="full", title="t", rows=(row,), seeds=1)
    for one in (plan, suite):
        folders.create(home, one)
    recipe = task_recipe(TASK, "none", {}, {}, None, 0).plain()
    for study, ends in (("mine", ENDS), ("table", {"plain-seed0": "completed"})):
        ledger = Ledger(home / "studies" / study / FILE)
        for name, end in ends.items():
            known = {"arm": name.partition("-")[0], "stage": "search", "number": 0, "proposal": {}}
            ledger.append({"event": "trial", "trial": name, "recipe": recipe, **known})
            ledger.append({"event": "end", "trial": name, "end": end, "reason": None, "summary": {}})
    return home


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a command that refuses."""
    with pytest.raises(SystemExit) as done:
        main([*arguments])
    out, err = capsys.readouterr()
    assert (done.value.code, out) == (2, ""), err
    assert err.startswith("kdbench: ")
    assert err.count("\n") == 1
    return err.strip()


ON_A_STUDY = [
    (["retry", "mine", "--set", "cpu=2"], "--set cpu: a retry cannot change it", "did you mean 'cpus'?"),
    (["retry", "mine", "--set", "schedule.lr=1"], "--set schedule.lr: a retry", "the recipe stays what it is"),
    (["retry", "mine", "--set", "cpus"], "KEY=VALUE", ""),
    (["retry", "mine", "--only", ""], "no end state ''", "known: failed, infeasible, lost"),
    (["retry", "mine", "--only", "infeasible", "--set", "cpus=-1"], "--set: key 'cpus'", "greater than 0"),
    (["retry", "mine", "--only", "infeasible", "--set", "concurrent=few"], "--set: key 'concurrent'", "'few'"),
    (["retry", "mine", "--only", "infeasible", "--set", "cpus=9000"], "a trial needs 9000 CPU", "lower --cpus"),
    (["retry", "mine"], "no trial that ended as failed or lost (2 completed, 1 infeasible)", "'kdbench resume mine'"),
    (["retry", "mine", "--only", "lost"], "no trial that ended as lost", "--only"),
    (["retry", "mien"], "no study 'mien'", "did you mean 'mine'?"),
    (["retry", "table"], "no trial that ended as failed or lost (1 completed)", ""),
    (["retry", "table", "--set", "cpus=1"], "table is a run of a suite, whose resources stay", "leave it out"),
    (["extend", "table", "--trials", "+3"], "table is a run of a suite, which has nothing to extend", ""),
    (["extend", "mine"], "nothing to add; give --trials", ""),
    (["extend", "mine", "--trials", "-3"], "--trials -3: must be at least 1", ""),
    (["extend", "mine", "--hours", "+2"], "study mine has a budget of trials alone; give --trials", ""),
    (["enqueue", "table", "weight=2"], "table is a run of a suite, which has nothing to enqueue", ""),
    (["enqueue", "mine", "wieght=2"], "wieght: pkd has no such value", "did you mean 'weight'?"),
    (["enqueue", "mine", "training.lr=fast"], "training.lr 'fast': must be a number above 0", ""),
]


@pytest.mark.parametrize(
    ("arguments", "words", "hint"), ON_A_STUDY, ids=lambda v: " ".join(v) if isinstance(v, list) else ""
)
def test_what_a_study_refuses_changes_nothing_of_it(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str, hint: str
) -> None:
    def files() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in (home / "studies").rglob("*") if p.is_file() and p.name != "lock"}

    before = files()
    line = said(capsys, *arguments, "--storage", str(home))
    assert words in line
    assert hint in line
    assert files() == before


def test_a_point_is_taken_and_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["enqueue", "mine", "weight=500", "--storage", str(home)])
    out, err = capsys.readouterr()
    assert (done.value.code, err) == (0, "")
    assert out == "pkd tries next: weight=500\noutside the search space: weight\n"
    queue = Queue(home / "studies" / "mine")
    assert queue.read() == [("pkd", {"weight": 500})]
    queue.path.unlink()


WORDS = [
    (["extend", "mine", "--trials", "+x"], "'+x' is no number; give e.g. +12"),
    (["extend", "mine", "--trials", "nan"], "'nan' is no number"),
    (["extend", "mine", "--trials", "inf"], "'inf' is no number"),
    (["extend", "mine", "--trials", "1e400"], "'1e400' is no number"),
    (["extend", "mine", "--trials", ""], "'' is no number"),
    (["extend", "mine", "--hours", "nan"], "'nan' is no number"),
    (["extend", "mine", "--hours", "inf"], "'inf' is no number"),
    (["extend", "mine", "--seeds", "1.5"], "'1.5' is not a valid integer"),
    (["search", "none", "defeat"], "none is the baseline, which every study has; leave it out"),
    (["search", "all", "all"], "all means every method"),
    (["search", "defeat", "--hours", "-1"], "--hours -1: must be above 0"),
    (["search", "defeat", "--hours", "inf"], "must be a finite number"),
    (["search", "defeat", "--prior", "nan"], "must be a finite number"),
    (["search", "defeat", "--trials", "1.5"], "'1.5' is not a valid integer"),
    (["search", "defeat", "--space", "fgd=x.yaml"], "--space fgd=x.yaml: no method 'fgd' here; known: defeat"),
    (["search", "defeat", "mgd", "--space", "fgd=x.yaml"], "no method 'fgd' here; did you mean 'mgd'?"),
    (["search", "none", "--space", "defeat=defeat"], "no method 'defeat' here; known: none"),
    (["search", "all", "--space", "fgd"], "say which, e.g. cwd=FILE"),
    (["search", "defeat", "--set", "decay=linear"], "a method's parameter; write method.decay"),
    (["search", "fgd", "defeat", "--set", "decay=linear"], "a method's parameter; write defeat.decay"),
    (["search", "defeat", "mgd", "--set", "fgd.alpha=1"], "--set fgd.alpha: no method 'fgd' here"),
    (["search", "none", "--set", "defeat.decay=linear"], "--set defeat.decay: no method 'defeat' here; known: none"),
    (["search", "all", "--set", "method.decay=linear"], "say which, e.g. cwd.decay"),
]


@pytest.mark.parametrize(("arguments", "words"), WORDS, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_words_alone_are_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in said(capsys, *arguments)
    assert not list(tmp_path.iterdir())
