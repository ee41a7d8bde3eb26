"""A picture of the trials: what each open parameter does, and the Pareto front.

Trials that are far worse than most, as where a merge loops, stand at the edge, so that
the others are told apart. Sizes are for a page of 800 pixels, the colours those of
Okabe and Ito.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from espnet_merge.disk.atomic import whole_file

SEARCH_PNG = "search.png"
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
BEST, OTHERS = "#000000", "#999999"
WIDTH, HEIGHT, COLUMNS = 8.0, 2.6, 3  # inches, of a row of panels
DPI = 200
FONT = 9.0
# Interquartile ranges beyond a quartile: the fences of Tukey, outside of which few are.
FAR = 1.5


def write_picture(directory: Path, content: Mapping[str, Any]) -> None:
    """Write ``search.png`` of what ``search.json`` holds into its directory."""
    figure = draw(content)
    with whole_file(directory / SEARCH_PNG) as part:
        figure.savefig(part, dpi=DPI, format="png", metadata={"Software": None})


def draw(content: Mapping[str, Any]) -> Figure:
    """Draw the fronts of two goals each, then a panel for each open parameter."""
    trials, goals = content["trials"], content["goals"]
    names = list(dict.fromkeys((t["space"], k) for t in trials for k in t["values"]))
    pairs = [(0, number) for number in range(1, len(goals))]
    rows = math.ceil((len(pairs) + len(names)) / COLUMNS)
    figure = Figure(figsize=(WIDTH, 0.9 + HEIGHT * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, (one, other) in zip(grid, pairs, strict=False):
        _draw_front(axes, content, one, other)
    spaces = list(content["spaces"])
    for axes, (space, name) in zip(grid[len(pairs) :], names, strict=False):
        colour = COLOURS[spaces.index(space) % len(COLOURS)]
        _draw_parameter(axes, content, space, name, colour)
        axes.set_xlabel(_title(content, space, name), fontsize=FONT)
    for axes in grid[len(pairs) + len(names) :]:
        axes.set_axis_off()
    for axes in grid:
        axes.tick_params(labelsize=FONT - 1)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        f"{len(trials)} trials of {', '.join(spaces)}; star: taken, ring: first,"
        " triangle: far worse, %: share of the sensitivity",
        fontsize=FONT + 1,
    )
    return figure


def _draw_front(axes: Axes, content: Mapping[str, Any], one: int, other: int) -> None:
    """Draw the trials in the plane of two goals, those of the front in a line."""
    trials, goals = content["trials"], content["goals"]
    points = [(t["scores"][one], t["scores"][other]) for t in trials]
    x, y = zip(*points, strict=True)
    axes.scatter(x, y, s=14, color=OTHERS, linewidths=0)
    front = sorted(points[place] for place in content["front"])
    axes.plot(*zip(*front, strict=True), "o-", ms=4, lw=1, color=COLOURS[0])
    _mark(axes, points[content["best"]], points[0])
    axes.set_xlabel(goals[one]["name"], fontsize=FONT)
    axes.set_ylabel(goals[other]["name"], fontsize=FONT)
    _cut(axes, "x", x, y, goals[one])
    _cut(axes, "y", x, y, goals[other])


def _draw_parameter(
    axes: Axes, content: Mapping[str, Any], space: str, name: str, colour: str
) -> None:
    """Draw the first goal over the values of a parameter."""
    trials = content["trials"]
    own = [t for t in trials if t["space"] == space]
    values = [t["values"][name] for t in own]
    if not all(isinstance(x, int | float) for x in values):
        values = [str(value) for value in values]
    scores = [t["scores"][0] for t in own]
    axes.scatter(values, scores, s=14, color=colour, lw=0)
    points = {id(t): (x, t["scores"][0]) for t, x in zip(own, values, strict=True)}
    _mark(axes, points.get(id(trials[content["best"]])), points.get(id(trials[0])))
    if _is_log(content, space, name):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(content["goals"][0]["name"], fontsize=FONT)
    _cut(axes, "y", values, scores, content["goals"][0])


def _mark(
    axes: Axes, best: tuple[Any, Any] | None, first: tuple[Any, Any] | None
) -> None:
    if first:
        axes.plot(*first, "o", ms=8, mfc="none", mec=BEST)
    if best:
        axes.plot(*best, "*", ms=11, color=BEST)


def _cut(
    axes: Axes,
    axis: str,
    x: Sequence[Any],
    y: Sequence[Any],
    goal: Mapping[str, Any],
) -> None:
    """End an axis where a goal becomes far worse than most, with what is beyond."""
    scores = np.array(x if axis == "x" else y)
    sign = -1 if goal["maximise"] else 1
    low, high = np.quantile(sign * scores, (0.25, 0.75))
    edge = sign * (high + FAR * (high - low))
    beyond = sign * scores > sign * edge
    if not beyond.any():
        return
    ends = (edge, None) if goal["maximise"] else (None, edge)
    (axes.set_xlim if axis == "x" else axes.set_ylim)(*ends)
    marker = {"x": "><", "y": "^v"}[axis][goal["maximise"]]
    out = [
        pair for pair, far in zip(zip(x, y, strict=True), beyond, strict=True) if far
    ]
    across = [edge if axis == "x" else pair[0] for pair in out]
    up = [edge if axis == "y" else pair[1] for pair in out]
    axes.scatter(across, up, s=20, marker=marker, color=OTHERS, clip_on=False)


def _title(content: Mapping[str, Any], space: str, name: str) -> str:
    """Return the name of a parameter, and its share of the first goal's sensitivity."""
    several = len(content["spaces"]) > 1
    shares = content["importances"][content["goals"][0]["name"]]
    share = shares.get(f"{space}.{name}" if several else name)
    told = "" if share is None else f", {100 * share:.0f} %"
    return f"{space}: {name}{told}" if several else f"{name}{told}"


def _is_log(content: Mapping[str, Any], space: str, name: str) -> bool:
    """Tell whether the parameter was drawn on a logarithmic scale."""
    return bool(content["spaces"][space]["open"][name].get("log"))
