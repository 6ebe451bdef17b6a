"""CrowdHuman's metrics by hand: small images, and the rules where the reference gives none."""

from __future__ import annotations

import math
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kdbench.errors import InputError
from kdbench.evaluation.crowdhuman.boxes import Scene, clip
from kdbench.evaluation.crowdhuman.curve import average_precision, grid_miss_rates, log_average
from kdbench.evaluation.crowdhuman.metrics import Result, evaluate, figures

NONE = np.zeros((0, 4))


def boxes(*rows: Any) -> np.ndarray:
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def scene(people: Any = NONE, regions: Any = NONE, name: str = "a") -> Scene:
    return Scene(name, 100, 100, people, regions)


def run(people: Any, found: Any, regions: Any = NONE) -> Result:
    return evaluate([scene(people, regions)], {"a": np.array(found, dtype=np.float64).reshape(-1, 5)})


LEFT, RIGHT = [0, 0, 20, 40], [50, 0, 70, 40]


def test_one_of_two_found_with_one_false_alarm() -> None:
    # Curve: recall .5 .5, precision 1 .5, one image: fppi 0 1, miss rate .5 at every grid value.
    ours = run(boxes(LEFT, RIGHT), [[*LEFT, 0.9], [0, 60, 20, 90, 0.8]])
    assert ours.curve.status.tolist() == [1, 0]
    assert ours.curve.AP == 0.0
    assert ours.figures["mMR"] == pytest.approx(0.5)
    # JI: above 0.8 is only the hit: 1 pair, 2 people, 1 detection; below, 2 detections.
    assert ours.index.per_threshold == pytest.approx([1 / 3] * 8 + [1 / 2] * 1 + [0.0], abs=1e-5)
    assert (ours.index.JI, ours.index.threshold) == pytest.approx((0.5, 0.8), abs=1e-5)


def test_the_area_is_a_plain_trapezoid() -> None:
    recall, precision = np.array([0.25, 0.25, 0.5, 0.75, 0.75]), np.array([1, 1 / 2, 2 / 3, 3 / 4, 3 / 5])
    assert average_precision(recall, precision) == pytest.approx(0.322917, abs=1e-6)
    assert average_precision(recall[:1], precision[:1]) == 0.0


def test_a_perfect_detector_lacks_the_first_strip() -> None:
    people = boxes(*([10 * i, 0, 10 * i + 8, 30] for i in range(5)))
    ours = run(people, [[*person, 0.9] for person in people])
    assert ours.figures == {"mMR": 0.0, "AP": pytest.approx(4 / 5), "JI": pytest.approx(1, abs=1e-6), "JI_threshold": 0}


def test_the_second_choice_when_the_best_is_taken() -> None:
    # Both detections overlap the first person most; the weaker one still finds the second.
    people = boxes([0, 0, 20, 40], [4, 0, 24, 40])
    ours = run(people, [[0, 0, 20, 40, 0.9], [1, 0, 21, 40, 0.8], [1, 0, 21, 40, 0.7]])
    assert ours.curve.status.tolist() == [1, 1, 0]


def test_an_overlap_of_half_is_not_enough() -> None:
    half, more = run(boxes(LEFT), [[0, 0, 10, 40, 0.9]]), run(boxes(LEFT), [[0, 0, 10.1, 40, 0.9]])
    assert (half.curve.status.item(), more.curve.status.item()) == (0, 1)
    assert half.index.JI == 0.0


def test_regions_absorb_what_finds_nobody() -> None:
    region = boxes([40, 0, 100, 100])
    found = [[*RIGHT, 0.9], [*RIGHT, 0.8], [45, 50, 60, 90, 0.7], [0, 60, 20, 90, 0.6], [*LEFT, 0.5]]
    ours = run(boxes(RIGHT, LEFT), found, region)
    # A person inside a region is found first; the duplicate and the other one are absorbed, one region takes both.
    assert ours.curve.status.tolist() == [1, -1, -1, 0, 1]
    assert ours.curve.order.tolist() == [0, 3, 4]
    # Half of its area inside is not enough.
    assert run(boxes(LEFT), [[30, 0, 50, 40, 0.9]], region).curve.status.item() == 0


def test_people_hidden_in_a_region_need_not_be_found_for_the_index() -> None:
    region = boxes([40, 0, 100, 100])
    missed = run(boxes(RIGHT, LEFT), [[*LEFT, 0.9]], region)
    assert missed.index.counts[0].tolist() == [1, 1, 1]
    assert missed.curve.people == 2
    matched = run(boxes(RIGHT), [[*RIGHT, 0.9]], region)
    assert matched.index.counts[0].tolist() == [1, 1, 1]


def test_pairs_by_total_weight_and_not_by_their_number() -> None:
    # One detection lies on a person, two lie between: the sum decides.
    people = boxes([0, 0, 20, 40], [6, 0, 26, 40])
    ours = run(people, [[0, 0, 20, 40, 0.9], [3, 0, 23, 40, 0.8]])
    assert ours.index.counts[0].tolist() == [2, 2, 2]


def test_scores_on_the_threshold_are_out() -> None:
    ours = run(boxes(LEFT, RIGHT), [[*LEFT, 0.0], [*RIGHT, 0.5]])
    assert ours.index.counts[:, 2].tolist() == [1] * 5 + [0] * 5


def test_the_border_keeps_a_sliver_on_the_far_sides() -> None:
    edge = clip(boxes([120, 10, 140, 30], [-20, 10, -5, 30], [-5, -5, 500, 500]), 100, 80)
    assert edge.tolist() == [[99, 10, 100, 30], [0, 10, 0, 30], [0, 0, 100, 80]]


def test_equal_scores_keep_the_order_of_images() -> None:
    scenes = [scene(boxes(LEFT)), scene(boxes(LEFT), name="b")]
    ours = evaluate(scenes, {"b": np.array([[*LEFT, 0.5]]), "a": np.array([[*RIGHT, 0.5], [*LEFT, 0.5]])})
    assert ours.curve.order.tolist() == [0, 1, 2]
    assert ours.curve.status.tolist() == [0, 1, 1]
    assert ours.curve.fppi.tolist() == [0.5, 0.5, 0.5]


def test_the_grid_reads_the_first_point_that_reaches_it() -> None:
    fppi, miss = np.array([0.0, 0.1, 0.1, 0.3]), np.array([0.9, 0.8, 0.7, 0.6])
    assert grid_miss_rates(fppi, miss).tolist() == [0.8] * 5 + [0.6] * 4
    assert log_average(np.array([0.5, 0.5, 0.0])) == 0.0
    assert log_average(np.array([0.25, 1.0])) == pytest.approx(0.5)


def test_no_detection_is_a_miss_rate_of_one() -> None:
    ours = evaluate([scene(boxes(LEFT))], {})
    assert ours.figures == {"mMR": 1.0, "AP": 0.0, "JI": 0.0, "JI_threshold": 0.0}
    absorbed = run(boxes(LEFT), [[*RIGHT, 0.9]], boxes([40, 0, 100, 100]))
    assert (absorbed.curve.MR, absorbed.curve.AP) == (1.0, 0.0)


def test_nobody_to_find_is_not_defined_and_warns() -> None:
    with pytest.warns(UserWarning, match="no person to find"):
        ours = evaluate([scene(regions=boxes(RIGHT))], {"a": np.array([[*LEFT, 0.45]])})
    assert math.isnan(ours.curve.AP)
    assert math.isnan(ours.curve.MR)
    assert ours.index.JI == 0.0
    assert np.isnan(ours.index.per_threshold).tolist() == [False] * 5 + [True] * 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nothing = evaluate([scene()], {})
    assert all(math.isnan(value) for value in nothing.figures.values())


def test_an_image_without_boxes_counts_its_false_alarms() -> None:
    scenes = [scene(boxes(LEFT)), scene(name="b"), scene(name="c")]
    ours = evaluate(scenes, {"a": np.array([[*LEFT, 0.9]]), "b": np.array([[*RIGHT, 0.95]])})
    assert ours.curve.fppi.tolist() == pytest.approx([1 / 3, 1 / 3])
    assert ours.index.images.tolist() == [2] * 10


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"z": np.zeros((0, 5))}, "detections of image z: the annotations have no such image"),
        ({"a": np.array([[*LEFT, 0.9], [*LEFT, math.nan]])}, "image a, detection 1: its score is NaN"),
        ({"a": np.array([[20, 0, 10, 40, 0.9]])}, "image a, detection 0: .* a negative side"),
        ({"a": np.array([[math.nan, 0, 10, 40, 0.9]])}, "image a, detection 0"),
    ],
)
def test_wrong_detections_are_one_line(found: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        evaluate([scene(boxes(LEFT))], found)
    assert "\n" not in str(error.value)


def test_an_mmdet_dataset_gives_what_its_own_list_lacks() -> None:
    # The second person is outside, the third flat: mmdet leaves them out of get_ann_info, the metric must not.
    marks = [
        {"bbox": [0, 0, 20, 40], "iscrowd": 0},
        {"bbox": [120, 0, 20, 40], "iscrowd": 0},
        {"bbox": [30, 0, 0, 40], "iscrowd": 0},
        {"bbox": [40, 0, 60, 100], "iscrowd": 1},
    ]
    dataset = SimpleNamespace(
        data_infos=[{"id": 1, "filename": "a", "width": 100, "height": 100}],
        coco=SimpleNamespace(imgToAnns={1: marks}),
    )
    found = [[np.array([[*LEFT, 0.9], [*RIGHT, 0.8]], dtype=np.float32)]]
    ours = figures(dataset, found)
    assert ours["mMR"] == pytest.approx(2 / 3)
    assert set(ours) == {"mMR", "AP", "JI", "JI_threshold"}
