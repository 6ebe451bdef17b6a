"""kdbench schema"""

from __future__ import annotations

import json

import click

KINDS = ("task", "space", "suite", "recipe")


@click.command("schema", epilog="Example: kdbench schema task > task.schema.json")
@click.argument("kind", type=click.Choice(KINDS))
def command(kind: str) -> None:
    """Print the JSON schema of a file, by which editors complete and check it.

    With the YAML language server, the first line of a file says which:
    # yaml-language-server: $schema=task.schema.json
    """
    from kdbench.specs.schema import schema

    click.echo(json.dumps(schema(kind), indent=2))
