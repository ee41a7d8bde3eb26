"""A picture of differences between systems of several seeds: better, worse or equal.

The colours can be told apart by colour-blind readers (Okabe and Ito).
"""

from collections.abc import Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from espnet_merge.errors import InputError
from espnet_merge.report.pictures import FONT, WIDTH, add_legend
from espnet_merge.report.seed_differences import EQUAL, Differences, Verdict
from espnet_merge.score.design import Design

COLOURS = {
    Verdict.BETTER: "#0072b2",
    Verdict.WORSE: "#d55e00",
    Verdict.EQUAL: "#009e73",
    Verdict.UNKNOWN: "#777777",
}
# Axes end at this multiple of the median interval's end, and no nearer than 3 EQUAL:
# one system that loops would hide the differences of all others.
CUT = 1.5


def draw_differences(tables: Sequence[Differences]) -> Figure:
    """Draw a panel for each column: a dot for each system, and its interval.

    Systems stand in the order of their differences in the first column. An arrow is an
    interval that goes on.

    Args:
        tables: differences to one system. Columns without any are left out.

    Raises:
        InputError: there is no difference at all.
    """
    tables = [table for table in tables if table.found]
    if not tables:
        raise InputError(
            "--picture shows differences to a --baseline; no system shares a set and a"
            " seed with it."
        )
    first = tables[0]
    systems = sorted(first.found, key=lambda system: first.found[system].points)
    systems += [
        system
        for system in dict.fromkeys(name for table in tables for name in table.found)
        if system not in systems
    ]
    size = (WIDTH, 1.5 + 0.22 * len(systems))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    for axes, table in zip(panels, tables, strict=True):
        _draw(axes, table, systems)
    panels[0].set_yticks(range(len(systems)), systems)
    panels[0].set_ylim(len(systems) - 0.5, -0.5)
    handles = [
        panels[0].plot([], [], "o-", color=colour, markersize=4, label=verdict.value)[0]
        for verdict, colour in COLOURS.items()
    ]
    add_legend(figure, handles)
    seeds = sorted({own.seeds for own in first.found.values()})
    figure.suptitle(
        f"Difference to {first.other} in points, {100 * (1 - Design.alpha):g} % "
        f"interval; seeds: {', '.join(map(str, seeds))}",
        fontsize=FONT + 1,
    )
    return figure


def _draw(axes: Axes, table: Differences, systems: Sequence[str]) -> None:
    ends = [max(abs(own.low), abs(own.high)) for own in table.found.values()]
    limit = max(3 * EQUAL, CUT * median(ends))
    axes.axvspan(-EQUAL, EQUAL, color="#eeeeee", zorder=0)
    axes.axvline(0, color="black", linewidth=0.8, zorder=1)
    for place, system in enumerate(systems):
        if system not in table.found:
            continue
        own, colour = table.found[system], COLOURS[table.verdict(system)]
        low, high = max(own.low, -limit), min(own.high, limit)
        axes.plot([low, high], [place, place], color=colour, linewidth=1.6)
        if abs(own.points) <= limit:
            axes.plot(own.points, place, "o", color=colour, markersize=4)
        else:  # the dot itself is beyond the end: its number stands there
            side = "right" if own.points > 0 else "left"
            end = limit if own.points > 0 else -limit
            text = f"{own.points:+.0f} "
            axes.text(end, place - 0.1, text, ha=side, va="bottom", fontsize=FONT - 2)
        if own.low < -limit:
            axes.plot(-limit, place, "<", color=colour, markersize=5)
        if own.high > limit:
            axes.plot(limit, place, ">", color=colour, markersize=5)
    axes.set_xlim(-1.05 * limit, 1.05 * limit)
    axes.set_title(table.column.head, fontsize=FONT)
    axes.tick_params(labelsize=FONT)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
