"""Every input that once failed is held by a test that says which it is.

The inputs lie in `shared/failing`, a folder a fault, beside the repository where it is worked on; here are the small ones
(`tests/data/failing`) and tests that make the others. A test holds a folder if its code names the folder (`03-same-...`)
or its docstring says `shared/failing/` and the folder's number. Which test holds which: `python -m tests.unit.test_failing_inputs`.
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
NAME = re.compile(r"\b(\d\d)-[a-z0-9]+(?:-[a-z0-9]+)+")
CITED = re.compile(r"shared/failing/(\d\d(?:(?:, of |, and of |, | and of | and )\d\d)*)")
FOLDERS = sorted(path.name for path in SHARED.iterdir() if path.is_dir()) if SHARED.is_dir() else []


def numbers(function: ast.FunctionDef) -> set[str]:
    """The numbers of the folders that a test names, in its code and decorators or after `shared/failing/` in its docstring."""
    docstring = ast.get_docstring(function) or ""
    found = {number for match in CITED.finditer(docstring) for number in re.findall(r"\d\d", match[1])}
    parts = [*function.decorator_list, *function.body]
    texts = [node.value for part in parts for node in ast.walk(part) if isinstance(node, ast.Constant)]
    return found | {m[1] for text in texts if isinstance(text, str) and text != docstring for m in NAME.finditer(text)}


def functions_of(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


@cache
def holders() -> dict[str, list[str]]:
    """Number of a folder -> the tests that hold it, as pytest names them."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for function in functions_of(path) if path != Path(__file__) else ():
            for number in numbers(function):
                found.setdefault(number, []).append(f"{path.relative_to(TESTS.parent)}::{function.name}")
    return found


@pytest.mark.parametrize("folder", FOLDERS or [pytest.param("", marks=pytest.mark.skip("no ../shared/failing here"))])
def test_each_input_is_held(folder: str) -> None:
    assert holders().get(folder[:2]), f"no test names {folder}, nor says shared/failing/{folder[:2]} in its docstring"


def test_each_small_input_here_is_read_by_a_test() -> None:
    names = {path.name for path in DATA.iterdir()}
    code = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    assert sorted(name for name in names if name not in code) == []


def test_what_counts_as_holding() -> None:
    def of(text: str) -> set[str]:
        (function,) = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
        return numbers(function)

    assert of('@mark("03-same-image")\ndef test_a():\n    case("20-voc-no")\n') == {"03", "20"}
    assert of('def test_a():\n    """shared/failing/31, 32 and 46: a step on 12-odd images."""\n') == {"31", "32", "46"}
    assert of("def test_a():\n    '''Of 41 things.'''\n    check('2026-11-27', '10 images')\n") == set()


if __name__ == "__main__":
    for number, tests in sorted(holders().items()):
        print(number, *tests, sep="\n    ")
