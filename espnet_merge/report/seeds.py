"""A table of systems trained with several seeds: mean and standard deviation."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.files import SCORE_JSON
from espnet_merge.report.modes import SETTINGS, compared_settings, describe_padding
from espnet_merge.report.scores import language_accuracy
from espnet_merge.report.tables import MISSING, best_of, markdown_table
from espnet_merge.score.current import check_rules
from espnet_merge.score.evaluate import CORPUS_SCORES, headline, main_reading

# Set -> scores, one for each seed.
Row = Mapping[str, Sequence[float]]
# System, scored directory, content of score.json.
type Scored = tuple[str, Path, dict[str, Any]]


@dataclass(frozen=True)
class SeedScores:
    """The scores of all systems and seeds.

    Attributes:
        metrics: set -> its main metric.
        normalizer: normaliser of all scores.
        rows: system -> its scores.
        paddings: system -> its padding in words; empty if all systems have the same.
        language_accuracy: system -> percentage of utterances whose language was
            identified correctly, if recorded.
    """

    metrics: Mapping[str, str]
    normalizer: str
    rows: Mapping[str, Row]
    paddings: Mapping[str, str]
    language_accuracy: Mapping[str, Row]


def read_scores(
    rows: Mapping[str, Sequence[Path]], base: str | None = None
) -> SeedScores:
    """Read the main metric of each scored directory.

    Args:
        rows: system -> directories ``.../SET`` with ``score.json``; several directories
            of one set belong to several seeds.
        base: the untrained model's system, which may have its own decoding mode.

    Raises:
        InputError: a directory has no scores or scores by rules of another version, or
            two cannot be in one table: they have different metrics, normalisers,
            decoding settings or sizes of a set.
    """
    scored = [
        (system, place, _read(place / SCORE_JSON))
        for system, places in rows.items()
        for place in places
    ]
    metrics = {place.name: score["main"] for _, place, score in reversed(scored)}
    normalizers: dict[str, Path] = {}
    for _, place, score in scored:
        normalizers.setdefault(score["normalizer"], place)
    if len(normalizers) != 1:
        found = ", ".join(f"{name} in {place}" for name, place in normalizers.items())
        raise InputError(
            f"all scores must be of one normalizer; they are of {found or 'none'}: run "
            "espnet-merge score with one --normalizer."
        )
    _check_sets(scored, metrics)
    _check_modes(scored, base)
    table: dict[str, dict[str, list[float]]] = {system: {} for system in rows}
    accuracy: dict[str, dict[str, list[float]]] = {system: {} for system in rows}
    for system, place, score in scored:
        main = score["main"]
        measured = score["metrics"][main][main_reading(main)]
        table[system].setdefault(place.name, []).append(headline(measured))
        if (percentage := language_accuracy(score)) is not None:
            accuracy[system].setdefault(place.name, []).append(percentage)
    paddings = {s: describe_padding(score.get("mode", {})) for s, _, score in scored}
    if len(set(paddings.values())) == 1:
        paddings = {}
    return SeedScores(metrics, next(iter(normalizers)), table, paddings, accuracy)


def markdown(
    scores: SeedScores, sets: Sequence[str], means: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield the lines of the table.

    Args:
        scores: scores of all systems.
        sets: columns, in their order.
        means: further columns: name -> sets to average, for each seed and each of
            their metrics separately.

    Raises:
        InputError: no system has scores of a set.
    """
    columns: list[tuple[str, str, list[str]]] = []
    for name, members in [*((s, [s]) for s in sets), *means.items()]:
        columns += [
            (name, metric, of_metric)
            for metric, of_metric in _by_metric(scores, members).items()
        ]
    cells = {
        system: [_mean(row, members) for _, _, members in columns]
        for system, row in scores.rows.items()
    }
    texts = {system: [_show(values) for values in row] for system, row in cells.items()}
    for index, (_, metric, _) in enumerate(columns):
        known = {s: fmean(row[index]) for s, row in cells.items() if row[index]}
        best: Callable[..., str] = max if metric in CORPUS_SCORES else min
        winner = best_of(known, list(known), best)
        if winner is not None:
            texts[winner][index] = f"**{texts[winner][index]}**"
    heads = [f"{name} ({metric})" for name, metric, _ in columns]
    if scores.paddings:
        heads.append("decoded")
        for system, row in texts.items():
            row.append(scores.paddings[system])
    yield from markdown_table(
        ["system", *heads], [[s, *row] for s, row in texts.items()]
    )
    counts = sorted({len(v) for row in scores.rows.values() for v in row.values()})
    yield (
        f"Normalizer `{scores.normalizer}`; BLEU is of raw text. Mean ± standard "
        "deviation where a system was trained with several seeds "
        f"({', '.join(map(str, counts))} runs). "
        "**Bold**: best mean."
    )
    yield from _language_accuracy(scores, sets, means)


def _language_accuracy(
    scores: SeedScores, sets: Sequence[str], means: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    if not any(scores.language_accuracy.values()):
        return
    columns = {**{name: [name] for name in sets}, **means}
    yield ""
    yield "Language identified correctly, in % of the utterances:"
    yield ""
    yield from markdown_table(
        ["system", *columns],
        [
            [system, *(_show(_mean(row, members)) for members in columns.values())]
            for system, row in scores.language_accuracy.items()
        ],
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: must be what espnet-merge score wrote; {error}."
        ) from error
    check_rules(path, content)
    return content


def _check_sets(scored: Sequence[Scored], metrics: Mapping[str, str]) -> None:
    """Raise ``InputError`` if scores of one name have two metrics or two sizes."""
    sizes: dict[str, tuple[Path, dict[str, Any]]] = {}
    for _, place, score in scored:
        main, name = score["main"], place.name
        if metrics[name] != main:
            raise InputError(
                f"{place}: all scores of {name} must be of one metric; this is {main}, "
                f"others are {metrics[name]}: score them in the same way."
            )
        first, expected = sizes.setdefault(name, (place, _size(score)))
        for what, found in _size(score).items():
            if found != expected[what]:
                raise InputError(
                    f"{place}: must be of the same set as {first}, with "
                    f"{expected[what]} {what}; has {found}: decode and score all on "
                    "one set, or leave it out."
                )


def _size(score: Mapping[str, Any]) -> dict[str, Any]:
    words = score["metrics"].get("wer", {}).get("raw", {}).get("reference")
    return {"utterances": score.get("utterances"), "words": words}


def _check_modes(scored: Sequence[Scored], base: str | None) -> None:
    """Raise ``InputError`` if systems, or seeds of a system, cannot be compared."""
    rows: dict[str, tuple[Path, dict[str, Any]]] = {}
    others = [(place, s.get("mode", {})) for name, place, s in scored if name != base]
    for system, place, score in scored:
        mode = score.get("mode", {})
        own_place, own_mode = rows.setdefault(system, (place, mode))
        other_place, other_mode = (own_place, own_mode) if system == base else others[0]
        wanted = [(own_place, own_mode, name) for name in SETTINGS]
        wanted += [
            (other_place, other_mode, name)
            for name in compared_settings(other_mode, mode)
        ]
        for where, expected, name in wanted:
            if mode.get(name) != expected.get(name):
                raise InputError(
                    f"{place}: must be decoded as {where} was, with {name} "
                    f"{expected.get(name)}; got {mode.get(name)}: decode alike (but "
                    "each model padded as it was trained), or leave it out."
                )


def _by_metric(scores: SeedScores, members: Sequence[str]) -> dict[str, list[str]]:
    """Return metric -> its sets, because there is no mean over two metrics."""
    found: dict[str, list[str]] = {}
    for member in members:
        if member not in scores.metrics:
            raise InputError(
                f"{member}: some system must have scores of it; none has: score it, or "
                "leave it out."
            )
        found.setdefault(scores.metrics[member], []).append(member)
    return found


def _mean(row: Row, members: Sequence[str]) -> list[float]:
    """Return the mean over sets for each seed; a single score counts for all seeds."""
    scores = [row.get(member, []) for member in members]
    seeds = max(map(len, scores), default=0)
    if any(len(values) not in (1, seeds) for values in scores):
        return []
    return [fmean(v[seed % len(v)] for v in scores) for seed in range(seeds)]


def _show(values: Sequence[float]) -> str:
    if not values:
        return MISSING
    spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{fmean(values):.1f}{spread}"
