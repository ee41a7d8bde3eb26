"""Solvers by name; TorchJD's own aggregators are the oracle."""

import pytest
import torch
from torchjd import aggregation

from espnet_merge.errors import InputError
from espnet_merge.objectives.modo import MoDo
from espnet_merge.objectives.solvers import build_solver

ROWS = torch.tensor([[4.0, 1.0, 0.0], [-3.0, 2.0, 1.0], [0.5, -1.0, 2.0]])


@pytest.mark.parametrize(
    ("name", "conf"),
    [
        ("MGDA", {}),
        ("UPGrad", {}),
        ("DualProj", {}),
        ("IMTLG", {}),
        ("AlignedMTL", {}),
        ("FairGrad", {"alpha": 1.0}),
    ],
)
def test_direction_is_that_of_torchjd(name, conf):
    solver = build_solver(name, conf)
    weights = solver(torch.full((3,), 1 / 3), ROWS @ ROWS.T)
    expected = getattr(aggregation, name)(**conf)(ROWS.double())
    torch.testing.assert_close(
        (weights @ ROWS).double(), expected, atol=1e-3, rtol=1e-3
    )


def test_pcgrad_projects_conflicts_away():
    # Two gradients need no random order: each loses its part along the other.
    rows = ROWS[:2]
    weights = build_solver("PCGrad", {})(torch.full((2,), 0.5), rows @ rows.T)
    g1, g2 = rows
    dot = torch.dot(g1, g2)
    expected = g1 - dot / g2.dot(g2) * g2 + g2 - dot / g1.dot(g1) * g1
    torch.testing.assert_close(weights @ rows, expected)


def test_modo_and_static():
    assert build_solver("modo", {"gamma": 0.1}) == MoDo(gamma=0.1)
    assert build_solver("static", {}) is None


@pytest.mark.parametrize(
    ("name", "conf", "message"),
    [
        ("mdoo", {}, "solver must be one of .*MGDA.*modo.*; got 'mdoo'"),
        ("NashMTL", {"n_tasks": 2}, "solver must be one of"),
        ("GradVac", {}, "solver must be one of"),  # keeps state of its own
        ("modo", {"gama": 0.1}, "solver_conf must fit modo.*gama"),
        ("modo", {"gamma": 0}, "gamma must be positive"),
        ("MGDA", {"epsilon": -1, "colour": 1}, "solver_conf must fit MGDA"),
        ("static", {"gamma": 1}, "static takes no solver_conf"),
    ],
)
def test_refusals(name, conf, message):
    with pytest.raises(InputError, match=message):
        build_solver(name, conf)


def test_a_missing_package_is_named(monkeypatch):
    def without(*_args, **_kwargs):
        raise ImportError("CAGrad requires ['cvxpy'] to be installed")

    monkeypatch.setattr(aggregation.CAGrad, "__init__", without)
    with pytest.raises(InputError, match=r"solver CAGrad: .*cvxpy"):
        build_solver("CAGrad", {"c": 0.5})
