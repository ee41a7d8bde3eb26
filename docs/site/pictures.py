"""The pictures of docs/concepts.md: ``python -m docs.site.pictures``, or ``make docs``.

Numbers are those of a table in the repository, or are computed from two small task
vectors.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from docs import toy
from docs.site.measured import Table, tables
from docs.site.outside import DOCS, ROOT

IMAGES = DOCS / "images"
FOLDER = ROOT / "egs2" / "domains" / "merge1" / "results" / "english"
DPI = 110
# Okabe and Ito's colours, which differ for everybody.
GREY, BLUE, ORANGE, GREEN, RED = "#888888", "#0072b2", "#e69f00", "#009e73", "#d55e00"
EXPERTS = {
    "full_en_prompts": "expert: prompts",
    "full_en_drascula": "expert: Drascula",
    "full_en_queen": "expert: Amazon Queen",
}
SETS = {
    "en_prompts_test": "prompts",
    "en_drascula_test": "Drascula",
    "en_queen_test": "Amazon Queen",
}
OTHER = {"es_prompts_test": "Spanish prompts", "fr_prompts_test": "French prompts"}


def main() -> None:
    """Write all pictures."""
    for name, figure in pictures().items():
        # Without the version of matplotlib the same picture has the same bytes.
        target = IMAGES / f"{name}.png"
        figure.savefig(target, dpi=DPI, metadata={"Software": None})


def pictures() -> dict[str, Figure]:
    """Return every picture by the stem of its file."""
    table = english()
    return {
        "expert": expert(table),
        "task_vector": task_vector(),
        "interference": interference(),
        "forgetting": forgetting(table),
        "route": route(table),
    }


def english() -> Table:
    """Return the table of three domains of English."""
    return next(table for table in tables() if table.folder == FOLDER)


def rates(
    table: Table, systems: Mapping[str, str], sets: Mapping[str, str]
) -> np.ndarray:
    """Return error rates in percent, a row a system and a column a set."""
    return np.array([[table.rate(s, [name]) for name in sets] for s in systems])


def expert(table: Table) -> Figure:
    """Draw the error rates of base and experts on the sets of all experts."""
    systems = {"zero_shot": "base", **EXPERTS}
    values = rates(table, systems, SETS)
    figure = Figure(figsize=(6.4, 3), layout="constrained")
    axes = figure.subplots()
    axes.imshow(values / values[0], cmap="RdYlGn_r", vmin=0.2, vmax=1.8, aspect="auto")
    for row, column in np.ndindex(values.shape):
        own = row == column + 1
        text = f"{values[row, column]:.1f}"
        weight = "bold" if own else "normal"
        axes.text(column, row, text, ha="center", va="center", fontweight=weight)
    axes.set_xticks(range(len(SETS)), SETS.values())
    axes.set_yticks(range(len(systems)), systems.values())
    axes.xaxis.tick_top()
    axes.set_xlabel("WER in %; bold: the expert's own domain; colour: against the base")
    return figure


def task_vector() -> Figure:
    """Draw a matrix of the base, of an expert, and what is between the two."""
    start, (tau, _) = toy.base(), toy.task_vectors()
    shown = {
        "base": start,
        "expert": start + tau,
        "task vector\nexpert − base": tau,
        "base + 0.5 × task vector": start + 0.5 * tau,
    }
    figure = Figure(figsize=(8.4, 2.6), layout="constrained")
    for axes, (title, values) in zip(figure.subplots(1, 4), shown.items(), strict=True):
        reach = toy.REACH if values is tau else abs(start).max()
        axes.imshow(values, cmap=toy.COLOURS, vmin=-reach, vmax=reach)
        axes.set_title(title, fontsize=toy.FONT)
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def kept(result: np.ndarray, tau: np.ndarray) -> float:
    """Return the share of an expert's move that a merge makes along it."""
    return float((result * tau).sum() / (tau**2).sum())


def interference() -> Figure:
    """Draw where two task vectors disagree, and what merges keep of each."""
    one, two = toy.task_vectors()
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    opposed = one * two < 0
    for chosen, colour, label in (
        (~opposed, GREEN, "same sign"),
        (opposed, RED, "opposite signs"),
    ):
        share = f"{label}: {chosen.mean():.0%} of the entries"
        left.scatter(one[chosen], two[chosen], s=18, color=colour, label=share)
    left.axhline(0, color=GREY, linewidth=0.6)
    left.axvline(0, color=GREY, linewidth=0.6)
    left.set_xlabel("entry of task vector 1")
    left.set_ylabel("entry of task vector 2")
    left.legend(fontsize=toy.FONT, frameon=False, loc="upper left")
    left.set_ylim(top=2.4)
    methods = ("soup", "ties", "tsv_m")
    shares = [[kept(toy.merged(name), tau) for name in methods] for tau in (one, two)]
    bars(right, methods, {"expert 1": shares[0], "expert 2": shares[1]})
    right.axhline(1, color=GREY, linewidth=0.8, linestyle="--")
    right.set_ylim(top=1.3)
    right.set_ylabel("share of its move that is kept")
    return figure


def forgetting(table: Table) -> Figure:
    """Draw how error rates changed on languages that nobody was trained for."""
    systems = {
        **EXPERTS,
        "joint": "joint training",
        "soup": "soup",
        "task_arithmetic": "task arithmetic",
    }
    values = rates(table, systems, OTHER) - rates(table, {"zero_shot": ""}, OTHER)
    figure = Figure(figsize=(7.6, 3.4), layout="constrained")
    axes = figure.subplots()
    names = [name.replace(" ", "\n", 1) for name in systems.values()]
    bars(axes, names, dict(zip(OTHER.values(), values.T, strict=True)))
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_ylabel("change of WER, in points")
    return figure


def route(table: Table) -> Figure:
    """Draw a merge, a route and the experts that the route chooses from."""
    systems = {
        "zero_shot": "base",
        "soup": "merge: soup",
        "tsv_m": "merge: TSV-M",
        "routed_heard": "route: by a router that hears the domain",
    }
    sets = SETS | OTHER
    values = rates(table, systems, sets)
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    axes = figure.subplots()
    names = [name.replace(" ", "\n") for name in sets.values()]
    bars(axes, names, dict(zip(systems.values(), values, strict=True)))
    axes.set_ylabel("WER in %")
    return figure


def bars(
    axes: Any, places: Sequence[str], series: Mapping[str, Sequence[float]]
) -> None:
    """Draw groups of bars, one of each series at each place."""
    colours = (GREY, BLUE, GREEN, ORANGE) if len(series) > 2 else (BLUE, ORANGE)
    width = 0.8 / len(series)
    for number, (label, values) in enumerate(series.items()):
        shift = (number - (len(series) - 1) / 2) * width
        spots = np.arange(len(places)) + shift
        axes.bar(spots, values, width, label=label, color=colours[number])
    axes.set_xticks(range(len(places)), places, fontsize=toy.FONT)
    axes.spines[["top", "right"]].set_visible(False)
    # Above the bars, which may be high anywhere.
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "ncols": len(series)}
    axes.legend(fontsize=toy.FONT, frameon=False, **place)


if __name__ == "__main__":
    main()
