"""The input pipeline of an mmdet config as a task's."""

from __future__ import annotations

from typing import Any

from kdbench.errors import InputError, brief
from kdbench.specs.training import MIXING

LOADING = ("LoadImageFromFile", "LoadAnnotations", "LoadProposals")
FORMATTING = ("DefaultFormatBundle", "Collect", "ImageToTensor", "ToTensor")
RESIZE = {
    "type",
    "img_scale",
    "keep_ratio",
    "multiscale_mode",
    "bbox_clip_border",
    "backend",
    "override",
    "ratio_range",
}


def pipeline_of(
    train: list[dict[str, Any]], test: list[dict[str, Any]], workers: int, notes: list[str]
) -> dict[str, Any]:
    """The keys of a task's `pipeline`.

    Args:
        train: mmdet's steps for training.
        test: those of evaluation, from which scale, normalisation and padding come.
        notes: gets a line for what cannot be taken over.
    """
    inner, scale = _evaluation(test, notes)
    resize = _first(inner, "Resize") or {}
    train_resize = _first(train, "Resize")
    if scale is None:
        scale = _scales(train_resize)[-1] if train_resize and _scales(train_resize) else (1333, 800)
        notes.append(f"the test pipeline names no img_scale: {scale[0]} x {scale[1]} is taken")
    keep_ratio = bool(resize.get("keep_ratio", True))
    found: dict[str, Any] = {"image_scale": list(scale)}
    if not keep_ratio:
        found["keep_ratio"] = False
    found |= _normalisation(_first(inner, "Normalize") or _first(train, "Normalize"))
    found |= _padding(_first(inner, "Pad") or {}, notes)
    if workers:
        found["workers"] = workers
    steps = _own_steps(train, notes)
    if not steps:
        notes.append("the config's train pipeline changes nothing: the task's resize and flip are used")
        return found
    plain = _plain(steps, scale, keep_ratio)
    if plain is not None:
        return found | plain
    kinds = [step["type"] for step in steps]
    late = kinds[kinds.index("Normalize") + 1 :] if "Normalize" in kinds else []
    if any(
        _normalisation(step) != _normalisation(_first(inner, "Normalize"))
        for step in steps
        if step["type"] == "Normalize"
    ):
        notes.append("train and test pipeline normalise differently: the test pipeline's values are used for both")
    if set(late) <= {"RandomFlip", "Pad"}:  # at the end, where kdbench adds it, it does the same
        steps = [step for step in steps if step["type"] != "Normalize"]
    else:
        own = {key: found[key] for key in ("mean", "std", "to_rgb")}
        steps = [{"type": "Normalize", **own} if step["type"] == "Normalize" else step for step in steps]
    if steps[-1] == {"type": "Pad", "size_divisor": found.get("pad_divisor", 32)}:
        steps = steps[:-1]
    found["train"] = [_data(step) for step in steps]
    return found


def _evaluation(test: list[dict[str, Any]], notes: list[str]) -> tuple[list[dict[str, Any]], tuple[int, int] | None]:
    """The steps inside of MultiScaleFlipAug, and the scale."""
    outer = _first(test, "MultiScaleFlipAug")
    if outer is None:
        return test, None
    scales = _scales(outer)
    if len(scales) > 1:
        notes.append(
            f"the test pipeline averages over {len(scales)} scales: the last one is taken, evaluation looks once at an image"
        )
    if outer.get("flip"):
        notes.append("the test pipeline flips: not taken, evaluation looks once at an image")
    if outer.get("scale_factor"):
        notes.append("the test pipeline's scale_factor: not taken, a task has one image_scale for all images")
    return [dict(step) for step in outer.get("transforms", [])], scales[-1] if scales else None


def _own_steps(train: list[dict[str, Any]], notes: list[str]) -> list[dict[str, Any]]:
    """The steps between loading and formatting, without those that mix images."""
    mixing = [step["type"] for step in train if step.get("type") in MIXING]
    for kind in dict.fromkeys(mixing):
        notes.append(
            f"{kind}: not taken, it makes one image of several (mmdet's MultiImageMixDataset), and a method compares student and teacher "
            "on one image with its labels"
        )
    steps = []
    for step in train:
        if not step.get("type"):
            raise InputError(
                f"data.train: its pipeline has a step without a type ({brief(dict(step))}); name the transform"
            )
        kind = str(step["type"])
        if kind == "LoadImageFromFile":
            extra = sorted(set(step) - {"type"})
            if extra:
                notes.append(
                    f"LoadImageFromFile's {', '.join(extra)}: not taken, images are loaded as 8 bits, three channels, from files"
                )
        elif kind == "LoadProposals":
            notes.append("LoadProposals: not taken, there are no proposals as input")
        elif kind == "LoadAnnotations":
            if step.get("with_seg"):
                notes.append("LoadAnnotations' with_seg: not taken, there are no semantic maps")
        elif kind == "RandomAffine" and mixing and any(float(side) < 0 for side in step.get("border", (0, 0))):
            notes.append("RandomAffine: not taken, its negative border cuts a mosaic back to one image")
        elif kind == "SegRescale":
            notes.append("SegRescale: not taken, there are no semantic maps")
        elif kind not in (*FORMATTING, *MIXING):
            steps.append(dict(step))
    return steps


def _plain(steps: list[dict[str, Any]], scale: tuple[int, int], keep_ratio: bool) -> dict[str, Any] | None:
    """The steps as `short_sides` and `flip`; None if they are more than that."""
    kinds = [step["type"] for step in steps]
    if [kind for kind in kinds if kind not in ("Normalize", "Pad")] != ["Resize", "RandomFlip"]:
        return None
    resize, flip = _first(steps, "Resize") or {}, _first(steps, "RandomFlip") or {}
    scales = _scales(resize)
    same = resize.get("ratio_range") is None and bool(resize.get("keep_ratio", True)) == keep_ratio
    ratio = flip.get("flip_ratio", 0.0)
    if (
        not same
        or set(resize) - RESIZE
        or not isinstance(ratio, int | float)
        or flip.get("direction", "horizontal") != "horizontal"
    ):
        return None
    if not resize.get("bbox_clip_border", True) or resize.get("backend", "cv2") != "cv2" or resize.get("override"):
        return None
    pad = _first(steps, "Pad") or {}
    if set(pad) - {"type", "size_divisor"}:
        return None
    flipped = {} if ratio == 0.5 else {"flip": float(ratio)}
    if scales == [scale]:
        return flipped
    longest = {max(one) for one in scales}
    if len(scales) > 1 and resize.get("multiscale_mode", "range") == "value" and longest == {max(scale)}:
        return {"image_scale": [max(scale), min(scale)], "short_sides": [min(one) for one in scales], **flipped}
    return None


def _normalisation(step: dict[str, Any] | None) -> dict[str, Any]:
    if step is None:  # pixels as they are, as YOLOX wants them
        return {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0], "to_rgb": False}
    found = {key: [float(number) for number in step[key]] for key in ("mean", "std")}
    return {**found, "to_rgb": bool(step.get("to_rgb", True))}


def _padding(step: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    if step.get("pad_to_square") or step.get("size"):
        notes.append(
            "evaluation's Pad to a square or a fixed size: not taken, sides are padded to a multiple of pad_divisor"
        )
    if step.get("pad_val") not in (None, 0) and step["pad_val"] != {"img": 0}:
        notes.append("evaluation's pad_val: not taken, images are padded with 0")
    divisor = step.get("size_divisor")
    return {"pad_divisor": int(divisor)} if divisor and divisor != 32 else {}


def _scales(step: dict[str, Any]) -> list[tuple[int, int]]:
    given = step.get("img_scale")
    if given is None:
        return []
    several = given if isinstance(given[0], list | tuple) else [given]
    return [(int(one[0]), int(one[1])) for one in several]


def _first(steps: list[dict[str, Any]], kind: str) -> dict[str, Any] | None:
    return next((step for step in steps if step.get("type") == kind), None)


def _data(value: Any) -> Any:
    """Plain data of what a config holds."""
    if isinstance(value, dict):
        return {str(key): _data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_data(item) for item in value]
    return value
