"""Labels with timestamps, previous text and language, through ESPnet's trainer."""

import logging
from pathlib import Path

import pytest
import torch
import yaml

from espnet_merge.bin.whisper_train import main as whisper_train
from tests.speech import write_data
from tests.tasks.test_whisper import arguments


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Each utterance follows another one, the first none."""
    root = tmp_path_factory.mktemp("data")
    for seed, part in enumerate(("train", "valid")):
        write_data(root / part, count=4, seconds=(1.0, 1.0), seed=seed)
        rows = ["es-000\n", *(f"es-{i:03d} palabra {i - 1}\n" for i in range(1, 4))]
        (root / part / "previous").write_text("".join(rows))
    return root


def train(whisper, data, exp, *conf, previous=True):
    words = []
    for setting in conf:
        words += ["--label_conf", setting]
    for part in ("train", "valid") if previous else ():
        words += [f"--{part}_data_path_and_name_and_type"]
        words += [f"{data / part / 'previous'},previous,text"]
    whisper_train(arguments(whisper, data, exp, "--max_epoch", "1", *words))


PROMPT = "<|startoftranscript|><|es|><|transcribe|>"


@pytest.mark.parametrize(
    ("conf", "label"),
    [
        ("timestamps=1", PROMPT + "<|0.00|> palabra 3<|1.00|><|endoftext|>"),
        (
            "previous=1",
            f"<|startofprev|> palabra 2{PROMPT}<|notimestamps|> palabra 3<|endoftext|>",
        ),
        ("language=1", PROMPT + "<|notimestamps|> palabra 3<|endoftext|>"),
    ],
)
def test_what_labels_have(micro_whisper, data, tmp_path, caplog, conf, label):
    caplog.set_level(logging.INFO)
    train(micro_whisper, data, tmp_path / "exp", conf)
    assert f"label of es-003: {label}" in caplog.messages
    name, value = conf.split("=")
    written = yaml.safe_load((tmp_path / "exp" / "config.yaml").read_text())
    assert written["label_conf"] == {name: int(value)}


def test_the_language_token_is_trained(micro_whisper, data, tmp_path):
    """A row of the embedding that is no target moves by the softmax alone."""
    from espnet_merge.whisper.model import load_whisper

    def moved(exp) -> float:
        state = torch.load(exp / "1epoch.pth", weights_only=True)
        name = "model.decoder.embed_tokens.weight"
        before = load_whisper(micro_whisper).state_dict()[name]
        # Weight decay apart, Adam's steps are 1e-3: the direction tells.
        return float((state[f"network.{name}"] - before)[261].abs().sum())

    train(micro_whisper, data, tmp_path / "with", "language=1")
    train(micro_whisper, data, tmp_path / "without")
    assert moved(tmp_path / "with") != moved(tmp_path / "without")


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ("previous=0.5", "label_conf.previous needs the text before each utterance"),
        ("timestamp=1", "label_conf may have timestamps, previous, language; got"),
        ("language=2", "label_conf.language must be a share of utterances in [0, 1]"),
    ],
)
def test_refusals(micro_whisper, data, tmp_path, capsys, conf, message):
    with pytest.raises(SystemExit) as stop:
        train(micro_whisper, data, tmp_path / "exp", conf, previous=False)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
