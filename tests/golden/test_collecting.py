"""The golden tests can fail: made-up vectors of other forms pass, and every spoilt array is noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from cases import Arrays
from cases.defeat import cases
from cases.defeat_maps import painted_by_hand
from test_golden import HERE, collect
from torch.nn import functional as F

DATA = HERE / "data" / "defeat"


def made_up(levels: int, widths: tuple[int, int], adapted: tuple[int, ...], decay: float | None, seed: int) -> Arrays:
    """Neck vectors in float64, straight from the formulas."""
    random = np.random.default_rng(seed)
    N, H, W = 2, 96, 160
    corner = random.uniform(0, 90, (7, 2))
    arrays: Arrays = {
        "in_boxes": np.concatenate([corner, corner + random.uniform(1, 70, (7, 2))], 1).astype("f4"),
        "in_box_image": np.sort(random.integers(0, N, 7)),
        "in_num_images": np.array(N),
        "in_pad_hw": np.array([H, W]),
        "in_strides": np.array([8 * 2**level for level in range(levels)]),
        "hp_fg_weight": np.float32(1.5),
        "hp_bg_weight": np.float32(7),
        "hp_kd_decay": np.float32(0.4 if decay is None else decay),
        "hp_decay_applied": np.array(0 if decay is None else 1),
    }
    students, means = [], {"fg": [], "bg": []}
    for level, stride in enumerate(arrays["in_strides"].tolist()):
        shape = (-(-H // stride), -(-W // stride))
        student, teacher = (random.normal(size=(N, width, *shape)).astype("f4") for width in widths)
        students.append(torch.from_numpy(student).double().requires_grad_())
        ours = students[-1]
        arrays[f"in_student_l{level}"], arrays[f"in_teacher_l{level}"] = student, teacher
        if level in adapted:
            weight, bias = random.normal(size=(*widths[::-1], 3, 3)) / 5, random.normal(size=widths[1])
            arrays[f"par_adapt_weight_l{level}"], arrays[f"par_adapt_bias_l{level}"] = weight, bias
            ours = F.conv2d(ours, torch.from_numpy(weight), torch.from_numpy(bias), padding=1)
        mask = painted_by_hand(arrays, stride, (N, *shape), level)
        arrays[f"in_mask_l{level}"] = mask.numpy().astype("u1")
        error = (ours - torch.from_numpy(teacher).double()) ** 2
        for side, cells in (("fg", mask), ("bg", ~mask)):
            total = error.permute(0, 2, 3, 1)[cells].sum()
            means[side].append(total / max(1, 2 * widths[1] * int(cells.sum())))
    losses = {
        side: torch.stack(means[side]).mean() * float(arrays[f"hp_{side}_weight"]) * (decay or 1) for side in means
    }
    sum(losses.values()).backward()
    for side in means:
        arrays[f"out_loss_{side}"] = losses[side].detach().numpy().astype("f4")
        arrays[f"out_level_{side}_unweighted"] = torch.stack(means[side]).detach().numpy().astype("f4")
    gradients = [student.grad.numpy().astype("f4") for student in students]
    arrays["grad_student_l1"] = gradients[1]
    arrays["grad_student_sumsq"] = np.array([(g**2).sum() for g in gradients])
    return arrays


FORMS = {
    "four_levels": (4, (5, 5), (), None, 0),
    "decay_and_other_width": (3, (4, 7), (0, 1, 2), 0.3, 1),
    "some_levels_adapted": (5, (6, 6), (1, 3), 1.75, 2),
}


@pytest.mark.parametrize("form", FORMS)
def test_vectors_of_other_forms_pass_and_spoilt_ones_fail(form: str) -> None:
    arrays = made_up(*FORMS[form])
    assert {check.name for check in cases(arrays)} == {"neck_losses_and_gradients", "neck_levels"}
    assert not failures(arrays)
    for key in [key for key in arrays if key.startswith(("out_", "grad_", "hp_fg", "par_"))]:
        assert failures({**arrays, key: arrays[key] * np.float32(1.01)}), f"a spoilt {key} was not noticed"


@pytest.mark.parametrize("file", sorted(DATA.glob("*.npz")), ids=lambda file: file.stem)
def test_every_spoilt_result_is_noticed(file: Path) -> None:
    with np.load(file) as loaded:
        arrays = dict(loaded)
    for key in (key for key in arrays if key.startswith(("out_", "grad_")) and "official" not in key):
        spoilt = 1 - arrays[key] if arrays[key].dtype == np.uint8 else arrays[key] * 1.003 + 1e-5
        assert failures({**arrays, key: spoilt.astype(arrays[key].dtype if spoilt.dtype != "f8" else "f8")}), key


def failures(arrays: Arrays) -> list[str]:
    failed = []
    for check in cases(arrays):
        try:
            check.run()
        except AssertionError:
            failed.append(check.name)
    return failed


def outcomes(folder: Path) -> list[str]:
    """passed, failed: message, or skipped: reason, of each parameter."""
    found = []
    for parameter in collect(folder):
        if parameter.marks:
            found.append(f"skipped: {parameter.marks[0].kwargs['reason']}")
            continue
        try:
            parameter.values[0]()
            found.append("passed")
        except (AssertionError, pytest.fail.Exception) as error:
            found.append(f"failed: {error}")
    return found


def save(file: Path, **arrays: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(file, **arrays)


def test_what_no_case_knows_fails_and_what_is_no_method_is_skipped(tmp_path: Path) -> None:
    assert outcomes(tmp_path)[0].startswith("failed: no *.npz under")
    save(tmp_path / "defeat" / "odd.npz", in_something=np.zeros(2), out_something=np.zeros(2))
    save(tmp_path / "nosuch" / "x.npz", in_boxes=np.zeros((0, 4)))
    save(tmp_path / "none" / "x.npz", in_boxes=np.zeros((0, 4)))
    odd, none, nosuch = outcomes(tmp_path)
    assert "no case of defeat knows these arrays: in_something, out_something" in odd
    assert "write tests/golden/cases/none.py" in none
    assert nosuch == "skipped: nosuch/x.npz: 'nosuch' is no method of kdbench"


def test_a_result_that_is_not_compared_fails(tmp_path: Path) -> None:
    arrays = made_up(*FORMS["four_levels"])
    save(tmp_path / "defeat" / "more" / "x.npz", **arrays, out_new=np.zeros(1))
    assert outcomes(tmp_path)[-1] == "failed: no case compares these arrays: out_new"


def test_a_broken_file_fails(tmp_path: Path) -> None:
    (tmp_path / "defeat").mkdir()
    (tmp_path / "defeat" / "x.npz").write_bytes(b"PK nothing")
    (outcome,) = outcomes(tmp_path)
    assert "cannot be read" in outcome
