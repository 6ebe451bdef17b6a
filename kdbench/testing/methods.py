"""The contract of a method, as tests. Subclass it for a method of your own:

    from kdbench.testing.methods import MethodContract

    class TestMimic(MethodContract):
        method = Mimic  # the class, or its registered name
        params = {"weight": 1.0}

`pytest` then runs the whole contract on small synthetic detectors, in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch

from kdbench.detectors import weights
from kdbench.methods.base import Method
from kdbench.testing import detectors, processes, training
from kdbench.training.distiller import Distiller


class MethodContract:
    """What every method must hold.

    Attributes:
        method: the class or its registered name.
        params: parameters with which the method does distil.
        families: the detectors it is for.
        equal_channels: test with a teacher as wide as the student only.
        zero_on_identical: equal features of student and teacher give loss 0 (without adapters: set `equal_channels`).
        processes: also train in two processes (some seconds).
        doubled_batch: what two processes give compared with one that has both batches, as far as the method's
            normalisation allows: "images" means that each image counts by itself, so the gradients are equal for any
            images; "batch" means sums over the batch are divided by counts of the batch, so they are equal if both
            processes see the same images; None means not at all (random draws, statistics that do not add up).
        doubled_params: parameters for that comparison, if not `params` (to switch random draws off).
        autocast_rtol: how far terms under bfloat16 autocast may be from float32.
    """

    method: ClassVar[str | type[Method]]
    params: ClassVar[dict[str, Any]] = {}
    families: ClassVar[tuple[detectors.Family, ...]] = ("one_stage", "two_stage")
    equal_channels: ClassVar[bool] = False
    zero_on_identical: ClassVar[bool] = False
    processes: ClassVar[bool] = True
    doubled_batch: ClassVar[Literal["images", "batch"] | None] = "batch"
    doubled_params: ClassVar[dict[str, Any] | None] = None
    autocast_rtol: ClassVar[float] = 0.1

    def pytest_generate_tests(self, metafunc: Any) -> None:
        if "family" in metafunc.fixturenames:
            metafunc.parametrize("family", metafunc.cls.families)

    @pytest.fixture(autouse=True)
    def _one_thread(self) -> Iterator[None]:
        """Networks this small run faster on one thread, and tests side by side do not starve each other."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(threads)

    def build(self, family: detectors.Family, params: dict[str, Any] | None = None, **more: Any) -> Distiller:
        more["equal_channels"] = more.get("equal_channels", False) or self.equal_channels
        return training.build_distiller(self.method, self.params if params is None else params, family, **more)

    def terms(self, distiller: Distiller, data: dict[str, Any]) -> dict[str, torch.Tensor]:
        """The method's terms on a batch; every loss must be finite, the detector's own too."""
        with torch.no_grad():
            own = set(Distiller(distiller.student, _nothing(), None)(data))
        losses = distiller(data)
        bad = [name for name, value in losses.items() for part in _parts(value) if not torch.isfinite(part).all()]
        assert not bad, f"not finite: {bad}"
        added = {name: value for name, value in losses.items() if name not in own}
        shapes = {name: tuple(value.shape) for name, value in added.items() if value.ndim}
        assert not shapes, f"terms must be scalars: {shapes}"
        return added

    def distils(self, family: detectors.Family) -> bool:
        return bool(self.build(family).method.taps())

    def batch(self, family: detectors.Family, *args: Any, **more: Any) -> dict[str, Any]:
        """A batch of noise, with masks for a detector that wants them."""
        more["masks"] = detectors.has_masks(family)
        return detectors.batch(*args, **more)

    # -- the contract --------------------------------------------------------------------------------------

    @pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
    def test_weights_zero_is_plain_training_bit_for_bit(self, family: detectors.Family, optimizer: str) -> None:
        off = {**self.params, **dict.fromkeys(training.method_class(self.method).weights, 0.0)}
        plain, _ = detectors.detector(family)
        distiller = self.build(family, off)
        assert not distiller.method.taps(), "with all weights 0 nothing may be tapped"
        assert not list(distiller.method.parameters()), "with all weights 0 the method may have no parameters"
        batches = [self.batch(family, seed=step) for step in range(3)]
        ours = training.train(distiller, batches, optimizer)
        ours_random = torch.rand(4)
        theirs = training.train(training.Plain(plain), batches, optimizer)
        assert torch.equal(ours_random, torch.rand(4)), "the training's random stream was disturbed"
        assert ours == theirs, "the logged losses differ"
        assert training.first_difference(distiller.student.state_dict(), plain.state_dict()) is None

    def test_detection_losses_are_the_students_own(self, family: detectors.Family) -> None:
        plain, _ = detectors.detector(family)
        plain.train()
        distiller = self.build(family)
        torch.manual_seed(0)
        own, own_random = Distiller(plain, _nothing(), None)(self.batch(family)), torch.rand(4)
        torch.manual_seed(0)
        both, both_random = distiller(self.batch(family)), torch.rand(4)
        assert torch.equal(own_random, both_random), "the training's random stream was disturbed"
        for name, value in own.items():
            same = all(torch.equal(a, b) for a, b in zip(_parts(value), _parts(both[name]), strict=True))
            assert same, f"{name}: the distillation changed the detector's own loss"

    def test_gradient_reaches_student_and_never_teacher(self, family: detectors.Family) -> None:
        if not self.distils(family):
            pytest.skip("distils nothing")
        distiller = self.build(family)
        added = self.terms(distiller, self.batch(family))
        assert added, "no terms with these params"
        sum(added.values()).backward()  # type: ignore[union-attr]
        reached = [n for n, p in distiller.student.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0]
        assert any(name.startswith("backbone") for name in reached), "no gradient in the student's backbone"
        unreached = [n for n, p in distiller.method.named_parameters() if p.requires_grad and p.grad is None]
        assert not unreached, f"parameters of the method without a gradient: {unreached}"
        if distiller.teacher is None:
            return
        assert all(p.grad is None and not p.requires_grad for p in distiller.teacher.parameters())
        assert not any(module.training for module in distiller.teacher.modules()), "the teacher left eval mode"

    def test_teacher_is_no_part_of_the_module(self, family: detectors.Family) -> None:
        distiller = self.build(family)
        names = {name.split(".")[0] for name in distiller.state_dict()}
        assert names <= {"student", "method"}
        if distiller.teacher is None:
            return
        before = {name: value.clone() for name, value in distiller.teacher.state_dict().items()}
        teachers = {id(p) for p in distiller.teacher.parameters()}
        assert not teachers & {id(p) for p in distiller.parameters()}
        training.train(distiller, [self.batch(family)], "SGD")
        assert training.first_difference(before, distiller.teacher.state_dict()) is None, "the teacher changed"

    @pytest.mark.parametrize("boxes", [(0, 0), (0, 2), (1,), (300,)], ids=["none", "none_on_one", "one", "many"])
    def test_any_number_of_objects(self, family: detectors.Family, boxes: tuple[int, ...]) -> None:
        added = self.terms(self.build(family), self.batch(family, boxes))
        for value in added.values():
            if value.requires_grad:
                value.backward(retain_graph=True)

    def test_ignored_boxes(self, family: detectors.Family) -> None:
        distiller = self.build(family)
        self.terms(distiller, self.batch(family, (2, 0), ignored=3))
        without = self.batch(family, (2, 1))
        del without["gt_bboxes_ignore"]
        self.terms(distiller, without)

    def test_teacher_of_equal_channels(self, family: detectors.Family) -> None:
        self.terms(self.build(family, equal_channels=True), self.batch(family))

    def test_two_image_sizes_in_a_row(self, family: detectors.Family) -> None:
        distiller = self.build(family)
        self.terms(distiller, self.batch(family, size=(64, 96)))
        self.terms(distiller, self.batch(family, size=(96, 64), boxes=(1,)))

    def test_state_round_trip(self, family: detectors.Family, tmp_path: Path) -> None:
        one, data = self.build(family), self.batch(family)
        training.train(one, [self.batch(family, seed=4)], "SGD")
        file = tmp_path / "state.pth"
        torch.save({"module": one.state_dict(), "rng": one.rng_state()}, file)
        saved = torch.load(file, weights_only=True)
        other = self.build(family)
        other.load_state_dict(saved["module"])
        other.set_rng_state(saved["rng"])
        logs = [training.train(model, [data], "SGD") for model in (one, other)]
        assert logs[0] == logs[1]
        assert training.first_difference(one.state_dict(), other.state_dict()) is None

    def test_exported_student_has_nothing_of_the_method(self, family: detectors.Family, tmp_path: Path) -> None:
        distiller = self.build(family)
        weights.export_student(distiller.student, tmp_path / "student.pth", {"CLASSES": list(detectors.CLASSES)})
        plain, _ = detectors.detector(family, seed=9)
        weights.load_weights(plain, str(tmp_path / "student.pth"), classes=detectors.CLASSES, what="student")
        assert training.first_difference(plain.state_dict(), distiller.student.state_dict()) is None

    def test_autocast_is_finite_and_close_to_float32(self, family: detectors.Family) -> None:
        one, other = self.build(family, autocast_dtype=torch.bfloat16), self.build(family)
        added, exact = (self.terms(model, self.batch(family, (3, 0))) for model in (one, other))
        kinds = {str(value.dtype) for value in added.values()}
        assert kinds <= {"torch.float32"}, f"terms must be float32: {kinds}"
        for name, value in exact.items():
            training.check_close(added[name], value, name, self.autocast_rtol, 1e-3)

    def test_identical_features_give_no_loss(self, family: detectors.Family) -> None:
        if not self.zero_on_identical:
            pytest.skip("no property of this method")
        for name, value in training.terms_on_identical_features(self.build(family), self.batch(family)).items():
            assert value.abs() <= 1e-6, f"{name}: {value}"

    def test_two_processes(self, tmp_path: Path) -> None:
        if not self.processes:
            pytest.skip("left to another set of params")
        spec = processes.Spec(
            self.method, self.params, self.families, self.equal_channels, self.doubled_batch, self.doubled_params
        )
        processes.run_processes(spec, str(tmp_path))


class _Nothing(Method):
    name = "_nothing"
    needs_teacher = False

    def taps(self) -> Any:
        return ()


def _nothing() -> Method:
    return _Nothing(Method.Params(), None, None)  # type: ignore[arg-type]


def _parts(value: Any) -> list[torch.Tensor]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
