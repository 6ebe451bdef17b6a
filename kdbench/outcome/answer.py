"""What a study says in the end, in a sentence or two: which method is worth it, how sure that is, and what it cost."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from kdbench.leaderboard.statistics import Comparison, compare, corrected, summarize
from kdbench.search.arms.budget import spent
from kdbench.search.board import Board
from kdbench.search.rungs.levels import rungs
from kdbench.search.rungs.trust import trust
from kdbench.search.trials import TrialState
from kdbench.specs import metrics
from kdbench.specs.study import BASELINE

POWER = 0.8
"""How likely the seeds that are recommended would show a difference as large as the one that was seen."""
MOST_SEEDS = 200
"""More than these nobody trains: it is said that the difference is too small."""


@dataclass(frozen=True)
class Teacher:
    """What is known of the study's teacher: its figure on the report split, on the search split, and its training's hours."""

    report: float | None = None
    search: float | None = None
    hours: float | None = None


def answer(board: Board, teacher: Teacher | None = None) -> str:
    """The sentences; then a line each: the command that exports the winner, the race, dropped arms, what the rungs were worth.

    "" for a study that has no method or nothing completed.
    """
    if not board.plan.arms or board.winner() is None:
        return ""
    raced = board.plan.seeds > 1 and not board.finals.standing().going
    said = _of_race(board, teacher) if raced else None
    first = " ".join([*(said or _of_search(board, teacher)), _cost(board, teacher)])
    dropped = [f"{drop}." for drop in board.rounds.drops.values()]
    lines = [first, _export(board), race_text(board), *dropped, rungs_text(board)]
    return "\n".join(line for line in lines if line)


def race_text(board: Board) -> str:
    """How many seeds each finalist had, and why it got no more; "" without a race."""
    stopped = board.finals.standing().stopped if board.plan.seeds > 1 else {}
    arms = {best.id: best.arm for best in board.finals.finalists()}
    said = [f"{arms[name]} {_seeds(stop.seeds)} ({stop.reason})" for name, stop in stopped.items() if name in arms]
    return f"The race: {', '.join(said)}." if said else ""


def rungs_text(board: Board) -> str:
    """Whether stopping early can be trusted on this task, by the trials that ran to their end; "" without rungs."""
    plan = board.plan
    if plan.scheduler == "none":
        return ""
    own = [t for t in board.trials.values() if t.stage == "search" and t.arm != BASELINE and t.end == "completed"]
    curves: dict[str, list[dict[int, float]]] = {arm.name: [] for arm in plan.arms}
    for trial in own:
        curves[trial.arm].append({epoch: value for epoch, (value, _) in trial.reports.items()})
    epochs, mode = plan.task.schedule.epochs, metrics.mode(plan.task.metric)
    return trust(curves, epochs=epochs, rungs=rungs(epochs), mode=mode).sentence()


def _of_race(board: Board, teacher: Teacher | None) -> list[str] | None:
    """By the finalists on the report split; None where they gave no figures."""
    metric, task = board.plan.task.metric, board.plan.task.name
    figures = {best.arm: _known(board, best) for best in board.finals.finalists()}
    arms = [arm for arm, values in figures.items() if values and arm != BASELINE]
    if not arms:
        return None
    merit = {arm: metrics.merit(metric, statistics.fmean(figures[arm].values())) for arm in arms}
    best = max(arms, key=lambda arm: merit[arm])
    found = summarize(list(figures[best].values()))
    base = figures.get(BASELINE)
    family = corrected([compare(figures[arm], base, metrics.mode(metric)) for arm in arms]) if base else []
    result = family[arms.index(best)] if family else None
    proven = result is not None and result.verdict == "better"
    behind = base is not None and bool(base) and merit[best] <= metrics.merit(metric, statistics.fmean(base.values()))
    lead = f"{best} is {'best' if proven else 'ahead'}"
    lead = f"no method is ahead of the baseline; the nearest is {best}" if behind else lead
    text = f"{lead} on {task}: {metric} {_figure(found.mean, found.ci95)}"
    text += f" over {_seeds(found.n)} on the report split"
    if not base or result is None:
        return [f"{text}; the baseline gave no figure to compare it with."]
    said = [f"{text}, {_difference(result)} to the tuned baseline ({result.verdict})."]
    if not proven:
        said = [f"Nothing is proven: {said[0]}", _wanted(board, figures[best], base, result)]
    ties = _ties(best, arms, figures, metric)
    if ties:
        said.append(f"{_listed(ties)} tie{'s' if len(ties) == 1 else ''} with it.")
    return said + _gap(teacher.report if teacher else None, found.mean, statistics.fmean(base.values()), metric)


def _of_search(board: Board, teacher: Teacher | None) -> list[str]:
    """By the search's own figures, of one seed each: they choose, they prove nothing."""
    metric, best, base = board.plan.task.metric, board.winner(), board.best(BASELINE)
    assert best is not None
    assert best.best is not None
    text = f"{best.arm} has the best {metric} on the search split of {board.plan.task.name}, {best.best:.3f}"
    gap: list[str] = []
    if base is not None and base.best is not None:
        if best.merit <= base.merit:
            where = f"on the search split of {board.plan.task.name}"
            text = f"No method is ahead of the tuned baseline {where}: the nearest, {best.arm}, has {metric} {best.best:.3f}"
        text += f", {best.best - base.best:+.3f} to the tuned baseline"
        gap = _gap(teacher.search if teacher else None, best.best, base.best, metric)
    seeds = max(3, board.plan.seeds + 1)
    more = f"kdbench extend {board.plan.study} --seeds {seeds}"
    return [f"{text}, with one seed each: nothing is proven; race the finalists with {more}.", *gap]


def _known(board: Board, best: TrialState) -> dict[int, float]:
    return {seed: value for seed, value in board.finals.figures(best).items() if value is not None}


def _ties(best: str, arms: list[str], figures: dict[str, dict[int, float]], metric: str) -> list[str]:
    """Who cannot be told from the best, by the same test with the same correction."""
    others = [arm for arm in arms if arm != best]
    results = corrected([compare(figures[arm], figures[best], metrics.mode(metric)) for arm in others])
    return [arm for arm, result in zip(others, results, strict=True) if result.verdict in ("tie", "single")]


def _wanted(board: Board, figures: dict[int, float], base: dict[int, float], result: Comparison) -> str:
    """What would prove it: seeds, by the difference that was seen and how much it varies."""
    both = sorted(figures.keys() & base.keys())
    if len(both) >= 2:
        deviation: float | None = statistics.stdev([figures[seed] - base[seed] for seed in both])
    else:
        deviation = None if board.plan.noise is None else math.sqrt(2) * board.plan.noise
    needed = None if deviation is None else seeds_to_show(abs(result.delta), deviation)
    if needed is None:
        return "A difference as small as this is not shown by any number of seeds that one would train."
    needed = max(needed, len(both) + 1, 3)
    return f"Some {needed} seeds would show such a difference, if it is real: kdbench extend {board.plan.study} --seeds {needed}."


def seeds_to_show(difference: float, deviation: float) -> int | None:
    """How many pairs of trainings show a difference in a paired t-test (two-sided, 5 %) four times in five.

    Formula:
        the least n with t(n - 1; 0.975) + t(n - 1; 0.8) <= difference / deviation * sqrt(n)

    Args:
        difference: of the means.
        deviation: of the differences of pairs.

    Returns:
        None for more than one would train, or no difference at all.

    Example:
        >>> seeds_to_show(0.02, 0.01)
        5
    """
    from scipy import special

    for n in range(2, MOST_SEEDS + 1):
        needed = special.stdtrit(n - 1, 0.975) + special.stdtrit(n - 1, POWER)
        if needed * deviation <= difference * math.sqrt(n) and difference > 0:
            return n
    return None


def _gap(teacher: float | None, mean: float, base: float, metric: str) -> list[str]:
    if teacher is None:
        return []
    gap = metrics.merit(metric, teacher) - metrics.merit(metric, base)
    if gap <= 0:
        return ["The teacher is not better than the baseline."]
    if metrics.merit(metric, mean) <= metrics.merit(metric, base):
        return ["It closes nothing of the gap to the teacher."]
    return [
        f"It closes {(metrics.merit(metric, mean) - metrics.merit(metric, base)) / gap:.0%} of the gap to the teacher."
    ]


def _cost(board: Board, teacher: Teacher | None) -> str:
    own = [trial for trial in board.trials.values() if trial.stage != "teacher"]
    text = f"The search cost {_hours(spent(own))} device-hours"
    if board.plan.hours is not None:
        left = board.budget.left() or 0.0
        text += f", of the budget {_hours(max(0.0, left))} are left"
    if teacher is not None and teacher.hours is not None:
        text += f"; the teacher's training {_hours(teacher.hours)}"
    reused = sum(1 for trial in own if trial.reused)
    return text + (f"; {reused} trial{'s were' if reused > 1 else ' was'} taken over." if reused else ".")


def _hours(hours: float) -> str:
    return f"{hours:.2f}" if hours >= 1 else f"{hours:.3g}"


def _export(board: Board) -> str:
    return f"Export the winner: kdbench export {board.plan.study} -o DIR"


def _difference(result: Comparison) -> str:
    return f"{result.delta:+.3f}" + (f" ± {result.ci95:.3f}" if result.ci95 is not None else "")


def _figure(mean: float, ci95: float | None) -> str:
    return f"{mean:.3f}" + (f" ± {ci95:.3f}" if ci95 is not None else "")


def _seeds(count: int) -> str:
    return f"{count} seed{'s' if count > 1 else ''}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
