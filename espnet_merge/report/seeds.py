"""One table of systems that were trained several times: mean and spread."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.report.tables import MISSING, best_of, markdown_table

HIGHER_IS_BETTER = ("bleu", "chrf")

# Set -> its scores, one of each seed.
Row = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Scores:
    """What is shown of all systems.

    Attributes:
        metrics: set -> the metric that its numbers are of.
        normalizer: of all of them.
        rows: system -> its scores.
    """

    metrics: Mapping[str, str]
    normalizer: str
    rows: Mapping[str, Row]


def read_scores(rows: Mapping[str, Sequence[Path]]) -> Scores:
    """Read the main metric of each scored directory.

    Args:
        rows: system -> directories ``.../SET`` that hold ``score.json``; those of one
            set are of its seeds.

    Raises:
        InputError: a directory without scores, or two that cannot stand in one table.
    """
    metrics: dict[str, str] = {}
    normalizers: dict[str, Path] = {}
    table: dict[str, dict[str, list[float]]] = {}
    for system, places in rows.items():
        found = table.setdefault(system, {})
        for place in places:
            score = _read(place / "score.json")
            main, name = score["main"], place.name
            if metrics.setdefault(name, main) != main:
                raise InputError(
                    f"{place}: all scores of {name} must be of one metric; this is "
                    f"{main}, others are {metrics[name]}: score them alike."
                )
            normalizers.setdefault(score["normalizer"], place)
            measured = score["metrics"][main]["normalized"]
            value = measured["score" if main in HIGHER_IS_BETTER else "rate"]
            found.setdefault(name, []).append(value)
    if len(normalizers) != 1:
        said = ", ".join(f"{name} in {place}" for name, place in normalizers.items())
        raise InputError(
            f"all scores must be of one normalizer; they are of {said or 'none'}: run "
            "espnet-merge score with one --normalizer."
        )
    return Scores(metrics, next(iter(normalizers)), table)


def markdown(
    scores: Scores, sets: Sequence[str], means: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield the lines of the table.

    Args:
        scores: of the systems.
        sets: columns, in their order.
        means: further columns: name -> sets whose mean it shows, seed by seed.

    Raises:
        InputError: a set that no system has, or a mean over different metrics.
    """
    columns = {name: [name] for name in sets} | {k: list(v) for k, v in means.items()}
    units = {name: _unit(scores, name, members) for name, members in columns.items()}
    cells = {
        system: {name: _mean(row, members) for name, members in columns.items()}
        for system, row in scores.rows.items()
    }
    texts = {
        system: [_show(row[name]) for name in columns] for system, row in cells.items()
    }
    for index, name in enumerate(columns):
        known = {system: fmean(row[name]) for system, row in cells.items() if row[name]}
        best: Callable[..., str] = max if units[name] in HIGHER_IS_BETTER else min
        winner = best_of(known, list(known), best)
        if winner is not None:
            texts[winner][index] = f"**{texts[winner][index]}**"
    heads = [f"{name} ({units[name]})" for name in columns]
    yield from markdown_table(
        ["system", *heads], [[s, *row] for s, row in texts.items()]
    )
    counts = sorted({len(v) for row in scores.rows.values() for v in row.values()})
    yield (
        f"Normalizer `{scores.normalizer}`. Mean ± standard deviation where a system "
        f"was trained with several seeds ({', '.join(map(str, counts))} runs). "
        "**Bold**: best mean."
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return content
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: must be what espnet-merge score wrote; {error}."
        ) from error


def _unit(scores: Scores, name: str, members: Sequence[str]) -> str:
    if odd := [member for member in members if member not in scores.metrics]:
        raise InputError(
            f"{odd[0]}: some system must have scores of it; none has: score it, or "
            "leave it out."
        )
    units = sorted({scores.metrics[member] for member in members})
    if len(units) != 1:
        raise InputError(
            f"the sets of a mean must be of one metric; {name} has "
            f"{', '.join(units)}: take means of each apart."
        )
    return units[0]


def _mean(row: Row, members: Sequence[str]) -> list[float]:
    """Return the mean over sets of each seed; a set with one score stands for all."""
    found = [row.get(member, []) for member in members]
    seeds = max(map(len, found), default=0)
    if any(len(values) not in (1, seeds) for values in found):
        return []
    return [fmean(v[seed % len(v)] for v in found) for seed in range(seeds)]


def _show(values: Sequence[float]) -> str:
    if not values:
        return MISSING
    spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{fmean(values):.1f}{spread}"
