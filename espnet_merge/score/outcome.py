"""What one system made of each utterance of a set, as far as its score needs it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from espnet_merge.score.evaluate import aligned, corpus_scorer, main_reading
from espnet_merge.score.mapsswe import Slots, errors_by_slot
from espnet_merge.score.parts import Part, part_of, read_sorted
from espnet_merge.score.translation import Statistics, Translations, count
from espnet_merge.score.utterances import ScoredUtterance

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

# BLEU counts n-grams up to this length.
NGRAMS = 4

type Rows = Sequence[Sequence[int]]
# Lengths of the references, and a row for each utterance.
type Counted = tuple[Sequence[int], Rows]


@dataclass(frozen=True)
class Outcome:
    """What one system made of each utterance of a set, sorted by name.

    Attributes:
        metric: ``wer``, ``cer`` or ``bleu``.
        digest: of names, references and the rules of counting; the same for all systems
            on one set.
        lengths: tokens in the reference of each utterance.
        rows: numbers of each utterance. For error rates, the slots of the errors
            (``errors_by_slot``), each as its distance from the one before, the first
            from 0. For BLEU, tokens in the hypothesis and those of its n-grams, n from
            1 to 4, that the reference has.
    """

    metric: str
    digest: str
    lengths: Sequence[int]
    rows: Rows

    @cached_property
    def value(self) -> float:
        """The error rate of the set in percent, or its BLEU."""
        return float(together("", [self]).values()[0])

    @cached_property
    def slots(self) -> tuple[Slots, Slots]:
        """Errors by slot, all utterances in a row, and the number of each one's."""
        counts = 2 * np.array(self.lengths) + 1
        slots = np.zeros(counts.sum(), int)
        for start, row in zip(np.cumsum(counts) - counts, self.rows, strict=True):
            np.add.at(slots, start + np.cumsum(row, dtype=int), 1)
        return slots, counts

    @cached_property
    def statistics(self) -> Statistics:
        """Of each utterance what sacreBLEU computes BLEU from."""
        rows = np.array(self.rows, float)
        lengths = rows[:, :1]
        totals = np.maximum(lengths - np.arange(NGRAMS), 0)
        return np.column_stack([lengths, self.lengths, rows[:, 1:], totals])


def read_outcome(
    reference: Path, hypothesis: Path, normalizer: str, metric: str
) -> Outcome:
    """Count what a score is made of, in each utterance.

    Args:
        reference: Kaldi data directory.
        hypothesis: directory with ``text``.
        normalizer: of error rates; BLEU is of raw text.
        metric: ``wer``, ``cer`` or ``bleu``.

    Raises:
        InputError: a file is missing or broken, or ids differ.
    """
    rule = "none" if main_reading(metric) == "raw" else normalizer
    utterances = read_sorted(reference, hypothesis, rule)
    if metric == "bleu":
        scorer = corpus_scorer(utterances, metric)
        lengths, rows = _ngrams(utterances, scorer)
        rules = str(scorer.get_signature())
    else:
        rules = metric
        lengths, rows = _errors(utterances, metric)
    lines = [rules, *("\t".join((u.name, u.spoken, u.reference)) for u in utterances)]
    # Half of the digest is enough to tell sets apart.
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
    return Outcome(metric, digest, lengths, rows)


def together(name: str, outcomes: Sequence[Outcome]) -> Part | Translations:
    """Return the outcomes of one set side by side, for tests.

    Args:
        name: of the set.
        outcomes: of each system, of one digest.
    """
    metric = outcomes[0].metric
    if metric != "bleu":
        return part_of(name, metric, [outcome.slots for outcome in outcomes])
    from sacrebleu.metrics import BLEU

    # Whatever the tokeniser was: it is not asked again.
    statistics = [outcome.statistics for outcome in outcomes]
    return Translations(name=name, metric=metric, statistics=statistics, scorer=BLEU())


def _errors(utterances: Sequence[ScoredUtterance], metric: str) -> Counted:
    lengths, rows = [], []
    for _, pairs in aligned(utterances, metric):
        errors = errors_by_slot(pairs)
        lengths.append(len(errors) // 2)
        rows.append(np.diff(np.repeat(range(len(errors)), errors), prepend=0).tolist())
    return lengths, rows


def _ngrams(utterances: Sequence[ScoredUtterance], scorer: "Metric") -> Counted:
    counts = np.concatenate(list(count(utterances, scorer))).astype(int)
    lengths, references, *ngrams = counts[:, : 2 + NGRAMS].T
    return references.tolist(), np.column_stack([lengths, *ngrams]).tolist()
