"""kdbench enqueue"""

from __future__ import annotations

import click

from kdbench.cli.options import storage_option


@click.command("enqueue", epilog="Example: kdbench enqueue all-shapes defeat neck_fg_weight=4 training.lr=1.5")
@click.argument("study")
@click.argument("values", nargs=-1, required=True, metavar="[METHOD] KEY=VALUE...")
@storage_option
def command(study: str, values: tuple[str, ...], storage: str | None) -> None:
    """Have STUDY try these values next, also while it runs. What is not given is as published."""
    from kdbench.resuming import enqueue
    from kdbench.specs.paths import storage_folder

    for line in enqueue(study, values, storage=storage_folder(storage)):
        click.echo(line)
