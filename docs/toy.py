"""Pictures of what a method does to two small task vectors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from espnet_merge.methods import METHODS, TensorInfo, build_method

SIDE = 8
# Largest magnitude that the colours tell apart.
REACH = 2.0
FONT = 9.0
COLOURS = colormaps["PuOr"]
# Where the defaults, made for millions of entries, would show too little on 64.
PARAMS: dict[str, dict[str, Any]] = {
    "breadcrumbs": {"density": 0.5, "gamma": 0.1},
    "dare": {"density": 0.5},
    "lors": {"rank": 1},
}


def task_vectors() -> list[np.ndarray]:
    """Return two 8 x 8 task vectors: a shared, an opposed and an own direction each.

    Both also have one large entry at the same place, of opposite sign.
    """
    place = (np.arange(SIDE) + 0.5) / SIDE
    waves = [np.cos(np.pi * order * place) for order in range(SIDE)]
    shared, opposed = np.outer(waves[1], waves[2]), np.outer(waves[3], waves[1])
    one = 0.8 * shared + 0.5 * opposed + 0.4 * np.outer(waves[5], waves[4])
    two = 0.6 * shared - 0.4 * opposed + 0.5 * np.outer(waves[2], waves[6])
    rest = 0.05 * sum(np.outer(wave, wave) for wave in waves)
    one[2, 5] += 1.2
    two[2, 5] -= 0.9
    return [one + rest, two - rest.T[::-1]]


def base() -> np.ndarray:
    """Return the matrix that both experts started from."""
    return 3 * np.outer(np.linspace(1, 2, SIDE), np.linspace(-1, 2, SIDE))


def merged(name: str) -> np.ndarray:
    """Return what the method makes of the toy: the merged task vector."""
    method = build_method(name, PARAMS.get(name, {}))
    start = base()
    weights = method.space == "weights"
    tensors = [start + tau if weights else tau for tau in task_vectors()]
    convert = np.asarray
    if method.arrays == "torch":
        import torch

        convert = torch.tensor
    info = TensorInfo(
        name="model.encoder.layers.2.self_attn.q_proj.weight",
        role="linear",
        base=convert(start),
        layer=2,
        depth=4,
    )
    result = method([convert(tensor) for tensor in tensors], info)
    result = result.dense() if hasattr(result, "dense") else result
    return np.asarray(result) - start * weights


def has_picture(name: str) -> bool:
    """Tell whether it merges the toy: no step, and without statistics of data."""
    method = METHODS.get(name)
    return method is not None and "statistics" not in method.__dataclass_fields__


def draw(name: str) -> Figure:
    """Draw two task vectors, their mean, the merged one, and singular values."""
    one, two = task_vectors()
    mean, result = (one + two) / 2, merged(name)
    shown = {"expert 1": one, "expert 2": two, "their mean": mean, name: result}
    figure = Figure(figsize=(10, 2.4), layout="constrained")
    panels = figure.subplots(1, 5, width_ratios=[1, 1, 1, 1, 1.3])
    for axes, (title, values) in zip(panels, shown.items(), strict=False):
        drawn = axes.imshow(values, cmap=COLOURS, vmin=-REACH, vmax=REACH)
        axes.set_title(title, fontsize=FONT, fontweight="bold")
        axes.set_xticks([])
        axes.set_yticks([])
    bar = figure.colorbar(drawn, ax=panels[:4], shrink=0.8, pad=0.01)
    bar.ax.tick_params(labelsize=FONT)
    _draw_spectra(panels[4], ("their mean", name), (mean, result))
    return figure


def _draw_spectra(
    axes: Any, names: Sequence[str], values: Sequence[np.ndarray]
) -> None:
    places = np.arange(1, SIDE + 1)
    styles = ({"color": "#777777", "marker": "s"}, {"color": "#0072b2", "marker": "o"})
    for name, matrix, style in zip(names, values, styles, strict=True):
        sigma = np.linalg.svd(matrix, compute_uv=False)
        axes.plot(places, sigma, label=name, markersize=4, linewidth=1, **style)
    axes.set_title("singular values", fontsize=FONT, fontweight="bold")
    axes.set_xticks(places)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=FONT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=FONT, frameon=False)
