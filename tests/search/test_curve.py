"""The picture of what was learned."""

import pytest

from espnet_merge.search.curve import draw


@pytest.mark.parametrize(("steps", "lines"), [(5, 2), (300, 3)])
def test_curve_and_weights_are_drawn(steps, lines):
    layers = [f"^model\\.encoder\\.layers\\.{number}\\." for number in (10, 9)]
    content = {
        "curve": [1 / (1 + step) for step in range(steps)],
        "start": 1.5,
        "end": 0.5,
        "goal": "loss in nats a token",
        "first": None,
        "experts": [{"path": f"exp/full_{x}/model"} for x in ("es", "it")],
        "weights": dict(zip(layers, [[0.1, 0.2], [0.3, 0.4]], strict=True)),
    }
    above, below = draw(content).axes
    assert len(above.lines) == lines
    assert list(above.lines[0].get_ydata()) == content["curve"]
    assert list(above.lines[-1].get_xdata()) == [0, steps]
    es, it, start = below.lines
    # Layer 9 is drawn before layer 10.
    assert list(es.get_ydata()) == [0.3, 0.1]
    assert list(it.get_ydata()) == [0.4, 0.2]
    assert start.get_ydata()[0] == 0.5
    assert [x.get_text() for x in below.get_xticklabels()] == [
        "encoder.layers.9",
        "encoder.layers.10",
    ]
    assert [x.get_text() for x in below.get_legend().get_texts()] == [
        *("full_es", "full_it")
    ]
