"""The scores of many runs, such as the same recipe with several configurations."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from espnet_merge.errors import InputError
from espnet_merge.files import SCORE_JSON
from espnet_merge.report.scores import (
    UtteranceCounts,
    error_rate,
    read_score,
    read_utterance_counts,
)
from espnet_merge.score.sample import Counted, Rate, Sample


@dataclass(frozen=True)
class ScoredRun:
    """A run: its systems, scored on its sets.

    Attributes:
        name: that tells it from the others.
        place: directory of the systems.
        scores: (system, set) -> content of ``score.json``; of a system that was decoded
            in several modes, each mode is a system.
        counts: the same -> counts of each utterance.
    """

    name: str
    place: Path
    scores: Mapping[tuple[str, str], Mapping[str, Any]]
    counts: Mapping[tuple[str, str], UtteranceCounts]

    @cached_property
    def sets(self) -> dict[str, UtteranceCounts]:
        """Set -> counts of any system, whose references are those of all."""
        return {name: one for (_, name), one in self.counts.items()}


def read_scored_runs(places: Sequence[Path]) -> list[ScoredRun]:
    """Read ``<system>/inference_<mode>/<set>/score.json`` of each run.

    Raises:
        InputError: a run has no score, one is broken, a run is named twice, or the
            normalisers are several.
    """
    runs = [
        _read(name, place) for name, place in zip(names_of(places), places, strict=True)
    ]
    normalizers = {
        str(score["normalizer"]): run.place
        for run in runs
        for score in run.scores.values()
    }
    if len(normalizers) > 1:
        said = ", ".join(f"{name} in {place}" for name, place in normalizers.items())
        raise InputError(
            f"all runs must be scored with one normalizer; they are with {said}: run "
            "espnet-merge score again."
        )
    return runs


def names_of(places: Sequence[Path]) -> list[str]:
    """Return names that tell directories apart.

    >>> names_of([Path("a/exp/demo"), Path("a/exp/full"), Path("a/exp")])
    ['exp/demo', 'exp/full', 'exp']

    Raises:
        InputError: one is named twice.
    """
    resolved = [place.resolve() for place in places]
    for place, count in Counter(resolved).items():
        if count > 1:
            raise InputError(f"--runs must name a run once; {place} is there twice.")
    common = Path(os.path.commonpath([place.parent for place in resolved]))
    return [str(place.relative_to(common)) for place in resolved]


def shared_sets(runs: Iterable[ScoredRun]) -> tuple[list[str], list[str]]:
    """Return the sets that all runs have, and those that are other utterances in some.

    A set is the same where its utterances have the same names and lengths.
    """
    first, *others = runs
    shared: list[str] = []
    other: list[str] = []
    for name, counts in first.sets.items():
        found = [run.sets.get(name) for run in others]
        if None in found:
            continue
        same = all(
            one is not None
            and one.names == counts.names
            and np.array_equal(one.tokens, counts.tokens)
            for one in found
        )
        (shared if same else other).append(name)
    return shared, other


def rate(run: ScoredRun, system: str, sets: Sequence[str]) -> Rate | None:
    """Return the mean error rate of a system over sets; None where one has no score."""
    if any((system, name) not in run.counts for name in sets):
        return None
    return _sample([(run, system)], sets).rate("0")


def difference(
    run: ScoredRun, first: ScoredRun, system: str, sets: Sequence[str]
) -> Rate | None:
    """Return by how many points a system is worse than that of the first run."""
    both = [(run, system), (first, system)]
    if any((system, name) not in one.counts for one, _ in both for name in sets):
        return None
    return _sample(both, sets).difference("0", "1")


def _sample(columns: Sequence[tuple[ScoredRun, str]], sets: Sequence[str]) -> Sample:
    counted = {}
    for name in sets:
        counts = [run.counts[system, name] for run, system in columns]
        errors = np.column_stack([one.errors for one in counts])
        counted[name] = Counted(np.asarray(counts[0].tokens), errors)
    return Sample([str(number) for number in range(len(columns))], counted)


def _read(name: str, place: Path) -> ScoredRun:
    paths = sorted(place.glob(f"*/inference_*/*/{SCORE_JSON}"))
    if not paths:
        raise InputError(
            f"{place}: a run must hold <system>/inference_<mode>/<set>/{SCORE_JSON}; it"
            " holds none: name an expdir, decoded and scored."
        )
    several = Counter(mode.parent.name for mode in {path.parents[1] for path in paths})

    def system_of(mode: Path) -> str:
        system = mode.parent.name
        how = mode.name.removeprefix("inference_")
        return f"{system} ({how})" if several[system] > 1 else system

    scores, counts = {}, {}
    for path in paths:
        key = system_of(path.parents[1]), path.parent.name
        scores[key] = read_score(path)
        counts[key] = read_utterance_counts(path, scores[key])
    return ScoredRun(name, place, scores, counts)


def metric_of(run: ScoredRun, name: str) -> str:
    """Return the error rate of a set: ``WER`` or ``CER``."""
    score = next(score for (_, other), score in run.scores.items() if other == name)
    return error_rate(score).upper()
