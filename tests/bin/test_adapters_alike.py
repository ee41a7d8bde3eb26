"""What an adapter says of itself is checked alike by every command that takes one."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from espnet_merge.__main__ import main
from espnet_merge.lora.adapter import add_adapter, save_adapter
from espnet_merge.whisper.model import load_whisper

ODD = {
    "modules": ({"modules_to_save": ["layer_norm"]}, "promises more"),
    "bias": ({"bias": "lora_only"}, "promises more"),
    "rank": ({"r": 16}, "states rank 16 of"),
    "base": ({"base_model_name_or_path": "openai/whisper-large-v2"}, "was trained on"),
    "tokens": ({"alora_invocation_tokens": [1]}, "behind certain tokens alone"),
    "newer": ({"option_of_tomorrow": 1}, "option_of_tomorrow=1 is no option"),
}
COMMANDS = {
    "merge": ("merge --method soup --base base --experts lora --output out"),
    "inspect": ("inspect --base base --experts lora"),
    "decode": "decode --model base --adapter lora --data data --output out --pad-to 0",
    "routed": (
        "decode --model base --adapters es=lora --data data --output out --pad-to 0"
    ),
    "statistics": (
        "statistics --kind gram --model base --adapter lora --data data --output out"
        " --pad-to 0"
    ),
}


@pytest.fixture(scope="module")
def made(micro_whisper, tmp_path_factory):
    """A base from the hub, an adapter of it that does not say so, and an utterance."""
    root = tmp_path_factory.mktemp("alike")
    shutil.copytree(micro_whisper, root / "base")
    origin = {"origin": "hub:openai/whisper-large-v3"}
    (root / "base" / "fetch.json").write_text(json.dumps(origin))
    model = add_adapter(load_whisper(micro_whisper), {"r": 2})
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    (root / "lora").mkdir()
    save_adapter(model, root / "lora")
    # peft's own function writes no digest of the base.
    model.save_pretrained(root / "lora")
    (root / "data").mkdir()
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000)
    soundfile.write(root / "data" / "a.wav", noise, 16_000)
    for name, value in (
        ("wav.scp", root / "data" / "a.wav"),
        ("text", "a"),
        ("utt2lang", "es"),
    ):
        (root / "data" / name).write_text(f"u {value}\n")
    return root


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "place"))
    return tmp_path / "place"


def edit(place, **changes):
    path = place / "lora" / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("command", COMMANDS)
def test_one_answer_by_all_commands(place, capsys, command):
    for changes, message in ODD.values():
        shutil.copyfile(place / "lora" / "adapter_config.json", place / "kept")
        edit(place, **changes)
        with pytest.raises(SystemExit) as stop:
            main(COMMANDS[command].split())
        assert stop.value.code == 2
        *_, line = capsys.readouterr().err.splitlines()
        assert message in line
        assert not (place / "out").exists()
        shutil.copyfile(place / "kept", place / "lora" / "adapter_config.json")


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_off_or_in_bin_is_taken_by_all(place, command):
    edit(place, option_of_tomorrow=None, base_model_name_or_path="exp/base")
    weights = place / "lora" / "adapter_model.safetensors"
    torch.save(load_file(weights), place / "lora" / "adapter_model.bin")
    weights.unlink()
    main(COMMANDS[command].split())
