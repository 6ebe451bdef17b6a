"""kdbench search"""

from __future__ import annotations

from typing import Any

import click

from kdbench.cli.completing import files, shipped
from kdbench.cli.options import data_root_option, max_bad_option, set_option, where_options


@click.command(
    "search",
    epilog="Example: kdbench search defeat --task bccd --data-root BCCD --trials 10 --scheduler asha",
)
@click.argument("method", shell_complete=shipped("search_spaces"))
@click.option(
    "--task",
    default="shapes",
    show_default=True,
    shell_complete=shipped("benchmarks/tasks"),
    help="A task's name or file.",
)
@data_root_option
@max_bad_option
@click.option("--name", metavar="STUDY", help="Name of the study [default: METHOD-TASK, numbered].")
@click.option("--trials", type=int, metavar="N", help="Trials of the method; the baseline's come on top [default: 20].")
@click.option(
    "--epochs", type=int, metavar="E", help="Epochs of a trial [default: the task's]. The teacher keeps its own."
)
@click.option(
    "--seeds",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Above 1: train the best of method and baseline again with N fresh seeds, measured on the report split.",
)
@click.option("--space", metavar="FILE", shell_complete=files, help="A search space file [default: the method's own].")
@set_option
@click.option("--algorithm", type=click.Choice(["optuna", "random", "grid"]), default="optuna", show_default=True)
@click.option("--scheduler", type=click.Choice(["asha", "none"]), default="none", show_default=True)
@where_options("trials")
@click.option("--teacher", default="train", show_default=True, metavar="FILE|URL|train", help="Weights of the teacher.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the search and of its trainings.")
@click.option("--dry-run", is_flag=True, help="Print the first recipe, the number of trials and an estimate of time.")
def command(dry_run: bool, storage: str | None, address: str | None, changes: dict[str, Any], **wishes: Any) -> None:
    """Search the best recipe of METHOD on a task.

    Trains the teacher (once), the baseline and the method's trials, and prints the leaderboard.
    """
    from kdbench.planning.requests import Request, read_words
    from kdbench.specs.paths import storage_folder

    folder = storage_folder(storage)
    request = Request.parse({**wishes, "set": changes}, "search")
    read_words(request)  # a wrong word is answered before anything large is imported

    from kdbench import studies
    from kdbench.planning.study import make_plan
    from kdbench.planning.telling import lines

    planned = make_plan(request, folder, address)
    for line in lines([planned.data], planned.notes):
        click.echo(line, err=True)
    if dry_run:
        from kdbench.planning.dry_run import describe
        from kdbench.running.cluster import check_room

        if address:
            check_room(planned.plan.resources, planned.plan.processes, address)

        click.echo(describe(planned, folder))
        return
    finish(studies.start(planned, folder, address), folder, planned.plan.tracking_uri)


def finish(result: Any, folder: Any, tracking_uri: str | None) -> None:
    """What search and resume print at the end: the study's leaderboard."""
    from kdbench.cli.leaderboard_command import show

    show((result.study,), None, folder, tracking_uri, "table", None)
    click.echo(f"look at the runs: kdbench ui --storage {folder}", err=True)
    if (result.folder / "report.html").is_file():
        click.echo(f"look at the page: {result.folder / 'report.html'}", err=True)
