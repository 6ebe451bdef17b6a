"""kdbench extend"""

from __future__ import annotations

import math

import click

from kdbench.cli.options import address_option, storage_option
from kdbench.cli.search_command import finish
from kdbench.errors import brief


def more(_context: click.Context, _parameter: click.Parameter, given: str | None) -> float | None:
    """`+12` or `12` as a number that comes on top."""
    if given is None:
        return None
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise click.BadParameter(f"{brief(given)} is no number; give e.g. +12")
    return number


@click.command("extend", epilog="Example: kdbench extend all-shapes --trials +12 --add lgd --seeds 5")
@click.argument("study")
@click.option("--trials", metavar="+N", callback=more, help="So many trials more, of all methods together.")
@click.option("--hours", metavar="+H", callback=more, help="So many device-hours more.")
@click.option("--seeds", type=int, metavar="N", help="Race the finalists with up to N seeds each.")
@click.option("--finalists", type=int, metavar="K", help="Race the best recipes of so many methods.")
@click.option("--add", multiple=True, metavar="METHOD", help="A method that joins. Repeatable.")
@click.option("--space", multiple=True, metavar="[METHOD=]FILE", help="Another search space from here on. Repeatable.")
@address_option
@storage_option
def command(study: str, address: str | None, storage: str | None, trials: float | None, **wishes: object) -> None:
    """Go on with STUDY, which has ended or was stopped, with more of something. Nothing is trained twice."""
    from kdbench.resuming import extend
    from kdbench.search import folders
    from kdbench.specs.paths import storage_folder

    if trials is not None and trials != int(trials):
        raise click.BadParameter(f"--trials {trials:g}: give a whole number")
    folder = storage_folder(storage)
    _, plan = folders.open_any(folder, study)
    whole = None if trials is None else int(trials)
    finish(extend(study, storage=folder, address=address, trials=whole, **wishes), folder, plan.tracking_uri)
