"""From what the user named to a draft, and from a draft to a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from kdbench.detectors import configs
from kdbench.errors import InputError
from kdbench.planning.drafting.config import draft_config
from kdbench.planning.drafting.draft import Draft
from kdbench.planning.drafting.folder import draft_folder


def draft(
    source: str,
    storage: Path,
    *,
    output: Path | None,
    student: str | None,
    teacher: str | None,
    data_root: str | None,
    force: bool,
    max_bad: float,
    say: Callable[[str], None],
) -> Draft:
    """The draft of a folder, or of an mmdet config.

    Raises:
        InputError: it is neither, or cannot be used; or the output is there already.
    """
    if output is not None:
        _check_output(output, force=force)
    path = Path(source).expanduser()
    if path.is_dir():
        if data_root is not None:
            raise InputError("--data-root is for a config; of a folder, the folder itself is the data root")
        gpu = _has_gpu()
        return draft_folder(
            path, storage, student=student, teacher=teacher, output=output, gpu=gpu, max_bad=max_bad, say=say
        )
    if path.suffix.lower() in (".json", ".yaml", ".yml", ".xml", ".txt") and path.is_file():
        raise InputError(f"{source}: is a file of annotations; give its folder: kdbench task {path.parent}")
    if not path.exists() and path.suffix != ".py" and source not in configs.detector_names():
        raise InputError(f"{source}: no such folder, and none of mmdet's own configs has that name; check the path")
    if student is not None:
        raise InputError("--student is for a folder; a config is itself the student")
    return draft_config(source, storage, teacher=teacher, data_root=data_root, output=output, max_bad=max_bad, say=say)


def write(file: Path, text: str) -> None:
    """Write a task file, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    beside = file.with_name(f".{file.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, file)
    except OSError as error:
        raise InputError(f"-o {file}: cannot be written ({error.strerror}); give another file") from None


def _check_output(output: Path, *, force: bool) -> None:
    if output.suffix not in (".yaml", ".yml"):
        raise InputError(f"-o {output}: a task file ends with .yaml; give such a name")
    if output.is_dir():
        raise InputError(f"-o {output}: is a folder; give a file")
    if output.exists() and not force:
        raise InputError(f"-o {output}: is there already; give another name, or --force to write over it")
    if not output.absolute().parent.is_dir():
        raise InputError(f"-o {output}: there is no folder {output.absolute().parent}; make it first")


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
