"""The transforms of a task's `pipeline.train` as mmdet's steps: checked, and completed by what they leave out."""

from __future__ import annotations

from typing import Any

from kdbench.errors import InputError, did_you_mean
from kdbench.specs.training import PipelineSpec

LISTS = ("flip_ratio", "direction")
"""Arguments that mmdet wants as lists; every other sequence of numbers is a tuple there, which YAML does not have."""


def train_steps(spec: PipelineSpec, *, clip: bool = True) -> list[dict[str, Any]]:
    """mmdet's steps between loading and formatting, for a task that gives transforms of its own.

    Args:
        clip: false leaves boxes that reach over the image's border as they are, in the steps that can.
    """
    steps = [with_tuples(step) for step in spec.train]
    kinds = {step["type"] for step in steps}
    normalize = {"type": "Normalize", "mean": list(spec.mean), "std": list(spec.std), "to_rgb": spec.to_rgb}
    if not clip:
        steps = [
            step | {"bbox_clip_border": False} if step["type"] in ("Resize", "RandomCrop") else step for step in steps
        ]
    if "RandomFlip" not in kinds:  # mmdet collects from it whether the image was flipped
        steps.append({"type": "RandomFlip", "flip_ratio": 0.0})
    if "Normalize" not in kinds:
        steps.append(normalize)
    if "Pad" not in kinds:
        steps.append({"type": "Pad", "size_divisor": spec.pad_divisor})
    return steps


def check_transforms(spec: PipelineSpec, where: str) -> None:
    """Build the transforms once, so that a name or an argument that mmdet does not know is found before anything is trained.

    Raises:
        InputError: names the transform.
    """
    if not spec.train:
        return
    from kdbench import ops

    ops.install()
    from mmcv.utils import build_from_cfg
    from mmdet.datasets import PIPELINES

    for number, step in enumerate(with_tuples(step) for step in spec.train):
        here = f"{where}, pipeline.train[{number}]"
        kind = step["type"]
        known = PIPELINES.get(kind)
        if known is None:
            raise InputError(f"{here}: mmdet has no transform {kind!r}; {did_you_mean(kind, PIPELINES.module_dict)}")
        if hasattr(known, "get_indexes"):
            raise InputError(
                f"{here}: {kind} makes one image of several, which needs mmdet's MultiImageMixDataset; leave it out"
            )
        if kind == "Normalize" and _normalisation(step) != _normalisation(spec.model_dump()):
            raise InputError(
                f"{here}: normalises otherwise than evaluation and teacher, which use the task's mean, std and to_rgb; set those, "
                "or leave this step out"
            )
        try:
            build_from_cfg(step, PIPELINES)
        except RuntimeError as error:
            if "not installed" not in str(error):
                raise InputError(f"{here}: mmdet cannot build {kind} ({_line(error)}); correct its arguments") from None
            raise InputError(f"{here}: {_line(error)}; install it beside kdbench, or leave {kind} out") from None
        except Exception as error:  # a transform checks its arguments as it likes
            raise InputError(f"{here}: mmdet cannot build {kind} ({_line(error)}); correct its arguments") from None


def with_tuples(value: Any, key: str = "") -> Any:
    """A step with tuples where YAML has lists of numbers, as mmdet asks for them.

    Example:
        >>> with_tuples({"type": "Resize", "img_scale": [[640, 320], [640, 480]]})
        {'type': 'Resize', 'img_scale': [(640, 320), (640, 480)]}
    """
    if isinstance(value, dict):
        return {name: with_tuples(item, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        plain = all(isinstance(item, int | float) and not isinstance(item, bool) for item in value)
        if plain and value and key not in LISTS:
            return tuple(value)
        return [with_tuples(item) for item in value]
    return value


def _normalisation(values: dict[str, Any]) -> tuple[Any, ...]:
    mean, std = ([float(number) for number in values[key]] for key in ("mean", "std"))
    return mean, std, bool(values.get("to_rgb", True))


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
