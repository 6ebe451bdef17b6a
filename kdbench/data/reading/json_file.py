"""JSON files, refused in one line that names the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kdbench.data.reading.text import decode, read_bytes
from kdbench.errors import InputError


def read_json(path: Path) -> Any:
    """The content of a JSON file in UTF-8, UTF-16 or UTF-32, with a byte-order mark or without.

    Raises:
        InputError: it cannot be read, is cut, is nested too deep, or gives a key twice with two values.
    """
    text = decode(read_bytes(path), path)
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: {_broken(text, error)}") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deep to be annotations; give another file") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}; correct the file") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # Hand-merged files have 'images' twice; taking the last would drop the others without a word.
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen and seen[key] != value:
                raise ValueError(f"has the key '{key}' twice in one object")
            seen[key] = value
    return found


def _broken(text: str, error: json.JSONDecodeError) -> str:
    place = f"line {error.lineno}, column {error.colno}"
    before = text[max(0, error.pos - 200) : error.pos].rstrip()
    here = text[error.pos : error.pos + 200].lstrip()[:1]
    if before.endswith(",") and here in "]}" and here:
        return f"broken JSON ({place}): a comma stands before the closing {here}; take it out"
    if here == ",":
        after = text[error.pos + 1 : error.pos + 200].lstrip()[:1]
        if after and after in "]}":
            return f"broken JSON ({place}): a comma stands before the closing {after}; take it out"
    if error.msg == "Extra data":
        return f"broken JSON ({place}): something follows the end; the file needs one object, not several"
    if here in ("/", "#"):
        return f"broken JSON ({place}): it has no comments; take the line out"
    if here == "'":
        return f"broken JSON ({place}): texts need double quotes; write the file with json.dump"
    return f"broken JSON ({place}); the file may be cut, fetch or write it again"
