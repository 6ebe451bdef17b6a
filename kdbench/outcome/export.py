"""`kdbench export`: a trained student as a folder for plain mmdet, verified before it is there under its name."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kdbench._version import __version__
from kdbench.data import Prepared, prepare
from kdbench.data.folder import read_by_kdbench
from kdbench.errors import InputError
from kdbench.outcome.card import card
from kdbench.outcome.choosing import Chosen, choose
from kdbench.outcome.verifying import Verification, verify
from kdbench.search import folders
from kdbench.specs.paths import storage_folder
from kdbench.tracking.models import Models
from kdbench.tracking.store import tracking_uri


@dataclass(frozen=True)
class Options:
    """Everything of `kdbench export` beside the study and the folder.

    Attributes:
        register: a name in MLflow's model registry.
        device: where it is verified: "auto", "cpu" or "cuda".
        tolerance: of the verification; None is 1e-6 for what was trained and is verified on a CPU, else 0.005.
    """

    trial: str | None = None
    register: str | None = None
    storage: str | None = None
    tracking_uri: str | None = None
    data_root: str | None = None
    device: str = "auto"
    tolerance: float | None = None


@dataclass(frozen=True)
class Exported:
    """What was exported, where, and the version in the model registry, if any; `added` is whether it is new there."""

    folder: Path
    chosen: Chosen
    verification: Verification
    version: int | None = None
    added: bool = False


def export(
    study: str, output: str | Path, options: Options | None = None, tell: Callable[[str], None] = print
) -> Exported:
    """Export a study's winner, or one of its trials.

    Args:
        output: the folder; made, or empty so far.
        tell: called with what is being done, for a person who waits.

    Raises:
        InputError: the folder has something in it, or what is asked for is not there; nothing is written.
        RunError: plain mmdet measures another figure than was recorded; nothing is left.

    Example:
        >>> export("defeat-shapes", "student").verification.figure("search", "mAP").measured
        0.3774
    """
    options = options or Options()
    target, storage = _target(output), storage_folder(options.storage)
    plan = folders.open_any(storage, study)[1] if study in folders.studies(storage) else None
    uri = options.tracking_uri or (plan.tracking_uri if plan else None)
    models = Models(tracking_uri(storage, uri), options.register) if options.register else None
    chosen = choose(storage, study, options.trial, uri)
    tell(f"{chosen.trained.name}: {chosen.why}")
    with _beside(target) as folder:
        trained_on = _write(folder, chosen, storage, options.data_root)
        if trained_on is None:  # a config of an older kdbench does not say
            trained_on = "cuda" if plan is not None and plan.resources.gpus else "cpu"
        device = _device(options.device, trained_on)
        tell(f"plain mmdet evaluates it on {'the CPU' if device == 'cpu' else 'the GPU'}")
        threads = max(1, int(plan.resources.cpus)) if plan is not None and device == "cpu" else 0
        result = verify(
            folder, chosen.trained, trained_on=trained_on, device=device, threads=threads, wanted=options.tolerance
        )
        _describe(folder, chosen, result)
    if models is None:
        return Exported(target, chosen, result)
    tell(f"registering it as {options.register}")
    version, added = models.add(target, _identity(chosen), _about(chosen, result))
    return Exported(target, chosen, result, version, added)


def _target(output: str | Path) -> Path:
    target = Path(output).expanduser().absolute()
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError(f"-o {output}: is there and is no folder; give a new one")
    if target.is_dir() and any(target.iterdir()):
        raise InputError(f"-o {output}: has files in it, which are left alone; give a new or an empty folder")
    return target


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder beside the target, which becomes the target when all went well and is gone otherwise."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise InputError(f"-o {target}: cannot be made ({error.strerror}); give another folder") from None
    try:
        yield folder
        folder.chmod(0o755)
        os.replace(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, chosen: Chosen, storage: Path, data_root: str | None) -> str | None:
    """Everything that is verified; the kind of device that it was trained on, if that is known."""
    from kdbench.outcome.plain_config import ANNOTATIONS, plain_config

    one = chosen.trained
    root = Path(data_root).expanduser().absolute() if data_root else one.data_root
    data: Prepared = prepare(one.recipe.dataset, storage, root)
    _check_images(data, one.name)
    title = f"{one.recipe.student.config}, {one.recipe.method.name} on {one.recipe.task}: trial {one.name} of kdbench."
    config = plain_config(one.workdir / "mmdet_config.py", data, root, title)
    (folder / "config.py").write_text(config.text, encoding="utf-8")
    _write_json(folder / "recipe.json", one.recipe.plain())
    shutil.copyfile(one.workdir / "student.pth", folder / "student.pth")
    (folder / ANNOTATIONS).mkdir()
    for split, files in data.splits.items():
        shutil.copyfile(files.annotations, folder / ANNOTATIONS / f"{split}.json")
    return config.device


def _check_images(data: Prepared, name: str) -> None:
    """Refuse what plain mmdet would measure on other pixels.

    Raises:
        InputError: names the first image.
    """
    for split in ("search", "report"):
        odd = read_by_kdbench(data, split)
        if odd:
            raise InputError(
                f"trial {name}: plain mmdet does not read {len(odd)} images of the {split} split as kdbench does ({odd[0]} is the first: "
                "it ends early, or is to be used unturned, see problems.csv); save them anew without loss, then export again"
            )


def _device(asked: str, trained_on: str) -> str:
    """Where to verify; by itself the device that it was trained on, if this machine has one."""
    if asked == "cpu" or (asked == "auto" and trained_on == "cpu"):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if asked == "cuda":
        raise InputError("device cuda: torch finds no GPU here; use --device cpu")
    return "cpu"


def _describe(folder: Path, chosen: Chosen, result: Verification) -> None:
    """The card, for people and for programs."""
    one = chosen.trained
    content: dict[str, Any] = {
        "kdbench": __version__,
        **_identity(chosen),
        "chosen": chosen.why,
        "seed": one.recipe.seed,
        "epoch": one.recipe.schedule.epochs,
        "metric": one.recipe.metric,
        "summary": one.summary,
        "row": chosen.row.plain() if chosen.row is not None else None,
        "verification": {**asdict(result), "figures": [{**asdict(one), "by": one.by} for one in result.figures]},
    }
    _write_json(folder / "evidence.json", content)
    (folder / "README.md").write_text(card(chosen, result), encoding="utf-8")


def _identity(chosen: Chosen) -> dict[str, str]:
    one = chosen.trained
    names = {"study": one.study, "trial": one.trial, "task": one.recipe.task, "method": one.recipe.method.name}
    return {**names, "recipe": one.recipe.hash}


def _about(chosen: Chosen, result: Verification) -> dict[str, str]:
    """What else the model registry shows: the figure of the split that flatters least."""
    metric = chosen.trained.recipe.metric
    split = "report" if result.figure("report", metric) else "search"
    figure = result.figure(split, metric)
    verdict = chosen.row.verdict if chosen.row is not None else None
    more = {
        "metric": metric,
        "split": split,
        "figure": f"{figure.recorded:.6g}" if figure else None,
        "verdict": verdict,
    }
    return {name: value for name, value in more.items() if value is not None}


def _write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
