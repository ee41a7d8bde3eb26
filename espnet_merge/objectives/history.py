"""The history of conflict by layer: a table that grows each epoch, and its plot."""

from collections.abc import Sequence
from pathlib import Path

from espnet_merge.disk.atomic import whole_file

Measured = tuple[int, str, float]  # step, layer, mean cosine
HEADER = "epoch\tstep\tlayer\tcosine"
DPI = 150
FONT = 9.0


def add_epoch(path: Path, epoch: int, measured: Sequence[Measured]) -> list[Measured]:
    """Append the measurements of ``epoch`` to the table; return the whole table.

    Rows of the same steps and later ones, left by a run that was killed, are dropped.
    """
    lines = path.read_text("utf-8").splitlines()[1:] if path.exists() else []
    rows = [line.split("\t") for line in lines]
    first = min(step for step, _, _ in measured)
    rows = [row for row in rows if int(row[1]) < first]
    rows += [
        [str(epoch), str(step), layer, repr(cosine)] for step, layer, cosine in measured
    ]
    with whole_file(path) as part:
        text = "\n".join([HEADER, *("\t".join(row) for row in rows)]) + "\n"
        part.write_text(text, encoding="utf-8")
    return [(int(step), layer, float(cosine)) for _, step, layer, cosine in rows]


def draw_history(measured: Sequence[Measured], path: Path) -> None:
    """Draw a row for each layer and a column for each of its measurements.

    Cosines of large models are near zero, so the colours are scaled to the largest one.
    A dot marks every conflict, however small.
    """
    import numpy as np
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    cosines: dict[str, list[float]] = {}
    for _, layer, cosine in measured:
        cosines.setdefault(layer, []).append(cosine)
    length = max(map(len, cosines.values()))
    values = np.full((len(cosines), length), np.nan)
    for row, history in enumerate(cosines.values()):
        values[row, : len(history)] = history
    limit = float(np.nanmax(np.abs(values))) or 1.0
    figure = Figure(figsize=(7.0, 1.5 + 0.25 * len(cosines)), layout="constrained")
    axes = figure.subplots()
    drawn = axes.imshow(values, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
    rows, columns = np.nonzero(values < 0)
    axes.scatter(columns, rows, s=12, color="black")
    axes.set_yticks(range(len(cosines)), list(cosines), fontsize=FONT)
    axes.set_xlabel(f"measurements, up to step {measured[-1][0]}", fontsize=FONT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(length=0, labelsize=FONT)
    axes.spines[:].set_visible(False)
    title = "Mean cosine of the objectives: red, with a dot, is conflict"
    figure.suptitle(title, fontsize=FONT)
    figure.colorbar(drawn, ax=axes)
    with whole_file(path) as part:
        figure.savefig(part, dpi=DPI)
