"""kdbench ui"""

from __future__ import annotations

import click

from kdbench.cli.options import storage_option, tracking_option


@click.command("ui", epilog="Example: kdbench ui --port 5000")
@click.option("--port", type=click.IntRange(1, 65535), help="[default: 5000, or a free one]")
@storage_option
@tracking_option
def command(port: int | None, storage: str | None, tracking_uri: str | None) -> None:
    """Start MLflow's UI on this machine's loopback address and print where it is. Ctrl-C ends it."""
    from kdbench.specs.paths import storage_folder
    from kdbench.tracking.ui import serve_ui

    serve_ui(tracking_uri, storage_folder(storage), port=port)
