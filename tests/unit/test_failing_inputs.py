"""Every input that once failed is held by a test that says which it is.

The inputs lie in `shared/failing`, a folder a fault, beside the repository where it is worked on; here are the small ones
(`tests/data/failing`) and tests that make the others. A test holds a folder if it has the folder's name among the
strings of its code (`03-same-image-id-two-files`), or the folder's number after `shared/failing/` in its docstring. Which
tests hold which: `python -m tests.unit.test_failing_inputs`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SHARED = TESTS.parents[1] / "shared" / "failing"
DATA = TESTS / "data" / "failing"
CITED = re.compile(r"shared/failing/(\d\d(?:(?:, and of |, of |, | and )\d\d)*)")
FOLDERS = sorted(path.name for path in SHARED.iterdir() if path.is_dir()) if SHARED.is_dir() else []


def holds(function: ast.FunctionDef, folder: str) -> bool:
    """Whether a test says that it is about a folder."""
    docstring = ast.get_docstring(function) or ""
    if any(folder[:2] in re.findall(r"\d\d", match[1]) for match in CITED.finditer(docstring)):
        return True
    nodes = [node for part in (*function.decorator_list, *function.body) for node in ast.walk(part)]
    return any(isinstance(node, ast.Constant) and node.value == folder for node in nodes)


@cache
def every_test() -> tuple[tuple[str, ast.FunctionDef], ...]:
    """All tests but those of this file, with the names that pytest gives them."""
    return tuple(_every_test())


def _every_test() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path != Path(__file__) else ():
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{path.relative_to(TESTS.parent)}::{node.name}", node


def holders(folder: str) -> list[str]:
    return [name for name, function in every_test() if holds(function, folder)]


@pytest.mark.parametrize("folder", FOLDERS or [pytest.param("", marks=pytest.mark.skip("no ../shared/failing here"))])
def test_each_input_is_held(folder: str) -> None:
    assert holders(folder), f"no test has the string {folder!r}, nor shared/failing/{folder[:2]} in its docstring"


def test_each_small_input_here_is_read_by_a_test() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    assert [path.name for path in sorted(DATA.iterdir()) if f'"{path.name}"' not in code] == []


def test_what_counts_as_holding() -> None:
    def held(text: str) -> set[str]:
        (function,) = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
        return {number for number in ("03", "10", "20", "31", "32", "46") if holds(function, f"{number}-a-b")}

    assert held('@mark("03-a-b")\ndef test_a():\n    case("20-a-b", "10-a")\n') == {"03", "20"}
    assert held('def test_a():\n    """shared/failing/31, and of 32 and 46: 10 steps; 20-a-b."""\n') == {
        "31",
        "32",
        "46",
    }
    assert held("def test_a():\n    '''31-a and 46.'''\n    check('2020-10-31')\n") == set()


if __name__ == "__main__":
    for one in FOLDERS:
        print(one, *holders(one), sep="\n    ")
