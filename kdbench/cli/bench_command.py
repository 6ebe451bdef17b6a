"""kdbench bench"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kdbench.cli.completing import shipped
from kdbench.cli.options import data_root_option, max_bad_option, set_option, where_options


@click.command("bench", epilog="Example: kdbench bench methods_shapes --grade smoke")
@click.argument("suite", shell_complete=shipped("benchmarks/suites"))
@click.option(
    "--grade",
    type=click.Choice(["smoke", "quick", "full"]),
    default="full",
    show_default=True,
    help="smoke: minutes on two cores; quick: minutes on a GPU, or as the suite says; full: the published schedule.",
)
@click.option("--seeds", type=int, metavar="N", help="Trainings of each row [default: the grade's].")
@click.option("--rows", metavar="ROW,...", help="Only these rows.")
@data_root_option
@max_bad_option
@click.option("--name", metavar="STUDY", help="Name of the run [default: SUITE-GRADE, numbered].")
@set_option
@where_options("trainings")
@click.option(
    "--teacher",
    multiple=True,
    metavar="[TASK=]FILE|URL",
    help="Weights of a teacher, of every task or of one [default: trained once].",
)
@click.option("--seed", type=int, default=0, show_default=True, help="The first seed.")
@click.option("--dry-run", is_flag=True, help="Print the rows with their recipes, the count and an estimate of time.")
@click.option("-o", "--output", metavar="DIR", help="With --dry-run: write the recipes there, for kdbench train.")
def command(
    dry_run: bool,
    output: str | None,
    storage: str | None,
    address: str | None,
    rows: str | None,
    changes: dict[str, Any],
    **wishes: Any,
) -> None:
    """Train every row of SUITE with every seed, and print the leaderboard.

    A recipe that was trained before is taken over. The same command again goes on where it was.
    """
    from kdbench.cli.search_command import finish
    from kdbench.errors import InputError
    from kdbench.planning.requests import SuiteRequest, read_suite_words
    from kdbench.specs.paths import storage_folder

    if output and not dry_run:
        raise InputError("-o writes the recipes of a look: add --dry-run")
    folder = storage_folder(storage)
    chosen = tuple(row.strip() for row in rows.split(",") if row.strip()) if rows else ()
    request = SuiteRequest.parse({**wishes, "rows": chosen, "set": changes}, "bench")
    read_suite_words(request)  # a wrong word is answered before anything large is imported

    from kdbench import suites
    from kdbench.planning.suite import plan_suite
    from kdbench.planning.telling import lines

    planned = plan_suite(request, folder, address, need_data=not dry_run)
    for line in lines(tuple(planned.data.values()), planned.notes):
        click.echo(line, err=True)
    if dry_run:
        from kdbench.planning.recipe_files import write_recipes
        from kdbench.planning.suite_dry_run import all_recipes, describe_suite
        from kdbench.running.cluster import check_room

        if address:
            check_room(planned.plan.resources, planned.plan.processes, address)

        click.echo(describe_suite(planned, folder))
        if output:
            click.echo(
                f"wrote {len(write_recipes(all_recipes(planned.plan), Path(output)))} recipes to {output}", err=True
            )
        return
    finish(suites.start_suite(planned, folder, address), folder, planned.plan.tracking_uri)
