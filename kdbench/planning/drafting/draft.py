"""A task that is being written: its content, a comment for what needs one, and what a reader must know."""

from __future__ import annotations

import os
import re
import shlex
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kdbench.specs import resources
from kdbench.specs.task import TaskSpec

ORDER = (
    *("name", "title", "data_root", "dataset", "pipeline", "student", "teacher", "schedule", "teacher_schedule"),
    *("metric", "floor", "search_training", "baseline"),
)
DEEP = ("student.set", "teacher.set", "pipeline.train", "schedule.paramwise")
"""Keys whose values stand below each other, each on a line."""
WIDTH = 110


@dataclass
class Draft:
    """A task in the making.

    Attributes:
        content: of the task file, plain data.
        comments: dotted key -> what stands above it.
        origin: what the draft was made from, in a sentence.
        file: the task file that is going to be written; None where it is printed.
        options: what a search needs beside the task, as its command line has it.
        found: what the data is like, in sentences.
        notes: what was left out or chosen, a line each; in the file's head and on the terminal.
    """

    origin: str
    file: Path | None = None
    content: dict[str, Any] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    options: str = ""
    notes: list[str] = field(default_factory=list)

    def put(self, key: str, value: Any, comment: str = "") -> None:
        """Set a top-level key, or one below it (`schedule.lr`)."""
        first, _, second = key.partition(".")
        if second:
            self.content.setdefault(first, {})[second] = value
        else:
            self.content[first] = value
        if comment:
            self.comments[key] = comment

    def command(self, file: Path | None) -> str:
        """What runs the task of that file."""
        name = "THIS FILE" if file is None else shlex.quote(str(file))
        return f"kdbench search fgd --task {name}{self.options}"

    def text(self) -> str:
        """The task file.

        Raises:
            InputError: what was put together is no task; says which key.
        """
        run = self.command(Path(self.file.name) if self.file else None)
        head = [self.origin, f"Run: {run}", *(["", *self.found] if self.found else [])]
        lines = [line for item in head for line in _comment(item, "")]
        if self.notes:
            lines += ["#", "# What to know:"]
            lines += [line for note in self.notes for line in _comment(note, "", "- ")]
        for key in sorted(self.content, key=ORDER.index):
            lines += self._entry(key, self.content[key])
        text = "\n".join(lines) + "\n"
        TaskSpec.parse(yaml.safe_load(text), "the drafted task")
        return text

    def _entry(self, key: str, value: Any) -> list[str]:
        indent = "  " * key.count(".")
        name = key.rpartition(".")[2]
        above = _comment(self.comments[key], indent) if key in self.comments else []
        if isinstance(value, dict) and value and ("." not in key or key in DEEP):
            inner = [line for own, item in value.items() for line in self._inner(key, str(own), item)]
            return [*above, f"{indent}{name}:", *inner]
        if isinstance(value, list) and value and key in DEEP:
            return [*above, f"{indent}{name}:", *(f"{indent}  - {_flow(item)}" for item in value)]
        return [*above, f"{indent}{name}: {_flow(value)}"]

    def _inner(self, key: str, own: str, value: Any) -> list[str]:
        if key in DEEP:  # names there have dots of their own
            return [f"    {_flow(own)}: {_flow(value)}"]
        return self._entry(f"{key}.{own}", value)


def plain_name(text: str) -> str:
    """A name for a task and its dataset: small letters, digits, underscores.

    Example:
        >>> plain_name("My Photos (2).v3")
        'my_photos_2_v3'
    """
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60] or "mine"


def task_name(text: str) -> str:
    """A plain name that none of kdbench's own tasks has: a leaderboard sets side by side what is called alike.

    Example:
        >>> task_name("BCCD")
        'my_bccd'
    """
    name = plain_name(text)
    return f"my_{name}" if name in resources.names("benchmarks/tasks") else name


def relative(path: Path, folder: Path | None) -> str:
    """A path as a task file in `folder` names it: relative where it lies beside or below, else absolute."""
    path = path.absolute()
    if folder is not None and path.is_relative_to(folder.absolute()):
        return Path(os.path.relpath(path, folder.absolute())).as_posix()
    return path.as_posix()


def _flow(value: Any) -> str:
    """A value on one line, as YAML."""
    text = yaml.safe_dump(_plain(value), default_flow_style=True, sort_keys=False, width=1_000_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _comment(text: str, indent: str, mark: str = "") -> list[str]:
    first, later = f"{indent}# {mark}", f"{indent}# {' ' * len(mark)}"
    lines = " ".join(text.split())
    return textwrap.wrap(lines, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False) or [
        first.rstrip()
    ]
