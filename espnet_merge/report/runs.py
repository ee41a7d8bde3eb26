"""Runs: one system, trained with one seed, on one set."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.files import SCORE_JSON
from espnet_merge.report.modes import SETTINGS, compared_settings
from espnet_merge.report.scores import language_accuracy
from espnet_merge.score.current import check_rules, inputs_digest
from espnet_merge.score.evaluate import headline, main_reading
from espnet_merge.score.outcome import Outcome, read_outcome


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one system, trained with one seed, made of one set.

    Attributes:
        place: where this is known from.
        metric: the main one of the set.
        normalizer: of the error rates.
        rules: digest of the rules that it was scored by.
        mode: how was decoded.
        value: of the metric, in percent.
        language_accuracy: percentage of utterances whose language was identified
            correctly; None where that was not recorded.
        size: what must be the same of all runs on the set, by name.
        read: returns the counts of each utterance.
    """

    place: Path
    metric: str
    normalizer: str
    rules: str
    mode: Mapping[str, Any]
    value: float
    language_accuracy: float | None
    size: Mapping[str, Any]
    read: Callable[[], Outcome]

    @cached_property
    def outcome(self) -> Outcome:
        """The counts of each utterance, which are read once they are needed."""
        return self.read()


# Set -> seed -> run.
type Row = Mapping[str, Mapping[str, Run]]
# System -> its row.
type Runs = Mapping[str, Row]


def read_runs(rows: Mapping[str, Sequence[Path]]) -> Runs:
    """Read the main metric of each scored directory.

    Args:
        rows: system -> directories ``.../SET`` that hold ``score.json``; those of one
            set are of its seeds, which are numbered in their order.

    Raises:
        InputError: a directory without scores, or one by rules of another version.
    """
    found: dict[str, dict[str, dict[str, Run]]] = {}
    for system, places in rows.items():
        row = found.setdefault(system, {})
        for place in places:
            seeds = row.setdefault(place.name, {})
            seeds[str(len(seeds))] = _read_run(place)
    return found


def walk(runs: Runs) -> Iterator[tuple[str, str, Run]]:
    """Yield system, set and run of every run."""
    for system, row in runs.items():
        for name, seeds in row.items():
            for run in seeds.values():
                yield system, name, run


def seeds_of(row: Row, members: Sequence[str]) -> Sequence[str]:
    """Return the seeds that a system has of all of some sets.

    A set with one run stands for all seeds. Where others have different seeds, or there
    is a set without a run, there are none.
    """
    found = [list(row.get(name, ())) for name in members]
    several = [seeds for seeds in found if len(seeds) != 1]
    seeds = (several or found)[0]
    return [] if any(other != seeds for other in several) else seeds


def trained(row: Row) -> int:
    """Return how many seeds a system was trained with."""
    return max(map(len, row.values()))


def comparable(runs: Runs, systems: Iterable[str], base: str | None) -> list[str]:
    """Return those of some systems with as many seeds as any of them.

    The mean over fewer seeds is of luckier or unluckier ones. The base, the untrained
    model, is the same for all seeds.
    """
    seeds = {system: trained(runs[system]) for system in systems}
    most = max((n for system, n in seeds.items() if system != base), default=0)
    return [system for system, n in seeds.items() if n == most or system == base]


def run_of(row: Row, name: str, seed: str) -> Run:
    """Return a system's run on a set with a seed, or the one that stands for all."""
    return row[name].get(seed) or next(iter(row[name].values()))


def check_runs(runs: Runs, base: str | None) -> None:
    """Check that all can stand in one table.

    Args:
        runs: of all systems.
        base: the system that nothing was trained for, which may be decoded in a mode of
            its own.

    Raises:
        InputError: two are of another metric or normalizer, decoded otherwise, or on a
            set of another size.
    """
    normalizers: dict[str, Path] = {}
    for _, _, run in walk(runs):
        normalizers.setdefault(run.normalizer, run.place)
    if len(normalizers) != 1:
        said = ", ".join(f"{name} in {place}" for name, place in normalizers.items())
        raise InputError(
            f"all scores must be of one normalizer; they are of {said or 'none'}: run "
            "espnet-merge score with one --normalizer."
        )
    _check_sets(runs)
    _check_modes(runs, base)


def _read_run(place: Path) -> Run:
    path = place / SCORE_JSON
    try:
        score: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: must be what espnet-merge score wrote; {error}."
        ) from error
    check_rules(path, score)
    main = score["main"]
    words = score["metrics"].get("wer", {}).get("raw", {}).get("reference")
    return Run(
        place=place,
        metric=main,
        normalizer=score["normalizer"],
        rules=score["rules_digest"],
        mode=score.get("mode", {}),
        value=headline(score["metrics"][main][main_reading(main)]),
        language_accuracy=language_accuracy(score),
        size={"utterances": score.get("utterances"), "words": words},
        read=partial(_read_outcome, place, score),
    )


def _read_outcome(place: Path, score: Mapping[str, Any]) -> Outcome:
    """Count what the score is made of, in texts that are those that were scored."""
    reference = Path(score["reference"])
    if inputs_digest(reference, place) != score["inputs_digest"]:
        raise InputError(
            f"{place}: must hold the texts that {SCORE_JSON} is of, and so must "
            f"{reference}; they are others, or not there: score again."
        )
    return read_outcome(reference, place, score["normalizer"], score["main"])


def _check_sets(runs: Runs) -> None:
    """Raise ``InputError`` where runs of one name are of two metrics or two sets."""
    firsts: dict[str, Run] = {}
    for _, name, run in walk(runs):
        first = firsts.setdefault(name, run)
        if run.metric != first.metric:
            raise InputError(
                f"{run.place}: all scores of {name} must be of one metric; this is "
                f"{run.metric}, others are {first.metric}: score them in the same way."
            )
        for what, found in run.size.items():
            if found != first.size[what]:
                raise InputError(
                    f"{run.place}: must be of the same set as {first.place}, with "
                    f"{first.size[what]} {what}; has {found}: decode and score all on "
                    "one set, or leave it out."
                )


def _check_modes(runs: Runs, base: str | None) -> None:
    """Raise ``InputError`` where systems, or seeds of one, cannot be compared.

    Seeds on one set must be decoded alike. Systems, and sets of one system, may differ
    in padding where each has that of its training: a router may take another model for
    another set.
    """
    seeds: dict[tuple[str, str], Run] = {}
    firsts: dict[bool, Run] = {}
    for system, name, run in walk(runs):
        seed = seeds.setdefault((system, name), run)
        first = firsts.setdefault(system == base, run)
        wanted = [(seed, setting) for setting in SETTINGS]
        wanted += [
            (first, setting) for setting in compared_settings(first.mode, run.mode)
        ]
        for other, setting in wanted:
            expected, found = other.mode.get(setting), run.mode.get(setting)
            if found != expected:
                raise InputError(
                    f"{run.place}: must be decoded as {other.place} was, with "
                    f"{setting} {expected}; got {found}: decode alike (but each model "
                    "padded as it was trained), or leave it out."
                )
