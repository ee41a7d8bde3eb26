"""The methods that select entries by rank: breadcrumbs, sce and pcb."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods._order_statistics import Mapped, order_statistics
from espnet_merge.methods._select import cuts
from espnet_merge.methods.breadcrumbs import Breadcrumbs
from espnet_merge.methods.pcb import Pcb
from espnet_merge.methods.sce import Sce

NO_INFO = TensorInfo()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("signed", [False, True])
def test_order_statistics_of_a_stream_are_those_of_the_whole(dtype, signed):
    rng = np.random.default_rng(0)
    chunks = [
        rng.normal(0, 10.0**-i, size=(2, *shape)).astype(dtype)
        for i, shape in enumerate([(7, 5), (3,), (40, 9), ()])
    ]
    chunks.append(np.zeros((2, 30), dtype))
    if not signed:
        chunks = [abs(chunk) for chunk in chunks]
    stream = Mapped([(NO_INFO, chunk) for chunk in chunks], list)
    whole = np.concatenate([chunk.reshape(2, -1) for chunk in chunks], axis=1)
    places = [0, 0, 20, 200, whole.shape[1] - 1]
    found = order_statistics(stream, lambda size: places)
    np.testing.assert_array_equal(found, np.sort(whole, axis=1)[:, places])
    assert found[0][2].dtype == dtype


def as_stream(values, count):
    """Cut a vector into so many pieces."""
    chunks = np.array_split(values, count)
    starts = np.cumsum([0, *map(len, chunks)])
    return [
        (TensorInfo(start=int(i)), [x]) for i, x in zip(starts, chunks, strict=False)
    ]


@given(data=st.data())
@settings(deadline=None, derandomize=True, max_examples=200)
def test_a_selection_is_exact_whatever_the_values(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    size = data.draw(st.integers(1, 3000))
    levels = data.draw(st.sampled_from([1, 2, 3, 50, 10**9]))
    values = (rng.integers(0, levels, size) ** 3.0).astype(np.float32)
    if data.draw(st.booleans()):
        # The sample sees another distribution than there is.
        values.sort()
    place = data.draw(st.integers(0, size - 1))
    stream = as_stream(values, data.draw(st.integers(1, 40)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("espnet_merge.methods._order_statistics.MOST", 300)
        patch.setattr("espnet_merge.methods._order_statistics.SAMPLE", (64, 1, 20))
        ((found,),) = order_statistics(stream, lambda n: [place])
        count = data.draw(st.integers(0, size + 1))
        ((cut,),) = cuts(stream, lambda n: [count])
    assert found == np.sort(values)[place]
    kept = np.concatenate([cut.keeps(x, info.start) for info, (x,) in stream])
    best = np.lexsort((np.arange(size), -values))[:count]
    expected = np.zeros(size, bool)
    expected[best] = True
    assert (values * kept).tolist() == (values * expected).tolist()


def test_breadcrumbs_keep_the_middle():
    tau = np.arange(1.0, 11.0)[None]
    merged = Breadcrumbs(density=0.5, gamma=0.2, scale=2, weights=(0.5,))(tau)
    assert merged.tolist() == [0, 0, 0, 4, 5, 6, 7, 8, 0, 0]
    # int(0.9 * 10) must stay, so that but one of the two largest goes.
    assert Breadcrumbs(density=0.9, gamma=0.2)(tau).tolist() == [*range(1, 10), 0]


def test_breadcrumbs_with_a_sign():
    tau = np.array([[3.0, 1.0], [-1.0, 1.0]])
    every = {"density": 1.0, "gamma": 0.0}
    assert Breadcrumbs(**every)(tau).tolist() == [2.0, 2.0]
    assert Breadcrumbs(**every, sign_consensus=True)(tau).tolist() == [3.0, 2.0]


def test_sce_weights_by_energy_and_erases_the_minority():
    tau = np.array([[1.0, -1.0], [3.0, 1.0]])
    # Mean squares 1 and 5, weights 1/6 and 5/6; the signs of the sums are +, +.
    assert Sce()(tau).tolist() == pytest.approx([(1 + 15) / 6, 1.0])
    small = Sce()(1e-6 * tau)
    assert small.tolist() == pytest.approx([2e-6, 1e-6])


def test_sce_selects_where_experts_differ():
    tau = np.array([[1.0, 0.0, 5.0, 0.0], [1.0, 4.0, 6.0, 0.0]])
    # Two entries differ; int(0.5 * 2) of them is kept.
    assert Sce(density=0.5, scale=2)(tau).tolist() == [0.0, 8.0, 0.0, 0.0]


def pcb_by_hand(tau, density, scale, share, *, vision):
    """The authors' rule on one flat vector, sorted in full."""
    count, size = tau.shape
    sizes, clipped = np.empty_like(tau), np.empty_like(tau)
    for i in range(count):
        ascending = np.sort(abs(tau[i]))
        low, high = ascending[int(size * share)], ascending[int(size * (1 - share) - 1)]
        clipped[i] = np.sign(tau[i]) * np.clip(abs(tau[i]), low, high)
        sizes[i] = (np.clip(abs(tau[i]), low, high) - low) / (high - low)
    other = (np.sign(tau) * sizes if vision else tau).sum(axis=0)
    scores = np.exp(count * sizes**2) * np.tanh(tau * other)
    for score in scores:
        low = np.sort(score)[int(size * (1 - density))]
        score[:] = (np.clip(score, low, None) - low) / (score.max() - low)
    return (
        scale * (scores * clipped).sum(axis=0) / np.maximum(scores.sum(axis=0), 1e-12)
    )


@pytest.mark.parametrize("variant", ["language", "vision"])
@pytest.mark.parametrize("density", [0.05, 0.4])
def test_pcb_over_all_tensors_is_the_rule_on_one_vector(variant, density):
    rng = np.random.default_rng(1)
    chunks = [rng.normal(0, 0.1, (3, *shape)) for shape in [(30, 20), (500,), (5, 5)]]
    stream = [(NO_INFO, chunk) for chunk in chunks]
    elementwise = Pcb(density=density, variant=variant).statistics_pass(stream)
    merged = np.concatenate([elementwise(chunk, NO_INFO).ravel() for chunk in chunks])
    expected = pcb_by_hand(
        np.concatenate([chunk.reshape(3, -1) for chunk in chunks], axis=1),
        density,
        scale=1.2,
        share={"language": 1e-4, "vision": 0.01}[variant],
        vision=variant == "vision",
    )
    np.testing.assert_allclose(merged, expected, atol=1e-12)


def test_many_experts_do_not_overflow_pcb():
    tau = np.random.default_rng(2).normal(size=(800, 50)).astype(np.float32)
    assert np.isfinite(Pcb(density=0.5)(tau)).all()


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (Breadcrumbs, {"density": 0.0}),
        (Breadcrumbs, {"gamma": 1.1}),
        (Sce, {"density": 2.0}),
        (Pcb, {"density": 0.0}),
        (Pcb, {"scale": np.inf}),
    ],
)
def test_rejects(kind, params):
    with pytest.raises(InputError, match=next(iter(params))):
        kind(**params)
