"""What else an mmdet config says, and why a task does not take it."""

from __future__ import annotations

import re
from typing import Any

from kdbench.errors import InputError

OF_MMDET_3 = (
    *("train_dataloader", "val_dataloader", "optim_wrapper", "param_scheduler", "default_scope"),
    *("default_hooks", "env_cfg", "visualizer", "val_evaluator"),
)
"""Top-level names of mmdet 3's configs (mmengine) that 2.x does not have."""
SIGN = re.compile(
    r"mmdet::|\bread_base\(|\bdata_preprocessor *=|^(?:optim_wrapper|train_dataloader|default_scope|param_scheduler) *=",
    re.MULTILINE,
)
"""What only the text of a config of mmdet 3 has; inside of 2.x's `data` there may be a train_dataloader too."""
OWN = (
    *(
        "checkpoint_config",
        "log_config",
        "log_level",
        "dist_params",
        "opencv_num_threads",
        "mp_start_method",
        "workflow",
    ),
    *("cudnn_benchmark", "work_dir", "gpu_ids", "device", "resume_from", "auto_resume", "seed"),
)
"""What a run of kdbench sets itself."""
CHECKING = ("NumClassCheckHook",)
"""Hooks that only check what kdbench sets itself."""


def refuse_mmdet_3(text: str, where: str) -> None:
    """Refuse a config of mmdet 3, by its text: it cannot be read here at all.

    Raises:
        InputError: it is one.
    """
    sign = SIGN.search(text)
    if sign:
        _refuse(sign.group().strip(" =("), where)


def refuse_inherited_mmdet_3(cfg: Any, where: str) -> None:
    """The same by what was read: a base file may be one.

    Raises:
        InputError: it is one.
    """
    signs = [key for key in OF_MMDET_3 if key in cfg]
    if "data_preprocessor" in cfg.model:
        signs.append("data_preprocessor")
    if signs:
        _refuse(signs[0], where)


def _refuse(sign: str, where: str) -> None:
    raise InputError(
        f"{where}: is a config of mmdet 3 ({sign}), kdbench trains mmdet 2.28; take the 2.x config of the same name (kdbench list "
        "detectors), or `kdbench task FOLDER`"
    )


def metric_of(cfg: Any, kind: str, annotations: list[str], notes: list[str]) -> str:
    """The metric that ranks: COCO's of boxes, or VOC's for VOC data that is evaluated so."""
    given = (cfg.get("evaluation") or {}).get("metric")
    names = [str(name) for name in (given if isinstance(given, list | tuple) else [given])]
    if kind == "voc" and "mAP" in names:
        return "AP50_11" if any("VOC2007" in path for path in annotations) else "AP50_area"
    other = [name for name in names if name not in ("bbox", "segm", "mAP", "None")]
    if other:
        notes.append(f"evaluation.metric {', '.join(other)}: not taken, COCO's mAP of boxes ranks")
    return "mAP"


def rest(cfg: Any, role: str, notes: list[str]) -> None:
    """Tell what of the top level has no place in a task."""
    if cfg.get("load_from"):
        way = (
            "put it into student.init if it was trained on the same classes"
            if role == "student"
            else "give it to the search: --teacher"
        )
        notes.append(f"load_from {cfg.load_from}: not taken (a task's weights have to fit without exception); {way}")
    hooks = [str(hook.get("type")) for hook in cfg.get("custom_hooks") or [] if hook.get("type") not in CHECKING]
    if hooks:
        notes.append(f"custom_hooks {', '.join(hooks)}: not taken, a trial's training has no hooks of the user's")
    interval = (cfg.get("evaluation") or {}).get("interval", 1)
    if interval != 1:
        notes.append(f"evaluation.interval {interval}: not taken, every epoch is evaluated")
    own = [key for key in OWN if cfg.get(key) not in (None, [], {}, [("train", 1)])]
    if own and role == "student":
        notes.append(f"{', '.join(own)}: not taken, kdbench sets these itself")
