"""Adapters are applied whole, on their own base, or refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file

from espnet_merge.checkpoint.adapter_config import UNLIKE
from espnet_merge.errors import InputError
from espnet_merge.files import ADAPTER_WEIGHTS
from espnet_merge.lora.adapter import (
    add_adapter,
    base_digest,
    load_adapter,
    save_adapter,
)
from espnet_merge.whisper.model import load_whisper
from tests.micro import write_micro_whisper


@pytest.fixture(scope="module")
def adapter(micro_whisper: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = add_adapter(load_whisper(micro_whisper), {"r": 2})
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    directory = tmp_path_factory.mktemp("adapter")
    save_adapter(model, directory)
    return directory


@pytest.fixture
def copy(adapter: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(adapter, tmp_path / "adapter"))


def rewrite(directory: Path, change) -> None:
    weights = load_file(directory / ADAPTER_WEIGHTS)
    change(weights)
    save_file(weights, directory / ADAPTER_WEIGHTS, metadata={"format": "pt"})


def test_base_digest_does_not_see_the_adapter(micro_whisper):
    model = load_whisper(micro_whisper)
    before = base_digest(model)
    assert base_digest(add_adapter(model, {"r": 2}).get_base_model()) == before


def test_the_base_is_named_as_others_find_it(micro_whisper, adapter, tmp_path):
    config = LoraConfig.from_pretrained(adapter)
    assert config.base_model_name_or_path is None  # and no path of this machine
    base = shutil.copytree(micro_whisper, tmp_path / "base")
    commit = "5f0c" * 10
    record = {"source": "me/own", "origin": "hub:me/own", "commit": commit}
    (base / "fetch.json").write_text(json.dumps(record))
    model = add_adapter(load_whisper(base), {"r": 2})
    (tmp_path / "named").mkdir()
    save_adapter(model, tmp_path / "named")
    config = LoraConfig.from_pretrained(tmp_path / "named")
    assert config.base_model_name_or_path == "me/own"
    assert config.revision == commit
    load_adapter(load_whisper(base), tmp_path / "named")


def test_only_b_and_a_are_trainable(micro_whisper):
    model = add_adapter(load_whisper(micro_whisper), {"r": 2})
    trained = {n.split(".")[-3] for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {"lora_A", "lora_B"}


def test_loaded_adapter_is_frozen_and_acts(micro_whisper, adapter):
    base = load_whisper(micro_whisper)
    model = load_adapter(load_whisper(micro_whisper), adapter)
    assert not any(p.requires_grad for p in model.parameters())
    inputs = {
        "input_features": torch.randn(1, 80, 3000),
        "decoder_input_ids": torch.tensor([[257, 261]]),
    }
    with torch.no_grad():
        assert not torch.equal(model(**inputs).logits, base(**inputs).logits)


def test_merged_in_equals_the_adapter(micro_whisper, adapter):
    model = load_adapter(load_whisper(micro_whisper), adapter)
    inputs = {
        "input_features": torch.randn(1, 80, 3000),
        "decoder_input_ids": torch.tensor([[257, 261]]),
    }
    with torch.no_grad():
        expected = model(**inputs).logits
        merged = model.merge_and_unload()(**inputs).logits
    torch.testing.assert_close(merged, expected, rtol=0, atol=1e-5)


def test_a_fresh_adapter_is_the_base(micro_whisper):
    """B = 0 takes nothing away and adds nothing, not a bit."""
    inputs = {
        "input_features": torch.randn(1, 80, 3000),
        "decoder_input_ids": torch.tensor([[257, 261]]),
    }
    with torch.no_grad():
        model = add_adapter(load_whisper(micro_whisper), {"r": 2}).eval()
        base = load_whisper(micro_whisper)
        assert torch.equal(model(**inputs).logits, base(**inputs).logits)


def test_an_initialisation_that_moves_the_base_is_refused(micro_whisper):
    with pytest.raises(InputError, match="got pissa_niter_4, which moves part of it"):
        add_adapter(load_whisper(micro_whisper), {"init_lora_weights": "pissa_niter_4"})


def test_another_base_is_refused(tmp_path, adapter):
    other = load_whisper(write_micro_whisper(tmp_path / "other", seed=1))
    with pytest.raises(InputError, match="the base it was trained on"):
        load_adapter(other, adapter)


def test_missing_tensor_is_refused(micro_whisper, copy):
    rewrite(copy, lambda weights: weights.pop(min(weights)))
    with pytest.raises(InputError, match="1 do not, first base_model"):
        load_adapter(load_whisper(micro_whisper), copy)


def test_other_shape_is_refused(micro_whisper, copy):
    def shorten(weights):
        name = min(weights)
        weights[name] = weights[name][:1].contiguous()

    rewrite(copy, shorten)
    with pytest.raises(InputError, match=r"states rank 2 of .*, its weights have 1"):
        load_adapter(load_whisper(micro_whisper), copy)


def test_other_columns_are_refused(micro_whisper, copy):
    def narrow(weights):
        name = min(weights)
        weights[name] = weights[name][:, :9].contiguous()

    rewrite(copy, narrow)
    with pytest.raises(InputError, match="must have shape"):
        load_adapter(load_whisper(micro_whisper), copy)


def edit(directory, **changes):
    path = directory / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_weights_in_bin_are_the_same(micro_whisper, adapter, copy):
    weights = load_file(copy / ADAPTER_WEIGHTS)
    (copy / ADAPTER_WEIGHTS).unlink()
    torch.save(weights, copy / "adapter_model.bin")
    found, expected = (
        load_adapter(load_whisper(micro_whisper), path).state_dict()
        for path in (copy, adapter)
    )
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_options_of_a_newer_peft(micro_whisper, copy, monkeypatch):
    edit(copy, option_of_tomorrow=None, runtime_config={"ephemeral_gpu_offload": False})
    load_adapter(load_whisper(micro_whisper), copy)
    edit(copy, option_of_tomorrow=7)
    with pytest.raises(InputError, match="option_of_tomorrow=7 is no option"):
        load_adapter(load_whisper(micro_whisper), copy)
    monkeypatch.setitem(UNLIKE, "option_of_tomorrow", "it is of tomorrow")
    with pytest.raises(InputError, match=r"option of a newer peft .*: upgrade peft"):
        load_adapter(load_whisper(micro_whisper), copy)
    edit(copy, option_of_tomorrow=None, alora_invocation_tokens=[1])
    with pytest.raises(InputError, match="it acts behind certain tokens alone"):
        load_adapter(load_whisper(micro_whisper), copy)


def test_a_configuration_that_peft_does_not_take(micro_whisper, copy):
    edit(copy, target_modules=["q_proj"], layers_pattern="layers")
    with pytest.raises(InputError, match=r"config.json: must be PEFT's configuration"):
        load_adapter(load_whisper(micro_whisper), copy)


def test_truncated_file_is_refused(micro_whisper, copy):
    (copy / ADAPTER_WEIGHTS).write_bytes((copy / ADAPTER_WEIGHTS).read_bytes()[:1000])
    with pytest.raises(InputError, match="whole safetensors file"):
        load_adapter(load_whisper(micro_whisper), copy)


def test_not_lora_is_refused(micro_whisper, copy):
    config = json.loads((copy / "adapter_config.json").read_text())
    (copy / "adapter_config.json").write_text(
        json.dumps({**config, "peft_type": "IA3"})
    )
    with pytest.raises(InputError, match="peft_type must be LORA"):
        load_adapter(load_whisper(micro_whisper), copy)


def test_no_adapter(micro_whisper, tmp_path):
    with pytest.raises(InputError, match=r"needs adapter_config.json"):
        load_adapter(load_whisper(micro_whisper), tmp_path)
