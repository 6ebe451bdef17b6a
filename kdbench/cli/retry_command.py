"""kdbench retry"""

from __future__ import annotations

from typing import Any

import click

from kdbench.cli.options import address_option, key_values, storage_option
from kdbench.cli.search_command import finish


def ends(_context: click.Context, _parameter: click.Parameter, given: str) -> tuple[str, ...]:
    """`failed,lost` as end states."""
    from kdbench.errors import did_you_mean

    known = ("failed", "lost", "infeasible")
    found = tuple(dict.fromkeys(part.strip() for part in given.split(",")))
    for end in found:
        if end not in known:
            raise click.BadParameter(f"no end state {end!r} to start again; {did_you_mean(end, known)}")
    return found


@click.command("retry", epilog="Example: kdbench retry all-shapes --only infeasible --set concurrent=1")
@click.argument("study")
@click.option(
    "--only",
    default="failed,lost",
    show_default=True,
    metavar="END,...",
    callback=ends,
    help="failed, lost, infeasible.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    callback=key_values,
    help="Change what made them fail: concurrent, cpus, gpus. Never the recipe. Repeatable.",
)
@address_option
@storage_option
def command(
    study: str, only: tuple[str, ...], changes: dict[str, Any], address: str | None, storage: str | None
) -> None:
    """Start trials of STUDY again that failed, were lost or were infeasible."""
    from kdbench.resuming import retry
    from kdbench.search import folders
    from kdbench.specs.paths import storage_folder

    folder = storage_folder(storage)
    _, plan = folders.open_any(folder, study)
    finish(retry(study, only, changes, storage=folder, address=address), folder, plan.tracking_uri)
