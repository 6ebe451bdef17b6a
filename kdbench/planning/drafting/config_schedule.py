"""Optimizer and schedule of an mmdet config as a task's."""

from __future__ import annotations

import math
from typing import Any

from kdbench.specs.training import PARAMWISE

OPTIMIZERS = ("SGD", "AdamW", "Adam")


def schedule_of(cfg: Any, images: int | None, notes: list[str]) -> dict[str, Any]:
    """The keys of a task's `schedule`.

    Args:
        images: of the train split, as often as an epoch repeats them; None where they are not known.
        notes: gets a line for what cannot be taken over.
    """
    data = cfg.get("data") or {}
    loader = data.get("train_dataloader") or {}
    samples = int(loader.get("samples_per_gpu") or data.get("samples_per_gpu") or data.get("imgs_per_gpu") or 2)
    epochs = _epochs(cfg, images, samples, notes)
    found: dict[str, Any] = {"epochs": epochs, **_optimizer(cfg, notes), **_policy(cfg, epochs, images, samples, notes)}
    found["samples_per_gpu"] = samples
    found["grad_clip"] = _clip(cfg, notes)
    backbone = cfg.model.get("backbone") or {}
    found["norm"] = "SyncBN" if _has_sync(cfg.model) else "BN"
    found["norm_frozen"] = bool(backbone.get("norm_eval", True))
    fp16 = cfg.get("fp16")
    if fp16 is not None:
        found["fp16"] = True
        if fp16.get("loss_scale") not in (None, "dynamic"):
            notes.append(f"fp16.loss_scale {fp16['loss_scale']}: not taken, the loss is scaled dynamically")
    base = (cfg.get("auto_scale_lr") or {}).get("base_batch_size")
    if base and base != samples:
        if cfg.auto_scale_lr.get("enable"):
            found["lr"] = float(f"{found['lr'] * samples / base:.6g}")
            notes.append(
                f"auto_scale_lr: lr is scaled from a batch of {base} to {samples}; with more GPUs (schedule.gpus) raise it again"
            )
        else:
            scaled = f"{found['lr'] * samples / base:.4g}"
            notes.append(
                f"lr {found['lr']:g} is meant for a batch of {base} (auto_scale_lr), and schedule.gpus=1 has {samples}: set "
                f"schedule.gpus, or lr to {scaled}"
            )
    return found


def _epochs(cfg: Any, images: int | None, samples: int, notes: list[str]) -> int:
    runner = cfg.get("runner") or {}
    if runner.get("max_epochs") or cfg.get("total_epochs"):
        return int(runner.get("max_epochs") or cfg.total_epochs)
    iterations = runner.get("max_iters")
    if iterations and images:
        epochs = max(1, round(int(iterations) * samples / images))
        notes.append(
            f"{runner.get('type')} of {iterations} iterations: taken as {epochs} epochs of {math.ceil(images / samples)} steps"
        )
        return epochs
    what = f"runner.max_iters {iterations} without the data" if iterations else "no runner"
    notes.append(f"{what}: 12 epochs are taken")
    return 12


def _optimizer(cfg: Any, notes: list[str]) -> dict[str, Any]:
    given = dict(cfg.get("optimizer") or {})
    kind = given.pop("type", None)
    if kind not in OPTIMIZERS:
        if kind is None:
            notes.append("the config has no optimizer: SGD with a rate of 0.01 is taken")
            return {"optimizer": "SGD", "lr": 0.01}
        notes.append(
            f"optimizer {kind}: not taken, a task has {', '.join(OPTIMIZERS)}: AdamW with its rate and decay stands in"
        )
        given = {key: given[key] for key in ("lr", "weight_decay") if key in given}
        kind = "AdamW"
    found: dict[str, Any] = {"optimizer": kind, "lr": float(given.pop("lr", 0.01 if kind == "SGD" else 0.001))}
    if kind == "SGD":
        found["momentum"] = float(given.pop("momentum", 0.0))
        if given.pop("nesterov", False):
            found["nesterov"] = True
    elif "betas" in given:
        found["betas"] = [float(beta) for beta in given.pop("betas")]
    # torch's own: AdamW decays by 0.01 where nothing is said.
    found["weight_decay"] = float(given.pop("weight_decay", 0.01 if kind == "AdamW" else 0.0))
    constructor = given.pop("constructor", "DefaultOptimizerConstructor")
    paramwise = given.pop("paramwise_cfg", None) or {}
    if constructor != "DefaultOptimizerConstructor":
        notes.append(
            f"optimizer.constructor {constructor} and its paramwise_cfg: not taken, a task has mmcv's default one"
        )
        paramwise = {}
    kept = {key: value for key, value in paramwise.items() if key in PARAMWISE}
    aside = sorted(set(paramwise) - set(kept))
    if aside:
        notes.append(
            f"optimizer.paramwise_cfg's {', '.join(aside)}: not taken, mmcv's default constructor does not know them"
        )
    if kept:
        found["paramwise"] = _plain(kept)
    if given:
        notes.append(f"optimizer's {', '.join(sorted(given))}: not taken, torch's defaults are used")
    return found


def _policy(cfg: Any, epochs: int, images: int | None, samples: int, notes: list[str]) -> dict[str, Any]:
    given = dict(cfg.get("lr_config") or {})
    policy = str(given.pop("policy", "fixed"))
    by_epoch = bool(given.pop("by_epoch", True))
    found: dict[str, Any] = {}
    if policy == "step":
        steps = given.pop("step", [])
        steps = [
            int(step) for step in (steps if isinstance(steps, list | tuple) else range(int(steps), epochs, int(steps)))
        ]
        if not by_epoch and images:
            steps = [round(step * samples / images) for step in steps]
        elif not by_epoch:
            notes.append(
                "lr_config.step counts iterations and the data is not here: not taken, the rate stays as it begins"
            )
            steps = []
        steps = sorted({step for step in steps if 0 < step < epochs})
        found = {"policy": "step", "steps": steps}
        if given.get("gamma", 0.1) != 0.1:
            found["gamma"] = float(given["gamma"])
    elif policy in ("CosineAnnealing", "OneCycle"):
        found = {"policy": "cosine" if policy == "CosineAnnealing" else "one_cycle"}
        if policy == "OneCycle" and given.get("max_lr") is not None:
            found["lr"] = float(given.pop("max_lr"))
        if given.get("min_lr") or given.get("min_lr_ratio"):
            notes.append("lr_config's least rate (min_lr, min_lr_ratio): not taken, the cosine ends at 0")
    elif policy == "fixed":
        found = {"policy": "step", "steps": []}
    else:
        found = {"policy": "cosine"}
        notes.append(f"lr_config.policy {policy}: not taken, a task has step, cosine and one_cycle: cosine stands in")
    found |= _warmup(given, policy, images, samples, notes)
    known = {"step", "gamma", "min_lr", "min_lr_ratio"}
    aside = sorted(key for key, value in given.items() if key not in known and value is not None)
    if aside:
        notes.append(f"lr_config's {', '.join(aside)}: not taken, a task's schedule has nothing like it")
    return found


def _warmup(given: dict[str, Any], policy: str, images: int | None, samples: int, notes: list[str]) -> dict[str, Any]:
    kind, iterations = given.pop("warmup", None), int(given.pop("warmup_iters", 0) or 0)
    ratio, epochs = given.pop("warmup_ratio", 0.1), given.pop("warmup_by_epoch", False)
    if kind is None or not iterations:
        return {}
    if policy == "OneCycle":
        notes.append("lr_config's warm-up: not taken, one_cycle has its own")
        return {}
    if kind != "linear":
        notes.append(f"lr_config.warmup {kind}: taken as linear")
    if epochs:
        if images is None:
            notes.append("lr_config.warmup_by_epoch without the data: 500 iterations are taken")
        iterations = iterations * math.ceil(images / samples) if images else 500
    return {"warmup_iters": iterations, "warmup_ratio": min(max(float(ratio), 1e-6), 1.0)}


def _clip(cfg: Any, notes: list[str]) -> float | None:
    given = cfg.get("optimizer_config") or {}
    kind = given.get("type")
    if kind not in (None, "OptimizerHook", "Fp16OptimizerHook"):
        notes.append(f"optimizer_config.type {kind}: not taken, a step is made after every batch")
    clip = given.get("grad_clip")
    if not clip:
        return None
    if clip.get("norm_type", 2) != 2:
        notes.append(f"grad_clip.norm_type {clip['norm_type']}: taken as the L2 norm")
    value = float(clip.get("max_norm", 0))
    return value or None


def _has_sync(node: Any) -> bool:
    if isinstance(node, dict):
        norm = node.get("norm_cfg")
        own = isinstance(norm, dict) and norm.get("type") in ("SyncBN", "MMSyncBN")
        return own or any(_has_sync(value) for value in node.values())
    return isinstance(node, list | tuple) and any(_has_sync(item) for item in node)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value
