"""A task from an mmdet 2.x config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdbench.detectors import configs
from kdbench.errors import InputError
from kdbench.planning.drafting import config_data, networks
from kdbench.planning.drafting.config_pipeline import pipeline_of
from kdbench.planning.drafting.config_rest import metric_of, refuse_inherited_mmdet_3, refuse_mmdet_3, rest
from kdbench.planning.drafting.config_schedule import schedule_of
from kdbench.planning.drafting.draft import Draft, relative, task_name
from kdbench.planning.drafting.look import keys_of, look, with_objects
from kdbench.planning.drafting.networks import Network
from kdbench.planning.drafting.splits import three_splits
from kdbench.specs.training import PipelineSpec
from kdbench.training.augmenting import check_transforms


def draft_config(
    source: str,
    storage: Path,
    *,
    teacher: str | None,
    data_root: str | None,
    output: Path | None,
    max_bad: float,
    say: Callable[[str], None],
) -> Draft:
    """Take over from a config what a task has, and list the rest.

    Args:
        source: a config file, or the name of one of mmdet's own.
        teacher: config of the teacher; None is a larger network of the same detector.
        data_root: the folder that relative paths of the config begin in.
        max_bad: the share of images that may be unreadable.

    Raises:
        InputError: it is no config of mmdet 2.x, or its data cannot be used.
    """
    path = configs.find(source)
    cfg = _read(path, source)
    name = task_name(output.stem if output is not None else path.stem)
    draft = Draft("", output)
    notes = draft.notes
    sections = config_data.read_sections(cfg, str(path), notes)
    data = config_data.place(sections, path, data_root, notes)
    images, how = _dataset(draft, data, name, storage, cfg, max_bad, say)
    draft.origin = f"Written by `kdbench task` from the mmdet config {path.name}. Splits: {how}."
    train, test = sections["train"], sections.get("test") or sections.get("val") or sections["train"]
    pipeline = pipeline_of(
        train.pipeline, test.pipeline, int((cfg.get("data") or {}).get("workers_per_gpu") or 0), notes
    )
    draft.put("pipeline", pipeline, "From the config's pipelines; `train` stands in place of resize and flip.")
    schedule = schedule_of(cfg, images, notes)
    draft.put("schedule", schedule, "From the config's optimizer, lr_config and runner.")
    folder = output.absolute().parent if output is not None else None
    pupil = networks.of_config(source, _kept(path, source, folder))
    _frozen(cfg, pupil, notes)
    rest(cfg, "student", notes)
    master = _teacher(draft, pupil, source, teacher, folder, schedule, pipeline, images)
    notes += [note for note in dict.fromkeys((*pupil.notes, *master.notes)) if note not in notes]
    draft.put(
        "student", pupil.spec, "The config's model; what else stands in that file is not read when the task runs."
    )
    draft.put(
        "teacher", master.spec, f"{master.what}. `--teacher FILE` takes weights that you have instead of training it."
    )
    if cfg.get("load_from"):
        draft.comments["student"] += f" The config's load_from would be: init: {cfg.load_from}"
    draft.put("metric", metric_of(cfg, data.layout.kind, train.annotations, notes))
    draft.put(
        "baseline",
        {"search": ["lr"], "trials": 3},
        "The student alone is tried with three learning rates: a fair baseline.",
    )
    if data.root is not None:
        draft.put(
            "data_root",
            relative(data.root, folder),
            "The folder of the data, from this file on; --data-root names another.",
        )
    draft.put("name", name)
    draft.put("title", f"{path.stem}, {master.what} to {pupil.what}")
    check_transforms(PipelineSpec.parse(pipeline, str(path)), str(path))
    return draft


def _read(path: Path, source: str) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: cannot be read as text; give an mmdet config") from None
    refuse_mmdet_3(text, str(path))
    cfg = configs.load_model_config(source, {})
    refuse_inherited_mmdet_3(cfg, str(path))
    return cfg


def _dataset(
    draft: Draft,
    data: config_data.ConfigData,
    name: str,
    storage: Path,
    cfg: Any,
    max_bad: float,
    say: Callable[[str], None],
) -> tuple[int | None, str]:
    """Put the dataset; gives the images of an epoch, and where the splits come from."""
    layout = data.layout
    given, classes = layout.splits, layout.classes
    if data.root is not None:
        given, classes = with_objects(layout, data.root, name, draft.notes)
    splits, how = three_splits(given)
    dataset = keys_of(layout.kind, name, classes, splits)
    if data.repeat > 1:
        dataset["repeat"] = data.repeat
    if (cfg.model.get("roi_head") or {}).get("mask_head"):
        dataset["masks"] = True
    images = None
    if data.root is None:
        draft.options += " --data-root FOLDER"
        draft.notes.append(
            f"the data is not here ({data.missing}): say where with --data-root when you search, or here to have it looked at"
        )
    else:
        found = look(draft, dataset, layout.what, storage, data.root, max_bad, say)
        images = found.images["train"] * data.repeat
    draft.put("dataset", dataset, f"Splits: {how}.")
    return images, how


def _teacher(
    draft: Draft,
    pupil: Network,
    source: str,
    teacher: str | None,
    folder: Path | None,
    schedule: dict[str, Any],
    pipeline: dict[str, Any],
    images: int | None,
) -> Network:
    if teacher is None:
        return networks.larger(pupil, source)
    if teacher in networks.SHORT:
        return networks.named(teacher, "teacher")
    path = configs.find(teacher)
    cfg = _read(path, teacher)
    if cfg.get("data"):
        own: list[str] = []
        theirs = schedule_of(cfg, images, own)
        different = {key: value for key, value in theirs.items() if schedule.get(key) != value}
        # What only the student's schedule has is not the teacher's.
        for key, default in (("betas", None), ("nesterov", False), ("paramwise", {}), ("steps", []), ("fp16", False)):
            if key in schedule and key not in theirs:
                different[key] = default
        if different:
            draft.put("teacher_schedule", different, "What the teacher's config has otherwise.")
        draft.notes += [f"teacher: {note}" for note in own]
    rest(cfg, "teacher", draft.notes)
    found = configs.normalisation(cfg)
    if found is not None and any(found[key] != pipeline[key] for key in ("mean", "std", "to_rgb")):
        draft.notes.append(
            "the teacher's config normalises images otherwise than the student's: both see the task's pipeline"
        )
    return networks.of_config(teacher, _kept(path, teacher, folder))


def _kept(path: Path, source: str, folder: Path | None) -> str | None:
    """How the task file names a config file; None for one of mmdet's own."""
    own = source.removesuffix(".py") in configs.detector_names() and not Path(source).is_file()
    return None if own else relative(path, folder)


def _frozen(cfg: Any, pupil: Network, notes: list[str]) -> None:
    stages = (cfg.model.get("backbone") or {}).get("frozen_stages", -1)
    if isinstance(stages, int) and stages >= 0 and not pupil.trained:
        notes.append(
            f"backbone.frozen_stages {stages}: not kept, the config names no initial weights, and random ones are nothing to keep"
        )
