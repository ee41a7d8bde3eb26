"""Differences between systems of several seeds, and what they say."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from statistics import fmean

from espnet_merge.errors import InputError
from espnet_merge.report.runs import Runs, check_runs, comparable, run_of, seeds_of
from espnet_merge.report.seed_plan import Column, SeedPlan
from espnet_merge.report.tables import MISSING, best_of, markdown_table
from espnet_merge.score import RESAMPLES
from espnet_merge.score.design import Design
from espnet_merge.score.evaluate import CORPUS_SCORES
from espnet_merge.score.holm import holm
from espnet_merge.score.outcome import together
from espnet_merge.score.parts import Part
from espnet_merge.score.replicated import Replicated, mapsswe_of_models, replicated
from espnet_merge.score.translation import Translations

# Points within which systems are called equal.
EQUAL = 2.0
ALPHA = Design.alpha
EXPLAINED = (
    f"In brackets: {100 * (1 - ALPHA):g} % interval. p: the systems are as good, if "
    "trained with other seeds and tested on other utterances of these sets (crossed "
    "random effects). With one seed p is about these models (permutation of utterances)"
    " and the interval a bootstrap. p is by Holm's correction over the rows of its "
    "column."
)


class Verdict(Enum):
    """What is known of a system and the one that it is compared with."""

    BETTER = "better"
    WORSE = "worse"
    EQUAL = f"equal within ±{EQUAL:g} points"
    UNKNOWN = "cannot be told apart"


@dataclass(frozen=True)
class Differences:
    """Differences of systems to one of them, with p corrected for the systems.

    Attributes:
        other: that they differ from.
        column: in which.
        found: system -> its difference; less is better for error rates.
        p: system -> p-value, corrected.
    """

    other: str
    column: Column
    found: Mapping[str, Replicated]
    p: Mapping[str, float]

    def cell(self, system: str) -> str:
        """Return difference, interval and p as text."""
        if system not in self.found:
            return MISSING
        own = self.found[system]
        return f"{own.points:+z.1f} {_interval(own)}, p {show_p(self.p[system])}"

    def verdict(self, system: str) -> Verdict:
        """Return what is known of a system and the other."""
        own = self.found[system]
        if self.p[system] < ALPHA:
            higher_is_better = self.column.metric in CORPUS_SCORES
            better = (own.points > 0) == higher_is_better
            return Verdict.BETTER if better else Verdict.WORSE
        within = max(-own.low, own.high) < EQUAL
        return Verdict.EQUAL if within else Verdict.UNKNOWN

    def sentence(self, system: str) -> str:
        """Return what can be said of a system and the other."""
        own, verdict = self.found[system], self.verdict(system)
        facts = f"{own.points:+z.1f} {_interval(own)}, p {show_p(self.p[system])}"
        if verdict in {Verdict.BETTER, Verdict.WORSE}:
            found = f"{verdict.value} than `{self.other}` by {abs(own.points):.1f}"
            return f"{self.column.head}: `{system}` is {found} points ({facts})."
        equal = f"; {verdict.value}" if verdict is Verdict.EQUAL else ""
        return (
            f"{self.column.head}: `{system}` and `{self.other}` cannot be told apart "
            f"({facts}{equal})."
        )


@dataclass(frozen=True)
class SeedComparison:
    """Systems of several seeds, and how they differ; each test is made once.

    Attributes:
        runs: of the systems.
        plan: what is shown, and which systems are baselines and merges.

    Raises:
        InputError: runs that cannot stand in one table, or a plan of other ones.
    """

    runs: Runs
    plan: SeedPlan

    def __post_init__(self) -> None:
        check_runs(self.runs, self.plan.base)
        self.plan.check(self.runs)

    @cached_property
    def columns(self) -> Sequence[Column]:
        """The means, or all sets where there is none."""
        columns = self.plan.columns(self.runs)
        return [c for c in columns if c.name in self.plan.means] or columns

    @cached_property
    def baseline(self) -> str | None:
        """The best baseline, if one was named."""
        return _best(self.runs, self.plan, self.columns[0], self.plan.baseline)

    @cached_property
    def merge(self) -> str | None:
        """The best merge, if one was named."""
        return _best(self.runs, self.plan, self.columns[0], self.plan.merges)

    @cached_property
    def contender(self) -> str | None:
        """The best merge, or where it is the baseline, the best of the others."""
        others = [system for system in self.runs if system != self.baseline]
        if self.merge in others:
            return self.merge
        return _best(self.runs, self.plan, self.columns[0], others)

    @cached_property
    def to_baseline(self) -> Sequence[Differences]:
        """Differences of all systems to the best baseline, one for each column.

        Raises:
            InputError: counts of utterances are not there, or not of the same set.
        """
        return self._differences(list(self.runs), self.baseline)

    @cached_property
    def to_merge(self) -> Sequence[Differences]:
        """Differences of the merges to the best of them; errors as ``to_baseline``."""
        merges = self.plan.merges
        return self._differences(merges, self.merge) if len(merges) > 1 else []

    def _differences(
        self, systems: Sequence[str], other: str | None
    ) -> Sequence[Differences]:
        if other is None:
            return []
        return [_tested(self.runs, self.plan, c, systems, other) for c in self.columns]


def differences(seeds: SeedComparison) -> Iterator[str]:
    """Yield tables of differences to the best baseline and to the best merge.

    Args:
        seeds: what is compared; without baselines and merges there is nothing to yield.

    Raises:
        InputError: counts of utterances are not there, or not of the same set.
    """
    runs, plan, tables = seeds.runs, seeds.plan, seeds.to_baseline
    sentences: list[str] = []
    if tables:
        yield from _table(runs, tables, plan.baseline)
        if (system := seeds.contender) is not None:
            sentences += [t.sentence(system) for t in tables if system in t.found]
            yield from _by_set(runs, plan, system, tables[0].other)
    if seeds.to_merge:
        yield from _table(runs, seeds.to_merge, plan.merges)
        sentences.append(_merges(seeds.to_merge[0]))
    if sentences:
        yield ""
        yield EXPLAINED
        yield ""
        yield "What it says:"
        yield ""
        yield from (f"- {sentence}" for sentence in sentences)


def show_p(p: float) -> str:
    """Return a p-value as text.

    >>> show_p(0.0004), show_p(0.04)
    ('<0.001', '0.040')
    """
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _best(
    runs: Runs, plan: SeedPlan, column: Column, systems: Sequence[str]
) -> str | None:
    """Return the system with the best mean, of those with as many seeds as any."""
    there = [system for system in systems if seeds_of(runs[system], column.sets)]
    means = {
        system: fmean(
            run_of(runs[system], name, seed).value
            for seed in seeds_of(runs[system], column.sets)
            for name in column.sets
        )
        for system in comparable(runs, there, plan.base)
    }
    best: Callable[..., str] = max if column.metric in CORPUS_SCORES else min
    return best_of(means, systems, best)


def _draws(tests: int) -> int:
    """Return how many draws tell p-values to a twentieth of Holm's strictest level."""
    return max(RESAMPLES, round(20 * tests / ALPHA))


def _tested(
    runs: Runs, plan: SeedPlan, column: Column, systems: Sequence[str], other: str
) -> Differences:
    """Return the differences to a system of those that share seeds with it."""
    design = Design(resamples=_draws(len(systems)))
    found = {}
    for system in systems:
        seeds = _shared(runs, plan, column.sets, other, system)
        if system != other and seeds:
            parts = [_part(runs, name, other, system, seeds) for name in column.sets]
            found[system] = replicated(parts, design)
    p = holm([own.p for own in found.values()])
    return Differences(other, column, found, dict(zip(found, p, strict=True)))


def _shared(
    runs: Runs, plan: SeedPlan, sets: Sequence[str], one: str, other: str
) -> list[str]:
    """Return the seeds that two systems have in common; the base is the same in all."""
    own, others = (seeds_of(runs[system], sets) for system in (one, other))
    if one == plan.base:
        return list(others) if own else []
    if other == plan.base:
        return list(own) if others else []
    return [seed for seed in own if seed in others]


def _part(
    runs: Runs, name: str, one: str, other: str, seeds: Sequence[str]
) -> Part | Translations:
    """Return a set with a column for each seed of one system, then of the other."""
    own = [
        run_of(runs[system], name, seed) for system in (one, other) for seed in seeds
    ]
    for run in own:
        if run.outcome.digest != own[0].outcome.digest:
            raise InputError(
                f"{run.place}: must be of the references of {name} that {own[0].place} "
                "is of; they are others: decode and score all on one set."
            )
    return together(name, [run.outcome for run in own])


def _table(
    runs: Runs, tables: Sequence[Differences], among: Sequence[str]
) -> Iterator[str]:
    """Yield a row for each system that differs from one."""
    other = tables[0].other
    yield ""
    yield f"### Difference to {other}"
    yield ""
    if len(among) > 1:
        yield (
            f"Of {', '.join(among)} it has the best mean of {tables[0].column.head}. "
            "It was chosen on these very sets, which favours it."
        )
        yield ""
    yield from markdown_table(
        ["system", "seeds", *(table.column.head for table in tables)],
        [
            [
                system,
                str(max(t.found[system].seeds for t in tables if system in t.found)),
                *(table.cell(system) for table in tables),
            ]
            for system in runs
            if any(system in table.found for table in tables)
        ],
    )


def _by_set(runs: Runs, plan: SeedPlan, system: str, other: str) -> Iterator[str]:
    """Yield the difference of two systems on each set, by every test there is."""
    parts = {
        name: _part(runs, name, other, system, seeds)
        for name in plan.sets
        if (seeds := _shared(runs, plan, [name], other, system))
    }
    if not parts:
        return
    design = Design(resamples=_draws(len(parts)))
    found = [replicated([part], design) for part in parts.values()]
    segments = {
        name: mapsswe_of_models(part).p
        for name, part in parts.items()
        if isinstance(part, Part)
    }
    by_segment = dict(zip(segments, holm(list(segments.values())), strict=True))
    p = zip(holm([x.p for x in found]), holm([x.p_models for x in found]), strict=True)
    heads = ["set", "seeds", other, system, "difference"]
    yield ""
    yield f"### {system} less {other}, set by set"
    yield ""
    yield from markdown_table(
        [*heads, "p", "p of these models", "p by MAPSSWE of these models"],
        [
            [
                f"{name} ({part.metric})",
                *(str(own.seeds), f"{own.a:.1f}", f"{own.b:.1f}"),
                f"{own.points:+z.1f} {_interval(own)}",
                *map(show_p, values),
                show_p(by_segment[name]) if name in by_segment else MISSING,
            ]
            for (name, part), own, values in zip(parts.items(), found, p, strict=True)
        ],
    )


def _merges(table: Differences) -> str:
    """Return which merges are worse than the best one, and which cannot be told."""
    said: dict[Verdict, list[str]] = {Verdict.WORSE: [], Verdict.BETTER: []}
    alike: list[str] = []
    for name in table.found:
        said.get(table.verdict(name), alike).append(f"`{name}`")
    better, worse = (", ".join(said[v]) for v in (Verdict.BETTER, Verdict.WORSE))
    told = []
    if alike:
        told.append(f"cannot be told apart from {', '.join(alike)}")
    if worse:
        told.append(f"is better than {worse}")
    compared = f"; it {', and '.join(told)}" if told else ""
    return (
        f"{table.column.head}: of the merges `{table.other}` is the best{compared}."
        + (f" On the fewer seeds of {better} these are better." if better else "")
    )


def _interval(own: Replicated) -> str:
    return f"[{own.low:+z.1f}, {own.high:+z.1f}]"
