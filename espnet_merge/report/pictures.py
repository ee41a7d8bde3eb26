"""Pictures: error rates, each system's difference from the base, and BLEU.

The colours can be told apart by colour-blind readers (Okabe and Ito; PuOr of
ColorBrewer), and every number is written out. Sizes are for a page of 800 pixels.
"""

import textwrap
from collections.abc import Callable, Sequence
from statistics import median

from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.container import Container
from matplotlib.figure import Figure

from espnet_merge.report.grid import Grid
from espnet_merge.report.results import Results
from espnet_merge.report.tables import MISSING, best_of, describe_decoding
from espnet_merge.score.evaluate import main_reading

KIND_COLOURS = {
    "zero-shot": "#777777",
    "expert": "#0072b2",
    "joint": "#e69f00",
    "merge": "#009e73",
    "routed": "#cc79a7",
}
COLOURS = colormaps["PuOr_r"]
WIDTH = 8.0  # inches; at 200 dots per inch twice the page's pixels
DPI = 200
FONT = 9.0
# Bars are cut at this multiple of the median: a model that loops has an error rate of
# several hundred percent.
CUT = 2.5
# Differences of at least this many points have the full colour.
FULL_COLOUR = 20.0


def draw_rates(results: Results) -> Figure:
    """Draw the error rates: bars for every set and every mean."""
    grid = results.rates()
    known = _known(grid)
    # If most rates are 0 nothing is cut; if all are 0 any width will do.
    limit = min(max(known), CUT * median(known)) or max(known) or 1.0
    figure = _bars(results, grid, limit, min)
    cut = "; » bar is cut" if max(known) > limit else ""
    title = f"{results.metric_name} in percent (less is better{cut})"
    _title(figure, results, f"{title}; normalizer {results.normalizer}")
    return figure


def draw_bleu(results: Results) -> Figure:
    """Draw BLEU of translated sets likewise."""
    grid = results.rates(main_reading("bleu"))
    figure = _bars(results, grid, max(_known(grid)) or 1.0, max)
    _title(figure, results, "BLEU (more is better); raw text")
    return figure


def _known(grid: Grid) -> list[float]:
    return [cell for row in grid.rows.values() for cell in row if cell is not None]


def _bars(
    results: Results, grid: Grid, limit: float, better: Callable[..., str]
) -> Figure:
    """Draw a panel for every column, a bar for each system, the best in bold."""
    figure, panels = _panels(results, grid)
    for axes, column in zip(panels, grid.columns, strict=True):
        values = grid.column(column)
        winner = best_of(values, list(values), better)
        for position, (system, kind) in enumerate(results.plan.kinds.items()):
            value = values.get(system)
            colour = KIND_COLOURS[kind.split()[0]]
            if value is not None:
                axes.barh(position, min(value, limit), color=colour, height=0.74)
            _write_value(axes, position, value, limit, bold=system == winner)
        axes.set_xlim(0, limit * 1.62)
        axes.set_xticks([])
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    handles = [
        panels[0].barh(0, 0, color=colour, label=kind)
        for kind, colour in KIND_COLOURS.items()
        if any(k.startswith(kind) for k in results.plan.kinds.values())
    ]
    add_legend(figure, handles)
    return figure


def draw_retention(results: Results) -> Figure:
    """Draw the difference from the base of every system and set as a heat map."""
    grid = results.differences()
    rows = {s: row for s, row in grid.rows.items() if s != results.plan.base}
    grid = Grid(grid.columns, rows)
    figure, panels = _panels(results, grid)
    scale = Normalize(-FULL_COLOUR, FULL_COLOUR, clip=True)
    for axes, column in zip(panels, grid.columns, strict=True):
        values = grid.column(column)
        cells = [[values.get(system, float("nan"))] for system in rows]
        axes.imshow(cells, cmap=COLOURS, norm=scale, aspect="auto")
        for position, system in enumerate(rows):
            value = values.get(system)
            axes.text(
                0,
                position,
                MISSING if value is None else f"{value:+z.1f}",
                ha="center",
                va="center",
                fontsize=FONT,
                color=_text_colour(value, scale),
            )
        axes.set_xticks([])
        axes.hlines(
            [position + 0.5 for position in range(len(rows) - 1)],
            -0.5,
            0.5,
            color="white",
            linewidth=1.5,
        )
        axes.spines[:].set_visible(False)
    base, name = results.plan.base, results.metric_name
    _title(
        figure,
        results,
        f"Change of {name} against {base} in points: violet is better, orange worse; "
        f"normalizer {results.normalizer}",
    )
    return figure


def add_legend(figure: Figure, handles: Sequence[Artist | Container]) -> None:
    """Write what the colours mean in a row below the panels."""
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        fontsize=FONT,
        frameon=False,
    )


def _panels(results: Results, grid: Grid) -> tuple[Figure, Sequence[Axes]]:
    """Return narrow axes side by side, one per column, with the systems at the left."""
    systems = list(grid.rows)
    figure = Figure(figsize=(WIDTH, 1.5 + 0.26 * len(systems)), layout="constrained")
    # An empty panel after each mean but the last separates the two groups.
    averages = results.plan.averages
    widths: list[float] = []
    places: list[int] = []
    for column in grid.columns:
        places.append(len(widths))
        widths.append(1.0)
        if column in averages and column != grid.columns[-1]:
            widths.append(0.15)
    spec = figure.add_gridspec(1, len(widths), width_ratios=widths, wspace=0.03)
    panels: list[Axes] = []
    for place, column in zip(places, grid.columns, strict=True):
        axes = figure.add_subplot(spec[0, place])
        mean = column in averages
        axes.set_title(
            f"mean\n{column}" if mean else _narrow(column),
            fontsize=FONT,
            fontweight="bold" if mean else "normal",
        )
        axes.set_ylim(len(systems) - 0.5, -0.5)
        axes.set_yticks(range(len(systems)), systems if not panels else [])
        axes.set_facecolor("#eeeeee" if mean else "white")
        axes.tick_params(length=0, labelsize=FONT)
        panels.append(axes)
    return figure, panels


def _write_value(
    axes: Axes, position: int, value: float | None, limit: float, *, bold: bool
) -> None:
    if value is None:
        text, end = MISSING, 0.0
    else:
        cut = value > limit
        text, end = (f"» {value:.0f}" if cut else f"{value:.1f}"), min(value, limit)
    axes.text(
        end + 0.04 * limit,
        position,
        text,
        va="center",
        fontsize=FONT,
        fontweight="bold" if bold else "normal",
    )


def _text_colour(value: float | None, scale: Normalize) -> str:
    """Return black or white, whichever has more contrast with the cell's colour."""
    if value is None:
        return "black"
    red, green, blue, _ = COLOURS(scale(value))
    light = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    return "white" if light < 0.18 else "black"


def _title(figure: Figure, results: Results, title: str) -> None:
    mode = textwrap.fill(f"{results.mode}: {describe_decoding(results)}", width=90)
    figure.suptitle(f"{title}\n{mode}", fontsize=FONT + 1)


def _narrow(name: str) -> str:
    r"""Return the name of a set with a line for each of its parts.

    >>> _narrow("en_prompts_test")
    'en\nprompts'
    """
    return name.removesuffix("_test").replace("_", "\n")
