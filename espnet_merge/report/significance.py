"""Which differences of a report are significant."""

from collections.abc import Sequence

from espnet_merge.report.results import Results
from espnet_merge.score.compare import Design, Difference, difference, p_value
from espnet_merge.score.holm import holm

DESIGN = Design()


def mean_difference(
    results: Results, system: str, other: str, sets: Sequence[str]
) -> Difference:
    """Return the tested difference of two systems' macro averages."""
    parts = [results.part(name, (other, system)) for name in sets]
    return difference(parts, [DESIGN.draw(part) for part in parts], 0, 1, DESIGN)


def significant(results: Results) -> set[tuple[str, str]]:
    """Return system and column of the differences to the base that are significant.

    Of the sets by Holm's correction over those of the system; a macro average is a
    test of its own.
    """
    base, plan, found = results.plan.base, results.plan, set()
    for system in plan.kinds:
        p = {}
        for name in plan.sets:
            if {(base, name), (system, name)} <= results.scores.keys():
                parts = [results.part(name, (base, system))]
                p[results.label(name)] = p_value(parts, 0, 1, DESIGN)
        p = dict(zip(p, holm(list(p.values())), strict=True))
        for group, sets in plan.groups.items():
            if {results.label(name) for name in sets} <= p.keys():
                parts = [results.part(name, (base, system)) for name in sets]
                p[group] = p_value(parts, 0, 1, DESIGN)
        found |= {(system, column) for column in p if p[column] < DESIGN.alpha}
    return found
