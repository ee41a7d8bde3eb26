"""A heat map of the similarity of languages."""

from collections.abc import Mapping

from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

DPI = 200
FONT = 9.0
# Logarithmic, because a language's own column is far larger than the others.
SCALE = LogNorm(1e-3, 1, clip=True)
# Above this similarity the colour is dark.
DARK = 0.15


def draw(similarity: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw a row for each language and a column for each candidate.

    Args:
        similarity: language -> candidate -> probability in [0, 1]; all languages have
            the same candidates.
    """
    rows = list(similarity)
    columns = list(next(iter(similarity.values())))
    values = [[similarity[row][column] for column in columns] for row in rows]
    figure = Figure(
        figsize=(max(5.0, 2.4 + 0.62 * len(columns)), 1.7 + 0.4 * len(rows)),
        layout="constrained",
    )
    axes = figure.subplots()
    drawn = axes.imshow(values, cmap="Blues", norm=SCALE, aspect="auto")
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            ink = "white" if value > DARK else "black"
            text = f"{100 * value:.1f}"
            axes.text(x, y, text, ha="center", va="center", fontsize=FONT, color=ink)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0, labelsize=FONT)
    axes.set_xlabel("heard as", fontsize=FONT)
    axes.set_ylabel("spoken", fontsize=FONT)
    axes.spines[:].set_visible(False)
    figure.suptitle("What the frozen base hears, in % of the candidates", fontsize=FONT)
    bar = figure.colorbar(drawn, ax=axes, ticks=[1e-3, 1e-2, 1e-1, 1])
    bar.ax.set_yticklabels(["0.1", "1", "10", "100 %"], fontsize=FONT)
    return figure
