"""BoostedTSV-M; its rule over plain decompositions is in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.linalg.decompose import svd
from espnet_merge.methods.boosted_tsv_m import BoostedTsvM
from espnet_merge.methods.tsv_m import TsvM
from tests.methods._arrays import ORTHOGONALISERS, assert_close, low, normal


def test_boost_lifts_the_tail_to_the_floor():
    tau = np.diag([5.0, 3.0, 1.0, 1.0])
    # Shares 0.5, 0.8, 0.9, 1; of the squares 25/36, 34/36, 35/36, 1.
    for beta, energy, floor in [
        (0.5, "linear", 5),
        (0.51, "linear", 3),
        (0.8, "linear", 3),
        (0.95, "linear", 1),
        (0.7, "squared", 3),
        (1.0, "squared", 1),
    ]:
        method = BoostedTsvM(beta=beta, energy=energy, orthogonalise="svd")
        boosted = [max(s, floor) for s in (5, 3, 1, 1)]
        assert method([tau]).diagonal().tolist() == pytest.approx(boosted)


@pytest.mark.parametrize("how", ORTHOGONALISERS)
def test_beta_one_is_tsv_m(how):
    deltas = [normal(20, 30, seed=i) for i in range(3)]
    boosted = BoostedTsvM(beta=1, orthogonalise=how)(deltas)
    assert_close(boosted, TsvM(orthogonalise=how)(deltas), rtol=0, atol=0)


def test_an_adapter_keeps_its_rank_when_boosted():
    boosted = BoostedTsvM(beta=0.1, orthogonalise="svd")([low(20, 20, 3)])
    parts = svd(boosted)
    assert len(parts.s) == 3
    assert_close(parts.s, parts.s[:1] * np.ones(3))


@pytest.mark.parametrize("params", [{"beta": 0.0}, {"rank_fraction": 2.0}])
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        BoostedTsvM(**params)
