"""The oracle is peft: each row of a mixed batch as with its adapter alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from espnet_merge.checkpoint.adapter import open_adapter
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.decode.expert import load_routed
from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import add_adapter, load_adapter, save_adapter
from espnet_merge.lora.routed import RoutedLinear, add_routed
from espnet_merge.whisper.context import Context
from espnet_merge.whisper.model import decode, encode, load_whisper, logits
from tests.micro import write_micro_whisper

# Different ranks, scales and layers.
CONFS = {
    "es": {"r": 2, "lora_alpha": 3},
    "it": {"r": 5, "use_rslora": True},
    "ru": {"r": 3, "target_modules": ["q_proj", "fc2", "out_proj"]},
}


def write_adapter(base: Path, directory: Path, seed: int, conf: dict) -> Path:
    """Write a random adapter with a large effect."""
    directory.mkdir()
    torch.manual_seed(seed)
    model = add_adapter(load_whisper(base), conf, max_trainable_share=1.0)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    save_adapter(model, directory)
    return directory


@pytest.fixture(scope="module")
def adapters(micro_whisper, tmp_path_factory) -> list[Path]:
    directory = tmp_path_factory.mktemp("adapters")
    return [
        write_adapter(micro_whisper, directory / name, seed, conf)
        for seed, (name, conf) in enumerate(CONFS.items())
    ]


@pytest.fixture(scope="module")
def routed(micro_whisper, adapters):
    whisper = load_whisper(micro_whisper)
    add_routed(whisper, [open_adapter(path) for path in adapters])
    return whisper


FEATURES = torch.randn(4, 200, 80, generator=torch.Generator().manual_seed(1))
LENGTHS = torch.tensor([200, 160, 200, 120])
TOKENS = torch.tensor([[257, 261, 359, 363, 80]] * 4)


@torch.no_grad()
def scores(whisper, routes=None):
    device = whisper.device
    features, lengths, tokens = (x.to(device) for x in (FEATURES, LENGTHS, TOKENS))
    encoded = encode(whisper.model.encoder, features, lengths, routes)
    decoder = whisper.model.decoder
    return logits(decoder, decode(decoder, tokens, encoded)).cpu()


def test_each_row_is_as_with_its_adapter_alone(micro_whisper, adapters, routed):
    mixed = scores(routed, torch.tensor([2, 0, 3, 1]))
    alone = [scores(load_whisper(micro_whisper))]
    for path in adapters:
        expert = load_adapter(load_whisper(micro_whisper), path)
        alone.append(scores(expert.get_base_model()))
        assert (alone[-1] - alone[0]).abs().max() > 0.1
    for row, index in enumerate([2, 0, 3, 1]):
        torch.testing.assert_close(mixed[row], alone[index][row], rtol=1e-4, atol=1e-4)


@pytest.mark.gpu
def test_a_gpu_mixes_them_as_the_cpu_does(micro_whisper, adapters, routed):
    there = load_routed(micro_whisper, adapters, device="cuda")
    routes = torch.tensor([2, 0, 3, 1])
    mixed = scores(there, routes.to("cuda"))
    torch.testing.assert_close(mixed, scores(routed, routes), rtol=1e-3, atol=1e-3)


def test_without_routes_it_is_the_base_to_the_bit(micro_whisper, routed):
    base = scores(load_whisper(micro_whisper))
    assert torch.equal(scores(routed), base)
    assert torch.equal(scores(routed, torch.zeros(4, dtype=torch.long)), base)
    assert not any(parameter.requires_grad for parameter in routed.parameters())


def test_one_more_adapter_leaves_the_others_bit_identical(
    micro_whisper, adapters, routed
):
    fewer = load_whisper(micro_whisper)
    # The first two hold the highest rank, by which the others are filled up.
    add_routed(fewer, [open_adapter(path) for path in adapters[:2]])
    routes = torch.tensor([2, 0, 1, 1])
    assert torch.equal(scores(fewer, routes), scores(routed, routes))


def test_values_by_hand():
    layer = torch.nn.Linear(2, 2)
    layer.weight.data = torch.eye(2)
    layer.bias.data = torch.tensor([0.0, 1.0])
    context = Context()
    delta = Factored(np.array([[1.0], [2.0]]), np.array([[3.0, 4.0]]), 0.5)
    routed = RoutedLinear(layer, [None, delta], context).float()
    inputs = torch.ones(3, 1, 2)
    plain = [[1.0, 2.0]]
    assert routed(inputs).tolist() == [plain] * 3
    context.adapters = torch.tensor([0, 1, 2])
    assert routed(inputs).tolist() == [plain, plain, [[4.5, 9.0]]]
    context.adapters = torch.tensor([2, 1, 1])
    assert routed(inputs).tolist() == [[[4.5, 9.0]], plain, plain]


def test_another_base_is_refused(tmp_path, adapters):
    other = load_whisper(write_micro_whisper(tmp_path / "other", seed=1))
    with pytest.raises(InputError, match="the base it was trained on"):
        add_routed(other, [open_adapter(path) for path in adapters])


@pytest.mark.parametrize(
    ("name", "rule"),
    [("layers.0.fc1", "must have shape"), ("conv1", "must be the weight of a linear")],
)
def test_a_layer_that_does_not_fit_is_refused(micro_whisper, adapters, name, rule):
    adapter = open_adapter(adapters[0])
    query, place = (
        f"model.encoder.{module}.weight"
        for module in ("layers.0.self_attn.q_proj", name)
    )
    entries = {
        f"{place}.{letter}": adapter.weights.entries[f"{query}.{letter}"]
        for letter in "AB"
    }
    weights = replace(adapter.weights, entries=entries)
    odd = replace(adapter, scales={place: 1.0}, weights=weights)
    with pytest.raises(InputError, match=rule):
        add_routed(load_whisper(micro_whisper), [odd])
