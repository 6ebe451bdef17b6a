"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from kdbench.cli.completing import folders
from kdbench.errors import brief
from kdbench.specs.limits import MAX_BAD

storage_option = click.option(
    "--storage",
    metavar="DIR",
    shell_complete=folders,
    help="Folder of studies, teachers, data and MLflow [default: $KDBENCH_HOME or ./kdbench-runs].",
)
tracking_option = click.option(
    "--tracking-uri", metavar="URI", help="MLflow tracking server or database [default: SQLite in the storage folder]."
)
address_option = click.option("--address", metavar="ADDRESS", help="A running Ray cluster, e.g. 10.0.0.1:6379 or auto.")
cpus_option = click.option("--cpus", type=float, default=1, show_default=True, help="CPU cores of a training process.")
gpus_option = click.option(
    "--gpus", type=float, help="GPUs of a training process, may be a fraction [default: 1 where there is one]."
)
data_root_option = click.option(
    "--data-root",
    metavar="DIR",
    shell_complete=folders,
    help="Folder of the task's data, where it needs one [default: the task's data_root].",
)


def share(_context: click.Context, _parameter: click.Parameter, given: str) -> float:
    """`0.01` or `1%` as a share."""
    try:
        value = float(given.removesuffix("%")) / (100 if given.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise click.BadParameter(f"{given!r} is no share; give 0 to 1, or a percentage such as 5%")
    return value


max_bad_option = click.option(
    "--max-bad",
    default=f"{MAX_BAD:.0%}",
    show_default=True,
    metavar="SHARE",
    callback=share,
    help="Refuse data of which more images cannot be read; fewer are left out, and told.",
)


def key_values(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """`--set a.b=1` options as a dict; values are read as YAML."""
    from kdbench.specs.reading import parse_yaml

    values: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{brief(text)} is not KEY=VALUE, e.g. --set schedule.lr=0.01")
        values[key] = parse_yaml(value, f"--set {brief(key)[1:-1]}")
        if isinstance(values[key], str):
            try:  # YAML 1.1 takes 1e-3 for text
                values[key] = float(values[key])
            except ValueError:
                pass
    return values


set_option: Callable[..., Any] = click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    callback=key_values,
    help="Change the task (schedule.lr=0.01, student.model.backbone.depth=34) or fix a parameter (method.decay=linear). Repeatable.",
)


def where_options(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Where and how many at once: what every command has that trains on Ray.

    Args:
        what: is trained, as its help names it.
    """
    many = f"{what.capitalize()} at once [default: as many as fit]."
    concurrent = click.option("--concurrent", type=int, metavar="N", help=many)

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        options = (concurrent, cpus_option, gpus_option, address_option, storage_option, tracking_option)
        for option in reversed(options):  # decorators apply from the last to the first
            command = option(command)
        return command

    return add
