"""The contract on ICD: as published, a cascade with every option on, and attention alone on a narrow width."""

from kdbench.testing.methods import MethodContract

NOW = {"start": 0.0}
NOTHING_DRAWN = {**NOW, "jitter": 0.0, "neg_ratio": 0.0}
CASCADE = {
    **NOW,
    "layers": 2,
    "levels": "drop_finest",
    "pos_on_value": True,
    "temperature_schedule": "learnable",
    "distill_negative": True,
    "reconstruction_weight": 1.0,
    "loss_form": "smoothL1",
    "value_norm": "tln",
    "dropout": 0.1,
}
PLAIN = {
    **NOW,
    "layers": 0,
    "hidden_dim": 16,
    "heads": 4,
    "sample_rule": "fixed",
    "num_labels": 12,
    "max_real": 2,
    "add_scale": False,
    "loss_form": "L2",
    "prior": "uniform",
    "temperature_schedule": "linear",
    "temperature_end": 2.0,
}


class TestICD(MethodContract):
    method = "icd"
    params = NOW
    doubled_batch = "batch"
    doubled_params = NOTHING_DRAWN


class TestCascade(MethodContract):
    method = "icd"
    params = CASCADE
    families = ("one_stage",)
    equal_channels = True
    processes = False


class TestAttentionAlone(MethodContract):
    method = "icd"
    params = PLAIN
    families = ("mask",)
    processes = False
