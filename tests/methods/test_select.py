"""Selection by magnitude, of an array and of a stream."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.methods import TensorInfo
from espnet_merge.methods._order_statistics import order_statistics
from espnet_merge.methods._select import cuts, keep_largest, thresholds


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.integers(0, 31), st.data()
)
@settings(deadline=None, derandomize=True)
def test_keeps_exactly_so_many(values, count, data):
    values = np.array(values, data.draw(st.sampled_from(["f4", "f8"])))
    kept = keep_largest(values, count)
    chosen = sorted(range(len(values)), key=lambda i: (-abs(values[i]), i))[:count]
    expected = [v if i in chosen else 0 for i, v in enumerate(values)]
    assert kept.tolist() == expected


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("density", [0.001, 0.2, 0.5, 1.0])
def test_threshold_of_a_stream_is_that_of_the_whole_vector(dtype, density):
    rng = np.random.default_rng(0)
    shapes = [(7, 5), (3,), (40, 9), ()]
    chunks = [
        [np.array(rng.normal(0, 10.0**-i, shape), dtype) for i in range(2)]
        for shape in shapes
    ]
    chunks.append([np.zeros(50, dtype), -np.zeros(50, dtype)])
    stream = [(TensorInfo(), deltas) for deltas in chunks]
    for i, found in enumerate(thresholds(stream, density)):
        whole = np.sort(np.abs(np.concatenate([p[i].ravel() for p in chunks])))[::-1]
        place = min(int(density * whole.size), whole.size - 1)
        assert found == whole[place]
        assert found.dtype == dtype


def as_stream(values, count):
    """Cut a vector into so many chunks."""
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
