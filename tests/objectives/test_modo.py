"""MoDo against the closed form, TorchJD's own, and the standard toy problem."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchjd.aggregation import MoDoWeighting

from espnet_merge.errors import InputError
from espnet_merge.objectives.modo import MoDo, project_on_simplex

entries = st.floats(-10, 10, width=32)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.lists(entries, min_size=1, max_size=6))
def test_projection_is_on_the_simplex_and_nearest(values):
    point = torch.tensor(values, dtype=torch.float64)
    found = project_on_simplex(point)
    assert (found >= 0).all()
    assert found.sum().item() == pytest.approx(1)
    # The nearest point of a convex set: no corner lies beyond the tangent plane.
    for corner in torch.eye(len(values), dtype=torch.float64):
        assert torch.dot(point - found, corner - found) <= 1e-9


def test_step_by_hand():
    # The product with (0.5, 0.5) is (1, 3): (0.4, 0.2) is left, and 0.2 is missing.
    gram = torch.tensor([[2.0, 0.0], [0.0, 6.0]])
    found = MoDo(gamma=0.1, rho=0.0)(torch.tensor([0.5, 0.5]), gram)
    torch.testing.assert_close(found, torch.tensor([0.6, 0.4]))


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.integers(0, 1000), st.integers(2, 5))
def test_equals_torchjd(seed, count):
    generator = torch.Generator().manual_seed(seed)
    theirs = MoDoWeighting(gamma=0.01, rho=0.001)
    ours, weights = MoDo(), torch.full((count,), 1 / count)
    for _ in range(5):
        gram = torch.randn(count, count, generator=generator)
        weights = ours(weights, gram)
        torch.testing.assert_close(weights, theirs(gram), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_two_objectives_reach_the_closed_form(seed):
    rows = torch.randn(2, 8, generator=torch.Generator().manual_seed(seed)).double()
    weights, gram = torch.tensor([0.5, 0.5], dtype=torch.float64), rows @ rows.T
    for _ in range(1000):
        weights = MoDo(gamma=0.05, rho=0.0)(weights, gram)
    assert weights[0].item() == pytest.approx(shortest(*rows)[0].item(), abs=1e-4)


def toy(x):
    """The two losses of Liu et al., Conflict-Averse Gradient Descent, Sec. 5.1."""
    low = 5e-6
    f1 = (0.5 * (-x[0] - 7) - torch.tanh(-x[1])).abs().clamp(min=low).log() + 6
    f2 = (0.5 * (-x[0] + 3) + torch.tanh(-x[1]) + 2).abs().clamp(min=low).log() + 6
    g1 = ((-x[0] + 7) ** 2 + 0.1 * (-x[1] - 8) ** 2) / 10 - 20
    g2 = ((-x[0] - 7) ** 2 + 0.1 * (-x[1] - 8) ** 2) / 10 - 20
    c1 = torch.tanh(0.5 * x[1]).clamp(min=0)
    c2 = torch.tanh(-0.5 * x[1]).clamp(min=0)
    return f1 * c1 + g1 * c2, f2 * c1 + g2 * c2


def gradients(x):
    first, second = toy(x)
    return torch.stack(
        [
            torch.autograd.grad(first, x, retain_graph=True)[0],
            torch.autograd.grad(second, x)[0],
        ]
    )


def shortest(g1, g2):
    """The closed form for two gradients: the share of the first, cut to [0, 1]."""
    share = torch.clamp(torch.dot(g2, g2 - g1) / (g1 - g2).square().sum(), 0, 1)
    return share, (share * g1 + (1 - share) * g2).norm()


@pytest.mark.parametrize("start", [(-8.5, 7.5), (-8.5, -5.0), (9.0, 9.0)])
def test_converges_on_the_standard_toy_problem(start):
    """From the published starts, to a point where no direction helps both losses."""
    x = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    assert shortest(*gradients(x))[1] > 0.02
    optimizer = torch.optim.Adam([x], lr=0.1)
    weights, solver = torch.tensor([0.5, 0.5], dtype=torch.float64), MoDo()
    for _ in range(1000):
        rows = gradients(x)
        weights = solver(weights, rows @ rows.T)
        x.grad = weights @ rows
        optimizer.step()
    assert shortest(*gradients(x))[1] < 0.01
    # Between the minima of the two losses, which are Pareto optimal.
    assert -7 < x[0] < 7
    assert x[1].item() == pytest.approx(-8.3, abs=0.2)


@pytest.mark.parametrize("conf", [{"gamma": 0.0}, {"gamma": -1}, {"rho": -0.1}])
def test_values_out_of_range(conf):
    with pytest.raises(InputError, match="must be"):
        MoDo(**conf)
