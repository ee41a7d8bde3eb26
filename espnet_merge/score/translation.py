"""Differences of BLEU or chrF between systems, tested as sacreBLEU tests them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from espnet_merge.score.bootstrap import draw, interval
from espnet_merge.score.compare import Difference, corrected
from espnet_merge.score.design import Design
from espnet_merge.score.evaluate import corpus_scorer
from espnet_merge.score.parts import by_task, read_sorted, sum_by_speaker
from espnet_merge.score.permutation import CHUNK
from espnet_merge.score.utterances import ScoredUtterance

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

# Number of utterances whose n-grams are in memory at once.
BATCH = 1000

# Counts of n-grams and lengths of each unit (row); the values are whole numbers.
type Statistics = NDArray[np.float64]
type Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Translations:
    """A set, or one language and task of it, as translated by several systems.

    Attributes:
        name: of the set; with language and task if the set has several.
        metric: ``bleu`` or ``chrf``; higher is better.
        statistics: of each system; a unit is an utterance or a speaker.
        scorer: sacreBLEU's metric, which computes a score from summed statistics.
    """

    name: str
    metric: str
    statistics: Sequence[Statistics]
    scorer: "Metric"

    def score(self, sums: Statistics) -> Scores:
        """Return the score of each row of sums."""
        # sacreBLEU's own paired tests call this method; it has no public name.
        score = self.scorer._compute_score_from_stats
        return np.array([score(row).score for row in sums.tolist()])

    def values(self) -> Scores:
        """Return the systems' scores of the whole set."""
        return self.score(np.array([own.sum(axis=0) for own in self.statistics]))

    def influences(self) -> Scores:
        r"""Return what each unit (column) adds to each system's score (row).

        .. math:: x_i = \frac{n - 1}{n} \Big(\overline{W_{(\cdot)}} - W_{(i)}\Big)

        for the score :math:`W_{(i)}` of the set without unit i.

        Source: the jackknife of Tukey; Efron and Stein, *The Jackknife Estimate of
        Variance*, Annals of Statistics 9, 1981.
        """
        left = np.array([self.score(x.sum(axis=0) - x) for x in self.statistics])
        units = left.shape[1]
        shifts: Scores = (units - 1) / units * (left.mean(axis=1, keepdims=True) - left)
        return shifts

    def resampled(self, resamples: int, seed: int | Sequence[int] = 0) -> Scores:
        """Return the systems' scores (column) in sets drawn with replacement (row).

        All systems are scored on the same draws, those of sacreBLEU's paired
        bootstrap with the same seed.

        Source: Koehn, *Statistical Significance Tests for Machine Translation
        Evaluation*, EMNLP 2004.
        """
        generator = np.random.default_rng(seed)
        together = np.hstack(self.statistics)
        sums = [draw(len(together), generator) @ together for _ in range(resamples)]
        systems = np.split(np.array(sums), len(self.statistics), axis=1)
        return np.column_stack([self.score(own) for own in systems])

    def swapped(
        self, a: int, b: int, resamples: int, seed: int | Sequence[int] = 0
    ) -> Scores:
        """Return b's score minus a's, with both swapped in random units.

        The swaps equal those of sacreBLEU's paired approximate randomization with the
        same seed, as long as all fit into one chunk.

        Source: Riezler and Maxwell, *On Some Pitfalls in Automatic Evaluation and
        Significance Testing for MT*, 2005.
        """
        generator = np.random.default_rng(seed)
        first, second = self.statistics[a], self.statistics[b]
        rows = max(1, CHUNK // len(first))
        differences = []
        for done in range(0, resamples, rows):
            size = min(rows, resamples - done), len(first)
            stay = generator.integers(2, size=size, dtype=bool)
            moved = stay @ (second - first)
            one, two = second.sum(axis=0) - moved, first.sum(axis=0) + moved
            differences.append(self.score(two) - self.score(one))
        return np.concatenate(differences)


def read_translations(
    reference: Path,
    hypotheses: Sequence[Path],
    normalizer: str,
    metric: str,
    *,
    by_speaker: bool = False,
) -> list[Translations]:
    """Return the sufficient statistics of BLEU or chrF, utterances sorted by name.

    Args:
        reference: Kaldi data directory.
        hypotheses: one directory for each system, with ``text``.
        normalizer: name of the normaliser.
        metric: ``bleu`` or ``chrf``.
        by_speaker: the unit is the speaker.

    Returns:
        One element for each language and task in the set.

    Raises:
        InputError: a file is missing or broken, or ids differ.
    """
    scorers: dict[str, Metric] = {}
    statistics: dict[str, list[Statistics]] = defaultdict(list)
    for path in hypotheses:
        for name, utterances in by_task(
            reference, read_sorted(reference, path, normalizer)
        ):
            scorer = scorers.setdefault(name, corpus_scorer(utterances, metric))
            own = np.concatenate(list(count(utterances, scorer)))
            statistics[name].append(
                sum_by_speaker(own, utterances) if by_speaker else own
            )
    return [
        Translations(
            name=name, metric=metric, statistics=statistics[name], scorer=scorer
        )
        for name, scorer in scorers.items()
    ]


def count(
    utterances: Sequence[ScoredUtterance], scorer: "Metric"
) -> Iterator[Statistics]:
    """Yield the statistics batch by batch, so that memory stays small."""
    # As in sacreBLEU's own paired tests; it has no public name.
    count = scorer._extract_corpus_statistics
    for some in batched(utterances, BATCH):
        references = [utterance.reference for utterance in some]
        hypotheses = [utterance.hypothesis for utterance in some]
        yield np.array(count(hypotheses, [references]), float)


def score_differences(
    parts: Sequence[Translations],
    drawn: Sequence[Scores],
    a: int,
    b: int,
    design: Design,
) -> list[Difference]:
    r"""Return the tested difference of each part, and of the mean of several.

    .. math:: p = \frac{1 + \#\{r : |\Delta_r| \ge |\Delta|\}}{1 + B}, \qquad
              p_{\mathrm{bootstrap}} = \frac{1 + \#\{r : |\Delta_r^*| -
              \overline{|\Delta^*|} \ge |\Delta|\}}{1 + B}

    over B sets with the systems swapped in random units (:math:`\Delta_r`), or with
    units drawn with replacement (:math:`\Delta_r^*`). Holm's correction over the parts
    is applied to both; the mean is a test of its own.

    Source: sacreBLEU 2.6, ``--paired-ar`` and ``--paired-bs``.

    Departures from it: a difference equal to the observed one counts as reaching it, so
    that equal systems have a p of 1 (sacreBLEU: 1 / (1 + B)).

    Args:
        parts: of all sets.
        drawn: what :meth:`Translations.resampled` returned for each.
        a: column of the first system.
        b: column of the second.
        design: how to test; always two-sided.
    """
    swapped = [
        part.swapped(a, b, design.resamples, design.seeds(part.name, part.metric))
        for part in parts
    ]
    rows = [
        score_difference([part], [scores], [swaps], a, b, design)
        for part, scores, swaps in zip(parts, drawn, swapped, strict=True)
    ]
    tested = corrected(rows)
    if len(parts) > 1:
        tested.append(score_difference(parts, drawn, swapped, a, b, design))
    return tested


def score_difference(
    parts: Sequence[Translations],
    drawn: Sequence[Scores],
    swapped: Sequence[Scores],
    a: int,
    b: int,
    design: Design,
) -> Difference:
    """Return the difference of the parts' mean scores, tested as above, uncorrected.

    Args:
        parts: one part, or those to average over.
        drawn: what :meth:`Translations.resampled` returned for each.
        swapped: what :meth:`Translations.swapped` returned for each.
        a: column of the first system.
        b: column of the second.
        design: how to test.
    """
    scores = np.mean([part.values() for part in parts], axis=0)
    points = float(scores[b] - scores[a])
    redrawn = np.mean([own[:, b] - own[:, a] for own in drawn], axis=0)
    sizes = np.abs(redrawn)
    low, high, _ = interval(redrawn, design.alpha)
    alone = parts[0] if len(parts) == 1 else None
    return Difference(
        name=alone.name if alone else "mean",
        metric=parts[0].metric,
        units=sum(len(part.statistics[0]) for part in parts),
        a=float(scores[a]),
        b=float(scores[b]),
        points=points,
        low=low,
        high=high,
        improved=float(np.mean(redrawn > 0)),
        p=_p_value(np.abs(np.mean(swapped, axis=0)), points),
        p_bootstrap=_p_value(sizes - sizes.mean(), points),
    )


def _p_value(sizes: Scores, points: float) -> float:
    # Scores that are equal on paper may differ in their last bits.
    reached = np.count_nonzero(sizes >= abs(points) - 1e-9)
    return float(1 + reached) / (1 + len(sizes))
