"""Cost beyond plain training, and the published claim beside it, worked by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kdbench.errors import InputError
from kdbench.leaderboard.page.grid import grid
from kdbench.leaderboard.render import render
from kdbench.leaderboard.row import Row
from kdbench.leaderboard.rows import build_rows
from kdbench.specs import resources
from kdbench.specs.published import PublishedFile, find_cost_claim, load_published
from kdbench.specs.recipe import TeacherRef, task_recipe
from kdbench.specs.task import load_task
from kdbench.tracking.names import flatten
from kdbench.tracking.reader import Run
from tests.unit.leaderboard.conftest import MakeRun

CLAIM = "lgd/cost-fgfi"
TEACHER = {"cost/device_hours": 3.0}


def suite(run: MakeRun, teacher_figures: dict[str, float], **lgd: object) -> list[Row]:
    """Plain training 0.5 and 0.7 h over two seeds, FGFI 1.2, LGD 1.8; every run is tagged with the task's teacher."""
    shown = {"stage": "suite", "split": "report"}
    runs = [
        *(run("none", "n", seed, report=0.2, hours=0.5 + 0.2 * seed, **shown) for seed in (0, 1)),
        run("fgfi", "f", report=0.3, hours=1.2, params={"metric": "mAP", "teacher.id": "t1"}, **shown),
        run("lgd", "l", report=0.25, **{"hours": 1.8, "params": {"metric": "mAP", "teacher": "none"}, **shown, **lgd}),
        run("none", "", best=0.62, kind="teacher", study=None, trial=None, metrics=teacher_figures),
    ]
    return build_rows(runs)


def test_hours_of_run_and_teacher_less_the_baselines(run: MakeRun) -> None:
    rows = {row.method: row for row in suite(run, TEACHER)}
    # The baseline's mean is 0.6: 1.2 + 3.0 - 0.6, and 1.8 + 0 - 0.6.
    assert rows["none"].extra_device_hours == 0
    assert rows["fgfi"].extra_device_hours == pytest.approx(3.6)
    assert rows["lgd"].extra_device_hours == pytest.approx(1.2)
    assert {row.extra_saved for row in rows.values()} == {None}


def test_a_method_that_uses_no_teacher_has_none_though_its_task_does(run: MakeRun) -> None:
    """It bore the cost of the teacher that the suite's other rows learnt from."""
    rows = {row.method: row for row in suite(run, TEACHER)}
    assert (rows["lgd"].teacher, rows["lgd"].teacher_device_hours, rows["lgd"].teacher_mean) == ("none", None, None)
    assert (rows["fgfi"].teacher, rows["fgfi"].teacher_device_hours) == ("t1", 3.0)
    task = load_task("shapes")
    assert flatten(task_recipe(task, "lgd", {}, {}, None, 0).plain())["teacher"] == "none"
    taught = flatten(task_recipe(task, "fgfi", {}, {}, TeacherRef(config="c", id="t1"), 0).plain())
    assert ("teacher" in taught, taught["teacher.id"]) == (False, "t1")


def test_unknown_where_a_part_of_it_is(run: MakeRun) -> None:
    rows = {row.method: row for row in suite(run, {}, published=CLAIM)}  # a given teacher has no cost
    assert (rows["fgfi"].extra_device_hours, rows["lgd"].extra_saved) == (None, None)
    assert rows["lgd"].extra_device_hours == pytest.approx(1.2)
    assert rows["lgd"].published_extra_saved == 0.51
    text = " ".join(render(list(rows.values())).split())
    assert "cost of lgd against fgfi: its extra device-hours and those of a row of fgfi are not both known here" in text
    assert "published: 51% less (lgd/cost-fgfi, paper abstract and README)" in text
    (alone,) = build_rows([run("defeat", "a", best=0.3, hours=1.0)])
    assert alone.extra_device_hours is None
    (_, bare) = build_rows([run("none", "n", best=0.4, hours=1.0), run("defeat", "a", best=0.3)])
    assert bare.extra_device_hours is None


def test_the_claim_stands_beside_what_was_measured(run: MakeRun) -> None:
    rows = suite(run, TEACHER, published=CLAIM)
    (lgd,) = [row for row in rows if row.method == "lgd"]
    assert lgd.extra_saved == pytest.approx(1 - 1.2 / 3.6)
    assert (lgd.published_extra_saved, lgd.published_id, lgd.published) == (0.51, CLAIM, None)
    text = render(rows)
    assert max(len(line) for line in text.splitlines()) <= 100
    flat = " ".join(text.split())
    assert "cost of lgd: 1.2 device-hours beyond plain training, 67% less than fgfi's 3.6; published: 51% less" in flat
    assert "extra: device-hours beyond a run of the baseline" in flat
    head = next(line for line in text.splitlines() if "method" in line)
    assert "extra" in head.split()
    assert "published" not in head  # there is no figure of the metric
    shown = {cell.column: cell.figures[0].text for cell in grid([lgd]).lines[0] if cell.figures}
    assert (shown["extra_device_hours"], shown["extra_saved"], shown["published_extra_saved"]) == ("1.2", "67%", "51%")


def test_dearer_than_the_other_is_said_so(run: MakeRun) -> None:
    rows = suite(run, TEACHER, published=CLAIM, hours=6.0)
    (lgd,) = [row for row in rows if row.method == "lgd"]
    assert lgd.extra_saved == pytest.approx(1 - 5.4 / 3.6)
    assert "5.4 device-hours beyond plain training, 50% more than fgfi's 3.6" in " ".join(render(rows).split())


def test_without_costs_there_is_no_column(run: MakeRun) -> None:
    rows: list[Run] = [run("none", "n", best=0.2), run("defeat", "a", best=0.3)]
    assert "extra" not in render(build_rows(rows))


def test_claims_are_found_by_their_key_and_are_no_rows() -> None:
    claim = find_cost_claim(CLAIM)
    assert claim is not None
    assert (claim.less_than, claim.saved) == ("fgfi", 0.51)
    assert [find_cost_claim(key) for key in ("lgd/cost", "lgd", "nobody/cost-fgfi")] == [None] * 3
    assert CLAIM not in load_published()


def test_a_claim_needs_an_id_of_its_own(tmp_path: Path) -> None:
    data = yaml.safe_load((resources.folder("benchmarks/published") / "lgd.yaml").read_text(encoding="utf-8"))
    data["costs"][0]["id"] = data["rows"][0]["id"]
    (tmp_path / "lgd.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(InputError, match="cost abs-retina-r50-2x is there twice"):
        PublishedFile.load(tmp_path / "lgd.yaml")
