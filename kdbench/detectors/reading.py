"""Reading an mmdet config file: what mmcv says of a broken one, in words that help; and what a task does not take of it."""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.errors import InputError

if TYPE_CHECKING:
    from mmcv import Config

SIGNS_OF_MMDET_3 = ("data_preprocessor", "mmdet::", "mmengine", "default_scope", "read_base")
"""In the text of a config: mmdet 2 has none of them."""
MMDET_3 = "a config of mmdet 3, and kdbench runs mmdet 2.28; take the family's config of mmdet 2.x"
NOT_TAKEN = {
    "load_from": "student.init",
    "data": "dataset and pipeline",
    "optimizer": "schedule",
    "optimizer_config": "schedule.grad_clip",
    "lr_config": "schedule",
    "runner": "schedule.epochs",
    "fp16": "schedule.fp16",
    "custom_hooks": None,
}
"""Keys of a config that kdbench does not read -> what of a task says it."""


def parse(path: Path) -> Config:
    """The config of a file, which is Python and runs.

    Raises:
        InputError: it does not run, a module that it imports is missing, or it is of mmdet 3.
    """
    try:
        # What a config prints is no output of a command, which programs read.
        with contextlib.redirect_stdout(sys.stderr):
            return _parse(path)
    except SystemExit as error:
        _drop(error)
        raise InputError(f"{path}: ends Python when it is read (it calls exit); take that out of the config") from None
    except Exception as error:  # a config is Python: anything may go wrong inside it
        _drop(error)
        if is_of_mmdet_3(path):
            raise InputError(f"{path}: is {MMDET_3}") from error
        missing = _missing_import(path) if isinstance(error, ImportError) else None
        if missing:
            raise InputError(f"{path}: {missing}") from error
        kind = type(error).__name__
        line = (str(error).strip().splitlines() or [""])[0][:200]
        raise InputError(f"{path}: not an mmdet config ({kind}: {line}); correct the file") from error


def _drop(error: BaseException) -> None:
    """Let go of what mmcv left open: its temporary file lies in a folder that is gone, and says so where it is closed last."""
    before = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        traceback.clear_frames(error.__traceback__)
        gc.collect()
    finally:
        sys.unraisablehook = before


def is_of_mmdet_3(path: Path) -> bool:
    """Whether the text of a config has what only mmdet 3's have."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(sign in text for sign in SIGNS_OF_MMDET_3)


def not_taken(cfg: Config, own: bool) -> list[str]:
    """What stands in a config and is not read, each with the task's key for it; `own` names mmdet's configs.

    Of mmdet's own configs only what changes the training without a task's key for it, or the weights, is named: that
    their data and schedules are COCO's is what a task is for.
    """
    keys = [key for key in NOT_TAKEN if cfg.get(key)]
    if own:
        keys = [key for key in keys if key in ("load_from", "custom_hooks")]
    hooks = [str(hook.get("type")) for hook in cfg.get("custom_hooks") or [] if isinstance(hook, dict)]
    # What every base file has: it only counts iterations.
    if set(hooks) <= {"NumClassCheckHook"}:
        keys = [key for key in keys if key != "custom_hooks"]
    found = []
    for key in keys:
        instead = NOT_TAKEN[key]
        if key == "custom_hooks":
            found.append(f"{key} ({', '.join(hooks)})")
        else:
            found.append(f"{key} (use {instead})" if instead else key)
    return found


def _parse(path: Path) -> Config:
    from mmcv import Config

    for _ in range(3):
        try:
            return Config.fromfile(str(path))
        except SystemError:
            # Python before 3.11.8 counts the depth of a syntax tree wrongly when two are built at once (gh-106905).
            continue
    return Config.fromfile(str(path))


def _missing_import(path: Path) -> str | None:
    """Which of the config's `custom_imports` fails, and why: mmcv raises an error without a word."""
    from mmcv import Config

    try:
        imports: Any = Config.fromfile(str(path), import_custom_modules=False).get("custom_imports") or {}
    except Exception:
        return None
    names = imports.get("imports") or []
    for name in [names] if isinstance(names, str) else names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            module = getattr(error, "name", None) or name
            why = (str(error).splitlines() or [""])[0][:200]
            if type(error) is ModuleNotFoundError:
                return f"custom_imports: {name} needs the module {module!r}, which is not installed; install it, or take another config"
            return f"custom_imports: {name} cannot be imported ({why}); mend it, or take another config"
    return None
