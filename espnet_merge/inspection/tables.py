"""Tables of an inspection, as rows of text for the terminal and the page."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from espnet_merge.inspection.inspection import Cell, Inspection

if TYPE_CHECKING:
    from numpy.typing import NDArray

type Table = tuple[str, list[list[str]]]

MISSING = "–"
# Layers in the table of the worst.
WORST = 5


def tables(inspection: Inspection) -> Iterator[Table]:
    """Yield title and rows, headings first, of each table."""
    yield "Experts", _experts(inspection)
    if len(inspection.labels) > 1:
        yield "Pairs, over the whole model", _pairs(inspection)
    yield "By stack and role: mean, or least … greatest", _roles(inspection)
    if len(inspection.labels) > 1:
        yield "Layers with the most conflict", _worst(inspection)


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines: the first column to the left, the others to the right.

    Example:
        >>> list(aligned([["expert", "norm"], ["es", "1.25"]]))
        ['expert  norm', 'es      1.25']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = zip(others, widths[1:], strict=True)
        line = first.ljust(widths[0]) + "".join(f"  {c:>{w}}" for c, w in cells)
        yield line.rstrip()


def pairs(values: "NDArray[Any]") -> "NDArray[Any]":
    """Return the entries above the diagonal that are known."""
    above = values[np.triu_indices(len(values), 1)]
    return above[~np.isnan(above)]


def mean(values: Iterable[float]) -> float:
    """Average; NaN of nothing."""
    known = [float(value) for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _experts(inspection: Inspection) -> list[list[str]]:
    total = inspection.total
    rows = [["expert", "norm", "of the base", "stable rank"]]
    columns = total.moments.norms, total.moments.relative, total.mean("stable_rank")
    for label, norm, relative, rank in zip(inspection.labels, *columns, strict=True):
        rows.append([label, _plain(norm), _percent(relative), _plain(rank)])
    return rows


def _pairs(inspection: Inspection) -> list[list[str]]:
    total = inspection.total
    quantities = (
        (total.moments.cosine, _signed),
        (total.moments.conflict, _percent),
        (total.moments.weighted_conflict, _percent),
        (total.mean("left"), _percent),
        (total.mean("right"), _percent),
    )
    rows = [
        ["pair", "cosine", "sign conflict", "weighted", "left overlap", "right overlap"]
    ]
    for i, j in combinations(range(len(inspection.labels)), 2):
        name = f"{inspection.labels[i]}, {inspection.labels[j]}"
        rows.append([name, *(write(values[i, j]) for values, write in quantities)])
    left, right = (mean(pairs(total.mean(f"{s}_random"))) for s in ("left", "right"))
    chance = [_signed(0.0), _percent(0.5), _percent(0.5), _percent(left)]
    rows.append(["(by chance)", *chance, _percent(right)])
    return rows


def _roles(inspection: Inspection) -> list[list[str]]:
    rows = [
        [
            "stack and role",
            "norm of the base's",
            "stable rank",
            "cosine",
            "conflict",
            "weighted",
            "left overlap",
            "right overlap",
        ]
    ]
    for (stack, role), cell in inspection.grouped(lambda p: (p.stack, p.role)).items():
        rows.append(
            [
                f"{stack} {role}",
                _range(cell.moments.relative, _percent),
                _range(cell.mean("stable_rank"), _plain),
                _range(pairs(cell.moments.cosine), _signed),
                _percent(mean(pairs(cell.moments.conflict))),
                _percent(mean(pairs(cell.moments.weighted_conflict))),
                _percent(mean(pairs(cell.mean("left")))),
                _percent(mean(pairs(cell.mean("right")))),
            ]
        )
    return rows


def _worst(inspection: Inspection) -> list[list[str]]:
    layers = inspection.grouped(lambda place: (place.stack, place.layer))
    inside = {
        f"{stack}.{layer}": cell
        for (stack, layer), cell in layers.items()
        if layer is not None and len(pairs(cell.moments.weighted_conflict))
    }
    rows = [["layer", "worst pair", "cosine", "conflict", "weighted"]]
    for name in sorted(inside, key=lambda n: -_most(inside[n]))[:WORST]:
        moments = inside[name].moments
        i, j = _worst_pair(inside[name])
        rows.append(
            [
                name,
                f"{inspection.labels[i]}, {inspection.labels[j]}",
                _signed(moments.cosine[i, j]),
                _percent(moments.conflict[i, j]),
                _percent(moments.weighted_conflict[i, j]),
            ]
        )
    return rows


def _most(cell: Cell) -> float:
    return float(pairs(cell.moments.weighted_conflict).max())


def _worst_pair(cell: Cell) -> tuple[int, int]:
    above = np.triu(np.nan_to_num(cell.moments.weighted_conflict, nan=-1.0), 1)
    i, j = np.unravel_index(above.argmax(), above.shape)
    return int(i), int(j)


def _range(values: "NDArray[Any]", write: Any) -> str:  # noqa: ANN401
    known = values[~np.isnan(values)]
    if not len(known):
        return MISSING
    ends = [write(known.min()), write(known.max())]
    return ends[0] if ends[0] == ends[1] else " … ".join(ends)


def _plain(value: float) -> str:
    return MISSING if math.isnan(value) else f"{value:.3g}"


def _signed(value: float) -> str:
    return MISSING if math.isnan(value) else f"{value:+z.3f}"


def _percent(value: float) -> str:
    return MISSING if math.isnan(value) else f"{100 * value:.3g} %"
