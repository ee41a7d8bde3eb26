"""The scores of all systems in one decoding mode, checked to be comparable."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from espnet_merge.errors import InputError
from espnet_merge.files import SCORE_JSON
from espnet_merge.report.grid import Grid
from espnet_merge.report.modes import SETTINGS, compared_settings, paddings_by_system
from espnet_merge.report.performance import difference, gap_closed, mean, relative
from espnet_merge.report.plan import (
    FULL,
    IN_DOMAIN,
    OTHER,
    OUT_OF_DOMAIN,
    Plan,
    language_of,
)
from espnet_merge.report.scores import (
    UtteranceCounts,
    error_rate,
    language_accuracy,
    read_score,
    read_utterance_counts,
)
from espnet_merge.score.evaluate import headline
from espnet_merge.score.parts import Part


@dataclass(frozen=True)
class Results:
    """Scores of one decoding mode.

    Attributes:
        plan: systems and sets.
        mode: name of the decoding mode.
        base_mode: name of the base's; untrained, it may need padding.
        scores: (system, set) -> content of ``score.json``.
        utterances: (system, set) -> counts of each utterance.
    """

    plan: Plan
    mode: str
    base_mode: str
    scores: Mapping[tuple[str, str], Mapping[str, Any]]
    utterances: Mapping[tuple[str, str], UtteranceCounts]

    @property
    def normalizer(self) -> str:
        """Name of the normaliser, the same in all scores."""
        return str(next(iter(self.scores.values()))["normalizer"])

    def mode_of(self, system: str) -> str:
        """Return the name of the system's mode; the base may have its own."""
        return self.base_mode if system == self.plan.base else self.mode

    def settings(self, *, base: bool = False) -> Mapping[str, Any]:
        """Return the settings of decoding that change the hypotheses.

        They are the same in all scores, except that the base may have its own mode and
        each system the padding of its training.
        """
        mode = self.first_mode(self.plan.base if base else None)
        return {key: mode[key] for key in SETTINGS if key in mode}

    def first_mode(self, system: str | None) -> Mapping[str, Any]:
        """Return the mode in the first score, with which a system's must agree.

        If the base has its own mode, its scores are compared among themselves.
        """
        is_base = system == self.plan.base
        separate = self.base_mode != self.mode
        modes = (
            score["mode"]
            for (other, _), score in self.scores.items()
            if not separate or (other == self.plan.base) is is_base
        )
        return next(modes, {})

    @cached_property
    def paddings(self) -> Mapping[str, str]:
        """System -> its padding in words; empty if all systems have the same.

        A system without a score is left out.
        """
        return paddings_by_system(
            (name, score["mode"]) for (name, _), score in self.scores.items()
        )

    @property
    def base_model(self) -> Path | None:
        """Directory of the base that was decoded, if its scores record it."""
        modes = (s["mode"] for (n, _), s in self.scores.items() if n == self.plan.base)
        path = next((mode["model"] for mode in modes if "model" in mode), None)
        return None if path is None else Path(path)

    @property
    def missing(self) -> list[str]:
        """The pairs ``system/set`` without a score."""
        wanted = ((s, name) for s in self.plan.kinds for name in self.plan.sets)
        return ["/".join(pair) for pair in wanted if pair not in self.scores]

    def set_info(self, name: str) -> Mapping[str, Any] | None:
        """Return any system's score of the set; the size of the set is in all."""
        return next((s for (_, n), s in self.scores.items() if n == name), None)

    def reference(self, name: str) -> Path | None:
        """Return the data directory that a set was scored against, if recorded."""
        score = self.set_info(name)
        return Path(score["reference"]) if score and "reference" in score else None

    def texts(self, name: str, expdir: Path) -> dict[str, Path]:
        """Return system -> decoding directory of a set, for systems with a ``text``."""
        folders = {
            system: expdir / system / f"inference_{self.mode_of(system)}" / name
            for system in self.plan.kinds
        }
        return {s: path for s, path in folders.items() if (path / "text").is_file()}

    def metric_of(self, name: str) -> str:
        """Return the main metric of a set: ``wer``, ``cer`` or ``bleu``."""
        score = self.set_info(name)
        return str(score["main"]) if score else "wer"

    def error_rate_of(self, name: str) -> str:
        """Return the error rate of a set's alignments: ``wer`` or ``cer``."""
        score = self.set_info(name)
        return error_rate(score) if score else "wer"

    @property
    def metric_name(self) -> str:
        """``WER``, ``CER`` or ``BLEU``; ``error rate`` if sets have different ones."""
        names = {self.metric_of(name).upper() for name in self.plan.sets}
        return names.pop() if len(names) == 1 else "error rate"

    def counts(
        self, system: str, name: str, reading: str, metric: str | None = None
    ) -> Mapping[str, Any] | None:
        """Return the counts and the rate, or the score, of a system on a set."""
        score = self.scores.get((system, name))
        if score is None:
            return None
        counts: Mapping[str, Any] = score["metrics"][metric or score["main"]][reading]
        return counts

    def rate(
        self,
        system: str,
        name: str,
        reading: str = "normalized",
        metric: str | None = None,
    ) -> float | None:
        """Return an error rate in percent, or BLEU or chrF; None without a score."""
        counts = self.counts(system, name, reading, metric)
        return None if counts is None else headline(counts)

    def worst(self, name: str, limit: int) -> list[str]:
        """Return the utterances of a set with the most errors of all systems together.

        Args:
            name: name of a set with a score.
            limit: number of utterances, at most.
        """
        systems = [u for (_, scored), u in self.utterances.items() if scored == name]
        errors = np.sum([counts.errors for counts in systems], axis=0)
        order = np.argsort(-errors, kind="stable")[:limit]
        return [systems[0].names[index] for index in order]

    def part(self, name: str, systems: Sequence[str]) -> Part:
        """Return the errors of systems that all have a score on a set."""
        columns = [self.utterances[system, name] for system in systems]
        return Part(
            name=name,
            metric=self.error_rate_of(name),
            tokens=columns[0].tokens,
            errors=np.column_stack([counts.errors for counts in columns]),
        )

    def rates(self, reading: str = "normalized", metric: str | None = None) -> Grid:
        """Return the error rates or scores, and their macro averages."""
        return self._grid(lambda s, n: self.rate(s, n, reading, metric))

    def differences(self, reading: str = "normalized", base: str | None = None) -> Grid:
        """Return each system's error rate or score minus that of a base, in points."""
        base = base or self.plan.base
        return self._grid(
            lambda s, n: difference(
                self.rate(s, n, reading), self.rate(base, n, reading)
            )
        )

    def relative(self) -> Grid:
        """Return the normalised performance relative to the experts, in percent."""

        def cell(system: str, name: str) -> float | None:
            expert = self._expert_rate(name)
            return _percent(relative(self.rate(system, name), expert))

        return self._grid(cell, [IN_DOMAIN])

    def gap_closed(self) -> Grid:
        """Return the fraction of the gap from base to expert, in percent."""

        def cell(system: str, name: str) -> float | None:
            base, expert = self.rate(self.plan.base, name), self._expert_rate(name)
            return _percent(gap_closed(self.rate(system, name), expert, base))

        return self._grid(cell, [IN_DOMAIN])

    def language_accuracy(self) -> Grid:
        """Return the percentage of utterances with a correctly identified language."""

        def cell(system: str, name: str) -> float | None:
            return language_accuracy(self.scores.get((system, name), {}))

        return self._grid(cell)

    def label(self, name: str) -> str:
        """Return the language if it has only one set, else the set's name."""
        language = language_of(name)
        only = sum(language_of(other) == language for other in self.plan.sets) == 1
        label = language if only else name
        mixed = self.metric_name == "error rate"
        return f"{label} ({self.metric_of(name).upper()})" if mixed else label

    def _expert_rate(self, name: str) -> float | None:
        expert = self.plan.expert_for(name)
        return None if expert is None else self.rate(expert, name)

    def _grid(
        self,
        cell: Callable[[str, str], float | None],
        averages: Iterable[str] = (IN_DOMAIN, OUT_OF_DOMAIN, FULL, OTHER),
    ) -> Grid:
        columns: list[str] = []
        rows: dict[str, list[float | None]] = {name: [] for name in self.plan.kinds}
        for average in averages:
            sets = self.plan.averages.get(average, [])
            if not sets:
                continue
            new = [name for name in sets if self.label(name) not in columns]
            columns += [*map(self.label, new), average]
            for system, row in rows.items():
                row += [cell(system, name) for name in new]
                row.append(mean([cell(system, name) for name in sets]))
        return Grid(columns, rows)


def read_results(
    expdir: Path, plan: Plan, mode: str, base_mode: str | None = None
) -> Results:
    """Read ``<system>/inference_<mode>/<set>/score.json`` of every system and set.

    Args:
        expdir: directory of the systems.
        plan: systems and sets.
        mode: name of the decoding mode.
        base_mode: name of the base's, if it has its own.

    Raises:
        InputError: there is no score, one is broken or made by rules of another
            version, or two have other normalisers, decoding settings or references.
    """
    base_mode = base_mode or mode
    scores, utterances = {}, {}
    # A directory of a routed system may be a link to that of an expert or the base.
    places: dict[Path, tuple[str, str]] = {}
    for system in plan.kinds:
        own_mode = base_mode if system == plan.base else mode
        for name in plan.sets:
            path = expdir / system / f"inference_{own_mode}" / name / SCORE_JSON
            if path.exists():
                score = scores[system, name] = read_score(path)
                utterances[system, name] = read_utterance_counts(path, score)
                places.setdefault(path.resolve(), (system, name))
    if not scores:
        raise InputError(
            f"{expdir}: at least one <system>/inference_{mode}/<set>/score.json is "
            "needed; there is none: decode and score first."
        )
    results = Results(plan, mode, base_mode, scores, utterances)
    for system, name in places.values():
        _check_same(results, system, name, scores[system, name])
    return results


def by_task(results: Results) -> tuple[Results, Results]:
    """Return the results of the transcribed and of the translated sets.

    No table has both: less is better for transcripts, more for translations.
    """
    translated = [n for n in results.plan.sets if results.metric_of(n) == "bleu"]
    transcribed = [n for n in results.plan.sets if n not in translated]
    return _of_sets(results, transcribed), _of_sets(results, translated)


def _of_sets(results: Results, sets: Sequence[str]) -> Results:
    return replace(
        results,
        plan=results.plan.only(sets),
        scores={key: s for key, s in results.scores.items() if key[1] in sets},
        utterances={key: u for key, u in results.utterances.items() if key[1] in sets},
    )


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _check_same(
    results: Results, system: str, name: str, score: Mapping[str, Any]
) -> None:
    first = results.set_info(name)
    assert first is not None
    mode = results.first_mode(system)
    words = [s["metrics"]["wer"]["raw"]["reference"] for s in (first, score)]
    facts: list[tuple[str, Any, Any]] = [
        ("normalizer", results.normalizer, score["normalizer"]),
        *(
            (key, mode.get(key), score["mode"].get(key))
            for key in compared_settings(mode, score["mode"])
        ),
        ("utterances", first["utterances"], score["utterances"]),
        ("words", *words),
    ]
    first_counts = next(u for (_, n), u in results.utterances.items() if n == name)
    both = (first_counts, results.utterances[system, name])
    lengths = (zip(u.names, u.tokens.tolist(), strict=True) for u in both)
    facts += [
        ("each utterance's tokens", expected, found)
        for expected, found in zip_longest(*lengths)
    ]
    for fact, expected, found in facts:
        if found != expected:
            raise InputError(
                f"{system} on {name}, {results.mode}: {fact} must be that of the "
                f"other systems, {expected!r}; got {found!r}: decode and score again."
            )
