"""PCB, also sorted in full; numbers of the authors' two scripts: ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.pcb import Pcb

NO_INFO = TensorInfo()


def test_by_hand():
    tau = np.array([[400.0, 400.0, 200.0, 0.0], [400.0, 400.0, 400.0, 0.0]])
    # Between 0 and 400 the sizes are (1, 1, 1/2, 0) and (1, 1, 1, 0), tanh is next to 1
    # where anything moved: less e^2 each, scores are (1, 1, e^-1.5, 0), (1, 1, 1, 0).
    low = np.exp(-1.5)
    mean = (200 * low + 400) / (1 + low)
    merged = Pcb(density=1, scale=0.5)(tau)
    np.testing.assert_allclose(merged, [200, 200, mean / 2, 0])
    # Place int(0.25 * 4) from below becomes 0: e^-1.5 for the first, 1 for the second.
    # All scores of the second are that or less: nothing of it counts.
    merged = Pcb(density=0.75, scale=1)(tau)
    np.testing.assert_allclose(merged, [400, 400, 0, 0])


def pcb_by_sorting(tau, density, scale, share, *, vision):
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
def test_over_all_tensors_it_is_the_rule_on_one_vector(variant, density):
    rng = np.random.default_rng(1)
    chunks = [rng.normal(0, 0.1, (3, *shape)) for shape in [(30, 20), (500,), (5, 5)]]
    stream = [(NO_INFO, chunk) for chunk in chunks]
    elementwise = Pcb(density=density, variant=variant).statistics_pass(stream)
    merged = np.concatenate([elementwise(chunk, NO_INFO).ravel() for chunk in chunks])
    expected = pcb_by_sorting(
        np.concatenate([chunk.reshape(3, -1) for chunk in chunks], axis=1),
        density,
        scale=1.2,
        share={"language": 1e-4, "vision": 0.01}[variant],
        vision=variant == "vision",
    )
    np.testing.assert_allclose(merged, expected, atol=1e-12)


def test_many_experts_do_not_overflow():
    tau = np.random.default_rng(2).normal(size=(800, 50)).astype(np.float32)
    merged = Pcb(density=0.5)(tau)
    assert np.isfinite(merged).all()
    # It is a mean, weighted, times the scale.
    assert 0 < abs(merged).max() <= 1.2 * abs(tau).max()


@pytest.mark.parametrize("params", [{"density": 0.0}, {"scale": np.inf}])
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Pcb(**params)
