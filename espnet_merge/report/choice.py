"""The sentence that says what to use, and why.

Of all ways to one system for all groups, the cheapest is taken that is not
significantly worse than the best: the same rule as that of ``benchmarks/advice.py``.
Where systems transcribe and translate, that must hold for both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from espnet_merge.report.plan import IN_DOMAIN, ORACLE, Plan, language_of
from espnet_merge.report.results import Results
from espnet_merge.report.significance import DESIGN, Drawn
from espnet_merge.report.tables import best_of
from espnet_merge.score.bootstrap import Interval, Rates, interval
from espnet_merge.speech import AUTO

UNITS = {
    "WER": "errors in 100 words",
    "CER": "errors in 100 characters",
    "BLEU": "BLEU",
}


@dataclass(frozen=True)
class Task:
    """How good the systems are at one task, in the mean over the sets of groups.

    Attributes:
        results: of the task's sets.
        means: system -> mean, of those that have scores of all these sets.
        drawn: system -> mean of each resample; empty if sets cannot be drawn.
        better: ``min`` or ``max``, of the means.
    """

    results: Results
    means: Mapping[str, float]
    drawn: Mapping[str, Rates]
    better: Callable[..., str]

    @cached_property
    def ways(self) -> dict[str, list[str]]:
        """What systems are, the cheapest first, and those with a mean.

        Joint training is one more training, on the data of all groups, which may be
        nowhere together.
        """
        plan = self.results.plan
        ways = {
            "the untrained model": [plan.base],
            "one model merged from experts": plan.merges,
            "an expert for each utterance": _usable_routes(self.results),
            "one model trained on the data of all groups": plan.joint,
        }
        return {
            what: [system for system in systems if system in self.means]
            for what, systems in ways.items()
        }

    @cached_property
    def way_of(self) -> dict[str, str]:
        """The way of each system."""
        return {x: what for what, systems in self.ways.items() for x in systems}

    @cached_property
    def best(self) -> str:
        """The best system of all ways."""
        found = best_of(self.means, [*self.way_of], self.better)
        return found or self.results.plan.base

    def loss(self, system: str) -> Interval:
        """Return the interval of what a system loses to the best, in points."""
        sign = 1 if self.better is min else -1
        lost = self.drawn[system] - self.drawn[self.best]
        return interval(sign * lost, DESIGN.alpha)

    def part_lost(self, system: str) -> float:
        """Return what its mean loses to the best, over the span of all means."""
        span = max(self.means.values()) - min(self.means.values())
        return abs(self.means[system] - self.means[self.best]) / (span or 1)

    def is_behind(self, system: str) -> bool:
        """Tell whether a system is significantly worse than the best."""
        return self.loss(system).low > 0

    def show(self, system: str) -> str:
        """Return the mean of a system, in words."""
        unit = UNITS.get(self.results.metric_name, "points of error rate")
        sets = self.results.plan.averages[IN_DOMAIN]
        names = ", ".join(map(self.results.label, sets))
        return f"{self.means[system]:.1f} {unit} of {names}"


def transcription(results: Results, drawn: Drawn) -> Task | None:
    """Return how good systems are at transcribing, if groups have such sets."""
    grid, sets = results.rates(), results.plan.averages.get(IN_DOMAIN, ())
    if not results.scores or IN_DOMAIN not in grid.columns:
        return None
    means = grid.column(IN_DOMAIN)
    of_systems = {x: np.mean([drawn[name][x] for name in sets], axis=0) for x in means}
    return Task(results, means, of_systems, min)


def choice(tasks: Sequence[Task], fallen: Mapping[str, Sequence[str]]) -> str:
    """Return which system to use in domain, and why; nothing if there is no choice.

    Args:
        tasks: that the systems are for.
        fallen: system -> columns in which it is significantly worse than the base.
    """
    if not tasks or not all(task.drawn for task in tasks):
        return ""
    known = {
        what: system
        for what in tasks[0].ways
        if (system := _of_way(tasks, what)) is not None
    }
    if len(known) < 2:
        return ""
    good = (x for x in known.values() if not any(task.is_behind(x) for task in tasks))
    chosen = next(good, None)
    if chosen is None:
        each = " ".join(choice([task], fallen) for task in tasks)
        return f"No system is as good as the best at each task. {each}"
    names = [*known.values()]
    cheaper = names[: names.index(chosen)]
    clauses = [
        f"Use {chosen} here, {tasks[0].way_of[chosen]}: {_amounts(tasks, chosen)}",
        *(_as_good(task, chosen) for task in tasks if task.best != chosen),
        _worse(tasks, [x for x in cheaper if x != tasks[0].results.plan.base]),
    ]
    sentence = "; ".join(filter(None, clauses))
    if lost := ", ".join(fallen.get(chosen, ())):
        base = tasks[0].results.plan.base
        return f"{sentence}. It is significantly worse than {base} on {lost}."
    return f"{sentence}."


def _of_way(tasks: Sequence[Task], what: str) -> str | None:
    """Return the system of a way whose largest loss to the best at a task is smallest.

    It is a way at all tasks: a route by groups may be of use at one alone.
    """
    there = [x for x in tasks[0].ways[what] if all(x in t.ways[what] for t in tasks)]
    return min(there, key=lambda x: max(t.part_lost(x) for t in tasks), default=None)


def _amounts(tasks: Sequence[Task], system: str) -> str:
    """Return what a system makes at each task, and the untrained model."""
    amounts = []
    for task in tasks:
        base = task.results.plan.base
        amounts.append(task.show(system))
        if system != base and base in task.means:
            amounts[-1] += (
                f", where {base}, the untrained model, makes {task.means[base]:.1f}"
            )
    return ", and ".join(amounts)


def _as_good(task: Task, chosen: str) -> str:
    """Return that a system cannot be told from the best, and whether it costs less."""
    best, (low, high, _) = task.best, task.loss(chosen)
    cost = [*task.ways]
    less = cost.index(task.way_of[chosen]) < cost.index(task.way_of[best])
    return (
        f"the best, {best} ({task.way_of[best]}), makes {task.means[best]:.1f}, but"
        f" these sets cannot tell the two apart (difference [{low:.1f}, {high:.1f}])"
        f"{f', and {chosen} costs less' if less else ''}"
    )


def _worse(tasks: Sequence[Task], systems: Sequence[str]) -> str:
    """Return what costs less than the system that was chosen."""
    made = [
        f"{x} {' and '.join(f'{task.means[x]:.1f}' for task in tasks)}" for x in systems
    ]
    return f"what costs less is significantly worse ({', '.join(made)})" if made else ""


def _usable_routes(results: Results) -> Sequence[str]:
    """Return the routed systems, without that by groups if nobody is told these.

    Users know them where groups are languages, and languages are given.
    """
    plan = results.plan
    told = _told(plan, results.settings().get("language"))
    return [system for system in plan.routed if told or system != ORACLE]


def _told(plan: Plan, language: object) -> bool:
    languages = [{*map(language_of, members)} for members in plan.groups.values()]
    apart = len(set().union(*languages)) == sum(map(len, languages))
    return language != AUTO and apart
