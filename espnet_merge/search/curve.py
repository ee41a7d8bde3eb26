"""A picture of what was learned: the objective step by step, and the weights."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from espnet_merge.disk.atomic import whole_file
from espnet_merge.inspection.place import labels
from espnet_merge.search.groups import title_of
from espnet_merge.search.picture import COLOURS, DPI, FONT, OTHERS, WIDTH

LEARNED_PNG = "learned.png"
HEIGHT = 3.2  # inches, of a panel
# Groups whose names fit below the weights.
NAMED = 40
# A curve of batches is drawn as the mean over so many parts of it.
PARTS = 20


def write_picture(directory: Path, content: Mapping[str, Any]) -> None:
    """Write ``learned.png`` of what ``learned.json`` holds into its directory."""
    with whole_file(directory / LEARNED_PNG) as part:
        draw(content).savefig(part, dpi=DPI, format="png", metadata={"Software": None})


def draw(content: Mapping[str, Any]) -> Figure:
    """Draw the curve above the weights of each expert, group by group."""
    figure = Figure(figsize=(WIDTH, 2 * HEIGHT), layout="constrained")
    above, below = figure.subplots(2, 1)
    _draw_curve(above, content)
    _draw_weights(below, content)
    for axes in (above, below):
        axes.tick_params(labelsize=FONT - 1)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_curve(axes: Axes, content: Mapping[str, Any]) -> None:
    curve = content["curve"]
    axes.plot(range(len(curve)), curve, lw=0.6, color=OTHERS, label="batches")
    size = -(-len(curve) // PARTS)
    if size > 1:
        starts = range(0, len(curve), size)
        parts = [curve[start : start + size] for start in starts]
        pairs = zip(starts, parts, strict=True)
        middles = [start + (len(part) - 1) / 2 for start, part in pairs]
        means = [sum(part) / len(part) for part in parts]
        axes.plot(middles, means, lw=1.5, color=COLOURS[0], label=f"means of {size}")
    ends = {0: content["start"], len(curve): content["end"]}
    axes.plot(*zip(*ends.items(), strict=True), "o", color="black", label="whole sets")
    axes.set_xlabel("step", fontsize=FONT)
    axes.set_ylabel(content["goal"], fontsize=FONT)
    axes.legend(fontsize=FONT - 1, frameon=False)


def _draw_weights(axes: Axes, content: Mapping[str, Any]) -> None:
    groups = sorted(content["weights"].items(), key=_natural)
    titles = [title_of(pattern) for pattern, _ in groups]
    rows = [row for _, row in groups]
    places = range(len(titles))
    names = labels([Path(expert["path"]) for expert in content["experts"]])
    for number, name in enumerate(names):
        own = [row[number] for row in rows]
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(places, own, "o-", ms=3, lw=1, color=colour, label=name)
    first = content["first"]
    start = 1 / len(content["experts"]) if first is None else first
    axes.axhline(start, lw=0.8, ls=":", color=OTHERS)
    if len(titles) <= NAMED:
        axes.set_xticks(places, titles, rotation=90)
    else:
        axes.set_xlabel("tensor, by name", fontsize=FONT)
    axes.set_ylabel("weight (dotted: at the start)", fontsize=FONT)
    axes.legend(fontsize=FONT - 1, frameon=False)


def _natural(group: tuple[str, Any]) -> tuple[bool, list[str | int]]:
    """Return what sorts the decoder after the encoder, and layer 10 after layer 9."""
    title = title_of(group[0])
    parts = [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", title)]
    return title.startswith("decoder"), parts
