"""kdbench export"""

from __future__ import annotations

import click

from kdbench.cli.options import data_root_option, storage_option, tracking_option


@click.command("export", epilog="Example: kdbench export defeat-shapes -o student --register shapes-detector")
@click.argument("study")
@click.option("--trial", metavar="ID", help="This trial [default: the study's winner].")
@click.option("-o", "--output", metavar="DIR", required=True, help="A new or an empty folder.")
@click.option("--register", metavar="NAME", help="Register it in MLflow's model registry under this name, once.")
@storage_option
@tracking_option
@data_root_option
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="To verify it on."
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 0.1),
    help="Of the verification [default: 1e-6 on the CPU that it was trained on, 0.005 where a GPU takes part].",
)
def command(
    study: str,
    trial: str | None,
    output: str,
    register: str | None,
    storage: str | None,
    tracking_uri: str | None,
    data_root: str | None,
    device: str,
    tolerance: float | None,
) -> None:
    """Export a student of STUDY for plain mmdet: config, weights, recipe and a card with the evidence.

    It is evaluated in plain mmdet first. Where a figure is not the one recorded, nothing is exported; exit code 1.
    """
    from kdbench.outcome.export import Options, export

    options = Options(trial, register, storage, tracking_uri, data_root, device, tolerance)
    done = export(study, output, options, lambda line: click.echo(line, err=True))
    metric = done.chosen.trained.recipe.metric
    for split in done.verification.images:
        figure = done.verification.figure(split, metric)
        if figure is not None:
            click.echo(f"{split}/{metric}: {figure.measured:.6g} (recorded {figure.recorded:.6g})")
    if done.version is not None:
        click.echo(f"{register}: version {done.version}{'' if done.added else ', registered before'}")
    click.echo(f"exported {done.chosen.trained.name} to {done.folder}")
