"""The picture has a cell for each image and model, and its boxes in their colours."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from kdbench.leaderboard.pictures import IGNORED, TRUE, WRONG, Column, Drawn, draw


def test_drawn() -> None:
    images = [np.zeros((48, 64, 3), np.uint8), np.zeros((200, 100, 3), np.uint8)]
    whole = [Drawn((10, 10, 40, 40), "cat", TRUE), Drawn((5, 5, 20, 20), "", IGNORED, dashed=True)]
    columns = [
        Column("ground truth", [whole, []]),
        Column("student", [[Drawn((10, 10, 40, 40), "dog 0.9", WRONG)], []]),
    ]
    pixels = np.asarray(
        Image.open(io.BytesIO(draw(["0.png", "1.png"], images, columns, "a legend"))).convert("RGB")
    ).reshape(-1, 3)
    colours = {tuple(int(v) for v in colour) for colour in np.unique(pixels, axis=0)}
    for colour in (TRUE, WRONG):
        assert tuple(bytes.fromhex(colour[1:])) in colours
