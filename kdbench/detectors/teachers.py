"""The store of teachers: `teachers/<id>/` with weights.pth and card.json, kept by identity and reused by every study.

The identity of a teacher that kdbench trained is the hash of its recipe; of one that was given, the hash of its file.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdbench.detectors.digest import digest, local_file
from kdbench.errors import InputError
from kdbench.specs.recipe import Recipe, TeacherRef, teacher_recipe
from kdbench.specs.task import TaskSpec

WEIGHTS, CARD = "weights.pth", "card.json"
GIVEN = "file-"
"""How the identity of a given teacher begins; the start of its file's SHA-256 follows."""


def trained_teacher(task: TaskSpec) -> TeacherRef:
    """The reference of the teacher that is trained for a task."""
    return TeacherRef(config=task.teacher.config, set=task.teacher.set, id=teacher_recipe(task).hash)


def weights_file(storage: Path, teacher: TeacherRef) -> Path:
    return storage / "teachers" / teacher.id / WEIGHTS


def card(storage: Path, identity: str) -> dict[str, Any]:
    """What is known of a stored teacher: where it is from, its figures and its cost."""
    path = storage / "teachers" / identity / CARD
    try:
        content = json.loads(path.read_text()) if path.is_file() else {}
    except (OSError, ValueError):  # a card that a full disk cut off says nothing
        content = {}
    return content if isinstance(content, dict) else {}


def figures(storage: Path, recipe: Recipe) -> dict[str, float]:
    """What a stored teacher scored, and what it cost; empty where that is not known.

    Args:
        recipe: that trained it, or for a given teacher the one that evaluates it: it scores differently on other data.
    """
    if recipe.teacher is None:
        found: dict[str, float] = card(storage, recipe.hash).get("summary", {})
    else:
        found = card(storage, recipe.teacher.id).get("evaluated", {}).get(recipe.hash, {})
    return found


def note_figures(storage: Path, identity: str, recipe: Recipe, summary: dict[str, float]) -> None:
    """Keep what a given teacher scored on a task; the card appears whole or stays as it is."""
    content = card(storage, identity)
    content["evaluated"] = {**content.get("evaluated", {}), recipe.hash: summary}
    folder = storage / "teachers" / identity
    temporary = folder / f".{CARD}-{os.getpid()}"
    temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    temporary.replace(folder / CARD)


def publish(storage: Path, identity: str, weights: Path, content: dict[str, Any]) -> None:
    """Put weights into the store: the whole folder appears at once. One that is there already stays."""
    target = storage / "teachers" / identity
    if (target / WEIGHTS).is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        _mend(target, weights, content)
        return
    temporary = Path(tempfile.mkdtemp(prefix=f".{identity}-", dir=target.parent))
    try:
        shutil.copyfile(weights, temporary / WEIGHTS)
        content = {**content, "sha256": digest(temporary / WEIGHTS)}
        (temporary / CARD).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
        os.replace(temporary, target)
    except OSError:
        if not (target / WEIGHTS).is_file():
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _mend(target: Path, weights: Path, content: dict[str, Any]) -> None:
    """Put weights back whose file was set aside; what else the card knows stays."""
    temporary = target / f".{WEIGHTS}-{os.getpid()}"
    shutil.copyfile(weights, temporary)
    there = card(target.parent.parent, target.name)
    made = target / f".{CARD}-{os.getpid()}"
    made.write_text(json.dumps({**there, **content, "sha256": digest(temporary)}, indent=2, sort_keys=True) + "\n")
    made.replace(target / CARD)
    temporary.replace(target / WEIGHTS)


def sound(storage: Path, identity: str, tell: Callable[[str], None]) -> bool:
    """Whether the store has a teacher's weights as they were put there. A file that is damaged is set aside.

    Args:
        tell: is told of that in a line.
    """
    path = storage / "teachers" / identity / WEIGHTS
    if not path.is_file():
        return False
    reason = _damage(path, identity, card(storage, identity).get("sha256"))
    if reason is None:
        return True
    aside = path.with_name("weights.damaged.pth")
    path.replace(aside)
    tell(f"{path}: {reason}; it is set aside as {aside.name}")
    return False


def _damage(path: Path, identity: str, known: str | None) -> str | None:
    if known is not None:
        return None if digest(path) == known else "is not the file that was stored"
    if identity.startswith(GIVEN):
        return None if digest(path).startswith(identity.removeprefix(GIVEN)) else "is not the file that was given"
    from kdbench.detectors.weights import damage  # of an earlier kdbench, which kept no digest

    return damage(path, identity)


def given_teacher(storage: Path, task: TaskSpec, source: str, classes: tuple[str, ...]) -> TeacherRef:
    """Take a teacher from a file or URL into the store, after a look whether it fits the task's teacher config.

    Raises:
        InputError: it cannot be read, or has other classes or another architecture.
    """
    from kdbench.detectors import configs, models, weights
    from kdbench.detectors.download import download

    local = (local_file(source, f"--teacher: {source}") or download(source, "--teacher")).expanduser()
    identity = weights.weights_id(local)
    cfg = configs.teacher_model(task.teacher.config, dict(task.teacher.set), len(classes))
    model = models.build(cfg.model, seed=0)
    weights.load_weights(model, str(local), classes=classes, what="--teacher")
    reference = TeacherRef(config=task.teacher.config, set=task.teacher.set, id=f"{GIVEN}{identity}")
    publish(storage, reference.id, local, {"source": Path(source).name if "://" not in source else source})
    return reference


def require(storage: Path, teacher: TeacherRef | None) -> Path | None:
    """The weights of a recipe's teacher.

    Raises:
        InputError: the store does not have them.
    """
    if teacher is None:
        return None
    told: list[str] = []
    if not sound(storage, teacher.id, told.append):
        missing = told[0] if told else f"teacher {teacher.id} is not in {storage / 'teachers'}"
        if teacher.id.startswith(GIVEN):
            source = card(storage, teacher.id).get("source", "the file that was given")
            raise InputError(f"{missing}; copy {source} to {weights_file(storage, teacher)} again")
        raise InputError(f"{missing}; train it with a search on the task, or give --teacher")
    return weights_file(storage, teacher)
