"""A study on the disk: `studies/<study>/` with study.yaml, ledger.jsonl and trials/; one driver at a time."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from filelock import FileLock, Timeout

from kdbench.errors import InputError, brief, did_you_mean
from kdbench.search.ledger import FILE as LEDGER
from kdbench.search.ledger import Ledger
from kdbench.specs.base import LONGEST_NAME
from kdbench.specs.study import StudyPlan
from kdbench.specs.suite import SuitePlan

PLAN, SUITE = "study.yaml", "suite.yaml"
"""The plan of a study, and of a suite; a folder has one of them."""
NAMED = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""A study's name: it is a folder, and an argument of commands."""
LISTING = "kdbench list studies"


def studies(storage: Path) -> list[str]:
    """Names of the studies and the runs of suites in a storage folder."""
    root = storage / "studies"
    return sorted({path.parent.name for name in (PLAN, SUITE) for path in root.glob(f"*/{name}")})


def free_name(storage: Path, wish: str) -> str:
    """`wish`, or `wish-2`, `wish-3`, ... if there is such a study."""
    wish = wish[: LONGEST_NAME - 5]
    taken, name, number = set(studies(storage)), wish, 1
    while name in taken:
        number += 1
        name = f"{wish}-{number}"
    return name


def check_name(storage: Path, name: str) -> None:
    """Refuse a name that cannot be a folder, or that a study has already.

    Raises:
        InputError: says how to go on with the study that is there.
    """
    if not re.fullmatch(NAMED, name):
        raise InputError(f"--name {brief(name)}: use letters, digits, '.', '_' and '-'")
    if len(name) > LONGEST_NAME:
        raise InputError(f"--name {brief(name)}: has {len(name)} characters; at most {LONGEST_NAME} are possible")
    if name in studies(storage):
        raise InputError(
            f"study {name!r} exists already and is left as it is; go on with 'kdbench resume {name}', give it more with "
            f"'kdbench extend {name} --trials +10', or take another --name"
        )


def create(storage: Path, plan: StudyPlan | SuitePlan) -> Path:
    """Make the folder of a study or a suite: it appears whole or not at all."""
    target = storage / "studies" / plan.study
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{plan.study}-", dir=target.parent))
    try:
        (temporary / "trials").mkdir()
        (temporary / LEDGER).touch()
        content = plan.model_dump(mode="json", by_alias=True, exclude_none=False)
        file = SUITE if isinstance(plan, SuitePlan) else PLAN
        (temporary / file).write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
        temporary.chmod(0o755)
        os.rename(temporary, target)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        check_name(storage, plan.study)
        raise
    return target


def open_any(storage: Path, name: str) -> tuple[Path, StudyPlan | SuitePlan]:
    """Folder and plan of a study or of a suite's run.

    Raises:
        InputError: there is none of that name; says the nearest.
    """
    if not re.fullmatch(NAMED, name) or len(name) > LONGEST_NAME:
        raise InputError(f"no study {brief(name)} in {storage}; {did_you_mean(name, studies(storage), LISTING)}")
    folder = storage / "studies" / name
    if (folder / SUITE).is_file():
        return folder, SuitePlan.load(folder / SUITE)
    if not (folder / PLAN).is_file():
        raise InputError(f"no study {brief(name)} in {storage}; {did_you_mean(name, studies(storage), LISTING)}")
    return folder, _extended(StudyPlan.load(folder / PLAN), folder / LEDGER)


def _extended(plan: StudyPlan, ledger: Path) -> StudyPlan:
    """The plan as the extensions in the ledger have left it."""
    if not ledger.is_file() or b'"event": "extend"' not in ledger.read_bytes():
        return plan
    for event in Ledger(ledger).read(repair=False):
        if event["event"] == "extend":
            plan = plan.changed(event["changes"], f"{ledger}, an extension")
    return plan


def check_ledger(folder: Path) -> None:
    """See that what a study has done so far is known, before anything is trained again or written over.

    Raises:
        InputError: its ledger is gone, or is empty beside trials that were trained.
    """
    ledger, trials = folder / LEDGER, folder / "trials"
    if ledger.is_file() and (ledger.stat().st_size > 0 or not (trials.is_dir() and any(trials.iterdir()))):
        return
    state = "is no file" if ledger.is_dir() else "is empty" if ledger.is_file() else "is missing"
    raise InputError(
        f"study {folder.name}: {ledger} {state}, so nobody knows what was trained; restore it from a copy, "
        "or start anew under another --name"
    )


@contextmanager
def only_driver(folder: Path) -> Iterator[None]:
    """Hold a study for this process; the lock goes with the process, however it ends.

    Raises:
        InputError: another process is running the study.
    """
    lock = FileLock(folder / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(
            f"study {folder.name!r} is being run by another process; wait for it, or end it first"
        ) from None
    try:
        yield
    finally:
        lock.release()
