"""The picture has a cell for each image and model, and its boxes in their colours."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from kdbench.leaderboard.pictures import IGNORED, TRUE, WRONG, Column, Drawn, draw


def test_drawn(tmp_path: Path) -> None:
    files = []
    for number, size in enumerate([(64, 48), (100, 200)]):
        files.append(tmp_path / f"{number}.png")
        Image.new("RGB", size, (0, 0, 0)).save(files[-1])
    whole = [Drawn((10, 10, 40, 40), "cat", TRUE), Drawn((5, 5, 20, 20), "", IGNORED, dashed=True)]
    columns = [
        Column("ground truth", [whole, []]),
        Column("student", [[Drawn((10, 10, 40, 40), "dog 0.9", WRONG)], []]),
    ]
    pixels = np.asarray(Image.open(io.BytesIO(draw(files, columns, "a legend"))).convert("RGB")).reshape(-1, 3)
    colours = {tuple(int(v) for v in colour) for colour in np.unique(pixels, axis=0)}
    for colour in (TRUE, WRONG):
        assert tuple(bytes.fromhex(colour[1:])) in colours
