"""ICD beyond the golden vectors: what it refuses, what it builds, what it draws, and its numbers by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.methods.base import Batch, BoxStatistics, DetectorInfo, Features, GradientRules, Method, Progress
from kdbench.methods.icd import losses as icd_losses
from kdbench.methods.icd.instances import at_most, draw, prior_of, slots_of
from kdbench.methods.icd.params import ICDParams
from kdbench.methods.icd.weights import attention_weights, logits

ONE = DetectorInfo("one_stage", 3, (16, 16), (8, 16), (4, 8, 16, 32))
WIDE = replace(ONE, neck_channels=(24, 24))
START, LATE = Progress(0, 1, 0, 100), Progress(0, 1, 50, 100)
OPTIONS = {
    "layers": 2,
    "pos_on_value": True,
    "temperature_schedule": "learnable",
    "reconstruction_weight": 2.0,
    "start": 0,
}


def build(params: dict | None = None, student: DetectorInfo = ONE, teacher: DetectorInfo = WIDE) -> Method:
    torch.manual_seed(0)
    return registry.build("icd", params or {}, student, teacher)


def features(info: DetectorInfo, seed: int, dtype: torch.dtype = torch.float32, images: int = 2) -> Features:
    random = torch.Generator().manual_seed(seed)
    shapes = [(2, C, 64 // t, 96 // t) for C, t in zip(info.neck_channels, info.neck_strides, strict=True)]
    maps = [torch.randn(shape, generator=random)[:images].to(dtype) for shape in shapes]
    return Features(tuple(level.requires_grad_() for level in maps))


def batch(objects: tuple[int, ...] = (2, 0)) -> Batch:
    all_boxes = torch.tensor([[4.0, 4, 40, 30], [50, 20, 60, 60], [0, 0, 30, 30], [10, 12, 80, 20]])
    boxes = [all_boxes[:count] for count in objects]
    labels = [torch.arange(count) % 3 for count in objects]
    return Batch((64, 96), [(64, 96), (33, 50)][: len(objects)], boxes, labels, [torch.zeros(0, 4)] * len(objects))


def run(params: dict | None = None, data: Batch | None = None, progress: Progress = LATE) -> dict[str, torch.Tensor]:
    method = build(params)
    torch.manual_seed(1)
    data = data or batch()
    ours, theirs = (features(info, seed, images=len(data.boxes)) for seed, info in enumerate((ONE, WIDE)))
    return method(ours, theirs, data, progress)


# -- what is built, what is refused ------------------------------------------------------------------------------------


def test_without_imitation_there_is_nothing() -> None:
    method = build({"lambda_distill": 0, "heads": 5, "reconstruction_weight": 1})
    assert not method.taps()
    assert not list(method.modules())[1:]
    assert not method.inherits
    assert not method.wants_statistics
    assert method.own_optimizers() == ()
    assert method.gradient_rules(START) == GradientRules()
    assert method(Features(), Features(), batch(), START) == {}


def test_what_it_asks_of_the_trainer() -> None:
    method = build({"aux_lr": 3e-4, "aux_clip_norm": None, "student_clip_value": 2})
    (own,) = method.own_optimizers()
    assert (own.kind, own.lr, own.weight_decay, own.policy, own.clip_norm) == ("AdamW", 3e-4, 1e-4, "cosine", None)
    assert {p for name in own.modules for p in method.get_submodule(name).parameters()} == set(method.parameters())
    assert method.gradient_rules(START) == GradientRules(clip_value=2)
    assert method.inherits
    assert method.wants_statistics
    assert not build({"inherit": False}).inherits
    assert not build({"prior": "uniform"}).wants_statistics
    assert "learnt_temperature" in build(OPTIONS).own_optimizers()[0].modules


def test_published_values_depend_on_the_family() -> None:
    method = registry.get("icd")
    assert method.default_params(ONE) == {"lambda_distill": 8.0, "max_labels": 300}
    assert method.default_params(replace(ONE, family="two_stage")) == {"lambda_distill": 3.0, "max_labels": 100}
    for values in method.presets.values():
        build(values)


@pytest.mark.parametrize(
    ("params", "student", "teacher", "reason"),
    [
        ({}, ONE, replace(WIDE, neck_strides=(4, 8)), "strides"),
        ({}, ONE, replace(WIDE, neck_strides=(8,), neck_channels=(24,)), "strides"),
        ({}, replace(ONE, neck_channels=(), neck_strides=()), replace(WIDE, neck_channels=(), neck_strides=()), "none"),
        ({"heads": 5}, ONE, WIDE, "heads 5 does not divide hidden_dim 24.*such as 4,"),
        ({"heads": 8, "hidden_dim": 12}, ONE, WIDE, "does not divide hidden_dim 12"),
        ({"heads": 8, "hidden_dim": 8}, ONE, WIDE, "one channel"),
        ({"heads": 1, "hidden_dim": 15}, ONE, WIDE, "odd"),
        ({"pos_on_value": True, "use_pos": False}, ONE, WIDE, "use_pos: true or pos_on_value: false"),
        ({"jitter": 0.5}, ONE, WIDE, "key 'jitter'"),
        ({"loss_form": "kl"}, ONE, WIDE, "key 'loss_form'"),
        ({}, ONE, replace(WIDE, num_classes=4), "3 classes, teacher 4"),
    ],
)
def test_what_is_refused(params, student, teacher, reason) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        build(params, student, teacher)
    assert "\n" not in str(caught.value)


def test_one_level_cannot_be_dropped() -> None:
    single = replace(ONE, neck_channels=(16,), neck_strides=(8,))
    with pytest.raises(InputError, match="levels: all"):
        build({"levels": "drop_finest"}, single, single)


def test_maps_of_another_size_are_refused() -> None:
    theirs = Features(tuple(level[..., 1:] for level in features(WIDE, 1).neck))
    with pytest.raises(InputError, match="maps have sizes"):
        build()(features(ONE, 0), theirs, batch(), START)


def test_only_other_widths_are_projected() -> None:
    widths = {name: [*getattr(build(), name).tokens.projections] for name in ("student_side", "teacher_side")}
    assert widths == {"student_side": ["16"], "teacher_side": []}
    mixed = replace(WIDE, neck_channels=(24, 40))
    method = build({"hidden_dim": 40}, ONE, mixed)
    assert [*method.teacher_side.tokens.projections] == ["24"]
    terms = method(features(ONE, 0), features(mixed, 1), batch(), LATE)
    assert all(value.isfinite() for value in terms.values())


# -- steps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objects", [(2, 1), (2, 0), (0, 0), (0,)])
@pytest.mark.parametrize(
    "params",
    [
        {},
        OPTIONS,
        {"layers": 0, "loss_form": "L2"},
        {"distill_negative": True, "loss_form": "squared", "value_norm": "none"},
        {"use_pos": False, "sample_rule": "fixed", "num_labels": 5},
        {"neg_ratio": 0, "project_pos": False, "pos_on_value": True},
        {"levels": "drop_finest", "hidden_dim": 32, "dropout": 0.5, "value_norm": "tln", "loss_form": "l1"},
    ],
)
def test_every_parameter_gets_a_gradient_in_every_step(params, objects) -> None:
    for progress in (START, LATE):
        method, data = build(params), batch(objects)
        ours, theirs = (features(info, seed, images=len(objects)) for seed, info in enumerate((ONE, WIDE)))
        terms = method(ours, theirs, data, progress)
        assert all(value.ndim == 0 and value.isfinite() for value in terms.values())
        torch.stack(list(terms.values())).sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in method.parameters())
        assert all(level.grad is None for level in theirs.neck)
        used = ours.neck[1:] if "levels" in params else ours.neck
        learns = progress is LATE or params.get("start") == 0
        assert all((level.grad is not None) == learns for level in used)


def test_without_objects_nothing_is_imitated() -> None:
    terms = run({"loss_form": "L2"}, batch((0, 0)))
    assert terms["loss_distill"] == terms["loss_localisation"] == 0
    assert terms["loss_identification"] > 0


def test_an_empty_image_halves_the_mean_over_images() -> None:
    full, half = (run({"jitter": 0}, batch(objects))["loss_distill"] for objects in ((2,), (2, 0)))
    assert half.item() == pytest.approx(full.item() / 2, rel=1e-5)
    full, half = (run({"jitter": 0, "loss_form": "l1"}, batch(o))["loss_distill"] for o in ((2,), (2, 0)))
    assert half.item() == pytest.approx(full.item(), rel=1e-5)


class NoWaiting(TorchDispatchMode):
    """Refuses the operators that wait for a device: reading a number, and counting where a mask is true."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name()
        masks = [i for i in args[1] if i is not None and i.dtype == torch.bool] if name == "aten::index.Tensor" else []
        if masks or name in ("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal"):
            raise AssertionError(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))


def test_a_step_never_waits_for_the_device() -> None:
    method, ours, theirs, data = build({**OPTIONS, "max_real": 1}), features(ONE, 0), features(WIDE, 1), batch()
    method(ours, theirs, data, LATE)  # the prior is moved to the device once
    with NoWaiting():
        torch.stack(list(method(ours, theirs, data, LATE).values())).sum().backward()


def test_half_precision_features_outside_autocast() -> None:
    terms = build()(features(ONE, 0, torch.half), features(WIDE, 1, torch.half), batch(), LATE)
    assert {value.dtype for value in terms.values()} == {torch.float32}


def test_autocast_stays_close_to_float32() -> None:
    full = run(OPTIONS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = run(OPTIONS)
    assert {value.dtype for value in half.values()} == {torch.float32}
    assert {n: v.item() for n, v in half.items()} == pytest.approx({n: v.item() for n, v in full.items()}, rel=0.05)


# -- temperature and weights -----------------------------------------------------------------------------------------


def test_a_linear_temperature_moves() -> None:
    method = build({"temperature": 2, "temperature_end": 4, "temperature_schedule": "linear"})
    assert [method.temperature(progress) for progress in (START, LATE)] == [2, 3]
    assert build({"temperature": 2, "temperature_end": 4}).temperature(LATE) == 2


def test_a_learnable_temperature_learns_and_stays_in_its_range() -> None:
    method = build({"temperature_schedule": "learnable", "temperature": 20})
    terms = method(features(ONE, 0), features(WIDE, 1), batch(), LATE)
    value = method.learnt_temperature.value
    assert value == 8
    terms["loss_distill"].backward()
    assert value.grad.isfinite()
    assert value.grad != 0
    fixed = run({"temperature": 8})["loss_distill"]
    assert terms["loss_distill"].isfinite()
    assert run({"temperature_schedule": "learnable", "temperature": 8})["loss_distill"].item() == pytest.approx(
        fixed.item(), rel=1e-5
    )


def test_weights_in_blocks_are_the_sum_of_softmaxes() -> None:
    torch.manual_seed(2)
    query, key = torch.randn(2, 3, 7, 4, requires_grad=True), torch.randn(2, 3, 10, 4)
    padding, counted = torch.rand(2, 10) < 0.3, torch.rand(2, 7) < 0.5
    whole = (logits(query, key, padding) / 2).softmax(-1) * counted[:, None, :, None]
    for at_once in (1, 130, 2**25):
        weights = attention_weights(query, key, padding, counted, 2.0, at_once)
        torch.testing.assert_close(weights, whole.sum(2).detach())
        assert not weights.requires_grad
    torch.testing.assert_close(weights.sum(-1), counted.sum(-1, keepdim=True).float().expand(2, 3))


def test_the_gradient_of_a_learnt_temperature() -> None:
    torch.manual_seed(2)
    query, key = torch.randn(1, 2, 5, 4).double(), torch.randn(1, 2, 6, 4).double()
    padding, counted = torch.tensor([[False] * 5 + [True]]), torch.ones(1, 5, dtype=torch.bool)
    temperature = torch.tensor(1.3, requires_grad=True)
    direction = torch.randn(1, 2, 6)
    (attention_weights(query, key, padding, counted, temperature, 20) * direction).sum().backward()
    step = 1e-2
    ends = [attention_weights(query, key, padding, counted, 1.3 + sign * step) for sign in (1, -1)]
    assert temperature.grad.item() == pytest.approx(((ends[0] - ends[1]) * direction).sum().item() / 2 / step, rel=1e-2)


# -- instances -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("objects", "params", "slots"),
    [
        (0, {}, 1),
        (3, {}, 18),
        (3, {"neg_ratio": 1.5}, 7),
        (80, {}, 300),
        (400, {}, 400),
        (40, {"max_labels": 100}, 100),
        (3, {"sample_rule": "fixed", "num_labels": 50}, 50),
        (60, {"sample_rule": "fixed", "num_labels": 50}, 60),
    ],
)
def test_how_many_descriptions(objects, params, slots) -> None:
    assert slots_of(objects, ICDParams(**params)) == slots


def test_real_objects_come_first_and_too_small_ones_are_left_out() -> None:
    data = batch((3, 1))
    data.boxes[0] = data.boxes[0].clone()
    data.boxes[0][1] = torch.tensor([5.0, 5, 5.5, 30])
    found = build({"neg_ratio": 1}).instances(data)
    assert found.real.int().tolist() == [[1, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
    assert found.valid.int().tolist() == [[1, 0, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0]]
    assert found.labels[0, 2] == 2
    torch.testing.assert_close(found.boxes[0, 2], data.boxes[0][2] / torch.tensor([96.0, 64, 96, 64]))
    assert (found.sides[found.valid] > 0).all()
    assert found.boxes[~found.valid].abs().sum() == found.centres[~found.valid].abs().sum() == 0
    assert all(value.isfinite() for value in run({}, data).values())


def test_the_centre_is_blurred_within_the_jitter() -> None:
    torch.manual_seed(3)
    found = build({"jitter": 0.2}).instances(batch((4, 4)))
    extent = found.boxes[..., 2:] - found.boxes[..., :2]
    shift = ((found.centres - (found.boxes[..., :2] + found.boxes[..., 2:]) / 2) / extent)[found.valid]
    assert 0.15 < shift.abs().max() <= 0.2 + 1e-4


def test_a_crowd_is_cut_to_a_random_selection() -> None:
    data = batch((4, 1))
    seen = set()
    for seed in range(20):
        torch.manual_seed(seed)
        boxes, labels = at_most(data, 2)
        assert [len(box) for box in boxes] == [2, 1]
        chosen = [int((data.boxes[0] == box).all(1).nonzero()) for box in boxes[0]]
        assert labels[0].tolist() == [int(data.labels[0][index]) for index in chosen]
        seen |= set(chosen)
    assert seen == {0, 1, 2, 3}
    assert build({"max_real": 2}).instances(data).real.sum(1).tolist() == [2, 1]


def test_fakes_follow_the_annotations() -> None:
    mean, std = torch.tensor([[0.1, 0.5], [0.3, 0.2], [0, 0]]), torch.full((3, 2), 0.01)
    torch.manual_seed(0)
    method = build()
    method.statistics = BoxStatistics(torch.tensor([1.0, 3, 0]), mean, std)
    found = method.draw(4, 5000, torch.device("cpu"))
    counts = torch.bincount(found.labels.flatten(), minlength=3) / found.labels.numel()
    assert counts.tolist() == pytest.approx([0.25, 0.75, 0], abs=0.02)
    sides = found.boxes[..., 2:] - found.boxes[..., :2]
    inner = (found.boxes > 0).all(-1) & (found.boxes < 1).all(-1) & (found.labels == 0)
    assert sides[inner].mean(0).tolist() == pytest.approx([0.1, 0.5], abs=0.01)
    assert found.boxes.min() == 0
    assert found.boxes.max() == 1


@pytest.mark.parametrize("statistics", [None, BoxStatistics(torch.zeros(4), torch.zeros(4, 2), torch.zeros(4, 2))])
def test_without_annotations_classes_are_alike(statistics) -> None:
    torch.manual_seed(0)
    found = draw(prior_of(statistics, 4), 1, 20000, 0.3)
    shares = torch.bincount(found.labels.flatten(), minlength=4) / 20000
    assert shares.tolist() == pytest.approx([0.25] * 4, abs=0.02)
    assert (found.boxes[..., 2:] - found.boxes[..., :2]).max() <= 0.6 + 1e-6


# -- numbers ---------------------------------------------------------------------------------------------------------


def test_localisation_by_hand() -> None:
    target = torch.tensor([[[0.1, 0.2, 0.3, 0.2], [0.5, 0.5, 0.5, 0.5]]])
    sides = torch.tensor([[[0.1, 0.2, 0.1, 0.4], [0.0, 0.0, 0.0, 0.0]]])
    one, none = torch.tensor([[True, False]]), torch.tensor([[False, False]])
    assert icd_losses.localisation(sides, target, one).item() == pytest.approx(0.2 / 0.4 + 0.2 / 0.4)
    assert icd_losses.localisation(sides, target, none) == 0


def test_identification_by_hand() -> None:
    logit = torch.tensor([[0.0, 2.0, 7.0]])
    real, valid = torch.tensor([[True, False, False]]), torch.tensor([[True, True, False]])
    expected = (math.log(2) + math.log(1 + math.exp(2))) / 2
    assert icd_losses.identification(logit, real, valid).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("form", ["mse", "l1", "smoothL1", "L2", "squared"])
@pytest.mark.parametrize("norm", ["ln", "tln", "none"])
def test_imitation_by_hand(form, norm) -> None:
    torch.manual_seed(0)
    ours, theirs, weight = torch.randn(2, 5, 3, 4), torch.randn(2, 5, 3, 4), torch.rand(2, 3, 5)
    found = icd_losses.imitation(ours, theirs, weight, form, norm, 1e-5)
    ours = F.layer_norm(ours, (4,)) if norm == "ln" else ours
    theirs = theirs if norm == "none" else F.layer_norm(theirs, (4,))
    difference = ours - theirs
    error = {"l1": difference.abs(), "smoothL1": F.smooth_l1_loss(ours, theirs, reduction="none")}
    weighted = error.get(form, difference**2).permute(0, 2, 3, 1) * weight[:, :, None]
    by_image, by_batch = (weighted.sum(-1) / weight.sum(-1)[..., None]).mean(), weighted.mean(2).sum() / weight.sum()
    expected = {"mse": by_image, "L2": by_batch.sqrt()}.get(form, by_batch)
    torch.testing.assert_close(found, expected)


def test_unrelated_values_start_near_twice_the_weight() -> None:
    assert run()["loss_distill"].item() == pytest.approx(8.0, rel=0.4)  # one of two images is empty


def test_weights_multiply_their_terms() -> None:
    one = run(OPTIONS)
    more = run({**OPTIONS, "lambda_distill": 16, "conf_weight": 3, "reconstruction_weight": 4})
    factors = {name: (more[name] / one[name]).item() for name in one}
    expected = {"loss_identification": 3, "loss_localisation": 1, "loss_reconstruction": 2, "loss_distill": 2}
    assert factors == pytest.approx(expected, rel=1e-5)
