"""kdbench leaderboard"""

from __future__ import annotations

from pathlib import Path

import click

from kdbench.cli.options import storage_option, tracking_option


@click.command("leaderboard", epilog="Example: kdbench leaderboard --task shapes --format csv -o shapes.csv")
@click.argument("studies", nargs=-1)
@click.option("--task", help="Only runs on this task.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "markdown", "html"]),
    default="table",
    show_default=True,
    help="html is a page with charts, in one file that needs no network.",
)
@click.option("-o", "--output", metavar="FILE", help="Write to a file instead of stdout.")
@click.option(
    "--images",
    type=click.IntRange(0, 50),
    default=3,
    show_default=True,
    metavar="N",
    help="With html: images of the data that the page shows of each task's best trial; 0 for data that stays here.",
)
@storage_option
@tracking_option
def command(
    studies: tuple[str, ...],
    task: str | None,
    form: str,
    output: str | None,
    images: int,
    storage: str | None,
    tracking_uri: str | None,
) -> None:
    """Compare finished runs of STUDIES (default: all), from MLflow alone."""
    from kdbench.specs.paths import storage_folder

    if form == "html":
        _page(studies, task, storage_folder(storage), tracking_uri, output, images)
        return
    show(studies, task, storage_folder(storage), tracking_uri, form, output)


def show(
    studies: tuple[str, ...], task: str | None, folder: Path, tracking_uri: str | None, form: str, output: str | None
) -> None:
    """Print the leaderboard, or write it."""
    from kdbench.errors import InputError
    from kdbench.leaderboard.api import rows
    from kdbench.leaderboard.render import render

    text = render(rows(*studies, task=task, storage=folder, tracking_uri=tracking_uri), form)
    if output is None:
        click.echo(text)
        return
    try:
        Path(output).write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"-o {output}: cannot be written ({error.strerror})") from None
    click.echo(f"wrote {output}", err=True)


def _page(
    studies: tuple[str, ...], task: str | None, folder: Path, uri: str | None, output: str | None, images: int
) -> None:
    from kdbench.errors import InputError

    if output is None:
        raise InputError("--format html: makes a file and prints nothing; say where: -o report.html")
    from kdbench.outcome.report import write_report

    write_report(output, *studies, task=task, storage=folder, tracking_uri=uri, images=images)
    click.echo(f"wrote {output}", err=True)
