"""The names of metrics, and which direction of each is better."""

from __future__ import annotations

import pytest

from kdbench.errors import InputError
from kdbench.specs import metrics
from kdbench.specs.task import load_task

COCO = ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l")


def test_only_the_miss_rate_is_better_when_lower() -> None:
    assert {name for name in metrics.NAMES if metrics.mode(name) == "min"} == {"mMR"}
    assert metrics.best("mMR", [0.5, 0.4, 0.6]) == 0.4
    assert metrics.best("mAP", [0.5, 0.4, 0.6]) == 0.6
    assert metrics.best("mAP", []) is None
    assert metrics.worse("mMR", 0.5, 0.4)
    assert not metrics.worse("mMR", 0.4, 0.4)
    assert metrics.worse("mAP", 0.4, 0.5)


@pytest.mark.parametrize("name", [*COCO, *(f"segm_{name}" for name in COCO), "AP50_11", "AP50_area", "mMR", "AP", "JI"])
def test_a_task_may_rank_by(name: str) -> None:
    assert load_task("shapes", {"metric": name}).metric == name


@pytest.mark.parametrize(("name", "words"), [("mAP50", "did you mean 'mAP_50'"), ("mMRR", "did you mean 'mMR'")])
def test_an_unknown_metric_suggests_the_nearest(name: str, words: str) -> None:
    with pytest.raises(InputError, match=f"key 'metric': no such metric; {words}"):
        load_task("shapes", {"metric": name})


def test_a_metric_that_does_not_fit_is_one_line() -> None:
    metrics.check("segm_mAP", classes=80, masks=True, where="task x, student")
    metrics.check("mMR", classes=1, masks=False, where="task x, student")
    with pytest.raises(InputError, match="task x, student: metric segm_mAP_50 is of masks"):
        metrics.check("segm_mAP_50", classes=80, masks=False, where="task x, student")
    with pytest.raises(InputError, match="metric JI is of one class and the data has 3"):
        metrics.check("JI", classes=3, masks=False, where="task x, student")
