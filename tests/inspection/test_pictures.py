from io import BytesIO
from itertools import combinations

import numpy as np
import pytest

from espnet_merge.inspection.inspection import Cell, Inspection
from espnet_merge.inspection.moments import moments_of
from espnet_merge.inspection.pictures import draw_experts, draw_layers
from espnet_merge.inspection.place import OUTSIDE, Place
from espnet_merge.inspection.spectrum import compare, subspaces_of

PARTS = [
    f"{block}.{name}_proj"
    for block in ("encoder_attn", "self_attn")
    for name in ("k", "out", "q", "v")
] + ["fc1", "fc2"]


def inspection(experts=3, layers=6):
    rng = np.random.default_rng(0)

    def cell(*, matrix=True):
        deltas = rng.normal(size=(experts, 6, 8))
        spectra = (compare([subspaces_of(d, 2) for d in deltas]),) if matrix else ()
        return Cell(
            moments_of(rng.normal(size=48), deltas.reshape(experts, 48)), spectra
        )

    cells = {
        Place(stack, layer, "linear", part): cell()
        for stack in ("encoder.layers", "decoder.layers")
        for layer in range(layers)
        for part in PARTS
        if stack[0] == "d" or "encoder" not in part
    }
    cells[Place(OUTSIDE, None, "embedding", "embedding")] = cell(matrix=False)
    labels = tuple(f"full_{number}" for number in range(experts))
    return Inspection("base", labels, labels, 2, cells)


def overlapping(figure):
    figure.savefig(BytesIO())
    written = [text for text in texts(figure) if text.get_text()]
    page = figure.bbox
    for box in (text.get_window_extent() for text in written):
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
    # The boxes around slanted labels overlap where the labels do not.
    boxes = [text.get_window_extent() for text in written if text.get_rotation() != 45]
    return [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]


def texts(figure):
    for axes in figure.axes:
        yield axes.title
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_visible():
                yield axis.label
                low, high = sorted(axis.get_view_interval())
                for tick in axis.get_major_ticks():
                    if tick.label1.get_visible() and low <= tick.get_loc() <= high:
                        yield tick.label1
        yield from axes.texts


@pytest.mark.parametrize(("experts", "layers"), [(1, 2), (3, 6), (4, 32)])
def test_layers_are_legible(experts, layers):
    figure = draw_layers(inspection(experts, layers))
    assert len(figure.subfigs) == (2 if experts == 1 else 6)
    heat = figure.subfigs[0].axes[0]
    assert [t.get_text() for t in heat.get_yticklabels()] == [
        *sorted(PARTS),
        "embedding",
    ]
    shown = np.asarray(heat.images[0].get_array().filled(np.nan))
    assert shown.shape == (11, layers)
    # The encoder attends to no encoder.
    assert np.isnan(shown[:4]).all()
    assert not np.isnan(shown[4:10]).any()
    assert heat.get_xlabel() == "layer of encoder"
    assert not overlapping(figure)
    bars = [axes.get_ylabel() for axes in figure.subfigs[0].axes]
    assert any("% of the base's norm" in label for label in bars)


@pytest.mark.parametrize("experts", [1, 3, 6, 14])
def test_experts_are_legible(experts):
    figure = draw_experts(inspection(experts, 1))
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert len(panels) == (1 if experts == 1 else 6)
    if experts > 1:
        numbers = [text.get_text() for text in panels[1].texts]
        assert len(numbers) == (experts * (experts - 1) if experts <= 6 else 0)
    assert not overlapping(figure)
