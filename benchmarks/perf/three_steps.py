"""The three steps that a cost ratio compares, on one batch after the other, in one process."""

from __future__ import annotations

import itertools
import math
import time
from pathlib import Path
from typing import Any

import torch

from kdbench import ops
from kdbench.data.batches import to_device
from kdbench.methods import registry
from kdbench.specs.paths import storage_folder
from kdbench.specs.recipe import Recipe, TeacherRef, task_recipe
from kdbench.specs.task import load_task
from kdbench.training.job import check_device

BATCHES = 4


class StepCost:
    """Plain student step, teacher forward without gradient, distillation step: same student, same batches.

    A method without a teacher is compared with the plain student step alone. The teacher's dense head is run where the
    method taps it.

    Weights are random: only time and memory are looked at. The learning rate is tiny, so that nothing diverges.
    """

    def __init__(
        self,
        task: str,
        method: str,
        *,
        device: str = "auto",
        fp16: bool = False,
        samples_per_gpu: int | None = None,
        synthetic: bool = False,
        storage: str | Path | None = None,
        data_root: str | None = None,
        params: dict[str, Any] | None = None,
    ) -> None:
        ops.install()
        from kdbench.training.assembly import assemble

        spec = load_task(task)
        changes: dict[str, Any] = {"gpus": 1, "fp16": fp16}
        if samples_per_gpu:
            changes["samples_per_gpu"] = samples_per_gpu
        self.samples_per_gpu = samples_per_gpu or spec.schedule.samples_per_gpu
        self.image_size = spec.pipeline.image_scale
        schedule = spec.schedule.model_copy(update=changes)
        teacher = TeacherRef(config=spec.teacher.config, set=spec.teacher.set, id="random")
        spec = spec.model_copy(
            update={"schedule": schedule, "student": spec.student.model_copy(update={"pretrained": False})}
        )
        cfg, classes, self.batches = self._inputs(spec, synthetic, storage, data_root)
        info = self._student_info(cfg)
        values = {
            **registry.get(method).Params().plain(),
            **registry.get(method).default_params(info),
            **(params or {}),
        }
        recipes = {
            "student": task_recipe(spec, "none", {}, {}, None, 0),
            "distill": task_recipe(spec, method, values, {}, teacher, 0),
        }
        self.device = torch.device(check_device(recipes["student"], device))
        self.distillers = {
            name: assemble(recipe, cfg, classes, self.device, None, random_teacher=True)
            for name, recipe in recipes.items()
        }
        self.fp16 = fp16
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=fp16)
        self.optimizers = {}
        for name, distiller in self.distillers.items():
            distiller.train()
            self.optimizers[name] = torch.optim.SGD([p for p in distiller.parameters() if p.requires_grad], lr=1e-7)
        self.extra_parameters = sum(p.numel() for p in self.distillers["distill"].method.parameters())
        self.finite = True

    def round(self) -> dict[str, float]:
        """Seconds of each of the three on the next batch; their order turns from round to round."""
        batch = next(self.batches)
        steps = {
            "student": lambda: self._step("student", batch),
            "teacher": lambda: self._teacher(batch),
            "distill": lambda: self._step("distill", batch),
        }
        return {name: self._timed(step) for name, step in steps.items()}

    def kept_bytes(self) -> dict[str, int]:
        """Bytes that a plain step and a distillation step keep for their backward pass, without weights."""
        batch = next(self.batches)
        return {name: self._kept(name, batch) for name in ("student", "distill")}

    def _kept(self, name: str, batch: Any) -> int:
        distiller = self.distillers[name]
        weights = {p.untyped_storage().data_ptr() for p in [*distiller.parameters(), *distiller.buffers()]}
        kept: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            # The graph is held until all is counted, so that no memory is handed out twice.
            outputs = distiller.train_step(batch, None)
        total = sum(kept.values())
        del outputs
        return total

    def peak_memory(self) -> dict[str, float]:
        """Bytes at the peak of a plain step and of a distillation step, both networks' weights included in each."""
        peaks = {}
        for name in ("student", "distill"):
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self._step(name, next(self.batches))
            torch.cuda.synchronize()
            peaks[name] = float(torch.cuda.max_memory_allocated())
        return peaks

    def _inputs(self, spec: Any, synthetic: bool, storage: Any, data_root: str | None) -> Any:
        from kdbench.training.config import mmdet_config

        if synthetic:
            from kdbench.detectors import configs
            from kdbench.testing.detectors import synthetic_batches

            classes = spec.dataset.classes or tuple(f"class{index}" for index in range(80))
            cfg = configs.load_model_config(spec.student.config, dict(spec.student.set))
            configs.set_num_classes(cfg, len(classes))
            configs.drop_pretrained(cfg)
            width, height = self.image_size
            batches = synthetic_batches(BATCHES, self.samples_per_gpu, (height, width), len(classes))
            return cfg, classes, itertools.cycle(batches)
        from kdbench.data import prepare
        from kdbench.data.loaders import build_dataset, train_loader

        data = prepare(spec.dataset, storage_folder(storage), Path(data_root) if data_root else None)
        recipe: Recipe = task_recipe(spec, "none", {}, {}, None, 0)
        cfg = mmdet_config(recipe, data)
        loader = train_loader(build_dataset(cfg.data.train), self.samples_per_gpu, 0, 0, 0, 1)
        return cfg, tuple(data.classes), itertools.cycle(list(itertools.islice(iter(loader), BATCHES)))

    @staticmethod
    def _student_info(cfg: Any) -> Any:
        from kdbench.detectors import models

        return models.info(models.build(cfg.model, seed=0), cfg.model)

    def _timed(self, step: Any) -> float:
        """Seconds of a step: on a GPU by the clock, on the CPU by what this process computed, which others do not disturb."""
        clock = time.perf_counter if self.device.type == "cuda" else time.process_time
        self._wait()
        began = clock()
        step()
        self._wait()
        return clock() - began

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _step(self, name: str, batch: Any) -> None:
        optimizer = self.optimizers[name]
        outputs = self.distillers[name].train_step(batch, optimizer)
        optimizer.zero_grad()
        self.scaler.scale(outputs["loss"]).backward()
        self.scaler.step(optimizer)
        self.scaler.update()
        self.finite = self.finite and math.isfinite(outputs["log_vars"]["loss"])

    def _teacher(self, batch: Any) -> None:
        """Backbone and neck of the teacher on the batch's images, and its dense head if the method taps it."""
        distiller = self.distillers["distill"]
        if distiller.teacher is None:
            return
        images = to_device(batch, self.device)["img"]
        with torch.no_grad(), torch.autocast(self.device.type, torch.float16, enabled=self.fp16):
            features = distiller.teacher.extract_feat(images)
            if distiller.method.taps().dense:
                distiller.teacher.bbox_head(features)
