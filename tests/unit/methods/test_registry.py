"""Names, presets and entry points."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.methods.base import DetectorInfo

INFO = DetectorInfo("two_stage", 3, (8, 8), (4, 8), (4, 8, 16, 32))
MIMIC = """
from kdbench.methods.base import Method, Taps

class Mimic(Method):
    name = "{name}"
    presets = {{"mimic_strong": {{}}}}

    def taps(self):
        return Taps(neck=True)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make a distribution with one entry point: a dist-info folder on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(entry: str, package: str, source: str, attribute: str = "Mimic") -> None:
        folder = tmp_path / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[kdbench.methods]\n{entry} = {package}_code:{attribute}\n")
        (tmp_path / f"{package}_code.py").write_text(source)
        monkeypatch.delitem(sys.modules, f"{package}_code", raising=False)

    return make


def test_built_ins() -> None:
    assert {"none", "defeat"} <= set(registry.names())
    for name in registry.BUILT_IN:
        assert registry.get(name).name == name


def test_every_preset_resolves_and_parses() -> None:
    for name in registry.BUILT_IN:
        for preset, values in registry.get(name).presets.items():
            method, found = registry.resolve(preset)
            assert (method.name, found) == (name, values)
            registry.parse_params(name, values, preset)
    assert registry.resolve("defeat") == (registry.get("defeat"), {})


@pytest.mark.parametrize("ask", [registry.get, registry.resolve])
def test_an_unknown_name_suggests_the_nearest(ask) -> None:
    with pytest.raises(InputError, match=r"unknown method 'defaet'; did you mean 'defeat'\?"):
        ask("defaet")


def test_a_wrong_parameter_names_place_and_key() -> None:
    with pytest.raises(InputError, match="here: unknown key 'neck_fg_wieght'; did you mean 'neck_fg_weight'"):
        registry.parse_params("defeat", {"neck_fg_wieght": 1}, "here")
    for value in (-1, float("inf"), float("nan")):
        with pytest.raises(InputError, match="key 'neck_fg_weight'"):
            registry.parse_params("defeat", {"neck_fg_weight": value}, "here")


def test_a_method_that_needs_a_teacher_says_so() -> None:
    with pytest.raises(InputError, match="method defeat needs a teacher"):
        registry.build("defeat", {}, INFO, None)
    assert not registry.build("none", {}, INFO, None).taps()


def test_names_come_without_torch() -> None:
    code = "import sys; from kdbench.methods import registry; registry.names(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_entry_point_adds_a_method(install) -> None:
    install("mimic", "mimicpack", MIMIC.format(name="mimic"))
    assert "mimic" in registry.names()
    assert registry.build("mimic", {}, INFO, INFO).taps().neck
    assert registry.resolve("mimic_strong")[0] is registry.get("mimic")


def test_a_name_that_is_built_in_is_refused(install) -> None:
    install("defeat", "clashpack", MIMIC.format(name="defeat"))
    assert registry.names().count("defeat") == 1
    with pytest.raises(InputError, match="'defeat' is built into kdbench and package clashpack offers one"):
        registry.get("defeat")
    assert registry.get("none").name == "none"


def test_two_packages_with_one_name_are_refused(install) -> None:
    install("mimic", "onepack", MIMIC.format(name="mimic"))
    install("mimic", "twopack", MIMIC.format(name="mimic"))
    with pytest.raises(InputError, match="offered by packages onepack, twopack"):
        registry.get("mimic")


@pytest.mark.parametrize(
    ("source", "attribute", "reason"),
    [
        ("import no_such_module", "Mimic", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemError('two\\nlines')", "Mimic", r"SystemError: two\)"),
        ("", "Mimic", "AttributeError"),
        ("Mimic = 3", "Mimic", "is not a class derived from kdbench.methods.base.Method"),
        (MIMIC.format(name="other"), "Mimic", "calls itself 'other'"),
    ],
)
def test_a_broken_entry_point_is_an_error_only_when_asked_for(install, source, attribute, reason) -> None:
    install("mimic", "brokenpack", source, attribute)
    assert "mimic" in registry.names()
    assert registry.resolve("defeat_full")[0].name == "defeat"
    with pytest.raises(InputError, match=reason) as caught:
        registry.get("mimic")
    assert "package brokenpack" in str(caught.value)
    assert "\n" not in str(caught.value)
