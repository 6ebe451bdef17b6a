"""kdbench completion"""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", epilog='Example, in ~/.bashrc: eval "$(kdbench completion bash)"')
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script that makes a shell complete kdbench's commands and options."""
    from click.shell_completion import get_completion_class

    from kdbench.cli import cli

    found = get_completion_class(shell)
    assert found is not None
    # click's `source` asks bash for its version first, and there need not be one here.
    complete = found(cli, {}, "kdbench", "_KDBENCH_COMPLETE")
    click.echo(complete.source_template % complete.source_vars())
