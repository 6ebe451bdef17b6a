"""Files and values that a user hands over, before anybody believes them: plain, finite, and of a size that can be meant."""

from __future__ import annotations

import math
import stat
from pathlib import Path
from typing import Any

import yaml

from kdbench.errors import InputError, brief

MAX_BYTES = 64 * 2**20
"""Of a YAML or JSON file: the plan of a suite of a thousand rows has three million."""
MAX_DEPTH = 40
MAX_VALUES = 1_000_000
"""Values of a file, those that an alias repeats counted each time: a few lines of aliases can stand for billions."""
LARGEST = 2**63 - 1


def read_text(path: Path, most: int = MAX_BYTES) -> str:
    """The text of a small file.

    Raises:
        InputError: it is missing, no regular file, too large or no text.
    """
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise InputError(f"{path}: is a folder; give a file")
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path}: is not a regular file; give a file")
        if found.st_size > most:
            raise InputError(
                f"{path}: has {found.st_size / 2**20:.0f} MiB, too large to be a file of settings; check the path"
            )
        with open(path, "rb") as file:
            # Some files have no size and no end: read no more than is allowed.
            raw = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{brief(str(path), 200)[1:-1]}: cannot be read ({error.strerror}); check the path") from None
    if len(raw) > most:
        raise InputError(f"{path}: too large to be a file of settings; check the path")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a text file; give a YAML file") from None


def parse_yaml(text: str, where: str) -> Any:
    """Plain data of a YAML text.

    Raises:
        InputError: broken (with line and column), nested too deep, or with numbers that are none.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = brief(str(getattr(error, "problem", None) or "not YAML"), 120)[1:-1]
        raise InputError(f"{where}: {place}broken YAML ({problem}); correct that line") from None
    except RecursionError:
        raise InputError(f"{where}: is nested too deep; at most {MAX_DEPTH} levels are read") from None
    except ValueError as error:  # a date that is none, an integer of thousands of digits
        raise InputError(f"{where}: a value cannot be read ({brief(str(error), 120)[1:-1]}); correct it") from None
    check_plain(data, where)
    return data


def check_plain(data: Any, where: str) -> None:
    """Refuse what no specification means, before it reaches a model, a hash or a log.

    Raises:
        InputError: nested too deep, too many values, a number that is not finite or has more than 63 bits.
    """
    waiting: list[tuple[str, Any, int]] = [("", data, 0)]
    count = 0
    while waiting:
        key, value, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH:
            raise InputError(f"{where}: is nested too deep; at most {MAX_DEPTH} levels are read")
        if count > MAX_VALUES:
            raise InputError(f"{where}: has more than {MAX_VALUES} values; check the file")
        if isinstance(value, dict):
            waiting += [(f"{key}.{name}" if key else str(name), inner, depth + 1) for name, inner in value.items()]
        elif isinstance(value, (list, tuple)):
            waiting += [
                (f"{key}.{index}" if key else str(index), inner, depth + 1) for index, inner in enumerate(value)
            ]
        elif isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{where}{_at(key)}: must be a finite number (given: {value})")
        elif isinstance(value, int) and abs(value) > LARGEST:
            raise InputError(f"{where}{_at(key)}: must be below 2^63 (given: {brief(value)})")


def _at(key: str) -> str:
    return f": key '{brief(key)[1:-1]}'" if key else ""


def key_value(text: str, option: str, example: str) -> tuple[str, Any]:
    """`a.b=1` as a key and its value, which is read as YAML.

    Args:
        option: what the text was given with, as an error begins.
        example: a right one.

    Raises:
        InputError: there is no key, or the value is broken.
    """
    key, equals, given = text.partition("=")
    if not equals or not key:
        raise InputError(f"{option}{brief(text)} is not KEY=VALUE, e.g. {example}")
    value = parse_yaml(given, f"{option}{brief(key)[1:-1]}")
    if isinstance(value, str):
        try:  # YAML 1.1 takes 1e-3 for text
            return key, float(value)
        except ValueError:
            pass
    return key, value
