"""The laws of a mixture of LoRA experts."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_merge.checkpoint.adapter import open_adapter
from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import base_digest, load_adapter
from espnet_merge.lora.guards import check_adapter_acts, check_gradients, frozen_digest
from espnet_merge.lora.mixture import MixtureLinear, add_mixture
from espnet_merge.lora.mixture_conf import MixtureConf, open_experts
from espnet_merge.lora.stored_mixture import (
    CONFIG,
    WEIGHTS,
    load_mixture,
    save_mixture,
)
from espnet_merge.tasks.whisper import WhisperModel
from espnet_merge.whisper.context import Context, masked_mean
from espnet_merge.whisper.model import decode, encode, load_whisper, logits, new_cache
from espnet_merge.whisper.prompt import load_tokenizer
from tests.lora.test_guards import BATCH
from tests.lora.test_routed import FEATURES, LENGTHS, TOKENS, scores, write_adapter
from tests.micro import write_micro_whisper

# Scales that are powers of two, so that it does not matter when they are applied.
CONFS = [{"r": 2, "lora_alpha": 4}, {"r": 4, "target_modules": ["q_proj", "fc2"]}]


@pytest.fixture(scope="module")
def adapters(micro_whisper, tmp_path_factory) -> list[Path]:
    directory = tmp_path_factory.mktemp("adapters")
    return [
        write_adapter(micro_whisper, directory / str(seed), seed, conf)
        for seed, conf in enumerate(CONFS)
    ]


def mixed(base, adapters, **conf):
    experts = [open_adapter(path) for path in adapters]
    settings = MixtureConf(**{"r": 3, **conf})
    return add_mixture(load_whisper(base), experts, settings)


def make_layer(ranks=(2, 3), rows=5, columns=7, seed=0, **conf):
    """A layer with random factors and a random gate."""
    torch.manual_seed(seed)
    layer = MixtureLinear(
        torch.nn.Linear(columns, rows),
        ranks,
        MixtureConf(**{"r": 4, "lora_alpha": 8, **conf}),
        Context(),
        columns,
    )
    for part in (layer.down, layer.up, layer.lora_B.data, layer.lora_gate.data):
        part.normal_()
    return layer.requires_grad_(False)


@given(
    seed=st.integers(0, 1000),
    top_k=st.sampled_from([None, 1, 2]),
    gate=st.sampled_from(["frame", "utterance"]),
)
def test_gate_weights_sum_to_one(seed, top_k, gate):
    layer = make_layer(seed=seed, top_k=top_k, gate=gate)
    gates = layer.gates(3 * torch.randn(2, 6, 7))
    assert gates.shape == (2, 6 if gate == "frame" else 1, 3)
    torch.testing.assert_close(gates.sum(-1), torch.ones(gates.shape[:2]))
    assert bool(((gates > 0).sum(-1) <= ((top_k or 2) + 1)).all())


@given(
    seed=st.integers(0, 1000),
    top_k=st.sampled_from([None, 1]),
    r=st.sampled_from([0, 4]),
)
def test_it_is_the_weighted_sum_of_the_deltas(seed, top_k, r):
    layer = make_layer(seed=seed, top_k=top_k, r=r)
    inputs = torch.randn(2, 6, 7)
    gates = layer.gates(inputs)
    expected = layer.base_layer(inputs)
    down = [*layer.down.split([2, 3]), layer.lora_A]
    up = [*layer.up.split([2, 3], dim=1), 8 / 4 * layer.lora_B]
    for expert, (a, b) in enumerate(zip(down, up, strict=True)):
        expected = expected + gates[..., expert, None] * (inputs @ a.T @ b.T)
    torch.testing.assert_close(layer(inputs), expected, rtol=1e-4, atol=1e-4)


def test_a_gate_starts_uniform():
    layer = make_layer()
    layer.lora_gate.zero_()
    assert layer.gates(torch.randn(2, 6, 7)).unique().tolist() == [pytest.approx(1 / 3)]


def test_without_b_it_is_the_base(micro_whisper, adapters):
    mixture = mixed(micro_whisper, adapters)
    for layer in mixture.layers().values():
        layer.up.zero_()
    base = load_whisper(micro_whisper)
    assert torch.equal(scores(mixture.whisper), scores(base))
    assert base_digest(mixture.whisper) == base_digest(base)


@pytest.mark.parametrize("expert", [0, 1])
def test_a_one_hot_gate_is_that_adapter_to_the_bit(micro_whisper, adapters, expert):
    mixture = mixed(micro_whisper, adapters, top_k=2, gate="utterance")
    for layer in mixture.layers().values():
        layer.gates = lambda x: torch.eye(3)[expert].expand(len(x), 1, 3)
    alone = load_adapter(load_whisper(micro_whisper), adapters[expert])
    assert torch.equal(scores(mixture.whisper), scores(alone.get_base_model()))


@pytest.mark.parametrize("gate", ["frame", "utterance"])
@pytest.mark.parametrize(("top_k", "r"), [(None, 3), (1, 3), (None, 0)])
def test_gradients_only_in_gate_and_new_adapter(
    micro_whisper, adapters, gate, top_k, r
):
    mixture = mixed(micro_whisper, adapters, gate=gate, top_k=top_k, r=r)
    trained = {
        name.rpartition(".")[2]
        for name, p in mixture.named_parameters()
        if p.requires_grad
    }
    assert trained == {"lora_gate", *(("lora_A", "lora_B") if r else ())}
    model = WhisperModel(mixture, load_tokenizer(micro_whisper))
    assert model.has_adapter
    check_gradients(model, [BATCH])
    before = frozen_digest(model)
    down = {name: layer.down.clone() for name, layer in mixture.layers().items()}
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=1.0
    )
    losses = []
    for _ in range(3):
        loss = model(**BATCH)[0]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert frozen_digest(model) == before
    for name, layer in mixture.layers().items():
        assert torch.equal(layer.down, down[name])
        assert layer.lora_gate.any()
        assert layer.lora_B.any() == (r > 0)
    check_adapter_acts(model, BATCH)


def test_gradient_checkpointing_changes_nothing(micro_whisper, adapters):
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        mixture = mixed(micro_whisper, adapters, gate="utterance")
        if checkpointing:
            mixture.whisper.activation_checkpointing_enable({"use_reentrant": False})
        model = WhisperModel(mixture, load_tokenizer(micro_whisper)).train()
        model(**BATCH)[0].backward()
        gradients.append(
            {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        )
    plain, checkpointed = gradients
    assert plain.keys() == checkpointed.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(checkpointed[name], gradient)


# At each frame the choice of the best two may turn on rounding.
@pytest.mark.parametrize(
    ("gate", "top_k"), [("frame", None), ("utterance", None), ("utterance", 1)]
)
def test_an_utterance_is_the_same_alone_and_token_by_token(
    micro_whisper, adapters, gate, top_k
):
    mixture = mixed(micro_whisper, adapters, gate=gate, top_k=top_k)
    for layer in mixture.layers().values():
        torch.nn.init.normal_(layer.lora_gate, std=0.5)
        torch.nn.init.normal_(layer.lora_B, std=0.1)
    whisper = mixture.requires_grad_(False).eval().whisper
    together = scores(whisper)
    for row in (1, 3):
        length = int(LENGTHS[row])
        encoded = encode(whisper.model.encoder, FEATURES[row : row + 1, :length])
        cache, decoder = new_cache(), whisper.model.decoder
        states = [
            decode(decoder, TOKENS[row : row + 1, t : t + 1], encoded, cache)
            for t in range(TOKENS.shape[1])
        ]
        alone = logits(decoder, torch.cat(states, dim=1))[0]
        torch.testing.assert_close(alone, together[row], rtol=1e-3, atol=1e-3)


def test_the_mean_is_over_what_is_heard():
    states = torch.tensor([[[1.0], [3.0], [100.0]], [[1.0], [2.0], [6.0]]])
    mask = torch.tensor([[0.0, 0.0, -1e38], [0.0, 0.0, 0.0]])[:, None, None]
    assert masked_mean(states, mask).flatten().tolist() == [2.0, 3.0]
    assert masked_mean(states[1:], None).item() == 3.0


@pytest.mark.parametrize("r", [0, 3])
def test_saved_and_loaded_it_is_the_same(micro_whisper, adapters, tmp_path, r):
    mixture = mixed(micro_whisper, adapters, gate="utterance", lora_alpha=5, r=r)
    for layer in mixture.layers().values():
        torch.nn.init.normal_(layer.lora_gate)
        layer.lora_B.data.normal_()
    save_mixture(mixture, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [WEIGHTS, CONFIG]
    loaded = load_mixture(load_whisper(micro_whisper), tmp_path)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert torch.equal(scores(loaded.whisper), scores(mixture.whisper))
    assert loaded.experts == [str(path) for path in adapters]


def test_what_is_broken_or_of_another_base_is_refused(
    micro_whisper, adapters, tmp_path
):
    save_mixture(mixed(micro_whisper, adapters), tmp_path)
    other = load_whisper(write_micro_whisper(tmp_path / "other", seed=1))
    with pytest.raises(InputError, match="the base it was trained on"):
        load_mixture(other, tmp_path)
    config = json.loads((tmp_path / CONFIG).read_text())

    def refuse(rule, **changes):
        (tmp_path / CONFIG).write_text(json.dumps({**config, **changes}))
        with pytest.raises(InputError, match=rule):
            load_mixture(load_whisper(micro_whisper), tmp_path)

    refuse("must be 1; got 2", format=2)
    refuse("tensors differ", r=2)
    refuse("gate of a mixture must be one of", gate="word")
    shutil.copy(tmp_path / CONFIG, tmp_path / WEIGHTS)
    refuse("whole safetensors file")
    (tmp_path / CONFIG).write_text("{}")
    with pytest.raises(InputError, match="configuration of a mixture; KeyError"):
        load_mixture(load_whisper(micro_whisper), tmp_path)


@pytest.mark.parametrize(
    ("conf", "rule"),
    [
        ({"gate": "word"}, "one of frame, utterance; got 'word'"),
        ({"r": -1}, "r of a mixture must be a whole number from 0; got -1"),
        ({"top_k": 0}, "top_k of a mixture must be a whole number from 1; got 0"),
        ({"top_k": 1.5}, "top_k of a mixture must be a whole number"),
        ({"lora_alpha": "a"}, "number above 0"),
        ({"rank": 3}, "mixture_conf takes adapters, r"),
        ({"adapters": "x"}, "must be a list"),
    ],
)
def test_a_configuration_that_is_none(conf, rule):
    with pytest.raises(InputError, match=rule):
        open_experts(conf)


def test_experts_that_are_none(micro_whisper, adapters, tmp_path):
    for count, conf, rule in [
        (0, {}, "at least one expert"),
        (2, {"top_k": 3}, r"from 1 to its 2 frozen experts; got 3"),
    ]:
        with pytest.raises(InputError, match=rule):
            mixed(micro_whisper, adapters[:count], **conf)
    other = write_micro_whisper(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match="the base it was trained on"):
        mixed(other, adapters)
