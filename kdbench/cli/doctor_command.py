"""kdbench doctor"""

from __future__ import annotations

import click

from kdbench.cli.options import address_option, storage_option, tracking_option


@click.command("doctor", epilog="Example: kdbench doctor --address auto")
@address_option
@storage_option
@tracking_option
def command(address: str | None, storage: str | None, tracking_uri: str | None) -> None:
    """Check this machine: versions, GPUs, operators, storage, MLflow, Ray. Exit code 1 if something is wrong."""
    from kdbench.running.doctor import checks
    from kdbench.specs.paths import storage_folder

    wrong = 0
    for check in checks(storage_folder(storage), tracking_uri, address):
        wrong += not check.good
        click.echo(f"{'ok   ' if check.good else 'WRONG'} {check.name}: {check.finding}")
    if wrong:
        raise SystemExit(1)
