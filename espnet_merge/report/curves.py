"""Merges that differ in one number, against which an error rate can be drawn."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

# Fewer points make no curve.
MIN_POINTS = 3


class Curve(NamedTuple):
    """Merges that differ in one number, in the order of this number.

    Attributes:
        method: merge method.
        parameter: parameter of the method, or ``experts`` for the number of experts.
        points: system and number of each merge.
    """

    method: str
    parameter: str
    points: list[tuple[str, float]]


def find_curves(records: Mapping[str, Mapping[str, Any]]) -> list[Curve]:
    """Return all curves of three merges or more.

    Merges of one curve have the same method, base and parameters, except for one
    parameter. If a parameter of the method varies, the experts are the same, too.

    Args:
        records: system -> content of its ``merge.yaml``.

    >>> scaled = {
    ...     f"ta_{scale}": {"method": "task_arithmetic", "params": {"scale": scale}}
    ...     for scale in (1.0, 0.3, 0.5)
    ... }
    >>> find_curves(scaled)[0].points
    [('ta_0.3', 0.3), ('ta_0.5', 0.5), ('ta_1.0', 1.0)]
    """
    families: dict[tuple[str, str, str], list[tuple[str, float]]] = defaultdict(list)
    for system, record in records.items():
        method = str(record["method"])
        params = dict(record["params"])
        experts = [expert["sha256"] for expert in record.get("experts", [])]
        base = record.get("base")
        for name, value in params.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                others = {k: v for k, v in params.items() if k != name}
                key = repr((base, experts, others))
                families[method, name, key].append((system, value))
        # A list has an entry for each expert, so its length varies with their number.
        common = {k: v for k, v in params.items() if not isinstance(v, list)}
        families[method, "experts", repr((base, common))].append((system, len(experts)))
    curves = [
        Curve(method, parameter, sorted(points, key=lambda point: point[1]))
        for (method, parameter, _), points in families.items()
    ]
    return [curve for curve in curves if _differ(curve)]


def _differ(curve: Curve) -> bool:
    numbers = [number for _, number in curve.points]
    return len(set(numbers)) == len(numbers) >= MIN_POINTS
