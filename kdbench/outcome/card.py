"""The card of an exported student: README.md, for whoever gets the folder."""

from __future__ import annotations

import json
from collections.abc import Iterable

from kdbench.outcome.choosing import Chosen
from kdbench.outcome.verifying import EXACT, Verification
from kdbench.search.finding import Trained
from kdbench.specs import metrics

OPERATORS = (
    "import kdbench.ops; kdbench.ops.install()  # mmcv has no compiled operators here; with them leave this out\n"
)
LINES = """\
detector = init_detector("config.py", "student.pth", device="cpu")
dataset = build_dataset(detector.cfg.data.{section})
results = {results}
print(dataset.evaluate(results, metric={kinds}))
"""
DETECTIONS = (
    "inference_detector(detector, f\"{dataset.img_prefix}/{image['filename']}\") for image in dataset.data_infos"
)
WITH_MASKS = f"[(boxes, encode_mask_results(masks)) for boxes, masks in ({DETECTIONS})]"
CAVEATS = {
    "search": "The row's figures are of the search split: its images chose the trial, so they flatter.",
    "report": "The row's figures are of the report split, which the search did not see.",
}


def card(chosen: Chosen, result: Verification) -> str:
    """The text of README.md."""
    one, recipe = chosen.trained, chosen.trained.recipe
    what = "plain training" if recipe.method.name == "none" else f"knowledge distillation with {recipe.method.name}"
    last = recipe.schedule.epochs
    about = {
        "task": f"{recipe.task}: {len(result.classes)} classes ({', '.join(result.classes)})",
        "student": f"`{recipe.student.config}`{_size(one)}, trained by {what}",
        "parameters": f"`{json.dumps(recipe.method.params, sort_keys=True)}`" if recipe.method.params else "none",
        "teacher": f"`{recipe.teacher.config}`, {recipe.teacher.id}" if recipe.teacher else "none",
        "trial": f"{one.name}, seed {recipe.seed}, recipe {recipe.hash}",
        "chosen": chosen.why,
        "weights": f"of the last epoch, {last}{_best_epoch(one)}",
    }
    generated = ", which training the recipe makes anew elsewhere" if recipe.dataset.kind == "shapes" else ""
    parts = [
        f"# {recipe.student.config.rpartition('/')[2]} on {recipe.task}, {recipe.method.name}",
        "A student detector as a plain mmdet 2.x checkpoint: nothing of the teacher or of the distillation is left in it.",
        _table(["", ""], about.items()),
        "## In plain mmdet",
        usage(result),
        "## Evidence",
        evidence(chosen),
        "## Verification",
        _verified(result, recipe.metric),
        "## Files",
        f"`config.py` (mmdet's; `data_root` at its top is the folder of the images{generated}), `student.pth`, `annotations/` (the "
        "cleaned annotation files that it refers to), `recipe.json` (`kdbench train recipe.json` trains it again), "
        "`evidence.json` (all of this for programs).",
        "## Licence",
        "kdbench claims no rights in this folder. The annotations, and pictures shown to the student, are under the "
        "licence of their dataset; whether it binds the weights too, and on what terms initial weights were given, is for "
        "you to see.",
    ]
    return "\n\n".join(parts) + "\n"


def usage(result: Verification) -> str:
    """The lines that evaluate the student, to be run in its folder."""
    split = "report" if "report" in result.images else "search"
    section, metric = {"report": "test", "search": "val"}[split], "mAP"
    found, kinds, extra, gives = f"[{DETECTIONS}]", '"bbox"', "", "an array"
    if result.masks:
        found, kinds, gives = WITH_MASKS, '["bbox", "segm"]', "a pair of boxes and masks, the boxes as an array"
        extra = "from mmdet.core import encode_mask_results\n"
    operators = OPERATORS if result.operators == "torchvision" else ""
    imports = "from mmdet.apis import inference_detector, init_detector\n"
    imports += f"{extra}from mmdet.datasets import build_dataset\n"
    code = f"{operators}{imports}\n{LINES.format(section=section, results=found, kinds=kinds)}"
    figure = result.figure(split, metric)
    near = "" if result.tolerance <= EXACT else f", to {result.tolerance:g},"
    expected = f"It prints `bbox_mAP` {figure.recorded:.4f}{near}" if figure else "It prints COCO's figures"
    return (
        f"```python\n{code}```\n\n{expected} of the {split} split on the CPU. "
        f'`inference_detector(detector, "picture.jpg")` alone detects in a picture: {gives} (n, 5) of x1, y1, x2, y2, score '
        "for each class."
    )


def evidence(chosen: Chosen) -> str:
    """The leaderboard's row of the configuration, and what speaks against leaning on it."""
    row, one = chosen.row, chosen.trained
    if row is None:
        return "No leaderboard row: the configuration is not in a study that was tracked. One run proves little."
    lower = metrics.mode(row.metric) == "min"
    content = {
        "metric": f"{row.metric}, {'lower' if lower else 'higher'} is better",
        "split": row.split,
        "seeds": str(row.n_seeds),
        "mean": _interval(row.mean, row.ci95),
        "baseline (plain training)": _number(row.baseline_mean),
        "delta": _interval(row.delta, row.delta_ci95, "+"),
        "verdict": row.verdict or ("this is plain training" if row.method == "none" else "unknown"),
        "teacher": f"{row.teacher}: {_number(row.teacher_mean)}",
        "share of the teacher's gap closed": "unknown" if row.gap_closed is None else f"{row.gap_closed:.0%}",
        "device-hours": f"{_number(row.device_hours)} of one run, {_number(row.search_device_hours)} of the whole search, "
        f"{_number(row.teacher_device_hours)} of the teacher's training",
        "device-hours beyond plain training": _number(row.extra_device_hours),
        "peak memory, GiB": _number(row.peak_memory_gb),
    }
    notes = [CAVEATS[row.split]]
    if row.n_seeds == 1:
        notes.append("One seed proves nothing: the verdict on the difference needs more.")
    if row.split == "search":
        notes.append("A row of the search split takes each run's best epoch; the weights here are of the last.")
    own = one.summary.get(f"report/{row.metric}")
    if own is not None:
        notes.append(f"This trial by itself: {row.metric} {own:.4f} on the report split.")
    return _table(["", ""], content.items()) + "\n\n" + "\n".join(f"* {note}" for note in notes)


def _verified(result: Verification, metric: str) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    held = "every figure" if result.tolerance <= EXACT else metric
    text = (
        f"Plain mmdet loaded `config.py` and `student.pth` in a process without kdbench's classes ({versions}, operators: "
        f"{result.operators}, on {result.device}) and {held} was what had been recorded, to {result.tolerance:g}."
    )
    rows = [
        [one.split, str(result.images[one.split]), one.name, f"{one.recorded:.4f}", _number(one.measured), one.by]
        for one in result.figures
    ]
    header = ["split", "images", "figure", "recorded", "measured", "computed by"]
    lines = ["| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows]]
    own = sorted({one.name for one in result.figures if one.by == "kdbench"})
    note = f"\n\nmmdet does not compute {', '.join(own)}: kdbench did, from plain mmdet's detections." if own else ""
    return f"{text}\n\n" + "\n".join(lines) + note


def _best_epoch(one: Trained) -> str:
    """Where the best epoch was another one: the recorded best is not of these weights."""
    key, metric = f"val/{one.recipe.metric}", one.recipe.metric
    values = {epoch: figures[key] for epoch, figures in one.reports.items() if key in figures}
    best = metrics.best(metric, values.values())
    last = values.get(one.recipe.schedule.epochs)
    if best is None or last is None or best == last:
        return ""
    epoch = next(epoch for epoch, value in sorted(values.items()) if value == best)
    return f": {metric} {last:.4f} on the search split. The best, {best:.4f}, was epoch {epoch}'s, whose weights are not kept"


def _size(one: Trained) -> str:
    millions = one.summary.get("cost/params_m")
    return f", {millions:.3g} M parameters" if millions else ""


def _table(header: list[str], rows: Iterable[tuple[str, str]]) -> str:
    lines = [tuple(header), ("---", "---"), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _interval(value: float | None, half: float | None, sign: str = "") -> str:
    if value is None:
        return "unknown"
    return f"{value:{sign}.4f}" if half is None else f"{value:{sign}.4f} ± {half:.4f} (95 %)"
