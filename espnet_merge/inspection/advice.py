"""Say in plain words which experts will not merge well, and why.

A warning needs two things: a value that random signs hardly give, and a size that
matters. Random signs, independent from entry to entry, give a cosine of 0 and a
conflict of 1/2 whatever the magnitudes; ``Moments`` has the standard deviations. Size
is judged by the plain sum of two experts of equal length: with cosine c each keeps 1 +
c of its own move. Gaussian task vectors of cosine c disagree in sign at arccos(c) / pi
of their entries, so that the limits of cosine and conflict are one.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from espnet_merge.inspection.inspection import Inspection
from espnet_merge.inspection.moments import Moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Standard deviations of random signs that one tensor in 30 000 exceeds.
DEVIATIONS = 4.0
# Each of two equal experts loses a tenth of its move in the sum.
CLASH = -0.1
CONFLICT = math.acos(CLASH) / math.pi
# Task vectors that share 98 % of their energy are one expert counted twice.
SAME = 0.99
# Three times the length is nine times the energy in the sum.
DOMINANT = 3.0
# Places that are named, worst first.
NAMED = 3


def advise(inspection: Inspection) -> list[str]:
    """Return the warnings, one a line; none if the experts should merge well."""
    return [
        *_lengths(inspection),
        *_pairs(inspection),
        *_places(inspection),
    ]


def clashes(moments: Moments) -> "NDArray[np.bool_]":
    """Tell for every pair whether the cosine is too low, by chance and by size."""
    limit = np.minimum(CLASH, -DEVIATIONS * moments.cosine_spread)
    low: NDArray[np.bool_] = moments.cosine < limit
    return low


def conflicts(moments: Moments) -> "NDArray[np.bool_]":
    """Tell for every pair whether too many entries conflict."""
    limit = np.maximum(CONFLICT, 0.5 + DEVIATIONS * moments.conflict_spread)
    high: NDArray[np.bool_] = moments.conflict > limit
    return high


def _lengths(inspection: Inspection) -> Iterator[str]:
    norms = inspection.total.moments.norms
    for index, (label, norm) in enumerate(zip(inspection.labels, norms, strict=True)):
        others = np.delete(norms, index)
        middle = float(np.median(others[others > 0])) if others.any() else 0.0
        if not norm:
            yield f"{label} did not move: it equals the base; leave it out."
        elif middle and norm > DOMINANT * middle:
            yield (
                f"{label} moved {norm / middle:.3g} times as far as the median of the"
                f" others (limit {DOMINANT:g}) and will drown them; lower its weight."
            )
        elif len(norms) > 2 and norm * DOMINANT < middle:
            yield (
                f"{label} moved only {norm / middle:.2g} times as far as the median of"
                f" the others (limit 1/{DOMINANT:g}) and will be drowned; raise its"
                " weight, or train it longer."
            )


def _pairs(inspection: Inspection) -> Iterator[str]:
    moments = inspection.total.moments
    cosine, clash = moments.cosine, clashes(moments)
    for i, one in enumerate(inspection.labels):
        for j, other in enumerate(inspection.labels[:i]):
            pair = f"{other} and {one}"
            if cosine[i, j] > SAME:
                yield (
                    f"{pair} are nearly one expert (cosine {cosine[i, j]:.3f}, limit"
                    f" {SAME:g}), which counts twice; leave one out."
                )
            elif clash[i, j]:
                yield (
                    f"{pair} pull apart: cosine {cosine[i, j]:.2f} over the whole model"
                    f" (limit {CLASH:g}; random {0:g} ± "
                    f"{moments.cosine_spread[i, j]:.1g}); a sum takes back"
                    f" {-100 * cosine[i, j]:.0f} % of each move."
                )


def _places(inspection: Inspection) -> Iterator[str]:
    """Name the layers in which the signs of a pair conflict too often."""
    layers = inspection.grouped(lambda place: (place.stack, place.layer))
    found = {}
    for (stack, layer), cell in layers.items():
        moments = cell.moments
        if conflicts(moments).any() or clashes(moments).any():
            name = stack if layer is None else f"{stack}.{layer}"
            found[name] = float(np.nanmax(moments.conflict))
    if found:
        worst = sorted(found, key=lambda name: -found[name])[:NAMED]
        named = ", ".join(f"{name} ({100 * found[name]:.0f} %)" for name in worst)
        yield (
            f"in {len(found)} of {len(layers)} layers a pair moves apart: opposite"
            f" signs at more than {100 * CONFLICT:.0f} % of the entries (50 % by"
            f" chance) or a cosine below {CLASH:g}; worst in {named}; try ties, or"
            " lower scales there."
        )
