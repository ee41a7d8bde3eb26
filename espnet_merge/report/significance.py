"""The differences of a report, tested."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from espnet_merge.report.results import Results
from espnet_merge.score.compare import (
    Difference,
    difference,
    differences,
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
    tested: dict[str, dict[str, Difference]] = {}
    for system in plan.kinds:
        parts = _beside_base(results, system)
        pairs = {
            name: np.column_stack([drawn[name][s] for s in (plan.base, system)])
            for name in parts
        }
        rows = differences(list(parts.values()), list(pairs.values()), 0, 1, DESIGN)
        tested[system] = dict(zip(map(results.label, parts), rows, strict=True))
        for group, sets in plan.groups.items():
            if parts.keys() >= set(sets):
                averaged = (
                    [parts[name] for name in sets],
                    [pairs[name] for name in sets],
                )
                tested[system][group] = difference(*averaged, 0, 1, DESIGN)
    return tested


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
