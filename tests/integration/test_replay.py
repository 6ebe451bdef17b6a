"""`kdbench replay` and `kdbench show` on a real training: the same, and told apart from a record that was changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image


def test_the_same_and_not_the_same(tmp_path: Path, tiny_task: Path, kdbench: Callable) -> None:
    home, recipe = tmp_path / "home", tmp_path / "recipe.yaml"
    recipe.write_text(f"{{task: {tiny_task}, method: none, seed: 3, set: {{schedule.epochs: 2}}}}")
    first = kdbench("train", recipe, "--report", "--threads", 1, "--storage", home)
    assert first.wait() == 0, first.text()
    (outcome,) = (home / "runs").glob("*/outcome.json")
    name = f"train/{outcome.parent.name}"
    again = kdbench("replay", name, "--threads", 1, "--storage", home)
    assert again.wait() == 0, again.text()
    assert f"the same: every figure of {name} came out identical" in again.text()
    assert (home / "replays" / outcome.parent.name / "student.pth").is_file()

    content = json.loads(outcome.read_text())
    content["reports"]["2"]["train/loss"] += 1e-9
    outcome.write_text(json.dumps(content))
    third = kdbench("replay", name[6:14], "--threads", 1, "--storage", home)  # goes on where the last one ended
    assert third.wait() == 1, third.text()
    assert "not the same: differs from epoch 2 on, mAP by at most 0.0000" in third.text()

    picture = tmp_path / "shown.png"
    shown = kdbench("show", name, "--images", 2, "--split", "report", "-o", picture, "--storage", home)
    assert shown.wait() == 0, shown.text()
    assert shown.text().splitlines()[-1] == str(picture)
    with Image.open(picture) as image:
        assert image.format == "PNG"
        assert image.width > 500

    wrong = kdbench("replay", "train/nothing", "--storage", home)
    assert wrong.wait() == 2
    assert "no trial 'train/nothing'" in wrong.text()
