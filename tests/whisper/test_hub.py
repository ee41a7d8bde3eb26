"""Fetching from a hub on this machine, through its own client."""

import json

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from espnet_merge.__main__ import main
from espnet_merge.checkpoint import Adapter, open_expert
from espnet_merge.whisper.hub import weights_among
from tests.whisper.hub_server import COMMIT, publish

# As the hub listed them: openai/whisper-large-v3, without its pictures.
LARGE = [
    *("README.md", "added_tokens.json", "config.json", "flax_model.msgpack"),
    *("generation_config.json", "merges.txt", "model.fp32-00001-of-00002.safetensors"),
    *("model.fp32-00002-of-00002.safetensors", "model.safetensors"),
    *("model.safetensors.index.fp32.json", "normalizer.json"),
    *("preprocessor_config.json", "pytorch_model.bin"),
    *("pytorch_model.bin.index.fp32.json", "pytorch_model.fp32-00001-of-00002.bin"),
    *("pytorch_model.fp32-00002-of-00002.bin", "special_tokens_map.json"),
    *("tokenizer.json", "tokenizer_config.json", "vocab.json"),
]


def as_bin(directory):
    """Put the weights into the file in which they were before 2023."""
    weights = load_file(directory / "model.safetensors")
    torch.save(weights, directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


def fetch(source, output):
    main(["fetch", str(source), "--output", str(output)])
    return json.loads((output / "fetch.json").read_text())


def same(one, other):
    ours, theirs = (load_file(x / "model.safetensors") for x in (one, other))
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[name], theirs[name]) for name in ours
    )


def test_one_copy_of_the_weights_is_taken(hub, micro_whisper, tmp_path):
    repository = publish(hub, "openai/whisper-large-v3", micro_whisper)
    for name in LARGE:
        if not (repository / name).exists():
            (repository / name).write_text("{}")
    record = fetch("large-v3", tmp_path / "out")
    assert record["origin"] == "hub:openai/whisper-large-v3"
    assert record["commit"] == COMMIT
    weights = {name for name in hub.taken if not name.endswith((".json", ".txt"))}
    assert weights == {"model.safetensors"}
    assert "README.md" not in hub.taken
    assert same(micro_whisper, tmp_path / "out")


def test_weights_in_bin_alone_are_taken(hub, micro_whisper, tmp_path):
    as_bin(publish(hub, "someone/of-2023", micro_whisper))
    fetch("someone/of-2023", tmp_path / "out")
    assert same(micro_whisper, tmp_path / "out")


def test_what_is_there_does_without_the_hub(hub, micro_whisper, tmp_path, monkeypatch):
    repository = publish(hub, "someone/model", micro_whisper)
    (repository / "pytorch_model.bin").touch()
    fetch("someone/model", tmp_path / "out")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert fetch("someone/model", tmp_path / "again")["commit"] == COMMIT
    with pytest.raises(SystemExit):
        fetch("someone/else", tmp_path / "other")


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_an_adapter_stays_one(hub, tmp_path, suffix):
    repository = hub.root / "someone" / "lora"
    repository.mkdir(parents=True)
    module = "base_model.model.model.encoder.layers.0.fc1"
    factors = {
        f"{module}.lora_A.weight": torch.ones(2, 8),
        f"{module}.lora_B.weight": torch.ones(16, 2),
    }
    write = save_file if suffix == "safetensors" else torch.save
    write(factors, repository / f"adapter_model.{suffix}")
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 2}
    (repository / "adapter_config.json").write_text(json.dumps(config))
    (repository / "optimizer.pt").touch()
    record = fetch("someone/lora", tmp_path / "out")
    assert (record["source"], record["commit"]) == ("someone/lora", COMMIT)
    assert isinstance(open_expert(tmp_path / "out"), Adapter)
    assert not (tmp_path / "out" / "optimizer.pt").exists()
    fetch(tmp_path / "out", tmp_path / "again")


@pytest.mark.parametrize(
    ("name", "message"),
    [("someone/else", "the hub has no such model"), ("someone/notes", "must hold")],
)
def test_what_is_no_model(hub, tmp_path, capsys, name, message):
    (hub.root / "someone" / "notes").mkdir(parents=True)
    (hub.root / "someone" / "notes" / "config.json").touch()
    with pytest.raises(SystemExit):
        fetch(name, tmp_path / "out")
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"error: {name}: " in error
    assert message in error
    assert hub.taken == []


def test_shards_are_those_of_the_index():
    shards = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    index = "model.safetensors.index.json"
    others = ["model.fp32-00001-of-00002.safetensors", "pytorch_model.bin"]
    assert weights_among([*shards, index, *others]) == [index, *shards]
    assert weights_among(LARGE) == ["model.safetensors"]
    assert weights_among(["config.json", "model.bin"]) == ["model.bin"]
