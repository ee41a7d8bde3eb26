"""Many settings of methods, each with a name of its own."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from espnet_merge.errors import InputError


def parse_grid(items: Iterable[str]) -> dict[str, list[Any]]:
    """Return the values of each parameter in ``KEY=VALUE,VALUE,…``.

    The values are those of a YAML list without its brackets, so that a list is one
    value: ``weights=[1, 2],[2, 1]``.

    Raises:
        InputError: it is not of this form.

    Example:
        >>> parse_grid(["beta=0.1,0.3", "trim=tensor"])
        {'beta': [0.1, 0.3], 'trim': ['tensor']}
    """
    grid: dict[str, list[Any]] = {}
    for item in items:
        key, equals, text = item.partition("=")
        try:
            values = yaml.safe_load(f"[{text}]")
        except yaml.YAMLError as error:
            raise InputError(f"--grid {item}: not valid YAML ({error}).") from error
        if not (key and equals and values):
            raise InputError(
                f"--grid takes KEY=VALUE,VALUE,…, got {item!r}; write scale=0.3,0.5."
            )
        if key in grid:
            raise InputError(f"--grid: {key} is given twice; give all values at once.")
        grid[key] = values
    return grid


def settings(
    name: str, params: Mapping[str, Any], grid: Mapping[str, Sequence[Any]]
) -> dict[str, dict[str, Any]]:
    """Return the parameters of each point of the grid, by the name of its result.

    Args:
        name: What the names begin with.
        params: Parameters of all points.
        grid: Parameter to the values that it takes.

    Example:
        >>> settings("ties", {"scale": 1}, {"density": [0.1, 0.2]})
        {'ties-density=0.1': {'scale': 1, 'density': 0.1}, \
'ties-density=0.2': {'scale': 1, 'density': 0.2}}
    """
    points = itertools.product(*grid.values())
    chosen = [dict(zip(grid, point, strict=True)) for point in points]
    return {
        "-".join([name, *(f"{k}={_shown(v)}" for k, v in point.items())]): {
            **params,
            **point,
        }
        for point in chosen
    }


def _shown(value: object) -> str:
    """Return ``value`` as part of the name of a directory."""
    return str(value).replace(" ", "").replace("/", "_")
