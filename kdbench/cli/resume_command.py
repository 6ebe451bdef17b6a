"""kdbench resume"""

from __future__ import annotations

import click

from kdbench.cli.options import address_option, storage_option
from kdbench.cli.search_command import finish


@click.command("resume", epilog="Example: kdbench resume defeat-shapes")
@click.argument("study")
@address_option
@storage_option
@click.option("--retry-failed", is_flag=True, help="Train failed trials again too (lost ones always are).")
def command(study: str, address: str | None, storage: str | None, retry_failed: bool) -> None:
    """Go on with STUDY (a search, or a suite's run): finished trials stay, running ones continue from their last evaluation."""
    from kdbench.search import folders
    from kdbench.specs.paths import storage_folder

    folder = storage_folder(storage)
    _, plan = folders.open_any(folder, study)
    from kdbench.resuming import resume

    finish(resume(study, storage=folder, address=address, retry_failed=retry_failed), folder, plan.tracking_uri)
