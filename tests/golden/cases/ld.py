"""LD: the temperature KL of weighted rows, its loss and gradient."""

from __future__ import annotations

from functools import partial

from cases import Arrays, Check, close, gradient, leftovers, tensor, untouched
from kdbench.methods.ld.method import divergence, weighted_loss


def cases(arrays: Arrays) -> list[Check]:
    if not {"in_student_logits", "in_teacher_logits", "hp_T"} <= set(arrays):
        return []
    return [Check("loss_and_gradient", partial(loss, arrays)), *leftovers(arrays, (r"out_loss", r"grad_student"))]


def loss(arrays: Arrays) -> None:
    student, teacher = (tensor(arrays[f"in_{who}_logits"]).float().requires_grad_() for who in ("student", "teacher"))
    rows = divergence(student, teacher, float(arrays["hp_T"]))
    weights = tensor(arrays["in_weight"]).float() if "in_weight" in arrays else rows.new_ones(len(rows))
    factor = float(arrays.get("hp_avg_factor", len(rows)))
    total = weighted_loss(rows, weights, factor) * float(arrays.get("hp_loss_weight", 1.0))
    close(total, arrays["out_loss"], "loss")
    total.backward()
    if "grad_student" in arrays:
        close(gradient(student), arrays["grad_student"], "gradient of the student's logits", rtol=1e-3)
    untouched([teacher])
