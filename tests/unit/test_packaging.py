"""What is installed: every package of the tree, and the YAML folders inside it."""

from __future__ import annotations

import configparser
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_list_of_packages_is_that_of_the_tree() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())
    tree = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "kdbench").rglob("__init__.py")}
    assert listed == tree | {"kdbench._data.search_spaces", "kdbench._data.benchmarks"}


def test_constraints_pin_what_setup_asks_for() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    asked = {
        line.split("[")[0].split("=")[0].split(">")[0].split("<")[0].lower()
        for line in setup["options"]["install_requires"].split("\n")
        if line
    }
    pinned = {
        line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    }
    assert asked <= pinned, asked - pinned


def test_no_registry_host_is_named() -> None:
    for name in (
        "constraints.txt",
        "build-constraints.txt",
        "overrides.txt",
        "Makefile",
        "setup.cfg",
        "pyproject.toml",
    ):
        text = (ROOT / name).read_text()
        assert "://" not in text, name
