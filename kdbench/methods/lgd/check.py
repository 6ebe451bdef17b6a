"""What LGD refuses."""

from __future__ import annotations

from kdbench.errors import InputError
from kdbench.methods.base import DetectorInfo
from kdbench.methods.lgd.params import LGDParams


def check(params: LGDParams, student: DetectorInfo) -> None:
    """Refuse options that contradict each other or the detector.

    Raises:
        InputError: with the reason and what to do instead.
    """
    if params.lambda_hint and not params.instructive_loss_weight:
        raise InputError(
            "method lgd: with instructive_loss_weight 0 the branch never learns, so there is nothing to imitate; "
            "set it above 0, or lambda_hint to 0 as well"
        )
    if params.lambda_hint and params.start_frac + params.stop_frac >= 1:
        raise InputError(
            f"method lgd: start_frac {params.start_frac:g} and stop_frac {params.stop_frac:g} leave no part of the "
            "training with the hint; their sum must be below 1"
        )
    if params.class_code == "norm_classes" and params.context:
        raise InputError(
            "method lgd: class_code norm_classes has no code for the context token; "
            "set context: false or class_code: one_hot"
        )
    if params.segmentation and not student.masks:
        raise InputError(
            "method lgd: segmentation needs a detector of instance masks, the student has none; set segmentation: false"
        )
    _check_widths(params, student)


def _check_widths(params: LGDParams, student: DetectorInfo) -> None:
    widths = student.neck_channels
    if len(set(widths)) > 1:
        raise InputError(
            f"method lgd: one branch serves all FPN levels, but the student's have {', '.join(map(str, widths))} channels; "
            "use a student with levels of equal width"
        )
    if params.attends and widths[0] % params.heads:
        divisors = [str(number) for number in range(1, widths[0] + 1) if widths[0] % number == 0]
        raise InputError(
            f"method lgd: {params.heads} heads do not divide the FPN's width {widths[0]}; "
            f"set heads to one of {', '.join(divisors)}"
        )
