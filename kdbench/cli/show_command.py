"""kdbench show"""

from __future__ import annotations

from pathlib import Path

import click

from kdbench.cli.options import data_root_option, storage_option


@click.command("show", epilog="Example: kdbench show defeat-shapes/defeat-003 --images 6")
@click.argument("trial")
@click.option("--images", type=click.IntRange(1, 50), default=4, show_default=True, metavar="N")
@click.option("--split", type=click.Choice(["search", "report"]), default="search", show_default=True)
@click.option(
    "--score-threshold", type=click.FloatRange(0, 1), default=0.3, show_default=True, help="Lower ones are left out."
)
@click.option("--first", is_flag=True, help="The split's first N images, instead of the most telling of its first 8 N.")
@click.option("-o", "--output", metavar="FILE.png", help="[default: STUDY-TRIAL.png]")
@data_root_option
@storage_option
def command(
    trial: str,
    images: int,
    split: str,
    score_threshold: float,
    first: bool,
    output: str | None,
    data_root: str | None,
    storage: str | None,
) -> None:
    """Draw TRIAL's detections beside ground truth, teacher and baseline, and print the file's name.

    TRIAL is STUDY/TRIAL, a trial's name, or the start of a recipe's hash. Shown are the images where student and baseline differ
    most (in the F1 score of the image at IoU 0.5).
    """
    from kdbench.errors import InputError
    from kdbench.outcome.showing import show
    from kdbench.specs.paths import storage_folder

    root = Path(data_root).expanduser().absolute() if data_root else None
    folder = storage_folder(storage)
    shown = show(folder, trial, images=images, split=split, threshold=score_threshold, first=first, data_root=root)
    for note in shown.notes:
        click.echo(note, err=True)
    path = Path(output or f"{shown.title.partition(' ')[0].replace('/', '-')}.png")
    try:
        path.write_bytes(shown.png)
    except OSError as error:
        raise InputError(f"-o {path}: cannot be written ({error.strerror})") from None
    click.echo(str(path))
