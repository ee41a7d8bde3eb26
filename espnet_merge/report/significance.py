"""Significance tests of the differences in a report."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from espnet_merge.report.results import Results
from espnet_merge.score.bootstrap import Rates
from espnet_merge.score.compare import (
    Difference,
    corrected,
    difference,
    p_value,
)
from espnet_merge.score.design import Design
from espnet_merge.score.holm import holm
from espnet_merge.score.parts import Part

DESIGN = Design()
GATE = replace(DESIGN, sides=1)

# System -> column -> its difference from the base.
type Tested = Mapping[str, Mapping[str, Difference]]
# Set -> system -> its error rate in each resample.
type Drawn = Mapping[str, Mapping[str, Rates]]


def mean_difference(
    results: Results, system: str, other: str, sets: Sequence[str]
) -> Difference:
    """Return the tested difference of two systems' macro averages."""
    parts = [results.part(name, (other, system)) for name in sets]
    return difference(parts, [DESIGN.draw(part) for part in parts], 0, 1, DESIGN)


def draw(results: Results) -> Drawn:
    """Return resampled error rates of all sets that have scores.

    All tests share the draws: fifty systems cost little more than two.
    """
    drawn = {}
    for name in results.plan.sets:
        scored = [x for x in results.plan.kinds if (x, name) in results.scores]
        if scored:
            rates = DESIGN.draw(results.part(name, scored))
            drawn[name] = dict(zip(scored, rates.T, strict=True))
    return drawn


def against_base(results: Results, drawn: Drawn) -> Tested:
    """Return the differences of all systems from the base, where both have scores.

    The p-values of sets are after Holm's correction over all sets of the system; those
    of macro averages are not corrected.
    """
    return {x: _of_system(results, x, drawn) for x in results.plan.kinds}


def by_column(
    results: Results, sets: Collection[str], test: Callable[..., Difference]
) -> dict[str, Difference]:
    """Return column -> difference, for sets and for averages over tested sets only.

    Args:
        results: results with the columns.
        sets: sets that can be tested; their p-values are after Holm's correction.
        test: takes the names of sets, and tests the mean over them.
    """
    # Cached, because an average of one set is the same test, without the correction.
    tested = cache(test)
    rows = corrected([tested(name) for name in sets])
    columns = dict(zip(map(results.label, sets), rows, strict=True))
    for average, members in results.plan.averages.items():
        if set(members) <= set(sets):
            columns[average] = tested(*members)
    return columns


def _of_system(results: Results, system: str, drawn: Drawn) -> dict[str, Difference]:
    """Return column -> difference of a system from the base."""
    parts = _parts_with_base(results, system)
    pairs = {
        name: np.column_stack([drawn[name][s] for s in (results.plan.base, system)])
        for name in parts
    }

    def test(*sets: str) -> Difference:
        chosen, rates = [parts[n] for n in sets], [pairs[n] for n in sets]
        return difference(chosen, rates, 0, 1, DESIGN)

    return by_column(results, parts, test)


def fallen(results: Results) -> dict[str, list[str]]:
    """Return system -> columns in which it is significantly worse than the base.

    The test is that of ``espnet-merge gate`` for whole sets: one-sided, with Holm's
    correction over all sets of the system. One without scores of all sets is there only
    if it has fallen on one of the others.
    """
    columns = {}
    for system in results.plan.kinds:
        parts = _parts_with_base(results, system)
        p = [p_value([part], 0, 1, GATE) for part in parts.values()]
        missing = [1.0] * (len(results.plan.sets) - len(parts))
        lost = [
            results.label(name)
            for name, corrected in zip(parts, holm([*p, *missing]), strict=False)
            if corrected < GATE.alpha
        ]
        if lost or not missing:
            columns[system] = lost
    return columns


def as_json(tested: Tested) -> dict[str, dict[str, dict[str, float]]]:
    """Return interval and p-value of every difference, for JSON."""
    return {
        system: {
            column: {"low": row.low, "high": row.high, "p": row.p}
            for column, row in rows.items()
        }
        for system, rows in tested.items()
    }


def _parts_with_base(results: Results, system: str) -> dict[str, Part]:
    """Return set -> errors of the base and of the system; none for the base itself."""
    base = results.plan.base
    return {
        name: results.part(name, (base, system))
        for name in results.plan.sets
        if system != base and {(base, name), (system, name)} <= results.scores.keys()
    }
