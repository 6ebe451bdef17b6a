"""The trainer of one rank: mmcv's runner over a distiller, with evaluation, checkpoint and guards at each epoch's end."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import distributed

from kdbench.data.loaders import build_dataset, test_loader, train_loader
from kdbench.detectors import weights
from kdbench.errors import Infeasible
from kdbench.evaluation import scoring
from kdbench.evaluation.flops import gflops
from kdbench.specs import metrics
from kdbench.training import checkpoints, seeds
from kdbench.training.assembly import assemble
from kdbench.training.callbacks import Evaluation, Outcome, TrainingCallback
from kdbench.training.config import mmdet_config
from kdbench.training.config_text import config_text
from kdbench.training.distiller import DistributedDistiller
from kdbench.training.job import Job, Rank, check_device
from kdbench.training.optimizers import Optimizers, StepHook
from kdbench.training.runner import EpochEndHook, MeterHook, TrialRunner
from kdbench.training.spending import Spending
from kdbench.training.statistics import box_statistics


class Trainer:
    """Everything of one training in one process. Holds no module-level state: several may live side by side."""

    def __init__(self, job: Job, callback: TrainingCallback, rank: Rank, logger: logging.Logger) -> None:
        self.job, self.callback, self.rank, self.logger = job, callback, rank, logger
        self.recipe = job.recipe
        self.device = self._device()
        self.cfg = mmdet_config(self.recipe, job.data)
        self.checkpoint_path = job.workdir / checkpoints.FILE
        self.history: list[Evaluation] = []
        self.log = job.workdir / "log.txt"
        if rank.rank == 0:
            self.cfg.device = self.device.type  # mmdet's name for it; figures of another kind of device differ a little
            text = config_text(self.cfg._cfg_dict.to_dict())  # mmcv's dump fails on a folder's name with an apostrophe
            (job.workdir / "mmdet_config.py").write_text(text, encoding="utf-8")
        self._build_models()
        self._build_data()
        self._build_runner()

    # -- building ------------------------------------------------------------------------------------------

    def _device(self) -> torch.device:
        kind = check_device(self.recipe, self.job.device)
        if kind == "cpu":
            return torch.device("cpu")
        return torch.device("cuda", torch.cuda.current_device() if self.rank.world > 1 else 0)

    def _build_models(self) -> None:
        seeds.seed_everything(self.recipe.seed)
        data = self.job.data
        self.distiller = assemble(
            self.recipe,
            self.cfg,
            tuple(data.classes),
            self.device,
            self.job.teacher_weights,
            statistics=lambda: box_statistics(data),
            logger=self.logger,
        )
        self.student, self.method = self.distiller.student, self.distiller.method
        self.params_m = sum(p.numel() for p in self.student.parameters()) / 1e6
        self.gflops = gflops(self.cfg, self.recipe.pipeline, self.device, self.logger) if self.rank.rank == 0 else None

    def _build_data(self) -> None:
        spec, rank = self.recipe.pipeline, self.rank
        self.train_data = train_loader(
            build_dataset(self.cfg.data.train, self.log),
            self.recipe.schedule.samples_per_gpu,
            spec.workers,
            self.recipe.seed,
            rank.rank,
            rank.world,
        )
        self.search_dataset = build_dataset(self.cfg.data.val, self.log)
        self.search_data = test_loader(self.search_dataset, spec.workers, rank.rank, rank.world)

    def _build_runner(self) -> None:
        model: Any = self.distiller
        if self.rank.world > 1:
            model = DistributedDistiller(
                self.distiller,
                device_ids=[self.device.index] if self.device.type == "cuda" else None,
                broadcast_buffers=False,
                find_unused_parameters=bool(self.cfg.get("find_unused_parameters", False)),
            )
        self.optimizers = Optimizers(self.distiller, dict(self.cfg.optimizer))
        runner = TrialRunner(
            model=model,
            optimizer=self.optimizers.main,
            work_dir=None,
            logger=self.logger,
            meta={"seed": self.recipe.seed},
            max_epochs=self.recipe.schedule.epochs,
        )
        runner.distiller = self.distiller
        first = self.rank.rank == 0
        self.spending = Spending(self.job.workdir, self.recipe.hash)
        self.meter = MeterHook(self.callback.on_iteration if first else None, self.spending if first else None)
        schedule = self.recipe.schedule
        self.step_hook = StepHook(self.distiller, self.optimizers, schedule.grad_clip, schedule.fp16)
        lr_config = dict(self.cfg.lr_config)
        if "max_lr" in lr_config:  # mmcv's one cycle knows nothing of rates that differ between parameters
            lr_config["max_lr"] = [group["lr"] for group in self.optimizers.main.param_groups]
        runner.register_lr_hook(lr_config)
        runner.register_hook(self.step_hook, priority="ABOVE_NORMAL")
        runner.register_hook(self.meter, priority="NORMAL")
        runner.register_hook(EpochEndHook(self._end_of_epoch), priority="LOW")
        self.runner = runner

    # -- running -------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Train to the end, from the last checkpoint if there is one."""
        seeds.seed_everything(self.recipe.seed + self.rank.rank)
        self._resume()
        seconds, peak_bytes = self.spending.read()
        self.meter.seconds = max(self.meter.seconds, seconds)
        self.meter.peak_bytes = max(self.meter.peak_bytes, peak_bytes)
        if self.rank.rank == 0:
            # What was measured before an interruption is told again: the listener knows what it has already.
            for entry in self.history:
                self.callback.on_evaluation(entry)
        if self.runner.epoch < self.recipe.schedule.epochs:
            self.runner.run([self.train_data], [("train", 1)])
        extra = self._report() if self.job.report else {}
        if self.rank.rank == 0:
            # After the last look at it, the folder keeps the student alone: a plain mmdet checkpoint.
            meta = {"CLASSES": list(self.job.data.classes), "recipe": self.recipe.hash, "epoch": self.runner.epoch}
            weights.export_student(self.student, self.job.workdir / "student.pth", meta)
            self.spending.close()
        return self.outcome("completed", None, extra)

    def outcome(self, end: str, reason: str | None, extra: dict[str, float] | None = None) -> Outcome:
        seconds = self.meter.lap()
        summary = {
            "cost/device_hours": seconds * self.rank.world / 3600,
            "cost/peak_memory_gb": self.meter.peak_bytes / 2**30,
            "cost/params_m": self.params_m,
            **({} if self.gflops is None else {"cost/gflops": self.gflops}),
            **{f"data/shared_{split}": float(count) for split, count in self.job.data.shared.items()},
            **(extra or {}),
        }
        best = metrics.best(self.recipe.metric, [entry.value for entry in self.history])
        if best is not None:
            summary[f"best/{self.recipe.metric}"] = best
            summary.setdefault("best/mAP", max(entry.metrics["val/mAP"] for entry in self.history))
            rates = [entry.metrics["sec_per_iter"] for entry in self.history]
            summary["sec_per_iter"] = sum(rates) / len(rates)
        return Outcome(end, reason, summary, self.history)

    def _end_of_epoch(self, runner: TrialRunner) -> None:
        epoch = runner.epoch + 1
        means = self.meter.epoch_metrics()
        figures = self._evaluate(self.search_dataset, self.search_data)
        value = scoring.ranked(figures, self.recipe.metric)
        seconds = self.meter.lap()
        told = {
            **{f"val/{name}": figure for name, figure in figures.items()},
            **means,
            "lr": float(runner.current_lr()[0]),
            "cost/device_hours": seconds * self.rank.world / 3600,
        }
        entry = Evaluation(epoch, value, told)
        self.history.append(entry)
        self._save(runner)
        self.logger.info("epoch %d: %s", epoch, ", ".join(f"{k} {v:.5g}" for k, v in told.items()))
        if self.rank.rank == 0:
            self.callback.on_evaluation(entry)
        floor = self.recipe.floor
        if epoch == 1 and floor is not None and metrics.worse(self.recipe.metric, value, floor):
            raise Infeasible(
                f"{self.recipe.metric} is {value:.4f} at the first evaluation, worse than the task's floor of {floor}: a dead run; "
                "lower the learning rate or the loss weights"
            )

    def _evaluate(self, dataset: Any, loader: Any) -> dict[str, float]:
        if self.rank.world > 1:
            for buffer in self.student.buffers():
                distributed.broadcast(buffer, 0)
        results = scoring.predict(self.student, loader, self.device)
        results = scoring.gather(results, len(dataset))
        return scoring.score(dataset, results, self.recipe.metric)

    def _report(self) -> dict[str, float]:
        dataset = build_dataset(self.cfg.data.test, self.log)
        loader = test_loader(dataset, self.recipe.pipeline.workers, self.rank.rank, self.rank.world)
        return {f"report/{name}": figure for name, figure in self._evaluate(dataset, loader).items()}

    # -- resume --------------------------------------------------------------------------------------------

    def _save(self, runner: TrialRunner) -> None:
        """Rank 0 writes the student, the method, the optimizer and the streams of every rank."""
        mine = {"global": seeds.rng_state(), "distiller": self.distiller.rng_state()}
        streams: list[Any] = [mine]
        if self.rank.world > 1:
            streams = [None] * self.rank.world
            distributed.all_gather_object(streams, mine)
        if self.rank.rank != 0:
            return
        content = {
            "meta": {"CLASSES": list(self.job.data.classes), "recipe": self.recipe.hash},
            "state_dict": self.student.state_dict(),
            "method": self.method.state_dict(),
            "optimizers": self.optimizers.state_dict(),
            "epoch": runner.epoch + 1,
            "iteration": runner.iter,
            "rng": streams,
            "history": [entry.plain() for entry in self.history],
            "seconds": self.meter.seconds,
            "peak_bytes": self.meter.peak_bytes,
            "loss_scaler": self.step_hook.scaler.state_dict(),
        }
        checkpoints.save(self.checkpoint_path, content)

    def _resume(self) -> None:
        content = self._checkpoint()
        if content is None:
            return
        self.student.load_state_dict(content["state_dict"])
        self.method.load_state_dict(content["method"])
        self.optimizers.load_state_dict(content["optimizers"])
        self.step_hook.scaler.load_state_dict(content["loss_scaler"])
        self.runner._epoch, self.runner._iter = content["epoch"], content["iteration"]
        self.meter.seconds, self.meter.peak_bytes = content["seconds"], content["peak_bytes"]
        self.history = [Evaluation(**entry) for entry in content["history"]]
        streams = content["rng"][self.rank.rank]
        seeds.set_rng_state(streams["global"])
        self.distiller.set_rng_state(streams["distiller"])
        self.logger.info("resumed after epoch %d", content["epoch"])

    def _checkpoint(self) -> dict[str, Any] | None:
        """What to go on from. The first rank chooses and sets damaged files aside; the others read what it chose."""
        chosen: list[Any] = [None]
        content = None
        if self.rank.rank == 0:
            told: list[str] = []
            found = checkpoints.load(self.checkpoint_path, self._misfit, told.append)
            chosen, content = ([found[0].name], found[1]) if found else ([None], None)
            for line in told:
                where = f"goes on after epoch {content['epoch']}" if content else "begins again"
                self.logger.warning("%s; the training %s", line, where)
                self.callback.on_note(f"{line}; the training {where}")
        if self.rank.world > 1:
            distributed.broadcast_object_list(chosen, 0)
        if chosen[0] is not None and content is None:
            content, _ = checkpoints.read(self.job.workdir / chosen[0])
        return content

    def _misfit(self, content: dict[str, Any]) -> str | None:
        """Why a whole checkpoint is not one of this training; None where it is."""
        if content["meta"].get("recipe") != self.recipe.hash:
            return "is of another recipe"
        alike = all(
            _shapes(own) == _shapes(content[key])
            for key, own in (("state_dict", self.student.state_dict()), ("method", self.method.state_dict()))
        )
        if (
            not alike
            or len(content["rng"]) != self.rank.world
            or len(content["optimizers"]) != len(self.optimizers.all)
        ):
            return "does not fit this training"
        return None


def _shapes(state: Any) -> dict[str, Any]:
    return {name: tuple(getattr(value, "shape", ())) for name, value in state.items()}
