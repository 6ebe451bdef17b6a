"""The leaderboard's row: a contract, because people and programs keep these tables."""

from __future__ import annotations

from typing import Literal

from kdbench.leaderboard.statistics import Verdict
from kdbench.specs.base import Spec


class Row(Spec):
    """One configuration of one method in one study. None is what is not known.

    Units: the metric and all differences in 0..1, device hours, GiB, seconds, millions of parameters.

    Attributes:
        trial: the earliest of its runs, with its `recipe`; the seeds' own are in MLflow.
        ci95, delta_ci95: half-widths of 95 % intervals, each for itself.
        baseline_mean: of the study's best configuration of plain training, on the same split.
        delta: the mean less the baseline's, for every metric; where lower is better (mMR), below 0 is better.
        gap_closed: the share of the distance from the baseline to the teacher.
        device_hours: of one run, on average; `search_device_hours`: of all the method's trials in the study.
        verdict: by `p_holm`, so that among many methods compared with one baseline none wins by luck.
        published: the figure that its source prints, where the run reproduces a published row.
        split: where it was measured: on `search`, which the search saw, or on `report`, which it did not.
        teacher: identity of the teacher it learnt from; "none" if it had none, as plain training and teacher-free methods.
        p_value: of no difference to the baseline; `p_holm`: with Holm's correction for the rows of the task and split
            that have several seeds and the same baseline.
        published_id: key of the published row; `published_delta`: the mean less the published figure.
        published_inside: whether the published figure lies inside the mean's interval.
        published_note: what speaks against leaning on the published figure, or why there is none.
        gflops: of the student on one test image, as mmcv counts: a multiplication with its addition is one.
        teacher_device_hours: of the teacher's training, where kdbench trained it.
        extra_device_hours: beyond plain training: of one run and of its teacher's training, less those of a run of the
            baseline. Unknown for a teacher whose training is.
        extra_saved: by which share they are below those of the method that a published claim on cost compares it with
            (below 0: above them), in the same study; `published_extra_saved`: the share that the source prints.
        shared: how many images of the split are in an earlier one too, so that the figure is not of unseen images.
    """

    rank: int
    task: str
    method: str
    study: str
    trial: str | None
    recipe: str | None
    metric: str
    n_seeds: int
    mean: float
    std: float | None
    ci95: float | None
    baseline_mean: float | None
    delta: float | None
    delta_ci95: float | None
    verdict: Verdict | None
    teacher_mean: float | None
    gap_closed: float | None
    device_hours: float | None
    search_device_hours: float | None
    peak_memory_gb: float | None
    sec_per_iter: float | None
    params_m: float | None
    published: float | None
    split: Literal["search", "report"]
    teacher: str
    p_value: float | None = None
    p_holm: float | None = None
    published_id: str | None = None
    published_delta: float | None = None
    published_inside: bool | None = None
    published_note: str | None = None
    gflops: float | None = None
    teacher_device_hours: float | None = None
    shared: int | None = None
    extra_device_hours: float | None = None
    extra_saved: float | None = None
    published_extra_saved: float | None = None


NO_TEACHER = "none"
KEYS = tuple(Row.model_fields)
"""The keys of a row and the columns of a CSV, in order."""
