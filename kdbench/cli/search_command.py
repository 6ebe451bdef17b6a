"""kdbench search"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kdbench.cli.completing import files, shipped
from kdbench.cli.options import data_root_option, max_bad_option, set_option, where_options


@click.command(
    "search",
    epilog="Examples: kdbench search defeat --task bccd --data-root BCCD --trials 10; kdbench search all --hours 24 --seeds 5",
)
@click.argument("methods", nargs=-1, required=True, metavar="METHOD... | all", shell_complete=shipped("search_spaces"))
@click.option(
    "--task",
    default="shapes",
    show_default=True,
    shell_complete=shipped("benchmarks/tasks"),
    help="A task's name or file.",
)
@data_root_option
@max_bad_option
@click.option("--name", metavar="STUDY", help="Name of the study [default: METHODS-TASK, numbered].")
@click.option(
    "--trials",
    type=int,
    metavar="N",
    help="Trials of all methods together; the baseline's come on top [default: 20; of several methods 10 each].",
)
@click.option(
    "--hours", type=float, metavar="H", help="Device-hours of everything: teacher, baseline, trials and finalists."
)
@click.option(
    "--epochs", type=int, metavar="E", help="Epochs of a trial [default: the task's]. The teacher keeps its own."
)
@click.option(
    "--seeds",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Above 1: race the finalists with up to N fresh seeds each, measured on the report split.",
)
@click.option(
    "--finalists", type=int, metavar="K", help="Methods whose best recipe is raced, the baseline besides [default: 3]."
)
@click.option(
    "--space",
    multiple=True,
    metavar="[METHOD=]FILE",
    shell_complete=files,
    help="A search space file [default: the method's own]. Repeatable.",
)
@set_option
@click.option("--algorithm", type=click.Choice(["optuna", "gp", "random", "grid"]), default="optuna", show_default=True)
@click.option(
    "--prior",
    type=float,
    default=0.5,
    show_default=True,
    metavar="SHARE",
    help="Of the first proposals, how many are drawn around the published values.",
)
@click.option(
    "--scheduler",
    type=click.Choice(["asha", "promote", "median", "none"]),
    default="none",
    show_default=True,
    help="asha and median stop trials that are behind; promote lets them wait, and goes on with the best.",
)
@click.option(
    "--allocate",
    type=click.Choice(["halving", "equal"]),
    help="halving: the worse half of the methods goes after each round [default from three methods on]; equal: all get the same.",
)
@click.option(
    "--patience",
    type=int,
    metavar="N",
    help="Stop proposing when no method's last N trials brought a gain above the noise.",
)
@click.option("--from", "sources", multiple=True, metavar="STUDY", help="Learn from an earlier study. Repeatable.")
@click.option("--no-reuse", is_flag=True, help="Train recipes again that were trained before in this storage folder.")
@where_options("trials")
@click.option("--teacher", default="train", show_default=True, metavar="FILE|URL|train", help="Weights of the teacher.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the search and of its trainings.")
@click.option("--dry-run", is_flag=True, help="Print what the study would do and what it would cost.")
@click.option("-o", "output", metavar="DIR", help="With --dry-run: write the first recipes there, in full.")
def command(
    dry_run: bool,
    output: str | None,
    storage: str | None,
    address: str | None,
    changes: dict[str, Any],
    no_reuse: bool,
    **wishes: Any,
) -> None:
    """Search the best recipe of each METHOD (or of all that suit) on a task.

    Trains the teacher (once), the baseline and the methods' trials, and prints the answer and the leaderboard.
    """
    from kdbench.planning.requests import Request, read_words
    from kdbench.specs.paths import storage_folder

    if output and not dry_run:
        raise click.BadParameter("-o writes the recipes of --dry-run; add --dry-run")
    folder = storage_folder(storage)
    request = Request.parse({**wishes, "set": changes, "reuse": not no_reuse}, "search")
    read_words(request)  # a wrong word is answered before anything large is imported

    from kdbench import studies
    from kdbench.planning.study import make_plan
    from kdbench.planning.telling import lines

    planned = make_plan(request, folder, address)
    for line in lines([planned.data], planned.notes):
        click.echo(line, err=True)
    if dry_run:
        _dry_run(planned, folder, address, output)
        return
    finish(studies.start(planned, folder, address), folder, planned.plan.tracking_uri)


def _dry_run(planned: Any, folder: Path, address: str | None, output: str | None) -> None:
    from kdbench.planning.dry_run import describe, first_recipes
    from kdbench.planning.recipe_files import write_recipes
    from kdbench.running.cluster import check_room

    if address:
        check_room(planned.plan.resources, planned.plan.processes, address)
    click.echo(describe(planned, folder))
    if output:
        for path in write_recipes(first_recipes(planned), Path(output)):
            click.echo(path)


def finish(result: Any, folder: Any, tracking_uri: str | None) -> None:
    """What a study prints at the end: its answer and its leaderboard."""
    from kdbench.cli.leaderboard_command import show

    show((result.study,), None, folder, tracking_uri, "table", None)
    if result.answer:
        click.echo(f"\n{result.answer}")
    click.echo(f"look at the runs: kdbench ui --storage {folder}", err=True)
    if (result.folder / "report.html").is_file():
        click.echo(f"look at the page: {result.folder / 'report.html'}", err=True)
