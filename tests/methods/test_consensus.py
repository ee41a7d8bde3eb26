"""Consensus task arithmetic."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods.consensus import Consensus
from tests.methods._arrays import normal


def test_it_drops_what_is_selfish_or_catastrophic():
    tau = np.array([[1.0, 5.0, 1.0], [1.0, 0.5, 1.0], [1.0, 0.1, -2.0]])
    # Entry 0: 1 > 0.4 * 2 for all. Entry 1: only the first finds itself in 5.6.
    # Entry 2 sums to 0: 1 > 0.4, 1 > 0.4, 2 > 0.8.
    assert Consensus(scale=0.5)(tau).tolist() == [1.5, 0.0, 0.0]
    assert Consensus(agreement=1, scale=1)(tau).tolist() == pytest.approx(
        [3.0, 5.6, 0.0]
    )
    assert Consensus(ratio=0.6)(tau).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("agreement", [1, 2, 3])
def test_masks_are_those_of_the_paper(agreement):
    """Sec. 3.2 has them on weights: how far the merge is from the expert counts."""
    base, *experts = normal(4, 500)
    merged = base + sum(expert - base for expert in experts)
    masks = [abs(x - base) > 0.6 * abs(merged - x) for x in experts]
    served = np.sum(masks, axis=0)
    assert set(served) == {0, 1, 2, 3}
    found = Consensus(ratio=0.6, agreement=agreement, scale=1)(
        [x - base for x in experts]
    )
    expected = np.where(served >= agreement, merged - base, 0)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_one_expert_is_restored_by_its_own_mask():
    tau = np.array([[1.0, 5.0, 1.0], [1.0, 0.5, -3.0]])
    one = Consensus(expert=1, scale=1)(tau)
    two = Consensus(expert=2, scale=1)(tau)
    # Of 2, 5.5 and -2: 1 > 0.4, 5 > 0.2, 1 < 1.2; and 1 > 0.4, 0.5 < 2, 3 > 0.4.
    assert (one.tolist(), two.tolist()) == ([2.0, 5.5, 0.0], [2.0, 0.0, -2.0])
    Consensus(expert=1).check_experts(1)
    with pytest.raises(InputError, match="expert 3 needs as many experts, got 2"):
        Consensus(expert=3).check_experts(2)


def test_it_needs_as_many_experts_as_must_agree():
    with pytest.raises(InputError, match="agreement of 3 needs as many experts, got 2"):
        Consensus(agreement=3).check_experts(2)


@pytest.mark.parametrize("params", [{"ratio": -0.1}, {"agreement": 0}, {"expert": 0}])
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Consensus(**params)
