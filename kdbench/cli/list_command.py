"""kdbench list"""

from __future__ import annotations

import json

import click

from kdbench.cli.options import storage_option
from kdbench.errors import printable

KINDS = ["methods", "tasks", "spaces", "suites", "detectors", "datasets", "studies"]


@click.command("list", epilog="Example: kdbench list tasks")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@storage_option
def command(kind: str, form: str, storage: str | None) -> None:
    """List what there is: methods, tasks, spaces, suites, detectors, datasets, studies."""
    from kdbench.cli import listings
    from kdbench.specs.paths import storage_folder

    tables = listings.listing(kind, storage_folder(storage))
    if form == "json":
        click.echo(json.dumps(listings.merged(tables), indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False)
    for position, listed in enumerate(tables):
        table = Table(box=None, pad_edge=False)
        for index, name in enumerate(listed.header):
            table.add_column(name.replace("_", "\n"), no_wrap=index == 0, overflow="fold")
        for row in listed.rows:
            table.add_row(*map(printable, row))
        if position:
            console.print()
        console.print(table)
        for note in listed.notes:
            console.print(note, style="dim", markup=False, highlight=False)
