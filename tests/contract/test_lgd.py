"""The contract on LGD: as published, and with every option on."""

from kdbench.testing.methods import MethodContract

NOW = {"start_frac": 0.0, "freeze_backbone_frac": 0.0}
SMALL = {**NOW, "encoder_widths": (16, 24, 32), "transform_widths": (16, 12), "heads": 4}
TWO_STAGE = {"context": False, "detach_appearance": True}
RESAMPLED = 0.5
"""Rounded maps give other proposals, and so other boxes in the few samples of the RoI losses."""


class TestLGD(MethodContract):
    method = "lgd"
    params = SMALL
    families = ("one_stage",)
    doubled_batch = "batch"


class TestTwoStage(MethodContract):
    method = "lgd"
    params = {**SMALL, **TWO_STAGE}
    families = ("two_stage",)
    processes = False
    autocast_rtol = RESAMPLED


class TestMasks(MethodContract):
    method = "lgd"
    params = {**SMALL, **TWO_STAGE, "segmentation": True, "affine_norms": True, "interaction": "labelGuided"}
    families = ("mask",)
    processes = False
    autocast_rtol = RESAMPLED


class TestLabelsAlone(MethodContract):
    method = "lgd"
    params = {**SMALL, "interaction": "teacher_fill", "context": False, "class_code": "norm_classes"}
    families = ("one_stage",)
    processes = False


class TestAppearanceAlone(MethodContract):
    method = "lgd"
    params = {**SMALL, "interaction": "student_fill", "adapter_depth": 1, "branch_optimizer": "AdamW"}
    families = ("one_stage",)
    processes = False
