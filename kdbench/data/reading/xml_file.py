"""XML files as annotation tools write them: any encoding, namespaces, an `&` that should be `&amp;`."""

from __future__ import annotations

import codecs
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from kdbench.data.reading.text import marked, read_bytes
from kdbench.errors import InputError

DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([^"']*)["']""")
DECLARATION = re.compile(r"^<\?xml\b.*?\?>", re.DOTALL)
BARE = re.compile(r"&(?!(?:#[0-9]+|#x[0-9a-fA-F]+|amp|lt|gt|quot|apos);)")
"""An ampersand that begins no entity which XML knows."""
WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "big5": "big5hkscs", "euc_kr": "cp949"}
"""Windows writes more characters than the encoding that it declares has."""
DAMAGED = "\ufffd"
"""Stands for bytes that are no text."""


@dataclass(frozen=True)
class Tree:
    """A parsed file: its root without namespaces, and what was mended to read it (empty: nothing)."""

    root: ElementTree.Element
    mended: str


def read_xml(path: Path) -> Tree:
    """Parse an XML file.

    Raises:
        InputError: it is cut or broken (names line and column), declares entities, or is in an encoding that nobody knows.
    """
    text, mended = _text(read_bytes(path).lstrip(b" \t\r\n"), path)
    # The text is decoded: what it declares can only be wrong now. Lines and columns stay where they are.
    text = DECLARATION.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text.lstrip(), count=1)
    if "<!ENTITY" in text:
        raise InputError(f"{path}: declares entities of its own, which annotations do not need; take its DOCTYPE out")
    try:
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError:
            spelt = BARE.sub("&amp;", text)
            if spelt == text:
                raise
            root, mended = ElementTree.fromstring(spelt), "an '&' stood for itself: read as '&amp;'"
    except ElementTree.ParseError as error:
        line, column = error.position
        raise InputError(f"{path}: broken XML at line {line}, column {column}; restore the file") from None
    if "xmlns" in text:
        for item in root.iter():
            if isinstance(item.tag, str):
                item.tag = item.tag.rpartition("}")[2]
    return Tree(root, mended)


def _text(data: bytes, path: Path) -> tuple[str, str]:
    """Text, and what was mended."""
    found = DECLARED.match(data[:400])
    name = marked(data) or (found.group(1).decode("ascii", "replace") if found else "utf-8")
    try:
        encoding = codecs.lookup(name).name
        "".encode(encoding)  # base64 and its like are codecs, but not of text
    except (LookupError, ValueError):
        try:
            return data.decode("utf-8"), f"its encoding {name!r} is unknown: read as UTF-8"
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise InputError(
                f"{path}: line {line}: its encoding {name!r} is unknown and the text is not UTF-8; save it as UTF-8"
            ) from None
    if encoding.startswith(("utf-16", "utf-32")) and marked(data) is None:
        # .NET writes so: the declaration could not have been found in bytes that were UTF-16.
        encoding = "utf-8"
    for attempt in (WIDER.get(encoding, encoding), encoding, "utf-8"):
        try:
            text = data.decode(attempt)
        except UnicodeError:
            continue
        other = attempt == "utf-8" and encoding not in ("utf-8", "utf-8-sig", "ascii")
        return text, f"is not in the encoding {name!r} that it declares: read as UTF-8" if other else ""
    return data.decode(encoding, "replace"), f"bytes that are no {name.upper()} text are left out"
