"""kdbench replay"""

from __future__ import annotations

from pathlib import Path

import click

from kdbench.cli.options import data_root_option, storage_option


@click.command("replay", epilog="Example: kdbench replay defeat-shapes/defeat-003")
@click.argument("trial")
@data_root_option
@storage_option
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="[default: the trial's]")
@click.option("--threads", type=click.IntRange(0), help="Torch threads [default: the trial's].")
@click.pass_context
def command(
    ctx: click.Context, trial: str, data_root: str | None, storage: str | None, device: str | None, threads: int | None
) -> None:
    """Train TRIAL's recipe again outside Ray, and say whether it came out the same.

    TRIAL is STUDY/TRIAL, a trial's name, or the start of a recipe's hash. The study is left as it is. Exit code 1 where a figure differs.
    """
    from kdbench.outcome.replay import replay
    from kdbench.specs.paths import storage_folder

    root = Path(data_root).expanduser().absolute() if data_root else None
    found = replay(storage_folder(storage), trial, data_root=root, device=device, threads=threads)
    click.echo(f"{'epoch':>8}  {'recorded':>10}  {'again':>10}")
    for epoch in sorted(found.recorded.keys() | found.again.keys(), key=lambda epoch: (epoch == 0, epoch)):
        name = f"val/{found.metric}" if epoch else f"report/{found.metric}"
        pair = [found.recorded.get(epoch, {}).get(name), found.again.get(epoch, {}).get(name)]
        shown = ["-" if value is None else f"{value:.4f}" for value in pair]
        click.echo(f"{epoch or 'report':>8}  {shown[0]:>10}  {shown[1]:>10}")
    hours = ["-" if value is None else f"{value:.4f}" for value in found.hours]
    click.echo(f"{'hours':>8}  {hours[0]:>10}  {hours[1]:>10}")
    click.echo(found.verdict)
    if not found.same:
        ctx.exit(1)
