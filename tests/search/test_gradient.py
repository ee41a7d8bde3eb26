"""The gradient in the weights of experts: by differences, and to an optimum."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from espnet_merge.decode.settings import Settings
from espnet_merge.merging.inputs import Inputs
from espnet_merge.merging.planned import opened
from espnet_merge.search.descent import descend
from espnet_merge.search.examples import with_references
from espnet_merge.search.gradient import gradient
from espnet_merge.search.groups import groups_of
from espnet_merge.search.learn import backward
from espnet_merge.search.objective import ENTROPY, LOSS, Losses
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.prompt import load_tokenizer
from tests.speech import write_data


@pytest.fixture(scope="module")
def recipe(finished_recipe):
    return finished_recipe / "exp"


@pytest.fixture(scope="module")
def inputs(recipe):
    found = opened(
        recipe / "base", [recipe / "full_es/model", recipe / "full_it/model"]
    )
    return Inputs(found["base"], found["experts"])


@pytest.fixture(scope="module")
def tensors(recipe):
    """The base, and the task vectors, in float64."""
    base, *experts = [
        {k: v.double() for k, v in load_file(recipe / path).items()}
        for path in (
            "base/model.safetensors",
            "full_es/model/model.safetensors",
            "full_it/model/model.safetensors",
        )
    ]
    return base, [{k: v - base[k] for k, v in x.items()} for x in experts]


def merged(tensors, groups, weights):
    base, taus = tensors
    row = {name: number for number, names in enumerate(groups) for name in names}
    return {
        name: value
        + sum(
            weight * tau[name]
            for weight, tau in zip(weights[row[name]], taus, strict=True)
        )
        for name, value in base.items()
    }


@pytest.mark.parametrize("kind", ["model", "layer", "tensor"])
def test_a_group_is_found_by_its_pattern_alone(inputs, kind):
    from re import search

    groups = groups_of(inputs.names, kind)
    for pattern, names in groups.items():
        assert names == [name for name in inputs.names if search(pattern, name)]
    assert len(groups) == {"model": 1, "tensor": len(inputs.names)}.get(kind, 4 + 7)


@pytest.mark.parametrize("measure", [LOSS, ENTROPY])
def test_the_gradient_is_that_of_finite_differences(
    inputs, tensors, recipe, tmp_path, measure
):
    """Central differences of the network in float64, in every direction."""
    data = write_data(tmp_path / "dev", languages=("es", "it"), count=2)
    settings = Settings(pad_to=0.0, batch_size=2)
    tokenizer = load_tokenizer(recipe / "base")
    examples = with_references([data], tokenizer, recipe / "base", settings)
    objective = Losses(examples, {}, settings, tokenizer, measure)
    whisper = load_whisper(recipe / "base").double()
    groups = [*groups_of(inputs.names, "layer").values()]
    weights = np.full((len(groups), 2), 0.4)

    def value(weights):
        whisper.load_state_dict(merged(tensors, groups, weights), strict=False)
        whisper.zero_grad()
        return backward(whisper, objective, [examples[data]])

    value(weights)
    gradients = {name: p.grad for name, p in whisper.named_parameters()}
    found = gradient(inputs, gradients, groups)
    expected = np.zeros_like(found)
    for place in np.ndindex(*weights.shape):
        step = np.zeros_like(weights)
        step[place] = 0.005
        expected[place] = (value(weights + step) - value(weights - step)) / 0.01
    assert abs(expected).max() > 1e-3
    np.testing.assert_allclose(
        found, expected, rtol=1e-3, atol=1e-4 * abs(expected).max()
    )


def test_a_quadratic_goes_to_its_known_optimum(inputs, tensors):
    """Half the squared distance to a merge of known weights."""
    base, taus = tensors
    layers = groups_of(inputs.names, "layer").values()
    groups = [names for names in layers if any(taus[0][n].any() for n in names)]
    base = {name: base[name] for names in groups for name in names}
    best = np.random.default_rng(0).uniform(0, 1, (len(groups), 2))
    target = merged((base, taus), groups, best)

    def measure(weights):
        model = merged((base, taus), groups, weights.numpy())
        gaps = {name: model[name] - target[name] for name in target}
        value = sum(float((gap**2).sum()) / 2 for gap in gaps.values())
        return value, torch.from_numpy(gradient(inputs, gaps, groups))

    weights = torch.full(best.shape, 0.5, dtype=torch.float64)
    curve = [*descend(weights, measure, steps=150, lr=0.05)]
    np.testing.assert_allclose(weights.numpy(), best, atol=1e-3)
    assert len(curve) == 150
    assert curve[-1] < 1e-4 * curve[0]


def test_tensors_that_the_loss_does_not_see_change_nothing(inputs, tensors):
    name = "model.encoder.layers.0.fc1.weight"
    ones = dict.fromkeys(inputs.names) | {name: torch.ones_like(tensors[0][name])}
    found = gradient(inputs, ones, [inputs.names[:3], inputs.names[3:]])
    row = int(name not in inputs.names[:3])
    assert found[row] == pytest.approx([float(t[name].sum()) for t in tensors[1]], 1e-4)
    assert found[1 - row].tolist() == [0, 0]
