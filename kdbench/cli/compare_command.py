"""kdbench compare"""

from __future__ import annotations

import click

from kdbench.cli.options import storage_option, tracking_option


@click.command("compare", epilog="Example: kdbench compare defeat pkd --task shapes")
@click.argument("a")
@click.argument("b")
@click.option("--task", help="Only runs on this task.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv", "markdown"]), default="table", show_default=True
)
@storage_option
@tracking_option
def command(a: str, b: str, task: str | None, form: str, storage: str | None, tracking_uri: str | None) -> None:
    """Compare A with B: the difference with its interval, the costs, and what differs in their settings.

    Each is a study, a method, STUDY/TRIAL or the start of a recipe's hash. A study or method stands for its best recipe, with all its
    seeds.
    """
    from kdbench.leaderboard.api import runs_of
    from kdbench.leaderboard.compare import duel
    from kdbench.leaderboard.duel_text import render_duel

    runs = runs_of(task=task, storage=storage, tracking_uri=tracking_uri)
    click.echo(render_duel(duel(runs, a, b), form))
