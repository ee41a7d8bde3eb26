"""Errors of several systems on the same utterances, for significance tests."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from espnet_merge.errors import InputError
from espnet_merge.score.bootstrap import Counts, Rates, rates_of
from espnet_merge.score.evaluate import aligned, main_metric
from espnet_merge.score.identification import check_named
from espnet_merge.score.mapsswe import Slots, errors_by_slot
from espnet_merge.score.utterances import (
    ScoredUtterance,
    normalized,
    read_decoded,
    read_utterances,
)
from espnet_merge.speech import TRANSCRIBE


@dataclass(frozen=True, kw_only=True)
class Part:
    """A set, or one language and task of it, as decoded by several systems.

    Attributes:
        name: of the set; with language and task if the set has several.
        metric: ``wer``, ``cer``, or ``language`` for wrongly identified languages.
        tokens: number of reference tokens of each unit (an utterance or a speaker).
        errors: number of errors of each unit (row) and system (column).
        slots: errors by slot of each system, all utterances in a row.
        lengths: number of slots of each utterance.
    """

    name: str
    metric: str
    tokens: Counts
    errors: Counts
    slots: Sequence[Slots] = ()
    lengths: Slots | None = None

    def values(self) -> Rates:
        """Return the systems' error rates of the whole set."""
        return rates_of(self.errors, self.tokens)

    def influences(self) -> Rates:
        r"""Return what each unit (column) adds to each system's rate (row).

        .. math:: x_i = \frac{100\,e_i - W w_i}{\sum_j w_j}

        for :math:`e_i` errors in :math:`w_i` tokens and the rate W of the whole set.
        """
        excess: Rates = 100 * self.errors - self.tokens[:, None] * self.values()
        return excess.T / self.tokens.sum()


def read_parts(
    reference: Path,
    hypotheses: Sequence[Path],
    normalizer: str,
    metric: str | None = None,
    *,
    by_speaker: bool = False,
) -> list[Part]:
    """Align a set's hypotheses, utterances sorted by name, and count their errors.

    Args:
        reference: Kaldi data directory.
        hypotheses: one directory for each system, with ``text``.
        normalizer: name of the normaliser.
        metric: ``wer`` or ``cer``; None for the one that fits the language.
        by_speaker: the unit is the speaker, for sets with few speakers.

    Returns:
        One part for each language and task in the set, and one for language
        identification if the models identified the languages.

    Raises:
        InputError: a file is missing or broken, ids differ, a part has no text, or
            languages were given to one system and found by another.
    """
    identified = [read_decoded(path).languages for path in hypotheses]
    slots: dict[str, list[tuple[Slots, Slots]]] = defaultdict(list)
    # The texts of one system at a time, so that memory does not grow with systems.
    for path in hypotheses:
        read = read_sorted(reference, path, normalizer)
        for name, utterances in by_task(reference, read):
            unit = metric or main_metric({utterances[0].language: 1})
            found = (errors_by_slot(pairs) for _, pairs in aligned(utterances, unit))
            slots[name].append(_flat(found))
    parts = []
    for name, utterances in by_task(reference, read):
        unit = metric or main_metric({utterances[0].language: 1})
        parts.append(_part(name, unit, utterances, slots[name], by_speaker))
    return parts + _identification(reference, hypotheses, identified, read, by_speaker)


def read_sorted(
    reference: Path, hypothesis: Path, normalizer: str
) -> list[ScoredUtterance]:
    """Return a set's utterances as a system recognised them, sorted by name.

    Raises:
        InputError: a file is missing or broken, ids differ, or the set is empty.
    """
    read = sorted(normalized(read_utterances(reference, hypothesis), normalizer))
    if not read:
        raise InputError(f"{reference}: a set must have utterances; it has none.")
    return read


def by_task(
    reference: Path, utterances: Iterable[ScoredUtterance]
) -> Iterator[tuple[str, list[ScoredUtterance]]]:
    """Yield name and utterances of every language and task in a set."""
    members: dict[tuple[str, str], list[ScoredUtterance]] = defaultdict(list)
    for utterance in utterances:
        members[utterance.spoken, utterance.task].append(utterance)
    for (spoken, task), own in sorted(members.items()):
        name = reference.absolute().name
        if len(members) > 1:
            name += f"/{spoken}" + (f"-{task}" if task != TRANSCRIBE else "")
        yield name, own


def _identification(
    reference: Path,
    hypotheses: Sequence[Path],
    identified: Sequence[Mapping[str, str]],
    utterances: Sequence[ScoredUtterance],
    by_speaker: bool,
) -> list[Part]:
    if not any(identified):
        return []
    for path, languages in zip(hypotheses, identified, strict=True):
        check_named(path, utterances, languages)
    # Each utterance counts as one token, which is right or wrong.
    slots = [
        _flat([0, int(languages[u.name] != u.spoken), 0] for u in utterances)
        for languages in identified
    ]
    name = reference.absolute().name
    return [_part(name, "language", utterances, slots, by_speaker)]


def _flat(utterances: Iterable[Sequence[int]]) -> tuple[Slots, Slots]:
    """Return the slots of all utterances in a row, and the number of each."""
    slots, lengths = array("i"), array("i")
    for own in utterances:
        slots.extend(own)
        lengths.append(len(own))
    return np.array(slots), np.array(lengths)


def _part(
    name: str,
    metric: str,
    utterances: Sequence[ScoredUtterance],
    systems: Sequence[tuple[Slots, Slots]],
    by_speaker: bool,
) -> Part:
    part = part_of(name, metric, systems)
    if not by_speaker:
        return part
    sums = sum_by_speaker(np.column_stack([part.tokens, part.errors]), utterances)
    return replace(part, tokens=sums[:, 0], errors=sums[:, 1:])


def part_of(name: str, metric: str, systems: Sequence[tuple[Slots, Slots]]) -> Part:
    """Return the errors of each utterance, the unit, from those of its slots.

    Args:
        name: of the part.
        metric: that was counted.
        systems: errors by slot, and the number of each utterance's slots; the latter
            are the same for all systems.

    Raises:
        InputError: no reference has text.
    """
    slots, (lengths, *_) = zip(*systems, strict=True)
    starts = np.cumsum(lengths) - lengths
    errors = np.column_stack([np.add.reduceat(own, starts) for own in slots])
    tokens = lengths // 2
    if not tokens.any():
        raise InputError(
            f"{name}: some reference must have text; all {len(lengths)} are empty "
            "once normalized: take another --normalizer or correct the text."
        )
    return Part(
        name=name,
        metric=metric,
        tokens=tokens,
        errors=errors,
        slots=slots,
        lengths=lengths,
    )


def sum_by_speaker[Number: np.number](
    counts: NDArray[Number], utterances: Sequence[ScoredUtterance]
) -> NDArray[Number]:
    """Return the counts of every speaker (row), sorted by name.

    Args:
        counts: one row for each utterance.
        utterances: in the same order.
    """
    speakers = [utterance.speaker for utterance in utterances]
    names, owner = np.unique(speakers, return_inverse=True)
    sums = np.zeros((len(names), counts.shape[1]), counts.dtype)
    np.add.at(sums, owner, counts)
    return sums
