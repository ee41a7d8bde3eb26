"""Tables of systems that were trained with several seeds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

from espnet_merge.report.modes import paddings_by_system
from espnet_merge.report.runs import (
    Row,
    Run,
    Runs,
    comparable,
    run_of,
    seeds_of,
    walk,
)
from espnet_merge.report.seed_differences import SeedComparison, differences
from espnet_merge.report.seed_plan import Column, SeedPlan
from espnet_merge.report.tables import MISSING, best_of, markdown_table
from espnet_merge.score.evaluate import CORPUS_SCORES


def markdown(
    seeds: SeedComparison, facts: Mapping[Path, str] | None = None
) -> Iterator[str]:
    """Yield the lines of all tables.

    Args:
        seeds: the systems, and what is shown of them.
        facts: file that the runs are from -> what it holds, in words.

    Raises:
        InputError: counts of utterances are not there, or not of the same set.
    """
    runs, plan = seeds.runs, seeds.plan
    columns = plan.columns(runs)
    yield from _scores(runs, columns, plan.base)
    first = next(run for *_, run in walk(runs))
    counts = sorted({len(seeds) for row in runs.values() for seeds in row.values()})
    yield (
        f"Normalizer `{first.normalizer}`; BLEU is of raw text. Mean ± standard "
        "deviation where a system was trained with several seeds "
        f"({', '.join(map(str, counts))} runs). "
        "**Bold**: best mean of the systems with as many seeds as any."
    )
    yield from _language_accuracy(runs, plan)
    yield from differences(seeds)
    if facts:
        yield ""
        yield "Made of:"
        yield ""
        yield from (f"- `{path}`: {fact}" for path, fact in facts.items())


def _scores(runs: Runs, columns: Sequence[Column], base: str | None) -> Iterator[str]:
    cells = {
        system: [_means(row, column.sets, _value) for column in columns]
        for system, row in runs.items()
    }
    texts = {system: [_show(values) for values in row] for system, row in cells.items()}
    for index, column in enumerate(columns):
        there = [system for system, row in cells.items() if row[index]]
        known = {s: fmean(cells[s][index]) for s in comparable(runs, there, base)}
        best: Callable[..., str] = max if column.metric in CORPUS_SCORES else min
        winner = best_of(known, list(known), best)
        if winner is not None:
            texts[winner][index] = f"**{texts[winner][index]}**"
    heads = [column.head for column in columns]
    paddings = paddings_by_system((system, run.mode) for system, _, run in walk(runs))
    if paddings:
        heads.append("decoded")
        for system, texts_of in texts.items():
            texts_of.append(paddings.get(system, MISSING))
    yield from markdown_table(
        ["system", *heads], [[s, *row] for s, row in texts.items()]
    )


def _language_accuracy(runs: Runs, plan: SeedPlan) -> Iterator[str]:
    if all(run.language_accuracy is None for *_, run in walk(runs)):
        return
    yield ""
    yield "Language identified correctly, in % of the utterances:"
    yield ""
    yield from markdown_table(
        ["system", *plan.members],
        [
            [
                system,
                *(_show(_means(row, own, _accuracy)) for own in plan.members.values()),
            ]
            for system, row in runs.items()
        ],
    )


def _value(run: Run) -> float | None:
    return run.value


def _accuracy(run: Run) -> float | None:
    return run.language_accuracy


def _means(
    row: Row, sets: Sequence[str], number: Callable[[Run], float | None]
) -> list[float]:
    """Return the mean over sets for each seed; none if a number is missing."""
    means = []
    for seed in seeds_of(row, sets):
        found = [number(run_of(row, name, seed)) for name in sets]
        known = [x for x in found if x is not None]
        if len(known) < len(found):
            return []
        means.append(fmean(known))
    return means


def _show(values: Sequence[float]) -> str:
    if not values:
        return MISSING
    spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{fmean(values):.1f}{spread}"
