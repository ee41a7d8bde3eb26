"""Train a mixture through ESPnet's trainer: resumed, exported, decoded the same."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from espnet_merge.bin.whisper_train import main as whisper_train
from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import base_digest
from espnet_merge.lora.mixture import add_mixture
from espnet_merge.lora.mixture_conf import MixtureConf, open_experts
from espnet_merge.lora.stored_mixture import load_mixture
from espnet_merge.tasks.export import export
from espnet_merge.whisper.model import load_whisper
from tests.lora.test_routed import scores, write_adapter
from tests.speech import write_data
from tests.tasks.test_whisper import arguments


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_data(root / "train", languages=("ca",), count=16)
    write_data(root / "valid", languages=("ca",), count=4, seed=1)
    return root


@pytest.fixture(scope="module")
def experts(micro_whisper, tmp_path_factory) -> list[str]:
    root = tmp_path_factory.mktemp("experts")
    return [
        str(write_adapter(micro_whisper, root / str(seed), seed, {"r": 2}))
        for seed in (0, 1)
    ]


def train(whisper, data, exp: Path, conf: dict, *more: str) -> None:
    exp.parent.mkdir(exist_ok=True)
    config = exp.with_suffix(".yaml")
    config.write_text(yaml.safe_dump({"mixture_conf": conf}))
    whisper_train(arguments(whisper, data, exp, "--config", str(config), *more))


def test_trained_resumed_exported_and_loaded(micro_whisper, data, experts, tmp_path):
    conf = {"adapters": experts, "r": 3, "lora_alpha": 6, "gate": "utterance"}
    checkpointing = ("--gradient_checkpointing", "true")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(micro_whisper, data, whole, conf, "--max_epoch", "2", *checkpointing)
    saved = torch.load(whole / "2epoch.pth", weights_only=True)
    kinds = {name.rpartition(".")[2] for name in saved}
    assert kinds == {"lora_A", "lora_B", "lora_gate"}
    train(micro_whisper, data, cut, conf, "--max_epoch", "1", *checkpointing)
    train(micro_whisper, data, cut, conf, "--max_epoch", "2", *checkpointing)
    resumed = torch.load(cut / "2epoch.pth", weights_only=True)
    assert all(torch.equal(resumed[name], saved[name]) for name in saved)

    best = whole / "valid.loss.ave.pth"
    export(best, tmp_path / "model")
    loaded = load_mixture(load_whisper(micro_whisper), tmp_path / "model")
    mixture = add_mixture(load_whisper(micro_whisper), *open_experts(conf))
    state = torch.load(best, weights_only=True)
    fresh = scores(mixture.eval().whisper)
    mixture.load_state_dict(
        {name.removeprefix("network."): value for name, value in state.items()},
        strict=False,
    )
    assert torch.equal(scores(loaded.whisper), scores(mixture.whisper))
    assert not torch.equal(scores(loaded.whisper), fresh)
    assert loaded.conf == MixtureConf(r=3, lora_alpha=6, gate="utterance")
    assert (tmp_path / "model" / "export.yaml").is_file()


def test_a_gate_alone_is_trained(micro_whisper, data, experts, tmp_path):
    conf = {"adapters": experts, "r": 0, "gate": "utterance"}
    train(micro_whisper, data, tmp_path / "exp", conf, "--max_epoch", "1")
    best = tmp_path / "exp" / "valid.loss.ave.pth"
    state = torch.load(best, weights_only=True)
    assert {name.rpartition(".")[2] for name in state} == {"lora_gate"}
    assert all(gate.any() for gate in state.values())
    export(best, tmp_path / "model")
    loaded = load_mixture(load_whisper(micro_whisper), tmp_path / "model")
    gates = {n: layer.lora_gate for n, layer in loaded.layers().items()}
    for name, gate in gates.items():
        trained = state[f"network.whisper.{name.removesuffix('weight')}lora_gate"]
        assert torch.equal(gate, trained)


def test_the_most_similar_experts_are_mixed(micro_whisper, data, experts, tmp_path):
    similarity = tmp_path / "similarity.json"
    rows = {"ca": {"es": 0.2, "fr": 0.5, "it": 0.3}}
    digest = base_digest(load_whisper(micro_whisper))
    similarity.write_text(json.dumps({"base_sha256": digest, "similarity": rows}))
    words = ["--init_similarity", str(similarity), "--max_epoch", "1"]
    for code, path in (("es", "nowhere"), ("it", experts[0]), ("fr", experts[1])):
        words += ["--init_adapters", f"{code}={path}"]
    conf = {"adapters": "auto", "nearest": 2, "r": 2}
    train(micro_whisper, data, tmp_path / "exp", conf, *words)
    written = yaml.safe_load((tmp_path / "exp" / "config.yaml").read_text())
    found = written["mixture_conf"]
    assert found["adapters"] == [experts[1], experts[0]]
    assert "nearest" not in found
    export(tmp_path / "exp" / "valid.loss.ave.pth", tmp_path / "model")


def test_an_expert_that_has_changed_is_refused(micro_whisper, data, experts, tmp_path):
    own = [shutil.copytree(path, tmp_path / Path(path).name) for path in experts]
    conf = {"adapters": list(map(str, own)), "r": 2}
    train(micro_whisper, data, tmp_path / "exp", conf, "--max_epoch", "1")
    shutil.copytree(experts[0], own[1], dirs_exist_ok=True)
    with pytest.raises(InputError, match="its files have changed"):
        export(tmp_path / "exp" / "valid.loss.ave.pth", tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"lora": True}, "lora must be false"),
        ({"mixture_conf": {"adapters": []}}, "at least one expert"),
        (
            {
                "mixture_conf": {"adapters": "auto", "nearest": 2},
                "init_adapters": {"es": "x"},
                "init_similarity": "s.json",
            },
            "s.json: must be the similarity.json",
        ),
        ({"mixture_conf": {"adapters": "auto"}}, "auto, least) needs init_adapters"),
        ({"mixture_conf": {"gate": "word"}}, "gate of a mixture must be one of"),
    ],
)
def test_bad_configuration(
    micro_whisper, data, experts, tmp_path, capsys, more, message
):
    config = tmp_path / "train.yaml"
    own = {"mixture_conf": {"adapters": experts, "r": 2}}
    config.write_text(yaml.safe_dump({**own, **more}))
    with pytest.raises(SystemExit) as stop:
        whisper_train(
            arguments(micro_whisper, data, tmp_path / "e", "--config", str(config))
        )
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
