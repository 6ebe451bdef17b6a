"""The command line: one file a command, which parses, calls and prints. No logic here."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import warnings
from typing import Any

import click

from kdbench._version import __version__
from kdbench.errors import KDBenchError, brief, did_you_mean, of_the_system, printable

COMMANDS = {
    "search": "Search the best recipe of one or several methods on a task.",
    "resume": "Go on with a study that was interrupted.",
    "extend": "Give a study more trials, hours, seeds or methods.",
    "retry": "Start trials again that failed or were lost.",
    "enqueue": "Have a study try values of yours next.",
    "leaderboard": "Rank finished runs, as a table or a page.",
    "compare": "Compare two studies, methods or trials.",
    "task": "Write a task file for a folder of annotated images, or from an mmdet config.",
    "bench": "Train a suite: a table of recipes times seeds.",
    "train": "Train one recipe, without Ray.",
    "show": "Draw a trial's detections beside teacher and baseline.",
    "replay": "Train a trial again and say whether it came out the same.",
    "export": "Write a trained student as a plain mmdet model, verified.",
    "ui": "Open MLflow's UI on the runs.",
    "doctor": "Check this machine: versions, operators, Ray, MLflow.",
    "schema": "Print the JSON schema of a task, space, suite or recipe file.",
    "completion": "Print what makes your shell complete kdbench's commands.",
    "list": "List methods, tasks, spaces, suites, detectors, datasets or studies.",
}


class Commands(click.Group):
    """Loads a command's file when it is asked for, so that --help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"kdbench.cli.{name}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"no command {brief(args[0])}; {did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: kdbench search defeat --trials 6 && kdbench leaderboard",
)
@click.version_option(__version__, prog_name="kdbench")
@click.option("--debug", is_flag=True, help="Show the stack trace of an error.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Search and benchmark knowledge distillation of object detectors."""
    ctx.obj = {"debug": debug}


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit code 0 done, 2 wrong input, 1 the run failed, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # --debug may stand anywhere: a user adds it at the end of the command that has just failed.
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    if not debug and not sys.warnoptions:
        # What libraries warn of, some of it each epoch, is for those who debug them; child processes hear it too.
        warnings.simplefilter("ignore")
        os.environ.setdefault("PYTHONWARNINGS", "ignore")
    try:
        code = cli.main(arguments, prog_name="kdbench", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), 2, debug)
    except (KeyboardInterrupt, click.Abort):
        _fail("stopped", 130, debug)
    except KDBenchError as error:
        _fail(str(error), error.exit_code, debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _fail(f"{of_the_system(error)} (--debug shows where)", 1, debug)
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        _fail(f"{type(error).__name__}: {first} (a bug of kdbench or its environment; --debug shows where)", 1, debug)


def _fail(message: str, code: int, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    click.echo(f"kdbench: {printable(' '.join(message.split()))}", err=True)
    sys.exit(code)
