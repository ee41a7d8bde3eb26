"""Tested differences of two systems that were trained with several seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from espnet_merge.errors import InputError
from espnet_merge.score.compare import Difference, difference, p_value
from espnet_merge.score.crossed import crossed
from espnet_merge.score.design import Design
from espnet_merge.score.mapsswe import Mapsswe, mapsswe
from espnet_merge.score.parts import Part
from espnet_merge.score.permutation import Points
from espnet_merge.score.translation import Translations, score_difference


@dataclass(frozen=True, kw_only=True)
class Replicated:
    """The difference of system b from system a, in percent and percentage points.

    Attributes:
        seeds: with which both were trained.
        a: the first system's error rate or score, mean over seeds and sets.
        b: the second's.
        points: b minus a.
        low: lower end of the interval of ``points``.
        high: its upper end.
        p: p-value of "no difference on other utterances", and with several seeds of
            "nor with other seeds": :func:`crossed`, which the interval belongs to.
            With one seed it is ``p_models``, and the interval a bootstrap.
        p_models: p-value for these very models: permutation test that swaps them in
            utterances, each under all seeds at once.
    """

    seeds: int
    a: float
    b: float
    points: float
    low: float
    high: float
    p: float
    p_models: float


type Parts = Sequence[Part | Translations]


def replicated(parts: Parts, design: Design) -> Replicated:
    r"""Test the difference of two systems' means over sets and seeds.

    .. math:: \Delta = \frac{1}{S K} \sum_{s=1}^{S} \sum_{k=1}^{K} (W_{bsk} - W_{ask})

    for the error rate or BLEU :math:`W` on each of K sets with each of S seeds.

    Args:
        parts: one for each set. Of its 2 S columns the first half is system a's, with
            each seed; the second half is b's, with the same seeds in the same order.
        design: how to test; two-sided.

    Raises:
        InputError: with several seeds, a set has one utterance alone.
    """
    values = np.mean([part.values() for part in parts], axis=0)
    a, b = np.split(values, 2)
    if len(a) == 1:
        alone = _of_one_seed(parts, design)
        low, high, p, p_models = alone.low, alone.high, alone.p, alone.p
    else:
        influences = [_influences(part) / len(parts) for part in parts]
        _, low, high, p, _ = crossed(b - a, influences, design.alpha)
        p_models = p_of_models(parts, design)
    return Replicated(
        seeds=len(a),
        a=float(a.mean()),
        b=float(b.mean()),
        points=float((b - a).mean()),
        low=low,
        high=high,
        p=p,
        p_models=p_models,
    )


def p_of_models(parts: Parts, design: Design) -> float:
    """Return p of "swapping the systems in any utterance makes no difference".

    An utterance is swapped under all seeds at once: what makes it easy for a system
    does so whatever the seed, so its differences under several seeds are not
    exchangeable one by one. Each set is swapped on its own. About other seeds the test
    says nothing.

    Source: :func:`espnet_merge.score.permutation.permutation_test`, for BLEU
    :meth:`Translations.swapped`; the unit as in Noreen, *Computer-Intensive Methods for
    Testing Hypotheses*, 1989.

    Args:
        parts: as of :func:`replicated`.
        design: how to test.
    """
    rates, texts = _by_kind(parts)
    if rates:
        return p_value([block(part) for part in rates], 0, 1, design)
    swapped, points = [], 0.0
    for part in texts:
        seeds = len(part.statistics) // 2
        points += float(np.diff(part.values().reshape(2, -1).mean(axis=1))[0])
        # The same draws for each seed: the same utterances are swapped.
        draws = design.seeds(part.name, part.metric)
        swapped += [
            part.swapped(seed, seeds + seed, design.resamples, draws) / seeds
            for seed in range(seeds)
        ]
    # Scores that are equal on paper may differ in their last bits.
    reached = np.abs(np.sum(swapped, axis=0)) >= abs(points) - 1e-9
    return float(1 + reached.sum()) / (1 + len(reached))


def mapsswe_of_models(part: Part) -> Mapsswe:
    """Return the test of segments that end where all models have two tokens right.

    Args:
        part: as of :func:`replicated`, with slots.
    """
    whole = block(part)
    assert whole.lengths is not None
    return mapsswe(whole.slots[0], whole.slots[1], whole.lengths)


def block(part: Part) -> Part:
    """Return the errors of each system summed over its seeds.

    Args:
        part: as of :func:`replicated`.
    """
    seeds = part.errors.shape[1] // 2
    errors = part.errors.reshape(-1, 2, seeds).sum(axis=2)
    halves = part.slots[:seeds], part.slots[seeds:]
    return Part(
        name=part.name,
        metric=part.metric,
        tokens=seeds * part.tokens,
        errors=errors,
        slots=[np.sum(half, axis=0) for half in halves],
        lengths=part.lengths,
    )


def _of_one_seed(parts: Parts, design: Design) -> Difference:
    rates, texts = _by_kind(parts)
    if rates:
        return difference(rates, [design.draw(part) for part in rates], 0, 1, design)
    draws = [design.seeds(part.name, part.metric) for part in texts]
    both = list(zip(texts, draws, strict=True))
    drawn = [part.resampled(design.resamples, seed) for part, seed in both]
    swaps = [part.swapped(0, 1, design.resamples, seed) for part, seed in both]
    return score_difference(texts, drawn, swaps, 0, 1, design)


def _by_kind(parts: Parts) -> tuple[list[Part], list[Translations]]:
    """Return the parts of error rates and those of BLEU: all are of one kind."""
    return (
        [part for part in parts if isinstance(part, Part)],
        [part for part in parts if isinstance(part, Translations)],
    )


def _influences(part: Part | Translations) -> Points:
    a, b = np.split(part.influences(), 2)
    if a.shape[1] < 2:
        raise InputError(
            f"{part.name}: must have two utterances or more to test differences over "
            "seeds; has one: leave it out."
        )
    return b - a
