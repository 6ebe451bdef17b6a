"""Where the YAML files that come with kdbench lie: beside the package in a checkout, inside it when installed."""

from __future__ import annotations

from pathlib import Path

from kdbench.errors import InputError, did_you_mean

_PACKAGE = Path(__file__).resolve().parent.parent


def folder(name: str) -> Path:
    """The folder `search_spaces`, `benchmarks/tasks` or `benchmarks/suites`."""
    for root in (_PACKAGE / "_data", _PACKAGE.parent):
        if (root / name).is_dir():
            return root / name
    raise InputError(f"the folder {name} did not come with this installation of kdbench; install it again")


def names(kind: str) -> list[str]:
    """Names of the shipped files of a folder, sub-folders as `voc/faster_rcnn_r101_r50`; `_x.yaml` is not listed."""
    root = folder(kind)
    found = (path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.yaml"))
    return sorted(name for name in found if not name.rpartition("/")[2].startswith("_"))


def find(kind: str, name: str, what: str) -> Path:
    """The file of a shipped name, or of a path that the user gave.

    Raises:
        InputError: no such name and no such file; says the nearest name.
    """
    if name.endswith((".yaml", ".yml", ".json")) or Path(name).is_file():
        if Path(name).is_file():
            return Path(name).resolve()
        raise InputError(f"{what} file {name} does not exist; check the path")
    path = folder(kind) / f"{name}.yaml"
    if path.is_file() and not name.startswith("_"):
        return path
    raise InputError(f"unknown {what} {name!r}; {did_you_mean(name, names(kind))}")
