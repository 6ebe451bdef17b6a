"""What a shell completes behind a command: names of kdbench's own, files, folders."""

from __future__ import annotations

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def files(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """A file, or the folders on the way to it."""
    return [CompletionItem(begun, type="file")]


def folders(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """A folder."""
    return [CompletionItem(begun, type="dir")]


def shipped(kind: str) -> Completer:
    """A name of what comes with kdbench (`benchmarks/tasks`, ...); where none begins so, a file."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        from kdbench.specs import resources

        found = [CompletionItem(name) for name in resources.names(kind) if name.startswith(begun)]
        return found or files(context, parameter, begun)

    return complete
