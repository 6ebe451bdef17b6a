"""The distiller: what is in it, what it draws, what it reports."""

from __future__ import annotations

import pickle
import random
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kdbench.data import batches
from kdbench.data.streams import RandomStream
from kdbench.errors import InputError
from kdbench.methods.base import Batch, DetectorInfo, Features, Method, MethodParams, Progress, Taps
from kdbench.testing import detectors, training
from kdbench.training import terms
from kdbench.training.distiller import Distiller


class Noisy(Method):
    """Mean squared distance to the teacher plus noise of every random stream; remembers what it was given."""

    class Params(MethodParams):
        weight: float = 1.0
        roi: bool = False

    name = "noisy"
    weights = ("weight",)

    def taps(self) -> Taps:
        return Taps(neck=self.params.weight > 0, roi_logits="teacher" if self.params.roi else None)

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        self.seen = (student, teacher, batch, progress)
        noise = torch.rand(()) + np.random.rand() + random.random()
        pairs = zip(student.neck, teacher.neck, strict=True)
        return {
            "loss_noisy": self.params.weight * sum((s.mean() - t.mean()) ** 2 for s, t in pairs) + 0 * noise + noise
        }


def build(family: Any = "one_stage", **params: Any) -> Distiller:
    return training.build_distiller(Noisy, params, family)


def test_the_teacher_is_run_only_if_something_is_tapped() -> None:
    for weight, expected in ((1.0, 1), (0.0, 0)):
        distiller = build(weight=weight)
        calls: list[int] = []
        distiller.teacher.backbone.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        distiller(detectors.batch())
        assert len(calls) == expected


def test_train_and_to_do_not_reach_the_teacher() -> None:
    distiller = build().train()
    assert distiller.student.training
    assert not distiller.teacher.training
    distiller.double()
    assert next(distiller.teacher.parameters()).dtype == torch.float32
    distiller.teacher.train().requires_grad_(True)
    distiller.place_teacher()
    assert not distiller.teacher.training
    assert not any(p.requires_grad for p in distiller.teacher.parameters())
    assert distiller.student_state().keys() == distiller.student.state_dict().keys()
    assert pickle.loads(pickle.dumps(distiller)).teacher is not None


def test_what_the_method_is_told() -> None:
    distiller = build()
    distiller.set_progress(Progress(1, 4, 30, 100))
    distiller(detectors.batch((2, 0), ignored=1))
    student, teacher, batch, progress = distiller.method.seen  # type: ignore[misc]
    assert progress.fraction == 0.3
    assert (batch.size, batch.image_sizes) == ((64, 96), [(56, 88)] * 2)
    assert [len(b) for b in batch.boxes] == [len(b) for b in batch.labels] == [2, 0]
    assert [b.shape for b in batch.ignored] == [(1, 4)] * 2
    assert student.neck[0].requires_grad
    assert not teacher.neck[0].requires_grad
    assert not student.backbone


@pytest.mark.parametrize("family", ["one_stage", "two_stage"])
def test_the_log_is_mmdets(family: Any) -> None:
    plain, _ = detectors.detector(family)
    torch.manual_seed(0)
    theirs = training.Plain(plain).train_step(detectors.batch())
    torch.manual_seed(0)
    ours = build(family, weight=0.0).train_step(detectors.batch())
    assert isinstance(ours["log_vars"], OrderedDict)
    assert list(ours["log_vars"].items()) == list(theirs["log_vars"].items())
    assert torch.equal(ours["loss"], theirs["loss"])
    assert ours["num_samples"] == theirs["num_samples"] == 2


def test_only_losses_are_added_up() -> None:
    loss, log = terms.total(
        {"loss_a": torch.tensor([1.0, 3.0]), "acc": torch.tensor(50.0), "loss_b": [torch.ones(())] * 2}
    )
    assert loss.item() == 4.0
    assert log == {"loss_a": 2.0, "acc": 50.0, "loss_b": 2.0, "loss": 4.0}


def test_a_term_without_loss_in_its_name_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    distiller = build()
    for name in ("noise", "loss_cls"):
        monkeypatch.setattr(distiller.method, "forward", lambda *_, name=name: {name: torch.zeros(())})
        with pytest.raises(ValueError, match=name):
            distiller(detectors.batch())


def test_the_students_stream_is_its_own() -> None:
    distiller = build("two_stage", roi=True)
    plain = Distiller(distiller.student, build(weight=0.0).method)
    after = []
    for model in (plain, distiller):
        random.seed(0), np.random.seed(0), torch.manual_seed(0)
        for step in range(2):
            model(detectors.batch(seed=step))
        after.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert after[0] == after[1]


def test_the_distillations_stream_can_be_saved() -> None:
    distiller = build("two_stage", roi=True)
    distiller.eval()  # running statistics, so that two passes of the same batch agree
    distiller(detectors.batch())
    state = distiller.rng_state()
    first = distiller(detectors.batch())["loss_noisy"]
    labels = distiller.method.seen[2].roi_logits[0].labels  # type: ignore[misc]
    second = distiller(detectors.batch())["loss_noisy"]
    distiller.set_rng_state(state)
    again = distiller(detectors.batch())["loss_noisy"]
    assert first.item() == again.item() != second.item()
    assert torch.equal(labels, distiller.method.seen[2].roi_logits[0].labels)  # type: ignore[misc]


def test_streams_restore_also_after_an_error() -> None:
    stream, device = RandomStream(3), torch.device("cpu")
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    with pytest.raises(KeyError), stream.active(device):
        torch.rand(100)
        raise KeyError
    assert torch.equal(torch.rand(2), expected)
    with RandomStream(3).active(device):
        torch.rand(100)
        here = torch.rand(1)
    with stream.active(device):
        assert torch.equal(torch.rand(1), here)


def test_a_method_that_needs_a_teacher() -> None:
    distiller = build()
    with pytest.raises(InputError, match="needs a teacher"):
        Distiller(distiller.student, distiller.method)


def test_opening_a_batch_is_mmcvs_scatter() -> None:
    from mmcv.parallel import scatter

    data = detectors.batch(ignored=1)
    ours, theirs = batches.to_device(data, torch.device("cpu")), scatter(data, [-1])[0]
    assert ours.keys() == theirs.keys()
    assert torch.equal(ours["img"], theirs["img"])
    assert ours["img_metas"] is theirs["img_metas"]
    for key in ("gt_bboxes", "gt_labels", "gt_bboxes_ignore"):
        assert all(torch.equal(a, b) for a, b in zip(ours[key], theirs[key], strict=True))
    assert batches.count(data) == batches.count(ours) == 2


def test_a_batch_collated_for_several_gpus_is_refused() -> None:
    from mmcv.parallel import DataContainer

    halves = DataContainer([torch.zeros(1, 3, 8, 8)] * 2, stack=True)
    with pytest.raises(ValueError, match="one device"):
        batches.to_device({"img": halves}, torch.device("cpu"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("dtype", [None, torch.float16])
@pytest.mark.parametrize("family", ["one_stage", "two_stage"])
def test_on_a_gpu(family: Any, dtype: torch.dtype | None) -> None:
    from mmcv.runner import wrap_fp16_model

    distiller = training.build_distiller(Noisy, {"roi": family == "two_stage"}, family, autocast_dtype=dtype)
    if dtype is not None:
        wrap_fp16_model(distiller.student)
    distiller.cuda()
    distiller.place_teacher()
    torch.manual_seed(0)
    before = torch.cuda.get_rng_state()
    logs = training.train(distiller, [detectors.batch(seed=step) for step in range(2)], "SGD")
    assert all(np.isfinite(value) for log in logs for value in log.values())
    assert before.shape == torch.cuda.get_rng_state().shape
    assert distiller.rng_state()["cuda"] is not None


def test_description_is_plain_data() -> None:
    _, info = detectors.detector("one_stage")
    assert isinstance(info, DetectorInfo)
    assert isinstance(build().method, nn.Module)
