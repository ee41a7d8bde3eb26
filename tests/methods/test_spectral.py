"""What the methods that decompose matrices share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.checkpoint.factored import Factored
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.boosted_tsv_m import BoostedTsvM
from espnet_merge.methods.core_space import CoreSpace
from espnet_merge.methods.iso_c import IsoC
from espnet_merge.methods.iso_cts import IsoCts
from espnet_merge.methods.knots import Knots
from espnet_merge.methods.tsv_m import TsvM
from espnet_merge.methods.wudi import Wudi
from tests.methods._arrays import (
    ORTHOGONALISERS,
    adapters,
    assert_close,
    low,
    normal,
    stacks,
)

METHODS = [
    kind(orthogonalise=how)
    for kind in (IsoC, IsoCts, BoostedTsvM, TsvM)
    for how in ORTHOGONALISERS
]


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("shape", [(24, 24), (64, 16), (16, 64)], ids=str)
@pytest.mark.parametrize("stack", stacks(2, 2))
def test_a_small_change_of_the_input_moves_the_result_little(stack, shape, method):
    deltas = stacks(*shape)[stack]
    merged = method(deltas)
    largest = max(np.linalg.norm(delta) for delta in deltas)
    for seed in range(3):
        noise = [normal(*shape, seed=100 + 10 * seed + i) for i in range(len(deltas))]
        pairs = zip(deltas, noise, strict=True)
        moved = method([d + 1e-9 * largest * x / np.linalg.norm(x) for d, x in pairs])
        assert np.linalg.norm(moved - merged) < 1e-5 * np.linalg.norm(merged)


@st.composite
def tasks(draw):
    """Full, low-rank, frozen, repeated and opposite task vectors of one shape."""
    rows, columns = draw(st.integers(6, 30)), draw(st.integers(6, 30))
    stack = []
    for i, kind in enumerate(draw(st.lists(st.sampled_from("flzdo"), min_size=2))[:5]):
        if kind == "l":
            stack.append(low(rows, columns, draw(st.integers(1, 5)), seed=i))
        elif kind == "z":
            stack.append(np.zeros((rows, columns)))
        elif kind == "f" or not stack:
            stack.append(normal(rows, columns, seed=i))
        else:
            stack.append(stack[0] if kind == "d" else -stack[0])
    return stack


@pytest.mark.parametrize("method", [*METHODS, Wudi()], ids=repr)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(deltas=tasks())
def test_a_small_change_moves_any_merge_little(method, deltas):
    merged = method(deltas)
    longest = max(np.linalg.norm(delta) for delta in deltas)
    noise = [normal(*deltas[0].shape, seed=99 + i) for i in range(len(deltas))]
    pairs = zip(deltas, noise, strict=True)
    moved = method([d + 1e-9 * longest * x / np.linalg.norm(x) for d, x in pairs])
    # Opposite task vectors cancel: what is left is measured by what went in.
    size = max(longest, np.linalg.norm(merged))
    assert np.linalg.norm(moved - merged) <= 1e-5 * size


@pytest.mark.parametrize(
    "kind", [TsvM, IsoC, IsoCts, BoostedTsvM, Wudi, Knots, CoreSpace]
)
def test_other_tensors_take_the_mean(kind):
    vectors = [np.ones(4), np.arange(4.0)]
    assert_close(kind(scale=2)(vectors), vectors[0] + vectors[1])
    deltas = [normal(6, 6), normal(6, 6, seed=1)]
    mean = np.mean(deltas, axis=0)
    table = TensorInfo(name="model.decoder.embed_tokens.weight", role="embedding")
    projection = TensorInfo(name="text_projection.weight", role="other")
    assert_close(kind(scale=2)(deltas, table), 2 * mean)
    everywhere = kind(spectral="all_2d")
    assert_close(everywhere(deltas, table), kind()(deltas))
    assert_close(everywhere(deltas, projection), mean)


@pytest.mark.parametrize("kind", [Knots, CoreSpace])
def test_summing_every_entry_in_a_basis_is_task_arithmetic(kind):
    # One sign everywhere: TIES has nothing to elect, and sums.
    one, two = adapters(12, 20, (3, 3))
    same = Factored(one.b, one.a, 2 * one.scale)
    method = kind(density=1.0, consensus="sum")
    np.testing.assert_allclose(method([one, same]).dense(), 3 * one.dense())
    # No loss: a task alone comes back.
    np.testing.assert_allclose(method([two]).dense(), two.dense(), atol=1e-12)
