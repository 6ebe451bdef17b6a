"""Suites from the command line: nothing is trained twice, killed and resumed, published rows beside the measured ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.integration.running import events, result, wait_for

VOC_BOX = "<object><name>{name}</name><difficult>0</difficult><bndbox>{box}</bndbox></object>"


def write_suite(path: Path, task: Path) -> Path:
    rows = [{"id": "strong", "method": "pkd", "params": {"weight": 12.0}}]
    grades = {"smoke": {"title": "seconds", "seeds": 2, "set": {"schedule.epochs": 2}}}
    content = {"name": "tiny_suite", "title": "t", "task": str(task), "methods": ["none", "fitnet"], "rows": rows}
    path.write_text(yaml.safe_dump({**content, "grades": grades}))
    return path


def write_voc(root: Path, year: str, lists: dict[str, int]) -> None:
    """A folder in VOC's format: grey noise with one dark rectangle an image."""
    folder = root / year
    for name in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (folder / name).mkdir(parents=True)
    random = np.random.default_rng(0)
    for split, count in lists.items():
        stems = [f"{year[3:]}_{split}_{number}" for number in range(count)]
        (folder / "ImageSets" / "Main" / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in stems))
        for stem in stems:
            pixels = random.integers(100, 160, (96, 128, 3), dtype=np.uint8)
            pixels[20:70, 30:90] //= 4
            Image.fromarray(pixels).save(folder / "JPEGImages" / f"{stem}.jpg")
            box = "<xmin>31</xmin><ymin>21</ymin><xmax>90</xmax><ymax>70</ymax>"
            size = "<size><width>128</width><height>96</height><depth>3</depth></size>"
            text = f"<annotation>{size}{VOC_BOX.format(name='cat', box=box)}</annotation>"
            (folder / "Annotations" / f"{stem}.xml").write_text(text)


def test_killed_resumed_and_never_trained_twice(tmp_path: Path, tiny_task: Path, kdbench: Callable) -> None:
    suite = write_suite(tmp_path / "tiny_suite.yaml", tiny_task)
    wishes = ["--grade", "smoke", "--storage", tmp_path / "home"]
    run = kdbench("bench", suite, *wishes, "--name", "first")
    told = {"event": "report", "trial": "fitnet-seed0"}
    wait_for(lambda: any(told.items() <= e.items() for e in events(tmp_path / "home", "first")), "a report", run)
    run.kill_everything()
    again = kdbench("bench", suite, *wishes, "--name", "first")  # the same command goes on
    assert again.wait() == 0, again.text()
    ends = result(tmp_path / "home", "first")
    rows = {f"{row}-seed{seed}" for row in ("none", "fitnet", "strong") for seed in (0, 1)}
    assert {name for name in ends if not name.startswith("teacher-")} == rows
    assert {entry["end"] for entry in ends.values()} == {"completed"}
    table = again.text()
    for words in ("report", "strong", "±"):
        assert words in table

    copy = kdbench("bench", suite, *wishes, "--name", "second", "--rows", "none,strong")
    assert copy.wait() == 0, copy.text()
    taken = [e for e in events(tmp_path / "home", "second") if e["event"] == "trial"]
    assert {e["trial"]: e.get("reused") for e in taken} == {
        f"{row}-seed{seed}": f"first/{row}-seed{seed}" for row in ("none", "strong") for seed in (0, 1)
    }
    board = kdbench("leaderboard", "first", "second", "--format", "json", "--storage", tmp_path / "home")
    assert board.wait() == 0
    rows_by = {(row["study"], row["trial"].rpartition("-")[0]): row for row in json.loads(board.text())}
    for name in ("none", "strong"):
        one, two = rows_by["first", name], rows_by["second", name]
        assert (one["mean"], one["n_seeds"], one["split"]) == (two["mean"], 2, "report")


def test_what_a_search_trained_is_measured_and_taken_over(tmp_path: Path, tiny_task: Path, kdbench: Callable) -> None:
    home = tmp_path / "home"
    search = kdbench("search", "fitnet", "--task", tiny_task, "--trials", 1, "--epochs", 2, "--storage", home)
    assert search.wait() == 0, search.text()
    suite = write_suite(tmp_path / "tiny_suite.yaml", tiny_task)
    # --epochs leaves the teacher's schedule as it is, and so does the suite's schedule.epochs.
    run = kdbench("bench", suite, "--grade", "smoke", "--seeds", 1, "--rows", "fitnet", "--storage", home)
    assert run.wait() == 0, run.text()
    ledger = events(home, "tiny_suite-smoke")
    assert [e.get("reused") for e in ledger if e["event"] == "trial"] == ["fitnet-tiny/fitnet-000"]
    (end,) = (e for e in ledger if e["event"] == "end")
    assert 0 <= end["summary"]["report/mAP"] <= 1
    assert "best/mAP" in end["summary"]


@pytest.mark.slow
def test_every_row_of_defeats_table_takes_two_steps(tmp_path: Path, kdbench: Callable) -> None:
    write_voc(tmp_path / "voc", "VOC2007", {"trainval": 4, "test": 3})
    write_voc(tmp_path / "voc", "VOC2012", {"trainval": 4})
    wishes = ["--grade", "smoke", "--data-root", tmp_path / "voc", "--storage", tmp_path / "home", "--cpus", 0.5]
    run = kdbench("bench", "defeat_voc", *wishes)
    assert run.wait(1800) == 0, run.text()
    ends = result(tmp_path / "home", "defeat_voc-smoke")
    assert {f"voc-{number:02d}-seed0" for number in range(1, 12)} <= set(ends)
    assert {entry["end"] for entry in ends.values()} == {"completed"}
    for trial in (tmp_path / "home" / "studies" / "defeat_voc-smoke" / "trials").glob("voc-0[3467]-*"):
        config = (trial / "mmdet_config.py").read_text()
        assert "SyncBN" in config
    assert "0.8052" in run.text() or "0.805" in run.text()


@pytest.mark.slow
def test_methods_shapes_smoke(tmp_path: Path, kdbench: Callable) -> None:
    run = kdbench("bench", "methods_shapes", "--grade", "smoke", "--storage", tmp_path / "home")
    assert run.wait(1800) == 0, run.text()
    ends = result(tmp_path / "home", "methods_shapes-smoke")
    assert len(ends) == 15 + 2
    assert {entry["end"] for entry in ends.values()} == {"completed"}
