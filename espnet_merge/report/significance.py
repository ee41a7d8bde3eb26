"""The differences of a report, tested."""

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

# System -> column -> its difference to the base.
type Tested = Mapping[str, Mapping[str, Difference]]


def mean_difference(
    results: Results, system: str, other: str, sets: Sequence[str]
) -> Difference:
    """Return the tested difference of two systems' macro averages."""
    parts = [results.part(name, (other, system)) for name in sets]
    return difference(parts, [DESIGN.draw(part) for part in parts], 0, 1, DESIGN)


def against_base(results: Results) -> Tested:
    """Return the differences of all systems to the base, where both have scores.

    Of the sets with p by Holm's correction over those of the system; a macro average
    is a test of its own.
    """
    plan = results.plan
    # Fifty systems on the same draws cost little more than two.
    drawn = {}
    for name in plan.sets:
        scored = [system for system in plan.kinds if (system, name) in results.scores]
        if scored:
            rates = DESIGN.draw(results.part(name, scored))
            drawn[name] = dict(zip(scored, rates.T, strict=True))
    return {system: _of_system(results, system, drawn) for system in plan.kinds}


def by_column(
    results: Results, sets: Collection[str], test: Callable[..., Difference]
) -> dict[str, Difference]:
    """Return column -> difference: of the sets, and of the groups that they fill.

    Args:
        results: whose columns they are.
        sets: those that can be tested; their p is by Holm's correction over them.
        test: takes the names of sets, and tests the mean over them.
    """
    # A group of one set is that set, less the correction.
    tested = cache(test)
    rows = corrected([tested(name) for name in sets])
    found = dict(zip(map(results.label, sets), rows, strict=True))
    for group, own in results.plan.averages.items():
        if set(own) <= set(sets):
            found[group] = tested(*own)
    return found


def _of_system(
    results: Results, system: str, drawn: Mapping[str, Mapping[str, Rates]]
) -> dict[str, Difference]:
    """Return column -> difference of a system to the base.

    Args:
        results: of transcribed sets.
        system: the system.
        drawn: set -> system -> its resampled rates.
    """
    parts = _beside_base(results, system)
    pairs = {
        name: np.column_stack([drawn[name][s] for s in (results.plan.base, system)])
        for name in parts
    }

    def test(*sets: str) -> Difference:
        own, rates = [parts[n] for n in sets], [pairs[n] for n in sets]
        return difference(own, rates, 0, 1, DESIGN)

    return by_column(results, parts, test)


def fallen(results: Results) -> dict[str, list[str]]:
    """Return system -> sets' columns in which it is significantly worse than the base.

    As ``espnet-merge gate`` tests whole sets: on one side, by Holm's correction over
    those of the system. A system that lacks a set is left out.
    """
    found = {}
    for system in results.plan.kinds:
        parts = _beside_base(results, system)
        if len(parts) < len(results.plan.sets):
            continue
        p = holm([p_value([part], 0, 1, GATE) for part in parts.values()])
        found[system] = [
            results.label(name)
            for name, corrected in zip(parts, p, strict=True)
            if corrected < GATE.alpha
        ]
    return found


def plain(tested: Tested) -> dict[str, dict[str, dict[str, float]]]:
    """Return interval and p of every difference, for JSON."""
    return {
        system: {
            column: {"low": row.low, "high": row.high, "p": row.p}
            for column, row in rows.items()
        }
        for system, rows in tested.items()
    }


def _beside_base(results: Results, system: str) -> dict[str, Part]:
    """Return set -> errors of the base and of a system, if it is another."""
    base = results.plan.base
    return {
        name: results.part(name, (base, system))
        for name in results.plan.sets
        if system != base and {(base, name), (system, name)} <= results.scores.keys()
    }
