"""The methods that change a spectrum: iso_c, iso_cts and boosted_tsv_m."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.errors import InputError
from espnet_merge.linalg.decompose import svd
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.boosted_tsv_m import BoostedTsvM
from espnet_merge.methods.iso_c import IsoC
from espnet_merge.methods.iso_cts import IsoCts
from espnet_merge.methods.tsv_m import TsvM
from espnet_merge.methods.wudi import Wudi
from tests.methods.test_tsv_m import assert_close, kinds, low, normal

METHODS = [
    kind(orthogonalise=how)
    for kind in (IsoC, IsoCts, BoostedTsvM)
    for how in ("svd", "eigh", "newton_schulz")
]
TSV = [TsvM(orthogonalise=how) for how in ("svd", "eigh", "newton_schulz")]


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("shape", [(24, 24), (64, 16), (16, 64)], ids=str)
@pytest.mark.parametrize("kind", kinds(2, 2))
def test_a_small_change_of_the_input_moves_the_result_little(kind, shape, method):
    deltas = kinds(*shape)[kind]
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


@pytest.mark.parametrize("method", [*METHODS, *TSV, Wudi()], ids=repr)
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


def test_iso_c_levels_the_spectrum_of_the_sum():
    deltas = [normal(10, 6), normal(10, 6, seed=1)]
    total, merged = svd(sum(deltas)), svd(IsoC(scale=2)(deltas))
    assert_close(merged.s, (2 * total.s.mean()) * np.ones(6))
    assert_close(merged.dense(), 2 * total.s.mean() * total.u @ total.v.T)


def test_iso_c_leaves_alone_what_no_expert_learned():
    adapters = [low(12, 12, 2), low(12, 12, 2, seed=1)]
    merged = svd(IsoC()(adapters))
    expected = svd(sum(adapters))
    assert len(merged.s) == 4
    assert_close(merged.s, expected.s.mean() * np.ones(4))
    assert_close(merged.u @ merged.u.T, expected.u @ expected.u.T)


def test_iso_c_takes_rounding_for_no_direction():
    base = normal(32, 32).astype("f").astype("d")
    adapters = [low(32, 32, 2, seed=i) / 1000 for i in range(2)]
    rounded = [(base + d).astype("f").astype("d") - base for d in adapters]
    assert len(svd(IsoC()(rounded, TensorInfo(base=base.astype("f")))).s) == 4


def test_iso_cts_keeps_common_directions_and_gives_tasks_the_rest():
    # e1 e1' is common; the tasks own e2 e2' and e3 e3', and R = 3, f = 1/3.
    one, two = (
        np.diag([4.0, 2, 0]),
        np.diag([4.0, 0, 1]),
    )
    merged = IsoCts(common_fraction=0.4)([one, two])
    # Singular values 8 (of the sum), 2 and 1: their mean is 11/3.
    assert_close(merged, 11 / 3 * np.eye(3))


@pytest.mark.parametrize(("full", "fraction", "common"), [(48, 0.8, 40), (12, 0.5, 4)])
def test_iso_cts_rounds_halves_to_even(full, fraction, common):
    # 48: 10 / 4 = 2.5 -> 2 a task; 12: 6 / 4 = 1.5 -> 2 a task.
    deltas = [normal(full, full, seed=i) for i in range(4)]
    total = svd(sum(deltas))
    merged = IsoCts(common_fraction=fraction)(deltas)
    each = (full - common) // 4
    own = [svd(d - total.u[:, :common] @ (total.u[:, :common].T @ d)) for d in deltas]
    values = np.concatenate([total.s[:common], *(part.s[:each] for part in own)])
    # The polar factors are square here: all singular values are the mean.
    assert_close(svd(merged).s, values.mean() * np.ones(full))


def test_iso_cts_with_everything_in_common_is_iso_c():
    deltas = [normal(9, 7), normal(9, 7, seed=1)]
    merged = IsoCts(common_fraction=1)(deltas)
    assert_close(merged, IsoC()(deltas))


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


@pytest.mark.parametrize("how", ["svd", "eigh", "newton_schulz"])
def test_beta_one_is_tsv_m(how):
    deltas = [normal(20, 30, seed=i) for i in range(3)]
    boosted = BoostedTsvM(beta=1, orthogonalise=how)(deltas)
    assert_close(boosted, TsvM(orthogonalise=how)(deltas), rtol=0, atol=0)


def test_an_adapter_keeps_its_rank_when_boosted():
    boosted = BoostedTsvM(beta=0.1, orthogonalise="svd")([low(20, 20, 3)])
    parts = svd(boosted)
    assert len(parts.s) == 3
    assert_close(parts.s, parts.s[:1] * np.ones(3))


@pytest.mark.parametrize("kind", [IsoC, IsoCts, BoostedTsvM])
def test_other_tensors_take_the_mean(kind):
    deltas = [normal(6, 6), normal(6, 6, seed=1)]
    mean = np.mean(deltas, axis=0)
    table = TensorInfo(name="model.decoder.embed_tokens.weight", role="embedding")
    assert_close(kind(scale=2)(deltas, table), 2 * mean)
    everywhere = kind(spectral="all_2d")(deltas, table)
    assert_close(everywhere, kind()(deltas))


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (IsoC, {"scale": math.inf}),
        (IsoCts, {"common_fraction": 1.1}),
        (IsoCts, {"scale": np.nan}),
        (BoostedTsvM, {"beta": 0.0}),
        (BoostedTsvM, {"rank_fraction": 2.0}),
    ],
)
def test_rejects(kind, params):
    with pytest.raises(InputError, match=next(iter(params))):
        kind(**params)
