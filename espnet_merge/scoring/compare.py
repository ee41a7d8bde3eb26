"""Tested differences between two systems: on a set, and in the mean over sets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from espnet_merge.scoring.bootstrap import (
    Rates,
    interval,
    rates_of,
)
from espnet_merge.scoring.design import Design
from espnet_merge.scoring.holm import holm
from espnet_merge.scoring.mapsswe import mapsswe
from espnet_merge.scoring.parts import Part
from espnet_merge.scoring.permutation import permutation_test, shares


@dataclass(frozen=True, kw_only=True)
class Difference:
    """System b against system a, in percent and percentage points.

    Of error rates less is better, of BLEU and chrF more.

    Attributes:
        name: of the part, or ``mean``.
        metric: of the part, or ``macro`` for a mean of error rates.
        units: utterances or speakers.
        a: the first system's error rate or score.
        b: the second's.
        points: b less a.
        low: lower end of the bootstrap interval of the points.
        high: its upper end.
        improved: share of the resamples in which b is better.
        p: of the permutation test; of a part by Holm's correction over all parts.
        p_mapsswe: of MAPSSWE, corrected likewise; None for a mean over sets.
        segments: of MAPSSWE.
        p_bootstrap: of the paired bootstrap, corrected likewise; of BLEU and chrF.
    """

    name: str
    metric: str
    units: int
    a: float
    b: float
    points: float
    low: float
    high: float
    improved: float
    p: float
    p_mapsswe: float | None = None
    segments: int | None = None
    p_bootstrap: float | None = None


# Attributes that Holm's correction is of, each by itself.
P_VALUES = ("p", "p_bootstrap")


def p_value(parts: Sequence[Part], a: int, b: int, design: Design) -> float:
    """Return the p of the difference of the parts' mean rates, by permutation.

    Args:
        parts: one, or those to average over; each is swapped by itself.
        a: column of the first system.
        b: column of the second.
        design: how to test.
    """
    points = [
        shares(part.errors[:, a], part.errors[:, b], part.tokens, design.margin)
        for part in parts
    ]
    return permutation_test(
        np.concatenate(points) / len(parts),
        design.sides,
        design.resamples,
        design.seed,
    )


def difference(
    parts: Sequence[Part], drawn: Sequence[Rates], a: int, b: int, design: Design
) -> Difference:
    r"""Return the difference of the parts' mean rates: a set's own if there is one.

    .. math:: \Delta = \frac{1}{K} \sum_{k=1}^{K} (W_{bk} - W_{ak})

    Sets are drawn, and swapped, apart from each other: the question is how the systems
    differ on more speech of these K sets, not on other sets.

    Args:
        parts: one, or those to average over.
        drawn: what :meth:`Design.draw` makes of each.
        a: column of the first system.
        b: column of the second.
        design: how to test.
    """
    rates = np.mean([rates_of(part.errors, part.tokens) for part in parts], axis=0)
    resampled = np.mean(drawn, axis=0)
    bounds = interval(resampled[:, b] - resampled[:, a], design.alpha)
    alone = parts[0] if len(parts) == 1 else None
    return Difference(
        name=alone.name if alone else "mean",
        metric=alone.metric if alone else "macro",
        units=sum(len(part.tokens) for part in parts),
        a=float(rates[a]),
        b=float(rates[b]),
        points=float(rates[b] - rates[a]),
        **bounds._asdict(),
        p=p_value(parts, a, b, design),
    )


def differences(
    parts: Sequence[Part], drawn: Sequence[Rates], a: int, b: int, design: Design
) -> list[Difference]:
    """Return the difference on each part, with p by Holm's correction over them.

    Args:
        parts: of all sets.
        drawn: what :meth:`Design.draw` makes of each.
        a: column of the first system.
        b: column of the second.
        design: how to test.
    """
    found = [
        difference([part], [rates], a, b, design)
        for part, rates in zip(parts, drawn, strict=True)
    ]
    return corrected(found)


def corrected(rows: Sequence[Difference]) -> list[Difference]:
    """Return differences with p, and the bootstrap's p, by Holm's correction over them.

    Args:
        rows: one a part, all or none of them with the bootstrap's p.
    """
    names = [n for n in P_VALUES if all(getattr(row, n) is not None for row in rows)]
    columns = [holm([getattr(row, name) for row in rows]) for name in names]
    return [
        replace(row, **dict(zip(names, values, strict=True)))
        for row, *values in zip(rows, *columns, strict=True)
    ]


def with_mapsswe(
    rows: Sequence[Difference], parts: Sequence[Part], a: int, b: int
) -> list[Difference]:
    """Return the rows of :func:`differences` with MAPSSWE, corrected in the same way.

    Args:
        rows: one a part.
        parts: with the systems' slots.
        a: column of the first system.
        b: column of the second.
    """
    tests = []
    for part in parts:
        assert part.lengths is not None
        tests.append(mapsswe(part.slots[a], part.slots[b], part.lengths))
    corrected = holm([test.p for test in tests])
    return [
        replace(row, p_mapsswe=p, segments=test.segments)
        for row, test, p in zip(rows, tests, corrected, strict=True)
    ]
