"""What counts as the same figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench.errors import InputError, RunError
from kdbench.outcome import verifying
from kdbench.search.finding import Trained
from tests.unit.search.plans import plan


def trained(metric: str = "mAP", **recorded: float) -> Trained:
    recipe = plan().recipe("none", {}, 0).model_copy(update={"metric": metric})
    last = recipe.schedule.epochs
    reports = {last - 1: {f"val/{metric}": 0.9}, last: {f"val/{name}": value for name, value in recorded.items()}}
    return Trained("s", "none-000", "search", recipe, Path("nowhere"), reports=reports, end="completed")


def answer(monkeypatch: pytest.MonkeyPatch, mmdet: dict[str, float], own: dict[str, float] | None = None) -> list[Any]:
    """Plain mmdet's process, answered for; the jobs that it was given."""
    jobs: list[Any] = []

    def run(job: dict[str, Any]) -> dict[str, Any]:
        jobs.append(job)
        split = {"images": 8, "mmdet": mmdet, "own": own}
        said = {"operators": "compiled", "versions": {}, "classes": ["a"], "masks": False}
        return {**said, "splits": dict.fromkeys(job["splits"], split)}

    monkeypatch.setattr(verifying, "_run", run)
    return jobs


def verify(one: Trained, on: str = "cpu", wanted: float | None = None) -> verifying.Verification:
    return verifying.verify(Path("out"), one, trained_on=on, device="cpu", threads=1, wanted=wanted)


def test_the_last_epoch_counts_and_not_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = answer(monkeypatch, {"bbox_mAP": 0.3, "bbox_mAP_50": 0.5, "bbox_mAP_l": -1.0})
    result = verify(trained(mAP=0.3, mAP_50=0.5))
    assert [(one.name, one.recorded, one.measured) for one in result.figures] == [
        ("mAP", 0.3, 0.3),
        ("mAP_50", 0.5, 0.5),
    ]
    assert (jobs[0]["splits"], jobs[0]["own"], result.tolerance) == (["search"], None, 1e-6)


def test_the_report_split_is_verified_where_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = answer(monkeypatch, {"bbox_mAP": 0.3})
    one = trained(mAP=0.3)
    one.summary = {"report/mAP": 0.4, "best/mAP": 0.9}
    with pytest.raises(RunError, match="mAP on the report split was recorded as 0.4, and plain mmdet measures 0.3"):
        verify(one)
    assert jobs[0]["splits"] == ["search", "report"]


@pytest.mark.parametrize(
    ("measured", "on", "wanted", "passes"),
    [
        (0.3000009, "cpu", None, True),
        (0.3001, "cpu", None, False),
        (0.304, "cuda", None, True),
        (0.306, "cuda", None, False),
        (0.304, "cpu", 0.005, True),
        (0.3001, "cuda", 1e-6, False),
    ],
)
def test_tolerances(
    monkeypatch: pytest.MonkeyPatch, measured: float, on: str, wanted: float | None, passes: bool
) -> None:
    answer(monkeypatch, {"bbox_mAP": measured})
    if passes:
        verify(trained(mAP=0.3), on, wanted)
        return
    with pytest.raises(RunError, match="recorded as 0.3") as error:
        verify(trained(mAP=0.3), on, wanted)
    assert ("--tolerance 0.005" in str(error.value)) == (abs(measured - 0.3) < 0.005)


def test_every_figure_is_held_on_a_cpu_and_the_metric_alone_beside_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, {"bbox_mAP": 0.3, "bbox_mAP_s": 0.2})
    with pytest.raises(RunError, match="mAP_s on the search split"):
        verify(trained(mAP=0.3, mAP_s=0.1))
    assert verify(trained(mAP=0.3, mAP_s=0.1), "cuda").figure("search", "mAP_s") is not None


def test_metrics_that_mmdet_lacks_are_computed_by_kdbench(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = answer(monkeypatch, {"bbox_mAP": 0.3, "segm_mAP": 0.2}, {"AP50_11": 0.6, "AP50_area": 0.7, "mAP": 0.9})
    result = verify(trained("AP50_11", mAP=0.3, AP50_11=0.6, segm_mAP=0.2))
    assert jobs[0]["own"] == "AP50_11"
    assert {one.name: one.by for one in result.figures} == {"mAP": "mmdet", "AP50_11": "kdbench", "segm_mAP": "mmdet"}


def test_a_figure_that_is_not_there_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, {"bbox_mAP": -1.0})
    with pytest.raises(RunError, match="no such figure"):
        verify(trained(mAP=0.3))
    answer(monkeypatch, {})  # nothing was detected: mmdet says nothing, and 0 was recorded
    verify(trained(mAP=0.0))


def test_a_last_epoch_that_nobody_recorded() -> None:
    one = trained(mAP=0.3)
    del one.reports[one.recipe.schedule.epochs]
    with pytest.raises(InputError, match="last epoch, 8"):
        verify(one)
