"""Two pictures: where experts move and conflict, and which experts do.

The colours stay apart for colour-blind eyes: cividis for amounts, PuOr of ColorBrewer
for values with a middle that chance would give. Grey is where nothing can be said.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from espnet_merge.inspection.inspection import Cell, Inspection
from espnet_merge.inspection.place import OUTSIDE, ROLES
from espnet_merge.inspection.tables import mean, pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH = 12.0  # inches
DPI = 200
FONT = 9.0
UNKNOWN = "#dddddd"
# Beyond so many experts the numbers would not fit into the cells.
WRITTEN = 6
# Characters of an expert's label.
LABEL = 16


class Quantity(NamedTuple):
    """What a panel shows.

    Args:
        title: What is measured.
        unit: Unit, and over what it was averaged; stands at the colour bar.
        value: Value of a cell of the picture; NaN where there is none.
        middle: What chance would give, for a diverging scale.
        log: Whether the scale is logarithmic.
    """

    title: str
    unit: str
    value: Callable[[Cell], float]
    middle: float | None = None
    log: bool = False


def _overlap(cell: Cell, suffix: str = "") -> float:
    """Average left and right overlap over the pairs, in percent."""
    return 50 * sum(mean(pairs(cell.mean(s + suffix))) for s in ("left", "right"))


ALONE = (
    Quantity(
        "Distance from the base",
        "% of the base's norm, mean of experts",
        lambda cell: 100 * mean(cell.moments.relative),
        log=True,
    ),
    Quantity(
        "Stable rank of the task vectors",
        "directions, mean of experts",
        lambda cell: mean(cell.mean("stable_rank")),
    ),
)
TOGETHER = (
    Quantity(
        "Sign conflict",
        "% of entries, mean of pairs",
        lambda cell: 100 * mean(pairs(cell.moments.conflict)),
        middle=50,
    ),
    Quantity(
        "Sign conflict, weighted by magnitude",
        "% of magnitude, mean of pairs",
        lambda cell: 100 * mean(pairs(cell.moments.weighted_conflict)),
        middle=50,
    ),
    Quantity(
        "Cosine, lowest pair",
        "no unit",
        lambda cell: min(pairs(cell.moments.cosine), default=np.nan),
        middle=0,
    ),
    Quantity(
        "Overlap of leading subspaces, left and right",
        "%, mean of pairs",
        _overlap,
    ),
)


def draw_layers(inspection: Inspection) -> Figure:
    """Draw a heat-map of layer and part for each quantity."""
    quantities = ALONE + (TOGETHER if len(inspection.labels) > 1 else ())
    rows = _parts(inspection)
    count = -(-len(quantities) // 2)
    height = 0.8 + count * (1.1 + 0.19 * len(rows))
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    _title(figure, inspection, "layer by layer; grey: no such tensor, or none moved")
    panels = figure.subfigures(count, 2, hspace=0.05, wspace=0.02, squeeze=False)
    for panel, quantity in zip(panels.flat, quantities, strict=False):
        _draw_layers(panel, inspection, rows, quantity)
    return figure


def draw_experts(inspection: Inspection) -> Figure:
    """Draw the length of each expert, and a matrix of experts for each quantity."""
    total = inspection.total
    experts = len(inspection.labels)
    # Three panels a row leave a matrix no more than 3.2 inches.
    side = min(3.2, max(2.6, 0.45 * experts))
    matrices: list[tuple[str, str, NDArray[Any], float | None]] = [
        ("Cosine", "no unit", total.moments.cosine, 0),
        ("Sign conflict", "% of entries", 100 * total.moments.conflict, 50),
        (
            "Sign conflict, weighted",
            "% of magnitude",
            100 * total.moments.weighted_conflict,
            50,
        ),
        ("Overlap of left subspaces", "%", 100 * total.mean("left"), None),
        ("Overlap of right subspaces", "%", 100 * total.mean("right"), None),
    ]
    shown = matrices if experts > 1 else []
    rows = 2 if shown else 1
    figure = Figure(figsize=(WIDTH, 0.8 + rows * (side + 0.6)), layout="constrained")
    _title(figure, inspection, "expert by expert, over the whole model")
    panels = figure.subplots(rows, 3 if shown else 1, squeeze=False).flat
    _draw_lengths(next(panels), inspection)
    for axes, (title, unit, values, middle) in zip(panels, shown, strict=True):
        _draw_matrix(axes, inspection, title, unit, values, middle)
    return figure


def _parts(inspection: Inspection) -> list[str]:
    """Return the rows: matrices of the layers, then roles."""
    places = inspection.cells
    matrices = {p.part for p in places if p.part not in ROLES}
    roles = [role for role in ROLES if any(p.part == role for p in places)]
    return sorted(matrices) + roles


def _draw_layers(
    panel: SubFigure, inspection: Inspection, rows: Sequence[str], quantity: Quantity
) -> None:
    values = {place: quantity.value(cell) for place, cell in inspection.cells.items()}
    scale = _scale(np.array(list(values.values())), quantity.middle, log=quantity.log)
    colours = _colours(quantity.middle)
    stacks = {place.stack: 1 for place in values}
    for place in values:
        stacks[place.stack] = max(stacks[place.stack], (place.layer or 0) + 1)
    # A stack of one column stays visible next to deep stacks.
    widths = [max(depth, sum(stacks.values()) / 16) for depth in stacks.values()]
    grid = panel.subplots(
        1, len(stacks), sharey=True, squeeze=False, width_ratios=widths
    )
    for axes, (stack, depth) in zip(grid.flat, stacks.items(), strict=True):
        image = np.full((len(rows), depth), np.nan)
        for place, value in values.items():
            if place.stack == stack:
                image[rows.index(place.part), place.layer or 0] = value
        drawn = axes.imshow(image, cmap=colours, norm=scale, aspect="auto")
        _finish(axes, stack, rows)
    panel.suptitle(quantity.title, fontsize=FONT + 1, fontweight="bold")
    bar = panel.colorbar(drawn, ax=list(grid.flat), pad=0.02, aspect=25)
    bar.set_label(quantity.unit, fontsize=FONT)
    bar.ax.tick_params(labelsize=FONT)
    if quantity.log:
        bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        bar.ax.yaxis.set_major_formatter("{x:g}")
        bar.ax.yaxis.set_minor_formatter(NullFormatter())


def _finish(axes: Axes, stack: str, rows: Sequence[str]) -> None:
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0, labelsize=FONT)
    axes.spines[:].set_visible(False)
    if stack == OUTSIDE:
        axes.set_xticks([])
        # As low as the labels of the stacks, which have numbers above them.
        axes.set_xlabel("outside", fontsize=FONT, labelpad=4 + 1.4 * FONT)
        return
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.set_xlabel(f"layer of {stack.removesuffix('.layers')}", fontsize=FONT)


def _draw_lengths(axes: Axes, inspection: Inspection) -> None:
    lengths = 100 * inspection.total.moments.relative
    names = _short(inspection)
    axes.barh(range(len(names)), lengths, color="#0072b2", height=0.7)
    for position, length in enumerate(lengths):
        axes.text(length, position, f" {length:.3g}", va="center", fontsize=FONT)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 1.25 * max(lengths.max(), 1e-12))
    axes.set_xlabel("% of the base's norm", fontsize=FONT)
    axes.set_title("Distance from the base", fontsize=FONT + 1, fontweight="bold")
    axes.tick_params(labelsize=FONT)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.spines[["top", "right"]].set_visible(False)


def _draw_matrix(
    axes: Axes,
    inspection: Inspection,
    title: str,
    unit: str,
    values: "NDArray[Any]",
    middle: float | None,
) -> None:
    values = values.copy()
    np.fill_diagonal(values, np.nan)
    scale, colours = _scale(values, middle), _colours(middle)
    drawn = axes.imshow(values, cmap=colours, norm=scale)
    names = _short(inspection)
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.tick_params(length=0, labelsize=FONT)
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=FONT + 1, fontweight="bold")
    if len(names) <= WRITTEN:
        for (i, j), value in np.ndenumerate(values):
            if not np.isnan(value):
                text = f"{value:+.2f}" if middle == 0 else f"{value:.0f}"
                ink = _ink(colours(scale(value)))
                axes.text(
                    j, i, text, ha="center", va="center", fontsize=FONT, color=ink
                )
    bar = axes.figure.colorbar(drawn, ax=axes, shrink=0.85)
    bar.set_label(unit, fontsize=FONT)
    bar.ax.tick_params(labelsize=FONT)


def _scale(
    values: "NDArray[Any]", middle: float | None, *, log: bool = False
) -> Normalize:
    """Return a scale over the known values, with ``middle`` in its middle."""
    known = values[~np.isnan(values)]
    if middle is not None:
        # A narrow scale would make noise look like a finding.
        least = 10.0 if middle else 0.2
        reach = max(abs(known - middle).max(initial=0), least)
        return Normalize(middle - reach, middle + reach)
    if log:
        known = known[known > 0]
        low, high = known.min(initial=np.inf), known.max(initial=0)
        return LogNorm(low, max(high, 1.01 * low)) if len(known) else LogNorm(1, 10)
    return Normalize(0, max(known.max(initial=0), 1e-12))


def _colours(middle: float | None) -> Any:  # noqa: ANN401 - matplotlib has no types
    name = "cividis" if middle is None else "PuOr" if middle == 0 else "PuOr_r"
    return colormaps[name].with_extremes(bad=UNKNOWN)


def _ink(colour: tuple[float, float, float, float]) -> str:
    """Return black or white, whichever stands out from ``colour``."""
    red, green, blue, _ = colour
    light = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    return "white" if light < 0.18 else "black"


def _short(inspection: Inspection) -> list[str]:
    return [
        label if len(label) <= LABEL else f"…{label[1 - LABEL :]}"
        for label in inspection.labels
    ]


def _title(figure: Figure, inspection: Inspection, what: str) -> None:
    experts = len(inspection.labels)
    title = f"{experts} expert{'s' * (experts > 1)} against the base, {what}"
    if experts > 1:
        chance = _overlap(inspection.total, "_random")
        title += (
            "\nviolet: together, orange: apart, white: by chance; subspaces of"
            f" {inspection.rank} directions, by chance they overlap by {chance:.2g} %"
        )
    figure.suptitle(title, fontsize=FONT + 1)
