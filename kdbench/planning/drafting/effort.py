"""An image scale that fits the images, and a schedule that fits their number and the machine."""

from __future__ import annotations

import math
from typing import Any

from kdbench.planning.drafting.survey import Survey

SMALLEST = 16
"""Pixels of a side: RetinaNet's smallest anchor is 32, and an object of half of it still finds one now and then."""
CPU_SIDE, CPU_MOST = 320, 640
GPU_SIDE, GPU_MOST = 1333, 2000
"""The longer side at which images are trained, in pixels; for small objects up to the second."""
DIVISOR = 32


def image_scale(found: Survey, *, gpu: bool) -> tuple[tuple[int, int], str]:
    """The scale (longer side, shorter side) in pixels, and why."""
    usual, most = (GPU_SIDE, GPU_MOST) if gpu else (CPU_SIDE, CPU_MOST)
    needed = SMALLEST / max(found.small_object, 1e-6)
    side = min(max(min(found.long_side, usual), needed), most)
    # Enlarging more than twice shows nothing new.
    side = min(side, 2.0 * found.long_side)
    long = max(DIVISOR * 2, _up(side))
    short = max(DIVISOR * 2, _up(long * found.aspect))
    small = found.small_object * long
    why = f"Images are about {found.long_side} pixels long; at this scale a tenth of the objects is below {small:.0f} pixels."
    if small < SMALLEST / 2:
        why += " That is little to see: a larger scale costs time and finds more of them."
    return (long, min(short, long)), why


def small_schedule(images: int, scale: tuple[int, int]) -> tuple[dict[str, Any], int, str]:
    """The schedule of small networks from random weights, how often an epoch repeats train, and why."""
    samples = 8 if max(scale) <= 160 else 4
    samples = max(1, min(samples, images))
    a_pass = math.ceil(images / samples)
    repeat = max(1, math.ceil(25 / a_pass)) if a_pass < 25 else 1
    epochs = min(24, max(6, round(600 / (a_pass * repeat))))
    schedule = {
        "epochs": epochs,
        "optimizer": "AdamW",
        "lr": 0.002,
        "policy": "one_cycle",
        "samples_per_gpu": samples,
        "grad_clip": 10,
        "norm": "BN",
        "norm_frozen": False,
    }
    again = f", each image {repeat} times an epoch" if repeat > 1 else ""
    return schedule, repeat, f"{epochs} epochs of {a_pass * repeat} steps of {samples} images{again}."


def usual_schedule(images: int, *, gpu: bool) -> tuple[dict[str, Any], int, str]:
    """The schedule of full-size networks from ImageNet weights, how often an epoch repeats train, and why."""
    samples = max(1, min(8 if gpu else 2, images))
    a_pass = math.ceil(images / samples)
    repeat = max(1, math.ceil(50 / a_pass)) if a_pass < 50 else 1
    steps = a_pass * repeat
    epochs = min(36, max(12, round(8000 / steps)))
    schedule = {
        "epochs": epochs,
        "optimizer": "SGD",
        "lr": float(f"{0.01 * samples / 16:.4g}"),
        "policy": "step",
        "steps": [round(epochs * 2 / 3), round(epochs * 11 / 12)],
        "warmup_iters": min(500, steps * epochs // 10),
        "samples_per_gpu": samples,
        "grad_clip": 35,
        "norm": "BN",
        "norm_frozen": True,
    }
    return (
        schedule,
        repeat,
        f"{epochs} epochs of {steps} steps; mmdet's rate of 0.01 for 16 images, for a batch of {samples}.",
    )


def _up(side: float) -> int:
    return DIVISOR * math.ceil(round(side, 3) / DIVISOR)
