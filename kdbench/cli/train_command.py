"""kdbench train"""

from __future__ import annotations

import click

from kdbench.cli.completing import files
from kdbench.cli.options import data_root_option, max_bad_option, storage_option, tracking_option


@click.command(
    "train", epilog="Example: kdbench train recipe.yaml   (task: shapes, method: defeat, params: {decay: linear})"
)
@click.argument("recipe", shell_complete=files)
@data_root_option
@max_bad_option
@storage_option
@tracking_option
@click.option(
    "--teacher", metavar="FILE|URL", help="Weights of the teacher [default: the stored one, trained if there is none]."
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--threads", type=click.IntRange(0), default=0, help="Torch threads of each process [default: torch's choice]."
)
@click.option("--report", is_flag=True, help="Measure the report split at the end.")
@click.option("--no-track", is_flag=True, help="Do not write the run into MLflow.")
def command(
    recipe: str,
    data_root: str | None,
    max_bad: float,
    storage: str | None,
    tracking_uri: str | None,
    teacher: str | None,
    device: str,
    threads: int,
    report: bool,
    no_track: bool,
) -> None:
    """Train the one RECIPE of a file, without Ray. Run again, it goes on where it was.

    RECIPE is a recipe.json of a trial, or a short YAML file: task, and optionally method, params, training, set, seed.
    """
    from kdbench.running.single import Options, train_file

    outcome = train_file(
        recipe, Options(data_root, storage, tracking_uri, teacher, device, threads, report, not no_track, max_bad)
    )
    for name, value in sorted(outcome.summary.items()):
        click.echo(f"{name}: {value:.5g}")
