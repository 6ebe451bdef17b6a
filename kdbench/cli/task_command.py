"""kdbench task"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from kdbench.cli.completing import files, folders
from kdbench.cli.options import max_bad_option, storage_option


@click.command(
    "task",
    epilog="Example: kdbench task photos -o mine.yaml && kdbench search fgd --task mine.yaml",
)
@click.argument("source", metavar="FOLDER|CONFIG.py", shell_complete=files)
@click.option(
    "-o", "--output", metavar="FILE", shell_complete=files, help="The task file to write [default: print it]."
)
@click.option(
    "--student",
    metavar="small|r18|r50|CONFIG",
    help="For a folder: RetinaNet of that size, or an mmdet config [default: small on a CPU, r18 with a GPU].",
)
@click.option(
    "--teacher",
    metavar="small|r34|r101|CONFIG",
    help="Likewise [default: a larger one that goes with the student].",
)
@click.option(
    "--data-root",
    metavar="DIR",
    shell_complete=folders,
    help="For a config: the folder that its relative paths begin in.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@max_bad_option
@storage_option
def command(
    source: str,
    output: str | None,
    student: str | None,
    teacher: str | None,
    data_root: str | None,
    force: bool,
    max_bad: float,
    storage: str | None,
) -> None:
    """Write a task file: from a folder of annotated images, or from an mmdet 2.x config.

    A folder may be labelImg's or VOC's XML, COCO's JSON (Roboflow, CVAT, Label Studio), or YOLO's data.yaml. What was
    found is told on stderr. Images are looked at once and kept prepared in the storage folder, where the search finds them.

    A config gives data, input pipeline, optimizer, schedule and model; what cannot be taken over is listed with the reason.
    An mmdet config is Python that RUNS when it is read, with the files that it names: give none that you do not trust.
    """
    from kdbench.planning.drafting.writing import draft, write
    from kdbench.specs.paths import storage_folder

    def say(line: str) -> None:
        click.echo(line, err=True)

    file = Path(output) if output is not None and output != "-" else None
    made = draft(
        source,
        storage_folder(storage),
        output=file,
        student=student,
        teacher=teacher,
        data_root=data_root,
        force=force,
        max_bad=max_bad,
        say=say,
    )
    for note in made.notes:
        say(f"note: {note}")
    text = made.text()
    if file is None:
        sys.stdout.write(text)
        return
    write(file, text)
    place = f" --storage {shlex.quote(storage)}" if storage is not None else ""
    say(f"wrote {file}; run: {made.command(file)}{place}")
