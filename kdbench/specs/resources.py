"""Where the YAML files that come with kdbench lie: beside the package in a checkout, inside it when installed."""

from __future__ import annotations

from pathlib import Path

from kdbench.errors import InputError, brief, did_you_mean

LISTINGS = {
    "search_spaces": "kdbench list spaces",
    "benchmarks/tasks": "kdbench list tasks",
    "benchmarks/suites": "kdbench list suites",
}
"""The command that lists the files of a folder."""
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
    here = Path(name)
    if name.endswith((".yaml", ".yml", ".json")) or _is_file(here):
        if _is_there(here):
            return here.resolve()
        raise InputError(f"{what} file {brief(name)[1:-1]} does not exist; check the path")
    path = folder(kind) / f"{name}.yaml"
    if not here.is_absolute() and ".." not in here.parts and _is_file(path) and not name.startswith("_"):
        return path
    if _is_there(here):
        raise InputError(
            f"{what} file {name}: is {'a folder' if here.is_dir() else 'no regular file'}; give a YAML file"
        )
    raise InputError(f"unknown {what} {brief(name)}; {did_you_mean(name, names(kind), LISTINGS[kind])}")


def _is_file(path: Path) -> bool:
    """Whether it is a file; a name that no file can have (too long, say) is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
