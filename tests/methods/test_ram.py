"""RAM; mergekit's numbers are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.ram import Ram
from tests.methods._arrays import assert_close, normal

TAU = np.array([[4.0, 1.0, 0.0, 6.0], [2.0, 0.0, 5.0, -3.0], [0.0, 0.0, 0.0, 3.0]])


def test_shared_entries_are_averaged_and_others_kept():
    assert_close(Ram(rescale=0.0)(TAU), [3.0, 1.0, 5.0, 2.0])


def test_what_one_alone_changed_is_stretched():
    # The first shares two entries and has one of its own, so does the second.
    assert_close(Ram(rescale=0.1, limit=9)(TAU), [3.0, 1.2, 6.0, 2.0])
    assert_close(Ram(rescale=0.1, limit=0.5)(TAU), [3.0, 1.05, 5.25, 2.0])


def test_small_entries_are_no_change():
    tau = np.array([[4.0, 1e-6, 2e-5], [1e-6, 1e-6, 0.0]])
    assert_close(Ram(rescale=0.0)(tau), [4.0, 0.0, 2e-5])


@pytest.mark.parametrize("count", ["global", "tensor"])
def test_the_counts_are_of_the_model_or_of_a_tensor(count):
    tensors = {name: normal(3, 40, seed=i) for i, name in enumerate("ab")}
    tensors["b"] *= 3
    method = Ram(threshold=1.0, limit=9, count=count)
    assert method.scope == ("model" if count == "global" else "tensor")
    stream = [(TensorInfo(name=n), list(x)) for n, x in tensors.items()]
    merge = method.statistics_pass(stream)
    both = np.concatenate([merge(x, info) for info, x in stream])
    alone = np.concatenate([method(x) for x in tensors.values()])
    assert_close(both, method(np.concatenate(list(tensors.values()), axis=1)))
    assert not np.allclose(both, alone)


@pytest.mark.parametrize(
    "params", [{"rescale": np.nan}, {"limit": -1.0}, {"threshold": -1.0}]
)
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Ram(**params)
