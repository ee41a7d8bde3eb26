"""A full grid over a space: what a search is compared with."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.search.space import Open, Range, Space


def grid(space: Space, count: int) -> list[dict[str, Any]]:
    """Return what is tried first, then a full grid: values by name.

    All choices are tried, and ranges get as many levels as each other, as far as the
    count allows: the first ones one more. Levels are the middles of equal parts of a
    range, for its ends are the worst guesses; on a logarithmic scale those of factors.
    The first point has the middle of what no ``first`` says.

    Args:
        space: what is open.
        count: most points.

    Raises:
        InputError: the choices alone are more.

    Example:
        >>> space = Space("ties", {"scale": Range(low=0, high=4, first=1)})
        >>> grid(space, 3)
        [{'scale': 1}, {'scale': 1.0}, {'scale': 3.0}]
    """
    values: dict[str, Sequence[Any]] = {
        name: _levels(one, 1) for name, one in space.open.items()
    }
    if _size(values) >= count:
        raise InputError(
            f"a full grid of {space.method} needs at least {_size(values) + 1} trials,"
            f" one for each of its choices and the first; got {count}: give more."
        )
    first = {name: own[0] for name, own in values.items()} | space.first
    while finer := _finer(space.open, values, count - 1):
        values |= finer
    points = itertools.product(*values.values())
    return [first, *(dict(zip(values, point, strict=True)) for point in points)]


def _finer(
    spaces: Mapping[str, Open], values: Mapping[str, Sequence[Any]], count: int
) -> dict[str, Sequence[Any]]:
    """Return one range with more levels, one of the coarsest; nothing if none may."""
    for name in sorted(values, key=lambda name: len(values[name])):
        levels = _levels(spaces[name], len(values[name]) + 1)
        if len(levels) > len(values[name]) and _size({**values, name: levels}) <= count:
            return {name: levels}
    return {}


def _size(values: Mapping[str, Sequence[Any]]) -> int:
    return math.prod(map(len, values.values()))


def _levels(one: Open, count: int) -> list[Any]:
    """Return at most ``count`` values of a range, or all choices."""
    if not isinstance(one, Range):
        return list(one.choices)
    parts = [(number + 0.5) / count for number in range(count)]
    step = one.step or (1 if one.whole and not one.log else None)
    if step:
        steps = int((one.high - one.low) / step + 1e-9) + 1
        found = [one.low + step * int(part * steps) for part in parts]
    elif one.log:
        found = [one.low * (one.high / one.low) ** part for part in parts]
    else:
        found = [one.low + (one.high - one.low) * part for part in parts]
    return list(dict.fromkeys(round(x) if one.whole else x for x in found))
