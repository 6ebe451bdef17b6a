"""Students and teachers by a short name, and a teacher for a student that came without."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.errors import InputError

SHORT = ("small", "r18", "r34", "r50", "r101")
RESNETS = {18: 34, 34: 50, 50: 101, 101: 152}
"""Depth of a student's ResNet -> its teacher's."""
NEVER = 1_000_000_000
"""Iterations between two changes of YOLOX's own input size: more than any training has."""
BASIC, BOTTLENECK = [64, 128, 256, 512], [256, 512, 1024, 2048]
"""Channels of a ResNet's stages, to depth 34 and from 50 on."""


@dataclass(frozen=True)
class Network:
    """A detector as a task has it.

    Attributes:
        spec: the keys of `student` or `teacher`.
        what: in words.
        trained: it starts from ImageNet weights.
    """

    spec: dict[str, Any]
    what: str
    trained: bool = False
    notes: tuple[str, ...] = field(default=())


def named(name: str, role: str) -> Network:
    """A network by its short name.

    Raises:
        InputError: there is none of that name.
    """
    if name == "small":
        return _small(role)
    if name not in SHORT:
        raise InputError(f"--{role} {name}: give one of {', '.join(SHORT)}, or an mmdet config")
    depth = int(name[1:])
    spec: dict[str, Any] = {"config": f"retinanet/retinanet_r{depth}_fpn_1x_coco", "pretrained": True}
    if depth == 34:  # mmdet has no such config
        checkpoint = {"type": "Pretrained", "checkpoint": "torchvision://resnet34"}
        changes = {"model.backbone.depth": 34, "model.backbone.init_cfg": checkpoint}
        spec = {"config": "retinanet/retinanet_r18_fpn_1x_coco", "set": changes, "pretrained": True}
    return Network(spec, f"RetinaNet R{depth}", trained=True)


def _small(role: str) -> Network:
    """The networks of task `shapes`: minutes on a CPU."""
    width, depth = (16, 18) if role == "student" else (32, 34)
    changes: dict[str, Any] = {"model.backbone.depth": depth} if role == "teacher" else {}
    changes |= {
        "model.backbone.base_channels": width,
        "model.backbone.stem_channels": width,
        "model.backbone.frozen_stages": -1,
        "model.neck.in_channels": [width, 2 * width, 4 * width, 8 * width],
        "model.neck.out_channels": 32,
        "model.bbox_head.in_channels": 32,
        "model.bbox_head.feat_channels": 32,
        "model.bbox_head.stacked_convs": 2,
    }
    return Network(
        {"config": "retinanet/retinanet_r18_fpn_1x_coco", "set": changes}, f"RetinaNet R{depth} (width {width})"
    )


def of_config(config: str, place: str | None = None) -> Network:
    """A network from a config: mmdet's own name, or a file.

    Args:
        place: how the task file names it, where not as given.

    Raises:
        InputError: no such config, or it is broken.
    """
    from kdbench.detectors import configs

    cfg = configs.load_model_config(config, {})
    trained = _fetches(cfg.model)
    own = config.removesuffix(".py")
    kept = place or (own if own in configs.detector_names() else str(configs.find(config)))
    what = f"{cfg.model.get('type')} of {Path(config).name}"
    spec: dict[str, Any] = {"config": kept, "pretrained": True} if trained else {"config": kept}
    notes: tuple[str, ...] = ()
    if cfg.model.get("random_size_interval"):
        spec["set"] = {"model.random_size_interval": NEVER}
        notes = (
            f"{what} resizes batches inside the model: switched off; for several sizes give pipeline.train a Resize of several",
        )
    return Network(spec, what, trained, notes)


def larger(student: Network, config: str) -> Network:
    """A teacher for a student's config: the next deeper ResNet in the same detector, else the same detector.

    Args:
        config: how the student's config is found from here.
    """
    from kdbench.detectors import configs

    cfg = configs.load_model_config(config, dict(student.spec.get("set", {})))
    backbone, neck = cfg.model.get("backbone", {}), cfg.model.get("neck")
    depth = RESNETS.get(backbone.get("depth"))
    width = backbone.get("base_channels", 64)
    channels = _of_width(BASIC if backbone.get("depth") in (18, 34) else BOTTLENECK, width)
    in_channels: list[Any] = list(neck.get("in_channels") or ()) if isinstance(neck, dict) else []
    usual = bool(in_channels) and in_channels == channels[-len(in_channels) :]
    fetched = not student.trained or width == 64  # there are initial weights of no other width
    if depth is None or backbone.get("type") != "ResNet" or not usual or not fetched:
        note = (
            f"no larger network is known for {backbone.get('type', 'this backbone')}: the teacher is the student's own detector, which "
            "teaches little; give one with --teacher"
        )
        return Network(dict(student.spec), student.what, student.trained, (note,))
    changes = {**student.spec.get("set", {}), "model.backbone.depth": depth}
    if depth == 50:
        changes["model.neck.in_channels"] = _of_width(BOTTLENECK, width)[-len(in_channels) :]
    if student.trained:
        changes["model.backbone.init_cfg"] = {"type": "Pretrained", "checkpoint": f"torchvision://resnet{depth}"}
        if cfg.model.get("pretrained"):
            changes["model.pretrained"] = None
    note = f"teacher: the student's detector with a ResNet-{depth}; give another with --teacher"
    return Network({**student.spec, "set": changes}, f"{cfg.model.get('type')} R{depth}", student.trained, (note,))


def _of_width(channels: list[int], width: int) -> list[int]:
    return [number * width // 64 for number in channels]


def _fetches(node: Any) -> bool:
    """Whether a model's config names initial weights."""
    if isinstance(node, dict):
        own = node.get("pretrained") or ("checkpoint" in node and node["checkpoint"])
        return bool(own) or any(_fetches(value) for value in node.values())
    return isinstance(node, list | tuple) and any(_fetches(item) for item in node)
