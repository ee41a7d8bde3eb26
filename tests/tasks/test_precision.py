"""Other types, compiled layers and recomputed activations learn the same."""

from pathlib import Path

import numpy as np
import pytest
import torch

from espnet_merge.bin.whisper_train import main as whisper_train
from espnet_merge.tasks import precision
from espnet_merge.tasks.precision import type_to_compute_in
from espnet_merge.tasks.trainer import WhisperTrainer
from tests.speech import write_data
from tests.tasks.test_whisper import LORA, arguments


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_data(root / "train", languages=("es", "ru"), count=12)
    write_data(root / "valid", languages=("es", "ru"), count=4, seed=1)
    return root


@pytest.fixture
def trained(monkeypatch):
    """Note the model that is trained."""
    models = []
    whole = WhisperTrainer.run.__func__

    def run(cls, **kwargs):
        models.append(kwargs["model"])
        whole(cls, **kwargs)

    monkeypatch.setattr(WhisperTrainer, "run", classmethod(run))
    return models


def losses(exp: Path) -> list[float]:
    states = torch.load(exp / "checkpoint.pth", weights_only=True)
    epochs = states["reporter"]["stats"]
    return [epochs[e][p]["loss"] for e in sorted(epochs) for p in ("train", "valid")]


def compiled(model) -> bool:
    layers = [*model.whisper.model.encoder.layers, *model.whisper.model.decoder.layers]
    return all(layer._compiled_call_impl is not None for layer in layers)


@pytest.mark.parametrize(("fast", "found"), [("bfloat16",) * 2, ("float32", None)])
def test_auto_is_what_the_processor_is_fast_in(fast, found, monkeypatch):
    monkeypatch.setattr(precision, "fast_dtype", lambda *, on_gpu: fast)
    assert type_to_compute_in("auto", on_gpu=False) == found
    assert type_to_compute_in(None, on_gpu=False) is None
    assert type_to_compute_in("bfloat16", on_gpu=True) == "bfloat16"


def test_auto_trains_in_it(micro_whisper, data, tmp_path, trained, monkeypatch):
    there = {"amx_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: there)
    more = ("--max_epoch", "1", "--autocast", "auto")
    whisper_train(arguments(micro_whisper, data, tmp_path / "auto", *more))
    assert trained[0].autocast == "bfloat16"


@pytest.mark.parametrize(
    ("kind", "options", "close"),
    [
        ((), ("--autocast", "bfloat16"), 0.02),
        (LORA, ("--base_dtype", "bfloat16"), 0.02),
        ((), ("--gradient_checkpointing", "true"), 1e-5),
        (LORA, ("--gradient_checkpointing", "true"), 1e-5),
        ((), ("--compile", "aot_eager"), 1e-4),
    ],
)
def test_learns_the_same(micro_whisper, data, tmp_path, trained, kind, options, close):
    more = ("--max_epoch", "2", *kind)
    for name, given in (("plain", ()), ("other", options)):
        whisper_train(arguments(micro_whisper, data, tmp_path / name, *more, *given))
    plain, other = losses(tmp_path / "plain"), losses(tmp_path / "other")
    np.testing.assert_allclose(other, plain, rtol=close)
    if "bfloat16" in options:
        assert other != plain
    assert other[-1] < other[1]
    base = {p.dtype for p in trained[1].parameters() if not p.requires_grad}
    assert compiled(trained[1]) == ("--compile" in options)
    rounded = torch.bfloat16 if "--base_dtype" in options else torch.float32
    assert base == {rounded}
    weights = torch.load(tmp_path / "other" / "2epoch.pth", weights_only=True)
    assert {value.dtype for value in weights.values()} == {torch.float32}


def test_base_that_is_trained_keeps_its_type(micro_whisper, data, tmp_path, capsys):
    words = ("--max_epoch", "1", "--base_dtype", "bfloat16")
    with pytest.raises(SystemExit) as end:
        whisper_train(arguments(micro_whisper, data, tmp_path / "exp", *words))
    assert end.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "base_dtype bfloat16 needs a frozen base" in line
