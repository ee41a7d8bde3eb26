import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods._select import keep_largest, thresholds
from espnet_merge.methods.ties import Ties

NO_INFO = TensorInfo()


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
    stream = [(NO_INFO, deltas) for deltas in chunks]
    for i, found in enumerate(thresholds(stream, density)):
        whole = np.sort(np.abs(np.concatenate([p[i].ravel() for p in chunks])))[::-1]
        place = min(int(density * whole.size), whole.size - 1)
        assert found == whole[place]
        assert found.dtype == dtype


def test_global_trim_looks_at_all_tensors():
    large, small = np.array([[5.0, -4.0]]), np.array([[0.1, 0.2]])
    elementwise = Ties(density=0.25, trim="global").statistics_pass(
        [(NO_INFO, large), (NO_INFO, small)]
    )
    assert elementwise(large, NO_INFO).tolist() == [
        5.0,
        -4.0,
    ]  # int(0.25 * 4) + 1 entries
    assert elementwise(small, NO_INFO).tolist() == [0.0, 0.0]


def test_experts_against_the_elected_sign_do_not_count():
    tau = np.array([[3.0, 1.0], [1.0, -2.0], [-1.0, -4.0]])
    assert Ties(density=1)(tau).tolist() == [2.0, -3.0]
    assert Ties(density=1, consensus="sum", scale=0.5)(tau).tolist() == [2.0, -3.0]


def test_weights_enter_election_and_mean():
    tau = np.array([[1.0], [-2.0]])
    assert Ties(density=1, weights=(3.0, 1.0))(tau).tolist() == [1.0]
    assert Ties(density=1, weights=(1.0, 1.0))(tau).tolist() == [-2.0]
    agree = np.array([[1.0], [5.0]])
    assert Ties(density=1, weights=(3.0, 1.0))(agree).tolist() == [2.0]


def test_a_short_vector_keeps_its_largest_entry():
    assert Ties(density=0.2)(np.array([[1.0, 3.0]])).tolist() == [0.0, 3.0]


@pytest.mark.parametrize(
    "params",
    [{"density": 0.0}, {"density": 1.01}, {"weights": (1.0, -1.0)}, {"scale": np.inf}],
)
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Ties(**params)
