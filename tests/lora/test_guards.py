"""Each guard must fire on the mistake that it is for."""

import pytest
import torch
from torch import nn

from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import add_adapter
from espnet_merge.lora.guards import check_adapter_acts, check_gradients, frozen_digest
from espnet_merge.tasks.whisper import WhisperModel
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.prompt import load_tokenizer

BATCH = {
    "speech": torch.randn(1, 200, 80, generator=torch.Generator().manual_seed(0)),
    "speech_lengths": torch.tensor([200]),
    "text": torch.tensor([[257, 261, 359, 363, 80, 81, 256]]),
    "text_lengths": torch.tensor([7]),
    "learnt": torch.tensor([[0, 0, 0, 0, 1, 1, 1]]),
}


@pytest.fixture
def model(micro_whisper) -> WhisperModel:
    network = add_adapter(load_whisper(micro_whisper), {"r": 2})
    return WhisperModel(network, load_tokenizer(micro_whisper))


def test_sound_model_passes(model):
    check_gradients(model, [BATCH])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_layer_that_trains_nothing(model):
    """What reentrant checkpointing did to frozen inputs: a layer without gradient."""
    layer = model.whisper.model.encoder.layers[0]
    whole = layer.forward
    layer.forward = lambda *a, **k: whole(*a, **k).detach()
    with pytest.raises(InputError, match="gets no gradient"):
        check_gradients(model, [BATCH])


def test_a_factor_that_trains_nothing(model):
    """B = 0 hides that A has no gradient, until B has moved."""
    down = model.whisper.model.encoder.layers[0].fc1.lora_A["default"]
    down.forward = lambda x: nn.functional.linear(x, down.weight.detach())
    with pytest.raises(InputError, match=r"layers\.0\.fc1\.lora_A.*no gradient"):
        check_gradients(model, [BATCH])


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_step_to_look_at_gradients_is_taken_back(model, checkpointing):
    if checkpointing:
        model.whisper.activation_checkpointing_enable({"use_reentrant": False})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    check_gradients(model, [BATCH])
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_loss_that_is_not_finite(model):
    with torch.no_grad():
        model.whisper.model.encoder.conv1.weight.fill_(float("nan"))
    with pytest.raises(InputError, match="must be finite"):
        check_gradients(model, [BATCH])


def test_adapter_without_effect(model):
    with pytest.raises(InputError, match="must change the scores"):
        check_adapter_acts(model, BATCH)  # B is zero
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter)
    check_adapter_acts(model, BATCH)


def test_digest_sees_a_changed_base(model):
    before = frozen_digest(model)
    with torch.no_grad():
        model.whisper.model.encoder.conv1.bias[0] += 1e-3
    assert frozen_digest(model) != before
